import test from 'ava';
import { DATA_SETS, numberKeys, randomFrom, wordKeys } from '../../bench/datasets.ts';
import {
  descendF64,
  descendWords,
  F64Index,
  readsOf,
  trainF64,
  trainWords,
  WordIndex,
  windowOf,
} from '../../src/rmi/index.ts';
import { lowerBoundOf, neighbour } from './helpers.ts';

/** The keys, and the positions at which they were read since `reads` was emptied. */
function watched(keys: Float64Array) {
  const reads: number[] = [];
  const spied = new Proxy(keys, {
    get(target, name) {
      if (typeof name === 'string' && /^\d+$/.test(name)) reads.push(Number(name));
      return Reflect.get(target, name, target);
    },
  });
  return { spied, reads };
}

const SIZES = [1, 2, 15, 16, 17, 40, 5000];

for (const name of DATA_SETS) {
  test(`of "${name}" is told what the search of numbers does`, (t) => {
    for (const size of SIZES) {
      const keys = numberKeys(name, size, 3);
      const count = keys.length;
      const model = trainF64(keys, count);
      const { spied, reads } = watched(keys);
      const index = new F64Index(spied, count, model);
      const random = randomFrom(size);
      const last = keys[count - 1];
      const probes = [keys[0], last, neighbour(keys[0], -1), neighbour(last, 1), -1e300, 1e300, 0];
      for (let i = 0; i < 300; i++) {
        const key = keys[Math.floor(random() * count)];
        probes.push(key, neighbour(key, 1), keys[0] + random() * (last - keys[0]));
      }
      for (const key of probes) {
        const position = lowerBoundOf(keys, key);
        const { path, predicted, errorMax } = descendF64(model, key);
        t.is(predicted, index.predict(key));
        t.is(path[0].node, 0);
        t.true(path.length <= model.depth);
        t.true(path.every(({ cell, cells }) => cell < cells));
        t.true(errorMax <= count);
        reads.length = 0;
        const isThere = index.find(key) >= 0;
        if (isThere) t.true(Math.abs(predicted - position) <= errorMax, `the error about ${key}`);
        t.deepEqual(readsOf(count, predicted, position, isThere), reads, `${key} of ${count}`);
        const window = windowOf(count, predicted);
        t.true(window.first >= 0 && window.first + window.keys <= count);
      }
    }
  });

  test(`of "${name}" is told where the search of words begins`, (t) => {
    for (const size of SIZES) {
      const words = wordKeys(name, size, 3);
      const count = words.length / 2;
      const model = trainWords(words, count);
      const index = new WordIndex(words, count, model);
      const random = randomFrom(size);
      for (let i = 0; i < 900; i++) {
        const at = Math.floor(random() * count);
        const near = (words[2 * at] + (i % 3)) >>> 0;
        const [lo, hi] =
          i % 7 === 0 ? [random() * 2 ** 32, random() * 2 ** 32] : [near, words[2 * at + 1]];
        const descent = descendWords(model, lo >>> 0, hi >>> 0);
        t.is(descent.predicted, index.predict(lo >>> 0, hi >>> 0));
        const found = index.find(lo >>> 0, hi >>> 0);
        if (found >= 0) t.true(Math.abs(descent.predicted - found) <= descent.errorMax);
        t.true(descent.path.length <= model.depth);
      }
    }
  });
}
