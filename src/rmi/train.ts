/**
 * Training: a model from sorted keys, in a few sequential passes over them, in the memory of the
 * model it makes and its copy.
 *
 * A stretch of keys becomes, whichever comes first:
 * 1. one leaf, where one line is within `LINE_ERROR` of every key (consecutive keys, even steps);
 * 2. cells of `KEYS_PER_CELL` keys on average, where at least half of the keys then stand in leaves;
 * 3. fewer, wider cells, that only tell the stretches apart: each is tried again on its own range;
 * 4. a node to be searched by halving, if it is small or already deep.
 *
 * The size is bounded on every input. Cells of kind 2 cost a quarter of a byte a key, and each level
 * of them at least halves what is left for the next; those of kind 3 cost 1/64 byte a key and level;
 * `DEPTH_MAX` bounds the levels. A node is made for more than 2ε keys only.
 */
import { strict as assert } from 'node:assert';
import { OmenError } from '../errors.ts';
import { F64Keys, type SortedKeys, WordKeys } from './keys.ts';
import {
  CELLS,
  DEPTH_MAX,
  EDGE,
  ERROR,
  FIRST_CELL,
  IS_NODE,
  KEYS_MAX,
  type KeyForm,
  type Model,
  NODE_DOUBLES,
  NODE_WORDS,
  SCALE,
  START,
  wordsOf,
} from './model.ts';

export interface TrainOptions {
  /** Windows are to be no wider than 2ε + 1 positions. Default 32. */
  epsilon?: number;
}

const EPSILON = 32;
/** A stretch this close to one line needs no cells. */
const LINE_ERROR = 4;
const KEYS_PER_CELL = 16;
const KEYS_PER_WIDE_CELL = 256;
const WIDE_CELLS_MIN = 16;
/** Below this many keys, halving beats another level of cells that settle less than half of them. */
const HALVING_KEYS = 1024;
/** One key in this many may be left out at either end of a node's range, to fall in its end cells. */
const TAIL = 64;
/** They are left out where that makes the range this many times narrower. */
const TAIL_GAIN = 16;

/**
 * @param keys strictly ascending, without NaN; ±Infinity are keys
 * @throws OMEN_CORRUPT if they are not: keys out of order only ever come from damage
 */
export function trainF64(keys: Float64Array, count: number, options: TrainOptions = {}): Model {
  assert(keys.length >= count, 'fewer keys than the count');
  return new Trainer(new F64Keys(keys), count, options).train('f64');
}

/**
 * @param keys sortable keys as [lo, hi] pairs, strictly ascending as unsigned 64-bit integers
 * @throws OMEN_CORRUPT if they are not
 */
export function trainWords(keys: Uint32Array, count: number, options: TrainOptions = {}): Model {
  assert(keys.length >= 2 * count, 'fewer keys than the count');
  return new Trainer(new WordKeys(keys), count, options).train('words');
}

/** One training. Cells and nodes grow by doubling; cells of one node are contiguous. */
class Trainer {
  readonly #keys: SortedKeys;
  readonly #count: number;
  readonly #epsilon: number;
  #cells = new Uint32Array(1024);
  #cellCount = 0;
  #nodes = new Float64Array(64 * NODE_DOUBLES);
  #words = wordsOf(this.#nodes);
  #nodeCount = 0;
  #leafCount = 0;
  #windowMax = 0;
  #depth = 0;
  // Of the division under way: cells a unit of distance.
  #scale = 1;

