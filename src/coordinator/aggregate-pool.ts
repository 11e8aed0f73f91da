/**
 * The Piscina pool of a client that computes aggregates: as many threads as there are processors, made
 * when first needed and given up when idle. Never a shard's thread: whatever an aggregate reads, commits
 * go on.
 */
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import type { Piscina } from 'piscina';
import type { Groups } from '../view/aggregate.ts';
import type { AggregateTask } from './aggregate-worker.ts';

const IDLE_MS = 5000;

export class AggregatePool {
  #pool: Promise<Piscina> | null = null;

  /** Tasks that run at once. */
  get threads(): number {
    return availableParallelism();
  }

  async run(task: AggregateTask): Promise<Groups> {
    this.#pool ??= create(this.threads);
    const pool = await this.#pool;
    return (await pool.run(task)) as Groups;
  }

  async close(): Promise<void> {
    const pool = await this.#pool;
    this.#pool = null;
    await pool?.destroy();
  }
}

async function create(threads: number): Promise<Piscina> {
  const { Piscina } = await import('piscina');
  return new Piscina({
    filename: new URL(`./aggregate-worker${extname(import.meta.url)}`, import.meta.url).href,
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: IDLE_MS,
    concurrentTasksPerWorker: 1,
  });
}
