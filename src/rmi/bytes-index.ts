/**
 * Look-ups among keys of variable length: stretches of bytes in lexicographic order, as an Arrow
 * column has them, offsets and data. Reads shared, immutable memory, and has no state of its own: any
 * thread may have one. Nothing is allocated per look-up.
 *
 * A node of the model knows how many bytes all keys of its stretch share, its *skip*, and takes the
 * bytes behind them for a number (`byte-code.ts`). Keys whose numbers are equal get a node of their
 * own, which skips further: so the model costs little, and the keys are read where they lie. (After
 * B. Spector, A. Kipf, K. Vaidya, C. Wang, U. F. Minhas, T. Kraska: Bounding the Last Mile: Efficient
 * Learned String Indexing, AIDB 2021.)
 *
 * A key that is there is most often found by its fingerprint (`fingerprints.ts`), and then one key is
 * compared. Whatever that leaves open is searched for, going outward from the prediction in steps that
 * double and comparing whole keys, so that the answer is right whatever model and fingerprints say; it
 * compares 2 log2(e) + 4 keys at most where the prediction is off by e. In a leaf e is at most the
 * model's `windowMax`, which is the number of keys where nothing tells them apart (see `train.ts`).
 */
import { strict as assert } from 'node:assert';
import {
  compareStretches,
  isSameBytes,
  type KeyBytes,
  type KeyMemory,
} from '../schema/key-bytes.ts';
import { codeOf, numberOfBytes } from './byte-code.ts';
import {
  fingerprintBytes,
  matchesOf,
  positionOf,
  windowAt,
  windowsBeside,
} from './fingerprints.ts';
import * as layout from './model.ts';
import { cellBySeparators, type Model, signed, wordsOf } from './model.ts';

// V8 folds a module's constants only where they are its own: imported, each is loaded and checked at
// every use.
const BASE = 0;
const SCALE = 1;
const CELLS = 4;
const FIRST_CELL = 5;
const START = 6;
const SKIP = 7;
const NODE_MASK = 0x7fffffff;
const EDGE = 2 ** -20;
assert(BASE === layout.BASE && SCALE === layout.SCALE && CELLS === layout.CELLS);
assert(FIRST_CELL === layout.FIRST_CELL && START === layout.START && SKIP === layout.SKIP);
assert(NODE_MASK === layout.NODE_MASK && EDGE === layout.EDGE);
assert(layout.NODE_DOUBLES === 4 && layout.NODE_WORDS === 8);

/** The search looks so far from the prediction first, then twice as far each time. */
export const FIRST_STEP = 4;

/** How far from a guess memory is asked for where keys begin. */
const OFFSETS_NEAR = 4;
/** One offset of so many keys is kept apart, where it is at hand when the others are not. */
const ANCHOR_SHIFT = 5;
const ANCHOR_MASK = 31;
assert(ANCHOR_MASK === 2 ** ANCHOR_SHIFT - 1);

const NOTHING = new Float64Array(4);
const NO_CELLS = new Int32Array(2);
const NO_CODE = new Uint16Array(0);
const NO_FINGERPRINTS = new Uint8Array(fingerprintBytes(0));

/** Keys that are looked up together, moved about in slots so that those of one place lie side by side. */
export interface KeysOfBytes {
  /** By key: its `hashBytes`, and where its bytes lie. */
  readonly hash: Uint32Array;
  readonly memory: KeyMemory;
  readonly start: Int32Array;
  readonly end: Int32Array;
  /** By slot: which key it is. */
  readonly order: Uint32Array;
  /** What is known of it so far: a guess, then where it may be, then its position, or −1. */
  readonly position: Int32Array;
  /** The window that may have it, and which of the window's fingerprints match. */
  readonly window: Int32Array;
  readonly matches: Int32Array;
}

export class BytesIndex {
  readonly #keys: KeyMemory;
  readonly #offsets: Int32Array;
  readonly #count: number;
  readonly #nodes: Float64Array;
  /** Read as signed: a cell that is a node is negative, and no sum of indices leaves 32 bits. */
  readonly #words: Int32Array;
  readonly #cells: Int32Array;
  readonly #code: Float64Array;
  /** Four fingerprints a word. */
  readonly #fingerprints: Int32Array;
  /** Every 32nd offset, and the last. */
  readonly #anchors: Int32Array;

