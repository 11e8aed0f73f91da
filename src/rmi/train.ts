/**
 * Training: a model from sorted keys, in a few sequential passes over them, in the memory of the
 * model it makes and its copy.
 *
 * A stretch of keys becomes the first of these that does it justice:
 * 1. one leaf, where one line is close to every key (consecutive keys, even steps);
 * 2. cells of `KEYS_PER_CELL` keys on average, where half of the keys, or a quarter if keys are bytes,
 *    then stand in leaves;
 * 3. fewer, wider cells, where they tell most keys apart;
 * 4. cells of equally many keys, between separators.
 * The cells of 2, 3 and 4 that are no leaves are then divided in turn, each on its own range.
 *
 * The size is bounded on every input. Cells of kind 2 cost a quarter of a byte a key, and each level
 * of them at least halves what is left for the next (takes a quarter of it, if keys are bytes); those
 * of kind 3 cost 1/64 byte a key and level (1/16);
 * a separator and its cell cost 12 bytes for `KEYS_PER_SEPARATOR` keys, more or less. So is the
 * depth: below level `CELL_LEVELS` all are of kind 4, which leaves a child 1/64 of the keys, or none.
 *
 * Keys of variable length add one thing: many of them may be one number, and then all of them are in
 * one cell, whose node goes on behind what they share. What is still together on the last level
 * (keys that begin one another, a hundred bytes long and more) becomes one leaf, to be searched.
 *
 * Every error is measured with the arithmetic that look-ups use, on every key.
 */
import { strict as assert } from 'node:assert';
import { OmenError } from '../errors.ts';
import type { KeyMemory } from '../schema/key-bytes.ts';
import { codeOf, learnCode } from './byte-code.ts';
import { Draft } from './draft.ts';
import { fingerprintsOf } from './fingerprints.ts';
import { BytesKeys, F64Keys, type SortedKeys, WordKeys } from './keys.ts';
import {
  DEPTH_MAX,
  EDGE,
  IS_NODE,
  KEYS_MAX,
  type KeyForm,
  type Model,
  NODE_DOUBLES,
  recordsOf,
  SCALE,
  SEPARATED_CELLS_MAX,
  SEPARATORS,
} from './model.ts';

/** What is asked of a division. */
interface Tolerance {
  /** A leaf of more than 2ε keys is wrong by at most ε about each: windows are 2ε + 1 at most. */
  readonly epsilon: number;
  /** And by at most this on average: a key farther off than half a window of the search costs extra. */
  readonly meanErrorMax: number;
  /** A stretch this close to one line needs no cells. */
  readonly lineError: number;
  /** Cells of `KEYS_PER_CELL` keys will do if one key in so many then stands in a leaf. */
  readonly leavesShare: number;
  readonly keysPerWideCell: number;
}

const OF_NUMBERS: Tolerance = {
  epsilon: 16,
  meanErrorMax: 4,
  lineError: 4,
  leavesShare: 2,
  keysPerWideCell: 256,
};
/**
 * Of bytes, a window of fingerprints costs little, and a level much: each takes its bytes for a number
 * anew, and waits for two lines of memory.
 */
const OF_BYTES: Tolerance = {
  epsilon: 32,
  meanErrorMax: 10,
  lineError: 10,
  leavesShare: 4,
  keysPerWideCell: 64,
};

const KEYS_PER_CELL = 16;
const WIDE_CELLS_MIN = 16;
/** Wide cells will do if the average key is left with this share of the keys in its cell. */
const WIDE_SHARE_MAX = 1 / 16;
const KEYS_PER_SEPARATOR = 20;
const CELL_LEVELS = 8;
/** One key in this many may be left out at either end of a node's range, to fall in its end cells. */
const TAIL = 64;
/** They are left out where that makes the range this many times narrower. */
const TAIL_GAIN = 16;

assert(KEYS_PER_CELL <= KEYS_PER_SEPARATOR && KEYS_PER_SEPARATOR <= 2 * OF_NUMBERS.epsilon);
// Levels of separators that 2^31 keys can need, and one in which rounding keeps neighbours together.
assert(CELL_LEVELS + Math.ceil(31 / Math.log2(SEPARATED_CELLS_MAX)) + 1 <= DEPTH_MAX);

/**
 * @param keys strictly ascending, without NaN; ±Infinity are keys
 * @throws OMEN_CORRUPT if they are not: keys out of order only ever come from damage
 */
export function trainF64(keys: Float64Array, count: number): Model {
  assert(keys.length >= count, 'fewer keys than the count');
  return train(new F64Keys(keys), count, 'f64');
}

/**
 * @param keys sortable keys as [lo, hi] pairs, strictly ascending as unsigned 64-bit integers
 * @throws OMEN_CORRUPT if they are not
 */
export function trainWords(keys: Uint32Array, count: number): Model {
  assert(keys.length >= 2 * count, 'fewer keys than the count');
  return train(new WordKeys(keys), count, 'words');
}

