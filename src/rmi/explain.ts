/**
 * A look-up retold: which nodes it passes and which keys it reads. The indexes themselves keep no such
 * record, since a look-up is too short to pay for one; tests hold that this tells what they do.
 */
import { compareStretches, type KeyBytes, type KeyMemory } from '../schema/key-bytes.ts';
import { codeOf, numberOfBytes } from './byte-code.ts';
import { FIRST_STEP } from './bytes-index.ts';
import { WINDOW } from './f64-index.ts';
import { matchesOf, positionOf, windowAt, windowsBeside } from './fingerprints.ts';
import {
  BASE,
  BASE_HI,
  BASE_LO,
  CELLS,
  cellBySeparators,
  EDGE,
  ERROR,
  FIRST_CELL,
  IS_NODE,
  type Model,
  NODE_DOUBLES,
  NODE_MASK,
  NODE_WORDS,
  recordsOf,
  SCALE,
  SKIP,
  START,
  TWO_32,
  wordsOf,
} from './model.ts';

/** A node of the model on the way to a leaf, and the cell of it that the key falls in. */
export interface PathNode {
  readonly node: number;
  readonly cells: number;
  readonly cell: number;
  /** Whether its cells are told apart by keys between them: they are of unequal width. */
  readonly bySeparators: boolean;
}

export interface Descent {
  /** From the root to the node whose cell is a leaf. */
  readonly path: readonly PathNode[];
  /** Where the model thinks the key is: at most the number of keys. */
  readonly predicted: number;
  /** The largest error of a prediction for a key in a leaf of the last node; of bytes, of any. */
  readonly errorMax: number;
  /** 64-byte lines of the model that are read, about. */
  readonly cacheLines: number;
}

/** The descent of a model of numbers. */
export function descendF64(model: Model, key: number): Descent {
  const distance = (node: number): number => key - model.nodes[NODE_DOUBLES * node + BASE];
  return descend(model, distance, () => key);
}

/** The descent of a model of sortable keys. */
export function descendWords(model: Model, lo: number, hi: number): Descent {
  const words = wordsOf(model.nodes);
  const distance = (node: number): number => {
    const at = NODE_WORDS * node;
    return (hi - words[at + BASE_HI]) * TWO_32 + (lo - words[at + BASE_LO]);
  };
  return descend(model, distance, distance);
}

/** The descent of a model of bytes: of the keys between `offsets` in `memory`. */
export function descendBytes(
  model: Model,
  memory: KeyMemory,
  offsets: Int32Array,
  key: KeyBytes,
): Descent {
  const words = wordsOf(model.nodes);
  const side = (node: number): number => {
    const position = words[NODE_WORDS * node + START];
    const skip = words[NODE_WORDS * node + SKIP];
    const start = offsets[position];
    const end = Math.min(offsets[position + 1], start + skip);
    const keyEnd = Math.min(key.end, key.start + skip);
    return compareStretches(key.memory, key.start, keyEnd, memory, start, end);
  };
  return descendNumbers(model, key, side);
}

function descendNumbers(model: Model, key: KeyBytes, side?: (node: number) => number): Descent {
  const words = wordsOf(model.nodes);
  const code = codeOf(model.code);
  const number = (node: number): number => {
    const at = key.start + words[NODE_WORDS * node + SKIP];
    return numberOfBytes(code, key.memory.buffer, key.start, at, key.end);
  };
  const distance = (node: number): number => number(node) - model.nodes[NODE_DOUBLES * node + BASE];
  return descend(model, distance, number, side);
}

/** The keys that `find` compares because they have the fingerprint of the key that is sought. */
export interface Candidates {
  /** Where the window of fingerprints begins that is looked at first. */
  readonly first: number;
  /** Their positions, in the order in which they are compared until one is the key. */
  readonly positions: readonly number[];
}

/** @param hash the key's `hashBytes` */
export function candidatesOf(model: Model, key: KeyBytes, hash: number): Candidates {
  const { buffer, byteOffset, length } = model.fingerprints;
  const words = new Int32Array(buffer, byteOffset, length >>> 2);
  const first = windowAt(words, descendNumbers(model, key).predicted);
  const positions: number[] = [];
  for (const window of [first, ...windowsBeside(words, first)]) {
    for (let found = matchesOf(words, window, hash); found !== 0; found &= found - 1) {
      const position = positionOf(window, found);
      if (position < model.keyCount) positions.push(position);
    }
  }
  return { first: 4 * first, positions };
}

/**
 * @param separator what the separators of a node are compared with
 * @param side whether the key is before the keys of a node, behind them, or (0) perhaps among them
 */
