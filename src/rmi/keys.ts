/**
 * What training needs of the keys, in either form. A distance is `key − base` rounded once, so it
 * never descends as the key grows, and it is exact wherever it fits in 53 bits: a base near the keys
 * keeps 64-bit keys apart that are one double. Look-ups repeat this arithmetic word for word.
 */
import { BASE, BASE_HI, BASE_LO, TWO_32 } from './model.ts';

export interface SortedKeys {
  /** The first position whose key is not greater than its predecessor (or not a number), or −1. */
  firstDisorder(count: number): number;
  setBase(position: number): void;
  /** From the base to the key there: positive after it, negative before it, ±Infinity if it overflows. */
  distance(position: number): number;
  /** What separators are compared with: the key itself, or what tells it from others on a base. */
  separator(position: number): number;
  /** Writes the base into a node. */
  storeBase(doubles: Float64Array, words: Uint32Array, node: number): void;
}

export class F64Keys implements SortedKeys {
  readonly #keys: Float64Array;
  #base = 0;

  constructor(keys: Float64Array) {
    this.#keys = keys;
  }

  firstDisorder(count: number): number {
    const keys = this.#keys;
    if (count > 0 && Number.isNaN(keys[0])) return 0;
    for (let p = 1; p < count; p++) if (!(keys[p - 1] < keys[p])) return p;
    return -1;
  }

  setBase(position: number): void {
    // Infinity − Infinity is not a number, so an infinite key cannot be a base.
    const key = this.#keys[position];
    this.#base = Math.min(Math.max(key, -Number.MAX_VALUE), Number.MAX_VALUE);
  }

  distance(position: number): number {
    return this.#keys[position] - this.#base;
  }

  separator(position: number): number {
    return this.#keys[position];
  }

  storeBase(doubles: Float64Array, _words: Uint32Array, node: number): void {
    doubles[4 * node + BASE] = this.#base;
  }
}

export class WordKeys implements SortedKeys {
  readonly #keys: Uint32Array;
  #lo = 0;
  #hi = 0;

  constructor(keys: Uint32Array) {
    this.#keys = keys;
  }

  firstDisorder(count: number): number {
    const keys = this.#keys;
    for (let p = 1; p < count; p++) {
      const hi = keys[2 * p + 1];
      const before = keys[2 * p - 1];
      if (hi < before || (hi === before && keys[2 * p] <= keys[2 * p - 2])) return p;
    }
    return -1;
  }

  setBase(position: number): void {
    this.#lo = this.#keys[2 * position];
    this.#hi = this.#keys[2 * position + 1];
  }

  distance(position: number): number {
    const keys = this.#keys;
    return (keys[2 * position + 1] - this.#hi) * TWO_32 + (keys[2 * position] - this.#lo);
  }

  separator(position: number): number {
    return this.distance(position);
  }

  storeBase(_doubles: Float64Array, words: Uint32Array, node: number): void {
    words[8 * node + BASE_LO] = this.#lo;
    words[8 * node + BASE_HI] = this.#hi;
  }
}
