import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import test from 'ava';
import { type Database, open } from '../../src/index.ts';
import { BEGINNING, setTime } from '../conformance/clock.ts';
import { codeOfAsync, NUMBERS, openNew, SMALL, temporaryDirectory } from './support.ts';

const EXPIRING = { ...NUMBERS, ttl: true, shards: 2, threads: 1 } as const;
const value = (n: number) => ({ value: n });
const after = (ms: number) => ({ ttl: ms });

test('a row is there until it expires, and to nothing from then on', async (t) => {
  const db = await openNew(t, EXPIRING);
  setTime(db, BEGINNING);
  await db.put(1, value(1));
  await db.put(2, value(2), after(10));
  await db.put(3, value(3), { expiresAt: new Date(BEGINNING + 20) });
  await db.batch([
    { type: 'put', key: 4, value: value(4), ttl: 10 },
    { type: 'put', key: 5, value: value(5), expiresAt: null },
  ]);
  const ends = () => [1, 2, 3, 4, 5, 6].map((key) => db.expiresAt(key));
  const keys = () => {
    const found = [...db.keys()];
    t.deepEqual(
      [1, 2, 3, 4, 5].filter((key) => db.has(key) && db.get(key)?.value === key),
      found,
    );
    t.deepEqual([db.count(), db.rank(9), db.first()?.[0]], [found.length, found.length, 1]);
    t.deepEqual(
      db.getMany([1, 2, 3, 4, 5]).map((row) => row !== undefined),
      [1, 2, 3, 4, 5].map((key) => found.includes(key)),
    );
    return found;
  };
  const check = () => {
    setTime(db, BEGINNING + 9);
    t.deepEqual(ends(), [null, BEGINNING + 10, BEGINNING + 20, BEGINNING + 10, null, undefined]);
    t.deepEqual(keys(), [1, 2, 3, 4, 5]);
    setTime(db, BEGINNING + 10);
    t.deepEqual(ends(), [null, undefined, BEGINNING + 20, undefined, null, undefined]);
    t.deepEqual([keys(), db.at(1)?.[0], db.floor(4)?.[0]], [[1, 3, 5], 3, 3]);
    t.deepEqual([db.explain(2).found, db.explain(3).found], ['expired', 'row']);
    setTime(db, BEGINNING + 20);
    t.deepEqual([keys(), db.ceil(2)?.[0]], [[1, 5], 5]);
    setTime(db, BEGINNING);
  };
  check();
  await db.flush();
  check();
  await db.compact();
  check();
});

test('a snapshot, an iterator and a scan go by the time at which they began', async (t) => {
  const db = await openNew(t, { ...EXPIRING, memtable: SMALL });
  setTime(db, BEGINNING);
  const keys = Array.from({ length: 1001 }, (_, key) => key);
  await Promise.all(keys.map((key) => db.put(key, value(key), after(key % 2 ? 10 : 50))));
  await db.flush();
  using snapshot = db.snapshot();
  const entries = db.entries();
  const scan = db.scan({ columns: ['value'] });
  let scanned = (await scan.next()).value?.numRows ?? 0;
  entries.next();
  setTime(db, BEGINNING + 10);
  // Merges drop the rows, and leave what was captured.
  await db.compact();
  t.is(db.stats().total.rows, 501);
  t.is([...entries].length, 1000);
  for await (const batch of scan) scanned += batch.numRows;
  t.is(scanned, 1001);
  t.deepEqual([snapshot.count(), snapshot.get(1), snapshot.has(1)], [1001, value(1), true]);
  t.is(snapshot.expiresAt(1), BEGINNING + 10);
  t.is(snapshot.getMany([...Array(100).keys()]).filter((row) => row !== undefined).length, 100);
  t.deepEqual(await snapshot.aggregate({}, { n: 'count' }), { n: 1001 });
  using later = db.snapshot();
  t.deepEqual([db.count(), db.get(1), later.count()], [501, undefined, 501]);
  t.deepEqual(await db.aggregate({}, { n: 'count', hi: ['max', 'value'] }), { n: 501, hi: 1000 });
});

