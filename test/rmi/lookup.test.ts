import test from 'ava';
import fc from 'fast-check';
import { DATA_SETS, numberKeys, randomFrom, wordKeys } from '../../bench/datasets.ts';
import { F64Index, trainF64, trainWords, WordIndex } from '../../src/rmi/index.ts';
import { everyNumberIsFound, everyWordIsFound, numbersOf, wordsOfKeys } from './helpers.ts';

const COUNT = 40_000;

for (const name of DATA_SETS) {
  test(`every key of "${name}" is found, and absent ones at their lower bound`, (t) => {
    for (const seed of [1, 2]) {
      everyNumberIsFound(t, numberKeys(name, COUNT, seed));
      everyWordIsFound(t, wordKeys(name, COUNT, seed));
    }
  });
}

test('any number of keys from none to a few is legal, wherever they lie', (t) => {
  for (let count = 0; count <= 70; count++) {
    for (const from of [-3, 2 ** 52, -(2 ** 53), 1e300]) {
      everyNumberIsFound(t, numbersOf(Array.from({ length: count }, (_, i) => from + i * 2)));
    }
    for (const from of [0n, 2n ** 32n - 5n, 2n ** 63n - 5n, 2n ** 64n - 80n]) {
      everyWordIsFound(t, wordsOfKeys(Array.from({ length: count }, (_, i) => from + BigInt(i))));
    }
  }
});

test('an index of no keys needs no model', (t) => {
  const none = new F64Index(new Float64Array(0), 0, null);
  t.is(none.find(0), -1);
  t.is(none.lowerBound(-Infinity), 0);
  const noWords = new WordIndex(new Uint32Array(0), 0, null);
  t.is(noWords.find(0, 0), -1);
  t.is(noWords.lowerBound(0xffffffff, 0xffffffff), 0);
});

test('infinities and the ends of the doubles are keys like others', (t) => {
  const ends = [-Infinity, -Number.MAX_VALUE, -Number.MIN_VALUE, 0, Number.MIN_VALUE];
  everyNumberIsFound(t, numbersOf([...ends, Number.MAX_VALUE, Infinity]));
  everyNumberIsFound(t, numbersOf([-Infinity, Infinity]));
  everyNumberIsFound(t, numbersOf([Infinity]));
  const many = Array.from({ length: 5000 }, (_, i) => (i - 2500) * 7e304);
  everyNumberIsFound(t, numbersOf([...ends, ...many, Number.MAX_VALUE, Infinity]));
  const denormal = Array.from({ length: 5000 }, (_, i) => (i - 2500) * Number.MIN_VALUE);
  everyNumberIsFound(t, numbersOf([...ends, ...denormal, Number.MAX_VALUE, Infinity]));
});

test('not a number is never found and breaks nothing', (t) => {
  const keys = numberKeys('lognormal', 5000);
  const index = new F64Index(keys, keys.length, trainF64(keys, keys.length));
  t.is(index.find(NaN), -1);
  t.true(index.lowerBound(NaN) <= keys.length);
});

test('keys whose bits are no number, or the other zero, are absent where they are absent', (t) => {
  const many = (from: bigint) => Array.from({ length: 3000 }, (_, i) => from + (BigInt(i) << 44n));
  const notNumbers = [0x7ff0n, 0x7ff8n, 0xfff0n, 0xfff8n].map((high) => high << 48n);
  for (const from of [0n, 1n, 2n ** 62n, 2n ** 63n, 2n ** 63n + 1n, 2n ** 63n - 2n ** 54n]) {
    const words = wordsOfKeys(many(from));
    const count = words.length / 2;
    const index = new WordIndex(words, count, trainWords(words, count));
    const keys = new BigUint64Array(words.buffer, words.byteOffset, count);
    for (const bits of [0n, 2n ** 63n, ...notNumbers, 2n ** 64n - 1n]) {
      for (const key of [bits, bits + 1n, bits - 1n].map((k) => BigInt.asUintN(64, k))) {
        const at = keys.findIndex((k) => k >= key);
        const expected = at < 0 ? count : at;
        const [lo, hi] = [Number(key & 0xffffffffn), Number(key >> 32n)];
        t.is(index.lowerBound(lo, hi), expected, `${key} among keys from ${from}`);
        t.is(index.find(lo, hi), keys[expected] === key ? expected : -1, `${key}, from ${from}`);
      }
    }
  }
});

test('keys that are one double apart from a billion others keep apart', (t) => {
  const far = Array.from({ length: 100_000 }, (_, i) => 2n ** 62n + BigInt(i));
  const model = everyWordIsFound(t, wordsOfKeys([...far, 0n, 2n ** 64n - 1n]));
  t.true(model.depth > 1);
});

