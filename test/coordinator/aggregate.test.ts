import test from 'ava';
import fc from 'fast-check';
import type { Database } from '../../src/index.ts';
import { runChild } from './child.ts';
import { COLUMNS, type FilteredRow, filters, KEYS, matches, rows } from './filters.ts';
import { codeOfAsync, openNew, openWithPins, temporaryDirectory } from './support.ts';

type Row = FilteredRow & { readonly key: number };

const NUMBERS = ['a', 'b', 'c', 'd', 'f', 'key'] as const;
const FIELDS = [...NUMBERS, 'e', 'g', 'h'] as const;

/** Every figure of every column. */
const SPEC = {
  n: 'count',
  ...Object.fromEntries(
    FIELDS.flatMap((name) => [
      [`count ${name}`, ['count', name]],
      [`distinct ${name}`, ['distinct', name]],
    ]),
  ),
  ...Object.fromEntries(
    NUMBERS.flatMap((name) =>
      ['sum', 'mean', 'min', 'max', 'variance', 'stddev'].map((what) => [
        `${what} ${name}`,
        [what, name],
      ]),
    ),
  ),
} as never;

const isWhole = (name: string) => ['a', 'b', 'f', 'key'].includes(name);
const nameOf = (value: unknown) =>
  value instanceof Uint8Array ? `bytes ${Buffer.from(value).toString('hex')}` : value;

/** The figures, worked out from the rows themselves. */
function figuresOf(all: readonly Row[]): Record<string, unknown> {
  const figures: Record<string, unknown> = { n: all.length };
  for (const name of FIELDS) {
    const values = all.map((row) => row[name]).filter((value) => value !== null);
    figures[`count ${name}`] = values.length;
    figures[`distinct ${name}`] = new Set(values.map(nameOf)).size;
    if (!NUMBERS.some((one) => one === name)) continue;
    const given = values as (number | bigint)[];
    const numbers = given.filter((value) => !Number.isNaN(value));
    const hasNaN = numbers.length < given.length;
    const least = (sign: number) =>
      numbers.reduce<number | bigint | null>(
        (best, one) => (best === null || (sign < 0 ? one < best : one > best) ? one : best),
        null,
      );
    const big = (value: number | bigint | null) =>
      value !== null && (name === 'b' || name === 'key') ? BigInt(value) : value;
    figures[`min ${name}`] = big(least(-1));
    figures[`max ${name}`] = big(least(1));
    const sum = isWhole(name)
      ? numbers.reduce<bigint>((total, one) => total + BigInt(one), 0n)
      : numbers.reduce<number>((total, one) => total + Number(one), 0);
    figures[`sum ${name}`] = hasNaN ? Number.NaN : sum;
    const mean = given.length === 0 ? null : hasNaN ? Number.NaN : Number(sum) / given.length;
    figures[`mean ${name}`] = mean;
    const average = Number(mean);
    const variance =
      given.length < 2
        ? null
        : given.reduce<number>((all, one) => all + (Number(one) - average) ** 2, 0) /
          (given.length - 1);
    figures[`variance ${name}`] = variance;
    figures[`stddev ${name}`] = variance === null ? null : Math.sqrt(variance);
  }
  return figures;
}

/** Floats that may differ by rounding: those of huge values cannot be told at all. */
function isNear(found: unknown, expected: unknown): boolean {
  if (typeof found !== 'number' || typeof expected !== 'number') return Object.is(found, expected);
  if (!Number.isFinite(expected) || Math.abs(expected) > 1e100) {
    return !Number.isFinite(found) || Math.abs(found) > 1e90;
  }
  return Math.abs(found - expected) <= 1e-7 * (1 + Math.abs(expected)) || found === expected;
}

function differences(found: object, expected: object): unknown[] {
  const all = new Map(Object.entries(expected));
  const wrong = Object.entries(found).filter(([name, value]) => !isNear(value, all.get(name)));
  return [...wrong.map(([name, value]) => [name, value, all.get(name)])];
}

