import test from 'ava';
import fc from 'fast-check';
import {
  bucketOf,
  bucketStart,
  HISTOGRAM_WORDS,
  Histogram,
  record,
} from '../../src/view/histogram.ts';

/** Whole numbers of all magnitudes alike. */
const value = fc
  .tuple(fc.integer({ min: 0, max: 35 }), fc.double({ min: 0, max: 1, noNaN: true }))
  .map(([magnitude, share]) => Math.floor(2 ** magnitude * (1 + share)))
  .filter((one) => one < 2 ** 36);
const values = fc.array(value, { minLength: 1, maxLength: 300 });
const AT = 7;

function recorded(all: readonly number[]): Float64Array {
  const words = new Float64Array(AT + HISTOGRAM_WORDS + 1);
  for (const one of all) record(words, AT, one);
  return words;
}

function histogramOf(...lists: (readonly number[])[]): Histogram {
  const histogram = new Histogram();
  for (const list of lists) histogram.addWords(recorded(list), AT);
  return histogram;
}

/** The value of rank ⌈q n⌉, from 1. */
function exactQuantile(all: readonly number[], q: number): number {
  return all.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(q * all.length) - 1)];
}

test('every value lies in its bucket, and buckets follow each other without a gap', (t) => {
  const holds = fc.property(value, (one) => {
    const bucket = bucketOf(one);
    return bucketStart(bucket) <= one && one < bucketStart(bucket + 1);
  });
  fc.assert(holds, { numRuns: 2000 });
  for (let bucket = 0; bucket < HISTOGRAM_WORDS - 3; bucket++) {
    t.is(bucketOf(bucketStart(bucket)), bucket);
    const width = bucketStart(bucket + 1) - bucketStart(bucket);
    t.true(width === 1 || width <= bucketStart(bucket) / 16);
  }
});

test('a quantile is within 1/32 of the value that it stands for', (t) => {
  const holds = fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (all, q) => {
    const exact = exactQuantile(all, q);
    return Math.abs(histogramOf(all).quantile(q) - exact) <= exact / 32;
  });
  t.notThrows(() => fc.assert(holds, { numRuns: 500 }));
});

test('histograms that are added are that of all their values', (t) => {
  const holds = fc.property(values, values, (one, other) => {
    t.deepEqual(histogramOf(one, other).distribution, histogramOf([...one, ...other]).distribution);
    const { count, sum, max } = histogramOf(one, other);
    const all = [...one, ...other];
    t.deepEqual([count, max], [all.length, Math.max(...all)]);
    t.is(
      sum,
      all.reduce((a, b) => a + b, 0),
    );
  });
  t.notThrows(() => fc.assert(holds, { numRuns: 200 }));
});

test('what lies below a power of two is counted exactly', (t) => {
  const holds = fc.property(values, fc.integer({ min: 4, max: 36 }), (all, magnitude) => {
    const below = all.filter((one) => one < 2 ** magnitude).length;
    const counted = histogramOf(all).countBelow(2 ** magnitude);
    // The last bucket has no end.
    return magnitude === 36 ? counted <= below : counted === below;
  });
  t.notThrows(() => fc.assert(holds, { numRuns: 500 }));
});

test('what is too large counts as the largest; of no values everything is 0', (t) => {
  const large = histogramOf([1, 2 ** 45]);
  t.deepEqual([large.quantile(0.5), large.quantile(1), large.max], [1, 2 ** 45, 2 ** 45]);
  const { count, sum, mean, p50, p999, max } = new Histogram().distribution;
  t.deepEqual([count, sum, mean, p50, p999, max], [0, 0, 0, 0, 0, 0]);
});

test('a histogram leaves alone what stands beside it', (t) => {
  const words = recorded([0, 5, 2 ** 35, 2 ** 40]);
  t.true(words.subarray(0, AT).every((word) => word === 0));
  t.is(words[AT + HISTOGRAM_WORDS], 0);
});
