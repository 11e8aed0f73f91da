/**
 * The changes of one shard, as its log has them, in *units*: the part of a batch across shards, or a
 * stretch of records that belong to none. A batch of one shard stands in the log as records that follow
 * each other, within such a stretch: it is never cut.
 *
 * Records are decoded where they lie in the frame at hand, so a unit is valid until the next is asked for.
 */
import { OmenError } from '../errors.ts';
import type { DecodedKey } from '../schema/key.ts';
import {
  compareBytes,
  type KeyMemory,
  keyMemory,
  STORED_KEY_AT,
  storedBytes,
} from '../schema/key-bytes.ts';
import { type Views, viewsOf } from '../schema/row.ts';
import {
  batchName,
  COMMITTED_FLAG,
  DECISION,
  DEL,
  EPOCH_HI,
  EPOCH_LO,
  type Epoch,
  isWhole,
  KEY_HI,
  KEY_LO,
  LOAD_MARK,
  LOADED,
  OPERATION_BYTES,
  OPERATIONS,
  PART,
  PARTICIPANTS,
  PUT,
  RANGE_DELETE,
  SHARDS,
  TICKET,
  TYPE,
} from '../shard-worker/records.ts';
import { type Bound, greatestBound, type KeyBounds, leastBound } from '../view/bounds.ts';
import { decodeRange, isCleared, isRange } from '../view/cleared.ts';
import { givenTime } from '../view/expiry.ts';
import type { LogFollower } from '../wal/follower.ts';
import { recordStride } from '../wal/frame.ts';
import type { Frame } from '../wal/reader.ts';
import type { Reader } from './reader.ts';

/** Every key from `gte` (or behind `gt`) to `lte` (or before `lt`) was deleted; an end left out is open. */
export interface ClearedKeys<Key = unknown> {
  readonly gt?: Key;
  readonly gte?: Key;
  readonly lt?: Key;
  readonly lte?: Key;
}

/** One change that was committed. */
export type Change<Key = unknown, Row = unknown> =
  | {
      readonly type: 'put';
      readonly key: Key;
      readonly value: Row;
      /** Where rows may expire, when this one does, in milliseconds since 1970; null: never. */
      readonly expiresAt?: number | null;
    }
  | { readonly type: 'del'; readonly key: Key }
  | { readonly type: 'clear'; readonly range: ClearedKeys<Key> }
  /** Rows of a bulk load are there, which no log has: what was made of the range has to be made anew. */
  | { readonly type: 'load' };

/** The part of a batch across shards. */
export interface ChangedPart {
  readonly name: string;
  readonly ticket: number;
  readonly epoch: Epoch;
  readonly participants: readonly number[];
}

/** What rows and keys are read by. */
export type Decoders = Pick<Reader, 'key' | 'readers'>;

export interface Unit {
  readonly firstLsn: number;
  readonly lastLsn: number;
  readonly part: ChangedPart | null;
  /** Where its operations lie in the frame. */
  readonly start: number;
  readonly end: number;
}

export class ShardChanges {
  readonly #shard: number;
  readonly #reader: Decoders;
  readonly #follower: LogFollower;
  /** Looks ahead for the outcomes of batches. */
  #scout: LogFollower | null = null;
  /** Outcomes that the scout has passed, and we have not. */
  readonly #outcomes = new Map<string, boolean>();
  #units: Unit[] = [];
  #at = 0;
  #views: Views = viewsOf(new ArrayBuffer(8));
  #memory: KeyMemory = keyMemory(this.#views.u8.buffer);

  constructor(shard: number, reader: Decoders, follower: LogFollower) {
    this.#shard = shard;
    this.#reader = reader;
    this.#follower = follower;
  }

  /**
   * The next unit, until `pass`; null where nothing more is durable.
   * @throws OMEN_LSN_GONE, OMEN_CORRUPT, OMEN_NEWER_FORMAT, what the storage throws
   */
  head(durableLsn: number): Unit | null {
    while (this.#at === this.#units.length) {
      const frame = this.#follower.next(durableLsn);
      if (frame === null) return null;
      this.#take(frame);
    }
    return this.#units[this.#at];
  }

  /** Goes on behind the head, which it returns. */
  pass(): Unit {
    return this.#units[this.#at++];
  }

  /** The first record that was not passed. */
  get nextLsn(): number {
    const unit = this.#units[this.#at];
    return unit === undefined ? this.#follower.nextLsn : unit.firstLsn;
  }

