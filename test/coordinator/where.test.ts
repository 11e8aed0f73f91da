import test from 'ava';
import fc from 'fast-check';
import type { Database } from '../../src/index.ts';
import { codeOf } from '../storage/support.ts';
import { COLUMNS, type FilteredRow, filters, KEYS, matches, rows } from './filters.ts';
import { openNew, openWithPins } from './support.ts';

const ROUNDS = 2;
const FILTERS_A_ROUND = 80;

/** Rows in every place where rows can lie, some of them replaced and deleted since. */
async function fill(
  db: Database,
  chosen: readonly FilteredRow[],
): Promise<Map<number, FilteredRow>> {
  const content = new Map<number, FilteredRow>();
  const put = async (keys: readonly number[], shift: number) => {
    for (const key of keys) {
      const value = chosen[(KEYS.indexOf(key) + shift) % chosen.length];
      await db.put(key, value);
      content.set(key, value);
    }
  };
  await put(KEYS.slice(0, 10), 0);
  await db.flush();
  await put(KEYS.slice(6), 3);
  await db.del(KEYS[1]);
  content.delete(KEYS[1]);
  await db.flush();
  await put(KEYS.slice(4, 8), 5);
  return content;
}

for (const shards of [1, 3]) {
  test(`scans and iterators have the rows that match any filter, of ${shards} shards`, async (t) => {
    for (let round = 0; round < ROUNDS; round++) {
      const options = {
        key: 'int64',
        columns: COLUMNS,
        bigints: true,
        shards,
        threads: 1,
      } as const;
      const db: Database = await openNew(t, options);
      const [chosen] = fc.sample(fc.array(rows, { minLength: 14, maxLength: 14 }), 1);
      const content = await fill(db, chosen);
      const sorted = [...content].sort(([a], [b]) => a - b);
      const holds = fc.property(filters, fc.boolean(), (where, reverse) => {
        const expected = sorted
          .filter(([key, row]) => matches(key, row, where))
          .map(([key]) => key);
        const found = [...db.keys({ where, reverse })].map(Number);
        t.deepEqual(found, reverse ? expected.toReversed() : expected);
      });
      for (const settle of [() => {}, () => db.flush(), () => db.compact()]) {
        await settle();
        fc.assert(holds, { numRuns: FILTERS_A_ROUND });
      }
      const some = { or: [{ key: { lt: 3 } }, { d: { gt: 0 } }] };
      const table = await db.scan({ where: some, columns: ['key'] }).toTable();
      t.deepEqual(Array.from(table.getChild('key') ?? []), [...db.keys({ where: some })]);
    }
  });
}

const TEXT_KEYS = ['', 'a', 'a\0', 'ab', 'b', 'é', '𐀀', '￿'];

test('conditions on keys of variable length hold as bytes compare, and bound what is read', async (t) => {
  const db: Database = await openNew(t, { key: 'utf8', columns: { n: 'int32' }, shards: 2 });
  for (const [n, key] of TEXT_KEYS.entries()) await db.put(key, { n });
  const compare = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
  const sorted = TEXT_KEYS.toSorted(compare);
  const value = fc.constantFrom(...TEXT_KEYS, 'aa', 'zz');
  const bounds = fc.record({ gt: value, lt: value, gte: value, lte: value }, { requiredKeys: [] });
  const holds = fc.property(bounds, bounds, fc.array(value), (one, other, among) => {
    const within = (key: string, { gt, gte, lt, lte }: typeof one) =>
      (gt === undefined || compare(key, gt) > 0) &&
      (gte === undefined || compare(key, gte) >= 0) &&
      (lt === undefined || compare(key, lt) < 0) &&
      (lte === undefined || compare(key, lte) <= 0);
    t.deepEqual(
      [...db.keys({ where: { and: [{ key: one }, { key: other }] } })],
      sorted.filter((key) => within(key, one) && within(key, other)),
    );
    t.deepEqual(
      [...db.keys({ where: { key: { in: among }, not: { key: one } } })],
      sorted.filter((key) => among.includes(key) && !within(key, one)),
    );
  });
  fc.assert(holds, { numRuns: 200 });
  await db.compact();
  fc.assert(holds, { numRuns: 200 });
});

