import test from 'ava';
import { type Database, open } from '../../src/index.ts';
import { temporaryDirectory } from './support.ts';

/** Neighbours of a type: nothing lies between the two. */
const NEIGHBOURS = [
  ['float64', -Number.MIN_VALUE, 0],
  ['float64', 0, Number.MIN_VALUE],
  ['float64', Number.MAX_VALUE, Number.POSITIVE_INFINITY],
  ['int64', -1, 0],
  ['int64', 2 ** 32 - 1, 2 ** 32],
  ['uint64', 0, 1],
  ['timestamp', -1, 0],
] as const;

for (const [type, before, after] of NEIGHBOURS) {
  test(`nothing is between ${before} and ${after} for ${type}`, async (t) => {
    const options = { key: type, value: 'json', shards: 1 } as const;
    await using db: Database = await open(temporaryDirectory(t), options);
    for (const key of [before, after]) await db.put(key, null);
    for (const where of ['a memtable', 'a segment']) {
      t.deepEqual([...db.keys({ lt: after })], [before], where);
      t.deepEqual([...db.keys({ gt: before })], [after], where);
      t.deepEqual([...db.keys({ gt: before, lt: after })], [], where);
      t.deepEqual([db.count({ gt: before }), db.count({ lt: after })], [1, 1], where);
      t.is(db.count({ gt: before, lt: after }), 0, where);
      await db.flush();
    }
  });
}

test('a count up to 0 leaves out a 0 that lies in a segment, however it is written', async (t) => {
  const options = { key: 'float64', value: 'json', shards: 1 } as const;
  await using db = await open(temporaryDirectory(t), options);
  for (const key of [-1, 0, 1]) await db.put(key, null);
  await db.flush();
  t.deepEqual([db.count({ lt: 0 }), db.count({ lt: -0 }), db.count({ lte: -0 })], [1, 1, 2]);
  t.deepEqual([db.count({ gt: 0 }), db.count({ gt: -0 }), db.count({ gte: -0 })], [1, 1, 2]);
  t.deepEqual([db.count({ gt: -Number.MIN_VALUE }), db.count({ lt: Number.MIN_VALUE })], [2, 2]);
});
