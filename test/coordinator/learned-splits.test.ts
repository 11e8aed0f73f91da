/** Databases by ranges whose splits the first bulk load tells. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { OmenError, open } from '../../src/index.ts';
import { realStorage } from '../../src/storage/real.ts';
import {
  codeOfAsync,
  contentOf,
  messageOf,
  NUMBERS,
  openNew,
  shardThreads,
  startWorker,
  temporaryDirectory,
} from './support.ts';

const RANGES = { ...NUMBERS, shards: 4, threads: 2, partition: 'range' } as const;

/** Squares: even by count, and nothing like even by value; in an order of their own. */
const squares = (count: number) =>
  Array.from({ length: count }, (_, i) => ((i * 7919) % count) ** 2).map(
    (key) => [key, { value: -key }] as const,
  );

const written = (directory: string) =>
  JSON.parse(readFileSync(join(directory, 'omendb.json'), 'utf8')).partitioning.splits.length;

test('each shard gets as much of the first load, wherever its rows come from', async (t) => {
  for (const options of [{}, { memory: 2 ** 20 }, { onDuplicate: 'first' as const }]) {
    const directory = temporaryDirectory(t);
    const db = await open(directory, RANGES);
    const rows = squares(100_000);
    const { splits, ...report } = await db.bulkLoad([...rows, [4, { value: 7 }]], options);
    t.is(splits?.length, 3);
    t.deepEqual([report.rows, report.duplicates], [100_000, 1]);
    for (const { rows } of db.stats().shards) t.true(Math.abs(rows - 25_000) < 500, `${rows}`);
    const wanted = new Map(rows.map(([key, { value }]) => [key, value]));
    if (options.onDuplicate !== 'first') wanted.set(4, 7);
    const inOrder = new Map([...wanted].sort(([a], [b]) => a - b));
    t.deepEqual(contentOf(t, db), inOrder);
    await db.put(5, { value: 5 });
    await db.del(9);
    await db.put(10 ** 12, { value: 1 });
    t.is((await db.bulkLoad([[5, { value: 6 }]])).splits, null);
    inOrder.delete(9);
    inOrder.set(5, 6).set(10 ** 12, 1);
    const after = new Map([...inOrder].sort(([a], [b]) => a - b));
    t.deepEqual(contentOf(t, db), after);
    await db.close();
    t.is(written(directory), 3);
    const again = await openNew(t, RANGES, directory);
    t.deepEqual(contentOf(t, again), after);
    t.is(again.count({ gte: splits?.[2] as number }), again.stats().shards[3].rows);
  }
});

test('texts: splits are keys, and come back', async (t) => {
  const directory = temporaryDirectory(t);
  const options = { key: 'utf8', value: 'utf8', shards: 3, partition: 'range' } as const;
  const db = await openNew(t, options, directory);
  const keys = Array.from({ length: 3000 }, (_, i) => `https://example.com/ü/${(i * 7919) % 3000}`);
  const { splits } = await db.bulkLoad(keys.map((key) => [key, key] as const));
  t.is(splits?.length, 2);
  t.true(splits?.every((split) => keys.includes(split as string)));
  for (const { rows } of db.stats().shards) t.true(Math.abs(rows - 1000) < 50, `${rows}`);
  t.deepEqual([...db.keys()], keys.toSorted());
  for (const key of keys) t.is(db.get(key), key);
  await db.close();
  const again = await openNew(t, options, directory);
  t.deepEqual([...again.keys()], keys.toSorted());
});

test('where rows were written before, or there are too few, the first shard goes on having all', async (t) => {
  for (const spoil of ['put', 'deleted', 'few'] as const) {
    const directory = temporaryDirectory(t);
    const db = await openNew(t, RANGES, directory);
    if (spoil !== 'few') await db.put(1, { value: 1 });
    if (spoil === 'deleted') await db.del(1);
    const rows = squares(spoil === 'few' ? 3 : 1000);
    const { splits } = await db.bulkLoad(rows);
    t.is(splits, null);
    t.deepEqual(
      db
        .stats()
        .shards.slice(1)
        .map(({ rows }) => rows),
      [0, 0, 0],
    );
    const wanted = new Map(rows.map(([key, { value }]) => [key, value]));
    t.deepEqual(contentOf(t, db), new Map([...wanted].sort(([a], [b]) => a - b)));
    await db.close();
    t.is(written(directory), 0);
    t.is((await openNew(t, {}, directory)).count(), wanted.size);
  }
});

test('rows that are put while the load goes on are where they are looked for', async (t) => {
  const db = await openNew(t, RANGES);
  async function* source() {
    yield* squares(1000);
    void db.put(10 ** 9, { value: 1 });
    void db.put(-1, { value: 2 });
  }
  const { splits } = await db.bulkLoad(source());
  t.is(splits, null);
  t.deepEqual(
    [db.get(10 ** 9), db.get(-1), db.get(9)].map((row) => row?.value),
    [1, 2, -9],
  );
  t.is(db.count(), 1002);
});

