/** Runs of a shard: written as they come, kept, spilled, joined and merged, over a disk that can fail. */
import test from 'ava';
import fc from 'fast-check';
import { isDamage, OmenError } from '../../src/errors.ts';
import { Router } from '../../src/load/router.ts';
import { type Piece, ShardRows } from '../../src/load/shard-rows.ts';
import type { OnDuplicate } from '../../src/load/sort.ts';
import { planSplits } from '../../src/load/splits.ts';
import { KeyCodec } from '../../src/schema/key.ts';
import { parseSchema, type Schema } from '../../src/schema/schema.ts';
import { loadSlice } from '../../src/shard-worker/load-job.ts';
import { CrashStorage, type Fault } from '../../src/storage/crash.ts';
import { shardOf } from '../../src/view/partition.ts';
import type { RunSlice } from '../../src/view/run-slice.ts';
import { Segment, type SegmentHandle } from '../../src/view/segment.ts';
import { boundOf, isSpilled, type PlainKey } from '../../src/view/spilled-run.ts';
import { type SharedOptions, sharedOf } from './support.ts';

const DIRECTORY = 'data';
const PLACE = { directory: DIRECTORY, databaseId: '0123456789abcdef'.repeat(2), shard: 0 };
const NUMBERS = parseSchema({ key: 'int64', columns: { a: 'float64', b: 'utf8?' } });

type Rows = readonly (readonly [key: unknown, a: number])[];

/** Rows in lists, each of which becomes a run, loaded as a shard loads them. */
async function load(
  storage: CrashStorage,
  lists: readonly Rows[],
  options: SharedOptions,
  finish = async (rows: ShardRows): Promise<Piece[]> => [await rows.finish()],
) {
  const { schema } = options;
  storage.makeDirectory(DIRECTORY);
  const slices: RunSlice[] = [];
  /** Segments that are there, and the most bytes they ever took. */
  const present = new Map<number, number>();
  let most = 0;
  let firstId = 1;
  const write = async (slice: RunSlice): Promise<Piece> => {
    slices.push(slice);
    const place = { ...PLACE, schema };
    const span = { firstLsn: 1, lastLsn: 1 };
    const job = { kind: 'load', place, slice, firstId, span, existing: null } as const;
    const { written, existing } = loadSlice(storage, job);
    firstId += 100;
    for (const { record, handle } of written) present.set(record.id, handle.layout.bodyBytes);
    most = Math.max(
      most,
      [...present.values()].reduce((sum, bytes) => sum + bytes, 0),
    );
    for (const id of slice.replaced) present.delete(id);
    return {
      ids: written.map(({ record }) => record.id),
      segments: written.map(({ handle }) => handle),
      rows: written.reduce((sum, { record }) => sum + record.rows, 0),
      bytes: written.reduce((sum, { record }) => sum + record.fileBytes, 0),
      existing,
    };
  };
  const shared = sharedOf(storage, options);
  const pathOf = (number: number) => `${DIRECTORY}/load-${number}.tmp`;
  const rows = new ShardRows({ shared, write, pathOf });
  const target = {
    ...{ schema, shards: 1, partitioning: { kind: 'hash' } as const },
    ...{ chunkBytes: 2 ** 20, nowMs: 0 },
  };
  for (const list of lists) {
    const router = new Router(target, (_, chunk) => rows.add(chunk));
    for (const [key, a] of list) router.add(key, { a, b: a % 3 === 0 ? null : 'b'.repeat(a % 50) });
    router.finish();
    await shared.inFlight.room(1);
  }
  const pieces = await finish(rows);
  return { piece: pieces[0], pieces, slices, present: [...present.keys()], most };
}

