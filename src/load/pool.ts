/** The pool in which the rows of a bulk load are prepared, one a load. */
import { extname } from 'node:path';
import { ClientPool } from './client-pool.ts';
import { type Parsed, type ParseTask, parseBlock } from './parse.ts';
import type { LoadTask } from './pool-worker.ts';
import { type SortedRun, type SortTask, sortChunks } from './sort.ts';

/** So little is done at once in this thread: to start another takes longer. */
const SMALL_BYTES = 2 ** 18;

export class LoadPool {
  readonly #pool = new ClientPool(
    new URL(`./pool-worker${extname(import.meta.url)}`, import.meta.url),
  );

  /** Tasks that run at once. */
  get threads(): number {
    return this.#pool.threads;
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

  #run(task: LoadTask): Promise<unknown> {
    return this.#pool.run(task);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
