/**
 * What training needs of the keys, in any form. A distance is `key − base` rounded once, so it
 * never descends as the key grows, and it is exact wherever it fits in 53 bits: a base near the keys
 * keeps 64-bit keys apart that are one double. Look-ups repeat this arithmetic word for word.
 */
import { compareStretches, type KeyMemory } from '../schema/key-bytes.ts';
import { numberOfBytes } from './byte-code.ts';
import { BASE, BASE_HI, BASE_LO, EDGE, SKIP, TWO_32 } from './model.ts';

export interface SortedKeys {
  /** Whether any number of keys may have one distance from every base. */
  readonly hasTies: boolean;
  /** The first position whose key is not greater than its predecessor (or not a number), or −1. */
  firstDisorder(count: number): number;
  /** Before anything is asked about the keys of a node, [start, end). */
  enter(start: number, end: number): void;
  setBase(position: number): void;
  /** From the base to the key there: positive after it, negative before it, ±Infinity if it overflows. */
  distance(position: number): number;
  /**
   * Where keys stand in cells of equal width, `scale` of them a unit of distance from the base: writes
   * those of the keys in [from, to) into `into`, from its start. A loop of its own for each form.
   */
  place(from: number, to: number, scale: number, cells: number, into: Float64Array): void;
  /** What separators are compared with: the key itself, or what tells it from others on a base. */
  separator(position: number): number;
  /** Writes the base, and what else look-ups have to repeat, into a node. */
  storeBase(doubles: Float64Array, words: Uint32Array, node: number): void;
}

export class F64Keys implements SortedKeys {
  readonly hasTies: boolean = false;
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

  enter(_start: number, _end: number): void {}

  setBase(position: number): void {
    // Infinity − Infinity is not a number, so an infinite key cannot be a base.
    const key = this.#keys[position];
    this.#base = Math.min(Math.max(key, -Number.MAX_VALUE), Number.MAX_VALUE);
  }

  distance(position: number): number {
    return this.#keys[position] - this.#base;
  }

  place(from: number, to: number, scale: number, cells: number, into: Float64Array): void {
    const keys = this.#keys;
    const base = this.#base;
    const last = cells - EDGE;
    for (let p = from; p < to; p++) {
      const x = (keys[p] - base) * scale;
      into[p - from] = x > 0 ? (x < cells ? x : last) : 0;
    }
  }

  separator(position: number): number {
    return this.#keys[position];
  }

  storeBase(doubles: Float64Array, _words: Uint32Array, node: number): void {
    doubles[4 * node + BASE] = this.#base;
  }
}

export class WordKeys implements SortedKeys {
  readonly hasTies = false;
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

  enter(_start: number, _end: number): void {}

  setBase(position: number): void {
    this.#lo = this.#keys[2 * position];
    this.#hi = this.#keys[2 * position + 1];
  }

  distance(position: number): number {
    const keys = this.#keys;
    return (keys[2 * position + 1] - this.#hi) * TWO_32 + (keys[2 * position] - this.#lo);
  }

  place(from: number, to: number, scale: number, cells: number, into: Float64Array): void {
    const keys = this.#keys;
    const lo = this.#lo;
    const hi = this.#hi;
    const last = cells - EDGE;
    for (let p = from; p < to; p++) {
      const x = ((keys[2 * p + 1] - hi) * TWO_32 + (keys[2 * p] - lo)) * scale;
      into[p - from] = x > 0 ? (x < cells ? x : last) : 0;
    }
  }

  separator(position: number): number {
    return this.distance(position);
  }

  storeBase(_doubles: Float64Array, words: Uint32Array, node: number): void {
    words[8 * node + BASE_LO] = this.#lo;
    words[8 * node + BASE_HI] = this.#hi;
  }
}

/**
 * Keys of variable length, as the numbers that their bytes behind the node's skip are taken for. The
 * numbers of the node under training are kept, eight bytes a key: those of a child overwrite its own
 * part of them, after its parent is done.
 */
export class BytesKeys extends F64Keys {
  override readonly hasTies = true;
  readonly #memory: KeyMemory;
  readonly #offsets: Int32Array;
  readonly #code: Float64Array;
  readonly #numbers: Float64Array;
  #skip = 0;

  constructor(memory: KeyMemory, offsets: Int32Array, count: number, code: Float64Array) {
    const numbers = new Float64Array(count);
    super(numbers);
    this.#memory = memory;
    this.#offsets = offsets;
    this.#code = code;
    this.#numbers = numbers;
  }

  override firstDisorder(count: number): number {
    const memory = this.#memory;
    const offsets = this.#offsets;
    for (let p = 1; p < count; p++) {
      const start = offsets[p];
      const order = compareStretches(memory, offsets[p - 1], start, memory, start, offsets[p + 1]);
      if (order >= 0) return p;
    }
    return -1;
  }

  /** Skips what the first and the last key share, and so all between them. */
  override enter(start: number, end: number): void {
    this.#skip = end > start ? this.#shared(start, end - 1) : 0;
    const bytes = this.#memory.buffer;
    const offsets = this.#offsets;
    for (let p = start; p < end; p++) {
      const from = offsets[p];
      const at = from + this.#skip;
      this.#numbers[p] = numberOfBytes(this.#code, bytes, from, at, offsets[p + 1]);
    }
  }

  #shared(a: number, b: number): number {
    const bytes = this.#memory.buffer;
    const offsets = this.#offsets;
    const most = Math.min(offsets[a + 1] - offsets[a], offsets[b + 1] - offsets[b]);
    let shared = 0;
    while (shared < most && bytes[offsets[a] + shared] === bytes[offsets[b] + shared]) shared++;
    return shared;
  }

  override storeBase(doubles: Float64Array, words: Uint32Array, node: number): void {
    super.storeBase(doubles, words, node);
    words[8 * node + SKIP] = this.#skip;
  }
}
