import test from 'ava';
import fc from 'fast-check';
import { type Key, KeyCodec } from '../../src/schema/key.ts';
import { copyOf } from '../../src/schema/key-bytes.ts';
import { isVariable, parseSchema, type Schema } from '../../src/schema/schema.ts';
import { type Bound, boundsOf, greatestBound, leastBound } from '../../src/view/bounds.ts';
import { CommitTable } from '../../src/view/commit-table.ts';
import { gatherField, groupsOf, KEY } from '../../src/view/gather.ts';
import { type Block, rowBlocks, settledRun } from '../../src/view/row-blocks.ts';
import { Segment } from '../../src/view/segment.ts';
import { compileReaders, rowOf, type ShardSnapshot, ShardView } from '../../src/view/shard-view.ts';
import { type Entry, newHandle, SMALL, segmentOf, TestMemtable } from './support.ts';

const NOTHING: ReadonlySet<number> = new Set();

/** Oldest first: what was written, and whether it lies in a memtable or in a run of so many segments. */
interface Layer {
  readonly entries: readonly Entry[];
  readonly segments: number;
}

function columnsOf(key: string): Schema {
  return parseSchema({
    key,
    columns: {
      a: 'int32?',
      b: 'int64',
      c: 'float64?',
      d: 'bool?',
      e: 'utf8?',
      f: 'float32',
      g: 'bool',
    },
  });
}

/** A shard of these layers, memtables behind runs. */
function shardOf(schema: Schema, layers: readonly Layer[]): ShardSnapshot {
  const order = compareKeys(schema);
  const table = CommitTable.empty();
  const memtables = layers
    .filter(({ segments }) => segments === 0)
    .map(({ entries }) => {
      const handle = newHandle(SMALL, isVariable(schema.key));
      const memtable = new TestMemtable(schema, table, handle);
      for (const [key, row] of entries) memtable.put(key, row);
      return memtable;
    });
  if (memtables.length === 0) {
    memtables.push(new TestMemtable(schema, table, newHandle(SMALL, isVariable(schema.key))));
  }
  const runs = layers
    .filter(({ segments, entries }) => segments > 0 && entries.length > 0)
    .map(({ entries, segments }) => {
      const newest = new Map(entries.map(([key, row]) => [String(key), [key, row] as Entry]));
      const sorted = [...newest.values()].sort(([a], [b]) => order(a, b));
      const size = Math.ceil(sorted.length / segments);
      const parts: Entry[][] = [];
      for (let i = 0; i < sorted.length; i += size) parts.push(sorted.slice(i, i + size));
      return parts.map((part) => segmentOf(schema, part));
    });
  const message = {
    shard: 0,
    version: 1,
    memtables: memtables.toReversed().map(({ writer }) => writer.handle),
    runs: runs.toReversed(),
    cleared: runs.map(() => []),
  };
  return new ShardView(message, compileReaders(schema, true), table, null).capture(NOTHING);
}

function boundOf(schema: Schema, key: Key): Bound {
  const codec = new KeyCodec(schema.key, true);
  codec.encode(key);
  const { hi, lo, bytes } = codec;
  return { hi, lo, bytes: bytes && copyOf(bytes.memory.buffer.subarray(bytes.start, bytes.end)) };
}

function compareKeys(schema: Schema): (a: Key, b: Key) => number {
  return (a, b) => {
    if (schema.key === 'utf8')
      return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)));
    return a < b ? -1 : a > b ? 1 : 0;
  };
}

/** The live entries of layers, oldest first. */
function modelOf(schema: Schema, layers: readonly Layer[]): Entry[] {
  const rows = new Map<string, Entry>();
  const runsFirst = layers.toSorted((a, b) => Number(a.segments === 0) - Number(b.segments === 0));
  for (const { entries } of runsFirst) {
    for (const [key, row] of entries) {
      if (row === undefined) rows.delete(String(key));
      else rows.set(String(key), [key, row]);
    }
  }
  const order = compareKeys(schema);
  return [...rows.values()].sort(([a], [b]) => order(a, b));
}