/**
 * @param keys the keys one after the other, strictly ascending in lexicographic order; key i is those
 *   from offsets[i] up to offsets[i + 1]
 * @throws OMEN_CORRUPT if they do not ascend
 */
export function trainBytes(keys: KeyMemory, offsets: Int32Array, count: number): Model {
  const { buffer } = keys;
  assert(offsets.length > count && buffer.length >= offsets[count], 'fewer keys than the count');
  const code = learnCode(buffer, offsets, count);
  const fingerprints = fingerprintsOf(keys, offsets, count);
  const sorted = new BytesKeys(keys, offsets, count, codeOf(code));
  return train(sorted, count, 'bytes', code, fingerprints);
}

const NO_CODE = new Uint16Array(new SharedArrayBuffer(0));
const NO_FINGERPRINTS = new Uint8Array(new SharedArrayBuffer(0));

function train(
  keys: SortedKeys,
  count: number,
  form: KeyForm,
  code = NO_CODE,
  fingerprints = NO_FINGERPRINTS,
): Model {
  assert(Number.isInteger(count) && count >= 0 && count <= KEYS_MAX, 'count out of range');
  const disorder = keys.firstDisorder(count);
  if (disorder >= 0) {
    throw new OmenError('OMEN_CORRUPT', `The keys are not in order at row ${disorder}.`);
  }
  const draft = new Draft();
  const tolerance = form === 'bytes' ? OF_BYTES : OF_NUMBERS;
  new Trainer(keys, draft, tolerance).divide(0, count, 1);
  return draft.seal(form, count, tolerance.epsilon, code, fingerprints);
}

/** What came of laying cells over a stretch: which are no leaves, and how good the others are. */
interface Survey {
  readonly keysInLeaves: number;
  readonly error: number;
  readonly window: number;
  readonly hard: readonly number[];
}

class Trainer {
  readonly #keys: SortedKeys;
  readonly #draft: Draft;
  readonly #tolerance: Tolerance;
  /** Cells a unit of distance, in the division under way; 0 between separators. */
  #scale = 1;

  constructor(keys: SortedKeys, draft: Draft, tolerance: Tolerance) {
    this.#keys = keys;
    this.#draft = draft;
    this.#tolerance = tolerance;
  }

