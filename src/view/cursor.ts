/**
 * Cursors: one way to walk keys in order over whatever holds them. A cursor stands on a key or is
 * done; it is moved to a key first (`seekCeil`, `seekFloor`), then stepped in one direction. It reads
 * one snapshot and belongs to one thread.
 */
import { compareBytes, type KeyBytes, keyMemory } from '../schema/key-bytes.ts';
import type { Memtable, Visibility } from './memtable.ts';
import type { SortedPiece } from './tail.ts';

const NOTHING = keyMemory(new ArrayBuffer(0));

export interface Cursor {
  readonly done: boolean;
  /** The sortable key the cursor stands on. */
  readonly hi: number;
  readonly lo: number;
  /** Its bytes where keys differ in length, in an object that is reused; null where they do not. */
  readonly bytes: KeyBytes | null;
  /**
   * Whether the key has a version here that may be seen. Asked only where the key may be the one to
   * be taken: it costs a look at the entry itself. `deleted` and `position` are settled by it.
   */
  resolve(): boolean;
  /** Whether the key was deleted: a tombstone hides older versions in other cursors. */
  readonly deleted: boolean;
  /** To the first key >= the given one, whose bytes are given where keys have them. */
  seekCeil(hi: number, lo: number, bytes?: KeyBytes | null): void;
  /** To the last key <= the given one. */
  seekFloor(hi: number, lo: number, bytes?: KeyBytes | null): void;
  next(): void;
  prev(): void;
  /** The cursor that holds the row itself: this one, or the one a merge took the key from. */
  readonly source: Cursor;
  /** Where the row is within its source: an entry's offset, or a segment's row number. */
  readonly position: number;
}

/** A cursor over another one, of whose keys it may pass over some, or see some as deleted. */
export abstract class WrappedCursor implements Cursor {
  protected readonly inner: Cursor;

  constructor(inner: Cursor) {
    this.inner = inner;
  }

  /** Passes over what is not to be stood on, after each move, in the direction of it. */
  protected abstract pass(forwards: boolean): void;

  get done(): boolean {
    return this.inner.done;
  }

  get hi(): number {
    return this.inner.hi;
  }

  get lo(): number {
    return this.inner.lo;
  }

  get bytes(): KeyBytes | null {
    return this.inner.bytes;
  }

  get deleted(): boolean {
    return this.inner.deleted;
  }

  get source(): Cursor {
    return this.inner.source;
  }

  get position(): number {
    return this.inner.position;
  }

  resolve(): boolean {
    return this.inner.resolve();
  }

  seekCeil(hi: number, lo: number, bytes: KeyBytes | null = null): void {
    this.inner.seekCeil(hi, lo, bytes);
    this.pass(true);
  }

  seekFloor(hi: number, lo: number, bytes: KeyBytes | null = null): void {
    this.inner.seekFloor(hi, lo, bytes);
    this.pass(false);
  }

  next(): void {
    this.inner.next();
    this.pass(true);
  }

  prev(): void {
    this.inner.prev();
    this.pass(false);
  }
}

/** Negative, zero or positive, as the key of one cursor comes before that of another. */
export function compareKeys(a: Cursor, b: Cursor): number {
  return a.hi - b.hi || a.lo - b.lo || compareBytes(a.bytes, b.bytes);
}

/** How the key of a cursor compares with a given one. */
export function compareWithKey(
  cursor: Cursor,
  hi: number,
  lo: number,
  bytes: KeyBytes | null,
): number {
  return cursor.hi - hi || cursor.lo - lo || compareBytes(cursor.bytes, bytes);
}

/** A sorted piece of a memtable: for each key in it, the newest version that may be seen. */
export class PieceCursor implements Cursor {
  readonly memtable: Memtable;
  done = true;
  hi = 0;
  lo = 0;
  position = 0;
  deleted = false;
  readonly #piece: SortedPiece;
  readonly #visible: Visibility;
  readonly #bytes: KeyBytes | null;
  /** The group of entries with the current key is [#first, #last]. */
  #first = 0;
  #last = 0;
  #isResolved = false;
  #isVisible = false;

  constructor(memtable: Memtable, piece: SortedPiece, visible: Visibility) {
    this.memtable = memtable;
    this.#piece = piece;
    this.#visible = visible;
    this.#bytes = memtable.storesKeys ? { memory: memtable.keys, start: 0, end: 0 } : null;
  }

