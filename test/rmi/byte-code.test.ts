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

test('numbers have the order of the keys, and equal ones are of keys that begin alike', (t) => {
  fc.assert(
    fc.property(keys, (some) => {
      const sorted = some.toSorted(Buffer.compare);
      const shares = learnCode(Buffer.concat(sorted), sorted.length);
      checkCode(shares);
      const code = codeOf(shares);
      const numbers = sorted.map((key) => numberOfBytes(code, key, 0, key.length));
      for (let i = 1; i < sorted.length; i++) {
        t.true(numbers[i - 1] <= numbers[i]);
        if (numbers[i - 1] !== numbers[i]) continue;
        const [a, b] = [sorted[i - 1], sorted[i]];
        // 41 bits are more than three bytes can take up, of which none has a share below 1 in 4096.
        t.deepEqual(a.subarray(0, 3), b.subarray(0, 3));
      }
      t.true(numbers.every((number) => Number.isSafeInteger(number) && number >= 0));
    }),
    { numRuns: 300 },
  );
});

test('any bytes have a number, those that no key has as well', (t) => {
  const code = codeOf(learnCode(Buffer.from('abcabc'), 2));
  const number = (text: string): number => numberOfBytes(code, Buffer.from(text), 0, text.length);
  const ascending = ['', '\0', 'a', 'aa', 'ab', 'b', 'c', 'cc', 'z'].map(number);
  for (let i = 1; i < ascending.length; i++) t.true(ascending[i - 1] <= ascending[i]);
  t.true(number('a') < number('b') && number('') < number('a'));
});

test('a number takes up so many bytes that sixteen hexadecimal digits make ten', (t) => {
  const digits = '0123456789abcdef';
  const code = codeOf(learnCode(Buffer.from(digits.repeat(100)), 100));
  const number = (text: string): number => numberOfBytes(code, Buffer.from(text), 0, text.length);
  t.not(number('0123456788'), number('0123456789'));
});

test('shares that are no code are refused', (t) => {
  const shares = learnCode(Buffer.from('abc'), 1);
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
    damaged((copy) => copy.fill(5000, 257)),
  ];
  for (const each of wrong) t.throws(() => checkCode(each), { code: 'OMEN_CORRUPT' });
  t.notThrows(() => checkCode(shares));
});