  close(): void {
    this.#follower.close();
    this.#scout?.close();
  }

  /**
   * The outcome of a batch whose part is here, as this log has it further on; null where that is not
   * durable yet.
   * @throws as `head`
   */
  outcome(name: string, durableLsn: number): boolean | null {
    if (!this.#outcomes.has(name)) this.#scoutFor(name, durableLsn);
    return this.#outcomes.get(name) ?? null;
  }

  #scoutFor(name: string, durableLsn: number): void {
    if (this.#scout === null || this.#scout.nextLsn < this.#follower.nextLsn) {
      this.#scout?.close();
      this.#scout = this.#follower.fork();
    }
    while (!this.#outcomes.has(name)) {
      const frame = this.#scout.next(durableLsn);
      if (frame === null) return;
      this.#eachRecord(frame, (at, type) => {
        if (type === DECISION) {
          this.#outcomes.set(nameAt(frame.views.u32, at), isCommitted(frame.views.u32, at));
        }
      });
    }
  }

  #take(frame: Frame): void {
    const { u8 } = frame.views;
    if (u8.buffer !== this.#views.u8.buffer) {
      this.#views = viewsOf(u8.buffer);
      this.#memory = keyMemory(u8.buffer);
    }
    this.#units = this.#unitsOf(frame);
    this.#at = 0;
  }

  #unitsOf(frame: Frame): Unit[] {
    const units: Unit[] = [];
    let start = frame.start;
    let firstLsn = frame.firstLsn;
    let part: ChangedPart | null = null;
    let left = 0;
    const close = (end: number, lastLsn: number): void => {
      if (lastLsn >= firstLsn) units.push({ firstLsn, lastLsn, part, start, end });
      start = end;
      firstLsn = lastLsn + 1;
      part = null;
    };
    const words = frame.views.u32;
    this.#eachRecord(frame, (at, type, bytes, lsn) => {
      const offset = 4 * at;
      if (type === PART) {
        close(offset, lsn - 1);
        part = partAt(words, at);
        start = offset + recordStride(bytes);
        left = words[at + OPERATIONS];
        if (left === 0) close(start, lsn);
      } else if (left > 0 && --left === 0) {
        close(offset + recordStride(bytes), lsn);
      } else if (type === DECISION) {
        this.#outcomes.delete(nameAt(words, at));
      }
    });
    close(frame.end, frame.firstLsn + frame.records - 1);
    return units;
  }

  /** Visits the records of a frame, each at a word. */
  #eachRecord(
    { views, start, firstLsn, records }: Frame,
    visit: (at: number, type: number, bytes: number, lsn: number) => void,
  ): void {
    const words = views.u32;
    let offset = start;
    for (let i = 0; i < records; i++) {
      const at = offset >>> 2;
      const bytes = words[at];
      const type = bytes > 4 ? words[at + TYPE] & 0xff : 0;
      if (!isWhole(words, at, type, bytes)) throw this.#damaged(type, bytes, firstLsn + i);
      visit(at, type, bytes, firstLsn + i);
      offset += recordStride(bytes);
    }
  }

  #damaged(type: number, bytes: number, lsn: number): OmenError {
    return new OmenError(
      'OMEN_CORRUPT',
      `The log of shard ${this.#shard} is damaged at LSN ${lsn}: a record of type ${type} has ${bytes} ` +
        'bytes, under a checksum that holds. Restore a backup.',
    );
  }

  /**
   * Adds the changes of the head to `changes`, those of keys in `range`. A range that was deleted is one
   * where it may have such keys.
   * @param withRanges false where another part of the batch has given its ranges
   * @throws OMEN_UNSAFE_INTEGER, OMEN_NEWER_FORMAT
   */
  decode(range: readonly [KeyBounds], withRanges: boolean, changes: Change[]): void {
    const { start, end, firstLsn } = this.#units[this.#at];
    const words = this.#views.u32;
    for (let offset = start; offset < end; ) {
      const at = offset >>> 2;
      const bytes = words[at];
      const type = words[at + TYPE] & 0xff;
      if (type === PUT || type === DEL) this.#decodeOperation(at, type, range, changes);
      else if (type === RANGE_DELETE) {
        if (withRanges) this.#decodeRange(at, bytes, firstLsn, range[0], changes);
      } else if (type === LOADED) {
        changes.push({ type: 'load' });
      } else if (type !== DECISION && type !== LOAD_MARK) {
        throw new OmenError(
          'OMEN_NEWER_FORMAT',
          `Shard ${this.#shard} has a log record of unknown type ${type}. Upgrade omendb to watch.`,
        );
      }
      offset += recordStride(bytes);
    }
  }

  #decodeOperation(at: number, type: number, range: readonly [KeyBounds], changes: Change[]): void {
    const words = this.#views.u32;
    const { key: codec, readers } = this.#reader;
    const hi = words[at + KEY_HI];
    const lo = words[at + KEY_LO];
    let row = 4 * at + OPERATION_BYTES;
    let stored = null;
    if (codec.bytes !== null) {
      const length = words[row >>> 2];
      const from = row + STORED_KEY_AT;
      stored = { memory: this.#memory, start: from, end: from + length };
      row += storedBytes(length);
    }
    if (!isCleared(range, hi, lo, stored)) return;
    const key = codec.decode(hi, lo, stored);
    if (type === DEL) changes.push({ type: 'del', key });
    else {
      const value = readers.memtable(this.#views, this.#memory.buffer, row);
      const { expiry } = readers;
      if (expiry === null) changes.push({ type: 'put', key, value });
      else {
        const expiresAt = givenTime(expiry.inRow(this.#views, row));
        changes.push({ type: 'put', key, value, expiresAt });
      }
    }
  }

  #decodeRange(
    at: number,
    bytes: number,
    firstLsn: number,
    bounds: KeyBounds,
    changes: Change[],
  ): void {
    const { type } = this.#reader.key;
    const words = this.#views.u32.slice(at + KEY_LO, at + (bytes >>> 2));
    if (!isRange(words, type)) throw this.#damaged(RANGE_DELETE, bytes, firstLsn);
    const range = decodeRange(words, type);
    if (overlaps(range, bounds)) changes.push({ type: 'clear', range: this.#keysOf(range) });
  }

  #keysOf(range: KeyBounds): ClearedKeys<DecodedKey> {
    const { key: codec } = this.#reader;
    const keys: { -readonly [End in keyof ClearedKeys]?: DecodedKey } = {};
    const first = firstOf(range);
    if (range.isAfterFirst || order(first, leastBound(codec.type)) !== 0) {
      keys[range.isAfterFirst ? 'gt' : 'gte'] = codec.decode(first.hi, first.lo, first.bytes);
    }
    const last = lastOf(range);
    if (range.isBeforeLast || order(last, greatestBound(codec.type)) !== 0) {
      keys[range.isBeforeLast ? 'lt' : 'lte'] = codec.decode(last.hi, last.lo, last.bytes);
    }
    return keys;
  }
}

function epochAt(words: Uint32Array, at: number): Epoch {
  return { lo: words[at + EPOCH_LO], hi: words[at + EPOCH_HI] };
}

/** The name of the batch that a PART or DECISION is of. */
function nameAt(words: Uint32Array, at: number): string {
  return batchName(epochAt(words, at), words[at + TICKET]);
}

function isCommitted(words: Uint32Array, at: number): boolean {
  return (words[at + TYPE] & COMMITTED_FLAG) !== 0;
}

function partAt(words: Uint32Array, at: number): ChangedPart {
  const from = at + SHARDS;
  return {
    name: nameAt(words, at),
    ticket: words[at + TICKET],
    epoch: epochAt(words, at),
    participants: Array.from(words.subarray(from, from + words[at + PARTICIPANTS])),
  };
}

function firstOf({ firstHi, firstLo, firstBytes }: KeyBounds): Bound {
  return { hi: firstHi, lo: firstLo, bytes: firstBytes };
}

function lastOf({ lastHi, lastLo, lastBytes }: KeyBounds): Bound {
  return { hi: lastHi, lo: lastLo, bytes: lastBytes };
}

function order(a: Bound, b: Bound): number {
  return a.hi - b.hi || a.lo - b.lo || compareBytes(a.bytes, b.bytes);
}

/** Whether there may be keys in both ranges. */
function overlaps(a: KeyBounds, b: KeyBounds): boolean {
  return !endsBefore(a, b) && !endsBefore(b, a);
}

function endsBefore(a: KeyBounds, b: KeyBounds): boolean {
  const ends = order(lastOf(a), firstOf(b));
  return ends < 0 || (ends === 0 && (a.isBeforeLast || b.isAfterFirst));
}
