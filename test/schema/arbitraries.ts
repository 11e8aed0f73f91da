/** Keys and values as fast-check draws them, with the ends of every range among the likely ones. */
import fc from 'fast-check';
import type { Column, ColumnType, FixedKeyType } from '../../src/schema/schema.ts';

export const INT64_MIN = -(2n ** 63n);
export const INT64_MAX = 2n ** 63n - 1n;
export const UINT64_MAX = 2n ** 64n - 1n;

/** Where the form of an integer changes: its sign, its words, what a number can hold. */
const CORNERS = [0n, 1n, 2n ** 31n, 2n ** 32n, 2n ** 52n, 2n ** 53n, 2n ** 63n].flatMap((corner) =>
  [-1n, 0n, 1n].flatMap((step) => [corner + step, -corner + step]),
);

function integers(min: bigint, max: bigint): fc.Arbitrary<bigint> {
  const corners = CORNERS.filter((corner) => corner >= min && corner <= max);
  return fc.oneof(fc.bigInt({ min, max }), fc.constantFrom(min, max, ...corners));
}

export const int64s = integers(INT64_MIN, INT64_MAX);
export const uint64s = integers(0n, UINT64_MAX);
export const timestamps = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(Number.MIN_SAFE_INTEGER, -1, 0, 1, Number.MAX_SAFE_INTEGER),
);
export const doubles = fc.double({ noNaN: true });

/** Keys of a type of fixed width, in the type that its order is defined on: bigint or number. */
export function keysOf(type: FixedKeyType): fc.Arbitrary<bigint | number> {
  if (type === 'int64') return int64s;
  if (type === 'uint64') return uint64s;
  return type === 'float64' ? doubles : timestamps;
}

export function valuesOf(type: ColumnType): fc.Arbitrary<unknown> {
  switch (type) {
    case 'int32':
      return fc.integer();
    case 'int64':
      return int64s;
    case 'float32':
      return fc.float();
    case 'float64':
      return fc.double();
    case 'bool':
      return fc.boolean();
    case 'timestamp':
      return timestamps;
    case 'utf8':
      return fc.string({ unit: 'binary', maxLength: 100 });
    case 'binary':
      return fc.uint8Array({ maxLength: 100 });
  }
}

export const columnTypes = fc.constantFrom<ColumnType>(
  'int32',
  'int64',
  'float32',
  'float64',
  'bool',
  'timestamp',
  'utf8',
  'binary',
);

/** One to twenty columns of any type; `c0`, `c1` and so on. */
export const columns: fc.Arbitrary<Column[]> = fc
  .array(fc.tuple(columnTypes, fc.boolean()), { minLength: 1, maxLength: 20 })
  .map((drawn) => drawn.map(([type, nullable], i) => ({ name: `c${i}`, type, nullable })));

/** A row of the columns. An absent value is null, as it is read back. */
export function rowsOf(of: readonly Column[]): fc.Arbitrary<Record<string, unknown>> {
  const fields = of.map(({ name, type, nullable }) => {
    const value = valuesOf(type);
    return [name, nullable ? fc.option(value) : value] as const;
  });
  return fc.record(Object.fromEntries(fields));
}
