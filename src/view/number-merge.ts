/**
 * Merges sorted lists whose keys are exact numbers: segments in their `f64` form and pieces of
 * memtables. A block takes a window of each list, as far as the shortest of them reaches, and merges
 * the windows two by two, in loops over typed arrays. Of equal keys the list that comes first wins, so
 * they are given newest first; tombstones are dropped last, once they have hidden what is older.
 */
import { sortableToNumber } from '../schema/key.ts';
import type { KeyType } from '../schema/schema.ts';
import type { KeyBounds } from './bounds.ts';
import type { Memtable, Visibility } from './memtable.ts';
import type { Picked, RowBlocks, Source } from './row-blocks.ts';
import { type Run, Segment } from './segment.ts';
import type { SortedPiece } from './tail.ts';

/** A window is never smaller, so that clustered keys do not make for tiny blocks. */
const WINDOW_ROWS_MIN = 256;

/** A sorted list, read from one end to the other through a window on what is next. */
export interface NumberPart {
  /** About how many keys are left, those in the window included. */
  readonly left: number;
  /** Whether the window reaches the list's end. */
  readonly isLast: boolean;
  /** The window: `keys[start, end)`, ascending whatever the direction. */
  readonly keys: Float64Array;
  readonly start: number;
  readonly end: number;
  readonly source: Source;
  /** Makes the window hold a key, and about as many as asked for, unless the list is at its end. */
  load(rows: number, reverse: boolean): void;
  /** The rows of keys [from, to) of the window into `rows` from `at` on. */
  copyRows(from: number, to: number, rows: Uint32Array, at: number): void;
  /** Gives up so many keys of the window, those that are next. */
  take(count: number, reverse: boolean): void;
}

/** Positions [start, end) of a run. */
export class RunPart implements NumberPart {
  isLast = true;
  keys: Float64Array;
  start = 0;
  end = 0;
  source: Segment;
  readonly #run: Run;
  #index = 0;
  #from: number;
  #to: number;

  constructor(run: Run, { start, end }: { readonly start: number; readonly end: number }) {
    this.#run = run;
    this.#from = start;
    this.#to = end;
    this.source = run.segments[0];
    this.keys = this.source.keysF64;
  }

  get left(): number {
    return this.#to - this.#from;
  }

