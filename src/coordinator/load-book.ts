/**
 * The bulk loads of an open database, kept by the thread that opened it: which ones are under way, and what
 * became of each. It publishes a load in all shards, or in none.
 *
 * To publish, every shard puts the load's run into its manifest, undecided, and posts a view with it; then
 * one word of shared memory shows it everywhere; then each shard writes that it is decided. A crash before
 * the word leaves a load that some manifest lacks, and recovery drops it, or one that all of them have: then
 * it counts, as nobody was told that it does not. One load is published after the other, and none before
 * every shard has written that the one before is decided: of decided ones a manifest remembers the last.
 */
import { randomBytes } from 'node:crypto';
import { OmenError } from '../errors.ts';
import type { WrittenLoad } from '../shard-worker/engine.ts';
import { loadBatchName } from '../shard-worker/records.ts';
import type { Control } from '../view/control.ts';
import type { RunSlice } from '../view/run-slice.ts';
import type { ShardThread } from './shard-thread.ts';

/** What a client may ask for its loads. */
export interface LoadCalls {
  /** Begins a load and returns its name; its mark is to follow, from the client. */
  beginLoad(): Promise<string>;
  writeLoad(name: string, shard: number, slice: RunSlice): Promise<WrittenLoad>;
  /** @param ids of each shard the segments that make up its run, in key order */
  publishLoad(name: string, ids: readonly (readonly number[])[]): Promise<void>;
  /** Ends a load that was not published: nothing of it is left. */
  abortLoad(name: string): Promise<void>;
}

interface Load {
  readonly client: number;
  state: 'open' | 'published' | 'aborted';
}

export class LoadBook {
  readonly #control: Control;
  readonly #threadOf: readonly number[];
  readonly #serving: (thread: number) => Promise<ShardThread>;
  readonly #removeSpilled: (name: string) => void;
  /** By the names that recovery has for them. */
  readonly #loads = new Map<string, Load>();
  #published = 0;
  #publishing: Promise<void> = Promise.resolve();
  #isClosed = false;

  /**
   * @param serving a thread that serves, once it has come back if it died
   * @param removeSpilled removes the files of a load that has ended
   */
  constructor(
    control: Control,
    threadOf: readonly number[],
    serving: (thread: number) => Promise<ShardThread>,
    removeSpilled: (name: string) => void,
  ) {
    this.#control = control;
    this.#threadOf = threadOf;
    this.#serving = serving;
    this.#removeSpilled = removeSpilled;
  }

  callsOf(client: number): LoadCalls {
    return {
      beginLoad: async () => this.#begin(client),
      writeLoad: async (name, shard, slice) => {
        const thread = await this.#serving(this.#threadOf[shard]);
        return thread.writeLoad(name, shard, slice);
      },
      publishLoad: (name, ids) => this.#publishInTurn(name, ids),
      abortLoad: (name) => this.#end(name, false),
    };
  }

  #begin(client: number): string {
    const name = randomBytes(8).toString('hex');
    this.#loads.set(loadBatchName(name), { client, state: 'open' });
    return name;
  }

  get #threads(): number[] {
    return [...new Set(this.#threadOf)];
  }

  #publishInTurn(name: string, ids: readonly (readonly number[])[]): Promise<void> {
    const turn = this.#publishing.then(() => this.#publish(name, ids));
    this.#publishing = turn.catch(() => {});
    return turn;
  }

  async #publish(name: string, ids: readonly (readonly number[])[]): Promise<void> {
    const load = this.#loads.get(loadBatchName(name));
    const isOpen = () => load?.state === 'open';
    const gone = () => new OmenError('OMEN_ABORTED', 'The load was ended before it was published.');
    if (this.#isClosed) throw new OmenError('OMEN_CLOSED', 'The database was closed.');
    if (!isOpen()) throw gone();
    const number = ++this.#published;
    const participants = ids.map((_, shard) => shard);
    try {
      await Promise.all(
        this.#threads.map(async (thread) => (await this.#serving(thread)).settleLoads()),
      );
      for (const [batch, { state }] of this.#loads) {
        if (state === 'published') this.#loads.delete(batch);
      }
      await all(
        ids.map(async (own, shard) => {
          const thread = await this.#serving(this.#threadOf[shard]);
          await thread.prepareLoad({ name, number, participants, shard, ids: own });
        }),
      );
      // A thread that died meanwhile has been told that it is not.
      if (!isOpen() || load === undefined) throw gone();
      load.state = 'published';
      this.#control.publish(number);
    } catch (error) {
      await this.#end(name, false);
      throw error;
    }
    await this.#end(name, true);
  }

  /** Never rejects: a shard that cannot take it knows from its files when it is recovered. */
  async #end(name: string, isPublished: boolean): Promise<void> {
    const load = this.#loads.get(loadBatchName(name));
    if (load === undefined || (load.state === 'published') !== isPublished) return;
    load.state = isPublished ? 'published' : 'aborted';
    await Promise.allSettled(
      this.#threads.map(async (thread) =>
        (await this.#serving(thread)).settleLoad(name, isPublished),
      ),
    );
    this.#removeSpilled(name);
    // Of a published one, a shard whose thread died may have to be told yet.
    if (!isPublished) this.#loads.delete(loadBatchName(name));
  }

  /** Whether a load that a thread's recovery found undecided is published; if not by now, it will never be. */
  decide(batch: string): boolean {
    const load = this.#loads.get(batch);
    if (load?.state === 'open') load.state = 'aborted';
    return load?.state === 'published';
  }

  /** Publishes nothing more; waits for what is being published, as its caller has to be told how it ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#publishing;
  }

  /** Ends the loads of a client that is gone. */
  clientGone(client: number): void {
    for (const [batch, load] of this.#loads) {
      if (load.client === client && load.state === 'open') {
        void this.#end(batch.slice(loadBatchName('').length), false);
      }
    }
  }
}

/** Waits for all, whatever becomes of them; then throws what was the first to fail. */
async function all(promises: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(promises);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
