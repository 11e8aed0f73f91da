/**
 * Measurements between two threads: a near side on this thread and a far side on a worker. Both sides
 * of a pair stand next to each other in one file, which both threads load.
 */
import assert from 'node:assert';
import { once } from 'node:events';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { createRing } from '../../src/ring/ring.ts';

/** What both sides get, new for each run. A pair uses what it needs of it. */
export interface Shared {
  readonly there: SharedArrayBuffer;
  readonly back: SharedArrayBuffer;
  /** Two doorbells, at 0 for the far side and at 128 for the near one. */
  readonly bells: SharedArrayBuffer;
  readonly port: MessagePort;
}

export const FAR_BELL = 0;
export const NEAR_BELL = 128;

export type Near = Float64Array | undefined;

export interface Pair {
  readonly label: string;
  /** May return samples of its own; see each suite. */
  near(shared: Shared, count: number): Near | Promise<Near>;
  /** Returns what the near side cannot know unless everything arrived. */
  far(shared: Shared, count: number): number | Promise<number>;
  /** The number that `far` must return. */
  expected(count: number): number;
}

export type Suite = Readonly<Record<string, Pair>>;

export interface FarOrder {
  readonly suite: string;
  readonly name: string;
  readonly shared: Shared;
  readonly count: number;
}

export interface Measured {
  readonly seconds: number;
  readonly samples: Float64Array | undefined;
}

export interface FarSide {
  measure(suite: Suite, path: string, name: string, count: number): Promise<Measured>;
  close(): Promise<void>;
}

/** Starts the worker that runs far sides, one at a time. */
export function startFarSide(capacityBytes: number): FarSide {
  const worker = new Worker(new URL('./far-side.ts', import.meta.url));
  return {
    async measure(suite, path, name, count) {
      const { port1, port2 } = new MessageChannel();
      const memory = {
        there: createRing(capacityBytes),
        back: createRing(capacityBytes),
        bells: new SharedArrayBuffer(256),
      };
      const order: FarOrder = { suite: path, name, shared: { ...memory, port: port2 }, count };
      const ready = once(worker, 'message');
      worker.postMessage(order, [port2]);
      await ready;
      const finished = once(worker, 'message');
      const start = performance.now();
      const samples = await suite[name].near({ ...memory, port: port1 }, count);
      const [result] = await finished;
      const seconds = (performance.now() - start) / 1000;
      port1.close();
      assert.equal(result, suite[name].expected(count), `${suite[name].label} lost something`);
      return { seconds, samples };
    },
    async close() {
      await worker.terminate();
    },
  };
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
