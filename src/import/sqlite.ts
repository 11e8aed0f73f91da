/** Rows of a SQLite database, by way of `node:sqlite`: in one read transaction, opened for reading alone. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { OmenError } from '../index.ts';
import { mustBeThere } from './foreign.ts';
import type { Hints } from './infer.ts';
import {
  checkOptions,
  type ImportSource,
  type Item,
  mapped,
  type Opened,
  sourceOf,
  unreadable,
} from './source.ts';

export interface FromSqliteOptions<Key = never, Row = never> {
  /** The table or view to read. Default: the one that there is. */
  readonly table?: string;
  /** A query, instead. */
  readonly sql?: string;
  /** The column that is the key. Default: the primary key of the table, or its rowid; of a query, "key". */
  readonly key?: string;
  /** A row with its key, of a key and the other columns; undefined: it is passed over. */
  map?(key: unknown, row: unknown): readonly [key: Key, row: Row] | undefined;
}

const KNOWN = ['table', 'sql', 'key', 'map'];
const ROWID = 'rowid';

/**
 * Integers come as numbers where those are exact, else as bigints; of a column declared as BOOL or BOOLEAN,
 * 0 and 1 as false and true.
 * @param from the path of a database file, or a DatabaseSync that is open, which stays so
 * @throws OMEN_INVALID_OPTIONS at once; OMEN_INVALID_SOURCE as it is read
 */
export function fromSqlite<Key = never, Row = never>(
  from: string | DatabaseSync,
  options: FromSqliteOptions<Key, Row> = {},
): ImportSource<Key, Row> {
  checkOptions('fromSqlite', options, KNOWN);
  const { table, sql, key, map } = options;
  if (table !== undefined && sql !== undefined) {
    throw new OmenError('OMEN_INVALID_OPTIONS', 'Give "table" or "sql", not both.');
  }
  const what = typeof from === 'string' ? from : 'The database';
  const coded = <T>(run: () => T): T => {
    try {
      return run();
    } catch (error) {
      throw unreadable(what, 'SQLite', error);
    }
  };
  return sourceOf(async (): Promise<Opened> => {
    if (typeof from === 'string') mustBeThere(from, 'SQLite', []);
    const sqlite = await import('node:sqlite');
    return coded(() => {
      const isOwn = typeof from === 'string';
      const database = isOwn ? new sqlite.DatabaseSync(from, { readOnly: true }) : from;
      const close = (): void => {
        if (isOwn) database.close();
      };
      try {
        // One instant for the schema and the rows. A transaction of the caller's is one already.
        if (isOwn) database.exec('BEGIN');
        const query = sql === undefined ? tableQuery(database, table, key) : sqlQuery(sql, key);
        const { statement, hints, pairs } = read(database, query);
        const rows = guarded(pairs(statement), coded);
        return { arrays: mapped(rows, map), ...(map === undefined && { hints }), close };
      } catch (error) {
        close();
        throw error;
      }
    });
  });
}

interface Query {
  readonly sql: string;
  readonly key: string;
  /** The key is no column, too: it comes first among those of the query. */
  readonly required: readonly string[];
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

function invalid(message: string): OmenError {
  return new OmenError('OMEN_INVALID_SOURCE', message);
}

function sqlQuery(sql: string, key = 'key'): Query {
  return { sql, key, required: [] };
}

function tableQuery(
  database: DatabaseSync,
  named: string | undefined,
  key: string | undefined,
): Query {
  const names = database
    .prepare(
      "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
    .all()
    .map(({ name }) => String(name));
  const all = names.map((name) => JSON.stringify(name)).join(', ') || 'none';
  if (named === undefined && names.length !== 1) {
    throw invalid(`Say which table with the option "table". There are ${all}.`);
  }
  const table = named ?? names[0];
  const found = names.find((name) => name.toLowerCase() === table.toLowerCase());
  if (found === undefined)
    throw invalid(`There is no table ${JSON.stringify(table)}; there are ${all}.`);
  const columns = database.prepare(`PRAGMA table_info(${quoted(found)})`).all();
  const keys = columns.filter(({ pk }) => Number(pk) > 0).map(({ name }) => String(name));
  if (key === undefined && keys.length > 1) {
    const message = `The primary key of ${found} is of several columns, ${keys.join(', ')}: name one with "key", or make it with "sql".`;
    throw invalid(message);
  }
  const own = key ?? keys[0];
  const required = columns
    .filter(({ notnull }) => Number(notnull) > 0)
    .map(({ name }) => String(name));
  if (own !== undefined) return { sql: `SELECT * FROM ${quoted(found)}`, key: own, required };
  return { sql: `SELECT ${ROWID}, * FROM ${quoted(found)}`, key: ROWID, required };
}

/** What SQLite's rules of affinity make of a declared type; undefined: values tell. */
function declaredType(declared: string | null): string | undefined {
  const name = (declared ?? '').toUpperCase();
  if (name.includes('BOOL')) return 'bool';
  if (name.includes('INT')) return 'int64';
  if (/CHAR|CLOB|TEXT/.test(name)) return 'utf8';
  if (name.includes('BLOB')) return 'binary';
  return /REAL|FLOA|DOUB/.test(name) ? 'float64' : undefined;
}

function read(database: DatabaseSync, { sql, key, required }: Query) {
  const statement = database.prepare(sql);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  const columns = statement.columns();
  const place = columns.findIndex(({ name }) => name.toLowerCase() === key.toLowerCase());
  if (place < 0) {
    const names = columns.map(({ name }) => JSON.stringify(name)).join(', ');
    throw invalid(
      `There is no column ${JSON.stringify(key)} for the key; there are ${names}. Name it with the option "key".`,
    );
  }
  const others = columns.flatMap(({ name, type }, i) =>
    i === place ? [] : [{ name, place: i, isBool: declaredType(type) === 'bool' }],
  );
  const types = columns.flatMap(({ name, type }, i) => {
    const declared = declaredType(type);
    return i === place || declared === undefined ? [] : [[name, declared] as const];
  });
  const { type } = columns[place];
  const keyType = key === ROWID ? 'int64' : declaredType(type);
  const hints: Hints = {
    types: Object.fromEntries(types),
    ...(keyType !== undefined && keyType !== 'bool' && { key: keyType }),
    required,
  };
  function* pairs(of: StatementSync): Generator<readonly [unknown, unknown], void, undefined> {
    for (const values of of.iterate() as unknown as Iterable<readonly unknown[]>) {
      const row: Record<string, unknown> = {};
      for (const { name, place: at, isBool } of others) {
        const value = exact(values[at]);
        row[name] = isBool && (value === 0 || value === 1) ? value === 1 : value;
      }
      yield [exact(values[place]), row];
    }
  }
  return { statement, hints, pairs };
}

/** Integers come as bigints, so that none is rounded; most of them are exact as numbers. */
function exact(value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function* guarded(
  rows: Iterator<readonly [unknown, unknown], void, undefined>,
  coded: <T>(run: () => T) => T,
): Generator<Exclude<Item, OmenError>, void, undefined> {
  for (;;) {
    const step = coded(() => rows.next());
    if (step.done === true) return;
    yield step.value;
  }
}
