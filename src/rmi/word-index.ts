/**
 * Look-ups among sortable keys: unsigned 64-bit integers as interleaved [lo, hi] pairs of 32-bit
 * words. What F64Index is to numbers, line by line: shared code would see two kinds of arrays and
 * lose the inlining it lives by. Reads shared, immutable memory: any thread may have one, and it has
 * no state of its own. Nothing is allocated per look-up.
 *
 * The model only says where to begin; see F64Index.
 */
import { strict as assert } from 'node:assert';
import { type Beside, bytesOf, WINDOW } from './f64-index.ts';
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
/** Positions in the window between which most keys stand. */
const AHEAD_LOW = 5;
const AHEAD_HIGH = 11;
const WORD_KEY_BYTES = 8;
assert(SCALE === layout.SCALE && BASE_LO === layout.BASE_LO && BASE_HI === layout.BASE_HI);
assert(CELLS === layout.CELLS && FIRST_CELL === layout.FIRST_CELL && START === layout.START);
assert(NODE_MASK === layout.NODE_MASK && EDGE === layout.EDGE && TWO_32 === layout.TWO_32);
assert(HALF === WINDOW / 2 && layout.NODE_DOUBLES === 4 && layout.NODE_WORDS === 8);

const NOTHING = new Float64Array(4);
const NO_CELLS = new Int32Array(2);
/** The cells of a root whose only cell is a node. */
const ONE_NODE = Int32Array.of(-1, -1);

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

/** A key's bits, taken for those of a float64. */
const bits = new Float64Array(1);
const bitsWords = new Uint32Array(bits.buffer);

/** The high words of the first keys whose bits, taken for a float64, are an infinity or not a number. */
const NAN_HIGH = 0x7ff00000;
const SIGN = 0x80000000;

/** Fields are declared, as in F64Index. */
export class WordIndex {
  declare private readonly keys: Uint32Array;
  declare private readonly count: number;
  declare private readonly windowLast: number;
  /** The keys as float64 of the same bits. */
  declare private readonly bits: Float64Array;
  declare private readonly nodes: Float64Array;
  /** Read as signed, see F64Index. */
  declare private readonly words: Int32Array;
  declare private readonly cells: Int32Array;
  /** The root, as in F64Index. */
  declare private readonly rootLo: number;
  declare private readonly rootHi: number;
  declare private readonly rootScale: number;
  declare private readonly rootEdge: number;
  declare private readonly rootCells: Int32Array;
  declare private readonly beside: Int8Array;
  declare private readonly besideWidth: number;
  /** What was read ahead, added up: only so that the loads have a use. */
  readAhead = 0;

  /**
   * @param keys at a multiple of 8 bytes
   * @param model trained on these keys; null only for no keys
   * @param beside what a caller reads next of a key that is found; read ahead by `find`
   */
  constructor(
    keys: Uint32Array,
    count: number,
    model: Model | null,
    beside: Beside = { bytes: bytesOf(keys), width: WORD_KEY_BYTES },
  ) {
    assert(keys.length >= 2 * count && (model === null ? count === 0 : model.form === 'words'));
    assert(model === null || model.keyCount === count, 'the model is of other keys');
    this.keys = keys;
    this.count = count;
    this.windowLast = count - WINDOW;
    this.bits = new Float64Array(keys.buffer, keys.byteOffset, count);
    this.nodes = model?.nodes ?? NOTHING;
    this.words = signed(wordsOf(this.nodes));
    this.cells = model === null ? NO_CELLS : signed(model.cells);
    const isEven = this.nodes[SCALE] > 0;
    this.rootLo = this.words[BASE_LO] >>> 0;
    this.rootHi = this.words[BASE_HI] >>> 0;
    this.rootScale = this.nodes[SCALE];
    this.rootEdge = (isEven ? this.words[CELLS] : 1) - EDGE;
    this.rootCells = isEven ? this.cells.subarray(this.words[FIRST_CELL]) : ONE_NODE;
    assert(beside.bytes.length >= count * beside.width);
    this.beside = beside.bytes;
    this.besideWidth = beside.width;
  }

