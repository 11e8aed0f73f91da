import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { Retired } from '../../src/view/retired.ts';

/** Shared memory that nothing but the reference leads to. */
function forgotten(bytes: number): WeakRef<SharedArrayBuffer> {
  return new WeakRef(new SharedArrayBuffer(bytes));
}

test('memory let go of is collected once there is more of it than the bound and the heap', async (t) => {
  const retired = new Retired();
  const memory = forgotten(1024);
  await turn();
  retired.add(2 ** 40);
  t.not(memory.deref(), undefined, 'not while the caller may still hold it');
  await turn();
  await turn();
  t.is(memory.deref(), undefined);
});

test('asked for, it is collected at once where there is something to gain', async (t) => {
  const retired = new Retired();
  const memory = forgotten(1024);
  await turn();
  retired.add(2 ** 20);
  retired.release();
  t.not(memory.deref(), undefined, 'a mebibyte is not worth a collection');
  await turn();
  retired.add(16 * 2 ** 20);
  retired.release();
  await turn();
  t.is(memory.deref(), undefined);
});
