/**
 * A segment as it lies in shared memory: the body of its Arrow file, byte for byte, but for keys of
 * fixed width, which are turned in place into the form a look-up compares (`f64` or `words`), and the
 * learned index over them. Keys of variable length stay as Arrow has them, offsets and data (`bytes`).
 * Immutable: any thread may read it, nobody writes it.
 */
import type { ColumnLayout, SegmentLayout } from '../arrow/layout.ts';
import {
  type Beside,
  BytesIndex,
  F64Index,
  type KeyForm,
  type Model,
  WordIndex,
} from '../rmi/index.ts';
import type { ResidentColumn } from '../schema/decode.ts';
import { isExactNumber, sortableToNumber } from '../schema/key.ts';
import {
  compareStretches,
  hashBytes,
  type KeyBytes,
  type KeyMemory,
  keyMemory,
  wordOfBytes,
} from '../schema/key-bytes.ts';
import { viewsOf } from '../schema/row.ts';
import { isVariable, type KeyType, type Schema } from '../schema/schema.ts';
import type { Storage } from '../storage/storage.ts';
import type { KeyBatch } from './batch-lookup.ts';
import type { KeyBounds } from './bounds.ts';
import { type ClearedRange, isCleared } from './cleared.ts';
import type { Cursor } from './cursor.ts';
import type { Memtable } from './memtable.ts';
import { isPagedIn, Paging, type PagingHandle } from './paging.ts';
import { Prefetch } from './prefetch.ts';
import type { Statistics } from './statistics.ts';

export type { KeyForm };

/** How a segment crosses threads. */
export interface SegmentHandle {
  /** Unique within the shard for the life of the data; the number in the file's name. */
  readonly id: number;
  readonly body: SharedArrayBuffer;
  readonly layout: SegmentLayout;
  readonly form: KeyForm;
  readonly model: Model;
  readonly statistics: Statistics;
  /** Bytes of the file and of its index, for statistics. */
  readonly fileBytes: number;
  readonly modelBytes: number;
  /** Where pages of the body may still be to come. */
  readonly paging?: PagingHandle;
}

/** Keys that are looked up together, a stage at a time. */
const STAGE_KEYS = 256;

const EMPTY = new SharedArrayBuffer(0);

function residentColumn(body: SharedArrayBuffer, layout: ColumnLayout): ResidentColumn {
  const { validity, offsets, data } = layout;
  const whole = data.length & ~7;
  const views = viewsOf(body, data.offset, data.length - whole > 0 ? whole + 8 : whole);
  return {
    ...views,
    u8: new Uint8Array(body, data.offset, data.length),
    validity: validity
      ? new Uint8Array(body, validity.offset, validity.length)
      : new Uint8Array(EMPTY),
    offsets: offsets
      ? new Int32Array(body, offsets.offset, offsets.length >>> 2)
      : new Int32Array(EMPTY),
    bytes: Buffer.from(body, data.offset, data.length),
  };
}

export class Segment {
  readonly id: number;
  readonly handle: SegmentHandle;
  readonly rows: number;
  readonly form: KeyForm;
  declare readonly columns: readonly ResidentColumn[];
  readonly statistics: Statistics;
  /** One byte a row (bit 0: deleted), or null when no row is a tombstone. */
  readonly flags: Uint8Array | null;
  declare readonly f64: F64Index;
  declare readonly words: WordIndex;
  readonly bytes: BytesIndex;
  /** The keys in their form; the other arrays are empty. */
  readonly keysF64: Float64Array;
  readonly keysU32: Uint32Array;
  readonly keys: KeyMemory;
  readonly keyOffsets: Int32Array;
  readonly #type: KeyType;
  readonly #isF64: boolean;
  readonly #prefetch: Prefetch;
  /**
   * Brings in the pages that are to come; null where all were there. While it is not complete, nothing but
   * `locate` may be asked.
   */
  readonly paging: Paging | null;

