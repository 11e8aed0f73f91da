/**
 * Look-ups among sortable keys: unsigned 64-bit integers as interleaved [lo, hi] pairs of 32-bit
 * words. What F64Index is to numbers, line by line: shared code would see two kinds of arrays and
 * lose the inlining it lives by. Reads shared, immutable memory: any thread may have one, and it has
 * no state of its own. Nothing is allocated per look-up.
 *
 * The model only says where to begin; see F64Index.
 */
import { strict as assert } from 'node:assert';
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

/** Keys looked at one by one before the steps grow. */
const LINEAR_STEPS = 8;

const NOTHING = new Float64Array(4);
const NO_CELLS = new Uint32Array(2);

/** Whether the key at a position is below the given one, whose words are unsigned. */
function isBelow(keys: Uint32Array, position: number, lo: number, hi: number): boolean {
  const high = keys[2 * position + 1];
  return high < hi || (high === hi && keys[2 * position] < lo);
}

export class WordIndex {
  readonly #keys: Uint32Array;
  readonly #count: number;
  readonly #nodes: Float64Array;
  readonly #words: Uint32Array;
  readonly #cells: Uint32Array;

  /** @param model trained on these keys; null only for no keys */
  constructor(keys: Uint32Array, count: number, model: Model | null) {
    assert(keys.length >= 2 * count && (model === null ? count === 0 : model.form === 'words'));
    assert(model === null || model.keyCount === count, 'the model is of other keys');
    this.#keys = keys;
    this.#count = count;
    this.#nodes = model?.nodes ?? NOTHING;
    this.#words = wordsOf(this.#nodes);
    this.#cells = model?.cells ?? NO_CELLS;
  }

  /** The position of a key, or −1. */
  find(lo: number, hi: number): number {
    const keys = this.#keys;
    const position = this.lowerBound(lo, hi);
    const isFound =
      position < this.#count &&
      keys[2 * position] === lo >>> 0 &&
      keys[2 * position + 1] === hi >>> 0;
    return isFound ? position : -1;
  }

  /** The first position whose key is >= the given one; the number of keys when there is none. */
  lowerBound(lo: number, hi: number): number {
    return this.#search(lo >>> 0, hi >>> 0, this.predict(lo, hi));
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

  #search(lo: number, hi: number, predicted: number): number {
    const keys = this.#keys;
    const count = this.#count;
    let p = predicted < count ? predicted : count - 1;
    if (p < 0) return 0;
    if (isBelow(keys, p, lo, hi)) {
      const stop = p + LINEAR_STEPS < count ? p + LINEAR_STEPS : count;
      do p++;
      while (p < stop && isBelow(keys, p, lo, hi));
      return p < stop || p === count ? p : this.#gallopUp(lo, hi, p);
    }
    const stop = p > LINEAR_STEPS ? p - LINEAR_STEPS : 0;
    while (p > stop && !isBelow(keys, p - 1, lo, hi)) p--;
    return p > stop || p === 0 ? p : this.#gallopDown(lo, hi, p);
  }

  /** The lower bound, given that the key at `from − 1` is below the key: steps that double. */
  #gallopUp(lo: number, hi: number, from: number): number {
    const keys = this.#keys;
    const count = this.#count;
    let low = from;
    let step = LINEAR_STEPS;
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
    let step = LINEAR_STEPS;
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