/** Everything, cut where so many shards begin, which is added to `splits`; uncut where there are too few keys. */
async function cut(
  schema: Schema,
  rows: ShardRows,
  shards: number,
  splits: PlainKey[],
): Promise<Piece[]> {
  const runs = await rows.sortedRuns();
  splits.push(...(planSplits(schema, runs, shards) ?? []));
  const ends = [null, ...splits, null];
  const ranges = ends.slice(1).map((to, i) => ({ from: ends[i], to }));
  return Promise.all(ranges.map((range) => rows.writeRange(runs, range)));
}

function contentOf(schema: Schema, { segments }: Piece): [unknown, number][] {
  const codec = new KeyCodec(schema.key, true);
  return segments
    .map((handle) => new Segment(handle, schema.key))
    .flatMap((segment) =>
      Array.from({ length: segment.rows }, (_, row): [unknown, number] => {
        const [{ f64 }, b] = segment.columns;
        const length = b.offsets[row + 1] - b.offsets[row];
        const isNull = (b.validity[row >>> 3] & (1 << (row & 7))) === 0;
        const a = f64[row];
        if (isNull !== (a % 3 === 0) || length !== (isNull ? 0 : a % 50)) return ['bad', a];
        return [codec.decode(segment.hi(row), segment.lo(row), segment.bytesOf(row)), a];
      }),
    );
}

function wanted(lists: readonly Rows[], onDuplicate: OnDuplicate): [unknown, number][] {
  const all = lists.flat();
  const kept = new Map(onDuplicate === 'first' ? all.toReversed() : all);
  const before = (a: unknown, b: unknown): number =>
    typeof a === 'string'
      ? Buffer.compare(Buffer.from(a), Buffer.from(b as string))
      : Number((a as bigint) > (b as bigint)) - Number((a as bigint) < (b as bigint));
  return [...kept].sort(([a], [b]) => before(a, b));
}

const temporary = (storage: CrashStorage) =>
  storage.list(DIRECTORY).filter((name) => name.endsWith('.tmp'));

const KEYS = {
  int64: fc.oneof(fc.bigInt(-40n, 40n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
  utf8: fc
    .tuple(fc.constantFrom('', 'a', 'https://www.example.com/', '\0'), fc.string({ maxLength: 12 }))
    .map(([head, tail]) => head + tail.toWellFormed()),
} as const;

for (const key of ['int64', 'utf8'] as const) {
  test(`whatever is kept, spilled, joined and sliced, one row of each key is loaded: ${key}`, async (t) => {
    const schema = parseSchema({ key, columns: { a: 'float64', b: 'utf8?' } });
    const list = fc.array(fc.tuple(KEYS[key] as fc.Arbitrary<unknown>, fc.nat({ max: 1000 })), {
      minLength: 1,
      maxLength: 60,
    });
    const budget = fc.record({
      keptBytes: fc.constantFrom(0, 3000),
      pieceBytes: fc.constantFrom(500, 5000),
      blockBytes: fc.constantFrom(50, 400),
      sliceBytes: fc.constantFrom(300, 3000, 10 ** 6),
      joinRuns: fc.constantFrom(2, 3, 100),
    });
    const anySort = fc.constantFrom<OnDuplicate>('last', 'first');
    let sliced = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(list, { minLength: 1, maxLength: 9 }),
        budget,
        anySort,
        async (lists, own, onDuplicate) => {
          const storage = new CrashStorage();
          const options = { schema, onDuplicate, budget: own };
          const { piece, slices, present } = await load(storage, lists, options);
          t.deepEqual(contentOf(schema, piece), wanted(lists, onDuplicate));
          t.deepEqual([...piece.ids], present);
          if (slices.flatMap(({ runs }) => runs.flat()).some(isSpilled)) sliced += slices.length;
        },
      ),
      { numRuns: 60 },
    );
    t.true(sliced > 60, `${sliced} slices`);
  });
}

const shuffled = (from: number, count: number): Rows =>
  Array.from({ length: count }, (_, i) => [BigInt(from + ((i * 37) % count)), i]);

