/**
 * The watches of one client: what wakes them, what keeps the process alive while one waits, and how
 * shards are told from where on their logs are still to be read.
 *
 * - One thread. All watches sleep on one doorbell, which shards ring after commits as long as somebody
 *   is there to listen.
 * - The control block has, for each shard, the least record that any of the watches has not read.
 */
import type { OmenError } from '../errors.ts';
import { Doorbell } from '../ring/doorbell.ts';
import type { Membership } from './membership.ts';

const KEEP_ALIVE_MS = 2 ** 30;

export class Watchers {
  readonly #membership: Membership;
  readonly #doorbell: Doorbell;
  readonly #all = new Set<Watcher>();
  #asleep = 0;
  #keepAlive: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(membership: Membership) {
    const { control, client } = membership;
    this.#membership = membership;
    this.#doorbell = new Doorbell(control.memory, control.logs.doorbellAt(client));
    // Who had the client's number before may have died while it watched.
    control.logs.clearClient(client);
  }

  /**
   * A watch that has read nothing yet: until it says where it begins, every log is kept as it is.
   * @param end ends it, where its client closes
   */
  add(end: (reason: OmenError) => void): Watcher {
    const watcher = new Watcher(this, this.#membership.shards, end);
    this.#all.add(watcher);
    const { control, client } = this.#membership;
    control.logs.setWatches(client, this.#all.size);
    for (let shard = 0; shard < this.#membership.shards; shard++) this.publish(shard);
    return watcher;
  }

  /** Watches that are open. */
  get size(): number {
    return this.#all.size;
  }

  remove(watcher: Watcher): void {
    if (!this.#all.delete(watcher)) return;
    this.#doorbell.ring();
    // Once it is closed, the client's number may be another's.
    if (this.#isClosed) return;
    const { control, client, shards } = this.#membership;
    for (let shard = 0; shard < shards; shard++) this.publish(shard);
    control.logs.setWatches(client, this.#all.size);
  }

  /** Tells the shard from where on its log is still to be read. */
  publish(shard: number): void {
    if (this.#isClosed) return;
    let least = Number.POSITIVE_INFINITY;
    for (const { nextLsns } of this.#all) least = Math.min(least, nextLsns[shard]);
    const { control, client } = this.#membership;
    control.logs.setFollowed(client, shard, this.#all.size === 0 ? 0 : least);
  }

  read(): number {
    return this.#doorbell.read();
  }

  /** Resolves once the doorbell was rung since `seen`. */
  async waitSince(seen: number): Promise<void> {
    const rung = this.#doorbell.sleepAsync(seen);
    if (rung === undefined) return;
    // Waiting in shared memory keeps no process alive.
    if (this.#asleep++ === 0) {
      this.#keepAlive ??= setInterval(() => {}, KEEP_ALIVE_MS);
      this.#keepAlive.ref();
    }
    await rung;
    if (--this.#asleep === 0) {
      if (this.#isClosed) clearInterval(this.#keepAlive ?? undefined);
      else this.#keepAlive?.unref();
    }
  }

  /** The client closes. */
  close(reason: OmenError): void {
    if (this.#isClosed) return;
    for (const watcher of this.#all) watcher.end(reason);
    const { control, client } = this.#membership;
    control.logs.clearClient(client);
    this.#isClosed = true;
    this.#doorbell.ring();
    if (this.#asleep === 0 && this.#keepAlive !== null) clearInterval(this.#keepAlive);
  }
}

/** One watch, as its client's others need to know of it. */
export class Watcher {
  readonly #all: Watchers;
  /** For each shard, the first record that is still to be read. */
  readonly nextLsns: number[];
  readonly end: (reason: OmenError) => void;

  constructor(all: Watchers, shards: number, end: (reason: OmenError) => void) {
    this.#all = all;
    this.end = end;
    this.nextLsns = Array.from({ length: shards }, () => 1);
  }

  /** All of the shard's log before `lsn` was read. */
  follow(shard: number, lsn: number): void {
    if (this.nextLsns[shard] === lsn) return;
    this.nextLsns[shard] = lsn;
    this.#all.publish(shard);
  }

  /** What to hand to `waitSince`: to be read before looking for changes. */
  read(): number {
    return this.#all.read();
  }

  waitSince(seen: number): Promise<void> {
    return this.#all.waitSince(seen);
  }

  remove(): void {
    this.#all.remove(this);
  }
}
