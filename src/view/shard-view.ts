/**
 * The view of one shard: what a thread needs to read it without asking anybody. Its owner posts a new
 * view whenever the set of memtables or segments changes, then raises the shard's version word;
 * every thread keeps the view it took last, and takes the new one before it next reads a watermark.
 *
 * A ShardView belongs to one thread and is read by that thread only.
 *
 * Point reads read the version word and ask whether a memtable is empty with plain loads, not with
 * `Atomics.load`, a call of 150 instructions which costs a look-up more than its search. They lose
 * nothing by it: whoever knows of a write, by its acknowledgement or from somebody who had it, knows
 * through an atomic operation or a message that followed the stores, and a plain load that follows
 * must see them (the memory model of ECMAScript calls it happens-before). A thread that spins on a key
 * without such knowledge relies on V8 to load anew each time, as it does: a test spins.
 * Snapshots, which compare shards with each other, read atomically.
 */

import type { Instant, MemtableRowReader, SegmentRowReader } from '../schema/decode.ts';
import { memtableRowReader, segmentRowReader } from '../schema/decode.ts';
import type { EncodedKey } from '../schema/key-bytes.ts';
import type { Schema } from '../schema/schema.ts';
import type { Storage } from '../storage/storage.ts';
import { isOutside, type KeyBounds, seekFirst } from './bounds.ts';
import { decodeRange, uncovered } from './cleared.ts';
import type { CommitTable } from './commit-table.ts';
import { type Cursor, MergeCursor, PieceCursor } from './cursor.ts';
import { Expiry } from './expiry.ts';
import {
  ARENA_START,
  ENTRY_HEADER_BYTES,
  Memtable,
  type MemtableHandle,
  NOTHING_HIDDEN,
  type Visibility,
} from './memtable.ts';
import type { Paging } from './paging.ts';
import { Run, RunCursor, Segment, type SegmentHandle } from './segment.ts';
import { Tail } from './tail.ts';

/** How a view crosses threads: newest memtable first, newest run first. */
export interface ViewMessage {
  readonly shard: number;
  readonly version: number;
  readonly memtables: readonly MemtableHandle[];
  readonly runs: readonly (readonly SegmentHandle[])[];
  /** Of each run the words of what was cleared of it (`cleared.ts`). */
  readonly cleared: readonly (readonly Uint32Array[])[];
  /** What it shows is a bulk load: it counts once `Control.published` is this, until then the one before does. */
  readonly load?: number;
}

/** The decoders of one database, compiled once a thread. */
export interface RowReaders {
  readonly schema: Schema;
  readonly memtable: MemtableRowReader;
  readonly segment: SegmentRowReader;
  /** Null where rows do not expire. */
  readonly expiry: Expiry | null;
}

/** @param instant where it is given, rows that have expired by then are read as undefined */
export function compileReaders(
  schema: Schema,
  bigints: boolean,
  instant: Instant | null = null,
): RowReaders {
  return {
    schema,
    memtable: memtableRowReader(schema, bigints, instant),
    segment: segmentRowReader(schema, bigints, instant),
    expiry: Expiry.of(schema),
  };
}

/** The row at a position of where it was found: where its bytes start, or its number. */
export function rowOf(readers: RowReaders, source: Segment | Memtable, position: number): unknown {
  if (source instanceof Segment) return readers.segment(source.columns, position);
  return readers.memtable(source.arena, source.bytes, position);
}

/** The row that a cursor stands on. */
export function rowUnder(readers: RowReaders, { source }: Cursor): unknown {
  if (source instanceof PieceCursor) {
    const { memtable } = source;
    return readers.memtable(memtable.arena, memtable.bytes, memtable.rowAt(source.position));
  }
  return readers.segment((source as RunCursor).segment.columns, source.position);
}

const NO_ROWS = new Run([]);
/** How many times as many rows as all that is newer a base has: to look one up costs a few steps. */
const BASE_SHARE = 4;

/** A memtable with what this thread knows of its order. */
interface OrderedMemtable {
  readonly memtable: Memtable;
  readonly tail: Tail;
  /** Reused by point reads: a look-up allocates nothing. */
  readonly visible: { watermark: number; undecided: ReadonlySet<number> };
}

/** What a snapshot of a shard sees: its memtables up to their watermarks then, and its runs. */
export interface ShardSnapshot {
  readonly view: ShardView;
  readonly visible: readonly Visibility[];
  /** Which rows have expired is judged by this time, in all shards; where rows do not expire, 0. */
  readonly nowMs: number;
}

