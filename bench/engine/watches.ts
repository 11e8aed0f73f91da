/**
 * Watches: how long after a put its change is there, how fast one that lags catches up, and what one that
 * keeps up costs the writers. Rows `int64 → float64`, in turns of one run.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, open } from '../../src/index.ts';
import { count, median, quantile, table } from './report.ts';

export interface WatchesOptions {
  /** Rows written with many in flight, each round, without a watch and with one. */
  readonly rows?: number;
  /** Puts one at a time, each awaited by its change. */
  readonly singles?: number;
  readonly rounds?: number;
  readonly shards?: readonly number[];
}

type Numbers = Database<number, { value: number }, number, { value: number }>;

const SCHEMA = { key: 'int64', columns: { value: 'float64' } } as const;
const IN_FLIGHT = 1024;

export async function run(options: WatchesOptions = {}) {
  const { rows = 1e6, singles = 1000, rounds = 3, shards = [1, 2] } = options;
  const results = [];
  for (const n of shards) results.push(await measure(n, rows, singles, rounds));
  return { rows, results };
}

async function measure(shards: number, rows: number, singles: number, rounds: number) {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-watches-'));
  const alone: number[] = [];
  const watched: number[] = [];
  const caughtUp: number[] = [];
  try {
    const retain = { bytes: 2 ** 40 };
    await using db: Numbers = await open(directory, { ...SCHEMA, shards, retain });
    const latencies = await latenciesOf(db, singles);
    for (let round = 0; round < rounds; round++) {
      const from = db.position();
      alone.push(rows / (await seconds(() => put(db, rows))));
      const watch = db.watch({ from });
      caughtUp.push(rows / (await seconds(() => read(watch, rows))));
      const live = db.watch();
      const reading = read(live, rows);
      watched.push(rows / (await seconds(() => put(db, rows))));
      await reading;
      // Not in the memory, nor on the disk, that the next round finds.
      await db.clear();
      await db.compact();
    }
    return {
      shards,
      latencyUs: { p50: median(latencies), p99: quantile(latencies, 0.99) },
      alonePerSecond: median(alone),
      watchedPerSecond: median(watched),
      caughtUpPerSecond: median(caughtUp),
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Microseconds from each put to its change, which the same thread awaits. */
async function latenciesOf(db: Numbers, singles: number): Promise<number[]> {
  await using watch = db.watch();
  const latencies: number[] = [];
  for (let i = 0; i < singles; i++) {
    const next = watch.next();
    const begun = performance.now();
    const write = db.put(i, { value: i });
    const { value } = await next;
    latencies.push(1000 * (performance.now() - begun));
    if (value?.changes.length !== 1) throw new Error(`Put ${i} had no change of its own.`);
    await write;
  }
  return latencies;
}

async function put(db: Numbers, rows: number): Promise<void> {
  const writes: Promise<void>[] = [];
  for (let i = 0; i < rows; i++) {
    if (i >= IN_FLIGHT) await writes[i % IN_FLIGHT];
    writes[i % IN_FLIGHT] = db.put(i, { value: i });
  }
  await Promise.all(writes);
}

/** Reads so many changes, each of which has to come. */
async function read(watch: ReturnType<Numbers['watch']>, rows: number): Promise<void> {
  let changes = 0;
  for await (const group of watch) {
    changes += group.changes.length;
    if (changes >= rows) break;
  }
  if (changes !== rows) throw new Error(`${changes} changes came, of ${rows}.`);
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

export function show({ rows, results }: Awaited<ReturnType<typeof run>>): string {
  const lines = results.map(({ shards, latencyUs, ...perSecond }) => [
    String(shards),
    latencyUs.p50.toFixed(0),
    latencyUs.p99.toFixed(0),
    count(perSecond.caughtUpPerSecond),
    count(perSecond.alonePerSecond),
    count(perSecond.watchedPerSecond),
  ]);
  const head = [
    'shards',
    'put to change, µs p50',
    'p99',
    'changes/s that lag',
    'puts/s',
    'puts/s, watched',
  ];
  return `${table(head, lines)}\n\n${count(rows)} rows a round; the watch is in the thread that writes`;
}
