import { existsSync } from 'node:fs';
import test from 'ava';
import type { Explanation } from '../../src/index.ts';
import { NUMBERS, openNew } from './support.ts';

const found = (explanation: Explanation): string[] =>
  [...explanation.memtables, ...explanation.runs].map((probe) => probe.found);

test('an explanation follows the key from memtable to run, and through its deletion', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  t.deepEqual(db.explain(7), {
    shard: 0,
    found: 'nothing',
    memtables: [],
    runs: [],
    comparisons: 0,
    cacheLines: 0,
  });
  await db.put(7, { value: 1 });
  t.like(db.explain(7), { found: 'row', memtables: [{ state: 'active', entries: 1 }], runs: [] });
  t.is(db.explain(8).found, 'nothing');
  await db.flush();
  t.like(db.explain(7), { found: 'row', memtables: [], runs: [{ rows: 1, found: 'row' }] });
  await db.put(8, { value: 2 });
  await db.flush();
  t.deepEqual(found(db.explain(7)), ['nothing', 'row']);
  t.deepEqual(found(db.explain(8)), ['row'], 'the newest run is asked first');
  t.deepEqual(found(db.explain(9)), ['nothing', 'nothing']);
  await db.del(7);
  t.deepEqual(found(db.explain(7)), ['tombstone']);
  t.deepEqual(found(db.explain(8)), ['nothing', 'row']);
  await db.flush();
  t.deepEqual(found(db.explain(7)), ['tombstone']);
  t.is(db.get(7), undefined);
  await db.compact();
  t.deepEqual(found(db.explain(7)), ['nothing']);
});

test('in a segment it tells where the model leads, and how far off that is', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const keys = Array.from({ length: 20_000 }, (_, i) => Math.floor(i ** 1.7));
  await db.batch(keys.map((key) => ({ type: 'put', key, value: { value: key } })));
  await db.compact();
  for (const key of [...keys.filter((_, i) => i % 371 === 0), -5, 4, 1e9]) {
    const { shard, found: what, runs, comparisons, cacheLines } = db.explain(key);
    t.is(what === 'row', db.get(key) !== undefined);
    t.true(shard === 0 || shard === 1);
    const [{ segment, rows }] = runs;
    t.is(rows, db.stats().shards[shard].rows);
    if (segment === null) throw new Error('A run of one segment is searched whatever the key.');
    t.true(existsSync(segment.file), segment.file);
    t.is(segment.error, Math.abs(segment.predicted - segment.position));
    t.true(what !== 'row' || segment.error <= segment.errorMax);
    t.is(segment.path[0].node, 0);
    t.true(segment.window.first <= segment.position || segment.position === 0);
    t.true(comparisons >= segment.comparisons && comparisons < 40);
    t.true(cacheLines > 2 && cacheLines < 20);
  }
});

test('an explanation is plain data, whatever the type of the key', async (t) => {
  const db = await openNew(t, { key: 'uint64', value: 'utf8', shards: 3, bigints: true });
  const keys = Array.from({ length: 300 }, (_, i) => 2n ** 64n - 1n - BigInt(i) ** 5n);
  for (const key of keys) void db.put(key, `${key}`);
  await db.flush();
  await db.put(1n, 'one');
  for (const key of [...keys, 1n, 2n]) {
    const explanation = db.explain(key);
    t.deepEqual(JSON.parse(JSON.stringify(explanation)), explanation);
    t.is(explanation.found, key === 2n ? 'nothing' : 'row');
  }
  t.throws(() => db.explain(-1), { code: 'OMEN_INVALID_KEY' });
});