test('a slice reads no more than it may and a block of each run', async (t) => {
  const lists = Array.from({ length: 8 }, (_, i) => shuffled(i, 2000));
  const budget = { keptBytes: 0, sliceBytes: 64_000, blockBytes: 2000 };
  const { slices, piece } = await load(new CrashStorage(), lists, { schema: NUMBERS, budget });
  t.deepEqual(contentOf(NUMBERS, piece), wanted(lists, 'last'));
  t.true(slices.length > 5, `${slices.length}`);
  for (const { runs } of slices) {
    const parts = runs.flat().filter(isSpilled);
    const bytes = parts.flatMap(({ blocks }) => blocks).reduce((sum, b) => sum + b.bodyBytes, 0);
    t.true(bytes <= 64_000 + 8 * 2100, `${bytes}`);
  }
});

test('where no key may come twice, the one that does is named, wherever its rows are', async (t) => {
  const keys = fc.uniqueArray(fc.integer({ min: 0, max: 500 }), { minLength: 2, maxLength: 60 });
  const budget = fc.record({
    keptBytes: fc.constantFrom(0, 2000, 10 ** 6),
    blockBytes: fc.constant(100),
    sliceBytes: fc.constantFrom(500, 10 ** 6),
    joinRuns: fc.constantFrom(2, 100),
  });
  const places = fc.option(fc.tuple(fc.nat(), fc.nat()));
  const perList = fc.integer({ min: 1, max: 40 });
  await fc.assert(
    fc.asyncProperty(keys, budget, places, perList, async (all, own, twice, size) => {
      const rows = all.map((key): [bigint, number] => [BigInt(key), key]);
      const [from, to] = [(twice?.[0] ?? 0) % rows.length, (twice?.[1] ?? 0) % rows.length];
      if (twice !== null) rows.splice(to, 0, rows[from]);
      const lists = Array.from({ length: Math.ceil(rows.length / size) }, (_, i) =>
        rows.slice(size * i, size * (i + 1)),
      );
      const options = { schema: NUMBERS, onDuplicate: 'error', budget: own } as const;
      const loading = load(new CrashStorage(), lists, options);
      if (twice === null) t.is((await loading).piece.rows, rows.length);
      else {
        const error = await t.throwsAsync(loading, { code: 'OMEN_DUPLICATE_KEY' });
        t.regex(error?.message ?? '', new RegExp(`^The key ${all[from]} comes`));
      }
    }),
    { numRuns: 50 },
  );
});

test('pieces that are merged again go one by one: rows are not there twice', async (t) => {
  const inOrder = Array.from({ length: 20 }, (_, i) =>
    Array.from({ length: 500 }, (_row, j): [bigint, number] => [BigInt(2 * (500 * i + j)), j]),
  );
  const late: Rows = [
    [7n, 1],
    [15_001n, 2],
  ];
  const lists = [...inOrder, late];
  const budget = { pieceBytes: 10_000, sliceBytes: 20_000, blockBytes: 2000 };
  const { piece, present, most } = await load(new CrashStorage(), lists, {
    schema: NUMBERS,
    budget,
  });
  t.deepEqual(contentOf(NUMBERS, piece), wanted(lists, 'last'));
  t.deepEqual(present, [...piece.ids]);
  const bytes = piece.segments.reduce((sum, { layout }) => sum + layout.bodyBytes, 0);
  t.true(bytes > 300_000 && most < bytes + 70_000, `${most} of ${bytes}`);
});

const FAULTS: readonly Fault[] = [
  { error: 'EIO', lasting: false },
  { error: 'ENOSPC', lasting: false },
  { error: 'ENOSPC', lasting: true },
  { error: 'EMFILE', lasting: false },
];

