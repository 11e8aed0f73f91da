/**
 * Bulk loads of rows `int64 → float64` from an Arrow file, sorted and shuffled, and from a CSV file, all of it
 * durable; against `put` of such rows, many in flight, and against LMDB's append load, in turns of one run.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LoadReport, open } from '../../src/index.ts';
import { peer } from '../packages.ts';
import { SCHEMA, STEP, shuffled, writeArrow, writeCsv } from './load-files.ts';
import { count, median, table } from './report.ts';

export interface LoadOptions {
  readonly rows?: number;
  readonly rounds?: number;
  /** Rows that are put, one by one. */
  readonly puts?: number;
  readonly shards?: number;
  readonly peers?: boolean;
  readonly directory?: string;
}

const LMDB_ROWS = 500_000;

async function load(path: string, source: string, rows: number, shards: number) {
  await using db = await open(path, { ...SCHEMA, shards });
  const start = performance.now();
  const report = await db.bulkLoad(source);
  const seconds = (performance.now() - start) / 1000;
  if (db.count() !== rows) throw new Error(`${db.count()} rows were loaded from ${source}.`);
  for (let i = 0; i < rows; i += Math.ceil(rows / 1000)) {
    const row = db.get(STEP * i);
    if (row?.value !== (STEP * i) / 2)
      throw new Error(`Row ${STEP * i} is ${JSON.stringify(row)}.`);
  }
  return { seconds, report };
}

async function puts(path: string, rows: number, shards: number): Promise<number> {
  await using db = await open(path, { ...SCHEMA, shards });
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < rows) {
      const key = STEP * next++;
      await db.put(key, { value: key / 2 });
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: 1024 }, writer));
  return (performance.now() - start) / 1000;
}

/** What is used of the package `lmdb`. */
interface Lmdb {
  open(options: Readonly<Record<string, unknown>>): {
    transactionSync(work: () => void): void;
    putSync(key: Buffer, value: Buffer, options: { readonly append: boolean }): void;
    close(): Promise<void>;
  };
}

async function lmdb(path: string, rows: number): Promise<number> {
  const { open: openEnvironment } = await peer<Lmdb>('lmdb');
  const environment = openEnvironment({
    ...{ path, encoding: 'binary', keyEncoding: 'binary', compression: false },
    mapSize: 16 * 2 ** 30,
  });
  const key = Buffer.alloc(8);
  const value = Buffer.alloc(8);
  const start = performance.now();
  for (let from = 0; from < rows; from += LMDB_ROWS) {
    environment.transactionSync(() => {
      for (let i = from; i < Math.min(rows, from + LMDB_ROWS); i++) {
        key.writeUInt32BE(Math.floor((STEP * i) / 2 ** 32), 0);
        key.writeUInt32BE((STEP * i) >>> 0, 4);
        value.writeDoubleLE((STEP * i) / 2);
        environment.putSync(key, value, { append: true });
      }
    });
  }
  const seconds = (performance.now() - start) / 1000;
  await environment.close();
  return seconds;
}

export async function run(options: LoadOptions = {}) {
  const { rows = 1e7, rounds = 3, shards = 2, peers = true } = options;
  const { puts: putRows = Math.ceil(rows / 10) } = options;
  const directory = mkdtempSync(join(options.directory ?? tmpdir(), 'omendb-bench-load-'));
  const sources = {
    'Arrow, sorted': join(directory, 'sorted.arrow'),
    'Arrow, shuffled': join(directory, 'shuffled.arrow'),
    'CSV, shuffled': join(directory, 'shuffled.csv'),
  };
  await writeArrow(sources['Arrow, sorted'], rows, (i) => STEP * i);
  await writeArrow(sources['Arrow, shuffled'], rows, shuffled(rows));
  writeCsv(sources['CSV, shuffled'], rows, shuffled(rows));
  const seconds = new Map<string, number[]>();
  const reports = new Map<string, LoadReport>();
  const note = (name: string, taken: number) =>
    seconds.set(name, [...(seconds.get(name) ?? []), taken]);
  const path = join(directory, 'data');
  for (let round = 0; round < rounds; round++) {
    for (const [name, source] of Object.entries(sources)) {
      const loaded = await load(path, source, rows, shards);
      note(name, loaded.seconds);
      reports.set(name, loaded.report);
      rmSync(path, { recursive: true });
    }
    note('put', ((await puts(path, putRows, shards)) * rows) / putRows);
    rmSync(path, { recursive: true });
    if (peers) {
      note('LMDB, append', await lmdb(path, rows));
      rmSync(path, { recursive: true });
    }
  }
  const csvBytes = statSync(sources['CSV, shuffled']).size;
  rmSync(directory, { recursive: true });
  const median_ = Object.fromEntries([...seconds].map(([name, taken]) => [name, median(taken)]));
  return { rows, shards, csvBytes, seconds: median_, reports: Object.fromEntries(reports) };
}

export function show({ rows, seconds, reports }: Awaited<ReturnType<typeof run>>): string {
  const append = seconds['LMDB, append'];
  return [
    `Durable loads of ${count(rows)} rows int64, float64`,
    table(
      ['', 's', 'rows/s', 'times LMDB', 'read / write / publish ms'],
      Object.entries(seconds).map(([name, taken]) => [
        name,
        taken.toFixed(2),
        Math.round(rows / taken).toLocaleString('en'),
        append === undefined ? '–' : (append / taken).toFixed(1),
        reports[name] === undefined
          ? '–'
          : (['read', 'write', 'publish'] as const)
              .map((p) => reports[name].ms[p].toFixed(0))
              .join(' / '),
      ]),
    ),
  ].join('\n');
}