export class ShardView {
  readonly version: number = 0;
  /** What it is made from. */
  readonly message: ViewMessage;
  /** The version, where the runs are one without tombstones, its keys numbers; else −1. */
  declare readonly numbersVersion: number;
  /** The same where they are words. */
  declare readonly wordsVersion: number;
  readonly memtables: readonly OrderedMemtable[];
  readonly runs: readonly Run[];
  readonly readers: RowReaders;
  /** Where the last `locate` found its row. */
  located = 0;
  /** The only run, without tombstones; empty where there is none. */
  readonly #only: Run | null;
  /** The same run, where its keys are numbers; empty where not. Declared: see `F64Index`. */
  declare private readonly numbers: Run;
  /** The same where they are words. */
  declare private readonly words: Run;
  declare private readonly segmentRow: SegmentRowReader;
  readonly #active: Memtable;
  /** Whether pages of segments were to come when the view was taken: then only `locate` may be asked. */
  readonly isPaging: boolean;
  /** The version; −1 where `isPaging`. */
  readonly wholeVersion: number;
  readonly #toCome: readonly Paging[];

  /** @param storage where files of segments are whose pages are to come */
  constructor(
    message: ViewMessage,
    readers: RowReaders,
    table: CommitTable,
    previous: ShardView | null,
    storage: Storage | null = null,
  ) {
    this.version = message.version;
    this.message = message;
    this.readers = readers;
    const known = new Map(previous?.memtables.map((ordered) => [ordered.memtable.id, ordered]));
    this.memtables = message.memtables.map((handle) => {
      const found = known.get(handle.id);
      if (found) return found;
      const memtable = new Memtable(handle, table);
      const visible = { watermark: 0, undecided: NOTHING_HIDDEN };
      return { memtable, tail: new Tail(memtable), visible };
    });
    const segments = new Map(
      previous?.runs.flatMap((run) => run.segments).map((segment) => [segment.id, segment]),
    );
    const segmentOf = (handle: SegmentHandle): Segment =>
      segments.get(handle.id) ?? new Segment(handle, readers.schema.key, storage);
    const { key } = readers.schema;
    this.runs = message.runs.map((run, i) => {
      const cleared = message.cleared[i].map((words) => decodeRange(words, key));
      return new Run(run.map(segmentOf), cleared);
    });
    this.#toCome = this.runs
      .flatMap((run) => run.segments)
      .flatMap(({ paging }) => (paging === null || paging.isComplete ? [] : [paging]));
    this.isPaging = this.#toCome.length > 0;
    this.wholeVersion = this.isPaging ? -1 : this.version;
    const only = this.runs.length === 0 ? NO_ROWS : this.runs[0];
    this.#only = this.runs.length > 1 || !only.isLive ? null : only;
    const whole = this.isPaging ? NO_ROWS : this.#only;
    this.numbers = whole?.isF64 ? whole : NO_ROWS;
    this.numbersVersion = this.numbers.rows > 0 ? this.version : -1;
    this.words = whole?.isWords ? whole : NO_ROWS;
    this.wordsVersion = this.words.rows > 0 ? this.version : -1;
    this.segmentRow = readers.segment;
    this.#active = this.memtables[0].memtable;
  }

  /** Brings in all pages that are to come: then anything may be asked. @throws OMEN_CORRUPT and others */
  pageIn(): void {
    for (const paging of this.#toCome) paging.ensureAll();
  }

  /** Whether there is nothing in it, not even what hides something. */
  get isVoid(): boolean {
    return this.runs.length === 0 && this.memtables.every(({ memtable }) => memtable.isEmpty);
  }

  /** Whether `getNumber` may be asked: everything is in one run of numbers, without tombstones. */
  get isOfNumbers(): boolean {
    return this.numbersVersion > 0 && this.memtables.length === 1 && this.#active.isEmpty;
  }

  /**
   * The row of a key, as a number, or undefined; while `isOfNumbers`, which is so while the shard's word of
   * `setSettled` is `numbersVersion`.
   */
  getNumber(key: number): unknown {
    const run = this.numbers;
    const segment = run.only ?? run.segmentForNumber(key);
    const row = segment.f64.findNear(key);
    return row >= 0 ? this.segmentRow(segment.columns, row) : this.#getFar(segment, key, row);
  }

  /** Apart, so that V8 need not save for a call what most look-ups do without. */
  #getFar(segment: Segment, key: number, near: number): unknown {
    const row = segment.f64.findFar(key, near);
    return row >= 0 ? this.segmentRow(segment.columns, row) : undefined;
  }

  /** As `getNumber`, of a key as its words, unsigned, while the shard's word is `wordsVersion`. */
  getWords(hi: number, lo: number): unknown {
    const run = this.words;
    const segment = run.only ?? run.segmentFor(hi, lo);
    if (segment === null) return undefined;
    const row = segment.words.find(lo, hi);
    return row >= 0 ? this.segmentRow(segment.columns, row) : undefined;
  }

