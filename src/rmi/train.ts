/**
 * Training: a model from sorted keys, in a few sequential passes over them, in the memory of the
 * model it makes and its copy, and of the fine grid of the node at hand, which takes 1/4 byte a key.
 *
 * A stretch of keys becomes the first of these that it can:
 * 1. one leaf, where one line is so close to every key that no search costs anything (consecutive
 *    keys, even steps);
 * 2. cells of equal width, or cells of equally many keys between separators, and wide cells or
 *    narrow ones: whichever makes look-ups cheapest, by the estimate of `grid.ts` and `cost.ts`.
 * A cell becomes a leaf where its line is within ε of every key and the searches from there cost
 * less, for its average key, than one more level would. The others are divided in turn, each on its
 * own range.
 *
 * The size is bounded on every input: cells of equal width, with their nodes, take no more than
 * `EVEN_BYTES_MAX` bytes a key on the way to any key; what that does not divide, separators do, at 12
 * bytes for `KEYS_PER_SEPARATOR` keys, more or less. So is the depth: below level `EVEN_LEVELS` all
 * are separated, which leaves a child 1/64 of the keys, or none.
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
import { type Costs, costsOf, SEARCHED_MAX } from './cost.ts';
import { Draft } from './draft.ts';
import { fingerprintsOf } from './fingerprints.ts';
import {
  cheapestDivision,
  evenBytes,
  fineCells,
  KEYS_PER_SEPARATOR,
  type LeafLimits,
  separatedCells,
  separatedNs,
  WIDTH_MAX,
} from './grid.ts';
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

/** A leaf of more than 2ε keys is wrong by at most ε about each: windows are 2ε + 1 at most. */
const EPSILON = 32;
const LEAF: LeafLimits = { keysMin: 2 * EPSILON, errorMax: EPSILON };
/** The nodes without separators on the way to a key take so many bytes for each of their keys. */
const EVEN_BYTES_MAX = 1;
const EVEN_LEVELS = 8;
/** One key in this many may be left out at either end of a node's range, to fall in its end cells. */
const TAIL = 64;
/** They are left out where that makes the range this many times narrower. */
const TAIL_GAIN = 16;
/** Keys whose places are worked out together. */
const CHUNK = 128;

assert(KEYS_PER_SEPARATOR <= LEAF.keysMin);
assert(LEAF.keysMin <= SEARCHED_MAX && LEAF.errorMax <= SEARCHED_MAX);
// Levels of separators that 2^31 keys can need, and one in which rounding keeps neighbours together.
assert(EVEN_LEVELS + Math.ceil(31 / Math.log2(SEPARATED_CELLS_MAX)) + 1 <= DEPTH_MAX);

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
  new Trainer(keys, draft, costsOf(form, count)).divide(0, count, 1, 0);
  return draft.seal(form, count, EPSILON, code, fingerprints);
}

/** What came of laying cells over a stretch: which are no leaves, and how good the others are. */
interface Survey {
  readonly error: number;
  readonly window: number;
  readonly hard: readonly number[];
}

class Trainer {
  readonly #keys: SortedKeys;
  readonly #draft: Draft;
  readonly #costs: Costs;
  /** Cells a unit of distance, in the division under way; 0 between separators. */
  #scale = 1;
  /** Where the keys at hand stand in that division. */
  readonly #places = new Float64Array(CHUNK);

  constructor(keys: SortedKeys, draft: Draft, costs: Costs) {
    this.#keys = keys;
    this.#draft = draft;
    this.#costs = costs;
  }

  /**
   * Makes a node of the keys in [start, end). Returns its number.
   * @param spent bytes a key that the nodes above it take for its keys
   */
  divide(start: number, end: number, depth: number, spent: number): number {
    const draft = this.#draft;
    const count = end - start;
    const node = draft.addNode(start, depth);
    this.#keys.enter(start, end);
    this.#setRange(start, end, 1, 0);
    if (depth === DEPTH_MAX || count <= LEAF.keysMin || this.#isLine(start, end)) {
      const first = this.#layCells(start, end, 1);
      const { error, window, hard } = this.#survey(first, 1);
      // What no level tells apart is a leaf as well.
      const leaf = hard.length === 0 ? { error, window, hard } : { error: count, window: count };
      this.#finish(node, first, 1, { ...leaf, hard: [] }, depth, spent);
      return node;
    }
    if (depth <= EVEN_LEVELS && this.#divideEvenly(node, start, end, depth, spent)) return node;
    this.#separate(node, start, end, depth, spent);
    return node;
  }

  /** Divides a node into cells of equal width, unless separators would do better. */
  #divideEvenly(node: number, start: number, end: number, depth: number, spent: number): boolean {
    const draft = this.#draft;
    const costs = this.#costs;
    const count = end - start;
    const fine = fineCells(count);
    this.#setRange(start, end, fine, this.#tail(start, end));
    const first = this.#layCells(start, end, fine);
    const bytesMax = (EVEN_BYTES_MAX - spent) * count;
    const best = cheapestDivision(draft.cells, first, fine, bytesMax, costs, LEAF);
    if (best === null || best.ns > separatedNs(count, costs, LEAF)) {
      draft.dropCells(first);
      return false;
    }
    const cells = fine / best.width;
    draft.widenCells(first, fine, best.width);
    this.#scale /= best.width;
    const survey = this.#survey(first, cells);
    this.#finish(node, first, cells, survey, depth, spent + evenBytes(cells) / count);
    return true;
  }

