/** What OmenLevel does beyond what the published suite asks of every database. */
import test from 'ava';
import fc from 'fast-check';
import { OmenError } from '../src/index.ts';
import { type LevelError, OmenLevel } from '../src/level.ts';
import { messageOf, startWorker } from './coordinator/support.ts';
import { codedError, openLevel, SMALL } from './level/support.ts';
import { codeOf, temporaryDirectory } from './storage/support.ts';

test('an open that fails tells why in the terms of Level, with ours as the cause', async (t) => {
  const level = await openLevel(t);
  const second = new OmenLevel(level.location);
  const locked = await codedError(t, () => second.open());
  t.is(locked.code, 'LEVEL_DATABASE_NOT_OPEN');
  const cause = locked.cause as LevelError;
  t.is(cause.code, 'LEVEL_LOCKED');
  t.true(cause.cause instanceof OmenError);

  const missing = new OmenLevel(`${level.location}-not`, { createIfMissing: false });
  const notThere = (await codedError(t, () => missing.open())).cause as LevelError;
  t.is(notThere.code, 'OMEN_NOT_FOUND');
  t.regex(notThere.message, /does not exist/);

  const wrong = new OmenLevel(temporaryDirectory(t), { shards: 0 });
  const refused = (await codedError(t, () => wrong.open())).cause as LevelError;
  t.is(refused.code, 'OMEN_INVALID_OPTIONS');

  const stranger = new OmenLevel({ omendb: 1, databaseId: 'nobody', threadId: 999 });
  const unattached = (await codedError(t, () => stranger.open())).cause as LevelError;
  t.is(unattached.code, 'OMEN_ATTACH_FAILED');
});

test('a location that is none is refused at once', (t) => {
  for (const location of ['', undefined, null, 5, {}]) {
    t.is(
      codeOf(() => new OmenLevel(location as string)),
      'OMEN_INVALID_OPTIONS',
    );
  }
});

test('settings of ours are passed on, those of other databases are ignored', async (t) => {
  const options = { shards: 3, memory: 2 ** 28, compression: false, cacheSize: 1000 };
  const level = await openLevel(t, options);
  t.is(level.database.stats().shards.length, 3);
  await level.close();
  t.is((await codedError(t, () => level.database)).code, 'LEVEL_DATABASE_NOT_OPEN');
  const reading = new OmenLevel(level.location, { readOnly: true });
  t.teardown(() => reading.close());
  t.is((await codedError(t, () => reading.put('a', '1'))).code, 'LEVEL_READONLY');
});

test('a database that is made without a word about shards has one, and any opens without', async (t) => {
  const level = await openLevel(t, { shards: undefined });
  t.is(level.database.stats().shards.length, 1);
  await level.close();
  const again = new OmenLevel(level.location, { errorIfExists: true });
  t.is(((await codedError(t, () => again.open())).cause as LevelError).code, 'OMEN_EXISTS');
  await level.open();
  t.is(level.database.stats().shards.length, 1);
  const splits = [Buffer.from('b'), Buffer.from('c')];
  const byRange = await openLevel(t, { shards: 3, partition: { splits } });
  await byRange.batch(['d', 'b', 'a'].map((key) => ({ type: 'put', key, value: key })));
  t.deepEqual(await byRange.keys().all(), ['a', 'b', 'd']);
  await byRange.close();
  await byRange.open();
  t.deepEqual(await byRange.values({ reverse: true }).all(), ['d', 'b', 'a']);
});

test('what the engine refuses comes with a code of Level', async (t) => {
  const level = await openLevel(t, { memtable: SMALL });
  const long = 'k'.repeat(70_000);
  for (const run of [
    () => level.put(long, ''),
    () => level.get(long),
    () => level.getSync(long),
    () => level.has(long),
    () => level.getMany([long]),
    () => level.hasMany([long]),
    () => level.del(long),
    () => level.batch([{ type: 'put', key: long, value: '' }]),
    () => level.iterator({ gte: long }).all(),
  ]) {
    const error = await codedError(t, run);
    t.is(error.code, 'LEVEL_INVALID_KEY');
    t.true((error.cause as OmenError).code === 'OMEN_INVALID_KEY');
  }
  const large = 'v'.repeat(2 ** 20);
  t.is((await codedError(t, () => level.put('a', large))).code, 'LEVEL_INVALID_VALUE');
  const operations = [
    { type: 'put', key: 'a', value: '1' },
    { type: 'put', key: long, value: '2' },
  ] as const;
  t.is((await codedError(t, () => level.batch([...operations]))).code, 'LEVEL_INVALID_KEY');
  t.is(await level.get('a'), undefined, 'nothing of a batch with a bad operation applies');
});

