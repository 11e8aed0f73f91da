import test from 'ava';
import { DATA_SETS, numberKeys, wordKeys } from '../../bench/datasets.ts';
import { OmenError } from '../../src/errors.ts';
import { modelBytes, trainF64, trainWords } from '../../src/rmi/index.ts';

const CORRUPT = { instanceOf: OmenError, code: 'OMEN_CORRUPT' };

test('keys out of order, keys twice and NaN are refused, naming the row', (t) => {
  const wrong: [number[], RegExp][] = [
    [[1, 2, 2, 3], /row 2/],
    [[1, 3, 2], /row 2/],
    [[NaN], /row 0/],
    [[1, NaN, 2], /row 1/],
    [[-0, 0], /row 1/],
  ];
  for (const [keys, message] of wrong) {
    t.throws(() => trainF64(Float64Array.from(keys), keys.length), { ...CORRUPT, message });
  }
  const pairs: [number[], RegExp][] = [
    [[5, 0, 5, 0], /row 1/],
    [[5, 1, 6, 0], /row 1/],
    [[0, 0, 7, 1, 6, 1], /row 2/],
  ];
  for (const [words, message] of pairs) {
    const keys = Uint32Array.from(words);
    t.throws(() => trainWords(keys, keys.length / 2), { ...CORRUPT, message });
  }
});

test('the last key out of order is seen as well', (t) => {
  const keys = numberKeys('uniform', 10_000);
  keys[keys.length - 1] = keys[0];
  t.throws(() => trainF64(keys, keys.length), CORRUPT);
});

test('training twice gives the same bytes', (t) => {
  const keys = numberKeys('osm', 20_000);
  t.deepEqual(trainF64(keys, keys.length), trainF64(keys, keys.length));
});

test('a model crosses threads as it is, over shared memory', (t) => {
  const keys = numberKeys('uniform', 2000);
  const model = trainF64(keys, keys.length);
  const copy = structuredClone(model);
  t.deepEqual(copy, model);
  t.true(copy.cells.buffer instanceof SharedArrayBuffer);
  t.true(copy.nodes.buffer instanceof SharedArrayBuffer);
});

test('consecutive keys and even steps are one leaf', (t) => {
  for (const step of [1, 10, 0.5, 1e9]) {
    const keys = Float64Array.from({ length: 100_000 }, (_, i) => i * step - 1e6);
    t.is(trainF64(keys, keys.length).leafCount, 1, `step ${step}`);
  }
  const lowest = wordKeys('lowest bits', 100_000);
  t.is(trainWords(lowest, lowest.length / 2).leafCount, 1);
  const highest = wordKeys('highest bits', 100_000);
  t.is(trainWords(highest, highest.length / 2).leafCount, 1);
});

test('an outlier at each end costs the others nothing', (t) => {
  const keys = numberKeys('outliers', 100_000);
  const model = trainF64(keys, keys.length);
  t.true(modelBytes(model) < 0.3 * keys.length);
});

test('the index takes at most half a byte a key on average, 2 bytes on the hardest', (t) => {
  let sum = 0;
  for (const name of DATA_SETS) {
    const keys = wordKeys(name, 100_000);
    const bytesPerKey = modelBytes(trainWords(keys, keys.length / 2)) / (keys.length / 2);
    t.true(bytesPerKey <= 2, `${name}: ${bytesPerKey}`);
    sum += bytesPerKey;
  }
  t.true(sum / DATA_SETS.length <= 0.5, `${sum / DATA_SETS.length}`);
});

test('a count beyond the keys is an assertion', (t) => {
  const keys = Float64Array.of(1, 2, 3);
  t.throws(() => trainF64(keys, 4), { name: 'AssertionError' });
  t.throws(() => trainWords(Uint32Array.of(1, 2, 3), 2), { name: 'AssertionError' });
});