for (const shards of [1, 3]) {
  test(`figures are those of the rows that a filter leaves, of ${shards} shards in any state`, async (t) => {
    const options = { key: 'int64', columns: COLUMNS, bigints: true, shards, threads: 1 } as const;
    const db: Database = await openNew(t, options);
    const [chosen] = fc.sample(fc.array(rows, { minLength: 14, maxLength: 14 }), 1);
    const content = new Map<number, Row>();
    for (const [i, key] of [...KEYS, ...KEYS.slice(3, 9)].entries()) {
      const row = chosen[(i * 5) % chosen.length];
      await db.put(key, row);
      content.set(key, { ...row, key });
      if (i === 9 || i === 15) await db.flush();
    }
    await db.del(KEYS[2]);
    content.delete(KEYS[2]);
    const grouped = fc.constantFrom(undefined, 'a', 'b', 'd', 'e', 'f', 'g', 'h', 'key');
    const holds = fc.asyncProperty(filters, grouped, async (where, groupBy) => {
      const left = [...content.values()].filter((row) => matches(row.key, row, where));
      if (groupBy === undefined) {
        const found = await db.aggregate({ where }, SPEC);
        t.deepEqual(differences(found as object, figuresOf(left)), []);
        return;
      }
      const groups = Map.groupBy(left, (row) => nameOf(row[groupBy]));
      const found = (await db.aggregate({ where, groupBy }, SPEC)) as Record<string, unknown>[];
      t.is(found.length, groups.size);
      for (const { [groupBy]: value, ...figures } of found) {
        const name = groupBy === 'key' ? Number(value) : nameOf(value);
        const zero = name === 0 ? 0 : name;
        t.deepEqual(differences(figures, figuresOf(groups.get(zero) ?? [])), [], String(value));
      }
    });
    for (const settle of [() => {}, () => db.flush(), () => db.compact()]) {
      await settle();
      await fc.assert(holds, { numRuns: 40 });
    }
  });
}

const COUNT = 200_000;
const START = Date.UTC(2026, 0, 1);
const rowAt = (i: number) => ({
  n: (i * 7919) % 1009,
  x: Math.sin(i) * 1000 + 1e6,
  wide: i * 2 ** 33,
  tag: i % 4 === 0 ? null : `tag ${i % 3}`,
});
const SERIES = {
  key: 'timestamp',
  columns: { n: 'int32', x: 'float64', wide: 'int64', tag: 'utf8?' },
} as const;

async function fillSeries(db: Awaited<ReturnType<typeof openSeries>>, keys: readonly number[]) {
  for (let at = 0; at < keys.length; at += 10_000) {
    const some = keys.slice(at, at + 10_000);
    await db.batch(
      some.map((i) => ({ type: 'put', key: START + 1000 * i, value: rowAt(i) }) as const),
    );
  }
}

async function openSeries(t: Parameters<typeof openNew>[0]) {
  return (await openWithPins(t, { ...SERIES, shards: 2 })).db;
}

const all = Array.from({ length: COUNT }, (_, i) => i);
const sumOf = (keys: readonly number[], of: (i: number) => number) =>
  keys.reduce((sum, i) => sum + of(i), 0);

test('a range too long to be read here is read by other threads, settled or not, with the same figures', async (t) => {
  const { db, pinned } = await openWithPins(t, { ...SERIES, shards: 2 });
  await fillSeries(db, all.slice(0, 150_000));
  await db.compact();
  await fillSeries(db, all.slice(150_000));
  const range = { gte: START + 1000 * 1234, lt: START + 1000 * 190_001 };
  const within = all.slice(1234, 190_001);
  const mean = sumOf(within, (i) => rowAt(i).x) / within.length;
  const variance = sumOf(within, (i) => (rowAt(i).x - mean) ** 2) / (within.length - 1);
  const matching = within.filter((i) => rowAt(i).n < 100);
  for (const settle of [() => {}, () => db.flush(), () => db.compact()]) {
    await settle();
    const found = await db.aggregate(range, {
      rows: 'count',
      n: ['sum', 'n'],
      wide: ['sum', 'wide'],
      low: ['min', 'x'],
      high: ['max', 'x'],
      mean: ['mean', 'x'],
      variance: ['variance', 'x'],
      tags: ['count', 'tag'],
      kinds: ['distinct', 'tag'],
      median: ['quantile', 'n', 0.5],
    });
    t.is(found.rows, within.length);
    t.is(found.n, BigInt(sumOf(within, (i) => rowAt(i).n)));
    t.is(
      found.wide,
      within.reduce((sum, i) => sum + BigInt(rowAt(i).wide), 0n),
    );
    const values = Float64Array.from(within, (i) => rowAt(i).x).sort();
    t.deepEqual([found.low, found.high], [values[0], values.at(-1)]);
    t.true(Math.abs(Number(found.mean) / mean - 1) < 1e-12);
    t.true(Math.abs(Number(found.variance) / variance - 1) < 1e-9);
    t.is(found.tags, within.filter((i) => i % 4 !== 0).length);
    t.is(found.kinds, 3);
    t.true(Math.abs(Number(found.median) - 504) <= 504 * 0.006, String(found.median));
    const some = await db.aggregate(
      { ...range, where: { n: { lt: 100 } } },
      { n: 'count', x: ['mean', 'x'] },
    );
    t.is(some.n, matching.length);
    t.true(Math.abs(Number(some.x) * some.n - sumOf(matching, (i) => rowAt(i).x)) < 1e-2);
    const known = await db.aggregate(range, {
      rows: 'count',
      x: ['sum', 'x'],
      wide: ['max', 'wide'],
    });
    t.is(known.rows, within.length);
    t.is(known.wide, rowAt(190_000).wide);
    t.true(Math.abs(Number(known.x) / (mean * within.length) - 1) < 1e-12);
  }
  t.is(pinned(), 0);
});

