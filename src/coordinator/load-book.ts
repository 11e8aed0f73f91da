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
import type { Partitioning } from '../view/partition.ts';
import type { RunSlice } from '../view/run-slice.ts';
import type { ShardThread } from './shard-thread.ts';

/** What a client may ask for its loads. */
export interface LoadCalls {
  /**
   * Begins a load, once it may; its mark is to follow, from the client.
   * @param name `newLoadName()`
   * @param isAlone whether no other may be under way: this one waits for those that began before, and those
   *   that begin later wait for it
   * @throws OMEN_ABORTED where it was ended meanwhile
   */
  beginLoad(name: string, isAlone: boolean): Promise<void>;
  writeLoad(name: string, shard: number, slice: RunSlice): Promise<WrittenLoad>;
  /** @param ids of each shard the segments that make up its run, in key order */
  publishLoad(name: string, ids: readonly (readonly number[])[]): Promise<void>;
  /** Ends a load that was not published: nothing of it is left. */
  abortLoad(name: string): Promise<void>;
  /**
   * Writes down where shards begin, of an empty database. At once: the caller knows that it is empty, and writes
   * nothing meanwhile. False where others may have written, whom nobody asks.
   * @throws what the storage throws
   */
  repartition(partitioning: Partitioning): boolean;
}

interface Load {
  readonly client: number;
  readonly isAlone: boolean;
  state: 'open' | 'published' | 'aborted';
  /**
   * Whether shards are getting ready for it: then they are told how it ends by who publishes it, and by nobody
   * before they are.
   */
  isPublishing: boolean;
  /** Whether they are being told. */
  isEnding: boolean;
  /** Resolves once all of them have taken it. */
  readonly over: PromiseWithResolvers<void>;
}

/** A client that loads. */
interface Owner {
  readonly client: number;
  isGone: boolean;
}

export function newLoadName(): string {
  return randomBytes(8).toString('hex');
}

export class LoadBook {
  readonly #control: Control;
  readonly #threadOf: readonly number[];
  readonly #serving: (thread: number) => Promise<ShardThread>;
  readonly #removeSpilled: (name: string) => void;
  readonly #repartition: (partitioning: Partitioning) => boolean;
  /** By the names that recovery has for them. */
  readonly #loads = new Map<string, Load>();
  /** By the numbers of clients, which others have after them. */
  readonly #owners = new Map<number, Owner>();
  #published = 0;
  #publishing: Promise<void> = Promise.resolve();
  #isClosed = false;

  /**
   * @param serving a thread that serves, once it has come back if it died
   * @param removeSpilled removes the files of a load that has ended
   * @param repartition see `LoadCalls`
   */
  constructor(
    control: Control,
    threadOf: readonly number[],
    serving: (thread: number) => Promise<ShardThread>,
    removeSpilled: (name: string) => void,
    repartition: (partitioning: Partitioning) => boolean,
  ) {
    this.#control = control;
    this.#threadOf = threadOf;
    this.#serving = serving;
    this.#removeSpilled = removeSpilled;
    this.#repartition = repartition;
  }

  callsOf(client: number): LoadCalls {
    const owner = { client, isGone: false };
    this.#owners.set(client, owner);
    return {
      beginLoad: (name, isAlone) => this.#begin(owner, name, isAlone),
      writeLoad: async (name, shard, slice) => {
        const thread = await this.#serving(this.#threadOf[shard]);
        return thread.writeLoad(name, shard, slice);
      },
      publishLoad: (name, ids) => this.#publishInTurn(name, ids),
      abortLoad: (name) => this.#abort(name),
      repartition: this.#repartition,
    };
  }

  async #begin({ client, isGone }: Owner, name: string, isAlone: boolean): Promise<void> {
    // What it asked for before may be heard after its end; nobody would ever end its load.
    if (isGone) throw lost();
    // One that looks at what is there has to know what older loads have become, and no load may become older
    // than it any more.
    const before = [...this.#loads.values()].filter((load) => isAlone || load.isAlone);
    const load: Load = {
      ...{ client, isAlone, state: 'open', isPublishing: false, isEnding: false },
      over: Promise.withResolvers(),
    };
    this.#loads.set(loadBatchName(name), load);
    // Unless it is ended itself.
    await Promise.race([load.over.promise, Promise.all(before.map(({ over }) => over.promise))]);
    if (load.state === 'open') return;
    throw new OmenError('OMEN_ABORTED', 'The load was ended before it began.');
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
    if (this.#isClosed) throw new OmenError('OMEN_CLOSED', 'The database was closed.');
    if (load?.state !== 'open') throw lost();
    load.isPublishing = true;
    try {
      await this.#show(name, load, ids);
    } catch (error) {
      load.state = 'aborted';
      throw error;
    } finally {
      await this.#end(name, load);
    }
  }

  async #show(name: string, load: Load, ids: readonly (readonly number[])[]): Promise<void> {
    const number = ++this.#published;
    const participants = ids.map((_, shard) => shard);
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
    // Its client may be gone by now; or a thread died, which was told that the load is not published.
    if (load.state !== 'open') throw lost();
    load.state = 'published';
    this.#control.publish(number);
  }

  async #abort(name: string): Promise<void> {
    const load = this.#loads.get(loadBatchName(name));
    if (load === undefined || load.state === 'published') return;
    load.state = 'aborted';
    if (load.isPublishing) await load.over.promise;
    else await this.#end(name, load);
  }

  /**
   * Tells the shards what became of it. Never rejects: one that cannot take it knows from its files when it is
   * recovered.
   */
  async #end(name: string, load: Load): Promise<void> {
    if (load.isEnding) return load.over.promise;
    load.isEnding = true;
    const isPublished = load.state === 'published';
    await Promise.allSettled(
      this.#threads.map(async (thread) =>
        (await this.#serving(thread)).settleLoad(name, isPublished),
      ),
    );
    this.#removeSpilled(name);
    load.over.resolve();
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
    const owner = this.#owners.get(client);
    if (owner !== undefined) owner.isGone = true;
    for (const [batch, load] of this.#loads) {
      if (load.client === client) void this.#abort(batch.slice(loadBatchName('').length));
    }
  }
}

/** To nobody, where the client is gone. */
function lost(): OmenError {
  const message = 'The thread of a shard was replaced before the load was published: load again.';
  return new OmenError('OMEN_SHARD_FAILED', message);
}

/** Waits for all, whatever becomes of them; then throws what was the first to fail. */
async function all(promises: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(promises);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
