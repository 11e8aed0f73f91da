/**
 * Training: a model from sorted keys, in a few sequential passes over them, in the memory of the
 * model it makes and its copy.
 *
 * A stretch of keys becomes the first of these that does it justice:
 * 1. one leaf, where one line is within `LINE_ERROR` of every key (consecutive keys, even steps);
 * 2. cells of `KEYS_PER_CELL` keys on average, where at least half of the keys then stand in leaves;
 * 3. fewer, wider cells, where they tell most keys apart;
 * 4. cells of equally many keys, between separators.
 * The cells of 2, 3 and 4 that are no leaves are then divided in turn, each on its own range.
 *
 * The size is bounded on every input. Cells of kind 2 cost a quarter of a byte a key, and each level
 * of them at least halves what is left for the next; those of kind 3 cost 1/64 byte a key and level;
 * a separator and its cell cost 12 bytes for `KEYS_PER_SEPARATOR` keys. So is the depth: from level
 * `CELL_LEVELS` on, all are of kind 4, which leaves each child 1/64 of the keys or a leaf.
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
  recordsOf,
  SCALE,
  SEPARATED_CELLS_MAX,
  SEPARATORS,
  START,
  wordsOf,
} from './model.ts';

/** Windows are no wider than 2ε + 1 positions. */
const EPSILON = 32;
/** A stretch this close to one line needs no cells. */
const LINE_ERROR = 4;
const KEYS_PER_CELL = 16;
const KEYS_PER_WIDE_CELL = 256;
const WIDE_CELLS_MIN = 16;
/** Wide cells will do if the average key is left with this share of the keys in its cell. */
const WIDE_SHARE_MAX = 1 / 16;
const KEYS_PER_SEPARATOR = 32;
const CELL_LEVELS = 8;
/** One key in this many may be left out at either end of a node's range, to fall in its end cells. */
const TAIL = 64;
/** They are left out where that makes the range this many times narrower. */
const TAIL_GAIN = 16;

/**
 * @param keys strictly ascending, without NaN; ±Infinity are keys
 * @throws OMEN_CORRUPT if they are not: keys out of order only ever come from damage
 */
export function trainF64(keys: Float64Array, count: number): Model {
  assert(keys.length >= count, 'fewer keys than the count');
  return new Trainer(new F64Keys(keys), count).train('f64');
}

/**
 * @param keys sortable keys as [lo, hi] pairs, strictly ascending as unsigned 64-bit integers
 * @throws OMEN_CORRUPT if they are not
 */
export function trainWords(keys: Uint32Array, count: number): Model {
  assert(keys.length >= 2 * count, 'fewer keys than the count');
  return new Trainer(new WordKeys(keys), count).train('words');
}

/** One training. Cells and nodes grow by doubling; cells of one node are contiguous. */
class Trainer {
  readonly #keys: SortedKeys;
  readonly #count: number;
  #cells = new Uint32Array(1024);
  #cellCount = 0;
  #nodes = new Float64Array(64 * NODE_DOUBLES);
  #words = wordsOf(this.#nodes);
  #records = 0;
  #leafCount = 0;
  #windowMax = 0;
  #depth = 0;
  // Of the division under way: cells a unit of distance.
  #scale = 1;

