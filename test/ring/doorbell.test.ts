import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { Doorbell } from '../../src/ring/doorbell.ts';
import { exhaust, type Role, Stepper } from './stepping.ts';

function memory(): SharedArrayBuffer {
  return new SharedArrayBuffer(64);
}

function threadWith(shared: SharedArrayBuffer, code: string): Worker {
  const url = new URL('../../src/ring/doorbell.ts', import.meta.url).href;
  const script = `
    const { workerData } = require('node:worker_threads');
    import(${JSON.stringify(url)}).then(({ Doorbell }) => {
      const bell = new Doorbell(workerData, 0);
      ${code}
    });`;
  return new Worker(script, { eval: true, workerData: shared });
}

test('sleeping after a ring returns at once', async (t) => {
  const bell = new Doorbell(memory(), 0);
  const seen = bell.read();
  bell.ring();
  t.true(bell.sleepSync(seen));
  t.is(bell.sleepAsync(seen), undefined);
  t.true(bell.spin(seen, 1));
  t.false(bell.spin(bell.read(), 10));
});

test('sleeping without a ring times out and says so', (t) => {
  const bell = new Doorbell(memory(), 8);
  t.false(bell.sleepSync(bell.read(), 1));
});

test('the flag is set while somebody sleeps, and not otherwise', async (t) => {
  const shared = memory();
  const [count, asleep] = [2, 3];
  const words = new Int32Array(shared);
  const bell = new Doorbell(shared, 8);
  const state = () => [words[count], words[asleep]];
  t.deepEqual(state(), [0, 0]);
  bell.sleepSync(bell.read(), 1);
  t.deepEqual(state(), [0, 0]);
  const rung = bell.sleepAsync(bell.read());
  t.deepEqual(state(), [0, 1]);
  bell.sleepSync(bell.read(), 1);
  t.deepEqual(state(), [0, 1], 'an asynchronous wait is still pending');
  bell.ring();
  await rung;
  t.deepEqual(state(), [1, 0]);
});

test('one asynchronous wait is outstanding at most, and a new one comes after it', async (t) => {
  const bell = new Doorbell(memory(), 0);
  const first = bell.sleepAsync(bell.read());
  t.is(bell.sleepAsync(bell.read()), first);
  bell.ring();
  t.is(bell.sleepAsync(bell.read()), first, 'its continuation has not run yet');
  await first;
  const second = bell.sleepAsync(bell.read());
  t.not(second, undefined);
  t.not(second, first);
  bell.ring();
  await second;
  t.pass();
});

test('the count wraps without a ring being missed', async (t) => {
  for (const count of [2 ** 31 - 1, -1]) {
    const shared = memory();
    new Int32Array(shared)[0] = count;
    const bell = new Doorbell(shared, 0);
    const seen = bell.read();
    const rung = bell.sleepAsync(seen);
    bell.ring();
    await rung;
    t.true(bell.sleepSync(seen, 1));
    t.false(bell.sleepSync(bell.read(), 1));
  }
});

test('a doorbell lies at a multiple of eight bytes', (t) => {
  t.throws(() => new Doorbell(memory(), 4), { name: 'AssertionError' });
});

test('a ring from another thread ends a pending wait', async (t) => {
  const shared = memory();
  const bell = new Doorbell(shared, 0);
  const rung = bell.sleepAsync(bell.read());
  const worker = threadWith(shared, 'bell.ring();');
  await rung;
  await worker.terminate();
  t.pass();
});

test('a pending wait keeps no thread alive', async (t) => {
  const worker = threadWith(memory(), 'bell.sleepAsync(bell.read());');
  const [code] = await once(worker, 'exit');
  t.is(code, 0);
});

/** Which thread moves (xorshift32), from a seed that a failure prints. */
function chooser(seed: number): (options: number) => number {
  let state = seed | 1;
  return (options) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % options;
  };
}

const ringers: Role[] = ['ringer', 'ringer-sparing'];
const sleepers: Role[] = ['sleeper-sync', 'sleeper-async'];

for (const [ringer, sleeper] of ringers.flatMap((r) => sleepers.map((s) => [r, s] as const))) {
  test.serial(`threads, every interleaving of one ring: ${ringer}, ${sleeper}`, (t) => {
    const stepper = new Stepper(ringer, 1, 1, sleeper);
    t.teardown(() => stepper.close());
    const { schedules, lost } = exhaust(stepper);
    t.deepEqual(lost?.trace, undefined);
    t.true(schedules > 100, String(schedules));
    t.log(`${schedules} schedules`);
  });

  test.serial(`threads, drawn interleavings of two ringers: ${ringer}, ${sleeper}`, (t) => {
    const stepper = new Stepper(ringer, 2, 2, sleeper);
    t.teardown(() => stepper.close());
    const first = Date.now() >>> 0;
    for (let seed = first; seed < first + 400; seed++) {
      const { lost, trace } = stepper.run(chooser(seed));
      if (lost) t.fail(`seed ${seed}: ${trace.join(', ')}`);
    }
    t.pass();
  });
}

test.serial('threads: the walk finds the lost wake-up of a sleeper that looks too early', (t) => {
  const stepper = new Stepper('ringer', 1, 1, 'sleeper-too-late');
  t.teardown(() => stepper.close());
  const { lost } = exhaust(stepper);
  t.true(lost?.lost);
  t.log(lost?.trace.join('\n'));
});

test.serial(
  'threads: the walk finds the lost wake-up of a sparing ringer and no second look',
  (t) => {
    const stepper = new Stepper('ringer-sparing', 1, 2, 'sleeper-no-second-look');
    t.teardown(() => stepper.close());
    const { lost } = exhaust(stepper);
    t.true(lost?.lost);
    t.log(lost?.trace.join('\n'));
  },
);
