/**
 * Look-ups among float64 keys. Reads shared, immutable memory: any thread may have one, and it has
 * no state of its own. Nothing is allocated per look-up.
 *
 * The model only says where to begin. The search goes outward from there, bounded by the array and
 * ended by comparisons alone, so that its answer is right whatever the model says. The keys nearest to
 * the prediction are halved without a branch: one mispredicted costs as much as reading several keys.
 */
import { strict as assert } from 'node:assert';
import * as layout from './model.ts';
import { cellBySeparators, type Model, signed, wordsOf } from './model.ts';

// V8 folds a module's constants only where they are its own: imported, each is loaded and checked at
// every use.
const BASE = 0;
const SCALE = 1;
const CELLS = 4;
const FIRST_CELL = 5;
const START = 6;
const NODE_MASK = 0x7fffffff;
const EDGE = 2 ** -20;
assert(BASE === layout.BASE && SCALE === layout.SCALE && CELLS === layout.CELLS);
assert(FIRST_CELL === layout.FIRST_CELL && START === layout.START && EDGE === layout.EDGE);
assert(NODE_MASK === layout.NODE_MASK && layout.NODE_DOUBLES === 4 && layout.NODE_WORDS === 8);

/** Keys around the prediction that are searched without a branch; a power of two. */
export const WINDOW = 16;
const HALF = 8;
assert(HALF === WINDOW / 2);
/** Positions in the window between which most keys stand. */
const AHEAD_LOW = 5;
const AHEAD_HIGH = 11;

const NOTHING = new Float64Array(4);
const NO_CELLS = new Int32Array(2);
/** The cells of a root whose only cell is a node. */
const ONE_NODE = Int32Array.of(-1, -1);

/** What lies beside the keys: for each, `width` bytes of `bytes`. */
export interface Beside {
  readonly bytes: Int8Array;
  readonly width: number;
}

/**
 * Fields are declared, not defined: a field that is defined holds undefined first, and then V8 asks at
 * each use what it holds.
 */
export class F64Index {
  declare private readonly keys: Float64Array;
  declare private readonly count: number;
  declare private readonly windowLast: number;
  declare private readonly nodes: Float64Array;
  /** Read as signed: a cell that is a node is negative, and no sum of indices leaves 32 bits. */
  declare private readonly words: Int32Array;
  declare private readonly cells: Int32Array;
  /** The root, where its cells are of equal width; otherwise one whose only cell is a node. */
  declare private readonly rootBase: number;
  declare private readonly rootScale: number;
  declare private readonly rootCount: number;
  /** The largest place among the root's cells: just within the last. */
  declare private readonly rootEdge: number;
  declare private readonly rootCells: Int32Array;
  declare private readonly beside: Int8Array;
  declare private readonly besideWidth: number;
  /** What was read ahead, added up: only so that the loads have a use. */
  readAhead = 0;

  /**
   * @param model trained on these keys; null only for no keys
   * @param beside what a caller reads next of a key that is found; read ahead by `find`
   */
  constructor(
    keys: Float64Array,
    count: number,
    model: Model | null,
    beside: Beside = { bytes: bytesOf(keys), width: keys.BYTES_PER_ELEMENT },
  ) {
    assert(keys.length >= count && (model === null ? count === 0 : model.form === 'f64'));
    assert(model === null || model.keyCount === count, 'the model is of other keys');
    this.keys = keys;
    this.count = count;
    this.windowLast = count - WINDOW;
    this.nodes = model?.nodes ?? NOTHING;
    this.words = signed(wordsOf(this.nodes));
    this.cells = model === null ? NO_CELLS : signed(model.cells);
    const isEven = this.nodes[SCALE] > 0;
    this.rootBase = this.nodes[BASE];
    this.rootScale = this.nodes[SCALE];
    this.rootCount = isEven ? this.words[CELLS] : 1;
    this.rootEdge = this.rootCount - EDGE;
    this.rootCells = isEven ? this.cells.subarray(this.words[FIRST_CELL]) : ONE_NODE;
    assert(beside.bytes.length >= count * beside.width);
    this.beside = beside.bytes;
    this.besideWidth = beside.width;
  }

