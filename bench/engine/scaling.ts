/**
 * The work that is a shard's own: its rows, in full memtables, are sorted, trained on, written and
 * synced as segments, then merged into one run. The same rows as one shard and as two, each shard
 * with the job pool it has in the engine; in turns.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashKey } from '../../src/schema/key.ts';
import { parseSchema } from '../../src/schema/schema.ts';
import { JobPool } from '../../src/shard-worker/job-pool.ts';
import { MemtableWriter } from '../../src/shard-worker/memtable-writer.ts';
import type { SegmentPlace } from '../../src/shard-worker/model-files.ts';
import { CommitTable } from '../../src/view/commit-table.ts';
import { layoutMemtable, type MemtableHandle } from '../../src/view/memtable.ts';
import type { SegmentHandle } from '../../src/view/segment.ts';
import { count, median, table } from './report.ts';

export interface ScalingOptions {
  readonly rows?: number;
  readonly rounds?: number;
}

const SCHEMA = parseSchema({ key: 'int64', columns: { value: 'float64' } });
const SIGN = 0x80000000;

export async function run({ rows = 1e7, rounds = 5 }: ScalingOptions = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-scaling-'));
  const entriesMax = Math.min(2 ** 20, Math.ceil(rows / 4));
  const pools = [new JobPool(), new JobPool()];
  const figures: Record<1 | 2, number[]> = { 1: [], 2: [] };
  for (let round = 0; round <= rounds; round++) {
    for (const shards of [1, 2] as const) {
      const memtables = fill(rows, shards, entriesMax);
      const start = performance.now();
      await Promise.all(
        memtables.map((own, shard) =>
          work(join(directory, `${round}-${shards}-${shard}`), shard, own, pools[shard]),
        ),
      );
      const elapsed = performance.now() - start;
      // The first round starts the pools' threads and warms their code.
      if (round > 0) figures[shards].push(elapsed);
      rmSync(directory, { recursive: true });
      mkdirSync(directory);
    }
  }
  for (const pool of pools) await pool.close();
  rmSync(directory, { recursive: true });
  const ratios = figures[1].map((one, i) => one / figures[2][i]);
  return { rows, oneMs: median(figures[1]), twoMs: median(figures[2]), speedUp: median(ratios) };
}

function newMemtable(entriesMax: number, id: number, table: CommitTable): MemtableWriter {
  const shape = { entriesMax, arenaBytes: 48 * entriesMax };
  const memory = new SharedArrayBuffer(layoutMemtable(shape).bytes);
  return new MemtableWriter({ id, memory, shape, storesKeys: false }, table);
}

/** The rows in memtables, by shard. */
function fill(rows: number, shards: number, entriesMax: number): MemtableHandle[][] {
  const commits = CommitTable.empty();
  const own = Array.from({ length: shards }, () => [newMemtable(entriesMax, 1, commits)]);
  for (let i = 0; i < rows; i++) {
    const lo = Math.imul(i, 0x9e3779b1) >>> 0;
    const shard = Math.floor((hashKey(SIGN, lo) * shards) / 2 ** 32);
    let memtable = own[shard][own[shard].length - 1];
    if (!memtable.fits(1, 8)) {
      memtable.publish();
      memtable = newMemtable(entriesMax, own[shard].length + 1, commits);
      own[shard].push(memtable);
    }
    const row = memtable.append(SIGN, lo, 0, 0, 8);
    memtable.reader.arena.f64[row >>> 3] = i;
  }
  return own.map((memtables) =>
    memtables.map((memtable) => {
      memtable.publish();
      return memtable.handle;
    }),
  );
}

async function work(
  directory: string,
  shard: number,
  memtables: readonly MemtableHandle[],
  pool: JobPool,
): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const place: SegmentPlace = { directory, schema: SCHEMA, databaseId: '0'.repeat(32), shard };
  const runs: SegmentHandle[][] = [];
  for (const [i, memtable] of memtables.entries()) {
    const firstId = 1 + 10 * i;
    const { written } = await pool.run({
      kind: 'flush',
      place,
      memtable,
      keepTombstones: false,
      expiry: null,
      firstId,
      span: { firstLsn: i + 1, lastLsn: i + 1 },
    });
    runs.unshift(written.map(({ handle }) => handle));
  }
  const span = { firstLsn: 1, lastLsn: memtables.length };
  const cleared = runs.map(() => []);
  const rest = { keepTombstones: false, expiry: null, firstId: 10_000, span };
  await pool.run({ kind: 'merge', place, runs, cleared, ...rest });
}

export function show(result: Awaited<ReturnType<typeof run>>): string {
  const { rows, oneMs, twoMs, speedUp } = result;
  const rate = (ms: number) => `${((rows / ms) * 1000).toExponential(2)}`;
  return [
    `A shard's own work (sort, flush, train, write, merge) on ${count(rows)} rows`,
    table(
      ['', 'ms', 'rows/s'],
      [
        ['as one shard', oneMs.toFixed(0), rate(oneMs)],
        ['as two shards', twoMs.toFixed(0), rate(twoMs)],
        ['times as fast', speedUp.toFixed(2), ''],
      ],
    ),
  ].join('\n');
}