  /** The position of a key, whose words are unsigned, or −1. */
  find(lo: number, hi: number): number {
    const near = this.findNear(lo, hi);
    return near >= 0 ? near : this.findFar(lo, hi, near);
  }

  /** As `F64Index.findNear`. */
  findNear(lo: number, hi: number): number {
    let x = ((hi - this.rootHi) * TWO_32 + (lo - this.rootLo)) * this.rootScale;
    if (!(x > 0)) x = 0;
    if (x > this.rootEdge) x = this.rootEdge;
    const cell = x | 0;
    const cells = this.rootCells;
    const start = cells[cell];
    const end = cells[(cell + 1) | 0];
    let p = 0;
    if ((start | end) >= 0) p = (start + ((end - start) | 0) * (x - cell)) | 0;
    else p = this.predict(lo, hi);
    p = (p - HALF) | 0;
    if (p < 0) p = 0;
    const last = this.windowLast;
    if (p > last) {
      if (last < 0) return -1; // so few keys that there is no window
      p = last;
    }
    const beside = this.beside;
    const width = this.besideWidth;
    this.readAhead =
      (beside[Math.imul((p + AHEAD_LOW) | 0, width)] +
        beside[Math.imul((p + AHEAD_HIGH) | 0, width)]) |
      0;
    p = this.nearFrom(p, lo, hi);
    const keys = this.keys;
    return keys[p << 1] === lo && keys[((p << 1) + 1) | 0] === hi ? p : ~p;
  }

  /** The position of a key that `findNear` did not find, given what it returned; or −1. */
  findFar(lo: number, hi: number, near: number): number {
    return this.windowLast < 0 ? this.findFrom(lo, hi, 0) : this.settled(lo, hi, ~near);
  }

  /** As `find`, from where any model predicts the key. */
  findFrom(lo: number, hi: number, predicted: number): number {
    const keys = this.keys;
    const near = this.#near(lo, hi, predicted);
    const isThere = near < this.count && keys[2 * near] === lo && keys[2 * near + 1] === hi;
    return isThere ? near : this.settled(lo, hi, near);
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
    const { rootLo, rootHi, rootScale, rootEdge, rootCells: cells } = this;
    let below = 0;
    for (let i = from; i < to; i++) {
      const key = order[i];
      let x = ((hi[key] - rootHi) * TWO_32 + (lo[key] - rootLo)) * rootScale;
      if (!(x > 0)) x = 0;
      if (x > rootEdge) x = rootEdge;
      const cell = x | 0;
      const start = cells[cell];
      const end = cells[(cell + 1) | 0];
      // Negative where one of them is a node: these keys wait for a loop of their own.
      below |= start | end;
      positions[i] = (start | end) < 0 ? -1 : (start + ((end - start) | 0) * (x - cell)) | 0;
    }
    if (below >= 0) return;
    for (let i = from; i < to; i++) {
      if (positions[i] < 0) positions[i] = this.predict(lo[order[i]], hi[order[i]]);
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
    const { keys, windowLast: last } = this;
    if (last < 0) {
      for (let i = from; i < to; i++) positions[i] = this.find(lo[order[i]], hi[order[i]]);
      return;
    }
    let missed = 0;
    for (let i = from; i < to; i++) {
      const low = lo[order[i]];
      const high = hi[order[i]];
      let p = (positions[i] - HALF) | 0;
      if (p < 0) p = 0;
      if (p > last) p = last;
      p = this.nearFrom(p, low, high);
      const isThere = keys[p << 1] === low && keys[((p << 1) + 1) | 0] === high;
      positions[i] = isThere ? p : ~p;
      missed |= positions[i];
    }
    if (missed >= 0) return;
    for (let i = from; i < to; i++) {
      if (positions[i] < 0) positions[i] = this.settled(lo[order[i]], hi[order[i]], ~positions[i]);
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
    return predictIn(this.nodes, this.words, this.cells, lo, hi);
  }

  /** The lower bound, if it is in the window; otherwise an end of the window. */
  #near(lo: number, hi: number, predicted: number): number {
    const last = this.windowLast;
    if (last < 0) return this.#between(lo, hi, 0, this.count);
    let p = (predicted - HALF) | 0;
    if (p < 0) p = 0;
    if (p > last) p = last;
    return this.nearFrom(p, lo, hi);
  }

  /**
   * The lower bound, if it is in the window that starts at p; otherwise an end of the window.
   *
   * One float64 is compared where two words would be. A float64's bits are a sign and a magnitude, so
   * keys below 2^63 are in its order, those above in its reverse. Where a window has keys of both, the
   * search ends at a wrong place, as it does where a prediction is wrong, and is found out there.
   */
  private nearFrom(p: number, lo: number, hi: number): number {
    bitsWords[0] = lo;
    bitsWords[1] = hi;
    if (hi < NAN_HIGH) return nearAscending(this.bits, p, bits[0]);
    if (hi >= SIGN && hi < SIGN + NAN_HIGH) return nearDescending(this.bits, p, bits[0]);
    return nearOfWords(this.keys, p, lo, hi);
  }

  /** The position of a key, or −1, from anywhere. */
  private settled(lo: number, hi: number, near: number): number {
    const { keys, count } = this;
    const low = lo >>> 0;
    const high = hi >>> 0;
    const p = this.#settle(low, high, near);
    return p < count && keys[2 * p] === low && keys[2 * p + 1] === high ? p : -1;
  }

  /** The lower bound, from anywhere. */
  #settle(lo: number, hi: number, from: number): number {
    const keys = this.keys;
    if (from === this.count) return from;
    if (isBelow(keys, from, lo, hi)) return this.#gallopUp(lo, hi, from + 1);
    const isFirst = from === 0 || isBelow(keys, from - 1, lo, hi);
    return isFirst ? from : this.#gallopDown(lo, hi, from);
  }