function entriesOf(schema: Schema, block: Block): Entry[] {
  const codec = new KeyCodec(schema.key, true);
  const readers = compileReaders(schema, true);
  return Array.from({ length: block.count }, (_, i) => {
    const source = block.segment ?? block.sources[block.source[i]];
    const row = block.segment === null ? block.row[i] : block.start + i;
    const key = codec.decode(source.hi(row), source.lo(row), source.bytesOf(row));
    return [key, rowOf(readers, source, source instanceof Segment ? row : source.rowAt(row))];
  });
}

const rowsOf = fc.record({
  a: fc.option(fc.integer()),
  b: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  c: fc.option(fc.double()),
  d: fc.option(fc.boolean()),
  e: fc.option(fc.string({ maxLength: 70 })),
  f: fc.float(),
  g: fc.boolean(),
});

const KEYS: Readonly<Record<string, fc.Arbitrary<Key>>> = {
  int64: fc.bigInt({ min: -20n, max: 60n }),
  'int64 beyond 2^53': fc.bigInt({ min: 2n ** 53n - 6n, max: 2n ** 53n + 20n }),
  uint64: fc.oneof(fc.bigInt({ min: 0n, max: 9n }), fc.constant(2n ** 53n - 1n)),
  float64: fc.oneof(
    fc.integer({ min: -9, max: 40 }).map((key) => key / 8),
    fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324, 1e300),
  ),
  utf8: fc.string({ unit: fc.constantFrom('a', 'b', 'é', '\0'), maxLength: 3 }),
};

function layersOf(key: fc.Arbitrary<Key>): fc.Arbitrary<Layer[]> {
  const entry: fc.Arbitrary<Entry> = fc.tuple(key, fc.option(rowsOf, { nil: undefined, freq: 4 }));
  const layer = fc.record({
    entries: fc.array(entry, { maxLength: 60, size: 'max' }),
    segments: fc.nat({ max: 3 }),
  });
  return fc.array(layer, { maxLength: 6 });
}

for (const [name, key] of Object.entries(KEYS)) {
  const schema = columnsOf(name.split(' ')[0]);
  const range = fc.record({
    first: fc.option(key),
    last: fc.option(key),
    isAfterFirst: fc.boolean(),
    isBeforeLast: fc.boolean(),
    reverse: fc.boolean(),
    rows: fc.constantFrom(1, 2, 7, 1000),
  });

  test(`blocks have the live rows of any layers in order, of any range: ${name}`, (t) => {
    const holds = fc.property(layersOf(key), layersOf(key), range, (one, other, how) => {
      const type = schema.key;
      const first = how.first === null ? leastBound(type) : boundOf(schema, how.first);
      const last = how.last === null ? greatestBound(type) : boundOf(schema, how.last);
      const isAfterFirst = how.first !== null && how.isAfterFirst;
      const bounds = boundsOf(first, last, isAfterFirst, how.last !== null && how.isBeforeLast);
      const order = compareKeys(schema);
      const within = ([at]: Entry) =>
        (how.first === null || order(at, how.first) > (how.isAfterFirst ? 0 : -1)) &&
        (how.last === null || order(at, how.last) < (how.isBeforeLast ? 0 : 1));
      // Shards share no key.
      const taken = new Set(one.flatMap(({ entries }) => entries.map(([at]) => String(at))));
      const others = other.map((layer) => ({
        ...layer,
        entries: layer.entries.filter(([at]) => !taken.has(String(at))),
      }));
      const shards = [one, others].map((layers) => shardOf(schema, layers));
      const expected = [one, others]
        .flatMap((layers) => modelOf(schema, layers))
        .filter(within)
        .sort(([a], [b]) => (how.reverse ? order(b, a) : order(a, b)));
      const blocks = rowBlocks(schema, shards, bounds, how.reverse, true);
      const found: Entry[] = [];
      for (;;) {
        const block = blocks.next(how.rows);
        if (block === null) break;
        t.true(block.count > 0);
        found.push(...entriesOf(schema, block));
      }
      t.deepEqual(found, expected);
      const apart = rowBlocks(schema, shards, bounds, how.reverse, false);
      let rows = 0;
      for (let block = apart.next(how.rows); block !== null; block = apart.next(how.rows)) {
        rows += block.count;
      }
      t.is(rows, expected.length);
    });
    t.notThrows(() => fc.assert(holds, { numRuns: 60 }));
  });

  test(`the fields of any block are gathered as its rows have them: ${name}`, (t) => {
    const holds = fc.property(layersOf(key), fc.boolean(), (layers, reverse) => {
      const bounds = boundsOf(leastBound(schema.key), greatestBound(schema.key), false, false);
      const blocks = rowBlocks(schema, [shardOf(schema, layers)], bounds, reverse, true);
      const block = blocks.next(1000);
      if (block === null) return;
      const entries = entriesOf(schema, block);
      const from = Math.floor(block.count / 3);
      const groups = groupsOf(block, from, block.count);
      const count = block.count - from;
      const bit = (bits: Uint8Array | null, i: number) =>
        bits === null ? 1 : (bits[i >>> 3] >>> (i & 7)) & 1;
      for (const [c, column] of [{ name: 'key', type: schema.key }, ...schema.columns].entries()) {
        const values = gatherField(schema, c === 0 ? KEY : c - 1, groups, count);
        const view = new DataView(values.data.buffer, values.data.byteOffset);
        let nulls = 0;
        for (let i = 0; i < count; i++) {
          const [at, row] = entries[from + i];
          const expected = c === 0 ? at : (row as Record<string, unknown>)[column.name];
          if (bit(values.validity, i) === 0) {
            nulls++;
            t.is(expected, null);
            continue;
          }
          const { type } = column;
          const [start, end] = [values.offsets?.[i] ?? 0, values.offsets?.[i + 1] ?? 0];
          const found = {
            int32: () => view.getInt32(4 * i, true),
            float32: () => view.getFloat32(4 * i, true),
            float64: () => view.getFloat64(8 * i, true),
            int64: () => view.getBigInt64(8 * i, true),
            uint64: () => view.getBigUint64(8 * i, true),
            bool: () => bit(values.data, i) === 1,
            utf8: () => Buffer.from(values.data.subarray(start, end)).toString(),
          }[type as 'utf8']();
          t.is(found, expected as typeof found);
        }
        t.is(values.nulls, nulls);
      }
    });
    t.notThrows(() => fc.assert(holds, { numRuns: 60 }));
  });
}