  get source(): Cursor {
    return this;
  }

  get bytes(): KeyBytes | null {
    if (this.#bytes !== null) {
      this.memtable.readKey(this.#piece.offsets[this.#first], this.#bytes);
    }
    return this.#bytes;
  }

  resolve(): boolean {
    if (this.#isResolved) return this.#isVisible;
    this.#isResolved = true;
    // The chain leads on to versions in older pieces: 0 means that the memtable has none to be seen.
    const newest = this.#piece.offsets[this.#last];
    const entry = this.memtable.visibleVersion(newest, this.#visible);
    this.#isVisible = entry !== 0;
    if (entry !== 0) {
      this.position = entry;
      this.deleted = this.memtable.isTombstone(entry);
    }
    return this.#isVisible;
  }

  seekCeil(hi: number, lo: number, bytes: KeyBytes | null = null): void {
    this.#forward(this.#lowerBound(hi, lo, bytes));
  }

  seekFloor(hi: number, lo: number, bytes: KeyBytes | null = null): void {
    const at = this.#lowerBound(hi, lo, bytes);
    const { keys, offsets, end } = this.#piece;
    const isThere =
      at < end &&
      keys[2 * at] === lo &&
      keys[2 * at + 1] === hi &&
      this.memtable.compareWith(offsets[at], bytes) === 0;
    if (isThere) this.#forward(at);
    else this.#backward(at - 1);
  }

  next(): void {
    this.#forward(this.#last + 1);
  }

  prev(): void {
    this.#backward(this.#first - 1);
  }

  #lowerBound(hi: number, lo: number, bytes: KeyBytes | null): number {
    const { keys, offsets, start, end } = this.#piece;
    let low = start;
    let high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order =
        keys[2 * middle + 1] - hi ||
        keys[2 * middle] - lo ||
        this.memtable.compareWith(offsets[middle], bytes);
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Whether two entries of the piece have the same key. */
  #isSame(a: number, b: number): boolean {
    const { keys, offsets } = this.#piece;
    return (
      keys[2 * a] === keys[2 * b] &&
      keys[2 * a + 1] === keys[2 * b + 1] &&
      this.memtable.compareStored(offsets[a], offsets[b]) === 0
    );
  }

  /** To the group that starts at `at`. */
  #forward(at: number): void {
    const { keys, end } = this.#piece;
    this.done = at >= end;
    if (this.done) return;
    const lo = keys[2 * at];
    const hi = keys[2 * at + 1];
    this.#stand(hi, lo, at, this.#farthest(at, 1, end - 1 - at));
  }

  /** To the group that ends at `at`. */
  #backward(at: number): void {
    const { keys, start } = this.#piece;
    this.done = at < start;
    if (this.done) return;
    const lo = keys[2 * at];
    const hi = keys[2 * at + 1];
    this.#stand(hi, lo, this.#farthest(at, -1, at - start), at);
  }

  /**
   * The last entry with the key of the one at `at`, up or down, at most `max` away. In steps that double,
   * then halve: a key may have a million versions side by side.
   */
  #farthest(at: number, direction: 1 | -1, max: number): number {
    let same = 0;
    let other = 1;
    while (other <= max && this.#isSame(at, at + direction * other)) {
      same = other;
      other = 2 * same;
    }
    if (other > max) other = max + 1;
    while (other - same > 1) {
      const middle = (same + other) >>> 1;
      if (this.#isSame(at, at + direction * middle)) same = middle;
      else other = middle;
    }
    return at + direction * same;
  }

  #stand(hi: number, lo: number, first: number, last: number): void {
    this.hi = hi;
    this.lo = lo;
    this.#first = first;
    this.#last = last;
    this.#isResolved = false;
  }
}

/**
 * Many cursors as one, in key order. Of equal keys the cursor that comes first in `parts` wins, so
 * they are given newest first; keys whose winner is a tombstone are passed over, unless they are to be
 * shown. While one part holds a stretch of keys that no other reaches into, a step costs one comparison.
 */
export class MergeCursor implements Cursor {
  done = true;
  hi = 0;
  lo = 0;
  deleted = false;

  /** A merge stands only on keys that may be seen. */
  resolve(): boolean {
    return !this.done;
  }