  /**
   * The row of a key of fixed width, or undefined. `hash` is its `hashKey`, `number` its value as a
   * number.
   */
  get(hash: number, hi: number, lo: number, number: number): unknown {
    const { memtables, runs, readers } = this;
    for (let i = 0; i < memtables.length; i++) {
      const { memtable, visible } = memtables[i];
      if (memtable.isEmpty) continue;
      visible.watermark = memtable.watermark;
      const entry = memtable.find(hash, hi, lo, visible);
      if (entry === 0) {
        if (memtable.hasRanges && memtable.clears(hi, lo, null, visible)) return undefined;
        continue;
      }
      if (memtable.isTombstone(entry)) return undefined;
      const row = entry + ENTRY_HEADER_BYTES;
      return readers.memtable(memtable.arena, memtable.bytes, row);
    }
    for (let i = 0; i < runs.length; i++) {
      const segment = runs[i].only ?? runs[i].segmentFor(hi, lo);
      if (segment === null) continue;
      const row = segment.find(hi, lo, number);
      if (row < 0) continue;
      if (runs[i].cleared.length > 0 && runs[i].clears(hi, lo, null)) return undefined;
      return segment.isDeleted(row) ? undefined : readers.segment(segment.columns, row);
    }
    return undefined;
  }

  /** The row of a key of variable length, or undefined. `hash` is its `hashStored`, signed or not. */
  getStored(hash: number, key: EncodedKey): unknown {
    const { memtables, runs, readers } = this;
    for (let i = 0; i < memtables.length; i++) {
      const { memtable, visible } = memtables[i];
      if (memtable.isEmpty) continue;
      visible.watermark = memtable.watermark;
      const entry = memtable.findStored(hash, key.stored, 0, visible);
      if (entry === 0) {
        if (memtable.hasRanges && memtable.clears(0, 0, key, visible)) return undefined;
        continue;
      }
      if (memtable.isTombstone(entry)) return undefined;
      return readers.memtable(memtable.arena, memtable.bytes, memtable.rowAt(entry));
    }
    for (let i = 0; i < runs.length; i++) {
      const segment = runs[i].only ?? runs[i].segmentOf(key);
      if (segment === null) continue;
      const row = segment.findBytes(key, hash);
      if (row < 0) continue;
      if (runs[i].cleared.length > 0 && runs[i].clears(0, 0, key)) return undefined;
      return segment.isDeleted(row) ? undefined : readers.segment(segment.columns, row);
    }
    return undefined;
  }

  /**
   * Where the row of a key is, or null; its position there, for `rowOf`, is left in `located`.
   * @param hash the key's hash
   * @param bytes those of a key of variable length
   * @param captured what may be seen; where there is none, all there is now
   */
  locate(
    hash: number,
    hi: number,
    lo: number,
    number: number,
    bytes: EncodedKey | null,
    captured: readonly Visibility[] | null = null,
  ): Segment | Memtable | null {
    const { memtables } = this;
    for (let i = 0; i < memtables.length; i++) {
      const { memtable, visible: live } = memtables[i];
      if (memtable.isEmpty) continue;
      live.watermark = memtable.watermark;
      const visible = captured === null ? live : captured[i];
      const entry =
        bytes === null
          ? memtable.find(hash, hi, lo, visible)
          : memtable.findStored(hash, bytes.stored, 0, visible);
      if (entry === 0) {
        if (memtable.hasRanges && memtable.clears(hi, lo, bytes, visible)) return null;
        continue;
      }
      this.located = memtable.rowAt(entry);
      return memtable.isTombstone(entry) ? null : memtable;
    }
    for (const run of this.runs) {
      const segment = run.only ?? run.segmentFor(hi, lo, bytes);
      if (segment === null) continue;
      const row = bytes === null ? segment.locate(hi, lo, number) : segment.findBytes(bytes, hash);
      if (row < 0) continue;
      if (run.clears(hi, lo, bytes)) return null;
      this.located = row;
      return segment.isDeleted(row) ? null : segment;
    }
    return null;
  }

  /** Whether there is a row. The key is given as in `locate`. */
  has(
    hash: number,
    hi: number,
    lo: number,
    number: number,
    bytes: EncodedKey | null = null,
  ): boolean {
    return this.locate(hash, hi, lo, number, bytes) !== null;
  }

  /** The watermarks as they are now. Batches in `undecided` stay hidden from the snapshot. */
  capture(undecided: ReadonlySet<number>, nowMs = 0): ShardSnapshot {
    const visible = this.memtables.map(({ memtable }) => ({
      watermark: memtable.watermark,
      undecided,
    }));
    return { view: this, visible, nowMs };
  }

