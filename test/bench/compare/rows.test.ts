/** The rows that engines are compared on: no two share a key, and values say whose they are. */
import test from 'ava';
import fc from 'fast-check';
import {
  amountIn,
  amountOf,
  KEY_KINDS,
  keyOf,
  missOf,
  numberOf,
  numbersInOrder,
  permuted,
  rowsOf,
  rowsToLoad,
  tagIn,
  tagOf,
  valueAt,
} from '../../../bench/compare/rows.ts';

function isEqual(some: readonly unknown[], others: readonly unknown[]): boolean {
  return some.length === others.length && some.every((one, i) => one === others[i]);
}

const numbers = fc.integer({ min: 0, max: 2 ** 40 - 1 });

test('numbers are permuted within 52 bits, and come back', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 52 - 1 }), (number) => {
      const place = permuted(number);
      return place >= 0 && place < 2 ** 52 && numberOf(place) === number;
    }),
  );
  t.pass();
});

for (const kind of KEY_KINDS) {
  test(`${kind} keys: misses are no keys, and values say which row and which version`, (t) => {
    fc.assert(
      fc.property(numbers, numbers, fc.nat(4095), (number, other, version) => {
        if (missOf(kind, other) === keyOf(kind, number)) throw new Error('a miss is a key');
        const amount = amountIn(valueAt(kind, number, version));
        if (amount !== amountOf(number, version)) throw new Error(`comes to ${amount}`);
        if (tagIn(amount) !== tagOf(number)) throw new Error('has another tag');
        if (amount >= 2 ** 24) throw new Error('is too large to be added up');
      }),
    );
    t.pass();
  });

  test(`${kind} keys: both orders have all rows, and sorted ones ascend`, (t) => {
    const count = 3000;
    const keysOf = (order: 'sorted' | 'shuffled') => [...rowsToLoad(kind, count, order).keys];
    const sorted = keysOf('sorted');
    t.is(new Set(sorted).size, count);
    t.true(sorted.every((key, i) => i === 0 || key > sorted[i - 1]));
    const shuffled = keysOf('shuffled');
    t.false(isEqual(shuffled, sorted));
    const compare = (a: string | number, b: string | number) => (a < b ? -1 : 1);
    t.true(isEqual(shuffled.toSorted(compare), sorted));
    const ofNumbers = Array.from(numbersInOrder(kind, count, 'sorted'), (n) => keyOf(kind, n));
    t.true(isEqual(ofNumbers, sorted));
  });
}

test('a text is of 100 characters, and one of another length comes to nothing', (t) => {
  const { values } = rowsOf('strings', [1, 2, 2 ** 30], (number) => number % 7);
  for (const value of values) t.is(String(value).length, 100);
  t.is(amountIn('0000'), Number.NaN);
});
