/**
 * Databases of every key type, every column type, every kind of value, with bigints on and off; each
 * with keys that lie close together, far apart and at the edges of their type.
 */
import fc from 'fast-check';
import type { Form } from './operations.ts';

export interface Subject {
  readonly name: string;
  readonly form: Form;
  /** A few keys that are used over and over; the edges of the type are among them. */
  readonly keys: readonly unknown[];
  readonly otherKeys: fc.Arbitrary<unknown>;
  readonly rows: fc.Arbitrary<unknown>;
  /** Three ascending keys, for four shards. */
  readonly splits: readonly unknown[];
}

const MAX_SAFE = Number.MAX_SAFE_INTEGER;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

const near = Array.from({ length: 12 }, (_, i) => i - 4);
const text = fc.string({ unit: 'binary', maxLength: 40 });
const bytes = fc.uint8Array({ maxLength: 40 });
const anyFloat = fc.double();
const safeInteger = fc.maxSafeInteger();
const int64 = fc.bigInt({ min: INT64_MIN, max: INT64_MAX });
const dates = fc.date({ noInvalidDate: true });

/** Most of the longest key there can be. */
const LONG = 'x'.repeat(65_535);

export const SUBJECTS: readonly Subject[] = [
  {
    name: 'int64 keys, a column of every type',
    form: {
      key: 'int64',
      columns: {
        a: 'int32',
        b: 'int64',
        c: 'float32',
        d: 'float64',
        e: 'bool',
        f: 'timestamp',
        g: 'utf8',
        h: 'binary',
      },
    },
    keys: [...near, -MAX_SAFE, MAX_SAFE, 2 ** 32, -(2 ** 32), 2 ** 32 - 1, 10 ** 15],
    otherKeys: fc.oneof(safeInteger, safeInteger.map(BigInt), fc.integer({ min: -99, max: 99 })),
    rows: fc.record({
      a: fc.integer(),
      b: fc.oneof(safeInteger, safeInteger.map(BigInt)),
      c: fc.float(),
      d: anyFloat,
      e: fc.boolean(),
      f: fc.oneof(dates, safeInteger),
      g: text,
      h: bytes,
    }),
    splits: [-2, 3, 2 ** 32],
  },
  {
    name: 'uint64 keys as bigint, nullable columns',
    form: {
      key: 'uint64',
      bigints: true,
      columns: {
        a: 'int32?',
        b: 'int64?',
        c: 'float32?',
        d: 'float64?',
        e: 'bool?',
        f: 'timestamp?',
        g: 'utf8?',
        h: 'binary?',
        i: 'int64',
      },
    },
    keys: [
      ...near.map((key) => key + 4),
      0,
      2n ** 64n - 1n,
      2n ** 64n - 2n,
      2n ** 63n,
      2n ** 63n - 1n,
      2n ** 53n,
      2n ** 53n + 1n,
    ],
    otherKeys: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    rows: fc
      .record(
        {
          a: fc.option(fc.integer()),
          b: fc.option(fc.oneof(safeInteger, int64)),
          c: fc.option(fc.float()),
          d: fc.option(anyFloat),
          e: fc.option(fc.boolean()),
          f: fc.option(dates),
          g: fc.option(text),
          h: fc.option(bytes),
          i: int64,
        },
        { requiredKeys: ['i'] },
      )
      .map((row) => ({ ...row })),
    splits: [4, 2n ** 53n, 2n ** 63n],
  },
  {
    name: 'float64 keys, JSON values',
    form: { key: 'float64', value: 'json' },
    keys: [
      ...near.map((key) => key / 3),
      0,
      -0,
      Number.MIN_VALUE,
      -Number.MIN_VALUE,
      Number.MAX_VALUE,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ],
    otherKeys: fc.double({ noNaN: true }),
    rows: fc.jsonValue(),
    splits: [-0.5, 0, 1e10],
  },
  {
    name: 'timestamp keys, utf8 values',
    form: { key: 'timestamp', value: 'utf8' },
    keys: [...near.map((key) => 1_700_000_000_000 + key), new Date(0), -1, MAX_SAFE, -MAX_SAFE],
    otherKeys: fc.oneof(dates, safeInteger),
    rows: text,
    splits: [new Date(0), 1_700_000_000_000, 1_700_000_000_003],
  },
  {
    name: 'int64 keys as bigint, binary values',
    form: { key: 'int64', bigints: true, value: 'binary' },
    keys: [...near, INT64_MIN, INT64_MAX, INT64_MIN + 1n, 2n ** 53n + 1n, -(2n ** 53n) - 1n],
    otherKeys: fc.oneof(int64, safeInteger),
    rows: bytes,
    splits: [INT64_MIN + 1n, 0, 2n ** 53n + 1n],
  },
  {
    name: 'uint64 keys, columns whose rows all have one length',
    form: { key: 'uint64', columns: { value: 'float64', count: 'int64', sensor: 'int32?' } },
    keys: [...near.map((key) => key + 4), MAX_SAFE, 2 ** 32, 2 ** 32 + 1, 2 ** 52],
    otherKeys: fc.nat(),
    rows: fc.record({
      value: anyFloat,
      count: safeInteger,
      sensor: fc.option(fc.integer(), { nil: undefined }),
    }),
    splits: [5, 2 ** 32, 2 ** 52],
  },
  {
    name: 'utf8 keys that share beginnings, columns of text and numbers',
    form: { key: 'utf8', columns: { n: 'int64', text: 'utf8?', bytes: 'binary' } },
    keys: [
      '',
      '\0',
      'a',
      'a\0',
      'a\0\0',
      'a\0b',
      'ab',
      'abcdefgh',
      'abcdefgh\0',
      'abcdefghi',
      'https://www.example.com/',
      'https://www.example.com/a',
      'https://www.example.com/a/b?c=1',
      'https://www.example.com/a/b?c=2',
      'https://www.example.com/b',
      'é',
      '￿',
      '𐀀',
      '👩‍🚀',
      '👩‍🚀 ',
      LONG,
      `${LONG}a`,
      `${LONG}b`,
    ],
    otherKeys: fc.oneof(
      text,
      text.map((end) => `https://www.example.com/${end}`),
    ),
    rows: fc.record({ n: safeInteger, text: fc.option(text), bytes }),
    splits: ['a\0', 'https://www.example.com/a/b', 'é'],
  },
  {
    name: 'binary keys of any length, binary values',
    form: { key: 'binary', value: 'binary' },
    keys: [
      ...['', '00', '0000', '00000000000000000000', '61', '6100', '616263', 'ff', 'ffff'],
      ...['ffffffffffffffff', 'ffffffffffffffff00', 'ffffffffffffffffff', '80', '7fffffff'],
    ]
      .map((hex): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex')))
      .concat(new Uint8Array(65_536).fill(0xff), new Uint8Array(65_535).fill(0xff)),
    otherKeys: fc.oneof(
      bytes,
      fc.array(fc.constantFrom(0, 1, 255), { maxLength: 20 }).map((some) => Uint8Array.from(some)),
    ),
    rows: bytes,
    splits: [Uint8Array.of(0, 0), Uint8Array.of(0x61), new Uint8Array(65_536).fill(0xff)],
  },
  {
    name: 'int64 keys, rows that may expire',
    form: { key: 'int64', columns: { n: 'int64', text: 'utf8?' }, ttl: true },
    keys: [...near, 2 ** 32, MAX_SAFE],
    otherKeys: fc.integer({ min: -99, max: 99 }),
    rows: fc.record({ n: safeInteger, text: fc.option(text) }),
    splits: [-2, 3, 2 ** 32],
  },
  {
    name: 'utf8 keys, JSON values that expire unless their writes say otherwise',
    form: { key: 'utf8', value: 'json', ttl: 45 },
    keys: ['', 'a', 'a\0', 'ab', 'abcdefgh', 'abcdefghi', 'b', 'é'],
    otherKeys: text,
    rows: fc.jsonValue(),
    splits: ['a\0', 'abcdefghi', 'é'],
  },
  {
    name: 'int64 keys as bigint, columns of numbers that expire',
    form: { key: 'int64', bigints: true, columns: { n: 'float64' }, ttl: 30 },
    keys: [...near, 2n ** 60n, -(2n ** 60n)],
    otherKeys: safeInteger.map(BigInt),
    rows: fc.record({ n: anyFloat }),
    splits: [-2, 3, 2n ** 53n],
  },
];
