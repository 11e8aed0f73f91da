/** Bulk loads into a database that has rows of the same keys: replaced, kept, or refused. */
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { Database, LoadOptions } from '../../src/index.ts';
import { BEGINNING, setTime } from '../conformance/clock.ts';
import { codeOfAsync, contentOf, errorOf, NUMBERS, openNew, SMALL } from './support.ts';

type Numbers = Database<number, { value: number }, number, { value: number }>;
type Pair = readonly [key: number, value: number];
type Step =
  | { readonly put: readonly Pair[] }
  | { readonly del: readonly number[] }
  | { readonly clear: readonly [from: number, to: number] }
  | { readonly load: readonly Pair[] }
  | 'flush'
  | 'compact';

const KEY = fc.integer({ min: 0, max: 40 });
const PAIRS = fc.array(fc.tuple(KEY, fc.integer()), { maxLength: 30 });
const STEP: fc.Arbitrary<Step> = fc.oneof(
  PAIRS.map((put) => ({ put })),
  fc.array(KEY, { maxLength: 8 }).map((del) => ({ del })),
  fc.tuple(KEY, KEY).map((clear) => ({ clear })),
  PAIRS.map((load) => ({ load })),
  fc.constantFrom('flush' as const, 'compact' as const),
);

const rowsOf = (pairs: readonly Pair[]) => pairs.map(([key, value]) => [key, { value }] as const);

async function take(db: Numbers, wanted: Map<number, number>, step: Step): Promise<void> {
  if (step === 'flush') return db.flush();
  if (step === 'compact') return db.compact();
  if ('put' in step) {
    for (const [key, value] of step.put) void db.put(key, { value });
    for (const [key, value] of step.put) wanted.set(key, value);
  } else if ('del' in step) {
    for (const key of step.del) void db.del(key);
    for (const key of step.del) wanted.delete(key);
  } else if ('clear' in step) {
    const [gte, lt] = step.clear;
    await db.clear({ gte, lt });
    for (const key of [...wanted.keys()]) if (key >= gte && key < lt) wanted.delete(key);
  } else {
    await db.bulkLoad(rowsOf(step.load));
    for (const [key, value] of step.load) wanted.set(key, value);
  }
}

function checkContent(t: ExecutionContext, db: Numbers, wanted: Map<number, number>): void {
  t.deepEqual(contentOf(t, db), new Map([...wanted].sort(([a], [b]) => a - b)));
}

test('whatever there is, in memory, in runs, deleted or cleared: it is replaced, kept, or refused', async (t) => {
  const dbs = await Promise.all(
    [1, 2, 3].map((shards) => openNew(t, { ...NUMBERS, shards, threads: 1, memtable: SMALL })),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(STEP, { maxLength: 12 }),
      PAIRS,
      fc.constantFrom('replace', 'keep', 'error'),
      fc.constantFrom('last', 'first', 'error'),
      fc.constantFrom(...dbs),
      async (steps, pairs, onExisting, onDuplicate, db) => {
        await db.clear();
        const wanted = new Map<number, number>();
        for (const step of steps) await take(db, wanted, step);
        const options = { onExisting, onDuplicate } as LoadOptions;
        const load = db.bulkLoad(rowsOf(pairs), options);
        const rows = new Map(onDuplicate === 'first' ? pairs.toReversed() : pairs);
        const existing = [...rows.keys()].filter((key) => wanted.has(key)).length;
        const isRefused = onExisting === 'error' && existing > 0;
        const isUnique = rows.size === pairs.length || onDuplicate !== 'error';
        if (isRefused || !isUnique) {
          const code = await codeOfAsync(load);
          const codes = [
            ...(isRefused ? ['OMEN_KEY_EXISTS'] : []),
            ...(isUnique ? [] : ['OMEN_DUPLICATE_KEY']),
          ];
          t.true(codes.includes(code), code);
        } else {
          const report = await load;
          const kept = onExisting === 'keep' ? existing : 0;
          t.is(report.existing, kept);
          t.is(report.rows, rows.size - kept);
          t.is(report.duplicates, pairs.length - rows.size);
          for (const [key, value] of rows) {
            if (onExisting !== 'keep' || !wanted.has(key)) wanted.set(key, value);
          }
        }
        checkContent(t, db, wanted);
      },
    ),
    { numRuns: 60 },
  );
});

test('the error names a key that is there, of any type', async (t) => {
  const numbers = await openNew(t, { ...NUMBERS, shards: 2 });
  await numbers.put(7, { value: 1 });
  const refused = numbers.bulkLoad(
    rowsOf([
      [6, 1],
      [7, 2],
    ]),
    { onExisting: 'error' },
  );
  const error = await errorOf(t, refused);
  t.is(error.code, 'OMEN_KEY_EXISTS');
  t.regex(error.message, /the key 7 already/);
  t.deepEqual([...contentOf(t, numbers)], [[7, 1]]);
  const texts = await openNew(t, { key: 'utf8', value: 'json', shards: 2 });
  const names = Array.from({ length: 500 }, (_, i) => `https://example.com/${i}`);
  await texts.bulkLoad(names.map((name, i) => [name, i] as const));
  await texts.del(names[3]);
  const all = [...names, 'https://example.com/500'].map((name) => [name, -1] as const);
  const { rows, existing } = await texts.bulkLoad(all, { onExisting: 'keep' });
  t.deepEqual([rows, existing], [2, 499]);
  t.deepEqual([texts.get(names[3]), texts.get(names[4])], [-1, 4]);
  t.is(texts.get('https://example.com/500'), -1);
  const again = await errorOf(t, texts.bulkLoad(all.slice(9, 10), { onExisting: 'error' }));
  t.regex(again.message, /the key 'https:\/\/example.com\/9' already/);
});