  /** Divides a node by rank. */
  #separate(node: number, start: number, end: number, depth: number, spent: number): void {
    assert(depth <= DEPTH_MAX);
    const keys = this.#keys;
    const draft = this.#draft;
    const count = end - start;
    const cells = separatedCells(count);
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
    this.#finish(node, first, cells, this.#survey(first, cells), depth, spent);
  }

  /** Stores the division under way as that of a node, and divides those cells that are no leaves. */
  #finish(
    node: number,
    first: number,
    cells: number,
    survey: Survey,
    depth: number,
    spent: number,
  ): void {
    const draft = this.#draft;
    draft.nodes[NODE_DOUBLES * node + SCALE] = this.#scale;
    draft.setCells(node, first, cells, cells - survey.hard.length, survey.error);
    this.#keys.storeBase(draft.nodes, draft.words, node);
    draft.widen(survey.window);
    for (const cell of survey.hard) {
      const start = draft.cells[first + cell];
      const end = draft.cells[first + cell + 1];
      const child = this.divide(start, end, depth + 1, spent);
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
    // That of the widest cells there may be, so that division by a width is exact.
    const scale = (cells / WIDTH_MAX / span) * share;
    this.#scale = Math.min(scale, Number.MAX_VALUE / WIDTH_MAX) * WIDTH_MAX;
  }

  #placeOf(position: number, cells: number): number {
    const x = this.#keys.distance(position) * this.#scale;
    return x > 0 ? Math.min(x, cells - EDGE) : 0;
  }

  /** Works out where some keys stand: at most a chunk of those in [from, end). Returns where it ends. */
  #place(from: number, end: number, cells: number): number {
    const to = Math.min(from + CHUNK, end);
    this.#keys.place(from, to, this.#scale, cells, this.#places);
    return to;
  }

  #isLine(start: number, end: number): boolean {
    const count = end - start;
    const middle = start + (count >>> 1);
    // Most are no line, and most of those not in the middle.
    if (!this.#isOnLine(start, end, middle, middle + 1)) return false;
    return this.#isOnLine(start, end, start, end);
  }

  /** Whether the keys in [from, to) are on the line through those in [start, end). */
  #isOnLine(start: number, end: number, from: number, to: number): boolean {
    const { search } = this.#costs;
    const places = this.#places;
    for (let first = from; first < to; first += CHUNK) {
      const last = this.#place(first, to, 1);
      for (let p = first; p < last; p++) {
        const predicted = Math.trunc(start + (end - start) * places[p - first]);
        if (search[Math.min(Math.abs(predicted - p), SEARCHED_MAX)] > 0) return false;
      }
    }
    return true;
  }

  /** Writes where each cell begins, and the end. Returns the index of the first. */
  #layCells(start: number, end: number, cells: number): number {
    const first = this.#draft.addCells(cells + 1);
    const table = this.#draft.cells;
    const places = this.#places;
    let next = 0;
    for (let from = start; from < end; from += CHUNK) {
      // A crowded cell is passed at a stride: all keys between two of one cell are in it.
      const until = Math.min(from + CHUNK, end);
      if (Math.trunc(this.#placeOf(until - 1, cells)) === next - 1) continue;
      this.#place(from, until, cells);
      for (let p = from; p < until; p++) {
        const cell = Math.trunc(places[p - from]);
        while (next <= cell) table[first + next++] = p;
      }
    }
    while (next <= cells) table[first + next++] = end;
    return first;
  }

  #survey(first: number, cells: number): Survey {
    const table = this.#draft.cells;
    const hard: number[] = [];
    const isSeparated = this.#scale === 0;
    let error = 0;
    let window = 0;
    for (let cell = 0; cell < cells; cell++) {
      const start = table[first + cell];
      const end = table[first + cell + 1];
      const found = isSeparated
        ? middleError(start, end)
        : this.#leafError(start, end, cell, cells);
      if (found === Infinity) {
        hard.push(cell);
        continue;
      }
      error = Math.max(error, found);
      window = Math.max(window, Math.min(2 * found + 1, end - start));
    }
    return { error, window, hard };
  }

  /** The largest error about a key of the cell, or Infinity when it is not to be a leaf. */
  #leafError(start: number, end: number, cell: number, cells: number): number {
    const { level, search } = this.#costs;
    const places = this.#places;
    const count = end - start;
    const isSmall = count <= LEAF.keysMin;
    if (!isSmall && this.#isFarInside(start, count, cell, cells)) return Infinity;
    const nsMax = isSmall ? Infinity : level * count;
    let largest = 0;
    let ns = 0;
    for (let from = start; from < end; from += CHUNK) {
      const to = this.#place(from, end, cells);
      for (let p = from; p < to; p++) {
        const error = Math.abs(Math.trunc(start + count * (places[p - from] - cell)) - p);
        if (error > largest) {
          if (error > LEAF.errorMax && !isSmall) return Infinity;
          largest = error;
        }
        ns += search[error];
      }
      if (ns > nsMax) return Infinity;
    }
    return largest;
  }

  /** Whether the middle key of a cell alone shows that it is no leaf: most that are none, it does. */
  #isFarInside(start: number, count: number, cell: number, cells: number): boolean {
    const middle = count >>> 1;
    const x = this.#placeOf(start + middle, cells);
    return Math.abs(count * (x - cell) - middle) > LEAF.errorMax + 1;
  }
}

/** The largest error about a key of a cell between separators, which is predicted in its middle. */
function middleError(start: number, end: number): number {
  const count = end - start;
  if (count > LEAF.keysMin) return Infinity;
  return Math.max(count >>> 1, count - 1 - (count >>> 1), 0);
}