test('groups are by stretch of time, by column and by both, in order', async (t) => {
  const db = await openSeries(t);
  await fillSeries(db, all.slice(0, 10_000));
  for (const settle of [() => {}, () => db.compact()]) {
    await settle();
    const hours = await db.aggregate({ bucket: '1h' }, { n: 'count', x: ['mean', 'x'] });
    t.deepEqual(
      hours.map(({ bucket, n }) => [bucket, n]),
      [
        [START, 3600],
        [START + 3_600_000, 3600],
        [START + 7_200_000, 2800],
      ],
    );
    t.true(
      Math.abs(Number(hours[1].x) - sumOf(all.slice(3600, 7200), (i) => rowAt(i).x) / 3600) < 1e-6,
    );
    const both = await db.aggregate(
      { bucket: '1h', groupBy: 'tag', lt: START + 4_000_000 },
      { n: 'count' },
    );
    const expected = [0, 3600].flatMap((from) =>
      [null, 'tag 0', 'tag 1', 'tag 2'].map((tag) => ({
        bucket: START + 1000 * from,
        tag,
        n: all.slice(from, Math.min(4000, from + 3600)).filter((i) => rowAt(i).tag === tag).length,
      })),
    );
    t.deepEqual(both, expected);
  }
});

test('of no rows there is a row of nothing, and no group', async (t) => {
  const db = await openSeries(t);
  const spec = {
    n: 'count',
    s: ['sum', 'x'],
    w: ['sum', 'n'],
    m: ['mean', 'x'],
    q: ['quantile', 'x', 1],
    d: ['distinct', 'tag'],
  } as const;
  const nothing = { n: 0, s: 0, w: 0n, m: null, q: null, d: 0 };
  t.deepEqual(await db.aggregate({}, spec), nothing);
  await fillSeries(db, [1, 2, 3]);
  for (const range of [{ gt: 5, lt: 4 }, { where: { tag: 'no such' } }]) {
    t.deepEqual(await db.aggregate(range, spec), nothing);
    t.deepEqual(await db.aggregate({ ...range, groupBy: 'tag' }, spec), []);
  }
});

test('distinct values are exact up to 4,096, and beyond within a few standard errors', async (t) => {
  const db = await openSeries(t);
  await fillSeries(db, all.slice(0, 60_000));
  const spec = { n: ['distinct', 'n'], x: ['distinct', 'x'], key: ['distinct', 'key'] } as const;
  const { n, x, key } = await db.aggregate({}, spec);
  t.is(n, 1009);
  for (const many of [x, key]) t.true(Math.abs(many / 60_000 - 1) < 4 * 0.0081, `${many}`);
  const few = await db.aggregate({ lt: START + 1000 * 4096 }, spec);
  t.deepEqual([few.x, few.key], [4096, 4096]);
});

test('an aggregate sees one instant: that of its snapshot, whatever is written meanwhile', async (t) => {
  const { db, pinned } = await openWithPins(t, { ...SERIES, shards: 2 });
  await fillSeries(db, all.slice(0, 150_000));
  using snapshot = db.snapshot();
  const spec = { rows: 'count', n: ['distinct', 'n'], x: ['sum', 'x'] } as const;
  const before = await db.aggregate({}, spec);
  const running = db.aggregate({}, spec);
  const writing = db.batch(
    all.slice(0, 500).map((i) => ({ type: 'del', key: START + 1000 * i }) as const),
  );
  t.deepEqual(await running, before);
  await writing;
  await db.compact();
  t.is((await db.aggregate({}, spec)).rows, 149_500);
  t.deepEqual(await snapshot.aggregate({}, spec), before);
  snapshot.close();
  t.is(await codeOfAsync(snapshot.aggregate({}, spec)), 'OMEN_CLOSED');
  t.is(pinned(), 0);
});

