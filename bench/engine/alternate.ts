/**
 * Reads that alternate with writes, where an index that is sorted lazily would fall off a cliff: into a
 * memtable that is nearly full, one put, then a `floor` or a short `entries`, again and again. Only
 * the reads are timed. Also what creating a database takes, and opening it again.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from '../../src/index.ts';
import { count, median, quantile, random, table } from './report.ts';

export interface AlternateOptions {
  /** Entries a memtable holds; it is filled but for the puts that are to come. */
  readonly entries?: number;
  readonly turns?: number;
  readonly shards?: readonly number[];
  readonly opens?: number;
}

const BATCH = 2000;
const ROWS_READ = 5;
const SPAN = 2 ** 40;

export async function run(options: AlternateOptions = {}) {
  const { entries = 2 ** 20, turns = 20_000, shards = [1, 2], opens = 15 } = options;
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-alternate-'));
  const reads = [];
  for (const n of shards) {
    reads.push({ shards: n, ...(await alternate(join(directory, `${n}`), n, entries, turns)) });
  }
  const opening = await openings(directory, opens);
  rmSync(directory, { recursive: true });
  return { entries, turns, reads, opening };
}

async function alternate(path: string, shards: number, entries: number, turns: number) {
  await using db = await open(path, {
    key: 'int64',
    columns: { value: 'float64' },
    shards,
    durability: 'os',
    memtable: { entriesMax: entries, arenaBytes: 64 * entries },
  });
  const next = random(3);
  const put = (i: number) => {
    return { type: 'put', key: Math.floor(SPAN * next()), value: { value: i } } as const;
  };
  // Hashing shares keys out unevenly: some room stays free, so that no shard's memtable is sealed.
  const rows = Math.floor(shards * entries * 0.98) - 2 * turns;
  for (let i = 0; i < rows; i += BATCH) {
    await db.batch(Array.from({ length: Math.min(BATCH, rows - i) }, (_, j) => put(i + j)));
  }
  const floors: number[] = [];
  const scans: number[] = [];
  for (let turn = 0; turn < 2 * turns; turn++) {
    const key = Math.floor(SPAN * next());
    await db.put(key, { value: turn });
    const start = performance.now();
    if (turn % 2 === 0) {
      const found = db.floor(key);
      floors.push((performance.now() - start) * 1000);
      if (found?.[1].value !== turn) throw new Error(`floor gave ${JSON.stringify(found)}.`);
    } else {
      const found = [...db.entries({ gte: key, limit: ROWS_READ })];
      scans.push((performance.now() - start) * 1000);
      if (found[0][1].value !== turn) throw new Error(`entries gave ${JSON.stringify(found)}.`);
    }
  }
  const { flushes } = db.stats().total;
  if (flushes > 0) throw new Error('A memtable was sealed: it was to stay full.');
  return {
    floorP50Us: median(floors),
    floorP99Us: quantile(floors, 0.99),
    entriesP50Us: median(scans),
    entriesP99Us: quantile(scans, 0.99),
  };
}

async function openings(directory: string, opens: number) {
  const createMs: number[] = [];
  const reopenMs: number[] = [];
  for (let i = 0; i < opens; i++) {
    const path = join(directory, `open-${i}`);
    for (const times of [createMs, reopenMs]) {
      const start = performance.now();
      const db = await open(path, { key: 'int64', columns: { value: 'float64' }, shards: 2 });
      times.push(performance.now() - start);
      await db.close();
    }
  }
  return { createMs: median(createMs), reopenMs: median(reopenMs) };
}

export function show({ entries, turns, reads, opening }: Awaited<ReturnType<typeof run>>): string {
  const us = (value: number): string => value.toFixed(1);
  return [
    `Reads after each put, into a memtable of ${count(entries)} entries that is nearly full ` +
      `(${count(turns)} of each)`,
    table(
      ['shards', 'floor p50 µs', 'p99', `entries, ${ROWS_READ} rows, p50 µs`, 'p99'],
      reads.map((read) => [
        String(read.shards),
        us(read.floorP50Us),
        us(read.floorP99Us),
        us(read.entriesP50Us),
        us(read.entriesP99Us),
      ]),
    ),
    `Creating a database of two shards took ${opening.createMs.toFixed(0)} ms, ` +
      `opening it again ${opening.reopenMs.toFixed(0)} ms (medians).`,
  ].join('\n');
}
