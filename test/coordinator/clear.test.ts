import { join } from 'node:path';
import test from 'ava';
import { open } from '../../src/index.ts';
import { codeOfAsync, contentOf, NUMBERS, openNew, SMALL, temporaryDirectory } from './support.ts';

const value = (key: number) => ({ value: key });

test('clear deletes a range in all shards, and costs a record a shard', async (t) => {
  const directory = join(temporaryDirectory(t), 'data');
  let db = await open(directory, { ...NUMBERS, shards: 3, threads: 1 });
  for (let key = 0; key < 5000; key++) db.put(key, value(key));
  await db.flush();
  const puts = Array.from({ length: 2000 }, (_, i) => db.put(4000 + i, value(-4000 - i)));
  await Promise.all([...puts, db.put(7000, value(1))]); // in every shard: their LSNs are counted below
  using before = db.snapshot();
  const lsn = db.stats().total.lsn;
  await db.clear({ gte: 100, lt: 5990 });
  t.true(db.stats().total.lsn <= lsn + 12, 'a part, a range and an outcome in each shard');
  const left = [...Array(100).keys(), ...Array.from({ length: 10 }, (_, i) => 5990 + i), 7000];
  const check = () => {
    t.deepEqual([...contentOf(t, db).keys()], left);
    t.deepEqual([db.get(100), db.get(4500), db.has(5989)], [undefined, undefined, false]);
    t.deepEqual([db.floor(5000)?.[0], db.ceil(100)?.[0], db.rank(6000)], [99, 5990, 110]);
    t.deepEqual([db.at(100)?.[0], db.count({ gte: 50, lte: 5990 })], [5990, 51]);
    const many = db.getMany(Array.from({ length: 8000 }, (_, key) => key));
    t.is(many.filter((row) => row !== undefined).length, left.length);
    t.is(db.explain(4500).found === 'row', false);
  };
  check();
  t.is(before.count(), 6001);
  await db.flush();
  check();
  await db.close();
  db = await open(directory, NUMBERS);
  t.teardown(() => db.close());
  check();
  await db.put(4500, value(9));
  left.splice(100, 0, 4500);
  t.deepEqual([...contentOf(t, db).keys()], left);
  await db.compact();
  t.deepEqual([...contentOf(t, db).keys()], left);
  t.is(db.stats().total.rows, left.length);
});

test('a cleared row is absent to conditions, and what is written after is not cleared', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2, threads: 1 });
  await db.batch([1, 2, 3, 4].map((key) => ({ type: 'put', key, value: value(key) })));
  const cleared = db.clear({ gte: 2, lte: 3 });
  const writes = [
    db.put(2, value(20), { if: 'absent' }),
    db.del(3, { if: 'present' }),
    db.put(4, value(40), { if: 'present' }),
    db.clear({ gt: 3 }),
    db.put(4, value(41), { if: 'absent' }),
  ];
  await cleared;
  const codes = await Promise.all(writes.map(codeOfAsync));
  t.deepEqual(codes, ['', 'OMEN_CONDITION_FAILED', '', '', '']);
  t.deepEqual(
    [...contentOf(t, db)],
    [
      [1, 1],
      [2, 20],
      [4, 41],
    ],
  );
});

test('everything can be cleared, and its space comes back by itself', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2, memtable: SMALL });
  for (let key = 0; key < 3000; key++) db.put(key, value(key));
  await db.flush();
  await db.clear();
  t.deepEqual([db.count(), db.first(), db.get(7)], [0, undefined, undefined]);
  await db.flush();
  await db.compact();
  t.deepEqual([db.stats().total.segments, db.stats().total.rows], [0, 0]);
  await db.put(7, value(7));
  t.is(db.count(), 1);
});

test('clears and writes may follow each other as closely as one likes', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 3, threads: 2, memtable: SMALL });
  const writes: Promise<void>[] = [];
  for (let round = 0; round < 40; round++) {
    for (let key = 0; key < 20; key++) writes.push(db.put(key, value(round)));
    writes.push(db.clear({ gte: 10 }));
    writes.push(db.batch([5, 11, 12].map((key) => ({ type: 'put', key, value: value(-round) }))));
  }
  await Promise.all(writes);
  t.deepEqual([...contentOf(t, db).keys()], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12]);
  t.deepEqual([db.get(5), db.get(9)], [value(-39), value(39)]);
});

test('a range that is none is refused, and an empty one clears nothing', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  await db.put(1, value(1));
  for (const range of [{ limit: 1 }, { reverse: true }, { gt: 1, gte: 1 }, { from: 1 }]) {
    t.is(await codeOfAsync(db.clear(range)), 'OMEN_INVALID_RANGE');
  }
  t.is(await codeOfAsync(db.clear({ gte: Number.NaN })), 'OMEN_INVALID_KEY');
  await db.clear({ gt: 1, lt: 1 });
  t.is(db.count(), 1);
});
