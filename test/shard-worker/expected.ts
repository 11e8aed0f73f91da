/**
 * What has to be found in the shards of a database, whatever happened to its disk: the groups written to
 * each shard, which of them are certain, and the batches across shards.
 *
 * Every group ends with a marker of its own, a key that is written once; so does every part of a
 * batch. What a crash kept can therefore be told from the rows alone: the last marker is the last
 * group, and a batch is there where its markers are.
 */
import assert from 'node:assert/strict';
import type { Salvaged } from '../../src/shard-worker/salvaged.ts';
import { BEGINNING } from '../conformance/clock.ts';
import { Followed } from './followed.ts';
import type { KeyKindName } from './key-kinds.ts';

/** Each group has this many keys to itself, from its marker on: keys that only ascend in time. */
export const KEYS_PER_GROUP = 1000;
const PART_MARKERS_AT = 900;

export interface Write {
  readonly key: number;
  /** Where it is a range that is deleted, its last key; `key` is its first. */
  readonly to?: number;
  /** What the row is told by; null: deleted. */
  readonly stamp: number | null;
  readonly batch: Batch | null;
  readonly lsn: number;
  /** When the row expires; Infinity: never. */
  readonly expiresMs?: number;
}

export interface Part {
  readonly shard: number;
  /** Number of the group on that shard, from 1. */
  readonly group: number;
  readonly marker: number;
}

/**
 * `open`: a crash may decide either way. `committed`: its owner was told so. `aborted`: it must never
 * appear, as that is durable somewhere, or a participant refused it.
 */
export interface Batch {
  readonly ticket: number;
  readonly shards: readonly number[];
  readonly parts: Part[];
  outcome: 'open' | 'committed' | 'aborted';
}

/** Rows of one shard by key, each the stamp that it is told by. */
export type Rows = ReadonlyMap<number, number>;

/** Something was lost, half there, or came back. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** What becomes of rows, each the write that made it, by another write. */
function apply(rows: Map<number, Write>, write: Write): void {
  const { key, to, stamp } = write;
  if (to !== undefined) {
    for (const at of rows.keys()) if (at >= key && at <= to) rows.delete(at);
  } else if (stamp === null) {
    rows.delete(key);
  } else {
    rows.set(key, write);
  }
}

export function groupMarker(group: number): number {
  return group * KEYS_PER_GROUP;
}

export class Expected {
  readonly shards: number;
  readonly keyKind: KeyKindName;
  /** Of each shard, the groups that may be there, in order. */
  readonly groups: Write[][][];
  /** Of each shard, how many of them survive a power cut, and how many were shown to readers. */
  readonly durable: number[];
  readonly shown: number[];
  /** How many of them the next recovery has to find. */
  required: readonly number[] = [];
  batches: Batch[] = [];
  /** What the last open said of a salvage. */
  told: readonly Salvaged[] = [];
  /**
   * A disk lied, and the power was cut: what is found has to fit together, but nothing has to be there.
   * Even what was durable before the lie may have been removed for what replaced it.
   */
  isRuined = false;
  /** Opens so far: each needs names of its own for its batches. */
  opens = 0;
  stamp = 0;
  /** Whether the disk ever failed or had no room: then shards may have given up what they only retained. */
  hadErrors = false;
  /** The time by which rows expire: it passes where a scenario says so. */
  nowMs = BEGINNING;

  /** Who keeps a copy by following the logs, all of which are retained for it; null: nobody. */
  readonly followed: Followed | null;

  constructor(shards: number, keyKind: KeyKindName = 'numbers', isFollowed = false) {
    this.shards = shards;
    this.keyKind = keyKind;
    this.followed = isFollowed ? new Followed(shards) : null;
    this.groups = Array.from({ length: shards }, () => []);
    this.durable = new Array(shards).fill(0);
    this.shown = new Array(shards).fill(0);
  }

  /** A copy that goes its own way: another future of the same past. */
  clone(): Expected {
    const copies = new Map<Batch | null, Batch>();
    // Of the others, and of groups, nothing changes any more.
    for (const batch of this.batches) {
      if (batch.outcome === 'open') copies.set(batch, { ...batch, parts: [...batch.parts] });
    }
    const copyOf = (group: Write[]): Write[] => {
      if (!group.some(({ batch }) => copies.has(batch))) return group;
      return group.map((write) => ({ ...write, batch: copies.get(write.batch) ?? write.batch }));
    };
    return Object.assign(new Expected(this.shards, this.keyKind), {
      ...this,
      followed: this.followed?.clone() ?? null,
      groups: this.groups.map((groups) => groups.map(copyOf)),
      durable: [...this.durable],
      shown: [...this.shown],
      batches: this.batches.map((batch) => copies.get(batch) ?? batch),
    });
  }

  /** The process ended and the page cache lives: all that was shown is still there. */
  processEnded(): void {
    this.required = [...this.shown];
  }

  /** The power was cut on a disk that had lied. */
  ruined(): void {
    this.isRuined = true;
    this.required = [];
  }

  powerCut(): void {
    this.required = [...this.durable];
    for (let shard = 0; shard < this.shards; shard++) this.shown[shard] = this.durable[shard];
  }

