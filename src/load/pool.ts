/**
 * The Piscina pool in which the rows of a bulk load are prepared, in the thread of its client: never in a
 * shard's, whose commits go on. One a load.
 */
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import type { Piscina } from 'piscina';
import { type Parsed, type ParseTask, parseBlock } from './parse.ts';
import type { LoadTask } from './pool-worker.ts';
import { type SortedRun, type SortTask, sortChunks } from './sort.ts';

const IDLE_MS = 5000;
/** So little is done at once in this thread: to start another takes longer. */
const SMALL_BYTES = 2 ** 18;

export class LoadPool {
  #pool: Promise<Piscina> | null = null;

  /** Tasks that run at once. */
  get threads(): number {
    return availableParallelism();
  }

  async sort(sort: SortTask): Promise<SortedRun> {
    const bytes = sort.chunks.reduce((sum, { layout }) => sum + layout.bodyBytes, 0);
    if (bytes < SMALL_BYTES) return sortChunks(sort);
    return (await this.#run({ sort })) as SortedRun;
  }

  async parse(parse: ParseTask): Promise<Parsed> {
    if (parse.bytes.length < SMALL_BYTES) return parseBlock(parse);
    return (await this.#run({ parse })) as Parsed;
  }

  async #run(task: LoadTask): Promise<unknown> {
    this.#pool ??= create(this.threads);
    const pool = await this.#pool;
    return pool.run(task);
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
    filename: new URL(`./pool-worker${extname(import.meta.url)}`, import.meta.url).href,
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: IDLE_MS,
    concurrentTasksPerWorker: 1,
  });
}
