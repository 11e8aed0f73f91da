import test from 'ava';
import fc from 'fast-check';
import { ChunkBuilder } from '../../src/load/chunk.ts';
import { LoadPool } from '../../src/load/pool.ts';
import { type OnDuplicate, sortChunks } from '../../src/load/sort.ts';
import { KeyCodec } from '../../src/schema/key.ts';
import { RowEncoder } from '../../src/schema/row.ts';
import { parseSchema } from '../../src/schema/schema.ts';
import { realStorage } from '../../src/storage/real.ts';
import { Segment, type SegmentHandle } from '../../src/view/segment.ts';
import { compileReaders } from '../../src/view/shard-view.ts';
import { boundOf, type PlainKey } from '../../src/view/spilled-run.ts';

const COLUMNS = { value: 'float64?', flag: 'bool', count: 'int32', note: 'utf8?' } as const;

interface Row {
  value: number | null;
  flag: boolean;
  count: number;
  note: string | null;
}

const anyRow: fc.Arbitrary<Row> = fc.record({
  value: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
  flag: fc.boolean(),
  count: fc.integer(),
  note: fc.option(fc.string({ unit: 'grapheme', maxLength: 90 })),
});

const KEYS = {
  int64: fc.oneof(fc.bigInt(-20n, 20n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
  uint64: fc.oneof(fc.bigInt(0n, 20n), fc.bigInt(0n, 2n ** 64n - 1n)),
  float64: fc.double({ noNaN: true }).map((key) => key + 0),
  timestamp: fc.integer(),
  utf8: fc
    .tuple(fc.constantFrom('', 'a', 'https://www.example.com/', '\0'), fc.string({ maxLength: 12 }))
    .map(([head, tail]) => head + tail.toWellFormed()),
} as const;

function chunksOf(key: keyof typeof KEYS, rows: readonly [unknown, Row][], perChunk: number) {
  const schema = parseSchema({ key, columns: COLUMNS });
  const codec = new KeyCodec(schema.key, true);
  const encoder = new RowEncoder(schema);
  const chunks: SegmentHandle[] = [];
  for (let from = 0; from < rows.length; from += perChunk) {
    const builder = new ChunkBuilder(schema, 1);
    for (const [rowKey, row] of rows.slice(from, from + perChunk)) {
      codec.encode(rowKey);
      encoder.encode(row);
      builder.add(codec.hi, codec.lo, codec.bytes, encoder.views);
    }
    chunks.push(builder.finish());
  }
  return { schema, codec, chunks };
}

function rowsOf(key: keyof typeof KEYS, run: readonly SegmentHandle[]) {
  const schema = parseSchema({ key, columns: COLUMNS });
  const codec = new KeyCodec(schema.key, true);
  const { segment: read } = compileReaders(schema, true);
  return run
    .map((handle) => new Segment(handle, schema.key))
    .flatMap((segment) =>
      Array.from({ length: segment.rows }, (_, i) => [
        codec.decode(segment.hi(i), segment.lo(i), segment.bytesOf(i)),
        read(segment.columns, i),
      ]),
    );
}

function decoded(codec: KeyCodec, key: PlainKey | null): unknown {
  if (key === null) return null;
  const { hi, lo, bytes } = boundOf(key);
  return codec.decode(hi, lo, bytes);
}

/** The order of a key's stored form is the order of keys: compared by a codec. */
function modelOf(codec: KeyCodec, rows: readonly [unknown, Row][], onDuplicate: OnDuplicate) {
  const kept = new Map<unknown, Row>();
  for (const [key, row] of rows) {
    if (onDuplicate === 'first' && kept.has(key)) continue;
    kept.set(key, row);
  }
  const sortable = (key: unknown) => {
    codec.encode(key);
    const { hi, lo, bytes } = codec;
    const copy = bytes && Buffer.from(bytes.memory.buffer.subarray(bytes.start, bytes.end));
    return { hi, lo, copy };
  };
  return [...kept]
    .map(([key, row]) => ({ key, row, at: sortable(key) }))
    .sort(({ at: a }, { at: b }) =>
      a.copy && b.copy ? Buffer.compare(a.copy, b.copy) : a.hi - b.hi || a.lo - b.lo,
    )
    .map(({ key, row }) => [typeof key === 'number' ? key + 0 : key, row]);
}

for (const key of Object.keys(KEYS) as (keyof typeof KEYS)[]) {
  test(`chunks become a run in the order of their keys, one row of each: ${key}`, (t) => {
    const rows = fc.array(fc.tuple(KEYS[key] as fc.Arbitrary<unknown>, anyRow), {
      minLength: 1,
      maxLength: 60,
    });
    const policies = fc.constantFrom<OnDuplicate>('last', 'first', 'error');
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 40 }), policies, (all, perChunk, onDuplicate) => {
        const { schema, codec, chunks } = chunksOf(key, all, perChunk);
        const sorted = sortChunks({ schema, chunks, onDuplicate });
        const wanted = modelOf(codec, all, onDuplicate);
        t.deepEqual(rowsOf(key, sorted.segments), wanted);
        t.is(sorted.duplicates, all.length - wanted.length);
        t.is(sorted.duplicate !== null, sorted.duplicates > 0);
        const isDecoded = (key: unknown) => key === decoded(codec, sorted.duplicate);
        const times = all.filter(([one]) => isDecoded(one)).length;
        t.true(sorted.duplicate === null || times > 1);
      }),
      { numRuns: 60 },
    );
  });

  test(`rows in order are noticed: ${key}`, (t) => {
    const rows = fc.array(fc.tuple(KEYS[key] as fc.Arbitrary<unknown>, anyRow), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 9 }), (all, perChunk) => {
        const { codec } = chunksOf(key, all, perChunk);
        const inOrder = modelOf(codec, all, 'last') as [unknown, Row][];
        const { schema, chunks } = chunksOf(key, inOrder, perChunk);
        const sorted = sortChunks({ schema, chunks, onDuplicate: 'last' });
        t.true(sorted.wasSorted);
        t.deepEqual(rowsOf(key, sorted.segments), inOrder);
      }),
      { numRuns: 25 },
    );
  });
}

test('a builder is full before its memory is, and a pool sorts as this thread does', async (t) => {
  const schema = parseSchema({ key: 'int64', columns: { note: 'utf8' } });
  const codec = new KeyCodec('int64', false);
  const encoder = new RowEncoder(schema);
  const builder = new ChunkBuilder(schema, 2 ** 23);
  const note = 'x'.repeat(2 ** 20);
  let rows = 0;
  for (; !builder.isFull; rows++) {
    codec.encode(1000 - rows);
    encoder.encode({ note });
    builder.add(codec.hi, codec.lo, null, encoder.views);
  }
  t.true(rows >= 8 && rows <= 16, `${rows}`);
  const task = { schema, chunks: [builder.finish()], onDuplicate: 'last' } as const;
  const pool = new LoadPool(realStorage);
  const [here, there] = [sortChunks(task), await pool.sort(task)];
  await pool.close();
  const bodies = ({ segments }: typeof here) => segments.map(({ body }) => new Uint8Array(body));
  t.deepEqual(bodies(there), bodies(here));
  t.deepEqual({ ...there, segments: null }, { ...here, segments: null });
});
