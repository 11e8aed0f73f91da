/** `omendb import`, from its arguments to what is in the database. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test, { type ExecutionContext } from 'ava';
import { ClassicLevel } from 'classic-level';
import { open as openLmdb } from 'lmdb';
import { open } from '../../src/index.ts';
import { temporaryDirectory } from '../storage/support.ts';
import { omendb } from './support.ts';

async function entriesOf(path: string) {
  await using db = await open(path, { createIfMissing: false });
  return [...db.entries()];
}

function sqliteIn(t: ExecutionContext) {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'app.sqlite');
  const sqlite = new DatabaseSync(path);
  sqlite.exec(`
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, ok BOOLEAN);
    INSERT INTO users VALUES (1, 'ada', 1), (2, 'grace', NULL);
    CREATE TABLE odd (id TEXT PRIMARY KEY, n INTEGER);
    INSERT INTO odd VALUES ('a', 1), ('b', 'x');
  `);
  sqlite.close();
  return { directory, path, db: join(directory, 'data') };
}

test('a table of SQLite, into a database that is created, then into the same one', async (t) => {
  const { path, db } = sqliteIn(t);
  const argv = [
    'import',
    '--db',
    db,
    '--from',
    'sqlite',
    '--table',
    'users',
    '--shards',
    '1',
    path,
  ];
  const { code, out, err } = await omendb(argv);
  t.is(code, 0, err);
  t.is(out, '');
  t.regex(
    err,
    /Creating .*data\n {2}key: int64\n {2}name: utf8\n {2}ok: bool\?\n(.*\n)*2 rows loaded into/,
  );
  const rows = [
    [1, { name: 'ada', ok: true }],
    [2, { name: 'grace', ok: null }],
  ];
  t.deepEqual(await entriesOf(db), rows as never);
  const again = await omendb([...argv, '--json', '--quiet']);
  t.is(again.err, '');
  t.like(JSON.parse(again.out), { db, rows: 2 });
  t.deepEqual(await entriesOf(db), rows as never);
});

test('a dry run and what fails leave nothing behind', async (t) => {
  const { path, db, directory } = sqliteIn(t);
  const argv = ['import', '--db', db, '--from', 'sqlite', path];
  const dry = await omendb([...argv, '--table', 'users', '--dry-run']);
  t.is(dry.code, 0, dry.err);
  t.regex(dry.err, /Would create .*\n.*2 rows would be loaded/s);
  const wrong: readonly (readonly [number, RegExp, readonly string[]])[] = [
    [1, /OMEN_REJECTED_ROWS.*\n.*--max-errors/, [...argv, '--table', 'odd']],
    [1, /"odd", "users".*OMEN_INVALID_SOURCE/, argv],
    [1, /OMEN_INVALID_SOURCE/, ['import', '--db', db, '--from', 'lmdb', path]],
    [2, /--name is of lmdb/, [...argv, '--name', 'users']],
    [2, /--from/, ['import', '--db', db, path]],
    [2, /valueEncoding/, ['import', '--db', db, '--from', 'level', '--values', 'xml', path]],
  ];
  for (const [code, message, args] of wrong) {
    const ran = await omendb(args);
    t.is(ran.code, code, ran.err);
    t.regex(ran.err, message);
  }
  t.deepEqual(readdirSync(directory), ['app.sqlite']);
});

test('LMDB and LevelDB', async (t) => {
  const directory = temporaryDirectory(t);
  const lmdb = openLmdb({ path: join(directory, 'lmdb') });
  await lmdb.openDB('logs', {}).put(7, { text: 'seven' });
  await lmdb.close();
  const level = new ClassicLevel<string, unknown>(join(directory, 'level'), {
    valueEncoding: 'json',
  });
  await level.put('a', { n: [1] });
  await level.close();
  const cases = [
    [
      ['--from', 'lmdb', '--name', 'logs', join(directory, 'lmdb')],
      [7, { text: 'seven' }],
    ],
    [
      ['--from', 'level', '--values', 'json', join(directory, 'level')],
      ['a', { n: [1] }],
    ],
  ] as const;
  for (const [argv, entry] of cases) {
    const db = `${join(directory, argv[1])}-data`;
    const { code, err } = await omendb(['import', '--db', db, '--shards', '1', ...argv]);
    t.is(code, 0, err);
    t.deepEqual(await entriesOf(db), [entry] as never);
  }
});
