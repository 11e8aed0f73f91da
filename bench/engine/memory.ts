/**
 * What rows cost in memory, in a process of its own: `int64 → float64` rows are loaded and compacted,
 * then the process's resident set is read.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { open } from '../../src/index.ts';
import { count, megabytes, table } from './report.ts';

export interface MemoryOptions {
  readonly rows?: number;
  readonly shards?: number;
  /** How long to wait for idle pool threads to end before memory is read. */
  readonly settleMs?: number;
}

interface Measured {
  readonly emptyBytes: number;
  readonly loadedBytes: number;
  readonly peakBytes: number;
  readonly loadRowsPerSecond: number;
  readonly compactMs: number;
  readonly stats: {
    readonly rows: number;
    readonly indexBytes: number;
    readonly segmentBytes: number;
  };
}

const BATCH = 2000;
const SETTLE_MS = 7000;

export async function run({ rows = 5e7, shards = 2, settleMs = SETTLE_MS }: MemoryOptions = {}) {
  const child = spawn(
    process.execPath,
    [fileURLToPath(import.meta.url), ...[rows, shards, settleMs].map(String)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`The measuring process ended with code ${code}.`);
  const measured = JSON.parse(Buffer.concat(chunks).toString()) as Measured;
  return { rows, shards, rawBytes: 16 * rows, ...measured };
}

async function measure(rows: number, shards: number, settleMs: number): Promise<Measured> {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-memory-'));
  const db = await open(directory, {
    key: 'int64',
    columns: { value: 'float64' },
    shards,
    durability: 'os',
  });
  const emptyBytes = process.memoryUsage.rss();
  let peakBytes = emptyBytes;
  const start = performance.now();
  for (let i = 0; i < rows; i += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, rows - i) }, (_, j) => {
      // A permutation of the rows in steps: memtables cover the whole range, as random keys do.
      const key = ((i + j) * 7_368_787) % rows;
      return { type: 'put', key, value: { value: key } } as const;
    });
    await db.ready();
    await db.batch(batch);
    if (i % (BATCH * 500) === 0) peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
  }
  const loadRowsPerSecond = (rows / (performance.now() - start)) * 1000;
  const compacting = performance.now();
  await db.compact();
  const compactMs = performance.now() - compacting;
  peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
  if (db.count() !== rows) throw new Error(`There are ${db.count()} rows, not ${rows}.`);
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const { total } = db.stats();
  const loadedBytes = process.memoryUsage.rss();
  await db.close();
  rmSync(directory, { recursive: true });
  return { emptyBytes, loadedBytes, peakBytes, loadRowsPerSecond, compactMs, stats: total };
}

export function show(result: Awaited<ReturnType<typeof run>>): string {
  const { rows, rawBytes, emptyBytes, loadedBytes, peakBytes, stats } = result;
  const allowed = 1.25 * rawBytes + 200e6;
  return [
    `Memory at ${count(rows)} rows int64 → float64, ${result.shards} shards, after compaction`,
    table(
      ['', 'bytes'],
      [
        ['raw rows', megabytes(rawBytes)],
        ['resident set, loaded', megabytes(loadedBytes)],
        ['resident set, empty database', megabytes(emptyBytes)],
        ['resident set, peak while loading', megabytes(peakBytes)],
        ['1.25 × raw + 200 MB', megabytes(allowed)],
        [
          'learned index',
          `${megabytes(stats.indexBytes)} (${(stats.indexBytes / rows).toFixed(3)} a key)`,
        ],
      ],
    ),
    `Loaded at ${Math.round(result.loadRowsPerSecond).toLocaleString('en')} rows/s, compacted in ${(result.compactMs / 1000).toFixed(1)} s.`,
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [rows, shards, settleMs] = process.argv.slice(2).map(Number);
  const measured = await measure(rows, shards, settleMs);
  process.stdout.write(JSON.stringify(measured));
}