  /** @param storage where the file is; needed only while pages of it are to come */
  constructor(handle: SegmentHandle, type: KeyType, storage: Storage | null = null) {
    const { body, layout, form, model } = handle;
    this.id = handle.id;
    this.handle = handle;
    this.rows = layout.rows;
    this.form = form;
    this.statistics = handle.statistics;
    this.#type = type;
    this.#isF64 = form === 'f64';
    this.columns = layout.columns.map((column) => residentColumn(body, column));
    this.flags = layout.flags && new Uint8Array(body, layout.flags.offset, layout.flags.length);
    const { key, rows } = layout;
    const { offset, length } = key.data;
    this.#prefetch = new Prefetch(body, layout);
    const only = (wanted: KeyForm): [number, Model | null] =>
      form === wanted ? [rows, model] : [0, null];
    this.keysF64 = form === 'f64' ? new Float64Array(body, offset, rows) : new Float64Array(EMPTY);
    this.keysU32 =
      form === 'words' ? new Uint32Array(body, offset, 2 * rows) : new Uint32Array(EMPTY);
    this.keys = form === 'bytes' ? keyMemory(body, offset, length) : keyMemory(EMPTY);
    this.keyOffsets = key.offsets
      ? new Int32Array(body, key.offsets.offset, rows + 1)
      : new Int32Array(EMPTY);
    const beside = (wanted: KeyForm): Beside | undefined =>
      form === wanted ? this.#prefetch.beside : undefined;
    this.f64 = new F64Index(this.keysF64, ...only('f64'), beside('f64'));
    this.words = new WordIndex(this.keysU32, ...only('words'), beside('words'));
    this.bytes = new BytesIndex(this.keys, this.keyOffsets, ...only('bytes'));
    const { paging } = handle;
    this.paging =
      paging === undefined || isPagedIn(paging) ? null : new Paging(this, paging, storage);
  }

  /** The row of a key of fixed width, or −1. It is given every way there is; only one is used. */
  find(hi: number, lo: number, number: number): number {
    return this.#isF64 ? this.f64.find(number) : this.words.find(lo, hi);
  }

  /** As `find`, where pages may be to come: those of the row are there afterwards. */
  locate(hi: number, lo: number, number: number): number {
    if (this.paging === null || this.paging.isComplete) return this.find(hi, lo, number);
    return this.paging.find(hi, lo, number);
  }

  /** Where the index thinks a key of fixed width is. */
  predict(hi: number, lo: number, number: number): number {
    return this.#isF64 ? this.f64.predict(number) : this.words.predict(lo, hi);
  }

  /** The row of a key of variable length, whose `hashBytes` is given, or −1. */
  findBytes(key: KeyBytes, hash: number): number {
    const guessed = this.bytes.guess(key);
    this.#prefetch.rowsNear(guessed, this.bytes.touch(guessed));
    return this.bytes.findFrom(key, hash, guessed);
  }

  /**
   * As `find` or `findBytes` for the slots [from, to) of a batch of keys, in stages; writes the rows into
   * its `position`, which holds the predictions in between.
   */
  findMany(keys: KeyBatch, from: number, to: number): void {
    // So few at a time that their lines are still in the cache when the search comes to them.
    for (let start = from; start < to; start += STAGE_KEYS) {
      this.#findStaged(keys, start, Math.min(start + STAGE_KEYS, to));
    }
  }

