/**
 * A watch: the changes of a range, as they are committed, read from the shards' logs.
 *
 * - What is handed out is durable and shown. It comes in groups, each of which is a whole commit of one
 *   shard or a batch over several, with the position behind it: who stores that with what the group made
 *   of it sees every change once, in this process or the next.
 * - Of each shard changes come in the order of its log; between shards, a batch comes after all that
 *   precedes any of its parts. A shard's changes behind a part wait for the outcome of its batch, which
 *   the commit table tells, or this log further on. All shards have their parts in one order, so no two
 *   wait for each other.
 * - Nothing is buffered but the frame at hand of each shard. It reads while it is asked, and sleeps on
 *   its client's doorbell (`watchers.ts`) where there is nothing more.
 * - As long as it is open, the logs are kept from its position on, within bounds (`wal/retention.ts`).
 */
import type { Epoch } from '../shard-worker/records.ts';
import type { Storage } from '../storage/storage.ts';
import { COMMITTED, UNDECIDED } from '../view/commit-table.ts';
import { LogFollower } from '../wal/follower.ts';
import { shardDirectory } from './identity.ts';
import type { Membership } from './membership.ts';
import { formatPosition, type Position } from './position.ts';
import type { Iteration, RangeOptions } from './range.ts';
import type { Reader } from './reader.ts';
import { throwIfAborted } from './scan.ts';
import { type Change, type ChangedPart, ShardChanges, type Unit } from './shard-changes.ts';
import type { Watcher, Watchers } from './watchers.ts';

export interface WatchOptions extends RangeOptions {
  /** The position behind which to begin. Default: that of now. */
  readonly from?: string;
  readonly signal?: AbortSignal;
}

/** What was committed together, or by one shard one after the other, and where that leads. */
export interface Changes<Key = unknown, Row = unknown> {
  readonly changes: readonly Change<Key, Row>[];
  /** Behind them: what `from` takes. */
  readonly position: string;
}

/** So long a watch goes on before the event loop has a turn. */
const TURN_MS = 20;

export interface WatchPlan {
  readonly membership: Membership;
  readonly storage: Storage;
  readonly reader: Reader;
  readonly watchers: Watchers;
  readonly range: Iteration;
  /** Called once the logs are kept for the watch. */
  readonly from: () => Position;
  readonly signal: AbortSignal | undefined;
}

/** Where one shard is. */
interface Lane {
  readonly shard: number;
  readonly changes: ShardChanges;
  /** All up to here was handed out, or is not to be, but for open batches. */
  lsn: number;
  readonly fromLsn: number;
  readonly durableLsn: number;
}