test('a settled shard comes as stretches of its segments, up to the next write', (t) => {
  const schema = columnsOf('int64');
  const row = { a: 1, b: 2n, c: 3, d: true, e: 'x', f: 1, g: false };
  const entries = Array.from({ length: 100 }, (_, i): Entry => [BigInt(i), row]);
  const bounds = boundsOf(boundOf(schema, 5), boundOf(schema, 94), true, true);
  const settled = shardOf(schema, [{ entries, segments: 3 }]);
  t.not(settledRun(settled), null);
  const blocks = rowBlocks(schema, [settled], bounds, false, true);
  const starts: number[][] = [];
  for (let block = blocks.next(30); block !== null; block = blocks.next(30)) {
    if (block.segment === null) return t.fail('It was merged.');
    starts.push([block.start, block.count]);
  }
  t.deepEqual(starts, [
    [6, 28],
    [0, 30],
    [30, 4],
    [0, 26],
  ]);
  const written = shardOf(schema, [
    { entries, segments: 1 },
    { entries: [[50n, undefined]], segments: 0 },
  ]);
  t.is(settledRun(written), null);
  t.is(settledRun(shardOf(schema, [{ entries: [[1n, undefined]], segments: 1 }])), null);
});

test('merging the densest and the sparsest lists takes blocks of about the size asked for', (t) => {
  const schema = columnsOf('int64');
  const row = { a: 1, b: 2n, c: 3, d: true, e: 'x', f: 1, g: false };
  const dense = Array.from({ length: 2000 }, (_, i): Entry => [BigInt(i), row]);
  const sparse = Array.from({ length: 20 }, (_, i): Entry => [BigInt(i * 3), row]);
  const shard = shardOf(schema, [
    { entries: dense, segments: 1 },
    { entries: sparse, segments: 1 },
    { entries: sparse.slice(3), segments: 0 },
  ]);
  const bounds = boundsOf(leastBound('int64'), greatestBound('int64'), false, false);
  const blocks = rowBlocks(schema, [shard], bounds, false, true);
  const counts: number[] = [];
  for (let block = blocks.next(1000); block !== null; block = blocks.next(1000)) {
    counts.push(block.count);
  }
  t.is(
    counts.reduce((a, b) => a + b, 0),
    2000,
  );
  t.true(counts.length <= 4, `${counts}`);
});
