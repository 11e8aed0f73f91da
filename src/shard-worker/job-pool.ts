/**
 * The Piscina pool of one shard thread: three threads at most, for a flush, a merge and a bulk load, made
 * when first needed and given up when idle. It belongs to the shard thread, not to the coordinator,
 * whose event loop a user may block for as long as they like.
 */
import { extname } from 'node:path';
import type { Piscina } from 'piscina';
import { type Job, type JobOutcome, type JobResult, resultOf } from './jobs.ts';

const IDLE_MS = 5000;
/** A job's arrays are outside the heap; V8 would let the young generation grow to some 100 MB. */
const YOUNG_MB = 8;

export class JobPool {
  #pool: Promise<Piscina> | null = null;

  async run(job: Job): Promise<JobResult> {
    this.#pool ??= create();
    const pool = await this.#pool;
    return resultOf((await pool.run(job)) as JobOutcome);
  }

  async close(): Promise<void> {
    const pool = await this.#pool;
    await pool?.destroy();
  }
}

async function create(): Promise<Piscina> {
  const { Piscina } = await import('piscina');
  return new Piscina({
    filename: new URL(`./pool-worker${extname(import.meta.url)}`, import.meta.url).href,
    minThreads: 0,
    maxThreads: 3,
    idleTimeout: IDLE_MS,
    concurrentTasksPerWorker: 1,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
}
