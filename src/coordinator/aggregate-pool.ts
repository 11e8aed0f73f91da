/** The pool of a client that computes aggregates. */
import { extname } from 'node:path';
import { ClientPool } from '../load/client-pool.ts';
import type { Groups } from '../view/aggregate.ts';
import type { AggregateTask } from './aggregate-worker.ts';

export class AggregatePool {
  readonly #pool = new ClientPool(
    new URL(`./aggregate-worker${extname(import.meta.url)}`, import.meta.url),
  );

  /** Tasks that run at once. */
  get threads(): number {
    return this.#pool.threads;
  }

  async run(task: AggregateTask): Promise<Groups> {
    return (await this.#pool.run(task)) as Groups;
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