export class Watch<Key = unknown, Row = unknown>
  implements AsyncIterableIterator<Changes<Key, Row>, undefined>
{
  readonly #plan: WatchPlan;
  readonly #range: readonly [Iteration];
  readonly #watcher: Watcher;
  readonly #lanes: Lane[];
  #open = new Set<string>();
  readonly #onAbort = (): void => this.#end(abortedBy(this.#plan.signal));
  /** The lane to begin with: each has its turn. */
  #turn = 0;
  #turnedMs = performance.now();
  #isOver = false;
  #failure: unknown;
  /** The steps that were asked for, one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  /** Use `watch` of a database. */
  constructor(plan: WatchPlan) {
    const { membership, storage, reader, watchers, signal } = plan;
    this.#plan = plan;
    this.#range = [plan.range];
    throwIfAborted(signal);
    // First of all: from here on nothing is given up that we are to read.
    this.#watcher = watchers.add((reason) => this.#end(reason));
    const lanes: Lane[] = [];
    this.#lanes = lanes;
    try {
      const { shards, open } = plan.from();
      this.#open = new Set(open);
      const databaseId = Uint8Array.from(Buffer.from(membership.databaseId, 'hex'));
      for (const [shard, { lsn, fromLsn, durableLsn }] of shards.entries()) {
        const directory = shardDirectory(membership.path, shard);
        const follower = new LogFollower(storage, directory, { databaseId, shard }, fromLsn);
        const changes = new ShardChanges(shard, reader, follower);
        lanes.push({ shard, changes, lsn, fromLsn, durableLsn });
        this.#watcher.follow(shard, fromLsn);
        // What is gone is told at once.
        follower.seek();
      }
    } catch (error) {
      this.#end(error);
      throw error;
    }
    signal?.addEventListener('abort', this.#onAbort);
  }

  /**
   * The next group that has a change of the range: it waits for one, and keeps the process alive. Rejects
   * with OMEN_LSN_GONE where the log was given up before it was read, OMEN_ABORTED, OMEN_CLOSED,
   * OMEN_CORRUPT, OMEN_IO, OMEN_UNSAFE_INTEGER; then the watch is over.
   */
  next(): Promise<IteratorResult<Changes<Key, Row>, undefined>> {
    const step = this.#last.then(() => this.#next());
    this.#last = step.catch(() => {});
    return step;
  }

  /** Ends the watch: also a `next` that waits. */
  return(): Promise<IteratorResult<Changes<Key, Row>, undefined>> {
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** Behind everything handed out, and what lies outside the range: what `from` takes. */
  get position(): string {
    this.#forgetOpen();
    const shards = this.#lanes.map(({ lsn, fromLsn, durableLsn }) => {
      const first = this.#open.size === 0 ? lsn + 1 : Math.min(fromLsn, lsn + 1);
      return { lsn, fromLsn: first, durableLsn };
    });
    return formatPosition(this.#plan.membership, { shards, open: this.#open });
  }

  /** What is open and was not met where it may be is nowhere: it came to nothing. */
  #forgetOpen(): void {
    if (this.#open.size === 0) return;
    const isBehind = this.#lanes.every(({ changes, lsn }) => changes.nextLsn > lsn);
    if (isBehind) this.#open.clear();
  }

  /** @param failure what whoever asks for more is told; none: that there is no more */
  #end(failure?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = failure;
    this.#watcher.remove();
    for (const { changes } of this.#lanes) changes.close();
    this.#plan.signal?.removeEventListener('abort', this.#onAbort);
  }

  async #next(): Promise<IteratorResult<Changes<Key, Row>, undefined>> {
    for (;;) {
      // First of all: what ends the watch rings, too.
      const seen = this.#watcher.read();
      if (this.#isOver) {
        if (this.#failure !== undefined) throw this.#failure;
        return { done: true, value: undefined };
      }
      const found = this.#isDue() ? null : this.#try();
      if (found !== null) {
        const changes = found as Change<Key, Row>[];
        return { done: false, value: { changes, position: this.position } };
      }
      if (this.#isOver) continue;
      if (this.#isDue()) await new Promise((resolve) => setImmediate(resolve));
      else await this.#watcher.waitSince(seen);
      this.#turnedMs = performance.now();
    }
  }

  #try(): Change[] | null {
    try {
      return this.#step();
    } catch (error) {
      this.#end(error);
      return null;
    }
  }

  #isDue(): boolean {
    return performance.now() - this.#turnedMs > TURN_MS;
  }

  /** The next changes, or null: there are none yet, or time is up. */
  #step(): Change[] | null {
    for (;;) {
      const changes = this.#advanceAny() ?? this.#takeIncomplete();
      if (changes === null || changes.length > 0) return changes;
      if (this.#isDue()) return null;
    }
  }

  /** What the next lane in turn hands out that can go on; null where none can. */
  #advanceAny(): Change[] | null {
    const { length } = this.#lanes;
    for (let i = 0; i < length; i++) {
      const changes = this.#advance(this.#lanes[this.#turn]);
      if (changes !== null && changes.length === 0) return changes;
      this.#turn = (this.#turn + 1) % length;
      if (changes !== null) return changes;
    }
    return null;
  }

  /** Goes over the lane's next unit and what is of one batch with it; null where that is to wait. */
  #advance(lane: Lane): Change[] | null {
    const part = this.#head(lane)?.part;
    if (part === undefined) return null;
    if (part === null) return this.#take([lane]);
    const outcome = this.#outcome(lane, part);
    if (outcome === null) return null;
    if (!outcome) {
      this.#open.delete(part.name);
      this.#pass(lane);
      return [];
    }
    const lanes = this.#lanesWith(part);
    return lanes.length === part.participants.length ? this.#take(lanes) : null;
  }

  /** The lane's next unit that is still to be handed out. */
  #head({ shard, changes, lsn }: Lane): Unit | null {
    const durableLsn = this.#plan.membership.control.logs.durableLsn(shard);
    for (;;) {
      const unit = changes.head(durableLsn);
      if (unit === null || unit.lastLsn > lsn) return unit;
      if (unit.part !== null && this.#open.has(unit.part.name)) return unit;
      changes.pass();
    }
  }

  #lanesWith({ name, participants }: ChangedPart): Lane[] {
    return this.#lanes.filter(
      (lane) => participants.includes(lane.shard) && this.#head(lane)?.part?.name === name,
    );
  }

  /** Whether the batch is committed, or null while it is undecided or we cannot know. */
  #outcome({ shard, changes }: Lane, { name, ticket, epoch }: ChangedPart): boolean | null {
    const { control } = this.#plan.membership;
    if (this.#isOfNow(epoch)) {
      const state = control.table.state(ticket);
      if (state === UNDECIDED) return null;
      if (state !== undefined) return state === COMMITTED;
    }
    return changes.outcome(name, control.logs.durableLsn(shard));
  }

  #isOfNow({ lo, hi }: Epoch): boolean {
    const { epoch } = this.#plan.membership;
    return epoch.lo === lo && epoch.hi === hi;
  }

  /** Hands out the next units of these lanes. */
  #take(lanes: readonly Lane[]): Change[] {
    const changes: Change[] = [];
    for (const [i, lane] of lanes.entries()) {
      const name = this.#head(lane)?.part?.name;
      lane.changes.decode(this.#range, i === 0, changes);
      if (i === lanes.length - 1 && name !== undefined) this.#open.delete(name);
    }
    for (const lane of lanes) this.#pass(lane);
    return this.#plan.range.isEmpty ? [] : changes;
  }

  #pass(lane: Lane): void {
    const { shard, changes, fromLsn } = lane;
    const unit = changes.pass();
    lane.lsn = Math.max(lane.lsn, unit.lastLsn);
    this.#watcher.follow(shard, this.#open.size === 0 ? lane.lsn + 1 : fromLsn);
  }

  /**
   * With a durability below 'sync', a power cut may have taken parts of a batch that others knew to be
   * committed. Once every lane is at its end, or waits for such a part, what there is of the batch is all.
   */
  #takeIncomplete(): Change[] | null {
    const waiting = this.#lanes.filter((lane) => {
      const part = this.#head(lane)?.part ?? null;
      return part !== null && !this.#isOfNow(part.epoch) && this.#outcome(lane, part) === true;
    });
    const isNext = (lane: Lane): boolean => {
      const part = this.#head(lane)?.part;
      return !!part?.participants.every((shard) => {
        const other = this.#head(this.#lanes[shard]);
        return other === null || other.part?.name === part.name;
      });
    };
    const lane = waiting.find(isNext) ?? waiting[0];
    const part = lane === undefined ? null : this.#head(lane)?.part;
    return part ? this.#take(this.#lanesWith(part)) : null;
  }
}

function abortedBy(signal: AbortSignal | undefined): unknown {
  try {
    throwIfAborted(signal);
  } catch (error) {
    return error;
  }
  return undefined;
}