function descend(
  { form, nodes, cells, windowMax }: Model,
  distance: (node: number) => number,
  separator: (node: number) => number,
  side: (node: number) => number = () => 0,
): Descent {
  const words = wordsOf(nodes);
  const path: PathNode[] = [];
  let cacheLines = 0;
  for (let node = 0; ; ) {
    const at = NODE_WORDS * node;
    const count = words[at + CELLS];
    const scale = nodes[NODE_DOUBLES * node + SCALE];
    const bySeparators = scale === 0;
    const beside = side(node);
    if (beside !== 0) {
      const cell = beside < 0 ? 0 : count - 1;
      path.push({ node, cells: count, cell, bySeparators });
      const predicted = beside < 0 ? words[at + START] : cells[words[at + FIRST_CELL] + count];
      return { path, predicted, errorMax: windowMax, cacheLines: cacheLines + 2 };
    }
    let x = bySeparators ? cellBySeparators(nodes, node, count, separator(node)) + 0.5 : 0;
    if (!bySeparators) x = Math.min(Math.max(distance(node) * scale, 0), count);
    if (x === count) x = count - EDGE;
    const cell = Math.floor(x);
    path.push({ node, cells: count, cell, bySeparators });
    // Two records fill a line; of separators, a binary search reads about one line for every bit.
    cacheLines += 1 + Math.ceil(Math.log2(recordsOf(count, bySeparators)));
    cacheLines += 1;
    const start = cells[words[at + FIRST_CELL] + cell];
    if (start >= IS_NODE) {
      node = start & NODE_MASK;
      continue;
    }
    let end = cells[words[at + FIRST_CELL] + cell + 1];
    if (end >= IS_NODE) end = words[NODE_WORDS * (end & NODE_MASK) + START];
    const predicted = Math.floor(start + (end - start) * (x - cell));
    const errorMax = form === 'bytes' ? windowMax : words[at + ERROR];
    return { path, predicted, errorMax, cacheLines };
  }
}

/** The positions of the keys that a search without branches looks among first: from `first` on. */
export function windowOf(keyCount: number, predicted: number): { first: number; keys: number } {
  if (keyCount < WINDOW) return { first: 0, keys: keyCount };
  const first = Math.min(Math.max(predicted - WINDOW / 2, 0), keyCount - WINDOW);
  return { first, keys: WINDOW };
}

/**
 * The positions at which `find` reads a key, in its order, once for each comparison.
 * @param position the first one whose key is >= the key that is sought
 * @param isThere whether that is the key
 */
export function readsOf(
  keyCount: number,
  predicted: number,
  position: number,
  isThere: boolean,
): number[] {
  const reads: number[] = [];
  const isBelow = (at: number): boolean => {
    reads.push(at);
    return at < position;
  };
  const between = (from: number, to: number): void => {
    for (let low = from, high = to; low < high; ) {
      const middle = (low + high) >>> 1;
      if (isBelow(middle)) low = middle + 1;
      else high = middle;
    }
  };
  const settle = (from: number): void => {
    if (from === keyCount) return;
    let step = WINDOW / 2;
    if (isBelow(from)) {
      let low = from + 1;
      for (; low + step < keyCount && isBelow(low + step); step *= 2) low += step + 1;
      between(low, Math.min(low + step, keyCount));
    } else if (from > 0 && !isBelow(from - 1)) {
      let high = from;
      for (; high >= step && !isBelow(high - step); step *= 2) high -= step;
      between(Math.max(high - step + 1, 0), high);
    }
  };

  const { first, keys } = windowOf(keyCount, predicted);
  let near = first;
  if (keys < WINDOW) {
    between(0, keyCount);
    near = position;
  } else {
    for (let step = WINDOW / 2; step >= 1; step /= 2) if (isBelow(near + step - 1)) near += step;
  }
  if (near < keyCount) reads.push(near);
  if (near === position && isThere) return reads;
  settle(near);
  if (position < keyCount) reads.push(position);
  return reads;
}

/**
 * The same of `find` among bytes: it compares the candidates first, and if none of them is the key,
 * it searches from the prediction, comparing keys three ways.
 */
export function bytesReadsOf(
  keyCount: number,
  predicted: number,
  position: number,
  isThere: boolean,
  candidates: readonly number[],
): number[] {
  const found = isThere ? candidates.indexOf(position) : -1;
  if (found >= 0) return candidates.slice(0, found + 1);
  const reads = [...candidates];
  const order = (at: number): number => {
    reads.push(at);
    if (at === position && isThere) return 0;
    return at < position ? -1 : 1;
  };
  const between = (from: number, to: number): void => {
    for (let low = from, high = to; low < high; ) {
      const middle = (low + high) >>> 1;
      const found = order(middle);
      if (found === 0) return;
      if (found < 0) low = middle + 1;
      else high = middle;
    }
  };
  const from = Math.min(predicted, keyCount - 1);
  const first = order(from);
  if (first === 0) return reads;
  let [low, high] = first < 0 ? [from + 1, keyCount] : [0, from];
  for (let step = FIRST_STEP; high - low >= step; step *= 2) {
    const at = first < 0 ? low + step - 1 : high - step;
    const found = order(at);
    if (found === 0) return reads;
    if (found < 0) low = at + 1;
    else high = at;
    if (found !== first) break;
  }
  between(low, high);
  return reads;
}
