import test from 'ava';
import fc from 'fast-check';
import {
  isIso,
  NUMBER_BYTES_MAX,
  writeDouble,
  writeFloat,
  writeInt64,
  writeInteger,
  writeIso,
  writeUint64,
} from '../../src/export/number-text.ts';
import { integerOf, numberOf, timeOf } from '../../src/load/text-number.ts';
import { int64s, timestamps, uint64s } from '../schema/arbitraries.ts';

/** The text that is written, which may touch no byte beside it. */
function textOf(write: (to: Uint8Array, at: number) => number): Buffer {
  const bytes = Buffer.alloc(NUMBER_BYTES_MAX + 2, '#');
  const end = write(bytes, 1);
  if (bytes[0] !== 35 || bytes[end] !== 35) throw new Error(`Wrote around ${bytes.toString()}`);
  return bytes.subarray(1, end);
}

/** How many digits of a number count: not those that only say how large it is. */
const digitsOf = (text: string) =>
  text
    .replace(/e.*/, '')
    .replace(/[-.]/g, '')
    .replace(/^0+|0+$/g, '').length;

const words = (value: bigint) =>
  [Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n))] as const;

/** Numbers with few digits, whole ones, random ones, and the ends of what a number can be. */
const doubles = fc.oneof(
  fc.double(),
  fc.tuple(fc.integer(), fc.integer({ min: 0, max: 8 })).map(([n, d]) => n / 10 ** d),
  fc.tuple(fc.maxSafeInteger(), fc.integer({ min: 0, max: 22 })).map(([n, d]) => n / 10 ** d),
  fc.maxSafeInteger(),
  fc.constantFrom(
    0,
    -0,
    1e21,
    1e-6,
    1e-7,
    1e15,
    1e15 - 0.5,
    999_999_999_999_999.9,
    2 ** 53,
    0.1 + 0.2,
  ),
);

test('integers are written as JavaScript writes them', (t) => {
  const property = fc.property(fc.maxSafeInteger(), int64s, uint64s, (safe, signed, unsigned) => {
    t.is(textOf((to, at) => writeInteger(to, at, safe)).toString(), String(safe));
    const long = textOf((to, at) => writeInt64(to, at, ...words(signed)));
    t.is(long.toString(), String(signed));
    t.is(BigInt(integerOf(long, 0, long.length) ?? -1), signed);
    const plain = textOf((to, at) => writeUint64(to, at, ...words(unsigned)));
    t.is(plain.toString(), String(unsigned));
  });
  fc.assert(property, { numRuns: 2000 });
  for (const ten of Array.from({ length: 16 }, (_, i) => 10 ** i)) {
    for (const value of [ten - 1, ten, ten + 1, -ten]) {
      t.is(textOf((to, at) => writeInteger(to, at, value)).toString(), String(value));
    }
  }
});

test('numbers are written as JavaScript writes them, and read as what they were', (t) => {
  const property = fc.property(doubles, (value) => {
    const text = textOf((to, at) => writeDouble(to, at, value));
    t.is(text.toString(), Object.is(value, -0) ? '-0' : String(value));
    t.is(numberOf(text, 0, text.length), value);
  });
  fc.assert(property, { numRuns: 5000 });
});

test('a float32 is written in as few digits as mean it', (t) => {
  const floats = fc.oneof(
    fc.float(),
    doubles.map(Math.fround),
    fc.integer().map((n) => Math.fround(n / 100)),
  );
  const property = fc.property(floats, (value) => {
    const text = textOf((to, at) => writeFloat(to, at, value));
    const read = numberOf(text, 0, text.length);
    t.is(read === undefined ? undefined : Math.fround(read), value);
    t.true(digitsOf(text.toString()) <= digitsOf(String(value)));
  });
  fc.assert(property, { numRuns: 5000 });
  t.is(textOf((to, at) => writeFloat(to, at, Math.fround(0.1))).toString(), '0.1');
  t.is(textOf((to, at) => writeFloat(to, at, Math.fround(16777216))).toString(), '16777216');
});

test('times are written as ISO 8601 has them, and read as what they were', (t) => {
  const times = fc.oneof(
    timestamps,
    fc.date({ noInvalidDate: true }).map((date) => date.getTime()),
    fc.integer(),
    fc.constantFrom(0, -1, -62_167_219_200_000, 253_402_300_799_999, 86_399_999, 86_400_000),
  );
  const property = fc.property(times, (ms) => {
    const text = textOf((to, at) => (isIso(ms) ? writeIso(to, at, ms) : writeInteger(to, at, ms)));
    t.is(timeOf(text, 0, text.length), ms);
    if (isIso(ms)) t.is(text.toString(), new Date(ms).toISOString().replace('.000Z', 'Z'));
  });
  fc.assert(property, { numRuns: 5000 });
  t.false(isIso(-62_167_219_200_001));
  t.false(isIso(253_402_300_800_000));
});
