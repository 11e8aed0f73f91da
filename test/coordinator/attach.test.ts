import { on, once } from 'node:events';
import test from 'ava';
import { attach, type Handle, open } from '../../src/index.ts';
import type { AttachedTask } from './attached-tasks.ts';
import {
  codeOfAsync,
  contentOf,
  NUMBERS,
  openNew,
  SMALL,
  startWorker,
  temporaryDirectory,
} from './support.ts';

type Outcome = { acknowledged: number[]; codes: string[] };

test('threads write at the same time as the one that opened, and all read everything', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 3, threads: 2, memtable: SMALL });
  const starters = [1000, 2000].map((first) => {
    const data: AttachedTask = { task: 'put', handle: db.handle(), first, count: 300 };
    return startWorker(t, './attached-tasks.ts', data);
  });
  // An inbox keeps what arrives before it is asked for.
  const inboxes = starters.map(({ worker }) => on(worker, 'message'));
  for (const inbox of inboxes) await inbox.next();
  for (let key = 0; key < 300; key++) await db.put(key, { value: key });
  for (const inbox of inboxes) {
    const [{ acknowledged, codes }] = (await inbox.next()).value as [Outcome];
    t.deepEqual(codes, []);
    // What is acknowledged to one thread is seen by every other at once.
    for (const key of acknowledged) t.deepEqual(db.get(key), { value: key });
  }
  for (const { finished } of starters) t.is(await finished, 0);
  t.is(contentOf(t, db).size, 900);
});

for (const rows of [0, 1, 500]) {
  test(`a thread that spins on a key sees it put, where a shard has ${rows} rows at rest`, async (t) => {
    const db = await openNew(t, { ...NUMBERS, shards: 2 });
    for (let key = 1; key <= 2 * rows; key++) await db.put(key, { value: key });
    await db.compact();
    const data: AttachedTask = { task: 'spin', handle: db.handle(), first: -7, count: 300_000 };
    const { worker, finished } = startWorker(t, './attached-tasks.ts', data);
    const inbox = on(worker, 'message');
    t.deepEqual((await inbox.next()).value, [300_000]);
    await db.put(-7, { value: 0.5 });
    t.deepEqual((await inbox.next()).value, [{ value: 0.5 }]);
    t.is(await finished, 0);
  });
}

test('a handle serves in the thread of the database too, as a client of its own', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const other = await attach<typeof NUMBERS>(db.handle());
  await other.put(1, { value: 1 });
  t.deepEqual(db.get(1), { value: 1 });
  await db.put(2, { value: 2 });
  t.is(other.count(), 2);
  await other.flush();
  await other.close();
  t.is(await codeOfAsync(other.put(3, { value: 3 })), 'OMEN_CLOSED');
  await db.put(3, { value: 3 });
  t.is(db.count(), 3);
});

test('a handle of a closed database, of another process or of nothing is refused', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const handle = db.handle();
  const wrong: readonly unknown[] = [
    undefined,
    null,
    {},
    5,
    { ...handle, omendb: 2 },
    { ...handle, databaseId: '0'.repeat(32) },
    { ...handle, databaseId: 5 },
    { ...handle, threadId: 999_999 },
    { ...handle, threadId: 'main' },
  ];
  for (const bad of wrong) {
    t.is(await codeOfAsync(attach(bad as Handle)), 'OMEN_ATTACH_FAILED', JSON.stringify(bad));
  }
  await db.close();
  t.is(await codeOfAsync(attach(handle)), 'OMEN_ATTACH_FAILED');
});

test('a worker that attaches to a closed database is told so', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const data: AttachedTask = { task: 'idle', handle: db.handle() };
  await db.close();
  const { worker } = startWorker(t, './attached-tasks.ts', data);
  const [error] = await once(worker, 'error');
  t.is((error as { code?: string }).code, 'OMEN_ATTACH_FAILED');
});

