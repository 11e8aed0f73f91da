import test from 'ava';
import { type Database, open } from '../../src/index.ts';
import { codeOf } from '../storage/support.ts';
import { runChild, startChild } from './child.ts';
import {
  codeOfAsync,
  contentOf,
  NUMBERS,
  openNew,
  SMALL,
  startWorker,
  temporaryDirectory,
} from './support.ts';

test('close finishes the writes that are pending', async (t) => {
  const directory = temporaryDirectory(t);
  const db = await open(directory, { ...NUMBERS, shards: 3 });
  const writes = Array.from({ length: 20_000 }, (_, key) => db.put(key, { value: key }));
  const batch = Array.from({ length: 500 }, (_, key) => {
    return { type: 'put', key: 100_000 + key, value: { value: key } } as const;
  });
  writes.push(db.batch(batch));
  await db.close();
  await Promise.all(writes);
  const again = await openNew(t, NUMBERS, directory);
  t.is(again.count(), 20_500);
});

test('a second close does nothing, also while the first is under way', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const write = db.put(1, { value: 1 });
  await Promise.all([db.close(), db.close(), db.close()]);
  await write;
  await db.close();
  t.is(await codeOfAsync(db.put(1, { value: 1 })), 'OMEN_CLOSED');
});

test('close has ended when it resolves, whoever called it: the directory opens again', async (t) => {
  const directory = temporaryDirectory(t);
  const db = await open(directory, { ...NUMBERS, shards: 2 });
  void db.close();
  await db.close();
  const again = await openNew(t, {}, directory);
  t.is(again.count(), 0);
});

test('a closed database refuses everything with OMEN_CLOSED', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  await db.put(1, { value: 1 });
  await db.close();
  const reads: Readonly<Record<string, () => unknown>> = {
    get: () => db.get(1),
    getMany: () => db.getMany([1]),
    has: () => db.has(1),
    floor: () => db.floor(1),
    ceil: () => db.ceil(1),
    first: () => db.first(),
    last: () => db.last(),
    count: () => db.count(),
    entries: () => db.entries(),
    keys: () => db.keys(),
    values: () => db.values(),
    scan: () => db.scan(),
    stats: () => db.stats(),
    handle: () => db.handle(),
  };
  for (const [name, read] of Object.entries(reads)) t.is(codeOf(read), 'OMEN_CLOSED', name);
  const writes = [
    db.put(1, { value: 1 }),
    db.del(1),
    db.batch([{ type: 'del', key: 1 }]),
    db.ready(),
    db.flush(),
    db.compact(),
  ];
  for (const write of writes) t.is(await codeOfAsync(write), 'OMEN_CLOSED');
});

test('iterators and scans throw OMEN_CLOSED once the database is closed', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  await db.batch([1, 2, 3].map((key) => ({ type: 'put', key, value: { value: key } })));
  const begun = db.entries();
  const notBegun = db.keys();
  const scan = db.scan();
  begun.next();
  await db.close();
  t.is(
    codeOf(() => begun.next()),
    'OMEN_CLOSED',
  );
  t.is(
    codeOf(() => notBegun.next()),
    'OMEN_CLOSED',
  );
  t.is(await codeOfAsync(scan.next()), 'OMEN_CLOSED');
});

test('a scan under way when the database is closed ends with OMEN_CLOSED', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const rows = Array.from({ length: 40_000 }, (_, key) => key);
  await Promise.all(rows.map((key) => db.put(key, { value: key })));
  const scan = db.scan();
  t.is((await scan.next()).value?.numRows, 32_768);
  await db.close();
  t.is(await codeOfAsync(scan.next()), 'OMEN_CLOSED');
});

test('an iterator sees no later write, through rotation, flush and compaction', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2, memtable: SMALL });
  for (let key = 0; key < 200; key++) await db.put(key, { value: key });
  const before = [...db.entries()];
  const iterators = [{}, { reverse: true }].map((range) => {
    const iterator = db.entries(range);
    return { iterator, first: iterator.next().value };
  });
  for (let round = 0; round < 3; round++) {
    for (let key = 0; key < 300; key += 2) await db.put(key, { value: -round });
    for (let key = 1; key < 300; key += 4) await db.del(key);
    if (round === 1) await db.flush();
    if (round === 2) await db.compact();
  }
  const [forwards, backwards] = iterators.map(({ iterator, first }) => [first, ...iterator]);
  t.deepEqual(forwards, before);
  t.deepEqual(backwards, before.toReversed());
  t.is(contentOf(t, db).size, 200);
});