test('whatever operation fails, the load fails with its code, or is whole', async (t) => {
  const lists = Array.from({ length: 4 }, (_, i) => shuffled(10 * i, 30));
  const budget = { keptBytes: 800, sliceBytes: 3000, blockBytes: 300, joinRuns: 3 };
  const options = { schema: NUMBERS, budget };
  const whole = new CrashStorage();
  await load(whole, lists, options);
  const operations = whole.operations;
  t.true(whole.log.some(({ kind, path }) => kind === 'read' && path.endsWith('.tmp')));
  let failures = 0;
  for (let at = 0; at < operations; at++) {
    const storage = new CrashStorage();
    storage.failAt(at, FAULTS[at % FAULTS.length]);
    try {
      const { piece } = await load(storage, lists, options);
      t.deepEqual(contentOf(NUMBERS, piece), wanted(lists, 'last'));
    } catch (error) {
      t.true(error instanceof OmenError, `${at}: ${error}`);
      failures++;
    }
  }
  t.true(failures > operations / 2, `${failures} of ${operations}`);
});

test('a file that was changed is noticed, and named with the offset', async (t) => {
  const lists = Array.from({ length: 3 }, (_, i) => shuffled(10 * i, 60));
  const budget = { keptBytes: 0, sliceBytes: 3000, blockBytes: 300 };
  for (const damage of ['flip', 'cut'] as const) {
    const storage = new CrashStorage();
    const { open } = storage;
    let isDamaged = false;
    storage.open = (path, mode) => {
      const file = open.call(storage, path, mode);
      if (mode === 'read' && !isDamaged) {
        isDamaged = true;
        const other = open.call(storage, path, 'read-write');
        if (damage === 'cut') other.truncate(100);
        else other.write(Uint8Array.of(0xa5), 77);
        other.close();
      }
      return file;
    };
    const error = await t.throwsAsync(load(storage, lists, { schema: NUMBERS, budget }), {
      code: 'OMEN_CORRUPT',
    });
    t.true(isDamage(error));
    t.regex(error?.message ?? '', /load-\d\.tmp is damaged at offset \d+/);
  }
});

test('runs that are joined leave one file, and one that could not be written leaves none', async (t) => {
  const lists = Array.from({ length: 8 }, (_, i) => shuffled(10 * i, 60));
  const storage = new CrashStorage();
  const budget = { keptBytes: 0, joinRuns: 2 };
  const { slices } = await load(storage, lists, { schema: NUMBERS, budget });
  t.is(temporary(storage).length, 1);
  t.is(slices.flatMap(({ runs }) => runs).length, 1);
  const full = new CrashStorage();
  full.makeDirectory(DIRECTORY);
  full.failAt(full.operations + 1, { error: 'ENOSPC', lasting: true });
  await t.throwsAsync(load(full, lists, { schema: NUMBERS, budget }), { code: 'OMEN_DISK_FULL' });
  t.deepEqual(temporary(full), []);
});

test('runs in order are written piece by piece, and all together once one is not', async (t) => {
  for (const onDuplicate of ['last', 'first'] as const) {
    const keys = (from: number, ...others: number[]): Rows =>
      [from + 1, from, ...others].map((key) => [BigInt(key), key]);
    const lists = [0, 10, 20, 30, 40].map((from) => keys(from));
    const options = { schema: NUMBERS, onDuplicate, budget: { pieceBytes: 500 } };
    const inOrder = await load(new CrashStorage(), lists, options);
    t.true(inOrder.slices.length > 1);
    t.true(inOrder.slices.every(({ runs }) => runs.length === 1));
    const last = [
      ...lists,
      [
        [35n, 1],
        [5n, 2],
      ] as Rows,
      [[50n, 3]] as Rows,
    ];
    const { slices, piece } = await load(new CrashStorage(), last, options);
    const merged = slices[slices.length - 1];
    const firstKeys = merged.runs.map(([part]) =>
      new Segment(part as SegmentHandle, 'int64').number(0),
    );
    t.deepEqual(firstKeys, onDuplicate === 'first' ? [0, 5] : [5, 0]);
    t.deepEqual(contentOf(NUMBERS, piece), wanted(last, onDuplicate));
  }
});

