/** Rows in numbers: how they are counted, sought in, ended and interrupted. */
import test from 'ava';
import type { BytesSnapshot } from '../../src/level/data.ts';
import { type Counted, LevelRows, ROWS_PER_TURN } from '../../src/level/rows.ts';
import { codedError, openLevel, SMALL } from './support.ts';

const keyOf = (i: number) => String(i).padStart(6, '0');
const OPTIONS = { reverse: false, keyEncoding: 'utf8', valueEncoding: 'utf8' } as const;
const UNLIMITED: Counted = { limit: Number.POSITIVE_INFINITY, count: 0 };

/** The keys of a snapshot, as numbers. */
const KEYS = {
  rows: (snapshot: BytesSnapshot, range: object) => snapshot.keys(range),
  item: (key: Uint8Array) => Number(Buffer.from(key).toString()),
};

async function filled(t: Parameters<typeof openLevel>[0], rows: number) {
  const level = await openLevel(t, { durability: 'os', memtable: SMALL });
  const puts = Array.from({ length: rows }, (_, i) => level.put(keyOf(i), ''));
  await Promise.all(puts);
  return level.database;
}

test('rows come one by one, some at a call, or all at once', async (t) => {
  const database = await filled(t, 25);
  const instant = { snapshot: database.snapshot(), isOwn: true };
  const rows = new LevelRows(instant, UNLIMITED, OPTIONS, KEYS);
  t.is(await rows.next(), 0);
  t.deepEqual(await rows.nextv(3), [1, 2, 3]);
  t.deepEqual(
    await rows.all(),
    Array.from({ length: 21 }, (_, i) => i + 4),
  );
  t.is(await rows.next(), undefined);
  t.deepEqual(await rows.nextv(3), []);
  rows.seek(keyOf(23));
  t.deepEqual(await rows.nextv(10), [23, 24]);
  rows.seek('9');
  t.is(await rows.next(), undefined);
  rows.close();
  t.is(await rows.next(), undefined);
  t.is(database.stats().snapshots, 0);
});

test('what the iterator has given already counts against its limit', async (t) => {
  const database = await filled(t, 10);
  using snapshot = database.snapshot();
  const counted = { limit: 5, count: 3 };
  const instant = { snapshot, isOwn: false };
  const rows = new LevelRows(instant, counted, { ...OPTIONS, reverse: true }, KEYS);
  t.deepEqual(await rows.nextv(10), [9, 8]);
  counted.count = 5;
  rows.seek(keyOf(4));
  t.deepEqual(await rows.nextv(10), []);
  rows.close();
  t.is(database.stats().snapshots, 1, "another's snapshot is not closed");
});

test('the event loop turns while many rows are read, in every way to read them', async (t) => {
  const database = await filled(t, 3 * ROWS_PER_TURN);
  const all = Array.from({ length: 3 * ROWS_PER_TURN }, (_, i) => i);
  const ways: ((rows: LevelRows<Uint8Array, number>) => Promise<number[]>)[] = [
    (rows) => rows.all(),
    async (rows) => {
      const items: number[] = [];
      for (let item = await rows.next(); item !== undefined; item = await rows.next()) {
        items.push(item);
      }
      return items;
    },
    async (rows) => {
      const items: number[] = [];
      for (let some = await rows.nextv(100); some.length > 0; some = await rows.nextv(100)) {
        items.push(...some);
      }
      return items;
    },
  ];
  for (const read of ways) {
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const instant = { snapshot: database.snapshot(), isOwn: true };
    const rows = new LevelRows(instant, UNLIMITED, OPTIONS, KEYS);
    t.deepEqual(await read(rows), all);
    isOver = true;
    t.true(turns >= 2, `${turns} turns`);
    rows.close();
  }
});

test('a signal ends a read under way, and every later one', async (t) => {
  const database = await filled(t, 10);
  using snapshot = database.snapshot();
  const controller = new AbortController();
  const options = { ...OPTIONS, signal: controller.signal };
  const rows = new LevelRows({ snapshot, isOwn: false }, UNLIMITED, options, KEYS);
  t.is(await rows.next(), 0);
  const pending = rows.nextv(5);
  controller.abort();
  for (const run of [() => pending, () => rows.next(), () => rows.all()]) {
    t.is((await codedError(t, run)).code, 'LEVEL_ABORTED');
  }
});

test('a snapshot that was closed beneath is told with a code of Level', async (t) => {
  const database = await filled(t, 10);
  const snapshot = database.snapshot();
  const rows = new LevelRows({ snapshot, isOwn: false }, UNLIMITED, OPTIONS, KEYS);
  snapshot.close();
  t.is((await codedError(t, () => rows.next())).code, 'LEVEL_DATABASE_NOT_OPEN');
  t.is((await codedError(t, () => rows.nextv(2))).code, 'LEVEL_DATABASE_NOT_OPEN');
});
