/**
 * A Piscina pool of a client: as many threads as there are processors, made when first needed and given
 * up when idle. Never a shard's thread: whatever runs here, commits go on.
 */
import { availableParallelism } from 'node:os';
import type { Piscina } from 'piscina';

const IDLE_MS = 5000;

export class ClientPool {
  readonly #worker: URL;
  readonly #hasTurns: boolean;
  #pool: Promise<Piscina> | null = null;

  /**
   * @param worker the module whose default export does a task
   * @param hasTurns whether the event loop of a thread turns between two tasks; else it waits for the next one
   *   in `Atomics.wait`, which is sooner by some microseconds
   */
  constructor(worker: URL, hasTurns = false) {
    this.#worker = worker;
    this.#hasTurns = hasTurns;
  }

  /** Tasks that run at once. */
  get threads(): number {
    return availableParallelism();
  }

  async run(task: unknown): Promise<unknown> {
    this.#pool ??= create(this.#worker, this.threads, this.#hasTurns);
    const pool = await this.#pool;
    return pool.run(task);
  }

  async close(): Promise<void> {
    const pool = await this.#pool;
    this.#pool = null;
    await pool?.destroy();
  }
}

async function create(worker: URL, threads: number, hasTurns: boolean): Promise<Piscina> {
  const { Piscina } = await import('piscina');
  return new Piscina({
    filename: worker.href,
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: IDLE_MS,
    concurrentTasksPerWorker: 1,
    atomics: hasTurns ? 'disabled' : 'sync',
  });
}
