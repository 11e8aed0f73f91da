import test from 'ava';
import fc from 'fast-check';
import { lz4Decompress } from '../../src/load/lz4.ts';

/** Literals, then a copy of so many bytes from so far back, sequence after sequence; the last has none. */
function block(
  sequences: readonly (readonly [literals: string, offset?: number, count?: number])[],
) {
  const bytes: number[] = [];
  const more = (length: number) => {
    for (let left = length - 15; left >= 0; left -= 255) bytes.push(Math.min(255, left));
  };
  for (const [literals, offset = 0, count = 4] of sequences) {
    const isLast = offset === 0;
    bytes.push((Math.min(15, literals.length) << 4) | (isLast ? 0 : Math.min(15, count - 4)));
    more(literals.length);
    bytes.push(...Buffer.from(literals));
    if (isLast) continue;
    bytes.push(offset & 255, offset >>> 8);
    more(count - 4);
  }
  return Uint8Array.from(bytes);
}

const text = (bytes: Uint8Array, length: number) =>
  Buffer.from(lz4Decompress(bytes, length)).toString();

test('literals and copies, which may reach into themselves and be of any length', (t) => {
  t.is(text(block([['abc']]), 3), 'abc');
  t.is(text(block([['ab', 2, 6], ['!']]), 9), 'abababab!');
  t.is(text(block([['x', 1, 300], ['y'.repeat(400)]]), 701), 'x'.repeat(301) + 'y'.repeat(400));
  for (const length of [14, 15, 16, 269, 270, 271, 525]) {
    t.is(text(block([['z'.repeat(length)]]), length), 'z'.repeat(length));
    t.is(text(block([['z', 1, length], ['']]), length + 1), 'z'.repeat(length + 1));
  }
});

test('what is damaged is refused', (t) => {
  const whole = block([['hello world', 5, 20], ['end']]);
  for (let length = 0; length < whole.length; length++) {
    t.throws(() => lz4Decompress(whole.subarray(0, length), 34), { message: /LZ4/ });
  }
  t.is(text(whole, 34).length, 34);
  t.throws(() => lz4Decompress(whole, 33), { message: /LZ4/ });
  t.throws(() => lz4Decompress(block([['ab', 3], ['c']]), 7), { message: /LZ4/ });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(200), (bytes, length) => {
      try {
        t.is(lz4Decompress(bytes, length).length, length);
      } catch (error) {
        t.regex(String(error), /LZ4/);
      }
    }),
  );
});
