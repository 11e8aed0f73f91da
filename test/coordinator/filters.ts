/** Filters of any shape over a schema of every type, and what they mean, said row by row. */
import fc from 'fast-check';

export const COLUMNS = {
  a: 'int32?',
  b: 'int64?',
  c: 'float32?',
  d: 'float64?',
  e: 'bool?',
  f: 'timestamp',
  g: 'utf8?',
  h: 'binary',
} as const;

export type FilteredRow = Readonly<Record<string, unknown>>;
export type Plain = Readonly<Record<string, unknown>>;

const HUGE = 2n ** 60n;

/** Few values of each type, so that rows and filters meet; the edges of types among them. */
const VALUES: Readonly<Record<keyof typeof COLUMNS, readonly unknown[]>> = {
  a: [-(2 ** 31), -5, -1, 0, 1, 2, 7, 2 ** 31 - 1],
  b: [-HUGE, -HUGE + 1n, -3n, 0n, 4n, HUGE - 1n, HUGE, HUGE + 1n, 2n ** 63n - 1n, -(2n ** 63n)],
  c: [Number.NaN, -1.5, -0, 0, 0.25, Number.POSITIVE_INFINITY, 1e30].map(Math.fround),
  d: [Number.NaN, -1.5, -0, 0, 0.1, 5e-324, 1e300, Number.NEGATIVE_INFINITY],
  e: [true, false],
  f: [-5, 0, 1_700_000_000_000, 1_700_000_000_001],
  g: ['', 'a', 'a\0', 'ab', 'é', '𐀀', '￿', 'x'.repeat(80)],
  h: ['', '00', 'ff', 'ff00'].map((hex) => new Uint8Array(Buffer.from(hex, 'hex'))),
};

export const KEYS = [-(2 ** 52), -9, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 100, 2 ** 52];

const someOf = (column: keyof typeof COLUMNS) => fc.constantFrom(...VALUES[column]);

export const rows: fc.Arbitrary<FilteredRow> = fc.record({
  a: fc.option(someOf('a')),
  b: fc.option(someOf('b')),
  c: fc.option(someOf('c')),
  d: fc.option(someOf('d')),
  e: fc.option(someOf('e')),
  f: someOf('f'),
  g: fc.option(someOf('g')),
  h: someOf('h'),
});

const comparable = (value: unknown): boolean => !Number.isNaN(value);

function conditionOn(name: string, values: readonly unknown[]): fc.Arbitrary<Plain> {
  const value = fc.constantFrom(...values.filter(comparable));
  const isOrdered = typeof values[0] !== 'boolean';
  const comparisons: fc.Arbitrary<unknown>[] = [
    value,
    fc.constant(null),
    fc.record({ eq: value }),
    fc.record({ ne: value }),
    fc.record({ in: fc.array(value, { maxLength: 8 }) }),
    fc.record({ isNull: fc.boolean() }),
  ];
  if (isOrdered) {
    comparisons.push(
      fc.record({ gt: value, lt: value, gte: value, lte: value }, { requiredKeys: [] }),
      fc.record({ between: fc.tuple(value, value) }),
    );
  }
  return fc.oneof(...comparisons).map((condition) => ({ [name]: condition }));
}

const leaf = fc.oneof(
  ...Object.entries(VALUES).map(([name, values]) => conditionOn(name, values)),
  conditionOn('key', KEYS),
);

export const filters: fc.Arbitrary<Plain> = fc.letrec<{ tree: Plain }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.tuple(leaf, leaf).map(([one, other]) => ({ ...one, ...other })),
    fc.record({ and: fc.array(tie('tree'), { maxLength: 3 }) }),
    fc.record({ or: fc.array(tie('tree'), { maxLength: 3 }) }),
    fc.record({ not: tie('tree') }),
    fc.tuple(leaf, tie('tree')).map(([one, not]) => ({ ...one, not })),
  ),
})).tree;

type Ordered = number | bigint;

/** Negative, zero, positive; NaN where nothing can be said. */
function order(a: unknown, b: unknown): number {
  if (typeof a === 'string' && typeof b === 'string') {
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  const [x, y] = [a as Ordered, b as Ordered];
  return x < y ? -1 : x > y ? 1 : x >= y ? 0 : Number.NaN;
}

/** Whether a row matches, as the documentation has it. */
export function matches(key: unknown, row: FilteredRow, where: Plain): boolean {
  return Object.entries(where).every(([name, condition]) => {
    if (name === 'not') return !matches(key, row, condition as Plain);
    if (name === 'and') return (condition as Plain[]).every((part) => matches(key, row, part));
    if (name === 'or') return (condition as Plain[]).some((part) => matches(key, row, part));
    return holds(name === 'key' ? key : row[name], condition);
  });
}

function holds(value: unknown, condition: unknown): boolean {
  if (condition === null) return value === null;
  const isPlain = typeof condition === 'object' && !(condition instanceof Uint8Array);
  if (!isPlain) return holds(value, { eq: condition });
  return Object.entries(condition as object).every(([operator, operand]) => {
    if (operator === 'isNull') return (value === null) === operand;
    if (value === null) return false;
    switch (operator) {
      case 'eq':
        return order(value, operand) === 0;
      case 'ne':
        return order(value, operand) !== 0;
      case 'gt':
        return order(value, operand) > 0;
      case 'gte':
        return order(value, operand) >= 0;
      case 'lt':
        return order(value, operand) < 0;
      case 'lte':
        return order(value, operand) <= 0;
      case 'between':
        return order(value, operand[0]) >= 0 && order(value, operand[1]) <= 0;
      default:
        return (operand as unknown[]).some((one) => order(value, one) === 0);
    }
  });
}
