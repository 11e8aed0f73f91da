/**
 * SQLite, by Node's own binding. better-sqlite3 has the same engine below and the same synchronous calls; the
 * binding that comes with Node needs nothing to be compiled, and so runs wherever this benchmark does.
 *
 * - An integer key is the rowid itself, a text key the primary key of a table WITHOUT ROWID: one B-tree each.
 * - Loads write straight into the new file in one transaction without a journal, and sync it at the end; only
 *   then does it get its write-ahead log, in which SQLite is quickest for everything that follows.
 * - synchronous=FULL syncs the log at each commit, NORMAL only where it is copied into the file: a process that
 *   is killed loses nothing with either.
 * - The database is locked once for as long as it is open (locking_mode=EXCLUSIVE), as OmenDB and LevelDB do:
 *   with locks for each statement a get took 2.7 times the processor time, and a put 1.5 times.
 * - The file is mapped into memory, the cache has room for the inner pages, statements are prepared once and
 *   give arrays, which are cheaper than objects. Pages are of 4 KiB: larger ones make no read quicker and puts
 *   slower.
 * - Ranges come as one array (`all`), everything as pages of a thousand rows: half the time of `iterate`.
 * - Puts that are under way together are one transaction, and so is a call of getMany.
 */
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Engine, EngineKind, Place, Sum } from '../engine.ts';
import { groups, IN_FLIGHT } from '../in-flight.ts';
import { amountIn, type Key, type Rows, type Value } from '../rows.ts';

export const sqlite: EngineKind = {
  title: 'SQLite',
  inMemory: false,
  setup:
    'write-ahead log, locking_mode=EXCLUSIVE, synchronous=FULL where writes are durable and NORMAL elsewhere, mmap_size 64 GiB, cache 256 MiB, INTEGER PRIMARY KEY or WITHOUT ROWID, prepared statements that give arrays; loads in one transaction without a journal, synced at the end; 1,024 puts in flight are one transaction',
  async version() {
    const database = new DatabaseSync(':memory:');
    const row = database.prepare('SELECT sqlite_version() AS version').get();
    database.close();
    return `${row?.version} by node:sqlite`;
  },
  open,
};

const CACHE_KIB = 256 * 1024;
const MAPPED_BYTES = 64 * 2 ** 30;
const PAGE_ROWS = 1000;

function open({ directory, kind, durable }: Place): Engine {
  const path = join(directory, 'rows.db');
  const database = new DatabaseSync(path);
  const columns =
    kind === 'strings'
      ? 'key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID'
      : 'key INTEGER PRIMARY KEY, value REAL NOT NULL)';
  database.exec(`PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-${CACHE_KIB}; PRAGMA mmap_size=${MAPPED_BYTES};
    CREATE TABLE IF NOT EXISTS t (${columns}`);
  const logged = `PRAGMA journal_mode=WAL; PRAGMA synchronous=${durable ? 'FULL' : 'NORMAL'}`;
  database.exec(logged);
  const put = database.prepare('INSERT OR REPLACE INTO t VALUES (?, ?)');
  const get = asArrays(database, 'SELECT value FROM t WHERE key = ?');
  const from = asArrays(database, 'SELECT key, value FROM t WHERE key >= ? ORDER BY key LIMIT ?');
  const after = asArrays(database, 'SELECT key, value FROM t WHERE key > ? ORDER BY key LIMIT ?');
  const total = asArrays(database, 'SELECT count(*), sum(value) FROM t WHERE key >= ? AND key < ?');
  const read = (key: Key): Value | undefined => {
    const row = get.get(key) as unknown as [Value] | undefined;
    return row === undefined ? undefined : row[0];
  };
  const transact = (work: () => void): void => {
    database.exec('BEGIN');
    work();
    database.exec('COMMIT');
  };
  const store = ({ keys, values }: Rows): void => {
    transact(() => {
      for (let i = 0; i < keys.length; i++) put.run(keys[i], values[i]);
    });
  };
  const added = (entries: readonly unknown[]): Sum => {
    let sum = 0;
    for (const [, value] of entries as readonly [Key, Value][]) sum += amountIn(value);
    return { rows: entries.length, sum };
  };
  return {
    load(rows) {
      database.exec('PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF');
      store(rows);
      const file = openSync(path, 'r+');
      fsyncSync(file);
      closeSync(file);
      database.exec(logged);
    },
    get: read,
    getMany(keys) {
      let [rows, sum] = [0, 0];
      transact(() => {
        for (const key of keys) {
          const value = read(key);
          if (value === undefined) continue;
          sum += amountIn(value);
          rows++;
        }
      });
      return { rows, sum };
    },
    put(key, value) {
      put.run(key, value);
    },
    putInFlight(rows) {
      for (const group of groups(rows, IN_FLIGHT)) store(group);
    },
    batch: store,
    range: (key, rows) => added(from.all(key, rows)),
    walk() {
      let [rows, sum] = [0, 0];
      let page = from.all(kind === 'strings' ? '' : 0, PAGE_ROWS) as unknown as [Key, Value][];
      while (page.length > 0) {
        const found = added(page);
        rows += found.rows;
        sum += found.sum;
        page = after.all(page[page.length - 1][0], PAGE_ROWS) as unknown as [Key, Value][];
      }
      return { rows, sum };
    },
    aggregate(low, high) {
      const [rows, sum] = total.get(low, high) as unknown as [number, number | null];
      return { rows, sum: sum ?? 0 };
    },
    compact() {
      database.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)');
    },
    close: () => database.close(),
  };
}

function asArrays(database: DatabaseSync, sql: string): StatementSync {
  const statement = database.prepare(sql);
  statement.setReturnArrays(true);
  return statement;
}