  #findStaged(keys: KeyBatch, from: number, to: number): void {
    const { order, position } = keys;
    if (this.form === 'bytes') {
      this.bytes.guessMany(keys, from, to);
      let read = this.bytes.matchMany(keys, from, to);
      read += this.bytes.touchMany(keys, from, to);
      this.#prefetch.rowsAtMany(position, from, to, read);
      this.bytes.settleMany(keys, from, to);
      return;
    }
    if (this.#isF64) this.f64.predictMany(keys.number, from, to, position);
    else this.words.predictMany(keys.lo, keys.hi, order, from, to, position);
    this.#prefetch.nearMany(position, from, to);
    if (this.#isF64) this.f64.findFromMany(keys.number, from, to, position);
    else this.words.findFromMany(keys.lo, keys.hi, order, from, to, position);
  }

  /** The first row whose key is >= the given one; `rows` when there is none. */
  lowerBound(hi: number, lo: number, number: number, bytes: KeyBytes | null = null): number {
    if (bytes !== null) return this.bytes.lowerBound(bytes);
    return this.#isF64 ? this.f64.lowerBound(number) : this.words.lowerBound(lo, hi);
  }

  get keyType(): KeyType {
    return this.#type;
  }

  isDeleted(row: number): boolean {
    return this.flags !== null && (this.flags[row] & 1) !== 0;
  }

  hi(row: number): number {
    if (!this.#isF64) {
      if (this.form === 'words') return this.keysU32[2 * row + 1];
      const { keyOffsets } = this;
      return wordOfBytes(this.keys, keyOffsets[row], keyOffsets[row + 1]);
    }
    numberToSortable(this.#type, this.keysF64[row]);
    return sortable.hi;
  }

  lo(row: number): number {
    if (!this.#isF64) {
      if (this.form === 'words') return this.keysU32[2 * row];
      const { keyOffsets } = this;
      return wordOfBytes(this.keys, keyOffsets[row] + 4, keyOffsets[row + 1]);
    }
    numberToSortable(this.#type, this.keysF64[row]);
    return sortable.lo;
  }

  /** The bytes of a row's key; null where keys are of fixed width. */
  bytesOf(row: number): KeyBytes | null {
    if (this.form !== 'bytes') return null;
    const { keys: memory, keyOffsets } = this;
    return { memory, start: keyOffsets[row], end: keyOffsets[row + 1] };
  }

  /** Points `key` at the bytes of a row's key. */
  readKey(row: number, key: KeyBytes): void {
    key.memory = this.keys;
    key.start = this.keyOffsets[row];
    key.end = this.keyOffsets[row + 1];
  }

  /** How a row's key compares with a key of the same two words; 0 where those are all of it. */
  compareWith(row: number, bytes: KeyBytes | null): number {
    if (bytes === null) return 0;
    const { keys, keyOffsets } = this;
    return compareStretches(
      keys,
      keyOffsets[row],
      keyOffsets[row + 1],
      bytes.memory,
      bytes.start,
      bytes.end,
    );
  }

  /** Negative, zero or positive, as a row's key comes before one of another segment. */
  compareRows(row: number, other: Segment, otherRow: number): number {
    const order = this.hi(row) - other.hi(otherRow) || this.lo(row) - other.lo(otherRow);
    if (order !== 0 || this.form !== 'bytes') return order;
    return compareStretches(
      this.keys,
      this.keyOffsets[row],
      this.keyOffsets[row + 1],
      other.keys,
      other.keyOffsets[otherRow],
      other.keyOffsets[otherRow + 1],
    );
  }

  /** The key as a number; exact in the `f64` form. */
  number(row: number): number {
    if (this.#isF64) return this.keysF64[row];
    return sortableToNumber(this.#type, this.keysU32[2 * row + 1], this.keysU32[2 * row]);
  }
}

const TWO_32 = 4294967296;
const SIGN = 0x80000000;
const scratchF64 = new Float64Array(1);
const scratchU32 = new Uint32Array(scratchF64.buffer);

/** The result of the last `numberToSortable`. */
export const sortable = { hi: 0, lo: 0 };

/** The sortable key of a number that is exact (`isExactNumber`). Leaves it in `sortable`. */
export function numberToSortable(type: KeyType, key: number): void {
  if (type === 'float64') {
    scratchF64[0] = key;
    const isNegative = scratchU32[1] >= SIGN;
    sortable.hi = (isNegative ? ~scratchU32[1] : scratchU32[1] ^ SIGN) >>> 0;
    sortable.lo = (isNegative ? ~scratchU32[0] : scratchU32[0]) >>> 0;
    return;
  }
  const high = Math.floor(key / TWO_32);
  sortable.hi = (type === 'uint64' ? high : high ^ SIGN) >>> 0;
  sortable.lo = key >>> 0;
}

/** Which form the keys of a segment can take, going by its first and last key. */
export function keyForm(
  type: KeyType,
  first: { hi: number; lo: number },
  last: { hi: number; lo: number },
): KeyForm {
  if (isVariable(type)) return 'bytes';
  const fits = isExactNumber(type, first.hi, first.lo) && isExactNumber(type, last.hi, last.lo);
  return fits ? 'f64' : 'words';
}

/** Turns keys, in place, from what the Arrow file holds into their resident form. */
export function fileKeysToResident(
  type: KeyType,
  form: KeyForm,
  body: ArrayBufferLike,
  byteOffset: number,
  rows: number,
): void {
  if (type === 'float64' || form === 'bytes') return;
  const words = new Uint32Array(body, byteOffset, 2 * rows);
  const flip = type === 'uint64' ? 0 : SIGN;
  if (form === 'words') {
    for (let i = 1; i < 2 * rows; i += 2) words[i] ^= flip;
    return;
  }
  const numbers = new Float64Array(body, byteOffset, rows);
  const high = new Int32Array(body, byteOffset, 2 * rows);
  for (let i = 0; i < rows; i++) {
    numbers[i] = (type === 'uint64' ? words[2 * i + 1] : high[2 * i + 1]) * TWO_32 + words[2 * i];
  }
}

/** The reverse of `fileKeysToResident`. */
export function residentKeysToFile(
  type: KeyType,
  form: KeyForm,
  body: SharedArrayBuffer,
  byteOffset: number,
  rows: number,
): void {
  if (type === 'float64' || form === 'bytes') return;
  if (form === 'words') {
    // Flipping the sign bit is its own inverse.
    fileKeysToResident(type, form, body, byteOffset, rows);
    return;
  }
  const words = new Uint32Array(body, byteOffset, 2 * rows);
  const numbers = new Float64Array(body, byteOffset, rows);
  for (let i = 0; i < rows; i++) {
    const key = numbers[i];
    words[2 * i] = key;
    words[2 * i + 1] = Math.floor(key / TWO_32);
  }
}

/** Where a row lies. */
export interface Place {
  readonly hi: number;
  readonly lo: number;
  readonly bytes: KeyBytes | null;
  readonly source: Segment | Memtable;
  /** Where its bytes start in the memtable, or its number. */
  readonly position: number;
}

/**
 * A run: segments whose key ranges do not overlap, in key order. Of each key it has one version.
 */
export class Run {
  declare readonly segments: readonly Segment[];
  /** What was deleted of it since it was written; nothing of it may be seen. */
  readonly cleared: readonly ClearedRange[];
  readonly rows: number;
  /** The only segment, where there is one only: no need to choose. */
  declare readonly only: Segment | null;
  /** Rows before each segment. */
  readonly before: readonly number[];
  readonly #lastHi: Uint32Array;
  readonly #lastLo: Uint32Array;
  /** Whether the keys of all segments are held as numbers, or as words. */
  readonly isF64: boolean;
  readonly isWords: boolean;
  /** Then where all its segments but the last end. */
  declare private readonly ends: readonly number[];

  constructor(segments: readonly Segment[], cleared: readonly ClearedRange[] = []) {
    this.segments = segments;
    this.cleared = cleared;
    const before: number[] = [];
    let rows = 0;
    for (const segment of segments) {
      before.push(rows);
      rows += segment.rows;
    }
    this.only = segments.length === 1 ? segments[0] : null;
    this.before = before;
    this.rows = rows;
    this.#lastHi = Uint32Array.from(segments, (segment) => segment.hi(segment.rows - 1));
    this.#lastLo = Uint32Array.from(segments, (segment) => segment.lo(segment.rows - 1));
    this.isF64 = segments.every(({ form }) => form === 'f64');
    this.isWords = segments.every(({ form }) => form === 'words');
    this.ends = this.isF64 ? endsOf(segments) : [];
  }

  /** The first segment whose last key is >= the given one, or null: the only one that can hold it. */
  segmentFor(hi: number, lo: number, bytes: KeyBytes | null = null): Segment | null {
    const at = this.indexFor(hi, lo, bytes);
    return at < this.segments.length ? this.segments[at] : null;
  }

  /** `segmentFor`, of a key as a number, where `isF64`; for a key behind the last, the last. */
  segmentForNumber(key: number): Segment {
    return this.segments[this.indexForNumber(key)];
  }

  indexForNumber(key: number): number {
    const ends = this.ends;
    let at = 0;
    for (let step = (ends.length + 1) >>> 1; step > 0; step >>>= 1) {
      at = (at + Math.imul(Number(ends[(at + step - 1) | 0] < key), step)) | 0;
    }
    return at;
  }

  /** The same of a key of variable length, given as its bytes alone. */
  segmentOf(key: KeyBytes): Segment | null {
    const { memory, start, end } = key;
    return this.segmentFor(
      wordOfBytes(memory, start, end),
      wordOfBytes(memory, start + 4, end),
      key,
    );
  }

  indexFor(hi: number, lo: number, bytes: KeyBytes | null = null): number {
    const lastHi = this.#lastHi;
    const lastLo = this.#lastLo;
    let low = 0;
    let high = lastHi.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = lastHi[middle];
      let isBelow = found < hi || (found === hi && lastLo[middle] < lo);
      if (bytes !== null && found === hi && lastLo[middle] === lo) {
        isBelow = this.#compareLast(middle, bytes) < 0;
      }
      if (isBelow) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compareLast(index: number, bytes: KeyBytes): number {
    const segment = this.segments[index];
    return segment.compareWith(segment.rows - 1, bytes);
  }

  get hasTombstones(): boolean {
    return this.segments.some((segment) => segment.flags !== null);
  }

  /** Whether everything in it is a row that may be seen. */
  get isLive(): boolean {
    return this.cleared.length === 0 && !this.hasTombstones;
  }

  /** Whether a key was cleared. */
  clears(hi: number, lo: number, bytes: KeyBytes | null): boolean {
    return isCleared(this.cleared, hi, lo, bytes);
  }

  /** The same run after these ranges were cleared, as far as it has keys in them. */
  without(ranges: readonly ClearedRange[]): Run {
    const { keyType } = this.segments[0];
    const added = ranges.filter((range) => this.countWithin(range, keyType) > 0);
    return added.length === 0 ? this : new Run(this.segments, [...this.cleared, ...added]);
  }

  /** About how many rows were cleared: those in several ranges count for each. */
  get rowsCleared(): number {
    const { keyType } = this.segments[0];
    return this.cleared.reduce((sum, range) => sum + this.countWithin(range, keyType), 0);
  }

  /** Number of keys in the run, tombstones included, that are < the given one. */
  rank(hi: number, lo: number, type: KeyType, bytes: KeyBytes | null = null): number {
    const at = this.indexFor(hi, lo, bytes);
    if (at === this.segments.length) return this.rows;
    const number = sortableToNumber(type, hi, lo);
    return this.before[at] + this.segments[at].lowerBound(hi, lo, number, bytes);
  }

  /** Number of keys in the run, tombstones included, that are <= the given one. */
  rankAfter(hi: number, lo: number, type: KeyType, bytes: KeyBytes | null = null): number {
    const at = this.indexFor(hi, lo, bytes);
    if (at === this.segments.length) return this.rows;
    const segment = this.segments[at];
    const row = segment.lowerBound(hi, lo, sortableToNumber(type, hi, lo), bytes);
    // Compared as sortable keys: as numbers, a bound that is no key may equal one that is.
    const isThere =
      segment.hi(row) === hi && segment.lo(row) === lo && segment.compareWith(row, bytes) === 0;
    return this.before[at] + row + (isThere ? 1 : 0);
  }

  /** The row at a position. */
  rowAt(position: number): Place {
    const { before, segments } = this;
    let low = 0;
    let high = before.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (before[middle] <= position) low = middle;
      else high = middle;
    }
    const source = segments[low];
    const row = position - before[low];
    const [hi, lo] = [source.hi(row), source.lo(row)];
    return { hi, lo, bytes: source.bytesOf(row), source, position: row };
  }

  /** The position of a key in the run, or −1. */
  positionOf(hi: number, lo: number, type: KeyType, bytes: KeyBytes | null = null): number {
    const at = this.indexFor(hi, lo, bytes);
    if (at === this.segments.length) return -1;
    const segment = this.segments[at];
    const row =
      bytes === null
        ? segment.find(hi, lo, sortableToNumber(type, hi, lo))
        : segment.findBytes(bytes, hashBytes(bytes.memory, bytes.start, bytes.end));
    return row < 0 ? -1 : this.before[at] + row;
  }

  /** Number of keys in the run, tombstones included, within the bounds. */
  countWithin(bounds: KeyBounds, type: KeyType): number {
    const { start, end } = this.positionsWithin(bounds, type);
    return end - start;
  }

  /** Positions of the keys within the bounds; of none, where the bounds are of an empty range. */
  positionsWithin(
    bounds: KeyBounds,
    type: KeyType,
  ): { readonly start: number; readonly end: number } {
    const { firstHi, firstLo, firstBytes, isAfterFirst } = bounds;
    const { lastHi, lastLo, lastBytes, isBeforeLast } = bounds;
    const start = isAfterFirst
      ? this.rankAfter(firstHi, firstLo, type, firstBytes)
      : this.rank(firstHi, firstLo, type, firstBytes);
    const end = isBeforeLast
      ? this.rank(lastHi, lastLo, type, lastBytes)
      : this.rankAfter(lastHi, lastLo, type, lastBytes);
    return { start, end };
  }
}

/**
 * The last keys of all segments but the last, and as many infinities as make them one less than a power
 * of two, which a search can halve evenly.
 */
function endsOf(segments: readonly Segment[]): number[] {
  const ends = segments.slice(0, -1).map(({ keysF64, rows }) => keysF64[rows - 1]);
  while ((ends.length & (ends.length + 1)) !== 0) ends.push(Number.POSITIVE_INFINITY);
  return ends;
}

/** A cursor over a run. `position` is the row in `segment`. */
export class RunCursor implements Cursor {
  segment: Segment;
  done = true;
  hi = 0;
  lo = 0;
  position = 0;
  deleted = false;
  readonly #run: Run;
  readonly #type: KeyType;
  readonly #bytes: KeyBytes | null;
  #index = 0;

  constructor(run: Run, schema: Schema) {
    this.#run = run;
    this.#type = schema.key;
    const { keys: memory } = run.segments[0];
    this.#bytes = isVariable(schema.key) ? { memory, start: 0, end: 0 } : null;
    this.segment = run.segments[0];
  }

  get source(): Cursor {
    return this;
  }

  get bytes(): KeyBytes | null {
    if (this.#bytes !== null) this.segment.readKey(this.position, this.#bytes);
    return this.#bytes;
  }

  resolve(): boolean {
    return true;
  }

  seekCeil(hi: number, lo: number, bytes: KeyBytes | null = null): void {
    const index = this.#run.indexFor(hi, lo, bytes);
    if (index === this.#run.segments.length) {
      this.done = true;
      return;
    }
    this.#enter(index);
    this.#stand(this.segment.lowerBound(hi, lo, sortableToNumber(this.#type, hi, lo), bytes));
  }

  seekFloor(hi: number, lo: number, bytes: KeyBytes | null = null): void {
    const segments = this.#run.segments;
    const index = this.#run.indexFor(hi, lo, bytes);
    if (index === segments.length) {
      this.#enter(index - 1);
      this.#stand(this.segment.rows - 1);
      return;
    }
    this.#enter(index);
    this.#stand(this.segment.lowerBound(hi, lo, sortableToNumber(this.#type, hi, lo), bytes));
    const isThere =
      this.hi === hi && this.lo === lo && this.segment.compareWith(this.position, bytes) === 0;
    if (!isThere) this.prev();
  }

  next(): void {
    if (this.position + 1 < this.segment.rows) {
      this.#stand(this.position + 1);
    } else if (this.#index + 1 < this.#run.segments.length) {
      this.#enter(this.#index + 1);
      this.#stand(0);
    } else {
      this.done = true;
    }
  }

  prev(): void {
    if (this.position > 0) {
      this.#stand(this.position - 1);
    } else if (this.#index > 0) {
      this.#enter(this.#index - 1);
      this.#stand(this.segment.rows - 1);
    } else {
      this.done = true;
    }
  }

  /** To a row of the segment, or behind its end to the next segment. */
  forwardTo(row: number): void {
    this.position = row - 1;
    this.next();
  }

  /** To a row of the segment, or before its first to the segment before. */
  backTo(row: number): void {
    this.position = row + 1;
    this.prev();
  }

  #enter(index: number): void {
    this.#index = index;
    this.segment = this.#run.segments[index];
  }

  #stand(row: number): void {
    const { segment } = this;
    this.done = false;
    this.position = row;
    this.hi = segment.hi(row);
    this.lo = segment.lo(row);
    this.deleted = segment.isDeleted(row);
  }
}
