/**
 * Look-ups among sortable keys: unsigned 64-bit integers as interleaved [lo, hi] pairs of 32-bit
 * words. What F64Index is to numbers, line by line: shared code would see two kinds of arrays and
 * lose the inlining it lives by. Reads shared, immutable memory: any thread may have one, and it has
 * no state of its own. Nothing is allocated per look-up.
 *
 * The model only says where to begin; see F64Index.
 */
import { strict as assert } from 'node:assert';
import { WINDOW } from './f64-index.ts';
import * as layout from './model.ts';
import { cellBySeparators, type Model, signed, wordsOf } from './model.ts';

// The module's own, see F64Index.
const SCALE = 1;
const BASE_LO = 0;
const BASE_HI = 1;
const CELLS = 4;
const FIRST_CELL = 5;
const START = 6;
const NODE_MASK = 0x7fffffff;
const EDGE = 2 ** -20;
const TWO_32 = 4294967296;
const HALF = 8;
assert(SCALE === layout.SCALE && BASE_LO === layout.BASE_LO && BASE_HI === layout.BASE_HI);
assert(CELLS === layout.CELLS && FIRST_CELL === layout.FIRST_CELL && START === layout.START);
assert(NODE_MASK === layout.NODE_MASK && EDGE === layout.EDGE && TWO_32 === layout.TWO_32);
assert(HALF === WINDOW / 2 && layout.NODE_DOUBLES === 4 && layout.NODE_WORDS === 8);

const NOTHING = new Float64Array(4);
const NO_CELLS = new Int32Array(2);

/** Whether the key at a position is below the given one, whose words are unsigned. */
function isBelow(keys: Uint32Array, position: number, lo: number, hi: number): boolean {
  const high = keys[2 * position + 1];
  return high < hi || (high === hi && keys[2 * position] < lo);
}

/** The same as 0 or 1, without a branch; `at` is a position in words. */
function isBelow01(keys: Uint32Array, at: number, lo: number, hi: number): number {
  const high = keys[at + 1];
  return Number(high < hi) | (Number(high === hi) & Number(keys[at] < lo));
}

const SAMPLES = 256;
/** One window in this many may be one that the word does not tell apart: those take longer. */
const EXCEPTIONS = 32;

/**
 * Looks at some windows. Where their keys lie within 2^31 of each other, low words tell them apart;
 * where they are farther apart than 2^32, high words do.
 */
function tellingWord(keys: Uint32Array, count: number): number {
  const samples = Math.min(SAMPLES, count - WINDOW);
  let dense = 0;
  let sparse = 0;
  for (let i = 0; i < samples; i++) {
    const at = 2 * Math.floor((i * (count - WINDOW)) / samples);
    const end = at + 2 * WINDOW;
    const span = (keys[end + 1] - keys[at + 1]) * TWO_32 + (keys[end] - keys[at]);
    if (span < TWO_32 / 2) dense++;
    let ties = 0;
    for (let p = at; p < end; p += 2) if (keys[p + 1] === keys[p + 3]) ties++;
    if (ties === 0 && span < (TWO_32 / 2) * TWO_32) sparse++;
  }
  const enough = samples - samples / EXCEPTIONS;
  if (dense >= enough) return 0;
  return sparse >= enough ? 1 : -1;
}

export class WordIndex {
  readonly #keys: Uint32Array;
  readonly #count: number;
  readonly #windowLast: number;
  /** Which word alone tells the keys of a window apart: 0 the low one, 1 the high one, −1 neither. */
  readonly #telling: number;
  readonly #nodes: Float64Array;
  /** Read as signed, see F64Index. */
  readonly #words: Int32Array;
  readonly #cells: Int32Array;

  /** @param model trained on these keys; null only for no keys */
  constructor(keys: Uint32Array, count: number, model: Model | null) {
    assert(keys.length >= 2 * count && (model === null ? count === 0 : model.form === 'words'));
    assert(model === null || model.keyCount === count, 'the model is of other keys');
    this.#keys = keys;
    this.#count = count;
    this.#windowLast = count - WINDOW;
    this.#telling = tellingWord(keys, count);
    this.#nodes = model?.nodes ?? NOTHING;
    this.#words = signed(wordsOf(this.#nodes));
    this.#cells = model === null ? NO_CELLS : signed(model.cells);
  }

  /** The position of a key, or −1. */
  find(lo: number, hi: number): number {
    return this.findFrom(lo, hi, this.predict(lo, hi));
  }

