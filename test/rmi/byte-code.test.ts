import test from 'ava';
import fc from 'fast-check';
import { checkCode, codeOf, learnCode, numberOfBytes } from '../../src/rmi/byte-code.ts';

/** Few different bytes, and keys that begin alike, so that much is equal. */
const keys = fc.oneof(
  fc.array(fc.uint8Array({ maxLength: 12 }), { minLength: 1, maxLength: 40 }),
  fc.array(
    fc
      .array(fc.constantFrom(0, 97, 97, 97, 98), { maxLength: 60 })
      .map((key) => new Uint8Array(key)),
    { minLength: 1, maxLength: 40 },
  ),
);

/** The code of some keys. */
function codeOfKeys(some: readonly Uint8Array[]): Float64Array {
  const offsets = new Int32Array(some.length + 1);
  for (const [i, key] of some.entries()) offsets[i + 1] = offsets[i] + key.length;
  const shares = learnCode(Buffer.concat(some), offsets, some.length);
  checkCode(shares);
  return codeOf(shares);
}

/** How the numbers of texts are made by a code, behind what is skipped of them. */
function numbersIn(code: Float64Array, skip = 0): (text: string) => number {
  return (text) => numberOfBytes(code, Buffer.from(text), 0, skip, text.length);
}

test('numbers have the order of the keys, and equal ones are of keys that begin alike', (t) => {
  fc.assert(
    fc.property(keys, fc.uint8Array({ maxLength: 3 }), (some, shared) => {
      const sorted = some.toSorted(Buffer.compare).map((key) => Buffer.concat([shared, key]));
      const code = codeOfKeys(sorted);
      const skip = shared.length;
      const numbers = sorted.map((key) => numberOfBytes(code, key, 0, skip, key.length));
      for (let i = 1; i < sorted.length; i++) {
        t.true(numbers[i - 1] <= numbers[i]);
        if (numbers[i - 1] !== numbers[i]) continue;
        const [a, b] = [sorted[i - 1], sorted[i]];
        // 32 bits are more than two bytes can take up, of which none has a share below 1 in 4096.
        t.deepEqual(a.subarray(skip, skip + 3), b.subarray(skip, skip + 3));
      }
      t.true(numbers.every((number) => number >= 0 && number < 2 ** 53));
    }),
    { numRuns: 300 },
  );
});

test('the order holds to the last bit: of numbers that differ as little as numbers can', (t) => {
  const ends = Array.from({ length: 256 }, (_, byte) => Buffer.of(byte));
  for (const start of ['abcabcabcabc', '0a0a0a0a0a0a0a', 'zzzzzzzzzzzzzzzzzzzzzzzz', '\xff\x01']) {
    const heads = Array.from(start, (_, i) => Buffer.from(start.slice(0, i), 'latin1'));
    const sorted = heads
      .flatMap((head) => ends.map((end) => Buffer.concat([head, end, end, end])))
      .concat(heads)
      .toSorted(Buffer.compare);
    const code = codeOfKeys(sorted);
    const numbers = sorted.map((key) => numberOfBytes(code, key, 0, 0, key.length));
    t.deepEqual(
      numbers,
      numbers.toSorted((a, b) => a - b),
    );
  }
});

test('any bytes have a number, those that no key has as well', (t) => {
  const number = numbersIn(codeOfKeys(['abc', 'abc'].map((key) => Buffer.from(key))));
  const ascending = ['', '\0', 'a', 'aa', 'ab', 'b', 'c', 'cc', 'z'].map(number);
  for (let i = 1; i < ascending.length; i++) t.true(ascending[i - 1] <= ascending[i]);
  t.true(number('') < number('a') && number('a') < number('ab') && number('ab') < number('abc'));
});

test('eight hexadecimal digits make a number', (t) => {
  const digits = '0123456789abcdef';
  const number = numbersIn(
    codeOfKeys([Buffer.from(digits.repeat(100) + digits.split('').reverse())]),
  );
  t.not(number('01234566'), number('01234567'));
});

test('what stands before says what is to be expected: behind digits, nine of them make a number', (t) => {
  const keys = Array.from({ length: 1000 }, (_, i) => Buffer.from(`key-${1e8 + 123457 * i}-name`));
  const number = numbersIn(codeOfKeys(keys), 5);
  t.not(number('key-100000001-name'), number('key-100000002-name'));
});

test('shares that are no code are refused', (t) => {
  const shares = learnCode(Buffer.from('abc'), Int32Array.of(0, 3), 1);
  const damaged = (change: (copy: Uint16Array) => void): Uint16Array => {
    const copy = Uint16Array.from(shares);
    change(copy);
    return copy;
  };
  const wrong = [
    new Uint16Array(0),
    shares.subarray(1),
    damaged((copy) => copy.fill(1, 0, 1)),
    damaged((copy) => copy.fill(0, 200)),
    damaged((copy) => copy.fill(5000, 257, 258)),
    damaged((copy) => copy.fill(1, 258, 259)),
    damaged((copy) => copy.fill(5000, copy.length - 1)),
  ];
  for (const each of wrong) t.throws(() => checkCode(each), { code: 'OMEN_CORRUPT' });
  t.notThrows(() => checkCode(shares));
});
