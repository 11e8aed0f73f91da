/**
 * DuckDB, by its package @duckdb/node-api: an engine for questions over columns, so it has no point reads and
 * writes here, which it is not made for.
 *
 * - Loads go through its appender, a data chunk at a time, and end with a checkpoint, which syncs. There is no
 *   index on the key: it would make loads several times slower, and ranges no quicker.
 * - Compaction writes the table anew in the order of keys, so that the least and greatest key of each row group
 *   tell which ones a range needs.
 * - It has a thread for each processor; statements are prepared once.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { peer, versionOf } from '../../packages.ts';
import type { Engine, EngineKind, Place, Sum } from '../engine.ts';
import { groups } from '../in-flight.ts';
import { amountIn, int64s, type Key, type Value } from '../rows.ts';

/** What is used of the package. */
interface DuckDb {
  readonly DuckDBInstance: {
    create(path: string, options: Readonly<Record<string, string>>): Promise<Instance>;
  };
  readonly DuckDBDataChunk: { create(types: readonly unknown[]): Chunk };
  readonly BIGINT: unknown;
  readonly DOUBLE: unknown;
  readonly VARCHAR: unknown;
}
interface Instance {
  connect(): Promise<Connection>;
  closeSync(): void;
}
interface Connection {
  run(sql: string): Promise<unknown>;
  stream(sql: string): Promise<Result>;
  prepare(sql: string): Promise<Statement>;
  createAppender(table: string): Promise<Appender>;
  closeSync(): void;
}
interface Statement {
  bindBigInt(index: number, value: bigint): void;
  bindInteger(index: number, value: number): void;
  bindVarchar(index: number, value: string): void;
  run(): Promise<Result>;
  destroySync(): void;
}
interface Result {
  fetchChunk(): Promise<Chunk | null>;
}
interface Appender {
  appendDataChunk(chunk: Chunk): void;
  closeSync(): void;
}
interface Chunk {
  readonly rowCount: number;
  setColumns(columns: readonly ArrayLike<unknown>[]): void;
  getColumnValues(index: number): unknown[];
  reset(): void;
}

export const duckdb: EngineKind = {
  title: 'DuckDB',
  inMemory: false,
  setup:
    'a thread for each processor; loads by appended data chunks of 2,048 rows and a checkpoint; no index; compaction writes the table anew in order of keys; prepared statements. No point reads or writes: it is not made for them',
  version: async () => versionOf('@duckdb/node-api'),
  open,
};

/** Rows of a data chunk, which is what DuckDB works on at a time. */
const CHUNK_ROWS = 2048;

async function open({ directory, kind }: Place): Promise<Engine> {
  const module = await peer<DuckDb>('@duckdb/node-api');
  const isText = kind === 'strings';
  const instance = await module.DuckDBInstance.create(join(directory, 'rows.duckdb'), {
    threads: String(availableParallelism()),
  });
  const connection = await instance.connect();
  const types = isText ? ['VARCHAR', 'VARCHAR'] : ['BIGINT', 'DOUBLE'];
  await connection.run(`CREATE TABLE IF NOT EXISTS t (key ${types[0]}, value ${types[1]})`);
  const statements = new Map<string, Statement>();
  const prepared = async (sql: string): Promise<Statement> => {
    const statement = statements.get(sql) ?? (await connection.prepare(sql));
    statements.set(sql, statement);
    return statement;
  };
  const forget = (): void => {
    for (const statement of statements.values()) statement.destroySync();
    statements.clear();
  };
  const bind = (statement: Statement, index: number, key: Key): void => {
    if (typeof key === 'string') statement.bindVarchar(index, key);
    else statement.bindBigInt(index, BigInt(key));
  };
  return {
    async load(rows) {
      const chunkTypes = isText ? [module.VARCHAR, module.VARCHAR] : [module.BIGINT, module.DOUBLE];
      const appender = await connection.createAppender('t');
      const chunk = module.DuckDBDataChunk.create(chunkTypes);
      for (const { keys, values } of groups(rows, CHUNK_ROWS)) {
        chunk.reset();
        chunk.setColumns([keys instanceof Float64Array ? int64s(keys) : keys, values]);
        appender.appendDataChunk(chunk);
      }
      appender.closeSync();
      await connection.run('CHECKPOINT');
    },
    async range(from, rows) {
      const statement = await prepared(
        'SELECT key, value FROM t WHERE key >= ? ORDER BY key LIMIT ?',
      );
      bind(statement, 1, from);
      statement.bindInteger(2, rows);
      return added(await statement.run());
    },
    walk: async () => added(await connection.stream('SELECT key, value FROM t ORDER BY key')),
    async aggregate(from, to) {
      const statement = await prepared(
        'SELECT count(*)::DOUBLE, sum(value) FROM t WHERE key >= ? AND key < ?',
      );
      bind(statement, 1, from);
      bind(statement, 2, to);
      const chunk = await (await statement.run()).fetchChunk();
      return {
        rows: Number(chunk?.getColumnValues(0)[0]),
        sum: Number(chunk?.getColumnValues(1)[0] ?? 0),
      };
    },
    async compact() {
      forget();
      await connection.run('CREATE TABLE ordered AS SELECT * FROM t ORDER BY key');
      await connection.run('DROP TABLE t');
      await connection.run('ALTER TABLE ordered RENAME TO t');
      await connection.run('CHECKPOINT');
    },
    close() {
      forget();
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** Keys are read as well, since entries were asked for. */
async function added(result: Result): Promise<Sum> {
  let [rows, sum] = [0, 0];
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) return { rows, sum };
    chunk.getColumnValues(0);
    for (const value of chunk.getColumnValues(1)) sum += amountIn(value as Value);
    rows += chunk.rowCount;
  }
}