test('conditions take a row that has expired for absent, and may ask when one does', async (t) => {
  const db = await openNew(t, EXPIRING);
  setTime(db, BEGINNING);
  await db.put(1, value(1), after(10));
  const code = (promise: Promise<unknown>) => codeOfAsync(promise);
  const equals = value(1);
  t.is(await code(db.put(1, value(2), { if: 'absent' })), 'OMEN_CONDITION_FAILED');
  t.is(await code(db.del(1, { if: { equals, expiresAt: null } })), 'OMEN_CONDITION_FAILED');
  t.is(await code(db.del(1, { if: { equals, expiresAt: 5 } })), 'OMEN_CONDITION_FAILED');
  const expiresAt = BEGINNING + 10;
  t.is(await code(db.put(1, value(1), { if: { equals, expiresAt }, expiresAt })), '');
  setTime(db, BEGINNING + 10);
  t.is(await code(db.put(1, value(2), { if: 'present' })), 'OMEN_CONDITION_FAILED');
  t.is(await code(db.put(1, value(2), { if: { equals } })), 'OMEN_CONDITION_FAILED');
  const together = [
    { type: 'put', key: 1, value: value(3), if: 'absent', ttl: 5 },
    { type: 'put', key: 2, value: value(4), if: 'absent' },
  ] as const;
  t.is(await code(db.batch(together)), '');
  t.deepEqual([db.get(1), db.expiresAt(1), db.expiresAt(2)], [value(3), BEGINNING + 15, null]);
  t.is(await code(db.put(2, value(4), { if: { equals: value(4), expiresAt: null } })), '');
});

test('an update keeps the time of a row, unless it is given another one', async (t) => {
  const db = await openNew(t, { ...EXPIRING, ttl: 100 });
  setTime(db, BEGINNING);
  const more = (row: { value: number } | undefined) => value((row?.value ?? 0) + 1);
  await db.update(1, more);
  t.is(db.expiresAt(1), BEGINNING + 100);
  setTime(db, BEGINNING + 60);
  await db.update(1, more);
  t.deepEqual([db.get(1), db.expiresAt(1)], [value(2), BEGINNING + 100]);
  await db.update(1, more, after(100));
  t.is(db.expiresAt(1), BEGINNING + 160);
  await db.update(1, more, { expiresAt: null });
  await db.update(1, more);
  t.deepEqual([db.get(1), db.expiresAt(1)], [value(5), null]);
  await db.update(1, more, after(1));
  setTime(db, BEGINNING + 61);
  await db.update(1, more);
  t.deepEqual([db.get(1), db.expiresAt(1)], [value(1), BEGINNING + 161]);
  await Promise.all(Array.from({ length: 50 }, () => db.update(1, more)));
  t.deepEqual([db.get(1), db.expiresAt(1)], [value(51), BEGINNING + 161]);
  await db.update(1, () => undefined);
  t.is(db.expiresAt(1), undefined);
});

test('an update whose row is given another time meanwhile is made of the row again', async (t) => {
  const db = await openNew(t, EXPIRING);
  setTime(db, BEGINNING);
  await db.put(1, value(1), after(10));
  const others: Promise<void>[] = [];
  const twice = (row: { value: number } | undefined) => {
    // The same row with another time, written before the update's own write.
    if (others.length === 0) others.push(db.put(1, value(1), after(20)));
    return value(2 * (row?.value ?? 0));
  };
  await db.update(1, twice);
  await Promise.all(others);
  t.deepEqual([db.get(1), db.expiresAt(1)], [value(2), BEGINNING + 20]);
});

