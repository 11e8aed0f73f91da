/** What the learned index is compared with: plain binary search, on bigints where numbers round. */
import type { ExecutionContext } from 'ava';
import {
  checkModel,
  F64Index,
  type Model,
  modelBytes,
  trainF64,
  trainWords,
  WordIndex,
} from '../../src/rmi/index.ts';

export function lowerBoundOf<T extends number | bigint>(keys: ArrayLike<T>, key: T): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

const bits = new BigInt64Array(1);
const double = new Float64Array(bits.buffer);

/** The nearest double above (step 1) or below (step −1). */
export function neighbour(key: number, step: 1 | -1): number {
  if (key === 0) return step * Number.MIN_VALUE;
  double[0] = key;
  bits[0] += BigInt(key > 0 ? step : -step);
  return Number.isNaN(double[0]) ? key : double[0];
}

/** What must hold of any model: its window, its size, and that the check accepts it. */
function holdsItsBounds(t: ExecutionContext, model: Model, count: number): void {
  checkModel(model, count);
  t.is(model.keyCount, count);
  t.true(model.windowMax <= 2 * model.epsilon + 1, `windowMax ${model.windowMax}`);
  // Cells of equal width take a byte a key at most, four bytes each; those between separators have ten
  // keys or more.
  const leavesMax = count / 4 + count / 10 + 64;
  t.true(model.leafCount <= leavesMax, `${model.leafCount} leaves of ${count} keys`);
  t.true(modelBytes(model) <= 2 * count + 1024, `${modelBytes(model)} bytes for ${count} keys`);
}

const MAX = 2n ** 64n - 1n;

/** Looks up every key, and what lies beside and between keys. Fails with the first wrong answer. */
export function everyNumberIsFound(t: ExecutionContext, keys: Float64Array): Model {
  const model = trainF64(keys, keys.length);
  holdsItsBounds(t, model, keys.length);
  const index = new F64Index(keys, keys.length, model);
  const wrong: string[] = [];
  const probe = (key: number): void => {
    const expected = lowerBoundOf(keys, key);
    const found = keys[expected] === key ? expected : -1;
    if (index.lowerBound(key) === expected && index.find(key) === found) return;
    wrong.push(`${key}: ${index.lowerBound(key)} instead of ${expected}`);
  };
  for (let p = 0; p < keys.length; p++) {
    const key = keys[p];
    const next = p + 1 < keys.length ? keys[p + 1] : key;
    for (const near of [key, key - 1, key + 1, key / 2 + next / 2]) probe(near);
    probe(neighbour(key, 1));
    probe(neighbour(key, -1));
  }
  for (const far of [-Infinity, -Number.MAX_VALUE, -1, 0, 1, 2 ** 53, Number.MAX_VALUE, Infinity]) {
    probe(far);
  }
  t.deepEqual(wrong.slice(0, 3), []);
  return model;
}

/** The same for sortable keys, given as [lo, hi] pairs. */
export function everyWordIsFound(t: ExecutionContext, words: Uint32Array): Model {
  const count = words.length / 2;
  const keys = new BigUint64Array(words.buffer, words.byteOffset, count);
  const model = trainWords(words, count);
  holdsItsBounds(t, model, count);
  const index = new WordIndex(words, count, model);
  const wrong: string[] = [];
  const probe = (key: bigint): void => {
    const expected = lowerBoundOf(keys, key);
    const found = keys[expected] === key ? expected : -1;
    const lo = Number(key & 0xffffffffn);
    const hi = Number(key >> 32n);
    if (index.lowerBound(lo, hi) === expected && index.find(lo | 0, hi | 0) === found) return;
    wrong.push(`${key}: ${index.lowerBound(lo, hi)} instead of ${expected}`);
  };
  for (let p = 0; p < count; p++) {
    const key = keys[p];
    const next = p + 1 < count ? keys[p + 1] : MAX;
    probe(key);
    if (key > 0n) probe(key - 1n);
    if (key < MAX) probe(key + 1n);
    probe((key + next) / 2n);
  }
  for (const far of [0n, 1n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n - 1n, 2n ** 63n, MAX]) probe(far);
  t.deepEqual(wrong.slice(0, 3), []);
  return model;
}

export function numbersOf(keys: Iterable<number>): Float64Array {
  return Float64Array.from(new Set(keys)).sort();
}

export function wordsOfKeys(keys: Iterable<bigint>): Uint32Array {
  const sorted = BigUint64Array.from([...new Set(keys)]).sort();
  return new Uint32Array(sorted.buffer);
}
