/** Bulk loads through the public API: all of it or nothing, for readers, for writers, and on disk. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  Float64,
  Int64,
  Table,
  TimestampMillisecond,
  tableToIPC,
  vectorFromArray,
} from 'apache-arrow';
import test from 'ava';
import fc from 'fast-check';
import { type LoadOptions, type LoadProgress, type OmenError, open } from '../../src/index.ts';
import { setTime } from '../conformance/clock.ts';
import {
  codeOfAsync,
  contentOf,
  errorOf,
  messageOf,
  NUMBERS,
  openNew,
  SMALL,
  shardThreads,
  startWorker,
  temporaryDirectory,
  until,
} from './support.ts';

type Row = [number, { value: number }];

const rowsOf = (keys: Iterable<number>, value = (key: number) => key): Row[] =>
  Array.from(keys, (key) => [key, { value: value(key) }]);

const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

function segmentFiles(directory: string): string[] {
  return (readdirSync(directory, { recursive: true }) as string[]).filter((name) =>
    name.includes('segment-'),
  );
}

test('rows of any iterable are there together, replace what was there, and survive', async (t) => {
  const directory = join(temporaryDirectory(t), 'data');
  let db = await open(directory, { ...NUMBERS, shards: 3, threads: 2 });
  await db.bulkLoad(rowsOf(range(0, 1000)));
  await Promise.all(range(990, 20).map((key) => db.put(key, { value: -key })));
  await db.del(3);
  async function* source() {
    for (const row of rowsOf([5, 3, 995, 5, 2000], (key) => key + 0.5)) yield row;
    yield { key: 7, value: 0.25 };
  }
  const report = await db.bulkLoad(source());
  t.is(report.rows, 5);
  t.is(report.duplicates, 1);
  t.is(report.rejected, 0);
  t.true(report.segments >= 1 && report.bytes > 0 && report.ms.total > 0);
  const wanted = new Map(rowsOf(range(0, 1000)).map(([key, { value }]) => [key, value]));
  for (const key of range(990, 20)) wanted.set(key, -key);
  for (const key of [5, 3, 995, 2000]) wanted.set(key, key + 0.5);
  wanted.set(7, 0.25);
  const inOrder = new Map([...wanted].sort(([a], [b]) => a - b));
  t.deepEqual(contentOf(t, db), inOrder);
  await db.close();
  db = await open(directory, { ...NUMBERS, shards: 3, threads: 2 });
  t.teardown(() => db.close());
  t.deepEqual(contentOf(t, db), inOrder);
  await db.compact();
  t.deepEqual(contentOf(t, db), inOrder);
});

test('Arrow: batches, tables, scans, files and streams', async (t) => {
  const directory = temporaryDirectory(t);
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const keys = range(0, 5000).map((i) => (i * 7919) % 5003);
  const table = new Table({
    key: vectorFromArray(keys.map(BigInt), new Int64()),
    value: vectorFromArray(
      keys.map((key) => key / 2),
      new Float64(),
    ),
  });
  const wanted = new Map(keys.toSorted((a, b) => a - b).map((key) => [key, key / 2]));
  const check = async (source: Parameters<typeof db.bulkLoad>[0]) => {
    await db.clear();
    const { rows } = await db.bulkLoad(source);
    t.is(rows, 5000);
    t.deepEqual(contentOf(t, db), wanted);
  };
  await check(table);
  await check(table.batches);
  const file = join(directory, 'rows.arrow');
  writeFileSync(file, tableToIPC(table, 'file'));
  await check(file);
  const stream = join(directory, 'rows.arrows');
  writeFileSync(stream, tableToIPC(table, 'stream'));
  await check(stream);
  const other = await openNew(t, { ...NUMBERS, shards: 3 });
  await other.bulkLoad(db.scan());
  t.deepEqual(contentOf(t, other), wanted);
  await db.compact();
  const [segment] = segmentFiles(db.path).filter((name) => !name.includes('model'));
  const { rows } = await other.bulkLoad(join(db.path, segment));
  t.true(rows > 1000);
  t.deepEqual(contentOf(t, other), wanted);
  writeFileSync(file, tableToIPC(table, 'file').subarray(0, 3000));
  t.is((await errorOf(t, db.bulkLoad(file))).code, 'OMEN_INVALID_SOURCE');
  t.is((await errorOf(t, db.bulkLoad(join(directory, 'none')))).code, 'OMEN_INVALID_SOURCE');
  t.deepEqual(contentOf(t, db), wanted);
});

test('of equal keys the last, the first, or neither is loaded', async (t) => {
  const pairs = fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer()), {
    maxLength: 80,
  });
  const dbs = await Promise.all(
    [1, 2, 3].map((shards) => openNew(t, { ...NUMBERS, shards, threads: 1 })),
  );
  await fc.assert(
    fc.asyncProperty(
      pairs,
      fc.constantFrom('last', 'first', 'error'),
      fc.constantFrom(...dbs),
      async (all, onDuplicate, db) => {
        await db.clear();
        const rows = all.map(([key, value]): Row => [key, { value }]);
        const outcome = await codeOfAsync(db.bulkLoad(rows, { onDuplicate } as LoadOptions));
        const isUnique = new Set(all.map(([key]) => key)).size === all.length;
        t.is(outcome, onDuplicate === 'error' && !isUnique ? 'OMEN_DUPLICATE_KEY' : '');
        const wanted = new Map(onDuplicate === 'first' ? all.toReversed() : all);
        if (outcome !== '') wanted.clear();
        t.deepEqual(contentOf(t, db), new Map([...wanted].sort(([a], [b]) => a - b)));
      },
    ),
    { numRuns: 30 },
  );
});

test('what is written while a load goes on is newer than it, whatever moves on disk meanwhile', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2, memtable: SMALL });
  await Promise.all(range(0, 300).map((key) => db.put(key, { value: -1 })));
  await db.del(500);
  async function* source() {
    yield* rowsOf(range(0, 100));
    await db.put(10, { value: 0.5 });
    await db.del(20);
    await db.del(900); // not there yet
    await db.clear({ gte: 30, lt: 40 });
    await db.put(35, { value: 0.25 });
    await db.flush();
    await Promise.all(range(2000, 1500).map((key) => db.put(key, { value: key })));
    await db.compact();
    yield* rowsOf(range(100, 150));
    yield* rowsOf([500, 900]);
  }
  await db.bulkLoad(source());
  const wanted = new Map<number, number>();
  for (const key of range(0, 300)) wanted.set(key, -1);
  for (const key of range(0, 250)) wanted.set(key, key);
  wanted.set(10, 0.5);
  wanted.delete(20);
  for (const key of range(30, 10)) wanted.delete(key);
  wanted.set(35, 0.25).set(500, 500);
  for (const key of range(2000, 1500)) wanted.set(key, key);
  const inOrder = new Map([...wanted].sort(([a], [b]) => a - b));
  t.deepEqual(contentOf(t, db), inOrder);
  await db.compact();
  t.deepEqual(contentOf(t, db), inOrder);
  t.is(db.stats().total.rows, inOrder.size);
});

test('no reader in any thread ever sees a part of a load', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 4, threads: 2 });
  const keys = range(0, 64);
  await db.batch(keys.map((key) => ({ type: 'put', key, value: { value: 0 } }) as const));
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const { worker, finished } = startWorker(t, './load-watcher.ts', {
    handle: db.handle(),
    stop,
    keys,
  });
  await messageOf(worker);
  for (let round = 1; round <= 6; round++) {
    using snap = db.snapshot();
    const load = db.bulkLoad(rowsOf(keys, () => round));
    const seen = new Set<number>();
    let isOver = false;
    void load.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      const values = new Set(db.getMany(keys).map((row) => row?.value));
      t.is(values.size, 1);
      seen.add([...values][0] ?? -1);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await load;
    t.true([...seen].every((value) => value === round - 1 || value === round));
    t.deepEqual(
      [...snap.values()].map(({ value }) => value),
      keys.map(() => round - 1),
    );
    t.deepEqual(
      [...db.values()].map(({ value }) => value),
      keys.map(() => round),
    );
  }
  Atomics.store(stop, 0, 1);
  const [problems, rounds] = await messageOf<[string[], number]>(worker);
  t.deepEqual(problems, []);
  t.true(rounds > 0);
  t.is(await finished, 0);
});

test('an attached thread loads, too', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const { worker } = startWorker(t, './load-watcher.ts', { handle: db.handle(), load: 3000 });
  t.deepEqual(await messageOf(worker), [3000, 'OMEN_REJECTED_ROWS']);
  t.deepEqual([...contentOf(t, db).keys()], range(0, 3000));
});

test('the load of a thread that leaves the database ends', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const { worker } = startWorker(t, './load-watcher.ts', { handle: db.handle(), leaves: true });
  t.is(await messageOf(worker), 'OMEN_CLOSED');
  t.is((await db.bulkLoad(rowsOf([1]), { onExisting: 'error' })).rows, 1);
});

test('any types: texts that begin alike, bytes, nulls, JSON', async (t) => {
  const texts = await openNew(t, { key: 'utf8', value: 'json', shards: 2 });
  const keys = range(0, 2000).map((i) => `https://www.example.com/${(i * 7919) % 2003}`);
  await texts.bulkLoad(keys.map((key, i) => [key, { i, list: [key] }] as const));
  const sorted = keys.toSorted();
  t.deepEqual([...texts.keys()], sorted);
  for (const key of sorted) t.deepEqual(texts.get(key), { i: keys.indexOf(key), list: [key] });
  const bytes = await openNew(t, { key: 'binary', value: 'binary', shards: 1 });
  await bytes.bulkLoad([
    { key: Uint8Array.of(2), value: Uint8Array.of(1) },
    [new Uint8Array(0), new Uint8Array(9)],
  ]);
  t.deepEqual(
    [...bytes.entries()],
    [
      [new Uint8Array(0), new Uint8Array(9)],
      [Uint8Array.of(2), Uint8Array.of(1)],
    ],
  );
  const columns = { a: 'int64?', b: 'bool?', c: 'utf8?', d: 'timestamp', e: 'float32?' } as const;
  const wide = await openNew(t, { key: 'timestamp', columns, shards: 2, bigints: true });
  const day = new Date('2026-01-01');
  await wide.bulkLoad([
    [day, { d: day, a: 2n ** 60n, b: true, c: 'x', e: 0.5 }],
    [1, { d: 2 }],
  ]);
  t.deepEqual(
    [...wide.entries()],
    [
      [1, { a: null, b: null, c: null, d: 2, e: null }],
      [day.getTime(), { a: 2n ** 60n, b: true, c: 'x', d: day.getTime(), e: 0.5 }],
    ],
  );
});

test('bad rows are told, passed over as far as is allowed, and else nothing is loaded', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const rows = [[1, { value: 1 }], ['x', { value: 2 }], [3, { value: '3' }], 4, [5, { value: 5 }]];
  const none = await errorOf(t, db.bulkLoad(rows as never));
  t.is(none.code, 'OMEN_REJECTED_ROWS');
  t.regex(none.message, /row 2 of the source: .*int64 key.*OMEN_INVALID_KEY/);
  t.is((none.cause as OmenError).code, 'OMEN_INVALID_KEY');
  const some = await errorOf(t, db.bulkLoad(rows as never, { maxErrors: 2 }));
  t.regex(some.message, /row 4 of the source, after 2 others/);
  t.is(db.count(), 0);
  const report = await db.bulkLoad(rows as never, { maxErrors: 3 });
  t.deepEqual([report.rows, report.rejected], [2, 3]);
  t.deepEqual([...db.keys()], [1, 5]);
});

test('what cannot be loaded is refused, and leaves nothing behind', async (t) => {
  const directory = join(temporaryDirectory(t), 'data');
  const db = await open(directory, { ...NUMBERS, shards: 2, memory: 4 * 2 ** 20 });
  const codeOf = (source: unknown, options?: unknown) =>
    codeOfAsync(db.bulkLoad(source as Row[], options as LoadOptions));
  t.is(await codeOf([], { nonsense: 1 }), 'OMEN_INVALID_OPTIONS');
  t.is(await codeOf([], { onDuplicate: 'any' }), 'OMEN_INVALID_OPTIONS');
  t.is(await codeOf([], { maxErrors: -1 }), 'OMEN_INVALID_OPTIONS');
  t.is(await codeOf([], { memory: 5 }), 'OMEN_INVALID_OPTIONS');
  t.is(await codeOf([], { signal: 1 }), 'OMEN_INVALID_OPTIONS');
  t.is(await codeOf([], { onProgress: 1 }), 'OMEN_INVALID_OPTIONS');
  t.is(await codeOf([], { key: null }), 'OMEN_INVALID_OPTIONS');
  t.is(await codeOf([], null), 'OMEN_INVALID_OPTIONS');
  for (const source of [null, 5, {}]) t.is(await codeOf(source), 'OMEN_INVALID_SOURCE');
  t.is(await codeOf(rowsOf(range(0, 300_000)), { memory: 2 ** 30 }), 'OMEN_MEMORY_FULL');
  await t.throwsAsync(
    db.bulkLoad(
      (function* () {
        yield* rowsOf([1, 2]);
        throw new RangeError('of the source');
      })(),
    ),
    { instanceOf: RangeError },
  );
  t.deepEqual(segmentFiles(directory), []);
  t.is(db.count(), 0);
  t.is((await db.bulkLoad([])).rows, 0);
  t.is((await db.bulkLoad(rowsOf([1]))).rows, 1);
  t.deepEqual([...db.keys()], [1]);
  await db.close();
  t.is(await codeOf(rowsOf([2])), 'OMEN_CLOSED');
  const readOnly = await open(directory, { readOnly: true });
  t.is(await codeOfAsync(readOnly.bulkLoad([[1, {}]] as never)), 'OMEN_READ_ONLY');
  await readOnly.close();
});

test('a signal ends a load at any time before it is published, also one whose source hangs', async (t) => {
  const directory = join(temporaryDirectory(t), 'data');
  const db = await open(directory, { ...NUMBERS, shards: 2 });
  t.teardown(() => db.close());
  const reason = new Error('enough');
  t.is(await codeOfAsync(db.bulkLoad([], { signal: AbortSignal.abort(reason) })), 'OMEN_ABORTED');
  const controller = new AbortController();
  let isWaiting = false;
  let isReturned = false;
  const hanging = {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        isWaiting = true;
        return new Promise<never>(() => {});
      },
      return: async () => {
        isReturned = true;
        return { done: true as const, value: undefined };
      },
    }),
  };
  const load = db.bulkLoad(hanging, { signal: controller.signal });
  await until(() => isWaiting);
  controller.abort(reason);
  const error = await errorOf(t, load);
  t.deepEqual([error.code, error.cause, isReturned], ['OMEN_ABORTED', reason, true]);
  for (const phase of ['read', 'write'] as const) {
    const ending = new AbortController();
    const onProgress = (progress: LoadProgress) => {
      if (progress.phase === phase) ending.abort(reason);
    };
    const { signal } = ending;
    const ended = db.bulkLoad(rowsOf(range(0, 1000)), { signal, onProgress });
    t.is((await errorOf(t, ended)).code, 'OMEN_ABORTED');
  }
  t.deepEqual(segmentFiles(directory), []);
  t.is(db.count(), 0);
  await db.put(1, { value: 1 });
  await db.compact();
  t.is(db.stats().total.runs, 1);
});

test('rows in order are loaded in a fraction of their memory, as segments that follow each other', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  await db.bulkLoad(rowsOf([5, 100_000], () => -1));
  const report = await db.bulkLoad(rowsOf(range(0, 150_000)), { memory: 2 ** 20 });
  t.true(report.segments > 4);
  t.is(db.count(), 150_000);
  t.true(range(0, 150_000).every((key) => db.get(key)?.value === key));
  // Then one that is not in order: what was written already is merged again.
  const late = [...range(0, 60_000).map((i) => 2 * i), 3, 1];
  const again = await db.bulkLoad(
    rowsOf(late, (key) => key / 2),
    { memory: 2 ** 22 },
  );
  t.is(again.rows, 60_002);
  // What was written and merged again is gone.
  t.is(segmentFiles(db.path).length, 2 * db.stats().total.segments);
  const value = (key: number) => ((key % 2 === 0 && key < 120_000) || key < 4 ? key / 2 : key);
  t.true(range(0, 150_000).every((key) => db.get(key)?.value === value(key)));
  await db.compact();
  t.is(db.count(), 150_000);
});

test('progress is told phase by phase', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const told: LoadProgress[] = [];
  await db.bulkLoad(rowsOf(range(0, 5000)), { onProgress: (progress) => told.push(progress) });
  t.deepEqual([...new Set(told.map(({ phase }) => phase))], ['read', 'write', 'publish']);
  const last = told[told.length - 1];
  t.is(last.rows, 5000);
  t.true(last.bytes >= 80_000 && last.ms > 0 && last.rowsPerSecond > 0);
});

test('closing the database ends a load, and loads at the same time do not mix', async (t) => {
  const directory = join(temporaryDirectory(t), 'data');
  const db = await open(directory, { ...NUMBERS, shards: 2 });
  const [a, b] = [rowsOf(range(0, 500), () => 1), rowsOf(range(250, 500), () => 2)];
  await Promise.all([db.bulkLoad(a), db.bulkLoad(b)]);
  t.deepEqual(
    range(0, 750).map((key) => db.get(key)?.value),
    range(0, 750).map((key) => (key < 250 ? 1 : 2)),
  );
  let isWaiting = false;
  async function* source() {
    yield* rowsOf([9999]);
    isWaiting = true;
    await new Promise(() => {});
  }
  const load = codeOfAsync(db.bulkLoad(source()));
  await until(() => isWaiting);
  await db.close();
  t.is(await load, 'OMEN_CLOSED');
  const again = await open(directory);
  t.teardown(() => again.close());
  t.is(again.count(), 750);
});

test('a watch is told of a load once its rows are there', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  await db.put(1, { value: 1 });
  using before = db.snapshot();
  const watch = db.watch({ from: before.position });
  await db.bulkLoad(rowsOf(range(0, 100), (key) => key + 0.5));
  await db.put(2, { value: 2 });
  const types: string[] = [];
  for await (const { changes } of watch) {
    for (const { type } of changes) {
      if (type === 'load') t.is(db.get(99)?.value, 99.5);
      types.push(type);
    }
    if (types.includes('put')) break;
  }
  t.true(types.filter((type) => type === 'load').length >= 1);
});

test.serial(
  'a load whose shard thread dies is in no shard, and the next one is in all',
  async (t) => {
    const before = new Set(shardThreads());
    const directory = join(temporaryDirectory(t), 'data');
    const db = await open(directory, { ...NUMBERS, shards: 2, threads: 2 });
    t.teardown(() => db.close());
    const own = shardThreads().filter((thread) => !before.has(thread));
    t.is(own.length, 2);
    await db.bulkLoad(rowsOf(range(0, 50)));
    async function* source() {
      yield* rowsOf(range(0, 100), () => -1);
      await own[0].terminate();
      yield* rowsOf(range(100, 10), () => -1);
    }
    const code = await codeOfAsync(db.bulkLoad(source()));
    t.is(code, 'OMEN_SHARD_FAILED');
    t.deepEqual(
      [...contentOf(t, db)],
      range(0, 50).map((key) => [key, key]),
    );
    await db.bulkLoad(rowsOf(range(0, 100), () => 2));
    t.deepEqual([...contentOf(t, db).values()], Array(100).fill(2));
    await db.compact();
    t.is(db.stats().total.runs, 2);
  },
);

test('rows that expire do so from the beginning of the load on, or when they say', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2, ttl: 1000 });
  setTime(db, 10_000);
  await db.put(1, { value: 1 }, { ttl: 100 });
  async function* source() {
    yield* rowsOf([1, 2, 3], () => 5);
    setTime(db, 10_500);
    await db.put(3, { value: 6 }, { ttl: 100 });
    await db.flush();
    setTime(db, 10_700);
    await Promise.all(range(100, 300).map((key) => db.put(key, { value: 0 })));
    await db.flush();
    await db.compact();
  }
  await db.bulkLoad(source());
  t.deepEqual(
    [1, 2, 3].map((key) => db.get(key)?.value),
    [5, 5, undefined],
  );
  t.is(db.expiresAt(2), 11_000);
  const text = 'key,value,_omen_expires\n7,1,20000\n8,1,\n';
  await db.bulkLoad(Readable.from([text]), { format: 'csv' });
  await db.bulkLoad(Readable.from(['key,value\n9,1\n']), { format: 'csv' });
  const columns = {
    key: vectorFromArray([10n, 11n], new Int64()),
    value: vectorFromArray([1, 1], new Float64()),
  };
  await db.bulkLoad(new Table(columns));
  const expires = vectorFromArray([30_000, null], new TimestampMillisecond());
  await db.bulkLoad(new Table({ ...columns, _omen_expires: expires }));
  t.deepEqual(
    [7, 8, 9].map((key) => db.expiresAt(key)),
    [20_000, null, 11_700],
  );
  t.deepEqual(
    [10, 11].map((key) => db.expiresAt(key)),
    [30_000, null],
  );
  setTime(db, 11_000);
  t.deepEqual(
    [1, 2, 3, 7].map((key) => db.get(key)?.value),
    [undefined, undefined, undefined, 1],
  );
  await db.compact();
  t.is(db.get(8)?.value, 1);
});

test('a load that is being published when the database is closed is there, and says so', async (t) => {
  const directory = join(temporaryDirectory(t), 'data');
  const db = await open(directory, { ...NUMBERS, shards: 2 });
  let closed: Promise<void> | null = null;
  const onProgress = ({ phase }: LoadProgress) => {
    if (phase === 'write') queueMicrotask(() => (closed ??= db.close()));
  };
  const code = await codeOfAsync(db.bulkLoad(rowsOf(range(0, 100)), { onProgress }));
  t.truthy(closed);
  await closed;
  const again = await open(directory, NUMBERS);
  t.teardown(() => again.close());
  t.is(again.count(), code === '' ? 100 : 0);
  t.true(code === '' || code === 'OMEN_CLOSED', code);
});
