/**
 * A segment as it lies in shared memory: the body of its Arrow file, byte for byte, but for the keys,
 * which are turned in place into the form a look-up compares (`f64` or `words`), and the learned
 * index over them. Immutable: any thread may read it, nobody writes it.
 */
import type { ColumnLayout, SegmentLayout } from '../arrow/layout.ts';
import { F64Index, type Model, WordIndex } from '../rmi/index.ts';
import type { ResidentColumn } from '../schema/decode.ts';
import { isExactNumber, sortableToNumber } from '../schema/key.ts';
import { viewsOf } from '../schema/row.ts';
import type { KeyType, Schema } from '../schema/schema.ts';
import type { KeyBatch } from './batch-lookup.ts';
import type { Cursor } from './cursor.ts';
import type { Memtable } from './memtable.ts';
import { Prefetch } from './prefetch.ts';

export type KeyForm = 'f64' | 'words';

/** A range of sortable keys, both ends included. */
export interface KeyBounds {
  readonly firstHi: number;
  readonly firstLo: number;
  readonly lastHi: number;
  readonly lastLo: number;
}

/** How a segment crosses threads. */
export interface SegmentHandle {
  /** Unique within the shard for the life of the data; the number in the file's name. */
  readonly id: number;
  readonly body: SharedArrayBuffer;
  readonly layout: SegmentLayout;
  readonly form: KeyForm;
  readonly model: Model;
  /** Bytes of the file and of its index, for statistics. */
  readonly fileBytes: number;
  readonly modelBytes: number;
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
  readonly columns: readonly ResidentColumn[];
  /** One byte a row (bit 0: deleted), or null when no row is a tombstone. */
  readonly flags: Uint8Array | null;
  readonly f64: F64Index;
  readonly words: WordIndex;
  /** The keys in their form; the other array is empty. */
  readonly keysF64: Float64Array;
  readonly keysU32: Uint32Array;
  readonly #type: KeyType;
  readonly #isF64: boolean;
  readonly #prefetch: Prefetch;