  /** The lower bound, given that the key at `from − 1` is below the key: steps that double. */
  #gallopUp(lo: number, hi: number, from: number): number {
    const keys = this.keys;
    const count = this.count;
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
    const keys = this.keys;
    let high = from;
    let step = HALF;
    while (high >= step && !isBelow(keys, high - step, lo, hi)) {
      high -= step;
      step *= 2;
    }
    return this.#between(lo, hi, high >= step ? high - step + 1 : 0, high);
  }

  #between(lo: number, hi: number, from: number, to: number): number {
    const keys = this.keys;
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

function nearAscending(keys: Float64Array, from: number, key: number): number {
  let p = from;
  p = (p + (Number(keys[(p + 7) | 0] < key) << 3)) | 0;
  p = (p + (Number(keys[(p + 3) | 0] < key) << 2)) | 0;
  p = (p + (Number(keys[(p + 1) | 0] < key) << 1)) | 0;
  return (p + Number(keys[p] < key)) | 0;
}

function nearDescending(keys: Float64Array, from: number, key: number): number {
  let p = from;
  p = (p + (Number(keys[(p + 7) | 0] > key) << 3)) | 0;
  p = (p + (Number(keys[(p + 3) | 0] > key) << 2)) | 0;
  p = (p + (Number(keys[(p + 1) | 0] > key) << 1)) | 0;
  return (p + Number(keys[p] > key)) | 0;
}

function nearOfWords(keys: Uint32Array, from: number, lo: number, hi: number): number {
  let at = from << 1;
  at = (at + (isBelow01(keys, (at + 14) | 0, lo, hi) << 4)) | 0;
  at = (at + (isBelow01(keys, (at + 6) | 0, lo, hi) << 3)) | 0;
  at = (at + (isBelow01(keys, (at + 2) | 0, lo, hi) << 2)) | 0;
  at = (at + (isBelow01(keys, at, lo, hi) << 1)) | 0;
  return at >>> 1;
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