test('threads that exit in the middle of writing leave the others and the shards alone', async (t) => {
  const directory = temporaryDirectory(t);
  const db = await open(directory, { ...NUMBERS, shards: 3, threads: 2, memtable: SMALL });
  const memory = [];
  for (let round = 0; round < 10; round++) {
    const data: AttachedTask = { task: 'exit', handle: db.handle(), first: 10_000 * (1 + round) };
    const { finished } = startWorker(t, './attached-tasks.ts', data);
    for (let key = 0; key < 20; key++) await db.put(key, { value: round });
    t.is(await finished, 0);
    const batch = Array.from({ length: 30 }, (_, key) => {
      return { type: 'put', key, value: { value: round } } as const;
    });
    await db.batch(batch);
    memory.push(process.memoryUsage().rss);
    // Their batches are there as a whole or not at all.
    const theirs = db.count({ gte: data.first! + 1000, lt: data.first! + 2000 });
    t.true(theirs === 0 || theirs === 400, `${theirs} of 400`);
  }
  // Each of them had rings of 5 MiB: of ten that were forgotten there would be 50.
  t.log(`memory after each round, in MiB: ${memory.map((bytes) => bytes >>> 20)}`);
  await db.close();
  const again = await openNew(t, NUMBERS, directory);
  t.is(again.count({ lt: 10_000 }), 30);
});

test('threads that are terminated in the middle of writing leave the others and the shards alone', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 3, threads: 2, memtable: SMALL });
  for (let round = 0; round < 8; round++) {
    const first = 10_000 * (1 + round);
    const data: AttachedTask = { task: 'flood', handle: db.handle(), first };
    const { worker } = startWorker(t, './attached-tasks.ts', data);
    await once(worker, 'message');
    await worker.terminate();
    // The same keys: whatever it left open must not hold them for ever.
    for (let key = first; key < first + 20; key++) await db.put(key, { value: -1 });
    const batch = Array.from({ length: 40 }, (_, i) => {
      return { type: 'put', key: first + 100 + i, value: { value: -round } } as const;
    });
    await db.batch(batch);
    t.deepEqual(
      [...db.values({ gte: first + 100, lt: first + 140 })].map(({ value }) => value),
      batch.map(({ value }) => value.value),
    );
  }
  await db.flush();
  await db.compact();
});

test('a place is free again when a thread has left: more threads than places may come and go', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  for (let round = 0; round < 80; round++) {
    const other = await attach<typeof NUMBERS>(db.handle());
    await other.put(round, { value: round });
    await other.close();
  }
  t.is(db.count(), 80);
});

test('more threads than there are places for at once are refused', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const others = [];
  for (;;) {
    try {
      others.push(await attach<typeof NUMBERS>(db.handle()));
    } catch (error) {
      t.is((error as { code?: string }).code, 'OMEN_ATTACH_FAILED');
      break;
    }
  }
  t.is(others.length, 63);
  await others[0].close();
  const another = await attach<typeof NUMBERS>(db.handle());
  await another.put(1, { value: 1 });
  t.is(others[62].count(), 1);
});

test('when the opener closes, every write of an attached thread settles, and it hears of it', async (t) => {
  for (let round = 0; round < 5; round++) {
    const directory = temporaryDirectory(t);
    const db = await open(directory, { ...NUMBERS, shards: 2 });
    const data: AttachedTask = { task: 'put', handle: db.handle(), first: 0, count: 3000 };
    const { worker, finished } = startWorker(t, './attached-tasks.ts', data);
    await once(worker, 'message');
    const outcome = once(worker, 'message');
    for (let key = 0; db.count() < 20; key++) await db.put(-1 - key, { value: key });
    await db.close();
    const [{ acknowledged, codes }] = (await outcome) as [Outcome];
    t.is(acknowledged.length + codes.length, 3000);
    const known = ['OMEN_CLOSED', 'OMEN_OUTCOME_UNKNOWN'];
    t.true(
      codes.every((code) => known.includes(code)),
      [...new Set(codes)].join(),
    );
    t.is(await finished, 0);
    const again = await openNew(t, NUMBERS, directory);
    for (const key of acknowledged) t.deepEqual(again.get(key), { value: key });
    await again.close();
  }
});