test('rows kept of more than fits into memory, in order or not', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const count = 150_000;
  const even = Array.from({ length: count }, (_, i) => [2 * i, i] as const);
  await db.bulkLoad(rowsOf(even));
  for (const step of [1, 7919]) {
    // Keys that are there, keys that are not, and a second row for some of either.
    const keys = Array.from({ length: count }, (_, i) => 3 * ((i * step) % count));
    const all = [...keys, 0, 3, 6, 9].map((key) => [key, -1] as const);
    const report = await db.bulkLoad(rowsOf(all), { onExisting: 'keep', memory: 2 ** 20 });
    t.deepEqual([report.rows, report.existing, report.duplicates], [100_000, 50_000, 4]);
    t.deepEqual([db.get(6)?.value, db.get(3)?.value], [3, -1]);
    t.is(db.count(), count + 100_000);
    t.is(
      await codeOfAsync(db.bulkLoad(rowsOf(all), { onExisting: 'error', memory: 2 ** 20 })),
      'OMEN_KEY_EXISTS',
    );
    await db.clear({ gte: 2 * count });
    for (let key = 3; key < 2 * count; key += 6) void db.del(key);
  }
});

test('rows that have expired are not there any more', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1, ttl: true });
  setTime(db, BEGINNING);
  await db.put(1, { value: 1 }, { ttl: 1000 });
  await db.put(2, { value: 2 }, { ttl: 5000 });
  await db.put(3, { value: 3 });
  setTime(db, BEGINNING + 2000);
  const { existing } = await db.bulkLoad(rowsOf([1, 2, 3, 4].map((key) => [key, -1])), {
    onExisting: 'keep',
  });
  t.is(existing, 2);
  t.deepEqual(
    [...contentOf(t, db)],
    [
      [1, -1],
      [2, 2],
      [3, 3],
      [4, -1],
    ],
  );
});

test('what is written while a load goes on is newer than it, and does not count as there', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  await db.put(1, { value: 1 });
  async function* source() {
    yield* rowsOf([[1, -1]]);
    await db.put(2, { value: 2 });
    await db.del(3);
    await db.flush();
    yield* rowsOf([
      [2, -1],
      [3, -1],
      [4, -1],
    ]);
  }
  const { rows, existing } = await db.bulkLoad(source(), { onExisting: 'keep' });
  t.deepEqual([rows, existing], [3, 1]);
  t.deepEqual(
    [...contentOf(t, db)],
    [
      [1, 1],
      [2, 2],
      [4, -1],
    ],
  );
});

test('a load that looks at what is there has its turn after those before it, and before those behind', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const ended: string[] = [];
  const gate = Promise.withResolvers<void>();
  const isOpen = Promise.withResolvers<void>();
  async function* slow() {
    isOpen.resolve();
    await gate.promise;
    yield* rowsOf([[1, 1]]);
  }
  const loads = [db.bulkLoad(slow()).then(() => ended.push('first'))];
  await isOpen.promise;
  const begin = (name: string, pairs: readonly Pair[], onExisting: LoadOptions['onExisting']) =>
    loads.push(db.bulkLoad(rowsOf(pairs), { onExisting }).then(() => ended.push(name)));
  const stop = new AbortController();
  const given = db.bulkLoad(rowsOf([[3, 3]]), { onExisting: 'keep', signal: stop.signal });
  begin(
    'second',
    [
      [1, 2],
      [2, 2],
    ],
    'keep',
  );
  begin('third', [[2, 3]], 'replace');
  stop.abort();
  t.is(await codeOfAsync(given), 'OMEN_ABORTED');
  // With nothing to wait for, it would have ended by now.
  await db.put(9, { value: 9 });
  await db.flush();
  t.deepEqual(ended, []);
  gate.resolve();
  await Promise.all(loads);
  t.deepEqual(ended, ['first', 'second', 'third']);
  t.deepEqual(
    [...contentOf(t, db)],
    [
      [1, 1],
      [2, 3],
      [9, 9],
    ],
  );
});

test('closing the database ends a load that waits', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const isOpen = Promise.withResolvers<void>();
  async function* hanging() {
    isOpen.resolve();
    await new Promise(() => {});
    yield* rowsOf([[1, 1]]);
  }
  const codes = [codeOfAsync(db.bulkLoad(hanging()))];
  await isOpen.promise;
  codes.push(codeOfAsync(db.bulkLoad(rowsOf([[2, 2]]), { onExisting: 'error' })));
  await db.close();
  t.deepEqual(await Promise.all(codes), ['OMEN_CLOSED', 'OMEN_CLOSED']);
});
