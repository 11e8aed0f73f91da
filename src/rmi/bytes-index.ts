/**
 * Look-ups among keys of variable length: stretches of bytes in lexicographic order, as an Arrow
 * column has them, offsets and data. Reads shared, immutable memory: any thread may have one, and it
 * has no state of its own. Nothing is allocated per look-up.
 *
 * A node of the model knows how many bytes all keys of its stretch share, its *skip*, and takes the
 * bytes behind them for a number (`byte-code.ts`). Keys whose numbers are equal get a node of their
 * own, which skips further: so the model costs little, and the keys are read where they lie. (After B. Spector, A. Kipf, K. Vaidya, C. Wang, U. F.
 * Minhas, T. Kraska: Bounding the Last Mile: Efficient Learned String Indexing, AIDB 2021.)
 *
 * The model only says where to begin. The search goes outward from there in steps that double and
 * ends by comparing whole keys, so that its answer is right whatever the model says; it compares
 * 2 log2(e) + 4 keys at most where the prediction is off by e. In a leaf e is at most the model's
 * `windowMax`, which is the number of keys where nothing tells them apart (see `train.ts`).
 */
import { strict as assert } from 'node:assert';
import { compareStretches, type KeyBytes, type KeyMemory } from '../schema/key-bytes.ts';
import { codeOf, numberOfBytes } from './byte-code.ts';
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
  SKIP,
  START,
  wordsOf,
} from './model.ts';

/** The search looks so far from the prediction first, then twice as far each time. */
export const FIRST_STEP = 4;

const NOTHING = new Float64Array(4);
const NO_CELLS = new Uint32Array(2);
const NO_CODE = new Uint16Array(0);

export class BytesIndex {
  readonly #keys: KeyMemory;
  readonly #offsets: Int32Array;
  readonly #count: number;
  readonly #nodes: Float64Array;
  readonly #words: Uint32Array;
  readonly #cells: Uint32Array;
  readonly #code: Float64Array;

  /** @param model trained on these keys; null only for no keys */
  constructor(keys: KeyMemory, offsets: Int32Array, count: number, model: Model | null) {
    assert(count === 0 || (offsets.length > count && keys.buffer.length >= offsets[count]));
    assert(model === null ? count === 0 : model.form === 'bytes');
    assert(model === null || model.keyCount === count, 'the model is of other keys');
    this.#keys = keys;
    this.#offsets = offsets;
    this.#count = count;
    this.#nodes = model?.nodes ?? NOTHING;
    this.#words = wordsOf(this.#nodes);
    this.#cells = model?.cells ?? NO_CELLS;
    this.#code = codeOf(model?.code ?? NO_CODE);
  }

  /** The position of a key, or −1. */
  find(key: KeyBytes): number {
    return Math.max(-1, this.#search(key));
  }

  /** The first position whose key is >= the given one; the number of keys when there is none. */
  lowerBound(key: KeyBytes): number {
    const found = this.#search(key);
    return found < 0 ? ~found : found;
  }

  /** Where the model thinks the key is: at most the number of keys. */
  predict(key: KeyBytes): number {
    const nodes = this.#nodes;
    const words = this.#words;
    const cells = this.#cells;
    const { memory, start: from, end: to } = key;
    let node = 0;
    let skipped = 0;
    for (;;) {
      const count = words[8 * node + CELLS];
      const firstCell = words[8 * node + FIRST_CELL];
      const skip = words[8 * node + SKIP];
      if (skip > skipped) {
        // A key that differs from the stretch in what its keys share is before or behind all of it.
        const position = words[8 * node + START];
        const order = this.#compareSkipped(key, position, skipped, skip);
        if (order !== 0) return order < 0 ? position : cells[firstCell + count];
        skipped = skip;
      }
      const number = numberOfBytes(this.#code, memory.buffer, from + skip, to);
      const scale = nodes[4 * node + SCALE];
      let x = 0;
      if (scale > 0) {
        x = (number - nodes[4 * node + BASE]) * scale;
        if (!(x > 0)) x = 0;
        else if (x >= count) x = count - EDGE;
      } else {
        x = cellBySeparators(nodes, node, count, number) + 0.5;
      }
      const cell = x >>> 0;
      const start = cells[firstCell + cell];
      if (start < IS_NODE) {
        let end = cells[firstCell + cell + 1];
        if (end >= IS_NODE) end = words[8 * (end & NODE_MASK) + START];
        return (start + (end - start) * (x - cell)) >>> 0;
      }
      node = start & NODE_MASK;
    }
  }

  /** How the bytes of a key from `skipped` to `skip` compare with those of the key at a position. */
  #compareSkipped(key: KeyBytes, position: number, skipped: number, skip: number): number {
    const offsets = this.#offsets;
    const start = offsets[position];
    return compareStretches(
      key.memory,
      key.start + skipped,
      Math.min(key.end, key.start + skip),
      this.#keys,
      start + skipped,
      Math.min(offsets[position + 1], start + skip),
    );
  }

  /** How the key at a position compares with the given one. */
  #compare(position: number, key: KeyBytes): number {
    const offsets = this.#offsets;
    return compareStretches(
      this.#keys,
      offsets[position],
      offsets[position + 1],
      key.memory,
      key.start,
      key.end,
    );
  }

  /** The position of a key, or the complement of its lower bound. */
  #search(key: KeyBytes): number {
    const count = this.#count;
    if (count === 0) return ~0;
    const from = Math.min(this.predict(key), count - 1);
    const order = this.#compare(from, key);
    if (order === 0) return from;
    return order < 0 ? this.#gallopUp(key, from + 1) : this.#gallopDown(key, from);
  }

  /** As `#search`, given that the key at `from − 1` is below the key. */
  #gallopUp(key: KeyBytes, from: number): number {
    let low = from;
    for (let step = FIRST_STEP; low + step <= this.#count; step *= 2) {
      const order = this.#compare(low + step - 1, key);
      if (order === 0) return low + step - 1;
      if (order > 0) return this.#between(key, low, low + step - 1);
      low += step;
    }
    return this.#between(key, low, this.#count);
  }

  /** As `#search`, given that the key at `from` is above the key. */
  #gallopDown(key: KeyBytes, from: number): number {
    let high = from;
    for (let step = FIRST_STEP; high >= step; step *= 2) {
      const order = this.#compare(high - step, key);
      if (order === 0) return high - step;
      if (order < 0) return this.#between(key, high - step + 1, high);
      high -= step;
    }
    return this.#between(key, 0, high);
  }

  /** As `#search`, given that the lower bound is within [from, to]. */
  #between(key: KeyBytes, from: number, to: number): number {
    let low = from;
    let high = to;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = this.#compare(middle, key);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return ~low;
  }
}