test('of loads at the same time one tells the splits, and all go by them', async (t) => {
  const db = await openNew(t, RANGES);
  const loads = [0.25, 0.5, 0.75].map((part) =>
    db.bulkLoad(squares(3000).map(([key]) => [key, { value: key + part }] as const)),
  );
  loads.push(db.bulkLoad([[-5, { value: 1 }]]));
  const reports = await Promise.all(loads);
  t.is(reports.filter(({ splits }) => splits !== null).length, 1);
  const keys = squares(3000).map(([key]) => key);
  t.deepEqual(
    [...db.keys()],
    [-5, ...keys].toSorted((a, b) => a - b),
  );
  const parts = new Set(keys.map((key) => (db.get(key)?.value ?? 0) - key));
  t.is(parts.size, 1);
  for (const { rows } of db.stats().shards) t.true(rows >= 3000 / 4, `${rows}`);
});

test('with another thread attached nothing is divided, whoever loads', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2, partition: 'range' });
  const { worker } = startWorker(t, './load-watcher.ts', { handle: db.handle(), load: 3000 });
  t.deepEqual(await messageOf(worker), [3000, 'OMEN_REJECTED_ROWS']);
  t.is(db.stats().shards[1].rows, 0);
  t.is(db.count(), 3000);
});

test('with another thread attached the owner divides nothing, either, nor when that has left', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2, partition: 'range' });
  const { worker, finished } = startWorker(t, './load-watcher.ts', { handle: db.handle() });
  worker.on('error', (error) => t.fail(String(error)));
  await finished;
  t.is((await db.bulkLoad(squares(1000))).splits, null);
  t.is(db.stats().shards[1].rows, 0);
});

test('a put that is under way when the rows have come is waited for, and counts', async (t) => {
  const db = await openNew(t, RANGES);
  let sent = Promise.resolve();
  const { splits } = await db.bulkLoad(squares(1000), {
    onProgress: ({ phase }) => {
      if (phase === 'read') sent = db.put(10 ** 9, { value: 1 });
    },
  });
  await sent;
  t.is(splits, null);
  t.deepEqual(db.get(10 ** 9), { value: 1 });
  t.is(db.count(), 1001);
});

test('a snapshot from before goes on finding its rows', async (t) => {
  const db = await openNew(t, RANGES);
  const keys = Array.from({ length: 1000 }, (_, key) => key);
  await db.batch(keys.map((key) => ({ type: 'put', key, value: { value: key } }) as const));
  using snapshot = db.snapshot();
  await db.clear();
  await db.compact();
  t.is((await db.bulkLoad(squares(1000))).splits, null);
  for (const key of keys) t.deepEqual(snapshot.get(key), { value: key });
});

test.serial('a write whose shard thread died with it is where it is looked for', async (t) => {
  const db = await openNew(t, RANGES);
  async function* source() {
    yield* squares(1000);
    const code = codeOfAsync(db.put(10 ** 9, { value: 1 }));
    // Its thread has taken it up, or has not.
    for (const end = performance.now() + 0.1; performance.now() < end; );
    const thread = shardThreads().find(({ threadName }) => threadName === 'omendb-shards-0');
    void thread?.terminate();
    await code;
  }
  await codeOfAsync(db.bulkLoad(source()));
  await db.flush();
  t.is([...db.keys()].length, db.count());
  for (const key of db.keys()) t.not(db.get(key), undefined, `${key}`);
});

test.serial(
  'where the splits may be in force at the next open only, nothing is written any more',
  async (t) => {
    const directory = temporaryDirectory(t);
    const db = await open(directory, RANGES);
    const real = realStorage.syncDirectory;
    const storage = realStorage as { syncDirectory: typeof real };
    t.teardown(() => {
      storage.syncDirectory = real;
    });
    storage.syncDirectory = (path) => {
      if (path === directory) throw new OmenError('OMEN_IO', 'The name cannot be synced.');
      real.call(realStorage, path);
    };
    t.is(await codeOfAsync(db.bulkLoad(squares(1000))), 'OMEN_IO');
    storage.syncDirectory = real;
    t.is(await codeOfAsync(db.put(900, { value: 1 })), 'OMEN_SHARD_FAILED');
    t.is(await codeOfAsync(db.del(900)), 'OMEN_SHARD_FAILED');
    t.is(await codeOfAsync(db.bulkLoad([[1, { value: 1 }]])), 'OMEN_SHARD_FAILED');
    t.is(db.health().status, 'failed');
    await db.close();
    const again = await openNew(t, RANGES, directory);
    await again.put(900, { value: 1 });
    t.deepEqual([...again.entries()], [[900, { value: 1 }]]);
  },
);

test('a load that fails leaves the splits to the next', async (t) => {
  const db = await openNew(t, RANGES);
  const bad = [...squares(100), ['x', { value: 1 }]] as unknown as [number, { value: number }][];
  t.is(await codeOfAsync(db.bulkLoad(bad)), 'OMEN_REJECTED_ROWS');
  t.is((await db.bulkLoad(squares(1000), { dryRun: true })).splits, null);
  const stop = new AbortController();
  const isStopped = db.bulkLoad(squares(50_000), {
    signal: stop.signal,
    onProgress: ({ phase }) => {
      if (phase === 'write') stop.abort();
    },
  });
  t.is(await codeOfAsync(isStopped), 'OMEN_ABORTED');
  const { splits } = await db.bulkLoad(squares(1000));
  t.is(splits?.length, 3);
  for (const { rows } of db.stats().shards) t.true(Math.abs(rows - 250) < 20, `${rows}`);
  t.is(db.count(), 1000);
});