test('pages that cannot match are passed over, and nothing that matches with them', async (t) => {
  const columns = { n: 'int32', wide: 'int64?', x: 'float64?', s: 'utf8?' } as const;
  const db = await openNew(t, { key: 'int64', columns, shards: 1, bigints: true });
  const count = 30_000;
  const rowOf = (i: number) => ({
    n: i,
    wide: i % 10_000 < 4096 ? null : BigInt(i) * 2n ** 45n,
    x: i >= 8192 && i < 16_384 ? Number.NaN : i / 3,
    s: i < 20_000 ? null : `${i}`,
  });
  for (let i = 0; i < count; i += 5000) {
    await db.batch(
      Array.from(
        { length: 5000 },
        (_, j) => ({ type: 'put', key: i + j, value: rowOf(i + j) }) as const,
      ),
    );
  }
  await db.compact();
  const all = Array.from({ length: count }, (_, i) => i);
  const check = (where: object, expected: (row: ReturnType<typeof rowOf>, i: number) => boolean) =>
    t.deepEqual(
      [...db.keys({ where })].map(Number),
      all.filter((i) => expected(rowOf(i), i)),
      JSON.stringify(where, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)),
    );
  check({ n: { between: [4096, 8191] } }, ({ n }) => n >= 4096 && n <= 8191);
  check({ n: { gte: 12_345, lt: 12_350 } }, ({ n }) => n >= 12_345 && n < 12_350);
  check({ not: { n: { lt: 29_000 } } }, ({ n }) => n >= 29_000);
  check({ or: [{ n: 5 }, { n: 20_000 }, { key: 29_999 }] }, ({ n }) =>
    [5, 20_000, 29_999].includes(n),
  );
  check({ wide: null }, ({ wide }) => wide === null);
  check({ wide: { isNull: false } }, ({ wide }) => wide !== null);
  for (const near of [9000n, 9001n]) {
    for (const by of [-1n, 0n, 1n]) {
      const edge = near * 2n ** 45n + by;
      check({ wide: { gt: edge } }, ({ wide }) => wide !== null && wide > edge);
      check({ wide: { lte: edge } }, ({ wide }) => wide !== null && wide <= edge);
      check({ not: { wide: { gte: edge } } }, ({ wide }) => wide === null || wide < edge);
    }
  }
  check({ x: { gte: 0 } }, ({ x }) => x >= 0);
  check({ not: { x: { gte: 0 } } }, ({ x }) => !(x >= 0));
  check({ x: { ne: 1 } }, ({ x }) => x !== 1);
  check({ s: { isNull: true } }, ({ s }) => s === null);
  check({ s: { gt: '25000' } }, ({ s }) => s !== null && s > '25000');
  check({ and: [] }, () => true);
  check({ or: [] }, () => false);
});

test('limits count rows that match, and long searches take them from far apart', async (t) => {
  const db = await openNew(t, { key: 'int64', columns: { n: 'int32' }, shards: 2 });
  for (let i = 0; i < 40_000; i += 5000) {
    await db.batch(
      Array.from({ length: 5000 }, (_, j) => {
        return { type: 'put', key: i + j, value: { n: (i + j) % 1000 } } as const;
      }),
    );
  }
  for (const settle of [() => {}, () => db.compact()]) {
    await settle();
    const where = { n: 7 };
    t.deepEqual([...db.keys({ where, limit: 3 })], [7, 1007, 2007]);
    t.deepEqual([...db.keys({ where, limit: 2, reverse: true, lt: 30_000 })], [29_007, 28_007]);
    const table = await db.scan({ where, limit: 33, columns: ['key', 'n'] }).toTable();
    t.deepEqual(
      Array.from(table.getChild('key') ?? [], Number),
      Array.from({ length: 33 }, (_, i) => 7 + 1000 * i),
    );
  }
});