  constructor(keys: SortedKeys, count: number, options: TrainOptions) {
    assert(Number.isInteger(count) && count >= 0 && count <= KEYS_MAX, 'count out of range');
    this.#epsilon = options.epsilon ?? EPSILON;
    assert(Number.isInteger(this.#epsilon) && this.#epsilon >= LINE_ERROR, 'epsilon out of range');
    const disorder = keys.firstDisorder(count);
    if (disorder >= 0) {
      throw new OmenError('OMEN_CORRUPT', `The keys are not in order at row ${disorder}.`);
    }
    this.#keys = keys;
    this.#count = count;
  }

  train(form: KeyForm): Model {
    this.#divide(0, this.#count, 1);
    const cells = new Uint32Array(new SharedArrayBuffer(4 * this.#cellCount));
    cells.set(this.#cells.subarray(0, this.#cellCount));
    const nodes = new Float64Array(new SharedArrayBuffer(8 * NODE_DOUBLES * this.#nodeCount));
    nodes.set(this.#nodes.subarray(0, NODE_DOUBLES * this.#nodeCount));
    return {
      form,
      keyCount: this.#count,
      epsilon: this.#epsilon,
      windowMax: this.#windowMax,
      leafCount: this.#leafCount,
      depth: this.#depth,
      cells,
      nodes,
    };
  }

  /** Makes a node of the keys in [start, end). Returns its number. */
  #divide(start: number, end: number, depth: number): number {
    const node = this.#addNode(start);
    this.#depth = Math.max(this.#depth, depth);
    const count = end - start;
    this.#setRange(start, end, 1, 0);
    if (count <= 2 * this.#epsilon || this.#isLine(start, end)) {
      this.#finish(node, this.#fill(start, end, 1), 1, depth);
      return node;
    }
    if (depth === DEPTH_MAX) return this.#leaveToHalving(node, start, end);
    const tail = this.#tail(start, end);
    const cells = Math.ceil(count / KEYS_PER_CELL);
    this.#setRange(start, end, cells, tail);
    const first = this.#fill(start, end, cells);
    if (2 * this.#keysInLeaves(first, cells) >= count) {
      this.#finish(node, first, cells, depth);
      return node;
    }
    this.#cellCount = first;
    if (depth > 1 && count < HALVING_KEYS) return this.#leaveToHalving(node, start, end);
    const wide = Math.max(WIDE_CELLS_MIN, Math.ceil(count / KEYS_PER_WIDE_CELL));
    this.#setRange(start, end, wide, tail);
    this.#finish(node, this.#fill(start, end, wide), wide, depth);
    return node;
  }

  #leaveToHalving(node: number, start: number, end: number): number {
    this.#words[NODE_WORDS * node + FIRST_CELL] = end;
    this.#countLeaf(2 * this.#epsilon + 1, Math.ceil((end - start) / (2 * this.#epsilon)));
    return node;
  }

  /** How many keys to leave out at either end, for a range that suits the others. */
  #tail(start: number, end: number): number {
    const tail = Math.floor((end - start) / TAIL);
    this.#keys.setBase(start);
    const whole = this.#keys.distance(end - 1);
    this.#keys.setBase(start + tail);
    return whole > TAIL_GAIN * this.#keys.distance(end - 1 - tail) ? tail : 0;
  }

  /** Lays `cells` equal cells over the range of the keys in [start + tail, end − tail). */
  #setRange(start: number, end: number, cells: number, tail: number): void {
    if (start === end) return;
    const first = start + tail;
    const last = end - 1 - tail;
    this.#keys.setBase(first);
    const span = Math.min(this.#keys.distance(last), Number.MAX_VALUE);
    // The last key stands a step before the end of the last cell, as it does in the array.
    const share = (last - first) / (last - first + 1);
    this.#scale = span > 0 && last > first ? Math.min((cells / span) * share, Number.MAX_VALUE) : 1;
  }

  /** Where a key stands, in cells. The arithmetic of a look-up. */
  #place(position: number, cells: number): number {
    const x = this.#keys.distance(position) * this.#scale;
    if (!(x > 0)) return 0;
    return x < cells ? x : cells - EDGE;
  }

  #isLine(start: number, end: number): boolean {
    const count = end - start;
    for (let p = start; p < end; p++) {
      const predicted = Math.trunc(start + count * this.#place(p, 1));
      if (Math.abs(predicted - p) > LINE_ERROR) return false;
    }
    return true;
  }

  /** Writes where each cell begins, and the end. Returns the index of the first. */
  #fill(start: number, end: number, cells: number): number {
    const first = this.#cellCount;
    this.#reserveCells(cells + 1);
    const table = this.#cells;
    let next = 0;
    for (let p = start; p < end; p++) {
      const cell = Math.trunc(this.#place(p, cells));
      while (next <= cell) table[first + next++] = p;
    }
    while (next <= cells) table[first + next++] = end;
    return first;
  }

  #keysInLeaves(first: number, cells: number): number {
    let keys = 0;
    for (let cell = 0; cell < cells; cell++) {
      if (this.#cellError(first, cell, cells) <= this.#epsilon) {
        keys += this.#cells[first + cell + 1] - this.#cells[first + cell];
      }
    }
    return keys;
  }

  /** The largest error in a cell, or Infinity when it cannot be a leaf. */
  #cellError(first: number, cell: number, cells: number): number {
    const start = this.#cells[first + cell];
    const end = this.#cells[first + cell + 1];
    const isSmall = end - start <= 2 * this.#epsilon;
    let error = 0;
    for (let p = start; p < end; p++) {
      const x = this.#place(p, cells);
      const predicted = Math.trunc(start + (end - start) * (x - cell));
      error = Math.max(error, Math.abs(predicted - p));
      if (error > this.#epsilon && !isSmall) return Infinity;
    }
    return error;
  }

  /** Stores a divided node, and divides those of its cells that are no leaves. */
  #finish(node: number, first: number, cells: number, depth: number): void {
    this.#nodes[NODE_DOUBLES * node + SCALE] = this.#scale;
    this.#keys.storeBase(this.#nodes, this.#words, node);
    this.#words[NODE_WORDS * node + CELLS] = cells;
    this.#words[NODE_WORDS * node + FIRST_CELL] = first;
    let worst = 0;
    const hard: number[] = [];
    for (let cell = 0; cell < cells; cell++) {
      const error = this.#cellError(first, cell, cells);
      if (error === Infinity) {
        hard.push(cell);
        continue;
      }
      const keys = this.#cells[first + cell + 1] - this.#cells[first + cell];
      this.#countLeaf(Math.min(2 * error + 1, keys), 1);
      worst = Math.max(worst, error);
    }
    this.#words[NODE_WORDS * node + ERROR] = worst;
    for (const cell of hard) {
      const start = this.#cells[first + cell];
      const end = this.#cells[first + cell + 1];
      const child = this.#divide(start, end, depth + 1);
      this.#cells[first + cell] = IS_NODE + child;
    }
  }

  #countLeaf(window: number, leaves: number): void {
    this.#leafCount += leaves;
    this.#windowMax = Math.max(this.#windowMax, window);
  }

  #addNode(start: number): number {
    const node = this.#nodeCount++;
    if (NODE_DOUBLES * this.#nodeCount > this.#nodes.length) {
      const larger = new Float64Array(2 * this.#nodes.length);
      larger.set(this.#nodes);
      this.#nodes = larger;
      this.#words = wordsOf(larger);
    }
    this.#words[NODE_WORDS * node + START] = start;
    return node;
  }

  #reserveCells(cells: number): void {
    this.#cellCount += cells;
    if (this.#cellCount <= this.#cells.length) return;
    const larger = new Uint32Array(Math.max(2 * this.#cells.length, this.#cellCount));
    larger.set(this.#cells);
    this.#cells = larger;
  }
}