  readonly #parts: readonly Cursor[];
  readonly #showsDeleted: boolean;
  #forwards = true;
  #current: Cursor | null = null;
  /** The nearest key of any other part, as far as it is known; the limit of a stretch. */
  #limitHi = 0;
  #limitLo = 0;
  readonly #limitBytes: KeyBytes = { memory: NOTHING, start: 0, end: 0 };
  #hasLimit = false;

  constructor(parts: readonly Cursor[], tombstones: 'hidden' | 'shown' = 'hidden') {
    this.#parts = parts;
    this.#showsDeleted = tombstones === 'shown';
  }

  get source(): Cursor {
    return this.#current === null ? this : this.#current.source;
  }

  get bytes(): KeyBytes | null {
    return this.#current === null ? null : this.#current.bytes;
  }

  get position(): number {
    return this.#current === null ? 0 : this.#current.position;
  }

  seekCeil(hi: number, lo: number, bytes: KeyBytes | null = null): void {
    this.#forwards = true;
    for (const part of this.#parts) part.seekCeil(hi, lo, bytes);
    this.#choose();
  }

  seekFloor(hi: number, lo: number, bytes: KeyBytes | null = null): void {
    this.#forwards = false;
    for (const part of this.#parts) part.seekFloor(hi, lo, bytes);
    this.#choose();
  }

  next(): void {
    this.#turn(true);
    this.#advance();
  }

  prev(): void {
    this.#turn(false);
    this.#advance();
  }

  /** Whether the key of a part comes before the limit in the direction of travel. */
  #isBeforeLimit(part: Cursor): boolean {
    const { hi, lo } = part;
    if (hi !== this.#limitHi) return hi < this.#limitHi === this.#forwards;
    if (lo !== this.#limitLo) return lo < this.#limitLo === this.#forwards;
    const { bytes } = part;
    if (bytes === null) return false;
    const order = compareBytes(bytes, this.#limitBytes);
    return order !== 0 && order < 0 === this.#forwards;
  }

  #turn(forwards: boolean): void {
    if (this.#forwards === forwards) return;
    this.#forwards = forwards;
    // A copy: the part that the key stands in is moved as well.
    const bytes = this.bytes && { ...this.bytes };
    for (const part of this.#parts) {
      if (forwards) part.seekCeil(this.hi, this.lo, bytes);
      else part.seekFloor(this.hi, this.lo, bytes);
    }
    this.#choose();
  }

  #step(part: Cursor): void {
    if (this.#forwards) part.next();
    else part.prev();
  }

  #advance(): void {
    const current = this.#current;
    if (current === null || this.done) return;
    this.#step(current);
    while (!current.done && (!this.#hasLimit || this.#isBeforeLimit(current))) {
      if (current.resolve() && (!current.deleted || this.#showsDeleted)) {
        this.deleted = current.deleted;
        this.hi = current.hi;
        this.lo = current.lo;
        return;
      }
      this.#step(current);
    }
    this.#choose();
  }

  /** Finds the part with the nearest key, moving older versions of it out of the way. */
  #choose(): void {
    for (;;) {
      let best: Cursor | null = null;
      this.#hasLimit = false;
      for (const part of this.#parts) {
        if (part.done) continue;
        if (best === null) {
          best = part;
          continue;
        }
        const order = compareKeys(part, best);
        if (order === 0) {
          // Versions that the one taken hides, or one that may not be seen itself.
          const passed: Cursor = best.resolve() ? part : best;
          if (passed === best) best = part;
          this.#step(passed);
          if (!passed.done) this.#noteLimit(passed);
        } else if (order < 0 === this.#forwards) {
          this.#noteLimit(best);
          best = part;
        } else {
          this.#noteLimit(part);
        }
      }
      this.#current = best;
      this.done = best === null;
      if (best === null) return;
      if (best.resolve() && (!best.deleted || this.#showsDeleted)) {
        this.deleted = best.deleted;
        this.hi = best.hi;
        this.lo = best.lo;
        return;
      }
      this.#step(best);
    }
  }

  #noteLimit(part: Cursor): void {
    if (this.#hasLimit && !this.#isBeforeLimit(part)) return;
    this.#hasLimit = true;
    this.#limitHi = part.hi;
    this.#limitLo = part.lo;
    const { bytes } = part;
    if (bytes === null) return;
    this.#limitBytes.memory = bytes.memory;
    this.#limitBytes.start = bytes.start;
    this.#limitBytes.end = bytes.end;
  }
}
