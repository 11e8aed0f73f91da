import test from 'ava';
import fc from 'fast-check';
import {
  addDistinct,
  addPage,
  addToSketch,
  addValue,
  countDistinct,
  DISTINCT_EXACT_MAX,
  mergeDistinct,
  mergeMoments,
  mergeSketches,
  newDistinct,
  newMoments,
  newSketch,
  type Primitive,
  QUANTILE_ERROR,
  quantileOf,
} from '../../src/view/aggregate-state.ts';
import { randomFrom } from './support.ts';

function momentsOf(values: readonly (number | bigint)[], isInteger: boolean) {
  const moments = newMoments();
  for (const value of values) addValue(moments, value, isInteger);
  return moments;
}

test('moments of two parts merge into those of the whole, integers exactly', (t) => {
  const value = fc.oneof(
    fc.maxSafeInteger(),
    fc.integer(),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
  );
  const holds = fc.property(fc.array(value), fc.array(value), (one, other) => {
    const merged = momentsOf(one, true);
    mergeMoments(merged, momentsOf(other, true), true);
    const all = [...one, ...other];
    t.is(
      merged.whole + BigInt(merged.sum),
      all.reduce<bigint>((sum, each) => sum + BigInt(each), 0n),
    );
    t.is(merged.count, all.length);
    t.is(merged.min, momentsOf(all, true).min);
    t.is(merged.max, momentsOf(all, true).max);
  });
  t.notThrows(() => fc.assert(holds));
});

test('the spread of large values close together is that of the small ones', (t) => {
  const next = randomFrom(1);
  const small = Array.from({ length: 5000 }, () => Math.floor(next() * 100));
  const mean = small.reduce((a, b) => a + b) / small.length;
  const spread = small.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  for (const shift of [0, 1_700_000_000_000, 2 ** 50]) {
    const values = small.map((one) => one + shift);
    const parts = [values.slice(0, 1), values.slice(1, 2000), values.slice(2000)];
    const merged = newMoments();
    for (const part of parts) mergeMoments(merged, momentsOf(part, true), true);
    const paged = newMoments();
    for (const part of parts) {
      const min = Math.min(...part);
      const sum = part.reduce((a, b) => a + b);
      const average = (sum - part.length * min) / part.length;
      const own = part.reduce((total, one) => total + (one - min - average) ** 2, 0);
      const page = { count: part.length, nans: 0, min, max: Math.max(...part), sum, spread: own };
      if (Number.isSafeInteger(sum)) addPage(paged, page, true);
      else mergeMoments(paged, momentsOf(part, true), true);
    }
    for (const found of [merged, paged]) {
      t.true(Math.abs(found.spread / spread - 1) < 1e-9, `${shift}: ${found.spread} ${spread}`);
    }
  }
});

test('a sum of floats keeps what single additions lose', (t) => {
  const moments = momentsOf([1e16, 1, 1, 1, 1, -1e16], false);
  t.is(moments.sum + moments.rest, 4);
  t.is(momentsOf([1, Number.POSITIVE_INFINITY, 2], false).sum, Number.POSITIVE_INFINITY);
  t.is(momentsOf([1, Number.NaN], false).nans, 1);
});

function distinctOf(values: Iterable<Primitive>) {
  const distinct = newDistinct();
  for (const value of values) addDistinct(distinct, value);
  return distinct;
}

test('distinct values are counted exactly up to a bound, then with the error of the sketch, merged or not', (t) => {
  const numbers = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => from + i);
  t.is(countDistinct(distinctOf([])), 0);
  t.is(countDistinct(distinctOf(numbers(0, DISTINCT_EXACT_MAX))), DISTINCT_EXACT_MAX);
  const kinds: ((i: number) => Primitive)[] = [
    (i) => i,
    (i) => i / 7,
    (i) => `key ${i}`,
    (i) => BigInt(i) + 2n ** 60n,
  ];
  for (const make of kinds) {
    for (const count of [5000, 40_000, 300_000]) {
      const whole = distinctOf(numbers(0, count).map(make));
      const parts = distinctOf(numbers(0, 1000).map(make));
      mergeDistinct(parts, distinctOf(numbers(500, count).map(make)));
      for (const end of [1000, count]) mergeDistinct(parts, distinctOf(numbers(0, end).map(make)));
      t.is(countDistinct(parts), countDistinct(whole));
      t.true(Math.abs(countDistinct(whole) / count - 1) < 4 * 0.0081, `${countDistinct(whole)}`);
    }
  }
});

test('a quantile is within its error of a value with that rank, whatever is merged', (t) => {
  const value = fc.oneof(fc.double({ noNaN: true }), fc.integer(), fc.constantFrom(0, -0, 5e-324));
  const many = fc.array(value, { minLength: 1, maxLength: 60 });
  const holds = fc.property(
    many,
    fc.array(value),
    fc.double({ min: 0, max: 1, noNaN: true }),
    (one, other, q) => {
      const sketch = newSketch();
      for (const each of one) addToSketch(sketch, each);
      const second = newSketch();
      for (const each of other) addToSketch(second, each);
      addToSketch(second, Number.NaN);
      mergeSketches(sketch, second);
      const sorted = [...one, ...other].sort((a, b) => a - b);
      const expected = sorted[Math.floor(q * (sorted.length - 1))];
      const found = quantileOf(sketch, q) ?? Number.NaN;
      const isNear =
        Math.abs(found - expected) <= 1.0001 * QUANTILE_ERROR * Math.abs(expected) + 5e-324;
      t.true(isNear || found === expected, `${found} for ${expected}`);
    },
  );
  t.notThrows(() => fc.assert(holds, { numRuns: 300 }));
  t.is(quantileOf(newSketch(), 0.5), null);
});
