import test from 'ava';
import { runStress } from '../../bench/ring/stress.ts';
import { run } from '../../bench/ring.ts';

const seed = Date.now() % 2 ** 31;

for (const [frames, capacityBytes] of [
  [1_000_000, 4096],
  [3_000_000, 65_536],
]) {
  test.serial(`${frames} frames cross a ring of ${capacityBytes} bytes unspoiled`, async (t) => {
    const { sleeps } = await runStress({ frames, seed, capacityBytes });
    t.log(`seed ${seed}: slept ${sleeps.producer} times for room, ${sleeps.consumer} for work`);
    t.pass();
  });
}

test.serial('the benchmark runs', async (t) => {
  const lines: string[] = [];
  const results = await run({
    frames: 20_000,
    roundTrips: 20,
    messages: 10,
    rounds: 1,
    log: (line) => lines.push(line),
  });
  t.true(results.length >= 14);
  for (const { median, variant } of results) t.true(median > 0, variant);
});