  /** @param model trained on these keys; null only for no keys */
  constructor(keys: KeyMemory, offsets: Int32Array, count: number, model: Model | null) {
    assert(count === 0 || (offsets.length > count && keys.buffer.length >= offsets[count]));
    assert(model === null ? count === 0 : model.form === 'bytes');
    assert(model === null || model.keyCount === count, 'the model is of other keys');
    this.#keys = keys;
    this.#offsets = offsets;
    this.#count = count;
    this.#nodes = model?.nodes ?? NOTHING;
    this.#words = signed(wordsOf(this.#nodes));
    this.#cells = model === null ? NO_CELLS : signed(model.cells);
    this.#code = codeOf(model?.code ?? NO_CODE);
    const { buffer, byteOffset, length } = model?.fingerprints ?? NO_FINGERPRINTS;
    this.#anchors = new Int32Array((count >>> ANCHOR_SHIFT) + 2).map(
      (_, i) => offsets[Math.min(i << ANCHOR_SHIFT, count)],
    );
    this.#fingerprints = new Int32Array(buffer, byteOffset, length >>> 2);
  }

  /**
   * The position of a key, or −1.
   * @param hash the key's `hashBytes`
   */
  find(key: KeyBytes, hash: number): number {
    return this.findFrom(key, hash, this.guess(key));
  }

  /** As `find`, for a caller that has done something with `guess(key)` meanwhile. */
  findFrom(key: KeyBytes, hash: number, guessed: number): number {
    const first = windowAt(this.#fingerprints, guessed);
    const near = this.#findAmong(key, hash, first);
    return near >= 0 ? near : this.#findBeside(key, hash, first);
  }

  /**
   * `predict`, but for keys that are there alone: it does not make sure that a key has what the keys
   * of a node share, for where another one would be does not matter to `find`.
   */
  guess(key: KeyBytes): number {
    return this.#descend(key, false);
  }

  /**
   * Asks memory for where the keys around a guess begin, and for the lines in which the key at the
   * guess most likely is. Returns what is read there, so that there is a use for it.
   */
  touch(guessed: number): number {
    const offsets = this.#offsets;
    const anchors = this.#anchors;
    const last = (this.#count - OFFSETS_NEAR) | 0;
    if (last < OFFSETS_NEAR) return 0;
    const at = guessed < OFFSETS_NEAR ? OFFSETS_NEAR : guessed > last ? last : guessed;
    const anchor = at >>> ANCHOR_SHIFT;
    const start = anchors[anchor];
    const length = (anchors[(anchor + 1) | 0] - start) | 0;
    const near = (start + (Math.imul(length, at & ANCHOR_MASK) >> ANCHOR_SHIFT)) | 0;
    const bytes = this.#keys.buffer;
    return (
      (bytes[near] +
        bytes[near < 64 ? 0 : near - 64] +
        offsets[(at - OFFSETS_NEAR) | 0] +
        offsets[(at + OFFSETS_NEAR) | 0]) |
      0
    );
  }

  /** The first stage for the keys of the slots [from, to): guesses. */
  guessMany(keys: KeysOfBytes, from: number, to: number): void {
    const { memory, start, end, order, position } = keys;
    const key: KeyBytes = { memory, start: 0, end: 0 };
    for (let i = from; i < to; i++) {
      const number = order[i] | 0;
      key.start = start[number];
      key.end = end[number];
      position[i] = this.#descend(key, false);
    }
  }

  /** The second: where fingerprints match. Asks for where the first of those keys begins. */
  matchMany(keys: KeysOfBytes, from: number, to: number): number {
    const prints = this.#fingerprints;
    const offsets = this.#offsets;
    const last = this.#count - 1;
    const { hash, order, position, window, matches } = keys;
    let sum = 0;
    for (let i = from; i < to; i++) {
      const first = windowAt(prints, position[i]);
      const found = matchesOf(prints, first, hash[order[i] | 0] | 0);
      const at = Math.min(positionOf(first, found), last);
      window[i] = first;
      matches[i] = found;
      position[i] = at;
      sum = (sum + offsets[at]) | 0;
    }
    return sum;
  }

  /** The third: asks for the first and the last byte of that key. */
  touchMany({ position }: KeysOfBytes, from: number, to: number): number {
    const offsets = this.#offsets;
    const bytes = this.#keys.buffer;
    let sum = 0;
    for (let i = from; i < to; i++) {
      const at = position[i];
      const end = offsets[(at + 1) | 0];
      sum = (sum + bytes[offsets[at]] + bytes[end > 0 ? end - 1 : 0]) | 0;
    }
    return sum;
  }

  /** The last: positions, or −1. */
  settleMany(keys: KeysOfBytes, from: number, to: number): void {
    const { memory, start, end, hash, order, position, window, matches } = keys;
    const key: KeyBytes = { memory, start: 0, end: 0 };
    for (let i = from; i < to; i++) {
      const number = order[i] | 0;
      key.start = start[number];
      key.end = end[number];
      const found = matches[i];
      if (found !== 0 && this.#isAt(position[i], key)) continue;
      const near = this.#firstOf(key, window[i], found & (found - 1));
      position[i] = near >= 0 ? near : this.#findBeside(key, hash[number], window[i]);
    }
  }

  /** The position of a key, or −1 if it is not among those of a window. */
  #findAmong(key: KeyBytes, hash: number, first: number): number {
    return this.#firstOf(key, first, matchesOf(this.#fingerprints, first, hash));
  }

  /** The first position that is the key's, of those of a window that match, or −1. */
  #firstOf(key: KeyBytes, first: number, matches: number): number {
    for (let found = matches; found !== 0; found &= found - 1) {
      const position = positionOf(first, found);
      if (this.#isAt(position, key)) return position;
    }
    return -1;
  }

  /** The position of a key, or −1, given that it is not in the window at `first`. */
  #findBeside(key: KeyBytes, hash: number, first: number): number {
    const [before, behind] = windowsBeside(this.#fingerprints, first);
    let position = this.#findAmong(key, hash, before);
    if (position < 0) position = this.#findAmong(key, hash, behind);
    return position >= 0 ? position : Math.max(-1, this.#search(key));
  }

  /** Whether the key at a position, which may be one behind the last, is the given one. */
  #isAt(position: number, key: KeyBytes): boolean {
    if (position >= this.#count) return false;
    const offsets = this.#offsets;
    const start = offsets[position];
    return isSameBytes(key, this.#keys, start, offsets[position + 1] - start);
  }

  /** The first position whose key is >= the given one; the number of keys when there is none. */
  lowerBound(key: KeyBytes): number {
    const found = this.#search(key);
    return found < 0 ? ~found : found;
  }

  /** Where the model thinks the key is: at most the number of keys. */
  predict(key: KeyBytes): number {
    return this.#descend(key, true);
  }

  /**
   * @param compares whether a key is compared with what the keys of a node share
   */
  #descend(key: KeyBytes, compares: boolean): number {
    const nodes = this.#nodes;
    const words = this.#words;
    const cells = this.#cells;
    const { buffer } = key.memory;
    const from = key.start;
    const to = key.end;
    let node = 0;
    let skipped = 0;
    for (;;) {
      const record = (node << 3) | 0;
      const count = words[(record + CELLS) | 0];
      const firstCell = words[(record + FIRST_CELL) | 0];
      const skip = words[(record + SKIP) | 0];
      if (compares && skip > skipped) {
        // A key that differs from the stretch in what its keys share is before or behind all of it.
        const position = words[(record + START) | 0];
        const order = this.#compareSkipped(key, position, skipped, skip);
        if (order !== 0) return order < 0 ? position : cells[firstCell + count];
        skipped = skip;
      }
      const number = numberOfBytes(this.#code, buffer, from, (from + skip) | 0, to);
      const scale = nodes[((node << 2) + SCALE) | 0];
      let x = 0;
      if (scale > 0) {
        x = (number - nodes[((node << 2) + BASE) | 0]) * scale;
        if (!(x > 0)) x = 0;
        else if (x >= count) x = count - EDGE;
      } else {
        x = cellBySeparators(nodes, node, count, number) + 0.5;
      }
      const cell = x | 0;
      const at = (firstCell + cell) | 0;
      const start = cells[at];
      if (start >= 0) {
        let end = cells[(at + 1) | 0];
        if (end < 0) end = words[(((end & NODE_MASK) << 3) + START) | 0];
        return (start + ((end - start) | 0) * (x - cell)) | 0;
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