  constructor(handle: SegmentHandle, type: KeyType) {
    const { body, layout, form, model } = handle;
    this.id = handle.id;
    this.handle = handle;
    this.rows = layout.rows;
    this.form = form;
    this.#type = type;
    this.#isF64 = form === 'f64';
    this.columns = layout.columns.map((column) => residentColumn(body, column));
    this.flags = layout.flags && new Uint8Array(body, layout.flags.offset, layout.flags.length);
    const { offset } = layout.key;
    this.#prefetch = new Prefetch(body, layout);
    const rows = layout.rows;
    this.keysF64 = this.#isF64 ? new Float64Array(body, offset, rows) : new Float64Array(EMPTY);
    this.keysU32 = this.#isF64 ? new Uint32Array(EMPTY) : new Uint32Array(body, offset, 2 * rows);
    this.f64 = new F64Index(this.keysF64, this.#isF64 ? rows : 0, this.#isF64 ? model : null);
    this.words = new WordIndex(this.keysU32, this.#isF64 ? 0 : rows, this.#isF64 ? null : model);
  }

  /** The row of a key, or −1. The key is given both ways; only one is used. */
  find(hi: number, lo: number, number: number): number {
    if (!this.#isF64) {
      const predicted = this.words.predict(lo, hi);
      this.#prefetch.near(predicted);
      return this.words.findFrom(lo, hi, predicted);
    }
    const predicted = this.f64.predict(number);
    this.#prefetch.near(predicted);
    return this.f64.findFrom(number, predicted);
  }

  /**
   * As `find` for the keys order[from, to) of `keys`, in stages; writes the rows into its `position`,
   * which holds the predictions in between.
   */
  findMany(keys: KeyBatch, order: Uint32Array, from: number, to: number): void {
    // So few at a time that their lines are still in the cache when the search comes to them.
    for (let start = from; start < to; start += STAGE_KEYS) {
      this.#findStaged(keys, order, start, Math.min(start + STAGE_KEYS, to));
    }
  }

  #findStaged(keys: KeyBatch, order: Uint32Array, from: number, to: number): void {
    const { position } = keys;
    if (this.#isF64) this.f64.predictMany(keys.number, order, from, to, position);
    else this.words.predictMany(keys.lo, keys.hi, order, from, to, position);
    this.#prefetch.nearMany(position, order, from, to);
    if (this.#isF64) this.f64.findFromMany(keys.number, order, from, to, position);
    else this.words.findFromMany(keys.lo, keys.hi, order, from, to, position);
  }

  /** The first row whose key is >= the given one; `rows` when there is none. */
  lowerBound(hi: number, lo: number, number: number): number {
    return this.#isF64 ? this.f64.lowerBound(number) : this.words.lowerBound(lo, hi);
  }

  isDeleted(row: number): boolean {
    return this.flags !== null && (this.flags[row] & 1) !== 0;
  }

  hi(row: number): number {
    if (!this.#isF64) return this.keysU32[2 * row + 1];
    numberToSortable(this.#type, this.keysF64[row]);
    return sortable.hi;
  }

  lo(row: number): number {
    if (!this.#isF64) return this.keysU32[2 * row];
    numberToSortable(this.#type, this.keysF64[row]);
    return sortable.lo;
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
  const fits = isExactNumber(type, first.hi, first.lo) && isExactNumber(type, last.hi, last.lo);
  return fits ? 'f64' : 'words';
}

/** Turns keys, in place, from what the Arrow file holds into their resident form. */
export function fileKeysToResident(
  type: KeyType,
  form: KeyForm,
  body: SharedArrayBuffer,
  byteOffset: number,
  rows: number,
): void {
  if (type === 'float64') return;
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
  if (type === 'float64') return;
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
  readonly source: Segment | Memtable;
  /** An entry's offset, or a row's number. */
  readonly position: number;
}

/**
 * A run: segments whose key ranges do not overlap, in key order. Of each key it has one version.
 */
export class Run {
  readonly segments: readonly Segment[];
  readonly rows: number;
  /** The only segment, where there is one only: no need to choose. */
  readonly only: Segment | null;
  /** Rows before each segment. */
  readonly before: readonly number[];
  readonly #lastHi: Uint32Array;
  readonly #lastLo: Uint32Array;

  constructor(segments: readonly Segment[]) {
    this.segments = segments;
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
  }

  /** The first segment whose last key is >= the given one, or null: the only one that can hold it. */
  segmentFor(hi: number, lo: number): Segment | null {
    const at = this.indexFor(hi, lo);
    return at < this.segments.length ? this.segments[at] : null;
  }

  indexFor(hi: number, lo: number): number {
    const lastHi = this.#lastHi;
    let low = 0;
    let high = lastHi.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = lastHi[middle];
      if (found < hi || (found === hi && this.#lastLo[middle] < lo)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  get hasTombstones(): boolean {
    return this.segments.some((segment) => segment.flags !== null);
  }

  /** Number of keys in the run, tombstones included, that are < the given one. */
  rank(hi: number, lo: number, type: KeyType): number {
    const at = this.indexFor(hi, lo);
    if (at === this.segments.length) return this.rows;
    return this.before[at] + this.segments[at].lowerBound(hi, lo, sortableToNumber(type, hi, lo));
  }

  /** Number of keys in the run, tombstones included, that are <= the given one. */
  rankAfter(hi: number, lo: number, type: KeyType): number {
    const at = this.indexFor(hi, lo);
    if (at === this.segments.length) return this.rows;
    const segment = this.segments[at];
    const row = segment.lowerBound(hi, lo, sortableToNumber(type, hi, lo));
    // Compared as sortable keys: as numbers, a bound that is no key may equal one that is.
    const isThere = segment.hi(row) === hi && segment.lo(row) === lo;
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
    return { hi: source.hi(row), lo: source.lo(row), source, position: row };
  }

  /** The position of a key in the run, or −1. */
  positionOf(hi: number, lo: number, type: KeyType): number {
    const at = this.indexFor(hi, lo);
    if (at === this.segments.length) return -1;
    const row = this.segments[at].find(hi, lo, sortableToNumber(type, hi, lo));
    return row < 0 ? -1 : this.before[at] + row;
  }

  /** Number of keys in the run, tombstones included, within the bounds. */
  countWithin({ firstHi, firstLo, lastHi, lastLo }: KeyBounds, type: KeyType): number {
    return this.rankAfter(lastHi, lastLo, type) - this.rank(firstHi, firstLo, type);
  }
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
  #index = 0;

  constructor(run: Run, schema: Schema) {
    this.#run = run;
    this.#type = schema.key;
    this.segment = run.segments[0];
  }

  get source(): Cursor {
    return this;
  }

  resolve(): boolean {
    return true;
  }

  seekCeil(hi: number, lo: number): void {
    const index = this.#run.indexFor(hi, lo);
    if (index === this.#run.segments.length) {
      this.done = true;
      return;
    }
    this.#enter(index);
    this.#stand(this.segment.lowerBound(hi, lo, sortableToNumber(this.#type, hi, lo)));
  }

  seekFloor(hi: number, lo: number): void {
    const segments = this.#run.segments;
    const index = this.#run.indexFor(hi, lo);
    if (index === segments.length) {
      this.#enter(index - 1);
      this.#stand(this.segment.rows - 1);
      return;
    }
    this.#enter(index);
    this.#stand(this.segment.lowerBound(hi, lo, sortableToNumber(this.#type, hi, lo)));
    if (this.hi !== hi || this.lo !== lo) this.prev();
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
