import test from 'ava';
import fc from 'fast-check';
import { radixSort, type SortedKeys, sortBuffers } from '../../src/view/radix-sort.ts';

function buffersOf(keys: readonly bigint[]): SortedKeys {
  const buffers = sortBuffers(keys.length);
  keys.forEach((key, i) => {
    buffers.hi[i] = Number(key >> 32n);
    buffers.lo[i] = Number(key & 0xffffffffn);
    buffers.payload[i] = i;
  });
  return buffers;
}

function pairsOf({ hi, lo, payload }: SortedKeys, count: number): [bigint, number][] {
  return Array.from({ length: count }, (_, i) => [
    (BigInt(hi[i]) << 32n) | BigInt(lo[i]),
    payload[i],
  ]);
}

/** By key, equal keys in the order they were given in. */
function expected(keys: readonly bigint[], count: number): [bigint, number][] {
  const pairs = keys.slice(0, count).map((key, i): [bigint, number] => [key, i]);
  return pairs.sort(([a], [b]) => Number(a > b) - Number(a < b));
}

const wide = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
/** Keys that differ in one digit only, so that the others are skipped, and that repeat. */
const narrow = fc
  .tuple(wide, fc.nat(63))
  .chain(([base, shift]) =>
    fc
      .nat(20)
      .map((digit) => BigInt.asUintN(64, (base & ~0xffn) ^ (BigInt(digit) << BigInt(shift)))),
  );

test('keys are sorted as unsigned integers, equal ones in the order given', (t) => {
  const lists = fc.oneof(
    fc.array(wide, { maxLength: 300 }),
    fc.array(fc.bigInt({ min: 0n, max: 40n }), { maxLength: 300 }),
    fc.array(narrow, { maxLength: 50 }),
    fc.array(fc.constantFrom(0n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n), { maxLength: 50 }),
  );
  fc.assert(
    fc.property(lists, (keys) => {
      const count = keys.length;
      t.deepEqual(
        pairsOf(radixSort(buffersOf(keys), sortBuffers(count), count), count),
        expected(keys, count),
      );
    }),
    { numRuns: 200 },
  );
});

test('every digit counts', (t) => {
  for (let bit = 0n; bit < 64n; bit++) {
    const keys = [1n << bit, 0n, 1n << bit, 0n];
    t.deepEqual(
      pairsOf(radixSort(buffersOf(keys), sortBuffers(4), 4), 4),
      expected(keys, 4),
      `${bit}`,
    );
  }
});

test('only the first keys are sorted when fewer are asked for', (t) => {
  const keys = [5n, 3n, 4n, 0n, 1n];
  t.deepEqual(pairsOf(radixSort(buffersOf(keys), sortBuffers(5), 3), 3), expected(keys, 3));
  t.deepEqual(pairsOf(radixSort(buffersOf(keys), sortBuffers(5), 1), 1), [[5n, 0]]);
  t.deepEqual(pairsOf(radixSort(buffersOf([]), sortBuffers(0), 0), 0), []);
});
