/**
 * Cursors: one way to walk keys in order over whatever holds them. A cursor stands on a key or is
 * done; it is moved to a key first (`seekCeil`, `seekFloor`), then stepped in one direction. It reads
 * one snapshot and belongs to one thread.
 */
import type { Memtable, Visibility } from './memtable.ts';
import type { SortedPiece } from './tail.ts';

export interface Cursor {
  readonly done: boolean;
  /** The sortable key the cursor stands on. */
  readonly hi: number;
  readonly lo: number;
  /**
   * Whether the key has a version here that may be seen. Asked only where the key may be the one to
   * be taken: it costs a look at the entry itself. `deleted` and `position` are settled by it.
   */
  resolve(): boolean;
  /** Whether the key was deleted: a tombstone hides older versions in other cursors. */
  readonly deleted: boolean;
  /** To the first key >= the given one. */
  seekCeil(hi: number, lo: number): void;
  /** To the last key <= the given one. */
  seekFloor(hi: number, lo: number): void;
  next(): void;
  prev(): void;
  /** The cursor that holds the row itself: this one, or the one a merge took the key from. */
  readonly source: Cursor;
  /** Where the row is within its source: an entry's offset, or a segment's row number. */
  readonly position: number;
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
  /** The group of entries with the current key is [#first, #last]. */
  #first = 0;
  #last = 0;
  #isResolved = false;
  #isVisible = false;

  constructor(memtable: Memtable, piece: SortedPiece, visible: Visibility) {
    this.memtable = memtable;
    this.#piece = piece;
    this.#visible = visible;
  }

  get source(): Cursor {
    return this;
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

  seekCeil(hi: number, lo: number): void {
    this.#forward(this.#lowerBound(hi, lo));
  }

  seekFloor(hi: number, lo: number): void {
    const at = this.#lowerBound(hi, lo);
    const { keys, end } = this.#piece;
    if (at < end && keys[2 * at] === lo && keys[2 * at + 1] === hi) this.#forward(at);
    else this.#backward(at - 1);
  }

  next(): void {
    this.#forward(this.#last + 1);
  }

  prev(): void {
    this.#backward(this.#first - 1);
  }

  #lowerBound(hi: number, lo: number): number {
    const { keys, start, end } = this.#piece;
    let low = start;
    let high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = keys[2 * middle + 1];
      if (found < hi || (found === hi && keys[2 * middle] < lo)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** To the group that starts at `at`. */
  #forward(at: number): void {
    const { keys, end } = this.#piece;
    this.done = at >= end;
    if (this.done) return;
    const lo = keys[2 * at];
    const hi = keys[2 * at + 1];
    let last = at;
    while (last + 1 < end && keys[2 * last + 2] === lo && keys[2 * last + 3] === hi) last++;
    this.#stand(hi, lo, at, last);
  }

  /** To the group that ends at `at`. */
  #backward(at: number): void {
    const { keys, start } = this.#piece;
    this.done = at < start;
    if (this.done) return;
    const lo = keys[2 * at];
    const hi = keys[2 * at + 1];
    let first = at;
    while (first > start && keys[2 * first - 2] === lo && keys[2 * first - 1] === hi) first--;
    this.#stand(hi, lo, first, at);
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
  #hasLimit = false;

  constructor(parts: readonly Cursor[], tombstones: 'hidden' | 'shown' = 'hidden') {
    this.#parts = parts;
    this.#showsDeleted = tombstones === 'shown';
  }

  get source(): Cursor {
    return this.#current === null ? this : this.#current.source;
  }

  get position(): number {
    return this.#current === null ? 0 : this.#current.position;
  }

  seekCeil(hi: number, lo: number): void {
    this.#forwards = true;
    for (const part of this.#parts) part.seekCeil(hi, lo);
    this.#choose();
  }

  seekFloor(hi: number, lo: number): void {
    this.#forwards = false;
    for (const part of this.#parts) part.seekFloor(hi, lo);
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

  /** Whether key a comes before key b in the direction of travel. */
  #isBefore(aHi: number, aLo: number, bHi: number, bLo: number): boolean {
    if (aHi !== bHi) return aHi < bHi === this.#forwards;
    return aLo !== bLo && aLo < bLo === this.#forwards;
  }

  #turn(forwards: boolean): void {
    if (this.#forwards === forwards) return;
    this.#forwards = forwards;
    for (const part of this.#parts) {
      if (forwards) part.seekCeil(this.hi, this.lo);
      else part.seekFloor(this.hi, this.lo);
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
    while (
      !current.done &&
      (!this.#hasLimit || this.#isBefore(current.hi, current.lo, this.#limitHi, this.#limitLo))
    ) {
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
        } else if (part.hi === best.hi && part.lo === best.lo) {
          // Versions that the one taken hides, or one that may not be seen itself.
          const passed: Cursor = best.resolve() ? part : best;
          if (passed === best) best = part;
          this.#step(passed);
          if (!passed.done) this.#noteLimit(passed);
        } else if (this.#isBefore(part.hi, part.lo, best.hi, best.lo)) {
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
    if (!this.#hasLimit || this.#isBefore(part.hi, part.lo, this.#limitHi, this.#limitLo)) {
      this.#hasLimit = true;
      this.#limitHi = part.hi;
      this.#limitLo = part.lo;
    }
  }
}