  constructor(keys: SortedKeys, count: number) {
    assert(Number.isInteger(count) && count >= 0 && count <= KEYS_MAX, 'count out of range');
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
    const nodes = new Float64Array(new SharedArrayBuffer(8 * NODE_DOUBLES * this.#records));
    nodes.set(this.#nodes.subarray(0, NODE_DOUBLES * this.#records));
    return {
      form,
      keyCount: this.#count,
      epsilon: EPSILON,
      windowMax: this.#windowMax,
      leafCount: this.#leafCount,
      depth: this.#depth,
      cells,
      nodes,
    };
  }

  /** Makes a node of the keys in [start, end). Returns its number. */
  #divide(start: number, end: number, depth: number): number {
    const node = this.#addRecords(1);
    this.#words[NODE_WORDS * node + START] = start;
    this.#depth = Math.max(this.#depth, depth);
    const count = end - start;
    this.#setRange(start, end, 1, 0);
    if (count <= 2 * EPSILON || this.#isLine(start, end)) {
      this.#finish(node, this.#fill(start, end, 1), 1, depth);
      return node;
    }
    const tail = this.#tail(start, end);
    const first = this.#cellCount;
    const cells = Math.ceil(count / KEYS_PER_CELL);
    const wide = Math.max(WIDE_CELLS_MIN, Math.ceil(count / KEYS_PER_WIDE_CELL));
    if (depth <= CELL_LEVELS) {
      this.#setRange(start, end, cells, tail);
      this.#fill(start, end, cells);
      if (2 * this.#keysInLeaves(first, cells) >= count) {
        this.#finish(node, first, cells, depth);
        return node;
      }
      this.#cellCount = first;
      this.#setRange(start, end, wide, tail);
      this.#fill(start, end, wide);
      if (this.#averageShare(first, wide) <= WIDE_SHARE_MAX) {
        this.#finish(node, first, wide, depth);
        return node;
      }
      this.#cellCount = first;
    }
    this.#separate(node, start, end, depth);
    return node;
  }

  /** Which share of the keys its own cell holds, for the average key. */
  #averageShare(first: number, cells: number): number {
    let sum = 0;
    for (let at = first; at < first + cells; at++) {
      sum += (this.#cells[at + 1] - this.#cells[at]) ** 2;
    }
    return sum / (this.#cells[first + cells] - this.#cells[first]) ** 2;
  }

  /** Divides a node by rank. */
  #separate(node: number, start: number, end: number, depth: number): void {
    assert(depth <= DEPTH_MAX);
    const keys = this.#keys;
    const count = end - start;
    let cells = SEPARATED_CELLS_MAX;
    while (count < (cells / 2) * KEYS_PER_SEPARATOR && cells > 2) cells /= 2;
    keys.setBase(start);
    this.#addRecords(recordsOf(cells, true) - 1);
    const first = this.#cellCount;
    this.#reserveCells(cells + 1);
    this.#cells[first] = start;
    for (let cell = 1; cell < cells; cell++) {
      const position = start + Math.floor((cell * count) / cells);
      const separator = keys.separator(position);
      this.#nodes[NODE_DOUBLES * node + SEPARATORS + cell - 1] = separator;
      // Rounding may make separators of neighbours equal: the cell begins with the first such key.
      let from = position;
      while (from > this.#cells[first + cell - 1] && keys.separator(from - 1) >= separator) from--;
      this.#cells[first + cell] = from;
    }
    this.#cells[first + cells] = end;
    this.#scale = 0;
    this.#finish(node, first, cells, depth);
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
      if (this.#cellError(first, cell, cells) <= EPSILON) {
        keys += this.#cells[first + cell + 1] - this.#cells[first + cell];
      }
    }
    return keys;
  }

  /** The largest error in a cell, or Infinity when it cannot be a leaf. */
  #cellError(first: number, cell: number, cells: number): number {
    const start = this.#cells[first + cell];
    const end = this.#cells[first + cell + 1];
    const isSmall = end - start <= 2 * EPSILON;
    const isSeparated = this.#scale === 0;
    let error = 0;
    for (let p = start; p < end; p++) {
      const x = isSeparated ? cell + 0.5 : this.#place(p, cells);
      const predicted = Math.trunc(start + (end - start) * (x - cell));
      error = Math.max(error, Math.abs(predicted - p));
      if (error > EPSILON && !isSmall) return Infinity;
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

  /** Returns the number of the first. */
  #addRecords(records: number): number {
    const first = this.#records;
    this.#records += records;
    if (NODE_DOUBLES * this.#records > this.#nodes.length) {
      const larger = new Float64Array(2 * this.#nodes.length);
      larger.set(this.#nodes);
      this.#nodes = larger;
      this.#words = wordsOf(larger);
    }
    return first;
  }

  #reserveCells(cells: number): void {
    this.#cellCount += cells;
    if (this.#cellCount <= this.#cells.length) return;
    const larger = new Uint32Array(Math.max(2 * this.#cells.length, this.#cellCount));
    larger.set(this.#cells);
    this.#cells = larger;
  }
}
