import { on } from 'node:events';
import test from 'ava';
import { attach, type Database } from '../../src/index.ts';
import { codeOf } from '../storage/support.ts';
import type { AttachedTask } from './attached-tasks.ts';
import { NUMBERS, openNew, SMALL, startWorker, until } from './support.ts';

test('a snapshot sees one instant, whatever is written, flushed and compacted behind it', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 3, threads: 1, memtable: SMALL });
  for (let key = 0; key < 500; key++) db.put(key, { value: key });
  await db.del(7);
  using early = db.snapshot();
  const seen = [...early.entries()];
  t.is(seen.length, 499);
  for (let round = 0; round < 4; round++) {
    await Promise.all(Array.from({ length: 600 }, (_, key) => db.put(key, { value: -round })));
    if (round === 1) await db.compact();
    await db.batch([100, 200, 300].map((key) => ({ type: 'del', key })));
    t.deepEqual([...early.entries()], seen);
  }
  await db.compact();
  t.deepEqual(
    [early.get(100), early.get(7), early.get(550)],
    [{ value: 100 }, undefined, undefined],
  );
  t.deepEqual([early.has(100), early.has(7), db.has(100)], [true, false, false]);
  t.deepEqual([early.count(), early.rank(10), early.at(8)], [499, 9, [9, { value: 9 }]]);
  t.deepEqual(
    [early.floor(7), early.ceil(7), early.first(), early.last()].map((entry) => entry?.[0]),
    [6, 8, 0, 499],
  );
  t.deepEqual(
    early.getMany(Array.from({ length: 500 }, (_, key) => key)).filter((row) => row !== undefined),
    seen.map(([, row]) => row),
  );
  const { found, columns } = early.getMany([6, 7, 8], { columns: ['value'] });
  t.deepEqual([[...found], columns.value[0], columns.value[2]], [[1, 0, 1], 6, 8]);
  let rows = 0;
  for await (const batch of early.scan({ lt: 50 })) rows += batch.numRows;
  t.is(rows, 49);
  t.deepEqual([...early.keys({ gte: 490, reverse: true, limit: 2 })], [499, 498]);
  t.deepEqual([...early.values({ lt: 1 })], [{ value: 0 }]);
});

test('a snapshot that is closed says so, to its iterators too, and is not counted any more', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  await db.batch([1, 2, 3].map((key) => ({ type: 'put', key, value: { value: key } })));
  const one = db.snapshot();
  const two = db.snapshot();
  t.is(db.stats().snapshots, 2);
  const iterator = one.entries();
  const scan = one.scan();
  t.false(iterator.next().done);
  one.close();
  one.close();
  t.is(db.stats().snapshots, 1);
  const reads = [
    () => one.get(1),
    () => one.has(1),
    () => one.getMany([1]),
    () => one.floor(1),
    () => one.first(),
    () => one.at(0),
    () => one.count(),
    () => one.keys(),
    () => one.scan(),
    () => iterator.next(),
  ];
  for (const read of reads) t.is(codeOf(read), 'OMEN_CLOSED');
  await t.throwsAsync(scan.next(), { code: 'OMEN_CLOSED' });
  t.is(two.count(), 3);
  await db.close();
  t.is(
    codeOf(() => two.get(1)),
    'OMEN_CLOSED',
  );
  t.notThrows(() => two.close());
});

test('a batch across shards is whole in a snapshot or not in it, and all snapshots agree on an order', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 4, threads: 2 });
  const keys = Array.from({ length: 24 }, (_, i) => i);
  const put = (value: number) =>
    db.batch(keys.map((key) => ({ type: 'put' as const, key, value: { value } })));
  await put(-1);
  const data = (first: number): AttachedTask => {
    return { task: 'rewrite', handle: db.handle(), first, count: 60 };
  };
  const threads = [1, 2].map((first) => startWorker(t, './attached-tasks.ts', data(first)));
  let running = 2;
  for (const { finished } of threads) finished.then(() => running--);
  const held: [ReturnType<typeof db.snapshot>, number][] = [];
  await until(() => {
    const snapshot = db.snapshot();
    const values = new Set([...snapshot.values()].map(({ value }) => value));
    t.is(values.size, 1);
    const [value] = values;
    if (held.at(-1)?.[1] === value || held.length > 50) snapshot.close();
    else held.push([snapshot, value]);
    return running === 0;
  });
  for (const [snapshot, value] of held) {
    // By point reads now, long after: the same.
    t.true(keys.every((key) => snapshot.get(key)?.value === value));
    snapshot.close();
  }
  t.is(db.stats().snapshots, 0);
});

test('the snapshots of a thread that has ended are counted no more', async (t) => {
  const db: Database<number, { value: number }> = await openNew(t, { ...NUMBERS, shards: 2 });
  const data: AttachedTask = { task: 'hold', handle: db.handle() };
  const { worker, finished } = startWorker(t, './attached-tasks.ts', data);
  const inbox = on(worker, 'message');
  t.deepEqual((await inbox.next()).value, [0]);
  const own = db.snapshot();
  t.is(db.stats().snapshots, 3);
  worker.postMessage('end');
  await finished;
  await until(() => db.stats().snapshots === 1);
  own.close();
  const other = await attach(db.handle());
  const left = other.snapshot();
  await other.close();
  t.is(db.stats().snapshots, 0);
  t.is(
    codeOf(() => left.count()),
    'OMEN_CLOSED',
  );
});
