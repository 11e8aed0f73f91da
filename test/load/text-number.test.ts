import test from 'ava';
import fc from 'fast-check';
import { integerOf, numberOf, timeOf } from '../../src/load/text-number.ts';

function over<T>(read: (bytes: Uint8Array, start: number, end: number) => T) {
  return (text: string): T => {
    const bytes = Buffer.from(`12${text}34`);
    return read(bytes, 2, bytes.length - 2);
  };
}
const number = over(numberOf);
const integer = over(integerOf);
const time = over(timeOf);

test('numbers are what JavaScript reads', (t) => {
  const texts = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    fc.tuple(fc.integer(), fc.nat({ max: 20 })).map(([value, digits]) => value.toFixed(digits)),
    fc.stringMatching(/^[+-]?[0-9]{0,20}\.?[0-9]{0,20}(e[+-]?[0-9]{1,3})?$/),
    fc.string({ unit: fc.constantFrom('1', '.', '-', '+', 'e', '0', ' '), maxLength: 6 }),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const isNumber = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
      t.is(number(text), isNumber ? Number(text) : undefined);
    }),
    { numRuns: 3000 },
  );
  t.deepEqual(['NaN', 'inf', '-Infinity', 'none', ''].map(number), [
    ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    ...[undefined, undefined],
  ]);
});

test('integers are exact: numbers as long as they are, then bigints', (t) => {
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 70n), 2n ** 70n), (value) => {
      const read = integer(String(value));
      t.is(BigInt(read as number), value);
      t.is(typeof read, Number.isSafeInteger(Number(value)) ? 'number' : 'bigint');
    }),
  );
  for (const text of ['', '-', '+', '1.0', '1e3', ' 1', '0x1'])
    t.is(integer(text), undefined, text);
  t.deepEqual(
    ['9007199254740991', '9007199254740992', '-0', '+7', '0000000000000000000012'].map(integer),
    [...[2 ** 53 - 1, 2n ** 53n, 0, 7, 12]],
  );
});

test('dates are UTC where they do not say otherwise', (t) => {
  fc.assert(
    fc.property(
      fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31') }),
      (date) => {
        t.is(time(date.toISOString()), date.getTime());
      },
    ),
  );
  const noon = Date.UTC(2026, 0, 2, 12, 30);
  const same = [
    '2026-01-02T12:30',
    '2026-01-02 12:30:00Z',
    '2026-01-02T14:30:00+02:00',
    '2026-01-02T07:00-0530',
    '2026-01-02t12:30z',
  ];
  t.deepEqual(
    same.map(time),
    same.map(() => noon),
  );
  t.is(time('2026-01-02'), Date.UTC(2026, 0, 2));
  t.is(time('2026-01-02T00:00:00.123456789'), Date.UTC(2026, 0, 2, 0, 0, 0, 123));
  t.is(time('0001-01-01'), Date.parse('0001-01-01T00:00:00Z'));
  t.is(time('-5'), -5);
  for (const text of [
    '2026-02-30',
    '2026-13-01',
    '2026-01-02T25:00',
    '2026',
    '2026-1-2',
    '1.5',
    '',
    'x',
  ]) {
    t.is(time(text), text === '2026' ? 2026 : undefined, text);
  }
});