test('a hundred iterators left open at different times each keep to their own instant', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2, memtable: SMALL });
  await db.batch([0, 1, 2, 3].map((key) => ({ type: 'put', key, value: { value: 0 } })));
  const open: { iterator: Iterable<[number, { value: number }]>; round: number }[] = [];
  for (let round = 0; round < 100; round++) {
    const iterator = db.entries();
    iterator.next();
    open.push({ iterator, round });
    const value = { value: round + 1 };
    await db.batch([0, 1, 2, 3].map((key) => ({ type: 'put', key, value })));
    if (round % 25 === 24) await db.flush();
  }
  for (const { iterator, round } of open) {
    t.deepEqual(
      [...iterator].map(([, { value }]) => value),
      [round, round, round],
    );
  }
});

test('a scan is aborted by its signal, before it begins and between batches', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const rows = Array.from({ length: 40_000 }, (_, key) => key);
  await Promise.all(rows.map((key) => db.put(key, { value: key })));
  const reason = new Error('enough');
  const scan = db.scan({ signal: AbortSignal.abort(reason) });
  const error = await t.throwsAsync(scan.next(), { code: 'OMEN_ABORTED' });
  t.is(error?.cause, reason);
  const controller = new AbortController();
  const begun = db.scan({ signal: controller.signal });
  await begun.next();
  controller.abort();
  t.is(await codeOfAsync(begun.next()), 'OMEN_ABORTED');
  t.is(db.count(), 40_000);
});

test('await using closes the database', async (t) => {
  const directory = temporaryDirectory(t);
  {
    await using db = await open(directory, { ...NUMBERS, shards: 1 });
    await db.put(1, { value: 1 });
  }
  const again = await openNew(t, {}, directory);
  t.is(again.count(), 1);
});

test('opening eight shards works, on as many threads as one likes', async (t) => {
  for (const threads of [1, 3, 8]) {
    const db: Database = await openNew(t, { ...NUMBERS, shards: 8, threads });
    await db.batch(
      Array.from({ length: 64 }, (_, key) => ({ type: 'put', key, value: { value: key } })),
    );
    t.is(db.count(), 64);
    t.is(db.stats().shards.filter(({ rows }) => rows >= 0).length, 8);
    await db.close();
  }
});

test('a process with an idle open database ends', async (t) => {
  const { said, code } = await runChild(t, 'idle', temporaryDirectory(t));
  t.deepEqual([said, code], ['ended', 0]);
});

test('a thread that is attached and idle ends, and so does its process', async (t) => {
  const { said, code } = await runChild(t, 'attachedIdle', temporaryDirectory(t));
  t.deepEqual([said, code], ['thread 0', 0]);
});

test('a pending write keeps the process alive until it is settled, and so it is on disk', async (t) => {
  const directory = temporaryDirectory(t);
  const { said, code } = await runChild(t, 'pending', directory);
  t.deepEqual([said, code], ['20000', 0]);
  const db = await openNew(t, {}, directory);
  t.is(db.count(), 20_000);
});

test('an open watch keeps no process alive, a change that is awaited does', async (t) => {
  const { said, code } = await runChild(t, 'watching', temporaryDirectory(t));
  t.deepEqual([said, code], ['ended', 0]);
  const child = startChild(t, 'awaiting', temporaryDirectory(t));
  t.is(await child.line(), 'waiting');
  child.process.kill('SIGUSR2');
  t.is(await child.line(), '[{"type":"put","key":1,"value":{"value":1}}]');
  t.deepEqual(await child.rest(), []);
  t.is(await child.ended, 0);
});

test('a pending compaction keeps the process alive until it is settled', async (t) => {
  const { said, code } = await runChild(t, 'compacting', temporaryDirectory(t));
  t.deepEqual([said, code], ['compacted', 0]);
});

test('a database opened in a worker thread serves there, and closes there', async (t) => {
  const directory = temporaryDirectory(t);
  const { finished } = startWorker(t, './open-in-worker.ts', { directory });
  t.is(await finished, 0);
  const db = await openNew(t, {}, directory);
  t.deepEqual([...db.keys()], [1, 2, 3]);
});

test('rows larger than the memtables of a later open are recovered whole', async (t) => {
  const directory = temporaryDirectory(t);
  const value = (key: number) => `${key},`.repeat(key % 3 === 0 ? 200_000 : 10);
  const keys = Array.from({ length: 12 }, (_, key) => key);
  const TEXTS = { key: 'int64', value: 'utf8' } as const;
  const first = await open(directory, { ...TEXTS, shards: 2 });
  await first.put(3, value(3));
  await first.batch(keys.map((key) => ({ type: 'put', key, value: value(key) })));
  await first.close();
  const SMALLEST = { entriesMax: 64, arenaBytes: 2 ** 16 };
  for (let round = 0; round < 3; round++) {
    const again = await open(directory, { ...TEXTS, memtable: SMALLEST });
    t.deepEqual(
      [...again.entries()],
      keys.map((key) => [key, value(key)]),
      `open ${round}`,
    );
    if (round === 1) await again.compact();
    t.true(keys.every((key) => again.get(key) === value(key)));
    await again.close();
  }
});
