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
import {
  BASE_HI,
  BASE_LO,
  CELLS,
  cellBySeparators,
  EDGE,
  FIRST_CELL,
  IS_NODE,
  type Model,
  NODE_MASK,
  SCALE,
  START,
  TWO_32,
  wordsOf,
} from './model.ts';

const HALF = WINDOW / 2;

const NOTHING = new Float64Array(4);
const NO_CELLS = new Uint32Array(2);

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
  readonly #words: Uint32Array;
  readonly #cells: Uint32Array;

  /** @param model trained on these keys; null only for no keys */
  constructor(keys: Uint32Array, count: number, model: Model | null) {
    assert(keys.length >= 2 * count && (model === null ? count === 0 : model.form === 'words'));
    assert(model === null || model.keyCount === count, 'the model is of other keys');
    this.#keys = keys;
    this.#count = count;
    this.#windowLast = count - WINDOW;
    this.#telling = tellingWord(keys, count);
    this.#nodes = model?.nodes ?? NOTHING;
    this.#words = wordsOf(this.#nodes);
    this.#cells = model?.cells ?? NO_CELLS;
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
    const nodes = this.#nodes;
    const words = this.#words;
    const cells = this.#cells;
    const low = lo >>> 0;
    const high = hi >>> 0;
    let node = 0;
    for (;;) {
      const baseLo = words[8 * node + BASE_LO];
      const baseHi = words[8 * node + BASE_HI];
      const distance = (high - baseHi) * TWO_32 + (low - baseLo);
      const count = words[8 * node + CELLS];
      const scale = nodes[4 * node + SCALE];
      let x = 0;
      if (scale > 0) {
        x = distance * scale;
        if (!(x > 0)) x = 0;
        else if (x >= count) x = count - EDGE;
      } else {
        x = cellBySeparators(nodes, node, count, distance) + 0.5;
      }
      const cell = x >>> 0;
      const at = words[8 * node + FIRST_CELL] + cell;
      const start = cells[at];
      if (start < IS_NODE) {
        let end = cells[at + 1];
        if (end >= IS_NODE) end = words[8 * (end & NODE_MASK) + START];
        return (start + (end - start) * (x - cell)) >>> 0;
      }
      node = start & NODE_MASK;
    }
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
