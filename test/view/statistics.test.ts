import test from 'ava';
import fc from 'fast-check';
import { parseSchema } from '../../src/schema/schema.ts';
import { Segment } from '../../src/view/segment.ts';
import {
  MAX,
  MIN,
  NANS,
  PRESENT,
  pageAt,
  SPREAD,
  STATISTICS_ROWS,
  SUM,
} from '../../src/view/statistics.ts';
import { type Entry, segmentOf } from './support.ts';

const SCHEMA = parseSchema({
  key: 'int64',
  columns: { a: 'int32', b: 'int64?', c: 'float64?', d: 'float32', e: 'timestamp', f: 'utf8?' },
});

const row = fc.record({
  a: fc.integer(),
  b: fc.option(fc.oneof(fc.maxSafeInteger().map(BigInt), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n))),
  c: fc.option(fc.oneof(fc.double({ min: -1e9, max: 1e9 }), fc.constant(Number.NaN))),
  d: fc.float({ noNaN: true, min: -1e9, max: 1e9 }),
  e: fc.integer(),
  f: fc.option(fc.string()),
});

test('statistics of a page say of its values what adding them up says', (t) => {
  const holds = fc.property(fc.array(row, { minLength: 1, maxLength: 40 }), (rows) => {
    const entries = rows.map((one, key): Entry => [key, one]);
    const segment = new Segment(segmentOf(SCHEMA, entries), 'int64');
    for (const [c, { name, type }] of SCHEMA.columns.entries()) {
      const at = pageAt(rows.length, c, 0);
      const known = (number: number) => segment.statistics[at + number];
      const values = rows.map((one) => one[name as keyof typeof one]).filter((one) => one !== null);
      t.is(known(PRESENT), values.length);
      if (type === 'utf8') {
        t.deepEqual([known(MIN), known(MAX), known(SUM)], [Number.NaN, Number.NaN, Number.NaN]);
        continue;
      }
      const numbers = values.filter((value) => !Number.isNaN(value)) as (number | bigint)[];
      t.is(known(NANS), values.length - numbers.length);
      if (numbers.length === 0) continue;
      const isInside = numbers.every((one) => one >= known(MIN) && one <= known(MAX));
      t.true(isInside, name);
      const isExact = numbers.every((one) => Number.isSafeInteger(Number(one)));
      if (isExact || type.startsWith('float')) {
        t.true(numbers.some((one) => Number(one) === known(MIN)));
        t.true(numbers.some((one) => Number(one) === known(MAX)));
      }
      if (type.startsWith('float')) {
        const sum = numbers.reduce<number>((total, one) => total + Number(one), 0);
        t.true(Math.abs(known(SUM) - sum) <= 1e-6);
        const mean = sum / numbers.length;
        const spread = numbers.reduce<number>((all, one) => all + (Number(one) - mean) ** 2, 0);
        t.true(
          Math.abs(known(SPREAD) - spread) <= 1e-9 * (1 + spread),
          `${known(SPREAD)} ${spread}`,
        );
      } else if (!Number.isNaN(known(SUM))) {
        t.is(
          BigInt(known(SUM)),
          numbers.reduce<bigint>((total, one) => total + BigInt(one), 0n),
        );
      } else {
        t.false(numbers.every((one) => Math.abs(Number(one)) < 2 ** 40));
      }
    }
  });
  t.notThrows(() => fc.assert(holds, { numRuns: 100 }));
});

test('each page has statistics of its own, the last one of the rows that it has', (t) => {
  const rows = 2 * STATISTICS_ROWS + 5;
  const schema = parseSchema({ key: 'int64', columns: { s: 'bool', n: 'int32' } });
  const entries = Array.from({ length: rows }, (_, key): Entry => [key, { s: true, n: key }]);
  const { statistics } = new Segment(segmentOf(schema, entries), 'int64');
  const known = [0, 1, 2].map((page) =>
    [PRESENT, MIN, MAX, SUM].map((number) => statistics[pageAt(rows, 1, page) + number]),
  );
  const sum = (from: number, to: number) => ((from + to) * (to - from + 1)) / 2;
  t.deepEqual(known, [
    [4096, 0, 4095, sum(0, 4095)],
    [4096, 4096, 8191, sum(4096, 8191)],
    [5, 8192, 8196, sum(8192, 8196)],
  ]);
});
