import { tableFromIPC } from 'apache-arrow';
import test from 'ava';
import { codeOf } from '../storage/support.ts';
import { codeOfAsync, openNew, openWithPins } from './support.ts';

const COLUMNS = { a: 'int32', b: 'utf8?', c: 'float64', d: 'bool?' } as const;
const ROWS = 3000;

const rowOf = (key: number) => ({
  a: -key,
  b: key % 3 === 0 ? null : `text ${key}`,
  c: key / 7,
  d: key % 5 === 0 ? null : key % 2 === 0,
});

const puts = (keys: readonly number[]) =>
  keys.map((key) => ({ type: 'put', key, value: rowOf(key) }) as const);

const KEYS = Array.from({ length: ROWS }, (_, key) => key);

test('columns are given in the order in which they are named, from segments, memtables and both', async (t) => {
  const db = await openNew(t, { key: 'int64', columns: COLUMNS, shards: 2 });
  const check = async () => {
    for (const range of [{}, { reverse: true }, { gt: 7, lt: 2500, limit: 900 }]) {
      const table = await db.scan({ ...range, columns: ['c', 'key', 'b'] }).toTable();
      t.deepEqual(
        table.schema.fields.map(({ name }) => name),
        ['c', 'key', 'b'],
      );
      const expected = [...db.entries(range)].map(([key, { b, c }]) => ({
        c,
        key: BigInt(key),
        b,
      }));
      t.deepEqual(
        table.toArray().map((row) => row.toJSON()),
        expected,
      );
    }
  };
  await db.batch(puts(KEYS.filter((key) => key % 2 === 0)));
  await check();
  await db.flush();
  await db.batch(puts(KEYS.filter((key) => key % 2 === 1)));
  await check();
  await db.compact();
  await check();
});

test('without order every row comes once, each shard in key order', async (t) => {
  const db = await openNew(t, { key: 'int64', columns: COLUMNS, shards: 3 });
  await db.batch(puts(KEYS));
  await db.compact();
  const table = await db.scan({ ordered: false, columns: ['key'] }).toTable();
  const keys = Array.from(table.getChild('key') ?? [], Number);
  t.deepEqual(
    keys.toSorted((a, b) => a - b),
    KEYS,
  );
  t.is(keys.filter((key, i) => i > 0 && key < keys[i - 1]).length, 2);
});

test('what is settled is handed out where it lies, and stays as it was after a later compaction', async (t) => {
  const db = await openNew(t, { key: 'float64', columns: COLUMNS, shards: 1 });
  await db.batch(puts(KEYS));
  await db.compact();
  const [one] = await Array.fromAsync(db.scan());
  const [again] = await Array.fromAsync(db.scan());
  t.deepEqual(
    one.data.children.map(({ values }) => values.buffer === again.data.children[0].values.buffer),
    [true, true, true, true, true],
  );
  const before = one.toArray().map((row) => row.toJSON());
  await db.batch(KEYS.map((key) => ({ type: 'del', key }) as const));
  await db.compact();
  t.deepEqual(
    one.toArray().map((row) => row.toJSON()),
    before,
  );
});

test('a scan as bytes is the stream format of Arrow, empty ones too', async (t) => {
  const db = await openNew(t, { key: 'int64', columns: COLUMNS, shards: 2 });
  await db.batch(puts(KEYS));
  for (const range of [{}, { gt: 100, lte: 200 }, { gt: ROWS }, { limit: 0 }]) {
    const bytes = await new Response(db.scan(range).toIPC()).bytes();
    const table = tableFromIPC(bytes);
    t.is(table.numRows, [...db.keys(range)].length);
    t.is(table.schema.fields.length, 5);
    const rows = (await db.scan(range).toTable()).toArray();
    t.deepEqual(
      table.toArray().map((row) => row.toJSON()),
      rows.map((row) => row.toJSON()),
    );
  }
});

test('a batch of long values ends early, from segments and from memtables', async (t) => {
  const memtable = { entriesMax: 128, arenaBytes: 2 ** 26 };
  const db = await openNew(t, { key: 'int64', value: 'utf8', shards: 1, memtable });
  const long = 'x'.repeat(5 * 2 ** 20);
  for (let key = 0; key < 8; key++) await db.put(key, long);
  for (const compact of [false, true]) {
    if (compact) await db.compact();
    const rows: number[] = [];
    for await (const batch of db.scan()) {
      rows.push(batch.numRows);
      for (const value of batch.getChild('value') ?? []) t.is(value.length, long.length);
    }
    t.true(rows.length >= 2 && rows.every((count) => count <= 4), `${rows}`);
    t.is(
      rows.reduce((a, b) => a + b),
      8,
    );
  }
});

