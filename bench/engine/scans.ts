/**
 * Every row of a compacted database in turn, `int64 → float64`: as Arrow record batches of both columns,
 * and as entries, against LMDB's getRange. Every pass is checked once by the sum of its values.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, open } from '../../src/index.ts';
import { count, median, table } from './report.ts';
import { openLmdb } from './stores.ts';

export interface ScansOptions {
  readonly rows?: number;
  readonly rounds?: number;
  /** Whether LMDB, which users never install, takes part. */
  readonly peers?: boolean;
}

type Numbers = Database<number, { value: number }, number, { value: number }>;

/** Reads every row; returns how many there were. */
type Pass = () => number | Promise<number>;

const LOADED_AT_ONCE = 2000;
const KEY_STEP = 1009;

async function load(db: Numbers, rows: number): Promise<void> {
  for (let start = 0; start < rows; start += LOADED_AT_ONCE) {
    await db.batch(
      Array.from({ length: Math.min(LOADED_AT_ONCE, rows - start) }, (_, i) => {
        return { type: 'put', key: (start + i) * KEY_STEP, value: { value: start + i } } as const;
      }),
    );
  }
  await db.compact();
}

async function scanned(db: Numbers, ordered: boolean): Promise<number> {
  let rows = 0;
  for await (const batch of db.scan({ ordered })) rows += batch.numRows;
  return rows;
}

async function sumOf(db: Numbers, ordered: boolean): Promise<number> {
  let sum = 0;
  for await (const batch of db.scan({ ordered })) {
    for (const value of batch.getChild('value')?.toArray() ?? []) sum += value;
  }
  return sum;
}

function walked(db: Numbers, expected: number): number {
  let rows = 0;
  let sum = 0;
  for (const [, row] of db.entries()) {
    sum += row.value;
    rows++;
  }
  if (sum !== expected) throw new Error(`The values of all entries add up to ${sum}.`);
  return rows;
}

export async function run({ rows = 1e7, rounds = 5, peers = true }: ScansOptions = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-scans-'));
  const expected = (rows * (rows - 1)) / 2;
  const common = { key: 'int64', columns: { value: 'float64' }, durability: 'os' } as const;
  const splits = [Math.floor(rows / 2) * KEY_STEP];
  const hash = await open(join(directory, 'hash'), { ...common, shards: 2 });
  const range = await open(join(directory, 'range'), {
    ...common,
    shards: 2,
    partition: { splits },
  });
  const type = 'int64';
  const keyAt = (i: number) => i * KEY_STEP;
  const listed = { type, count: rows, bigints: false, keyAt } as const;
  const lmdb = peers ? await openLmdb(join(directory, 'lmdb'), listed, 'ordered-binary') : null;
  try {
    await load(hash, rows);
    await load(range, rows);
    for (let i = 0; i < rows; i += LOADED_AT_ONCE)
      lmdb?.load(i, Math.min(rows, i + LOADED_AT_ONCE));
    for (const sum of [sumOf(hash, true), sumOf(hash, false), sumOf(range, true)]) {
      if ((await sum) !== expected) throw new Error(`The values add up to ${await sum}.`);
    }
    const passes: Record<string, Pass> = {
      arrowHash: () => scanned(hash, true),
      arrowUnordered: () => scanned(hash, false),
      arrowRange: () => scanned(range, true),
      entriesHash: () => walked(hash, expected),
      entriesRange: () => walked(range, expected),
      ...(lmdb && { lmdb: () => lmdb.walk?.(expected) ?? 0 }),
    };
    const seconds = await timed(rounds, passes, rows);
    return { rows, seconds };
  } finally {
    await hash.close();
    await range.close();
    await lmdb?.close();
    rmSync(directory, { recursive: true });
  }
}

/** Seconds of each pass, medians of turns that follow one to warm up. */
async function timed(
  rounds: number,
  passes: Readonly<Record<string, Pass>>,
  rows: number,
): Promise<Record<string, number>> {
  const times: Record<string, number[]> = Object.fromEntries(
    Object.keys(passes).map((name) => [name, []]),
  );
  for (let round = 0; round <= rounds; round++) {
    for (const [name, pass] of Object.entries(passes)) {
      const start = performance.now();
      const found = await pass();
      const seconds = (performance.now() - start) / 1000;
      if (found !== rows) throw new Error(`${name} had ${found} rows of ${rows}.`);
      if (round > 0) times[name].push(seconds);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, all]) => [name, median(all)]));
}

const NAMES: Readonly<Record<string, string>> = {
  arrowHash: 'Arrow, in order over two hash shards',
  arrowUnordered: 'Arrow, ordered: false',
  arrowRange: 'Arrow, shards by range',
  entriesHash: 'entries, two hash shards',
  entriesRange: 'entries, shards by range',
  lmdb: 'LMDB getRange',
};

export function show({ rows, seconds }: Awaited<ReturnType<typeof run>>): string {
  const ratio = (time: number) => (seconds.lmdb ? (seconds.lmdb / time).toFixed(2) : '–');
  return [
    `Every row of ${count(rows)}, int64 → float64, compacted, two shards`,
    table(
      ['', 'M rows/s', 'times LMDB'],
      Object.entries(seconds).map(([name, time]) => [
        NAMES[name],
        (rows / time / 1e6).toFixed(1),
        ratio(time),
      ]),
    ),
  ].join('\n');
}