test('a snapshot of another database is refused', async (t) => {
  const one = await openLevel(t);
  const other = await openLevel(t);
  const snapshot = other.snapshot();
  for (const run of [
    () => one.get('a', { snapshot }),
    () => one.iterator({ snapshot }).all(),
    () => one.clear({ snapshot }),
  ]) {
    t.is((await codedError(t, run)).code, 'LEVEL_SNAPSHOT_NOT_OPEN');
  }
  await snapshot.close();
  t.is(other.database.stats().snapshots, 0);
});

test('a write with sync: true is flushed where others need not be', async (t) => {
  const level = await openLevel(t, { durability: 'os' });
  const flushes = () => level.database.stats().total.flushes;
  await level.put('a', '1');
  t.is(flushes(), 0);
  await level.put('b', '2', { sync: true } as object);
  const after = flushes();
  t.true(after > 0);
  await level
    .batch()
    .put('c', '3')
    .write({ sync: true } as object);
  t.true(flushes() > after);
  const synced = await openLevel(t);
  await synced.put('a', '1', { sync: true } as object);
  t.is(synced.database.stats().total.flushes, 0, 'the log was synced already');
});

test('a clear with a limit deletes so many from its end, in batches', async (t) => {
  const level = await openLevel(t, { durability: 'os' });
  const keys = Array.from({ length: 2500 }, (_, i) => String(i).padStart(5, '0'));
  await level.batch(keys.map((key) => ({ type: 'put', key, value: key })));
  await level.clear({ gte: '00100', limit: 2200 });
  t.deepEqual(await level.keys().all(), [...keys.slice(0, 100), ...keys.slice(2300)]);
  await level.clear({ reverse: true, limit: 3 });
  t.deepEqual(await level.keys({ reverse: true, limit: 1 }).all(), ['02496']);
  t.is(level.database.stats().snapshots, 0);
});

test('another thread joins by the handle of the database', async (t) => {
  const level = await openLevel(t);
  await level.put('greeting', 'hello');
  const { worker, finished } = startWorker(t, '../level/attached.ts', level.database.handle());
  t.deepEqual(await messageOf(worker), { found: 'hello', keys: ['answer', 'greeting'] });
  await finished;
  t.is(await level.get('answer'), 'hello back');
});

const BYTES = fc.uint8Array({ minLength: 0, maxLength: 3, min: 0, max: 3 });
const RANGE = fc.record(
  {
    gt: BYTES,
    gte: BYTES,
    lt: BYTES,
    lte: BYTES,
    reverse: fc.boolean(),
    limit: fc.integer({ min: -1, max: 8 }),
  },
  { requiredKeys: [] },
);

type Range = typeof RANGE extends fc.Arbitrary<infer R> ? R : never;

const isWithin = (key: Uint8Array, { gt, gte, lt, lte }: Range) => {
  const order = (bound: Uint8Array) => Buffer.compare(key, bound);
  const isAbove = gte !== undefined ? order(gte) >= 0 : gt === undefined || order(gt) > 0;
  return isAbove && (lte !== undefined ? order(lte) <= 0 : lt === undefined || order(lt) < 0);
};

test('any range, sought in or not, has the keys that a sorted list has', async (t) => {
  const level = await openLevel(t, { durability: 'os', shards: 3, memtable: SMALL });
  const view = { keyEncoding: 'view', valueEncoding: 'view' } as const;
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(BYTES, { selector: (key) => key.toString(), maxLength: 40 }),
      RANGE,
      fc.option(BYTES, { nil: undefined }),
      fc.integer({ min: 1, max: 10 }),
      async (keys, range, target, size) => {
        await level.clear();
        await level.batch<Uint8Array, Uint8Array>(
          keys.map((key) => ({ type: 'put', key, value: key })),
          view,
        );
        const sorted = keys.toSorted(Buffer.compare).filter((key) => isWithin(key, range));
        if (range.reverse) sorted.reverse();
        const isPast = (key: Uint8Array, from: Uint8Array) =>
          range.reverse ? Buffer.compare(key, from) <= 0 : Buffer.compare(key, from) >= 0;
        const left =
          target === undefined
            ? sorted
            : isWithin(target, range)
              ? sorted.filter((key) => isPast(key, target))
              : [];
        const { limit = -1 } = range;
        const expected = limit < 0 ? left : left.slice(0, limit);
        const iterator = level.iterator<Uint8Array, Uint8Array>({ ...range, ...view });
        if (target !== undefined) iterator.seek(target);
        const found: Uint8Array[] = [];
        const first = await iterator.next();
        if (first !== undefined) found.push(first[0]);
        for (const [key, value] of await iterator.nextv(size)) {
          if (Buffer.compare(key, value) !== 0) throw new Error('A value is of another key.');
          found.push(key);
        }
        for (const [key] of await iterator.all()) found.push(key);
        t.deepEqual(found.map(String), expected.map(String));
      },
    ),
    { numRuns: 150 },
  );
  t.is(level.database.stats().snapshots, 0);
});
