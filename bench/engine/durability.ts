/**
 * What safety costs: the same puts at each durability, many in flight and one at a time, beside bare
 * writes of as many bytes in as many groups as the log of the safest took, each with its fdatasync, over a
 * file that was written before. All in turns of one run, on one shard.
 */
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type Durability, open } from '../../src/index.ts';
import { count, median, quantile, table } from './report.ts';

export interface DurabilityOptions {
  /** Rows written with many in flight, each round and durability. */
  readonly rows?: number;
  /** Puts one at a time, each round and durability. */
  readonly singles?: number;
  readonly rounds?: number;
  readonly directory?: string;
}

/** More would go on in a second log file, and the bytes of the first one be missing here. */
const ROWS_MAX = 1_000_000;
const IN_FLIGHT = 1024;
const INTERVAL_MS = 100;
const BLOCK = 4096;
/** Of a fresh database, which knows no code yet. */
const WARM_UP = 0.2;

const DURABILITIES: readonly (readonly [name: string, Durability])[] = [
  ['sync', 'sync'],
  [`{ intervalMs: ${INTERVAL_MS} }`, { intervalMs: INTERVAL_MS }],
  ['os', 'os'],
];
const BARE = 'bare write + fdatasync';

interface Passes {
  /** Rows a second, of each round. */
  readonly manyPerSecond: number[];
  /** Groups that were written for them. */
  readonly groups: number[];
  /** Of each put one at a time. */
  readonly singleUs: number[];
}

export async function run(options: DurabilityOptions = {}) {
  const { rows = ROWS_MAX / 2, singles = 1000, rounds = 3 } = options;
  if (rows > ROWS_MAX) throw new TypeError(`--rows is at most ${ROWS_MAX}.`);
  const directory = mkdtempSync(join(options.directory ?? tmpdir(), 'omendb-bench-durability-'));
  const names = [...DURABILITIES.map(([name]) => name), BARE];
  const passes = new Map(
    names.map((name): [string, Passes] => [name, { manyPerSecond: [], groups: [], singleUs: [] }]),
  );
  const passesOf = (name: string): Passes => {
    const found = passes.get(name);
    if (found === undefined) throw new Error(`There is no ${name}.`);
    return found;
  };
  try {
    for (let round = 0; round < rounds; round++) {
      let log = { bytes: 0, groups: 0 };
      for (const [name, durability] of DURABILITIES) {
        const path = join(directory, `round-${round}`);
        const written = await put(path, durability, rows, singles, passesOf(name));
        if (durability === 'sync') log = written;
        rmSync(path, { recursive: true });
      }
      writeBare(join(directory, 'bare'), log, rows, singles, passesOf(BARE));
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
  const contestants = [...passes].map(([name, { manyPerSecond, groups, singleUs }]) => ({
    name,
    manyPerSecond: median(manyPerSecond),
    groups: median(groups),
    singleP50Us: median(singleUs),
    singleP99Us: quantile(singleUs, 0.99),
  }));
  return { rows, singles, rounds, contestants };
}

/** Returns what the log took for the rows with many in flight. */
async function put(
  path: string,
  durability: Durability,
  rows: number,
  singles: number,
  { manyPerSecond, groups, singleUs }: Passes,
): Promise<{ bytes: number; groups: number }> {
  await using db = await open(path, {
    key: 'int64',
    columns: { value: 'float64' },
    shards: 1,
    durability,
  });
  const warmUp = Math.ceil(rows * WARM_UP);
  let next = -warmUp;
  const writeUpTo = (end: number) =>
    Promise.all(
      Array.from({ length: IN_FLIGHT }, async () => {
        while (next < end) {
          const i = next++;
          await db.put(i, { value: i });
        }
      }),
    );
  // The shard says what it has done when it has time, or soon after: one put is one LSN.
  const totalAt = async (lsn: number) => {
    for (;;) {
      const { total } = db.stats();
      if (total.lsn >= lsn) return total;
      await setImmediate();
    }
  };
  await writeUpTo(0);
  const before = await totalAt(warmUp);
  const start = performance.now();
  await writeUpTo(rows);
  manyPerSecond.push((rows / (performance.now() - start)) * 1000);
  const after = await totalAt(warmUp + rows);
  const log = {
    bytes: after.walBytes - before.walBytes,
    groups: after.commits - before.commits,
  };
  groups.push(log.groups);
  for (let i = 0; i < singles; i++) {
    const begun = performance.now();
    await db.put(rows + i, { value: i });
    singleUs.push((performance.now() - begun) * 1000);
  }
  const wanted = rows + singles + warmUp;
  if (db.count() !== wanted) throw new Error(`${db.count()} rows, ${wanted} were put.`);
  return log;
}

function writeBare(
  path: string,
  log: { bytes: number; groups: number },
  rows: number,
  singles: number,
  { manyPerSecond, groups, singleUs }: Passes,
): void {
  const group = Buffer.alloc(Math.ceil(log.bytes / log.groups / BLOCK) * BLOCK, 1);
  const descriptor = openSync(path, 'w');
  try {
    for (let i = 0; i < log.groups; i++) writeSync(descriptor, group, 0, group.length);
    for (let i = 0; i < singles; i++) writeSync(descriptor, group, 0, BLOCK);
    fsyncSync(descriptor);
    let at = 0;
    const write = (bytes: number) => {
      writeSync(descriptor, group, 0, bytes, at);
      fdatasyncSync(descriptor);
      at += bytes;
    };
    const start = performance.now();
    for (let i = 0; i < log.groups; i++) write(group.length);
    manyPerSecond.push((rows / (performance.now() - start)) * 1000);
    groups.push(log.groups);
    for (let i = 0; i < singles; i++) {
      const begun = performance.now();
      write(BLOCK);
      singleUs.push((performance.now() - begun) * 1000);
    }
  } finally {
    closeSync(descriptor);
    rmSync(path);
  }
}

export function show(result: Awaited<ReturnType<typeof run>>): string {
  const { contestants, rows, singles, rounds } = result;
  const safest = contestants[0];
  return [
    `The price of safety: ${count(rows)} puts with ${IN_FLIGHT} in flight, then ${singles} one at a time; ` +
      `one shard, medians of ${rounds} rounds`,
    table(
      ['', 'puts/s', 'times sync', 'groups', 'one: p50 µs', 'p99 µs'],
      contestants.map(({ name, manyPerSecond, groups, singleP50Us, singleP99Us }) => [
        name,
        Math.round(manyPerSecond).toLocaleString('en'),
        (manyPerSecond / safest.manyPerSecond).toFixed(2),
        Math.round(groups).toLocaleString('en'),
        singleP50Us.toFixed(0),
        singleP99Us.toFixed(0),
      ]),
    ),
  ].join('\n');
}