test('when rows expire can be filtered by, selected and aggregated under its own name', async (t) => {
  const db = await openNew(t, { key: 'int64', value: 'json', ttl: true, shards: 2 });
  setTime(db, BEGINNING);
  await db.put(1, 'a', after(10));
  await db.put(2, 'b', after(20));
  await db.put(3, 'c');
  const check = async () => {
    const soon = { where: { _omen_expires: { lt: new Date(BEGINNING + 15) } } };
    t.deepEqual([...db.keys(soon)], [1]);
    t.deepEqual([...db.keys({ where: { _omen_expires: null } })], [3]);
    const table = await db.scan({ columns: ['key', '_omen_expires'] }).toTable();
    t.deepEqual(
      [...(table.getChild('_omen_expires') ?? [])],
      [BEGINNING + 10, BEGINNING + 20, null],
    );
    t.deepEqual((await db.scan().toTable()).schema.names, ['key', 'value']);
    t.deepEqual(await db.aggregate({}, { last: ['max', '_omen_expires'] }), {
      last: BEGINNING + 20,
    });
    const { found, columns } = db.getMany([1, 3, 9], { columns: ['_omen_expires', 'value'] });
    t.deepEqual([...found], [1, 1, 0]);
    t.deepEqual(columns._omen_expires, [BEGINNING + 10, null, undefined]);
    t.deepEqual(columns.value, ['a', 'c', undefined]);
  };
  await check();
  await db.compact();
  await check();
});

test('the space of rows that have expired comes back as others are written', async (t) => {
  const db = await openNew(t, { ...EXPIRING, memtable: SMALL });
  setTime(db, BEGINNING);
  const keys = Array.from({ length: 4000 }, (_, key) => key);
  await Promise.all(keys.map((key) => db.put(key, value(key), key % 2 === 0 ? after(10) : {})));
  await db.flush();
  setTime(db, BEGINNING + 10);
  let rounds = 0;
  for (; rounds < 100 && db.stats().total.rows > 2400; rounds++) {
    await db.put(5000 + rounds, value(rounds), after(1000));
    await db.flush();
  }
  t.true(db.stats().total.rows <= 2400, `${db.stats().total.rows} rows after ${rounds} rounds`);
  t.is(db.count(), 2000 + rounds);
});

/** Of every row in the files of segments, its key, and when it expires. */
function filedRows(directory: string): [number, number | null][] {
  const shards = readdirSync(directory).filter((name) => name.startsWith('shard-'));
  const files = shards.flatMap((shard) =>
    readdirSync(join(directory, shard))
      .filter((name) => /^segment-\d+\.arrow$/.test(name))
      .map((name) => join(directory, shard, name)),
  );
  const rows = files.flatMap((file) =>
    tableFromIPC(readFileSync(file))
      .toArray()
      .map((row): [number, number | null] => [Number(row.key), row._omen_expires]),
  );
  return rows.sort(([a], [b]) => a - b);
}

test('times are in the files, hold through a reopening, and give back the space of rows', async (t) => {
  const directory = join(temporaryDirectory(t), 'data');
  let db: Database = await open(directory, { ...EXPIRING, ttl: 30 });
  setTime(db, BEGINNING);
  await db.put(1, value(1));
  await db.put(2, value(2), after(10));
  await db.put(3, value(3), { ttl: null });
  await db.close();
  db = await open(directory, { ttl: 30 });
  t.deepEqual(
    [1, 2, 3].map((key) => db.expiresAt(key)),
    [BEGINNING + 30, BEGINNING + 10, null],
  );
  setTime(db, BEGINNING + 5);
  await db.put(4, value(4));
  await db.compact();
  t.deepEqual(filedRows(directory), [
    [1, BEGINNING + 30],
    [2, BEGINNING + 10],
    [3, null],
    [4, BEGINNING + 35],
  ]);
  // An older version lies in a run, a newer one that has expired hides it.
  await db.put(3, value(33), after(1));
  setTime(db, BEGINNING + 10);
  const check = () => {
    t.deepEqual([...db.keys()], [1, 4]);
    t.is(db.get(3), undefined);
  };
  check();
  await db.flush();
  check();
  await db.compact();
  check();
  t.deepEqual(
    filedRows(directory).map(([key]) => key),
    [1, 4],
  );
  await db.close();
  db = await open(directory);
  t.teardown(() => db.close());
  setTime(db, BEGINNING + 10);
  check();
});

