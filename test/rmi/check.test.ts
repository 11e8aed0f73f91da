import test from 'ava';
import { DATA_SETS, numberKeys, randomFrom, wordKeys } from '../../bench/datasets.ts';
import { OmenError } from '../../src/errors.ts';
import {
  checkModel,
  F64Index,
  type Model,
  trainF64,
  trainWords,
  WordIndex,
} from '../../src/rmi/index.ts';
import { lowerBoundOf } from './helpers.ts';

const CORRUPT = { instanceOf: OmenError, code: 'OMEN_CORRUPT' };

function copyOf(model: Model): Model {
  return { ...model, cells: shared(model.cells), nodes: shared(model.nodes) };
}

function shared<T extends Uint32Array | Float64Array>(array: T): T {
  const buffer = new SharedArrayBuffer(array.byteLength);
  new Uint8Array(buffer).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  return (array instanceof Uint32Array ? new Uint32Array(buffer) : new Float64Array(buffer)) as T;
}

/** One change to one word, the kind that a flipped bit or a stray write makes. */
function damage(model: Model, random: () => number): Model {
  const damaged = copyOf(model);
  const bytes = new Uint8Array((random() < 0.5 ? damaged.cells : damaged.nodes).buffer);
  const words = new Uint32Array(bytes.buffer);
  const at = Math.floor(random() * words.length);
  const kind = random();
  if (kind < 0.5) words[at] ^= 1 << Math.floor(32 * random());
  else if (kind < 0.8) words[at] = Math.floor(4294967296 * random());
  else words[at] = words[Math.floor(random() * words.length)];
  return damaged;
}

function isRefused(model: Model, count: number): boolean {
  try {
    checkModel(model, count);
    return false;
  } catch (error) {
    if (error instanceof OmenError && error.code === 'OMEN_CORRUPT') return true;
    throw error;
  }
}

test('a damaged model is refused, or still gives right answers', (t) => {
  let refused = 0;
  for (const name of DATA_SETS) {
    const keys = numberKeys(name, 4000);
    const words = wordKeys(name, 4000);
    const wordCount = words.length / 2;
    const sortable = new BigUint64Array(words.buffer, 0, wordCount);
    const model = trainF64(keys, keys.length);
    const wordModel = trainWords(words, wordCount);
    for (let seed = 1; seed <= 60; seed++) {
      const random = randomFrom(seed);
      const damaged = damage(model, random);
      if (isRefused(damaged, keys.length)) refused++;
      else {
        const index = new F64Index(keys, keys.length, damaged);
        for (let i = 0; i < 300; i++) {
          const p = Math.floor(random() * keys.length);
          if (index.find(keys[p]) !== p) t.fail(`${name}, seed ${seed}: key ${keys[p]}`);
          const absent = keys[p] * (1 + random());
          if (index.lowerBound(absent) !== lowerBoundOf(keys, absent)) {
            t.fail(`${name}, seed ${seed}: key ${absent}`);
          }
        }
      }
      const damagedWords = damage(wordModel, random);
      if (isRefused(damagedWords, wordCount)) refused++;
      else {
        const index = new WordIndex(words, wordCount, damagedWords);
        for (let i = 0; i < 300; i++) {
          const lo = Math.floor(4294967296 * random());
          const hi = words[2 * Math.floor(random() * wordCount) + 1];
          const key = (BigInt(hi) << 32n) | BigInt(lo);
          if (index.lowerBound(lo, hi) !== lowerBoundOf(sortable, key)) {
            t.fail(`${name}, seed ${seed}: sortable key ${key}`);
          }
        }
      }
    }
  }
  t.true(refused > 500, `only ${refused} refused`);
});

test('numbers and arrays that contradict each other are refused', (t) => {
  const keys = numberKeys('clusters', 100_000);
  const count = keys.length;
  const model = trainF64(keys, count);
  checkModel(model, count);
  t.true(model.depth > 1);
  const wrong: Partial<Model>[] = [
    { keyCount: count + 1 },
    { epsilon: 0 },
    { epsilon: NaN },
    { epsilon: 2.5 },
    { windowMax: 2 * model.epsilon + 2 },
    { windowMax: -1 },
    { leafCount: NaN },
    { leafCount: Infinity },
    { depth: 1e6 },
    { depth: undefined },
    { form: 'u64' as Model['form'] },
    { cells: model.cells.subarray(0, -1) },
    { cells: new Uint32Array(new SharedArrayBuffer(0)) },
    { nodes: model.nodes.subarray(0, -1) },
    { nodes: model.nodes.subarray(0, -4) },
    { nodes: new Float64Array(new SharedArrayBuffer(0)) },
  ];
  for (const part of wrong) {
    t.throws(() => checkModel({ ...model, ...part }, count), CORRUPT, JSON.stringify(part));
  }
  t.throws(() => checkModel(model, count - 1), CORRUPT);
});

test('nodes that lead in a circle, or to one child twice, are refused', (t) => {
  const keys = numberKeys('clusters', 100_000);
  const model = trainF64(keys, keys.length);
  const cells = [...model.cells.keys()].filter((cell) => model.cells[cell] >= 0x80000000);
  t.true(cells.length > 2);
  for (const target of [0x80000000, model.cells[cells[1]], 0xffffffff]) {
    const damaged = copyOf(model);
    damaged.cells[cells[0]] = target;
    t.throws(() => checkModel(damaged, keys.length), CORRUPT);
  }
});