  /** A cursor over all live keys of a snapshot of this view. */
  cursor(visible: readonly Visibility[], nowMs = 0): Cursor {
    return new MergeCursor(this.#parts(visible, this.runs, nowMs));
  }

  /** A cursor over the keys that are newer than the base, those deleted since among them. */
  changes(visible: readonly Visibility[], nowMs = 0): Cursor {
    return new MergeCursor(this.#parts(visible, this.runs.slice(0, -1), nowMs), 'shown');
  }

  #parts(visible: readonly Visibility[], runs: readonly Run[], nowMs: number): Cursor[] {
    const { schema, expiry } = this.readers;
    const inForce = (cursor: Cursor, isOldest: boolean): Cursor =>
      expiry === null ? cursor : expiry.cursor(cursor, nowMs, isOldest);
    const parts: Cursor[] = [];
    // Of what is newer than the part at hand.
    const ranges: KeyBounds[] = [];
    this.memtables.forEach(({ memtable, tail }, i) => {
      for (const piece of tail.pieces(visible[i].watermark)) {
        const cursor = inForce(new PieceCursor(memtable, piece, visible[i]), false);
        parts.push(uncovered(cursor, [...ranges]));
      }
      if (memtable.hasRanges) ranges.push(...memtable.rangesSeen(visible[i]));
    });
    for (const run of runs) {
      const cursor = inForce(new RunCursor(run, schema), run === this.runs.at(-1));
      parts.push(uncovered(cursor, [...ranges, ...run.cleared]));
    }
    return parts;
  }

  /** Whether ranges may have been cleared that nothing has been rewritten without. */
  get hasRanges(): boolean {
    return (
      this.memtables.some(({ memtable }) => memtable.hasRanges) ||
      this.runs.some(({ cleared }) => cleared.length > 0)
    );
  }

  /** The one run that holds the live rows and nothing else, or null where there is more to merge. */
  get settled(): Run | null {
    return this.memtables.every(({ memtable }) => memtable.watermark === ARENA_START)
      ? this.#only
      : null;
  }

  /** The same at the instant of a capture. */
  settledAt(visible: readonly Visibility[], nowMs = 0): Run | null {
    return visible.every(({ watermark }) => watermark === ARENA_START)
      ? this.inForce(this.#only, nowMs)
      : null;
  }

  /** A run, or null where rows of it have expired by then. */
  inForce(run: Run | null, nowMs: number): Run | null {
    const { expiry } = this.readers;
    return run === null || expiry === null || expiry.firstOf(run) > nowMs ? run : null;
  }

  /**
   * The oldest run, where it has no tombstones and by far the most rows: to count, it is enough to walk
   * over what is newer. Null where a walk over everything costs less.
   */
  get base(): Run | null {
    const base = this.runs.at(-1);
    if (base === undefined || base.hasTombstones || this.hasRanges) return null;
    let newer = this.pendingEntries - base.rows;
    for (const run of this.runs) newer += run.rows;
    return base.rows > BASE_SHARE * newer ? base : null;
  }

  /** How many rows of a run without tombstones are within the bounds, and in force. */
  #countIn(run: Run, bounds: KeyBounds, nowMs: number): number {
    const { schema, expiry } = this.readers;
    if (this.inForce(run, nowMs) !== null) return run.countWithin(bounds, schema.key);
    const { start, end } = run.positionsWithin(bounds, schema.key);
    return expiry === null ? end - start : expiry.countIn(run, start, end, nowMs);
  }

  /** Whether a run without tombstones has a row in force of the key that a cursor stands on. */
  #isIn(run: Run, { hi, lo, bytes }: Cursor, nowMs: number): boolean {
    const { schema, expiry } = this.readers;
    const position = run.positionOf(hi, lo, schema.key, bytes);
    if (position < 0 || expiry === null) return position >= 0;
    const { source, position: row } = run.rowAt(position);
    return expiry.at(source, row) > nowMs;
  }

  /** Number of live keys within the bounds. */
  count(visible: readonly Visibility[], bounds: KeyBounds, nowMs = 0): number {
    const settled = this.settledAt(visible, nowMs);
    const base = settled ?? this.base;
    let count = base === null ? 0 : this.#countIn(base, bounds, nowMs);
    if (settled !== null) return count;
    const cursor = base === null ? this.cursor(visible, nowMs) : this.changes(visible, nowMs);
    for (seekFirst(cursor, bounds, false); !cursor.done; cursor.next()) {
      if (isOutside(cursor, bounds, false)) break;
      if (!cursor.deleted) count++;
      if (base !== null && this.#isIn(base, cursor, nowMs)) count--;
    }
    return count;
  }

  /** Entries in memtables, versions included; 0 means that the runs hold everything. */
  get pendingEntries(): number {
    let sum = 0;
    for (const { memtable } of this.memtables) sum += memtable.entries;
    return sum;
  }
}