  /**
   * The position of a key that is in the window around where it is predicted; else −1 − where the search
   * ended, from which `findFar` goes on.
   *
   * Prediction, reading ahead and search in one piece, and a short way for a key that is in a leaf of
   * the root. While a look-up waits for memory, the processor goes on with what follows, as far as a
   * few hundred instructions: the fewer a look-up takes, the more of the next one is done meanwhile.
   * V8 inlines this into a caller that inlines little else: less than 460 bytes of bytecode.
   */
  findNear(key: number): number {
    let x = (key - this.rootBase) * this.rootScale;
    if (!(x > 0)) x = 0;
    if (x > this.rootEdge) x = this.rootEdge;
    const cell = x | 0;
    const cells = this.rootCells;
    const start = cells[cell];
    const end = cells[(cell + 1) | 0];
    let p = 0;
    if ((start | end) >= 0) p = (start + ((end - start) | 0) * (x - cell)) | 0;
    else p = this.predict(key);
    p = (p - HALF) | 0;
    if (p < 0) p = 0;
    const last = this.windowLast;
    if (p > last) {
      if (last < 0) return -1; // so few keys that there is no window
      p = last;
    }
    // Asked for at once, what would be waited for one after the other: JavaScript has no prefetch, but
    // a load whose value nobody waits for does as well.
    const beside = this.beside;
    const width = this.besideWidth;
    this.readAhead =
      (beside[Math.imul((p + AHEAD_LOW) | 0, width)] +
        beside[Math.imul((p + AHEAD_HIGH) | 0, width)]) |
      0;
    const keys = this.keys;
    p = (p + (Number(keys[(p + 7) | 0] < key) << 3)) | 0;
    p = (p + (Number(keys[(p + 3) | 0] < key) << 2)) | 0;
    p = (p + (Number(keys[(p + 1) | 0] < key) << 1)) | 0;
    p = (p + Number(keys[p] < key)) | 0;
    return keys[p] === key ? p : ~p;
  }

  /** The position of a key, or −1. */
  find(key: number): number {
    const near = this.findNear(key);
    return near >= 0 ? near : this.findFar(key, near);
  }

  /** The position of a key that `findNear` did not find, given what it returned; or −1. */
  findFar(key: number, near: number): number {
    return this.windowLast < 0 ? this.findFrom(key, 0) : this.settled(key, ~near);
  }

  /** As `find`, from where any model predicts the key. */
  findFrom(key: number, predicted: number): number {
    const near = this.#near(key, predicted);
    return near < this.count && this.keys[near] === key ? near : this.settled(key, near);
  }

  /** `predict` for keys[from, to), into `positions` at the same places. */
  predictMany(keys: Float64Array, from: number, to: number, positions: Int32Array): void {
    const base = this.rootBase;
    const scale = this.rootScale;
    const count = this.rootCount;
    const cells = this.rootCells;
    let below = 0;
    for (let i = from; i < to; i++) {
      let x = (keys[i] - base) * scale;
      if (!(x > 0)) x = 0;
      else if (x >= count) x = count - EDGE;
      const cell = x | 0;
      const start = cells[cell];
      const end = cells[(cell + 1) | 0];
      // Negative where one of them is a node: these keys wait for a loop of their own.
      below |= start | end;
      positions[i] = (start | end) < 0 ? -1 : (start + ((end - start) | 0) * (x - cell)) | 0;
    }
    if (below >= 0) return;
    for (let i = from; i < to; i++) {
      if (positions[i] < 0) positions[i] = this.predict(keys[i]);
    }
  }

