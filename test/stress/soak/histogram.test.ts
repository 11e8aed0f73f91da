import test from 'ava';
import fc from 'fast-check';
import {
  addTo,
  BUCKETS,
  bucketOf,
  bucketUs,
  percentileUs,
} from '../../../stress/soak/histogram.ts';

test('a value lies in a bucket whose end is within a sixteenth of it', (t) => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 2 ** 30, noNaN: true }), (us) => {
      const end = bucketUs(bucketOf(us));
      return end >= us && end <= us * (1 + 1 / 16) + 1e-9;
    }),
  );
  t.is(bucketOf(0), 0);
  t.is(bucketOf(Number.NaN), 0);
  t.is(bucketOf(2 ** 40), BUCKETS - 1);
});

test('buckets are in the order of their values', (t) => {
  for (let bucket = 1; bucket < BUCKETS; bucket++) {
    t.true(bucketUs(bucket) > bucketUs(bucket - 1));
    t.is(bucketOf(bucketUs(bucket - 1)), bucket);
  }
});

test('percentiles are those of the values, up to the width of a bucket', (t) => {
  const counts = new Float64Array(BUCKETS);
  for (let us = 1; us <= 100_000; us++) counts[bucketOf(us)]++;
  for (const share of [0.01, 0.5, 0.99, 0.999]) {
    const ratio = percentileUs(counts, share) / (100_000 * share);
    t.true(ratio >= 0.99 && ratio < 1.07, `${share}: ${ratio}`);
  }
  t.true(Number.isNaN(percentileUs(new Float64Array(BUCKETS), 0.5)));
});

test('counts add up', (t) => {
  const sum = new Float64Array(BUCKETS);
  const one = new Float64Array(BUCKETS);
  one[3] = 2;
  addTo(sum, one);
  addTo(sum, one);
  t.is(sum[3], 4);
});
