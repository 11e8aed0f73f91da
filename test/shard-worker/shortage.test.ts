import test from 'ava';
import { OmenError } from '../../src/errors.ts';
import { Shortage } from '../../src/shard-worker/shortage.ts';

test('tries become rarer while they are in vain, up to a bound, and come at once after one was not', (t) => {
  const shortage = new Shortage();
  const waits: number[] = [];
  let now = 0;
  for (let tries = 0; tries < 6; tries++) {
    t.true(shortage.isDue(now));
    const asked = now;
    while (!shortage.isDue(now)) now += 100;
    waits.push(now - asked);
    shortage.back();
    while (!shortage.isDue(now)) now += 100;
    shortage.relax();
    for (let i = 0; i < tries; i++) shortage.back();
  }
  t.deepEqual(waits, [1000, 1000, 2000, 4000, 4000, 4000]);
});

test('what a refusal says is its cause, with the same code, and what to do', (t) => {
  for (const code of ['OMEN_DISK_FULL', 'OMEN_TOO_MANY_FILES'] as const) {
    const shortage = new Shortage();
    t.is(shortage.refusal, null);
    const cause = new OmenError(code, 'writing x failed.');
    const refusal = shortage.refuse(3, cause);
    t.is(shortage.refusal, refusal);
    t.is(refusal.code, code);
    t.is(refusal.cause, cause);
    t.regex(refusal.message, /^Shard 3 .*writing x failed.*by itself/);
  }
});
