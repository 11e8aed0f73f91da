import test from 'ava';
import { MemtablePool } from '../../src/shard-worker/memtable-pool.ts';
import { Control, createControl } from '../../src/view/control.ts';

const SHAPE = { entriesMax: 64, arenaBytes: 4096 };

function poolOf(clients: readonly number[]): { pool: MemtablePool; control: Control } {
  const control = new Control(createControl());
  return { control, pool: new MemtablePool(SHAPE, false, control, 0, () => clients) };
}

test('memory is reused once no client can read it any more, under a new number', (t) => {
  const { pool, control } = poolOf([3, 5]);
  control.setSeen(3, 0, 10);
  control.setSeen(5, 0, 12);
  const first = pool.take();
  pool.retire(first, 12);
  const second = pool.take();
  t.not(second.memory, first.memory, 'client 3 still reads view 10');
  control.setSeen(3, 0, 12);
  const third = pool.take();
  t.is(third.memory, first.memory);
  t.is(new Set([first.id, second.id, third.id]).size, 3);
});

test('a pinned view keeps the memory that it names, and none that came into use after it', (t) => {
  const { pool, control } = poolOf([3]);
  const old = pool.take();
  control.setVersion(0, 10);
  control.setSeen(3, 0, 10);
  control.setPins(3, 0, 10, 10);
  const next = pool.take();
  control.setVersion(0, 11);
  pool.retire(old, 11);
  control.setSeen(3, 0, 11);
  t.not(pool.take().memory, old.memory, 'the snapshot still reads view 10');
  control.setVersion(0, 12);
  pool.retire(next, 12);
  control.setSeen(3, 0, 12);
  t.is(pool.take().memory, next.memory, 'view 10 is older');
  control.setPins(3, 0, 0, 0);
  t.is(pool.take().memory, old.memory);
});

test('memory is reused at once where there is no client, and only once', (t) => {
  const { pool } = poolOf([]);
  const first = pool.take();
  pool.retire(first, 2);
  t.is(pool.take().memory, first.memory);
  t.not(pool.take().memory, first.memory);
});

test('a later owner of the shard gives numbers that no earlier one gave', (t) => {
  const { pool, control } = poolOf([]);
  const earlier = [pool.take().id, pool.take().id];
  control.setVersion(0, 1);
  const later = new MemtablePool(SHAPE, false, control, 0, () => []).take().id;
  t.true(earlier.every((id) => id < later));
});