  load(rows: number, reverse: boolean): void {
    const { segments, before } = this.#run;
    const position = reverse ? Math.max(this.#from, this.#to - 1) : this.#from;
    this.#index = segmentAt(this.#run, position, this.#index);
    const segment = segments[this.#index];
    const base = before[this.#index];
    const from = reverse ? Math.max(this.#from, base, this.#to - rows) : this.#from;
    const to = reverse ? this.#to : Math.min(this.#to, base + segment.rows, from + rows);
    this.source = segment;
    this.keys = segment.keysF64;
    this.start = from - base;
    this.end = Math.max(from, to) - base;
    this.isLast = this.end - this.start === this.left;
  }

  copyRows(from: number, to: number, rows: Uint32Array, at: number): void {
    for (let row = from; row < to; row++) rows[at + row - from] = row;
  }

  take(count: number, reverse: boolean): void {
    if (reverse) this.#to -= count;
    else this.#from += count;
  }
}

/** The number of the segment that has a position, looked for from a near one on. */
function segmentAt({ segments, before }: Run, position: number, near: number): number {
  let index = near;
  while (index + 1 < segments.length && before[index + 1] <= position) index++;
  while (index > 0 && before[index] > position) index--;
  return index;
}

/** A sorted piece of a memtable: of each key in it the newest version that may be seen. */
export class PiecePart implements NumberPart {
  isLast = true;
  keys = new Float64Array(0);
  start = 0;
  end = 0;
  readonly source: Memtable;
  readonly #piece: SortedPiece;
  readonly #visible: Visibility;
  readonly #type: KeyType;
  #entries = new Uint32Array(0);
  #from: number;
  #to: number;

  constructor(
    memtable: Memtable,
    piece: SortedPiece,
    visible: Visibility,
    type: KeyType,
    bounds: KeyBounds,
  ) {
    this.source = memtable;
    this.#piece = piece;
    this.#visible = visible;
    this.#type = type;
    const { firstHi, firstLo, isAfterFirst, lastHi, lastLo, isBeforeLast } = bounds;
    this.#from = firstOf(piece, firstHi, firstLo, isAfterFirst);
    this.#to = Math.max(this.#from, firstOf(piece, lastHi, lastLo, !isBeforeLast));
  }

  get left(): number {
    return this.#to - this.#from + this.end - this.start;
  }

  load(rows: number, reverse: boolean): void {
    if (this.start === this.end) {
      if (this.keys.length < rows) {
        this.keys = new Float64Array(rows);
        this.#entries = new Uint32Array(rows);
      }
      if (reverse) this.#fillBackwards();
      else this.#fill();
    }
    this.isLast = this.#from === this.#to;
  }

  #fill(): void {
    const { keys, offsets } = this.#piece;
    this.start = 0;
    this.end = 0;
    while (this.#from < this.#to && this.end < this.keys.length) {
      let last = this.#from;
      while (last + 1 < this.#to && isSame(keys, last, last + 1)) last++;
      this.#put(this.end, last, offsets[last]);
      if (this.#entries[this.end] !== 0) this.end++;
      this.#from = last + 1;
    }
  }

  #fillBackwards(): void {
    const { keys, offsets } = this.#piece;
    this.start = this.keys.length;
    this.end = this.keys.length;
    while (this.#from < this.#to && this.start > 0) {
      const last = this.#to - 1;
      let first = last;
      while (first > this.#from && isSame(keys, first, first - 1)) first--;
      this.#put(this.start - 1, last, offsets[last]);
      if (this.#entries[this.start - 1] !== 0) this.start--;
      this.#to = first;
    }
  }

  /** The chain leads on to versions in older pieces: 0 means that the memtable has none to be seen. */
  #put(at: number, index: number, newest: number): void {
    const { keys } = this.#piece;
    this.keys[at] = sortableToNumber(this.#type, keys[2 * index + 1], keys[2 * index]);
    this.#entries[at] = this.source.visibleVersion(newest, this.#visible);
  }

  copyRows(from: number, to: number, rows: Uint32Array, at: number): void {
    for (let i = from; i < to; i++) rows[at + i - from] = this.#entries[i];
  }

  take(count: number, reverse: boolean): void {
    if (reverse) this.end -= count;
    else this.start += count;
  }
}

function isSame(keys: Uint32Array, a: number, b: number): boolean {
  return keys[2 * a] === keys[2 * b] && keys[2 * a + 1] === keys[2 * b + 1];
}

/** The first entry of a piece whose key is >= the given one, or > it. */
function firstOf(piece: SortedPiece, hi: number, lo: number, isAfter: boolean): number {
  const { keys } = piece;
  let low = piece.start;
  let high = piece.end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = keys[2 * middle + 1] - hi || keys[2 * middle] - lo;
    if (order < 0 || (isAfter && order === 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Keys and where their rows are, in arrays that others stand in too. */
interface List {
  readonly keys: Float64Array;
  readonly keysAt: number;
  readonly from: Rows;
  readonly at: number;
  readonly count: number;
}

interface Rows {
  keys: Float64Array;
  source: Uint16Array;
  row: Uint32Array;
}

const newRows = (rows: number): Rows => ({
  keys: new Float64Array(rows),
  source: new Uint16Array(rows),
  row: new Uint32Array(rows),
});

export class NumberMerge implements RowBlocks {
  readonly #parts: NumberPart[];
  readonly #reverse: boolean;
  #rows = newRows(0);
  #others = newRows(0);

  /** @param parts newest first */
  constructor(parts: readonly NumberPart[], reverse: boolean) {
    this.#parts = [...parts];
    this.#reverse = reverse;
  }

  next(rows: number): Picked | null {
    for (;;) {
      this.#load(rows);
      if (this.#parts.length === 0) return null;
      const lists = this.#lists(this.#limit());
      const sources = this.#parts.map(({ source }) => source);
      const merged = this.#mergeAll(lists);
      const { source, row } = merged.from;
      const count = dropDeleted(sources, source, row, merged.count);
      if (count === 0) continue;
      if (this.#reverse) {
        source.subarray(0, count).reverse();
        row.subarray(0, count).reverse();
      }
      return { segment: null, sources, source, row, count };
    }
  }

  /** Loads all windows, each by its share of what is left; lists that are at their end are left out. */
  #load(rows: number): void {
    const parts = this.#parts;
    const all = parts.reduce((sum, { left }) => sum + left, 0);
    const least = Math.min(rows, WINDOW_ROWS_MIN);
    let kept = 0;
    for (const part of parts) {
      part.load(Math.max(least, Math.ceil((rows * part.left) / all)), this.#reverse);
      if (part.start < part.end) parts[kept++] = part;
    }
    parts.length = kept;
  }

  /** The last key of which no list can have more behind its window. */
  #limit(): number {
    let limit = this.#reverse ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    for (const { isLast, keys, start, end } of this.#parts) {
      if (isLast) continue;
      limit = this.#reverse ? Math.max(limit, keys[start]) : Math.min(limit, keys[end - 1]);
    }
    return limit;
  }

  /** Takes from every list what is up to the limit. */
  #lists(limit: number): List[] {
    const room = this.#parts.reduce((sum, { start, end }) => sum + end - start, 0);
    if (this.#rows.row.length < room) {
      this.#rows = newRows(room);
      this.#others = newRows(room);
    }
    let at = 0;
    return this.#parts.map((part, number) => {
      const { keys, start, end } = part;
      const from = this.#reverse ? lowerBound(keys, start, end, limit) : start;
      const to = this.#reverse ? end : upperBound(keys, start, end, limit);
      const count = to - from;
      part.copyRows(from, to, this.#rows.row, at);
      this.#rows.source.fill(number, at, at + count);
      const list = { keys, keysAt: from, from: this.#rows, at, count };
      part.take(count, this.#reverse);
      at += count;
      return list;
    });
  }

  #mergeAll(lists: readonly List[]): List {
    let round = lists.filter(({ count }) => count > 0);
    let from = this.#rows;
    let to = this.#others;
    while (round.length > 1) {
      const next: List[] = [];
      let at = 0;
      for (let i = 0; i < round.length; i += 2) {
        const merged =
          i + 1 < round.length ? mergeTwo(round[i], round[i + 1], to, at) : move(round[i], to, at);
        next.push(merged);
        at += merged.count;
      }
      round = next;
      [from, to] = [to, from];
    }
    return round.length === 1 ? round[0] : { keys: from.keys, keysAt: 0, from, at: 0, count: 0 };
  }
}

function move({ keys, keysAt, from, at, count }: List, to: Rows, toAt: number): List {
  for (let i = 0; i < count; i++) to.keys[toAt + i] = keys[keysAt + i];
  to.source.set(from.source.subarray(at, at + count), toAt);
  to.row.set(from.row.subarray(at, at + count), toAt);
  return { keys: to.keys, keysAt: toAt, from: to, at: toAt, count };
}

/** Of equal keys the newer list's is taken, and the older one's left out. */
function mergeTwo(newer: List, older: List, to: Rows, toAt: number): List {
  const { keys: a } = newer;
  const { keys: b } = older;
  const { keys, source, row } = to;
  const { source: aSource, row: aRow } = newer.from;
  const { source: bSource, row: bRow } = older.from;
  const aShift = newer.at - newer.keysAt;
  const bShift = older.at - older.keysAt;
  const aEnd = newer.keysAt + newer.count;
  const bEnd = older.keysAt + older.count;
  let i = newer.keysAt;
  let j = older.keysAt;
  let at = toAt;
  while (i < aEnd && j < bEnd) {
    const x = a[i];
    const y = b[j];
    if (x <= y) {
      keys[at] = x;
      source[at] = aSource[i + aShift];
      row[at] = aRow[i + aShift];
      if (x === y) j++;
      i++;
    } else {
      keys[at] = y;
      source[at] = bSource[j + bShift];
      row[at] = bRow[j + bShift];
      j++;
    }
    at++;
  }
  for (; i < aEnd; i++, at++) {
    keys[at] = a[i];
    source[at] = aSource[i + aShift];
    row[at] = aRow[i + aShift];
  }
  for (; j < bEnd; j++, at++) {
    keys[at] = b[j];
    source[at] = bSource[j + bShift];
    row[at] = bRow[j + bShift];
  }
  return { keys, keysAt: toAt, from: to, at: toAt, count: at - toAt };
}

function lowerBound(keys: Float64Array, start: number, end: number, key: number): number {
  let low = start;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function upperBound(keys: Float64Array, start: number, end: number, key: number): number {
  let low = start;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle] <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Moves the live rows together; returns how many there are. */
function dropDeleted(
  sources: readonly Source[],
  source: Uint16Array,
  row: Uint32Array,
  count: number,
): number {
  const mayBe = sources.some((one) => !(one instanceof Segment) || one.flags !== null);
  if (!mayBe) return count;
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const one = sources[source[i]];
    const isDeleted = one instanceof Segment ? one.isDeleted(row[i]) : one.isTombstone(row[i]);
    if (isDeleted) continue;
    source[kept] = source[i];
    row[kept] = row[i];
    kept++;
  }
  return kept;
}