  /** Makes a node of the keys in [start, end). Returns its number. */
  divide(start: number, end: number, depth: number): number {
    const draft = this.#draft;
    const count = end - start;
    const { epsilon, leavesShare, keysPerWideCell } = this.#tolerance;
    const node = draft.addNode(start, depth);
    this.#keys.enter(start, end);
    this.#setRange(start, end, 1, 0);
    if (depth === DEPTH_MAX && count > 2 * epsilon) {
      const first = this.#layCells(start, end, 1);
      this.#finish(
        node,
        first,
        1,
        { keysInLeaves: count, error: count, window: count, hard: [] },
        depth,
      );
      return node;
    }
    if (count <= 2 * epsilon || this.#isLine(start, end)) {
      const first = this.#layCells(start, end, 1);
      this.#finish(node, first, 1, this.#survey(first, 1), depth);
      return node;
    }
    if (depth <= CELL_LEVELS) {
      const tail = this.#tail(start, end);
      const cells = Math.ceil(count / KEYS_PER_CELL);
      this.#setRange(start, end, cells, tail);
      const first = this.#layCells(start, end, cells);
      const survey = this.#survey(first, cells);
      if (leavesShare * survey.keysInLeaves >= count) {
        this.#finish(node, first, cells, survey, depth);
        return node;
      }
      draft.dropCells(first);
      const wide = Math.max(WIDE_CELLS_MIN, Math.ceil(count / keysPerWideCell));
      this.#setRange(start, end, wide, tail);
      this.#layCells(start, end, wide);
      if (this.#averageShare(first, wide) <= WIDE_SHARE_MAX) {
        this.#finish(node, first, wide, this.#survey(first, wide), depth);
        return node;
      }
      draft.dropCells(first);
    }
    this.#separate(node, start, end, depth);
    return node;
  }

  /** Divides a node by rank. */
  #separate(node: number, start: number, end: number, depth: number): void {
    assert(depth <= DEPTH_MAX);
    const keys = this.#keys;
    const draft = this.#draft;
    const count = end - start;
    let cells = SEPARATED_CELLS_MAX;
    while (cells > 2 && count <= (cells / 2) * KEYS_PER_SEPARATOR) cells /= 2;
    keys.setBase(start);
    this.#scale = 0;
    draft.addRecords(recordsOf(cells, true) - 1);
    const first = draft.addCells(cells + 1);
    const table = draft.cells;
    table[first] = start;
    table[first + cells] = end;
    for (let cell = 1; cell < cells; cell++) {
      const before = table[first + cell - 1];
      let position = Math.max(before, start + Math.floor((cell * count) / cells));
      let separator = position < end ? keys.separator(position) : Infinity;
      // Rounding may give neighbours one separator: the cell begins with the first of them.
      while (position > before && keys.separator(position - 1) >= separator) position--;
      if (keys.hasTies && position === before) {
        // All of these are in the cell before: this one begins behind the last of them.
        while (position < end && keys.separator(position) === separator) position++;
        separator = position < end ? keys.separator(position) : Infinity;
      }
      table[first + cell] = position;
      draft.nodes[NODE_DOUBLES * node + SEPARATORS + cell - 1] = separator;
    }
    this.#finish(node, first, cells, this.#survey(first, cells), depth);
  }

  /** Stores the division under way as that of a node, and divides those cells that are no leaves. */
  #finish(node: number, first: number, cells: number, survey: Survey, depth: number): void {
    const draft = this.#draft;
    draft.nodes[NODE_DOUBLES * node + SCALE] = this.#scale;
    draft.setCells(node, first, cells, cells - survey.hard.length, survey.error);
    this.#keys.storeBase(draft.nodes, draft.words, node);
    draft.widen(survey.window);
    for (const cell of survey.hard) {
      const start = draft.cells[first + cell];
      const end = draft.cells[first + cell + 1];
      const child = this.divide(start, end, depth + 1);
      draft.cells[first + cell] = IS_NODE + child;
    }
  }

  /** How many keys to leave out at either end, for a range that suits the others. */
  #tail(start: number, end: number): number {
    const tail = Math.floor((end - start) / TAIL);
    this.#keys.setBase(start);
    const whole = this.#keys.distance(end - 1);
    this.#keys.setBase(start + tail);
    return whole > TAIL_GAIN * this.#keys.distance(end - 1 - tail) ? tail : 0;
  }

  /** Begins a division: `cells` equal cells over the range of the keys in [start + tail, end − tail). */
  #setRange(start: number, end: number, cells: number, tail: number): void {
    this.#scale = 1;
    if (start === end) return;
    const first = start + tail;
    const last = end - 1 - tail;
    this.#keys.setBase(first);
    const span = Math.min(this.#keys.distance(last), Number.MAX_VALUE);
    if (!(span > 0) || first === last) return;
    // The last key stands a step before the end of the last cell, as it does in the array.
    const share = (last - first) / (last - first + 1);
    this.#scale = Math.min((cells / span) * share, Number.MAX_VALUE);
  }

  /** Where a key stands, in cells. */
  #place(position: number, cells: number): number {
    const x = this.#keys.distance(position) * this.#scale;
    if (!(x > 0)) return 0;
    return x < cells ? x : cells - EDGE;
  }

  #isLine(start: number, end: number): boolean {
    const count = end - start;
    const { lineError } = this.#tolerance;
    for (let p = start; p < end; p++) {
      const predicted = Math.trunc(start + count * this.#place(p, 1));
      if (Math.abs(predicted - p) > lineError) return false;
    }
    return true;
  }

  /** Writes where each cell begins, and the end. Returns the index of the first. */
  #layCells(start: number, end: number, cells: number): number {
    const first = this.#draft.addCells(cells + 1);
    const table = this.#draft.cells;
    let next = 0;
    for (let p = start; p < end; p++) {
      const cell = Math.trunc(this.#place(p, cells));
      while (next <= cell) table[first + next++] = p;
    }
    while (next <= cells) table[first + next++] = end;
    return first;
  }

  #survey(first: number, cells: number): Survey {
    const table = this.#draft.cells;
    const hard: number[] = [];
    let keysInLeaves = 0;
    let error = 0;
    let window = 0;
    for (let cell = 0; cell < cells; cell++) {
      const start = table[first + cell];
      const end = table[first + cell + 1];
      const found = this.#leafError(start, end, cell, cells);
      if (found === Infinity) {
        hard.push(cell);
        continue;
      }
      keysInLeaves += end - start;
      error = Math.max(error, found);
      window = Math.max(window, Math.min(2 * found + 1, end - start));
    }
    return { keysInLeaves, error, window, hard };
  }

  /** The largest error about a key of the cell, or Infinity when it cannot be a leaf. */
  #leafError(start: number, end: number, cell: number, cells: number): number {
    const count = end - start;
    const { epsilon, meanErrorMax } = this.#tolerance;
    const isSmall = count <= 2 * epsilon;
    const isSeparated = this.#scale === 0;
    let largest = 0;
    let sum = 0;
    for (let p = start; p < end; p++) {
      const x = isSeparated ? cell + 0.5 : this.#place(p, cells);
      const error = Math.abs(Math.trunc(start + count * (x - cell)) - p);
      if (error > epsilon && !isSmall) return Infinity;
      if (error > largest) largest = error;
      sum += error;
    }
    return isSmall || sum <= meanErrorMax * count ? largest : Infinity;
  }

  /** Which share of the keys its own cell holds, for the average key. */
  #averageShare(first: number, cells: number): number {
    const table = this.#draft.cells;
    let sum = 0;
    for (let at = first; at < first + cells; at++) sum += (table[at + 1] - table[at]) ** 2;
    return sum / (table[first + cells] - table[first]) ** 2;
  }
}