  /**
   * `find` for keys[from, to), whose predictions in `positions` become positions, or −1. The few that
   * are not where the window ends wait for a loop of their own: a call that may be made keeps the
   * first one from being compiled as well as it can be.
   */
  findFromMany(keys: Float64Array, from: number, to: number, positions: Int32Array): void {
    const own = this.keys;
    const last = this.windowLast;
    if (last < 0) {
      for (let i = from; i < to; i++) positions[i] = this.find(keys[i]);
      return;
    }
    let missed = 0;
    for (let i = from; i < to; i++) {
      const key = keys[i];
      const near = nearIn(own, last, key, positions[i]);
      positions[i] = own[near] === key ? near : ~near;
      missed |= positions[i];
    }
    if (missed >= 0) return;
    for (let i = from; i < to; i++) {
      if (positions[i] < 0) positions[i] = this.settled(keys[i], ~positions[i]);
    }
  }

  /** The first position whose key is >= the given one; the number of keys when there is none. */
  lowerBound(key: number): number {
    return this.#settle(key, this.#near(key, this.predict(key)));
  }

  /** Where the model thinks the key is: at most the number of keys. */
  predict(key: number): number {
    return predictIn(this.nodes, this.words, this.cells, key);
  }

  /** The lower bound, if it is in the window; otherwise an end of the window. */
  #near(key: number, predicted: number): number {
    const keys = this.keys;
    if (this.count < WINDOW) return this.#between(key, 0, this.count);
    return nearIn(keys, this.windowLast, key, predicted);
  }

  /** The position of a key, or −1, from anywhere. */
  private settled(key: number, near: number): number {
    const position = this.#settle(key, near);
    return position < this.count && this.keys[position] === key ? position : -1;
  }

  /** The lower bound, from anywhere. */
  #settle(key: number, from: number): number {
    const keys = this.keys;
    if (from === this.count) return from;
    if (keys[from] < key) return this.#gallopUp(key, from + 1);
    return from === 0 || keys[from - 1] < key ? from : this.#gallopDown(key, from);
  }

  /** The lower bound, given that the key at `from − 1` is below the key: steps that double. */
  #gallopUp(key: number, from: number): number {
    const keys = this.keys;
    const count = this.count;
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
    const keys = this.keys;
    let high = from;
    let step = HALF;
    while (high >= step && keys[high - step] >= key) {
      high -= step;
      step *= 2;
    }
    return this.#between(key, high >= step ? high - step + 1 : 0, high);
  }

  #between(key: number, from: number, to: number): number {
    const keys = this.keys;
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

export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Int8Array {
  return new Int8Array(buffer, byteOffset, byteLength);
}

/** `F64Index.predict`; a function, so that a loop keeps the arrays at hand. */
function predictIn(nodes: Float64Array, words: Int32Array, cells: Int32Array, key: number): number {
  let node = 0;
  for (;;) {
    const count = words[((node << 3) + CELLS) | 0];
    const scale = nodes[((node << 2) + SCALE) | 0];
    let x = 0;
    if (scale > 0) {
      x = (key - nodes[((node << 2) + BASE) | 0]) * scale;
      if (!(x > 0)) x = 0;
      else if (x >= count) x = count - EDGE;
    } else {
      x = cellBySeparators(nodes, node, count, key) + 0.5;
    }
    const cell = x | 0;
    const at = (words[((node << 3) + FIRST_CELL) | 0] + cell) | 0;
    const start = cells[at];
    if (start >= 0) {
      let end = cells[(at + 1) | 0];
      if (end < 0) end = words[(((end & NODE_MASK) << 3) + START) | 0];
      return (start + ((end - start) | 0) * (x - cell)) | 0;
    }
    node = start & NODE_MASK;
  }
}

/** The lower bound, if it is in the window around a prediction; otherwise an end of the window. */
function nearIn(keys: Float64Array, last: number, key: number, predicted: number): number {
  let p = (predicted - HALF) | 0;
  if (p < 0) p = 0;
  if (p > last) p = last;
  p = (p + (Number(keys[(p + 7) | 0] < key) << 3)) | 0;
  p = (p + (Number(keys[(p + 3) | 0] < key) << 2)) | 0;
  p = (p + (Number(keys[(p + 1) | 0] < key) << 1)) | 0;
  return (p + Number(keys[p] < key)) | 0;
}
