/**
 * Figures over columns, compacted, two shards by range, against DuckDB with two threads: the faster of its tables in
 * memory and in a file counts. Every answer of one is compared with the other's.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from '../../src/index.ts';
import { peer } from '../packages.ts';
import { count, median, table } from './report.ts';

export interface AggregatesOptions {
  readonly rows?: number;
  readonly rounds?: number;
  /** Whether DuckDB, which users never install, takes part. */
  readonly peers?: boolean;
}

/** What is used of the package `@duckdb/node-api`. */
interface DuckDb {
  readonly DuckDBInstance: {
    create(path: string, options: Readonly<Record<string, string>>): Promise<DuckDbInstance>;
  };
}
interface DuckDbInstance {
  connect(): Promise<{
    run(sql: string): Promise<unknown>;
    runAndReadAll(sql: string): Promise<{ getRows(): unknown[][] }>;
    closeSync(): void;
  }>;
  closeSync(): void;
}

/** The rows of an answer, as numbers in the order of the figures. */
type Ask = () => Promise<number[][]>;

const LOADED_AT_ONCE = 2000;
const STEP_MS = 1000;
const SENSORS = 100;
const THREADS = 2;

const valueAt = (i: number): number => ((i * 7919) % 1_000_003) / 8;
const VALUES_SQL = `((i * 7919) % 1000003) / 8.0::DOUBLE AS value, (i % ${SENSORS})::INTEGER AS sensor`;

interface Question {
  readonly sql: string;
  readonly range: object;
  readonly spec: object;
}

const BOUNDS = { mean: ['mean', 'value'], min: ['min', 'value'], max: ['max', 'value'] } as const;
const BOUNDS_SQL = 'avg(value), min(value), max(value)';
const GROUPED = { n: 'count', mean: ['mean', 'value'] } as const;

function questions(rows: number): Readonly<Record<string, Question>> {
  const [from, to] = [0.45, 0.55].map((part) => Math.floor(part * rows) * STEP_MS);
  return {
    'mean, min, max of a tenth': {
      sql: `SELECT ${BOUNDS_SQL} FROM t WHERE key >= ${from} AND key < ${to}`,
      range: { gte: from, lt: to },
      spec: BOUNDS,
    },
    'mean, min, max of all': { sql: `SELECT ${BOUNDS_SQL} FROM t`, range: {}, spec: BOUNDS },
    'the same where a value is below 1,000': {
      sql: `SELECT ${BOUNDS_SQL} FROM t WHERE value < 1000`,
      range: { where: { value: { lt: 1000 } } },
      spec: BOUNDS,
    },
    'count and mean by sensor': {
      sql: 'SELECT sensor, count(*), avg(value) FROM t GROUP BY sensor ORDER BY sensor',
      range: { groupBy: 'sensor' },
      spec: GROUPED,
    },
    'count and mean by day': {
      sql: 'SELECT key // 86400000 * 86400000 AS day, count(*), avg(value) FROM t GROUP BY day ORDER BY day',
      range: { bucket: '1d' },
      spec: GROUPED,
    },
  };
}

export async function run({ rows = 5e7, rounds = 7, peers = true }: AggregatesOptions = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-aggregates-'));
  const db = await open(join(directory, 'omendb'), {
    key: 'timestamp',
    columns: { value: 'float64', sensor: 'int32' },
    durability: 'os',
    shards: THREADS,
    partition: { splits: [Math.floor(rows / 2) * STEP_MS] },
  });
  const ducks: Record<string, Awaited<ReturnType<typeof openDuck>>> = {};
  try {
    for (let start = 0; start < rows; start += LOADED_AT_ONCE) {
      await db.batch(
        Array.from({ length: Math.min(LOADED_AT_ONCE, rows - start) }, (_, j) => {
          const value = { value: valueAt(start + j), sensor: (start + j) % SENSORS };
          return { type: 'put', key: (start + j) * STEP_MS, value } as const;
        }),
      );
    }
    await db.compact();
    if (peers) {
      ducks.memory = await openDuck(':memory:', rows);
      ducks.file = await openDuck(join(directory, 'duck.db'), rows);
    }
    const results: Record<string, Record<string, number>> = {};
    for (const [name, { sql, range, spec }] of Object.entries(questions(rows))) {
      const contestants: Record<string, Ask> = {
        omendb: async () => numbersOf(await db.aggregate(range, spec as typeof BOUNDS)),
      };
      for (const [where, { ask }] of Object.entries(ducks)) contestants[where] = () => ask(sql);
      results[name] = await timed(rounds, contestants);
    }
    return { rows, milliseconds: results };
  } finally {
    for (const { close } of Object.values(ducks)) close();
    await db.close();
    rmSync(directory, { recursive: true });
  }
}

function numbersOf(answer: unknown): number[][] {
  const rows = Array.isArray(answer) ? answer : [answer];
  return rows.map((row: object) => Object.values(row).map(Number));
}

async function openDuck(path: string, rows: number) {
  const { DuckDBInstance } = await peer<DuckDb>('@duckdb/node-api');
  const instance = await DuckDBInstance.create(path, { threads: String(THREADS) });
  const connection = await instance.connect();
  await connection.run(
    `CREATE TABLE t AS SELECT i * ${STEP_MS} AS key, ${VALUES_SQL} FROM range(${rows}) r(i)`,
  );
  if (path !== ':memory:') await connection.run('CHECKPOINT');
  return {
    async ask(sql: string): Promise<number[][]> {
      const answer = await connection.runAndReadAll(sql);
      return answer.getRows().map((row) => row.map(Number));
    },
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** Milliseconds of each, medians of turns that follow two to warm up. @throws where answers differ */
async function timed(
  rounds: number,
  contestants: Readonly<Record<string, Ask>>,
): Promise<Record<string, number>> {
  const times: Record<string, number[]> = Object.fromEntries(
    Object.keys(contestants).map((name) => [name, []]),
  );
  for (let round = -2; round < rounds; round++) {
    let first: number[][] | null = null;
    for (const [name, ask] of Object.entries(contestants)) {
      const start = performance.now();
      const answer = await ask();
      if (round >= 0) times[name].push(performance.now() - start);
      first ??= answer;
      if (!isNear(answer, first)) throw new Error(`${name} answered ${JSON.stringify(answer)}.`);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, all]) => [name, median(all)]));
}

function isNear(a: readonly number[][], b: readonly number[][]): boolean {
  const [one, other] = [a.flat(), b.flat()];
  return (
    one.length === other.length &&
    one.every((value, i) => Math.abs(value - other[i]) <= 1e-9 * Math.abs(other[i]))
  );
}

export function show({ rows, milliseconds }: Awaited<ReturnType<typeof run>>): string {
  return [
    `Aggregates over ${count(rows)} rows timestamp → float64, int32; DuckDB with ${THREADS} threads`,
    table(
      ['', 'ms', 'DuckDB, memory', 'DuckDB, file', 'times as fast'],
      Object.entries(milliseconds).map(([name, { omendb, memory, file }]) => [
        name,
        omendb.toFixed(2),
        memory?.toFixed(2) ?? '–',
        file?.toFixed(2) ?? '–',
        memory === undefined ? '–' : (Math.min(memory, file) / omendb).toFixed(2),
      ]),
    ),
  ].join('\n');
}