  /** As `find`, for a caller that has done something with `predict(lo, hi)` meanwhile. */
  findFrom(lo: number, hi: number, predicted: number): number {
    const keys = this.#keys;
    const low = lo >>> 0;
    const high = hi >>> 0;
    const near = this.#near(low, high, predicted);
    if (near < this.#count && keys[2 * near] === low && keys[2 * near + 1] === high) return near;
    const p = this.#settle(low, high, near);
    return p < this.#count && keys[2 * p] === low && keys[2 * p + 1] === high ? p : -1;
  }

  /** `predict` for the keys numbered order[from, to), into `positions` at the same places. */
  predictMany(
    lo: Uint32Array,
    hi: Uint32Array,
    order: Uint32Array,
    from: number,
    to: number,
    positions: Int32Array,
  ): void {
    for (let i = from; i < to; i++) {
      positions[i] = this.predict(lo[order[i]], hi[order[i]]);
    }
  }

  /** `findFrom` for many keys, whose predictions in `positions` become positions, or −1. */
  findFromMany(
    lo: Uint32Array,
    hi: Uint32Array,
    order: Uint32Array,
    from: number,
    to: number,
    positions: Int32Array,
  ): void {
    for (let i = from; i < to; i++) {
      const key = order[i];
      positions[i] = this.findFrom(lo[key], hi[key], positions[i]);
    }
  }

  /** The first position whose key is >= the given one; the number of keys when there is none. */
  lowerBound(lo: number, hi: number): number {
    const low = lo >>> 0;
    const high = hi >>> 0;
    return this.#settle(low, high, this.#near(low, high, this.predict(low, high)));
  }

  /** Where the model thinks the key is: at most the number of keys. */
  predict(lo: number, hi: number): number {
    return predictIn(this.#nodes, this.#words, this.#cells, lo, hi);
  }

  /** The lower bound, if it is in the window; otherwise some position near the window. */
  #near(lo: number, hi: number, predicted: number): number {
    const keys = this.#keys;
    if (this.#count < WINDOW) return this.#between(lo, hi, 0, this.#count);
    let p = predicted - HALF;
    if (p < 0) p = 0;
    if (p > this.#windowLast) p = this.#windowLast;
    const telling = this.#telling;
    if (telling < 0) {
      let at = 2 * p;
      at += isBelow01(keys, at + 14, lo, hi) << 4;
      at += isBelow01(keys, at + 6, lo, hi) << 3;
      at += isBelow01(keys, at + 2, lo, hi) << 2;
      at += isBelow01(keys, at, lo, hi) << 1;
      return at >>> 1;
    }
    // The sign of a difference that wraps at 2^32 tells which is less of two words less than 2^31 apart.
    const word = telling === 0 ? lo : hi;
    let at = 2 * p + telling;
    at += ((keys[at + 14] - word) >>> 31) << 4;
    at += ((keys[at + 6] - word) >>> 31) << 3;
    at += ((keys[at + 2] - word) >>> 31) << 2;
    at += ((keys[at] - word) >>> 31) << 1;
    return at >>> 1;
  }

  /** The lower bound, from anywhere. */
  #settle(lo: number, hi: number, from: number): number {
    const keys = this.#keys;
    if (from === this.#count) return from;
    if (isBelow(keys, from, lo, hi)) return this.#gallopUp(lo, hi, from + 1);
    const isFirst = from === 0 || isBelow(keys, from - 1, lo, hi);
    return isFirst ? from : this.#gallopDown(lo, hi, from);
  }

  /** The lower bound, given that the key at `from − 1` is below the key: steps that double. */
  #gallopUp(lo: number, hi: number, from: number): number {
    const keys = this.#keys;
    const count = this.#count;
    let low = from;
    let step = HALF;
    while (low + step < count && isBelow(keys, low + step, lo, hi)) {
      low += step + 1;
      step *= 2;
    }
    return this.#between(lo, hi, low, low + step < count ? low + step : count);
  }

  /** The lower bound, given that the key at `from` is not below the key. */
  #gallopDown(lo: number, hi: number, from: number): number {
    const keys = this.#keys;
    let high = from;
    let step = HALF;
    while (high >= step && !isBelow(keys, high - step, lo, hi)) {
      high -= step;
      step *= 2;
    }
    return this.#between(lo, hi, high >= step ? high - step + 1 : 0, high);
  }

  #between(lo: number, hi: number, from: number, to: number): number {
    const keys = this.#keys;
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBelow(keys, middle, lo, hi)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** `WordIndex.predict`. */
function predictIn(
  nodes: Float64Array,
  words: Int32Array,
  cells: Int32Array,
  lo: number,
  hi: number,
): number {
  const low = lo >>> 0;
  const high = hi >>> 0;
  let node = 0;
  for (;;) {
    const at = node << 3;
    const above = high - (words[(at + BASE_HI) | 0] >>> 0);
    const distance = above * TWO_32 + (low - (words[(at + BASE_LO) | 0] >>> 0));
    const count = words[(at + CELLS) | 0];
    const scale = nodes[((node << 2) + SCALE) | 0];
    let x = 0;
    if (scale > 0) {
      x = distance * scale;
      if (!(x > 0)) x = 0;
      else if (x >= count) x = count - EDGE;
    } else {
      x = cellBySeparators(nodes, node, count, distance) + 0.5;
    }
    const cell = x | 0;
    const first = (words[(at + FIRST_CELL) | 0] + cell) | 0;
    const start = cells[first];
    if (start >= 0) {
      let end = cells[(first + 1) | 0];
      if (end < 0) end = words[(((end & NODE_MASK) << 3) + START) | 0];
      return (start + ((end - start) | 0) * (x - cell)) | 0;
    }
    node = start & NODE_MASK;
  }
}
