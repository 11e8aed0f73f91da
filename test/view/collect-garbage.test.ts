import { promisify } from 'node:util';
import test from 'ava';
import { collectGarbage } from '../../src/view/collect-garbage.ts';

test('memory that nobody holds any more is let go at once', async (t) => {
  const kept = new SharedArrayBuffer(1 << 20);
  const held = new WeakRef(kept);
  const lost = new WeakRef(new SharedArrayBuffer(1 << 20));
  // What a WeakRef was made for lives to the end of the job it was made in.
  await promisify(setImmediate)();
  collectGarbage();
  t.is(lost.deref(), undefined);
  t.is(held.deref(), kept);
  collectGarbage();
  t.is(kept.byteLength, 1 << 20);
});
