/**
 * Two threads push frames through one small ring as fast as they can, both sleeping on doorbells
 * whenever it is empty or full, with batches of random sizes. Every frame's content is checked. The
 * counters start just before they wrap. Fails loudly on a spoiled frame and on a lost wake-up.
 *
 *   node bench/ring/stress.ts [frames, default 1e8] [seed]
 */
import assert from 'node:assert';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createRing } from '../../src/ring/ring.ts';

export interface StressOptions {
  /** Of 16 bytes each. */
  readonly frames: number;
  readonly seed: number;
  /** Default: 4 KiB, so that both sides sleep often. */
  readonly capacityBytes?: number;
}

export interface StressOrder extends Required<StressOptions> {
  readonly role: 'producer' | 'consumer';
  readonly ring: SharedArrayBuffer;
  readonly bells: SharedArrayBuffer;
}

export interface StressReport {
  readonly role: 'producer' | 'consumer';
  readonly checksum: number;
  /** Waits that a spin did not end. */
  readonly sleeps: number;
}

export interface StressOutcome {
  readonly seconds: number;
  readonly sleeps: Readonly<Record<'producer' | 'consumer', number>>;
}

/** Offsets of the two doorbells: work for the consumer, room for the producer. */
export const WORK_BELL = 0;
export const ROOM_BELL = 128;

/** How far before the counters wrap they start. */
const BEFORE_WRAP = 64 * 1024;

/** Runs both threads to the end; rejects with what went wrong in either. */
export async function runStress(options: StressOptions): Promise<StressOutcome> {
  const capacityBytes = options.capacityBytes ?? 4096;
  const ring = createRing(capacityBytes);
  const counters = new Int32Array(ring, 0, 64);
  counters.fill(-BEFORE_WRAP); // both control words; nothing else is there
  const bells = new SharedArrayBuffer(256);
  const start = performance.now();
  const workers = (['producer', 'consumer'] as const).map((role) => {
    const order: StressOrder = { ...options, capacityBytes, role, ring, bells };
    return new Worker(new URL('./stress-worker.ts', import.meta.url), { workerData: order });
  });
  try {
    const [produced, consumed]: StressReport[] = await Promise.all(
      workers.map(async (worker) => (await once(worker, 'message'))[0]),
    );
    assert.equal(consumed.checksum, produced.checksum, `checksums differ, seed ${options.seed}`);
    return {
      seconds: (performance.now() - start) / 1000,
      sleeps: { producer: produced.sleeps, consumer: consumed.sleeps },
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

async function main(): Promise<void> {
  const frames = Number(process.argv[2] ?? 1e8);
  const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
  console.log(`${frames} frames, seed ${seed}`);
  const { seconds, sleeps } = await runStress({ frames, seed });
  console.log(
    `ok in ${seconds.toFixed(1)} s: ${(frames / seconds / 1e6).toFixed(1)} M frames/s, ` +
      `slept ${sleeps.producer} times for room, ${sleeps.consumer} times for work`,
  );
}

// No top-level await: a worker that imports such a module, and is terminated while its own top level
// still runs, takes the whole process down (a failed check in V8; tried with Node 26.10).
if (import.meta.main) main();
