/**
 * Somebody outside who follows the logs of the shards and keeps a copy of them, which outlives every
 * crash together with how far it has got: what the changes of `watch` are good for.
 */
import { type Change, ShardChanges } from '../../src/coordinator/shard-changes.ts';
import { OmenError } from '../../src/errors.ts';
import { batchName, type Epoch } from '../../src/shard-worker/records.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { boundsOf, greatestBound, leastBound } from '../../src/view/bounds.ts';
import { COMMITTED, UNDECIDED } from '../../src/view/commit-table.ts';
import type { Control } from '../../src/view/control.ts';
import { LogFollower } from '../../src/wal/follower.ts';
import { compareRows, type Rows, Violation } from './expected.ts';
import type { KeyKind } from './key-kinds.ts';

/** What is followed: shards as they are open now. */
export interface Source {
  readonly storage: Storage;
  readonly control: Control;
  readonly databaseId: string;
  readonly epoch: Epoch;
  readonly kind: KeyKind;
  directoryOf(shard: number): string;
}

interface Lane {
  readonly shard: number;
  readonly changes: ShardChanges;
}

interface Copied {
  readonly stamp: number;
  /** NaN: nobody knows. */
  readonly expiresMs: number;
}

const ALL = Number.POSITIVE_INFINITY;
/** Nothing but a disk that failed, or is full, is an excuse. */
const EXCUSES = ['OMEN_IO', 'OMEN_DISK_FULL', 'OMEN_TOO_MANY_FILES'];

export class Followed {
  readonly #copies: Map<number, Copied>[];
  readonly #lsns: number[];
  /** Shards of which rows were loaded that no log has: their copies are to be made anew. */
  readonly #loaded = new Set<number>();

  constructor(shards: number) {
    this.#copies = Array.from({ length: shards }, () => new Map());
    this.#lsns = new Array(shards).fill(0);
  }

  clone(): Followed {
    const other = new Followed(this.#lsns.length);
    for (const [shard, copy] of this.#copies.entries()) {
      other.#copies[shard] = new Map(copy);
      other.#lsns[shard] = this.#lsns[shard];
      if (this.#loaded.has(shard)) other.#loaded.add(shard);
    }
    return other;
  }

  /**
   * Goes on as far as the logs are durable. False where the disk kept it from that.
   * @param mayBeGone whether shards may have given up their logs, as for want of room
   * @throws Violation
   */
  follow(source: Source, mayBeGone: boolean): boolean {
    const { storage, databaseId, kind } = source;
    const id = Uint8Array.from(Buffer.from(databaseId, 'hex'));
    const lanes = this.#lsns.map((lsn, shard): Lane => {
      const directory = source.directoryOf(shard);
      const identity = { databaseId: id, shard };
      const follower = new LogFollower(storage, directory, identity, lsn + 1);
      const reader = { key: kind.codec, readers: kind.readers };
      return { shard, changes: new ShardChanges(shard, reader, follower) };
    });
    kind.instant.nowMs = 0;
    try {
      while (lanes.some((lane) => this.#advance(lane, lanes, source)));
      return true;
    } catch (error) {
      if (!(error instanceof OmenError)) throw error;
      if (EXCUSES.includes(error.code)) return false;
      if (error.code === 'OMEN_LSN_GONE' && mayBeGone) return false;
      throw new Violation(`who follows the logs is told: ${error.message}`);
    } finally {
      for (const { changes } of lanes) changes.close();
    }
  }

  #advance(lane: Lane, lanes: readonly Lane[], source: Source): boolean {
    const head = ({ shard, changes }: Lane) => {
      const durableLsn = source.control.logs.durableLsn(shard);
      // A frame may begin with what was read before.
      while ((changes.head(durableLsn)?.lastLsn ?? ALL) <= this.#lsns[shard]) changes.pass();
      return changes.head(durableLsn)?.part;
    };
    const part = head(lane);
    if (part === undefined) return false;
    if (part === null) {
      this.#take(lane, source.kind);
      return true;
    }
    const { control, epoch } = source;
    const isOfNow = part.name === batchName(epoch, part.ticket);
    const state = isOfNow ? control.table.state(part.ticket) : undefined;
    const durableLsn = control.logs.durableLsn(lane.shard);
    const outcome =
      state === undefined
        ? lane.changes.outcome(part.name, durableLsn)
        : state === UNDECIDED
          ? null
          : state === COMMITTED;
    if (outcome === null) return false;
    if (!outcome) {
      this.#lsns[lane.shard] = lane.changes.pass().lastLsn;
      return true;
    }
    const together = lanes.filter((other) => head(other)?.name === part.name);
    if (together.length < part.participants.length) return false;
    for (const one of together) this.#take(one, source.kind);
    return true;
  }

  #take({ shard, changes }: Lane, kind: KeyKind): void {
    const { codec } = kind;
    const all = boundsOf(leastBound(codec.type), greatestBound(codec.type), false, false);
    const found: Change[] = [];
    changes.decode([all], true, found);
    for (const change of found) this.#apply(shard, change, kind);
    this.#lsns[shard] = changes.pass().lastLsn;
  }

  #apply(shard: number, change: Change, { numberOf }: KeyKind): void {
    const copy = this.#copies[shard];
    const at = (key: unknown) => numberOf(key as Parameters<typeof numberOf>[0]);
    if (change.type === 'put') {
      const { stamp } = change.value as { stamp: number };
      copy.set(at(change.key), { stamp, expiresMs: change.expiresAt ?? ALL });
    } else if (change.type === 'del') {
      copy.delete(at(change.key));
    } else if (change.type === 'load') {
      this.#loaded.add(shard);
    } else {
      const { gte, lte } = change.range;
      for (const key of copy.keys()) if (key >= at(gte) && key <= at(lte)) copy.delete(key);
    }
  }

  /**
   * Compares the copies with what the shards hold, those that nothing was loaded into, and begins the others
   * anew. @throws Violation
   */
  check(found: readonly Rows[], nowMs: number): void {
    for (const [shard, copy] of this.#copies.entries()) {
      if (this.#loaded.delete(shard)) {
        this.#renew(shard, found[shard]);
        continue;
      }
      const rows = new Map<number, number>();
      for (const [key, { stamp, expiresMs }] of copy) {
        const isThere = Number.isNaN(expiresMs) ? found[shard].has(key) : expiresMs > nowMs;
        if (isThere) rows.set(key, stamp);
      }
      compareRows(`shard ${shard} by its changes`, rows, found[shard]);
    }
  }

  /** Begins anew with what the shards hold, after logs were given up. */
  renew(found: readonly Rows[], lsns: readonly number[]): void {
    for (const [shard, rows] of found.entries()) {
      this.#renew(shard, rows);
      this.#lsns[shard] = lsns[shard];
    }
    this.#loaded.clear();
  }

  #renew(shard: number, rows: Rows): void {
    const copied = [...rows].map(
      ([key, stamp]) => [key, { stamp, expiresMs: Number.NaN }] as const,
    );
    this.#copies[shard] = new Map(copied);
  }
}