test('a watch tells when the row of a put expires, and nothing of its end', async (t) => {
  const db = await openNew(t, { ...EXPIRING, shards: 1 });
  setTime(db, BEGINNING);
  const watch = db.watch();
  await db.put(1, value(1), after(10));
  await db.put(2, value(2));
  setTime(db, BEGINNING + 10);
  await db.put(1, value(3));
  const changes = [];
  for await (const group of watch) {
    changes.push(...group.changes);
    if (changes.length === 3) break;
  }
  t.deepEqual(changes, [
    { type: 'put', key: 1, value: value(1), expiresAt: BEGINNING + 10 },
    { type: 'put', key: 2, value: value(2), expiresAt: null },
    { type: 'put', key: 1, value: value(3), expiresAt: null },
  ]);
});

test('set back, the clock brings back what no merge has dropped', async (t) => {
  const db = await openNew(t, EXPIRING);
  setTime(db, BEGINNING);
  await db.put(1, value(1), after(10));
  setTime(db, BEGINNING + 10);
  t.is(db.get(1), undefined);
  setTime(db, BEGINNING);
  t.deepEqual(db.get(1), value(1));
  setTime(db, BEGINNING + 10);
  await db.compact();
  setTime(db, BEGINNING);
  t.is(db.get(1), undefined);
});

test('the time is the system’s', async (t) => {
  const db = await openNew(t, EXPIRING);
  await db.put(1, value(1), { expiresAt: new Date(Date.now() - 1000) });
  await db.put(2, value(2), after(3_600_000));
  const before = Date.now();
  await db.put(3, value(3), after(60_000));
  const expiresAt = db.expiresAt(3) ?? 0;
  t.true(expiresAt >= before + 60_000 && expiresAt <= Date.now() + 60_000);
  t.deepEqual([...db.keys()], [2, 3]);
});

const BAD: readonly object[] = [
  ...[0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '60', 5n, true, {}].map((ttl) => ({
    ttl,
  })),
  ...[0.5, Number.NaN, Number.POSITIVE_INFINITY, 8.64e15 + 1, new Date(Number.NaN), 'now', {}].map(
    (expiresAt) => ({ expiresAt }),
  ),
  { ttl: 5, expiresAt: 5 },
  { ttl: null, expiresAt: null },
];

test('what is no time is refused, and so are times where rows do not expire', async (t) => {
  const db: Database = await openNew(t, EXPIRING);
  const plain: Database = await openNew(t, { ...NUMBERS, shards: 1 });
  const refused = async (promise: Promise<unknown>) =>
    t.is(await codeOfAsync(promise), 'OMEN_INVALID_EXPIRY');
  const everyWay = async (on: Database, until: object) => {
    await refused(on.put(1, value(1), until));
    await refused(on.put(1, value(1), { ...until, if: 'absent' }));
    const batch = [{ type: 'put', key: 2, value: value(2) } as const];
    await refused(on.batch([...batch, { type: 'put', key: 1, value: value(1), ...until }]));
    await refused(on.update(1, () => value(1), until));
  };
  for (const until of BAD) await everyWay(db, until);
  for (const until of [{ ttl: 5 }, { ttl: null }, { expiresAt: 5 }]) await everyWay(plain, until);
  const del = { type: 'del', key: 1, ttl: 5 } as const;
  await refused(db.batch([del]));
  const condition = { equals: value(1), expiresAt: 5 };
  await refused(plain.put(1, value(1), { if: condition }));
  t.is(await codeOfAsync(db.del(1, { ttl: 5 } as object)), 'OMEN_INVALID_CONDITION');
  t.is(await codeOfAsync(db.put(1, value(1), { until: 5 } as object)), 'OMEN_INVALID_CONDITION');
  t.deepEqual([db.count(), plain.count()], [0, 0]);
  await plain.put(1, value(1));
  t.deepEqual([plain.expiresAt(1), plain.expiresAt(2)], [null, undefined]);
  t.is(db.stats().snapshots, 0);
});

