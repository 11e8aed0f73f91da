import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { fromSqlite } from '../../src/import/sqlite.ts';
import { openNew, temporaryDirectory } from '../coordinator/support.ts';

test('SQLite: a table, its primary key, and types as they are declared', async (t) => {
  const path = join(temporaryDirectory(t), 'rows.sqlite');
  const sqlite = new DatabaseSync(path);
  sqlite.exec(`
    CREATE TABLE "some rows" (id INTEGER PRIMARY KEY, n INT NOT NULL, x REAL, name VARCHAR(20),
      ok BOOLEAN, raw BLOB, other NUMERIC);
    INSERT INTO "some rows" VALUES (1, 9223372036854775807, 5, 'a', 1, x'0102', 7),
      (-2, 0, NULL, NULL, NULL, NULL, NULL), (9007199254740993, -1, 0.5, '', 0, x'', 8);
  `);
  const isOpen = fromSqlite(sqlite);
  t.is((await Array.fromAsync(isOpen)).length, 3);
  sqlite.close();
  const source = fromSqlite(path);
  const schema = await source.schema();
  t.deepEqual(schema, {
    key: 'int64',
    columns: {
      ...{ n: 'int64', x: 'float64?', name: 'utf8?', ok: 'bool?', raw: 'binary?', other: 'int64?' },
    },
  });
  const db = await openNew(t, { ...schema, shards: 2, bigints: true });
  await db.bulkLoad(source);
  t.deepEqual(
    [...db.entries()],
    [
      [-2n, { n: 0n, x: null, name: null, ok: null, raw: null, other: null }],
      [1n, { n: 2n ** 63n - 1n, x: 5, name: 'a', ok: true, raw: Uint8Array.of(1, 2), other: 7n }],
      [
        9007199254740993n,
        { n: -1n, x: 0.5, name: '', ok: false, raw: new Uint8Array(0), other: 8n },
      ],
    ],
  );
});

test('SQLite: a query, another key, rows without one, and what cannot be told', async (t) => {
  const path = join(temporaryDirectory(t), 'rows.sqlite');
  const sqlite = new DatabaseSync(path);
  sqlite.exec(`
    CREATE TABLE a (name TEXT, n INTEGER);
    INSERT INTO a VALUES ('x', 1), ('y', 2);
    CREATE TABLE b (p TEXT, q TEXT, v REAL, PRIMARY KEY (p, q));
    INSERT INTO b VALUES ('p', 'q', 1.5);
    CREATE TABLE empty (id TEXT PRIMARY KEY, v BLOB NOT NULL);
  `);
  sqlite.close();
  const all = (options: object) => Array.fromAsync(fromSqlite<unknown, unknown>(path, options));
  t.deepEqual(await all({ table: 'a' }), [
    [1, { name: 'x', n: 1 }],
    [2, { name: 'y', n: 2 }],
  ]);
  t.deepEqual(await all({ table: 'A', key: 'name' }), [
    ['x', { n: 1 }],
    ['y', { n: 2 }],
  ]);
  t.deepEqual(await all({ sql: "SELECT p || '/' || q AS key, v FROM b" }), [['p/q', { v: 1.5 }]]);
  const map = (key: string, { n }: { n: number }) => (n > 1 ? [key, n] : undefined);
  t.deepEqual(await all({ table: 'a', key: 'name', map }), [['y', 2]]);
  t.deepEqual(await fromSqlite(path, { table: 'empty' }).schema(), {
    ...{ key: 'utf8', columns: { v: 'binary' } },
  });
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{}, /"table". There are "a", "b", "empty"/],
    [{ table: 'c' }, /no table "c"; there are "a"/],
    [{ table: 'b' }, /p, q: name one with "key"/],
    [{ table: 'a', key: 'z' }, /no column "z" for the key; there are "name", "n"/],
    [{ sql: 'SELECT name FROM a' }, /no column "key"/],
    [{ sql: 'SELEKT' }, /cannot be read as SQLite: .*syntax error/],
  ];
  for (const [options, message] of wrong) {
    const error = await t.throwsAsync(all(options), { code: 'OMEN_INVALID_SOURCE' });
    t.regex(error?.message ?? '', message);
  }
});
