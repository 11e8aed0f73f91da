/** Imports by their entry point: what is no such database, options, and sources that are left. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { ClassicLevel } from 'classic-level';
import { fromLevel, fromLmdb, fromSqlite } from '../src/import.ts';
import { open } from '../src/index.ts';
import { codeOfAsync, temporaryDirectory } from './coordinator/support.ts';
import { codeOf } from './storage/support.ts';

test('what is no such database is refused, and none is made', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(
    join(directory, 'text.sqlite'),
    'this is a text, and no database at all, be it long',
  );
  mkdirSync(join(directory, 'folder.mdb'));
  mkdirSync(join(directory, 'lmdb'));
  writeFileSync(join(directory, 'lmdb', 'data.mdb'), '');
  for (const source of [
    ...[fromLmdb, fromLevel, fromSqlite].map((from) => from(join(directory, 'none'))),
    ...[fromLmdb(directory), fromLevel(directory), fromLmdb(''), fromSqlite('')],
    ...[fromSqlite(join(directory, 'text.sqlite')), fromLmdb(join(directory, 'none.mdb'))],
    ...[fromLmdb(join(directory, 'text.sqlite')), fromLmdb(join(directory, 'folder.mdb'))],
    fromLmdb(join(directory, 'lmdb')),
  ]) {
    t.is(await codeOfAsync(source.schema()), 'OMEN_INVALID_SOURCE');
    t.is(await codeOfAsync(Array.fromAsync(source)), 'OMEN_INVALID_SOURCE');
  }
  t.deepEqual(readdirSync(directory).sort(), ['folder.mdb', 'lmdb', 'text.sqlite']);
});

test('options that make no sense are refused at once', (t) => {
  for (const run of [
    () => fromLmdb('x', { nmae: 'a' } as object),
    () => fromLmdb('x', { map: 5 } as object),
    () => fromLevel('x', { valueEncoding: 'xml' } as object),
    () => fromLevel('x', { keyEncoding: 'json' } as object),
    () => fromSqlite('x', { table: 'a', sql: 'b' }),
    () => fromSqlite('x', null as never),
  ]) {
    t.is(codeOf(run), 'OMEN_INVALID_OPTIONS');
  }
});

test('a source that nobody reads to its end is closed', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'rows.sqlite');
  const sqlite = new DatabaseSync(path);
  sqlite.exec(
    'CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT); INSERT INTO a VALUES (1, 1), (2, 2)',
  );
  sqlite.close();
  const level = join(directory, 'level');
  const made = new ClassicLevel(level);
  await made.put('a', 'b');
  await made.put('c', 'd');
  await made.close();
  for (const source of [fromSqlite(path), fromLevel(level)]) {
    for await (const row of source) {
      t.is(row.length, 2);
      break;
    }
  }
  // LevelDB is opened by one at a time; and SQLite is written by who finds nobody reading.
  const again = new ClassicLevel(level);
  await again.open();
  await again.close();
  const writer = new DatabaseSync(path);
  writer.exec('INSERT INTO a VALUES (3, 3)');
  writer.close();
  t.true(existsSync(path));
  await using db = await open(join(directory, 'data'), { key: 'int64', columns: { t: 'utf8' } });
  const controller = new AbortController();
  const loading = db.bulkLoad(fromSqlite(path), { signal: controller.signal });
  controller.abort();
  t.is(await codeOfAsync(loading), 'OMEN_ABORTED');
});