test('whether rows expire is fixed with the data', async (t) => {
  const directory = join(temporaryDirectory(t), 'data');
  await (await open(directory, { ...EXPIRING, ttl: 1000 })).close();
  for (const ttl of [true, false, 999]) {
    t.is(await codeOfAsync(open(directory, { ttl })), 'OMEN_OPTIONS_MISMATCH');
  }
  await (await open(directory, { ttl: 1000 })).close();
  for (const ttl of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    const elsewhere = open(join(directory, '..', 'other'), { ...NUMBERS, ttl });
    t.is(await codeOfAsync(elsewhere), 'OMEN_INVALID_OPTIONS');
  }
});

test('rows that are loaded expire as the database says, or as their source does', async (t) => {
  const db: Database = await openNew(t, { ...EXPIRING, ttl: 50 });
  setTime(db, BEGINNING);
  const ends = (on: Database) => [1, 2, 3].map((key) => on.expiresAt(key));
  await db.bulkLoad([
    [1, value(1)],
    [2, value(2)],
  ]);
  await db.put(3, value(3), { ttl: null });
  const wanted = [BEGINNING + 50, BEGINNING + 50, null];
  t.deepEqual(ends(db), wanted);
  const copy: Database = await openNew(t, { ...EXPIRING, shards: 1 });
  setTime(copy, BEGINNING);
  await copy.bulkLoad(db.scan({ columns: ['key', 'value', '_omen_expires'] }));
  t.deepEqual(ends(copy), wanted);
  const text: Database = await openNew(t, { ...EXPIRING, ttl: 60 });
  setTime(text, BEGINNING);
  const lines = async function* (...all: string[]) {
    yield all.join('\n');
  };
  await text.bulkLoad(lines('key,value', '1,1', '2,2'), { format: 'csv' });
  await text.bulkLoad(lines('{"key":3,"value":3}'), { format: 'ndjson' });
  t.deepEqual(ends(text), [BEGINNING + 60, BEGINNING + 60, BEGINNING + 60]);
  for (const one of [db, copy, text]) {
    setTime(one, BEGINNING + 60);
    t.deepEqual([...one.keys()], one === text ? [] : [3]);
    t.is(one.count(), one === text ? 0 : 1);
  }
});

test('threads that aggregate go by the time of whoever asked', async (t) => {
  const db: Database = await openNew(t, { ...EXPIRING, ttl: 50 });
  setTime(db, BEGINNING);
  const rows = (first: number, count: number) =>
    Array.from({ length: count }, (_, i) => [first + i, value(first + i)] as const);
  await db.bulkLoad(rows(0, 60_000));
  setTime(db, BEGINNING + 20);
  // More than are read in this thread.
  await db.bulkLoad(rows(60_000, 140_000));
  const figures = { n: 'count', low: ['min', 'value'], high: ['max', 'value'] } as const;
  const range = { where: { value: { gte: 0 } } };
  t.deepEqual(await db.aggregate(range, figures), { n: 200_000, low: 0, high: 199_999 });
  using before = db.snapshot();
  setTime(db, BEGINNING + 50);
  t.deepEqual(await db.aggregate(range, figures), { n: 140_000, low: 60_000, high: 199_999 });
  t.deepEqual(await before.aggregate(range, figures), { n: 200_000, low: 0, high: 199_999 });
  t.deepEqual([db.count(), before.count()], [140_000, 200_000]);
  t.deepEqual([db.first()?.[0], db.at(0)?.[0], db.rank(60_001)], [60_000, 60_000, 1]);
  t.is([...db.keys({ reverse: true, limit: 2 })][1], 199_998);
});