test('only the first keys of an array count, if so told', (t) => {
  const keys = numberKeys('uniform', 1000);
  const words = wordKeys('uniform', 1000);
  const half = new F64Index(keys, 500, trainF64(keys, 500));
  const halfWords = new WordIndex(words, 500, trainWords(words, 500));
  t.is(half.find(keys[499]), 499);
  t.is(half.find(keys[500]), -1);
  t.is(half.lowerBound(keys[900]), 500);
  t.is(halfWords.find(words[998], words[999]), 499);
  t.is(halfWords.find(words[1000], words[1001]), -1);
  t.is(halfWords.lowerBound(words[1800], words[1801]), 500);
});

test('a model of other keys makes no answer wrong', (t) => {
  for (const trained of DATA_SETS) {
    const keys = numberKeys('books', 3000);
    const other = numberKeys(trained, 3000);
    const count = Math.min(keys.length, other.length);
    const index = new F64Index(keys.subarray(0, count), count, trainF64(other, count));
    const words = wordKeys('osm', 3000);
    const otherWords = wordKeys(trained, 3000);
    const wordCount = Math.min(words.length, otherWords.length) / 2;
    const model = trainWords(otherWords, wordCount);
    const wordIndex = new WordIndex(words, wordCount, model);
    for (let p = 0; p < count; p++) {
      if (index.find(keys[p]) !== p) t.fail(`key ${keys[p]} with the model of ${trained}`);
    }
    for (let p = 0; p < wordCount; p++) {
      if (wordIndex.find(words[2 * p], words[2 * p + 1]) !== p) t.fail(`${trained}, word ${p}`);
    }
  }
  t.pass();
});

/** One stretch of a distribution nobody listed: where it begins, and what its gaps look like. */
const stretch = fc.record({
  jump: fc.integer({ min: 0, max: 60 }),
  gapBits: fc.integer({ min: 0, max: 40 }),
  growth: fc.constantFrom(1, 1, 1, 1.01, 1.2, 2),
  keys: fc.integer({ min: 1, max: 400 }),
});

function unlisted(
  stretches: { jump: number; gapBits: number; growth: number; keys: number }[],
  seed: number,
): bigint[] {
  const random = randomFrom(seed);
  const keys: bigint[] = [];
  let key = 0n;
  for (const { jump, gapBits, growth, keys: count } of stretches) {
    key += BigInt(Math.floor(random() * 2 ** jump)) + 1n;
    let gap = 2 ** gapBits;
    for (let i = 0; i < count; i++) {
      if (key < 2n ** 64n) keys.push(key);
      key += BigInt(1 + Math.floor(random() * gap));
      gap = Math.min(gap * growth, 2 ** 58);
    }
  }
  return keys;
}

test('distributions that nobody listed are searched exactly', (t) => {
  fc.assert(
    fc.property(fc.array(stretch, { maxLength: 12 }), fc.nat(), (stretches, seed) => {
      const keys = unlisted(stretches, seed);
      everyWordIsFound(t, wordsOfKeys(keys));
      everyNumberIsFound(t, numbersOf(keys.map((key) => Number(key - 2n ** 63n))));
    }),
    { numRuns: 60 },
  );
});

test('clusters nested in clusters are searched exactly, at any depth', (t) => {
  const nests = fc.record({
    bitsPerLevel: fc.integer({ min: 1, max: 20 }),
    perLevel: fc.integer({ min: 1, max: 600 }),
    path: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(nests, ({ bitsPerLevel, perLevel, path, seed }) => {
      const random = randomFrom(seed);
      const keys: bigint[] = [path];
      for (let bits = 64; bits > 0; bits -= bitsPerLevel) {
        const mask = 2n ** BigInt(bits) - 1n;
        for (let i = 0; i < perLevel; i++) {
          keys.push((path & ~mask) | ((BigInt(Math.floor(random() * 2 ** 53)) * 2n ** 11n) & mask));
        }
      }
      everyWordIsFound(t, wordsOfKeys(keys));
    }),
    { numRuns: 40 },
  );
});

test('random doubles of every magnitude are searched exactly', (t) => {
  const doubles = fc.array(fc.double({ noNaN: true }), { minLength: 1, maxLength: 3000 });
  fc.assert(
    fc.property(doubles, (keys) => {
      everyNumberIsFound(t, numbersOf(keys.map((key) => key + 0)));
    }),
    { numRuns: 100 },
  );
});
