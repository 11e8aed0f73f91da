import test from 'ava';
import { Loads } from '../../src/shard-worker/loads.ts';

test('a mark counts from when it comes until its load is over', (t) => {
  const loads = new Loads();
  loads.mark('a', 5);
  loads.mark('b', 9);
  t.deepEqual([loads.markBefore(4), loads.markBefore(8), loads.markBefore(9)], [0, 5, 9]);
  loads.delete('a');
  t.deepEqual([loads.markBefore(8), loads.markBefore(9)], [0, 9]);
  loads.delete('b');
  t.true(loads.isEmpty);
});

test('a mark that comes when its load is over is none, of the last thousand loads', (t) => {
  const loads = new Loads();
  for (let i = 0; i <= 1024; i++) loads.delete(`${i}`);
  for (let i = 1; i <= 1024; i++) loads.mark(`${i}`, i);
  t.true(loads.isEmpty);
  loads.mark('0', 1);
  t.is(loads.markBefore(1), 1);
  // A name is used once; that of one that had its mark is not kept.
  loads.delete('0');
  loads.mark('0', 2);
  t.is(loads.markBefore(2), 2);
});