test('a scan that is malformed is refused at once', async (t) => {
  const { db, pinned } = await openWithPins(t, { key: 'int64', columns: COLUMNS, shards: 1 });
  const wrong: readonly (readonly [string, unknown])[] = [
    ['OMEN_UNKNOWN_COLUMN', { columns: ['z'] }],
    ['OMEN_INVALID_RANGE', { columns: 'a' }],
    ['OMEN_INVALID_RANGE', { columns: ['a', 'a'] }],
    ['OMEN_INVALID_RANGE', { ordered: 1 }],
    ['OMEN_INVALID_RANGE', { order: true }],
    ['OMEN_INVALID_RANGE', { limit: -1 }],
  ];
  for (const [code, range] of wrong) {
    t.is(
      codeOf(() => db.scan(range as object)),
      code,
    );
  }
  t.is(pinned(), 0);
});

test('whatever becomes of a scan or an iterator, it holds no snapshot afterwards', async (t) => {
  const { db, pinned } = await openWithPins(t, { key: 'int64', columns: COLUMNS, shards: 2 });
  const keys = Array.from({ length: 40_000 }, (_, key) => key);
  for (let i = 0; i < keys.length; i += 5000) await db.batch(puts(keys.slice(i, i + 5000)));
  const held = (snapshots: number, what: string) => t.is(pinned(), 2 * snapshots, what);

  db.scan();
  db.entries();
  held(0, 'never begun');

  for await (const batch of db.scan()) {
    t.true(batch.numRows > 0);
    held(1, 'under way');
    break;
  }
  held(0, 'broken off');

  await db.scan().toTable();
  t.is([...db.entries()].length, keys.length);
  held(0, 'at the end');

  const controller = new AbortController();
  const aborted = db.scan({ signal: controller.signal });
  await aborted.next();
  controller.abort();
  t.is(await codeOfAsync(aborted.next()), 'OMEN_ABORTED');
  held(0, 'aborted');

  const reader = db.scan().toIPC().getReader();
  await reader.read();
  held(1, 'read as bytes');
  await reader.cancel();
  held(0, 'cancelled');

  const failing = db.scan({ signal: AbortSignal.abort() }).toIPC().getReader();
  t.is(await codeOfAsync(failing.read()), 'OMEN_ABORTED');

  {
    await using scan = db.scan();
    await scan.next();
    using entries = db.entries();
    entries.next();
    held(2, 'in use');
  }
  held(0, 'disposed');

  const values = db.values().map(({ a }) => a);
  t.is(values.next().value, 0);
  t.deepEqual(values.take(2).toArray(), [-1, -2]);
  held(0, 'taken from');
});

test('an iterator that meets a row it cannot give ends, and holds nothing', async (t) => {
  const { db, pinned } = await openWithPins(t, {
    key: 'int64',
    columns: { n: 'int64' },
    shards: 1,
  });
  await db.batch([
    { type: 'put', key: 1, value: { n: 1 } },
    { type: 'put', key: 2, value: { n: 2n ** 60n } },
    { type: 'put', key: 3, value: { n: 3 } },
  ]);
  const entries = db.entries();
  t.deepEqual(entries.next().value, [1, { n: 1 }]);
  t.is(
    codeOf(() => entries.next()),
    'OMEN_UNSAFE_INTEGER',
  );
  t.deepEqual(entries.next(), { done: true, value: undefined });
  t.is(pinned(), 0);
  t.deepEqual(
    (await db.scan().toTable()).getChild('n')?.toArray(),
    BigInt64Array.of(1n, 2n ** 60n, 3n),
  );
});

test('an iterator used after the close of its database throws, once it had more to give', async (t) => {
  const { db } = await openWithPins(t, { key: 'int64', columns: COLUMNS, shards: 1 });
  await db.batch(puts([1, 2, 3]));
  const [finished, begun, fresh] = [db.keys(), db.keys(), db.keys()];
  t.deepEqual([...finished], [1, 2, 3]);
  begun.next();
  await db.close();
  t.is(finished.next().done, true);
  for (const iterator of [begun, fresh]) {
    t.is(
      codeOf(() => iterator.next()),
      'OMEN_CLOSED',
    );
  }
});