test('an aggregate is aborted by its signal, before it begins and between tasks, and holds nothing', async (t) => {
  const { db, pinned } = await openWithPins(t, { ...SERIES, shards: 2 });
  await fillSeries(db, all.slice(0, 150_000));
  const spec = { n: ['distinct', 'n'] } as const;
  const reason = new Error('enough');
  const error = await t.throwsAsync(db.aggregate({ signal: AbortSignal.abort(reason) }, spec));
  t.is(error?.cause, reason);
  const controller = new AbortController();
  const running = db.aggregate({ signal: controller.signal }, spec);
  controller.abort();
  t.is(await codeOfAsync(running), 'OMEN_ABORTED');
  t.is(pinned(), 0);
  const closing = db.aggregate({}, spec);
  await db.close();
  t.is(await codeOfAsync(closing), 'OMEN_CLOSED');
});

const WRONG: readonly (readonly [string, object, unknown])[] = [
  ['OMEN_INVALID_AGGREGATE', {}, null],
  ['OMEN_INVALID_AGGREGATE', {}, ['count']],
  ['OMEN_INVALID_AGGREGATE', {}, { n: 'sum' }],
  ['OMEN_INVALID_AGGREGATE', {}, { n: ['total', 'n'] }],
  ['OMEN_INVALID_AGGREGATE', {}, { n: ['sum', 'tag'] }],
  ['OMEN_INVALID_AGGREGATE', {}, { n: ['sum', 'n', 1] }],
  ['OMEN_INVALID_AGGREGATE', {}, { n: ['quantile', 'n'] }],
  ['OMEN_INVALID_AGGREGATE', {}, { n: ['quantile', 'n', 2] }],
  ['OMEN_INVALID_AGGREGATE', { bucket: '1h' }, { bucket: 'count' }],
  ['OMEN_INVALID_AGGREGATE', { groupBy: 'n' }, { n: 'count' }],
  ['OMEN_INVALID_AGGREGATE', { bucket: '0m' }, {}],
  ['OMEN_INVALID_AGGREGATE', { bucket: 60 }, {}],
  ['OMEN_INVALID_AGGREGATE', { bucket: '1 month' }, {}],
  ['OMEN_UNKNOWN_COLUMN', {}, { n: ['sum', 'z'] }],
  ['OMEN_UNKNOWN_COLUMN', { groupBy: 'z' }, {}],
  ['OMEN_INVALID_RANGE', { limit: 5 }, {}],
  ['OMEN_INVALID_RANGE', { gt: 1, gte: 1 }, {}],
  ['OMEN_INVALID_WHERE', { where: { n: 'a' } }, {}],
  ['OMEN_INVALID_KEY', { gt: 'a' }, {}],
];

test('an aggregate that is malformed is refused', async (t) => {
  const { db, pinned } = await openWithPins(t, { ...SERIES, shards: 1 });
  for (const [code, range, spec] of WRONG) {
    t.is(
      await codeOfAsync(db.aggregate(range, spec as never)),
      code,
      JSON.stringify([range, spec]),
    );
  }
  t.is(pinned(), 0);
  const numbers = await openNew(t, { key: 'int64', columns: { n: 'int64' }, shards: 1 });
  t.is(await codeOfAsync(numbers.aggregate({ bucket: '1h' }, {})), 'OMEN_INVALID_AGGREGATE');
  await numbers.put(1, { n: 2n ** 60n });
  t.is(await codeOfAsync(numbers.aggregate({}, { n: ['max', 'n'] })), 'OMEN_UNSAFE_INTEGER');
  t.deepEqual(await numbers.aggregate({}, { n: ['sum', 'n'] }), { n: 2n ** 60n });
});

test('a process that has aggregated ends, with its database open', async (t) => {
  const { said, code } = await runChild(t, 'aggregated', temporaryDirectory(t));
  t.deepEqual([said, code], ['140000', 0]);
});