  /** The last group found no room: it must never appear, nor must the batches that had a part in it. */
  refused(shard: number): void {
    const group = this.groups[shard].length;
    this.groups[shard][group - 1] = [];
    for (const batch of this.batches) {
      const isIn = batch.parts.some((part) => part.shard === shard && part.group === group);
      if (isIn && batch.outcome === 'open') batch.outcome = 'aborted';
    }
  }

  /** The marker for a part in the group that is being written to `shard`. */
  addPart(shard: number, batch: Batch, index: number): number {
    const group = this.groups[shard].length + 1;
    const marker = groupMarker(group) + PART_MARKERS_AT + index;
    batch.parts.push({ shard, group, marker });
    return marker;
  }

  /** The rows of the first `groups` groups of a shard, and of `pending` writes after them. */
  rows(
    shard: number,
    groups: number,
    isCommitted: (batch: Batch) => boolean,
    pending: readonly Write[] = [],
  ): Rows {
    const writes = new Map<number, Write>();
    for (const group of this.groups[shard].slice(0, groups)) {
      for (const write of group) {
        if (write.batch === null || isCommitted(write.batch)) apply(writes, write);
      }
    }
    for (const write of pending) apply(writes, write);
    const rows = new Map<number, number>();
    for (const [key, { stamp, expiresMs = Number.POSITIVE_INFINITY }] of writes) {
      if (stamp !== null && expiresMs > this.nowMs) rows.set(key, stamp);
    }
    return rows;
  }

  /** Every key ever written to a shard. */
  keys(shard: number): Set<number> {
    return new Set(this.groups[shard].flat().map(({ key }) => key));
  }

  /**
   * Checks what a recovery found in the shards, then takes it for what has to be there from now on.
   * @throws Violation
   */
  settle(found: readonly Rows[]): void {
    const kept = found.map((rows, shard) => this.#groupsIn(shard, rows));
    if (this.isRuined) {
      this.#checkRuins(found, kept);
      return;
    }
    for (const batch of this.batches) this.#settleBatch(batch, found, kept);
    for (let shard = 0; shard < this.shards; shard++) {
      const wanted = this.rows(shard, kept[shard], ({ outcome }) => outcome === 'committed');
      compareRows(`shard ${shard} after ${kept[shard]} groups`, found[shard], wanted);
    }
    for (let shard = 0; shard < this.shards; shard++) {
      // What is gone may never come back, so its markers are not given to other groups' sake.
      this.groups[shard].length = kept[shard];
      this.durable[shard] = kept[shard];
      this.shown[shard] = kept[shard];
    }
    this.batches = this.batches.filter(({ outcome }) => outcome === 'committed');
  }

  /** Of each shard by itself: some first groups and no other row, each part of a batch whole or absent. */
  #checkRuins(found: readonly Rows[], kept: readonly number[]): void {
    for (let shard = 0; shard < this.shards; shard++) {
      const isIn = (batch: Batch) =>
        batch.parts.some((part) => part.shard === shard && found[shard].has(part.marker));
      const wanted = this.rows(shard, kept[shard], isIn);
      compareRows(`shard ${shard}, of a disk that lied`, found[shard], wanted);
    }
  }

  #groupsIn(shard: number, rows: Rows): number {
    const { length } = this.groups[shard];
    let kept = 0;
    for (let group = 1; group <= length; group++) if (rows.has(groupMarker(group))) kept = group;
    const required = this.required[shard] ?? 0;
    if (kept < required) {
      throw new Violation(
        `shard ${shard} ends with group ${kept}, but ${required} was acknowledged`,
      );
    }
    return kept;
  }

  #settleBatch(batch: Batch, found: readonly Rows[], kept: readonly number[]): void {
    const { ticket, parts, shards, outcome } = batch;
    const isIn = parts.map(({ shard, marker }) => found[shard].has(marker));
    const where = parts.map(({ shard, group }, i) => `${shard}@${group}: ${isIn[i]}`).join(', ');
    const what = `batch ${ticket} of shards ${shards} (${where})`;
    const isThere = isIn.includes(true);
    const isWhole =
      parts.length === shards.length && parts.every(({ shard, group }) => group <= kept[shard]);
    if (isThere && !isIn.every(Boolean)) throw new Violation(`${what} is there by half`);
    if (isThere && !isWhole) throw new Violation(`${what} is there though a part is not`);
    if (isThere && outcome === 'aborted') throw new Violation(`${what} was aborted for good`);
    if (!isThere && outcome === 'committed') throw new Violation(`${what} was acknowledged`);
    batch.outcome = isThere ? 'committed' : 'aborted';
  }
}

export function compareRows(what: string, found: Rows, wanted: Rows): void {
  for (const [key, stamp] of wanted) {
    if (found.get(key) !== stamp) {
      throw new Violation(`${what}: key ${key} is ${found.get(key)}, not ${stamp}`);
    }
  }
  for (const [key, stamp] of found) {
    if (!wanted.has(key)) throw new Violation(`${what}: key ${key} is ${stamp}, not absent`);
  }
  assert.equal(found.size, wanted.size);
}
