import test from 'ava';
import { EntryIterator, KeyIterator, ValueIterator } from '../../src/level/iterators.ts';
import { openLevel } from './support.ts';

test('each iterator gives what it is of, and leaves out what it is told to', async (t) => {
  const level = await openLevel(t);
  await level.batch([
    { type: 'put', key: 'a', value: '1' },
    { type: 'put', key: 'b', value: '2' },
  ]);
  t.true(level.iterator() instanceof EntryIterator);
  t.true(level.keys() instanceof KeyIterator);
  t.true(level.values() instanceof ValueIterator);
  t.deepEqual(await level.iterator().all(), [
    ['a', '1'],
    ['b', '2'],
  ]);
  t.deepEqual(await level.keys({ reverse: true }).all(), ['b', 'a']);
  t.deepEqual(await level.values().all(), ['1', '2']);
  const entries = (options: object) => level.iterator(options).all() as Promise<unknown>;
  t.deepEqual(await entries({ values: false }), [
    ['a', undefined],
    ['b', undefined],
  ]);
  t.deepEqual(await entries({ keys: false, gt: 'a' }), [[undefined, '2']]);
  t.deepEqual(await entries({ keys: false, values: false, limit: 1 }), [[undefined, undefined]]);
});

test('an iterator that is closed, or read to its end by all(), leaves no snapshot open', async (t) => {
  const level = await openLevel(t);
  await level.put('a', '1');
  const { database } = level;
  const kept = [level.iterator(), level.keys(), level.values()];
  t.is(database.stats().snapshots, 3);
  for (const iterator of kept) await iterator.close();
  t.is(database.stats().snapshots, 0);
  await level.iterator().all();
  for await (const _ of level.keys()) break;
  t.is(database.stats().snapshots, 0);
  const left = level.values();
  await left.next();
  await level.close();
  await level.open();
  t.is(level.database.stats().snapshots, 0);
});
