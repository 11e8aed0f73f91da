/**
 * Look-ups among float64 keys. Reads shared, immutable memory: any thread may have one, and it has
 * no state of its own. Nothing is allocated per look-up.
 *
 * The model only says where to begin. The search goes outward from there, bounded by the array and
 * ended by comparisons alone, so that its answer is right whatever the model says; it is linear at
 * first, since most predictions are off by a key or two and a branch mispredicted costs as much as
 * reading past several keys.
 */
import { strict as assert } from 'node:assert';
import {
  BASE,
  CELLS,
  cellBySeparators,
  EDGE,
  FIRST_CELL,
  IS_NODE,
  type Model,
  NODE_MASK,
  SCALE,
  START,
  wordsOf,
} from './model.ts';

/** Keys around the prediction that are searched without a branch; a power of two. */
export const WINDOW = 16;
const HALF = WINDOW / 2;

const NOTHING = new Float64Array(4);
const NO_CELLS = new Uint32Array(2);

export class F64Index {
  readonly #keys: Float64Array;
  readonly #count: number;
  readonly #windowLast: number;
  readonly #nodes: Float64Array;
  readonly #words: Uint32Array;
  readonly #cells: Uint32Array;

  /** @param model trained on these keys; null only for no keys */
  constructor(keys: Float64Array, count: number, model: Model | null) {
    assert(keys.length >= count && (model === null ? count === 0 : model.form === 'f64'));
    assert(model === null || model.keyCount === count, 'the model is of other keys');
    this.#keys = keys;
    this.#count = count;
    this.#windowLast = count - WINDOW;
    this.#nodes = model?.nodes ?? NOTHING;
    this.#words = wordsOf(this.#nodes);
    this.#cells = model?.cells ?? NO_CELLS;
  }

  /** The position of a key, or −1. */
  find(key: number): number {
    return this.findFrom(key, this.predict(key));
  }

  /** As `find`, for a caller that has done something with `predict(key)` meanwhile. */
  findFrom(key: number, predicted: number): number {
    const near = this.#near(key, predicted);
    if (near < this.#count && this.#keys[near] === key) return near;
    const position = this.#settle(key, near);
    return position < this.#count && this.#keys[position] === key ? position : -1;
  }

  /** `predict` for the keys numbered order[from, to), into `positions` under the same numbers. */
  predictMany(
    keys: Float64Array,
    order: Uint32Array,
    from: number,
    to: number,
    positions: Int32Array,
  ): void {
    for (let i = from; i < to; i++) positions[order[i]] = this.predict(keys[order[i]]);
  }

  /** `findFrom` for many keys, whose predictions in `positions` become positions, or −1. */
  findFromMany(
    keys: Float64Array,
    order: Uint32Array,
    from: number,
    to: number,
    positions: Int32Array,
  ): void {
    for (let i = from; i < to; i++) {
      const key = order[i];
      positions[key] = this.findFrom(keys[key], positions[key]);
    }
  }

  /** The first position whose key is >= the given one; the number of keys when there is none. */
  lowerBound(key: number): number {
    return this.#settle(key, this.#near(key, this.predict(key)));
  }

  /** Where the model thinks the key is: at most the number of keys. */
  predict(key: number): number {
    const nodes = this.#nodes;
    const words = this.#words;
    const cells = this.#cells;
    let node = 0;
    for (;;) {
      const count = words[8 * node + CELLS];
      const scale = nodes[4 * node + SCALE];
      let x = 0;
      if (scale > 0) {
        x = (key - nodes[4 * node + BASE]) * scale;
        if (!(x > 0)) x = 0;
        else if (x >= count) x = count - EDGE;
      } else {
        x = cellBySeparators(nodes, node, count, key) + 0.5;
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

  /** The lower bound, if it is in the window; otherwise an end of the window. */
  #near(key: number, predicted: number): number {
    const keys = this.#keys;
    if (this.#count < WINDOW) return this.#between(key, 0, this.#count);
    let p = predicted - HALF;
    if (p < 0) p = 0;
    if (p > this.#windowLast) p = this.#windowLast;
    p += Number(keys[p + 7] < key) << 3;
    p += Number(keys[p + 3] < key) << 2;
    p += Number(keys[p + 1] < key) << 1;
    p += Number(keys[p] < key);
    return p;
  }

  /** The lower bound, from anywhere. */
  #settle(key: number, from: number): number {
    const keys = this.#keys;
    if (from === this.#count) return from;
    if (keys[from] < key) return this.#gallopUp(key, from + 1);
    return from === 0 || keys[from - 1] < key ? from : this.#gallopDown(key, from);
  }

  /** The lower bound, given that the key at `from − 1` is below the key: steps that double. */
  #gallopUp(key: number, from: number): number {
    const keys = this.#keys;
    const count = this.#count;
    let low = from;
    let step = HALF;
    while (low + step < count && keys[low + step] < key) {
      low += step + 1;
      step *= 2;
    }
    return this.#between(key, low, low + step < count ? low + step : count);
  }

  /** The lower bound, given that the key at `from` is not below the key. */
  #gallopDown(key: number, from: number): number {
    const keys = this.#keys;
    let high = from;
    let step = HALF;
    while (high >= step && keys[high - step] >= key) {
      high -= step;
      step *= 2;
    }
    return this.#between(key, high >= step ? high - step + 1 : 0, high);
  }

  #between(key: number, from: number, to: number): number {
    const keys = this.#keys;
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (keys[middle] < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
