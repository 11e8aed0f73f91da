import test from 'ava';
import { parseIteration } from '../../src/coordinator/range.ts';
import { open } from '../../src/index.ts';
import { KeyCodec } from '../../src/schema/key.ts';
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
  test(`less than ${after} is up to ${before} for ${type}`, (t) => {
    const codec = new KeyCodec(type, false);
    const { lastHi, lastLo } = parseIteration({ lt: after }, codec);
    codec.encode(before);
    t.deepEqual([lastHi, lastLo], [codec.hi, codec.lo]);
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