for (const key of ['int64', 'utf8'] as const) {
  test(`cut where shards begin, every row is in the shard of its key: ${key}`, async (t) => {
    const schema = parseSchema({ key, columns: { a: 'float64', b: 'utf8?' } });
    const list = fc.array(fc.tuple(KEYS[key] as fc.Arbitrary<unknown>, fc.nat({ max: 1000 })), {
      minLength: 1,
      maxLength: 60,
    });
    const budget = fc.record({
      keptBytes: fc.constantFrom(0, 3000, 10 ** 6),
      blockBytes: fc.constantFrom(50, 400),
      sliceBytes: fc.constantFrom(300, 3000, 10 ** 6),
      joinRuns: fc.constantFrom(2, 100),
    });
    let divided = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(list, { minLength: 1, maxLength: 9 }),
        budget,
        fc.constantFrom<OnDuplicate>('last', 'first'),
        fc.integer({ min: 2, max: 5 }),
        async (lists, own, onDuplicate, shards) => {
          const options = { schema, onDuplicate, budget: own, writesAhead: false };
          const splits: PlainKey[] = [];
          const finish = (rows: ShardRows) => cut(schema, rows, shards, splits);
          const { pieces } = await load(new CrashStorage(), lists, options, finish);
          const contents = pieces.map((piece) => contentOf(schema, piece));
          t.deepEqual(contents.flat(), wanted(lists, onDuplicate));
          if (splits.length === 0) return;
          const bounds = splits.map(boundOf);
          const codec = new KeyCodec(schema.key, true);
          const shardOfKey = (given: unknown): number => {
            codec.encode(given);
            return shardOf(bounds, codec);
          };
          t.true(contents.every((rows, i) => rows.every(([given]) => shardOfKey(given) === i)));
          divided++;
        },
      ),
      { numRuns: 60 },
    );
    t.true(divided > 20, `${divided} times`);
  });
}

test('shards get as many bytes, within a hundredth, from runs in memory and in files', async (t) => {
  const schema = parseSchema({ key: 'int64', columns: { a: 'float64', b: 'utf8?' } });
  const lists = Array.from({ length: 20 }, (_, list) =>
    Array.from({ length: 1000 }, (_, i) => [BigInt((20 * i + list) ** 3), i] as const),
  );
  for (const keptBytes of [0, 300_000, 10 ** 8]) {
    const options = { schema, budget: { keptBytes, blockBytes: 500 }, writesAhead: false };
    const finish = (rows: ShardRows) => cut(schema, rows, 4, []);
    const { pieces } = await load(new CrashStorage(), lists, options, finish);
    t.is(pieces.length, 4);
    for (const { rows } of pieces) t.true(Math.abs(rows - 5000) < 200, `${rows} rows`);
  }
});

test('as few keys as there are shards are divided, and one large row takes a shard of its own', async (t) => {
  const schema = parseSchema({ key: 'int64', columns: { a: 'float64', b: 'utf8?' } });
  for (const count of [2, 3, 7, 64]) {
    for (const keptBytes of [0, 10 ** 8]) {
      // A row of one takes as much as all others.
      const list = Array.from(
        { length: count },
        (_, i) => [BigInt(i), i === count - 1 ? 49 : 50] as const,
      );
      const options = { schema, budget: { keptBytes, blockBytes: 50 }, writesAhead: false };
      const splits: PlainKey[] = [];
      const shards = Math.min(count, 32);
      const finish = (rows: ShardRows) => cut(schema, rows, shards, splits);
      const { pieces } = await load(new CrashStorage(), [list], options, finish);
      t.is(splits.length, shards - 1, `${count} keys, ${keptBytes} bytes kept`);
      t.true(pieces.every(({ rows }) => rows > 0));
    }
  }
});