const WRONG: readonly (readonly [string, unknown])[] = [
  ['OMEN_UNKNOWN_COLUMN', { z: 1 }],
  ['OMEN_UNKNOWN_COLUMN', { or: [{ a: 1 }, { not: { z: 1 } }] }],
  ['OMEN_INVALID_WHERE', null],
  ['OMEN_INVALID_WHERE', []],
  ['OMEN_INVALID_WHERE', 'a > 1'],
  ['OMEN_INVALID_WHERE', { and: {} }],
  ['OMEN_INVALID_WHERE', { not: [] }],
  ['OMEN_INVALID_WHERE', { a: { above: 1 } }],
  ['OMEN_INVALID_WHERE', { a: '1' }],
  ['OMEN_INVALID_WHERE', { a: 1.5 }],
  ['OMEN_INVALID_WHERE', { a: { in: 1 } }],
  ['OMEN_INVALID_WHERE', { a: { in: [1, null] } }],
  ['OMEN_INVALID_WHERE', { a: { between: [1] } }],
  ['OMEN_INVALID_WHERE', { a: { isNull: 1 } }],
  ['OMEN_INVALID_WHERE', { b: 2n ** 63n }],
  ['OMEN_INVALID_WHERE', { b: 2 ** 53 }],
  ['OMEN_INVALID_WHERE', { d: Number.NaN }],
  ['OMEN_INVALID_WHERE', { d: 1n }],
  ['OMEN_INVALID_WHERE', { e: { gt: true } }],
  ['OMEN_INVALID_WHERE', { e: 1 }],
  ['OMEN_INVALID_WHERE', { f: new Date(Number.NaN) }],
  ['OMEN_INVALID_WHERE', { g: 5 }],
  ['OMEN_INVALID_WHERE', { g: '\ud800' }],
  ['OMEN_INVALID_WHERE', { h: 'ff' }],
  ['OMEN_INVALID_KEY', { key: 'a' }],
  ['OMEN_UNSAFE_INTEGER', { key: { gt: 2 ** 53 } }],
];

test('a filter that is malformed is refused at once, whatever takes it, and holds nothing', async (t) => {
  const { db, pinned } = await openWithPins(t, { key: 'int64', columns: COLUMNS, shards: 1 });
  const deep = Array.from({ length: 100 }).reduce<object>((not) => ({ not }), { a: 1 });
  for (const [code, where] of [...WRONG, ['OMEN_INVALID_WHERE', deep] as const]) {
    for (const read of ['scan', 'entries', 'keys', 'values'] as const) {
      t.is(
        codeOf(() => db[read]({ where: where as object })),
        code,
        JSON.stringify(where, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)),
      );
    }
  }
  t.is(pinned(), 0);
});

test('bare values are compared as the column "value", but for JSON', async (t) => {
  const texts = await openNew(t, { key: 'int64', value: 'utf8', shards: 1 });
  for (const key of [1, 2, 3]) await texts.put(key, `text ${key}`);
  t.deepEqual([...texts.values({ where: { value: { gte: 'text 2' } } })], ['text 2', 'text 3']);
  const json = await openNew(t, { key: 'int64', value: 'json', shards: 1 });
  await json.put(1, 5);
  t.is(
    codeOf(() => json.keys({ where: { value: 5 } as object })),
    'OMEN_INVALID_WHERE',
  );
  t.deepEqual([...json.keys({ where: { key: { in: [1, 2] } } })], [1]);
});

test('the compiler knows the columns and what they are compared with', async (t) => {
  const db = await openNew(t, { key: 'timestamp', columns: { n: 'int32', s: 'utf8?' }, shards: 1 });
  const range = { gte: new Date(0) };
  t.deepEqual(
    [...db.keys({ ...range, where: { key: { gt: new Date(5) }, n: { in: [1, 2] }, s: null } })],
    [],
  );
  const wrong = [
    // @ts-expect-error: there is no such column
    () => db.keys({ where: { z: 1 } }),
    // @ts-expect-error: a number is not compared with a text
    () => db.keys({ where: { n: { gt: 'a' } } }),
    // @ts-expect-error: nor within another filter
    () => db.scan({ where: { or: [{ s: 5 }] } }),
  ];
  for (const read of wrong) t.true(codeOf(read).startsWith('OMEN_'));
});
