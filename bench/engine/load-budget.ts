/**
 * Bulk loads in processes of their own: what a budget does to memory and time, and what all processors do for
 * text. The most memory that the process had is told beside its bound: what its rows take in the end, the budget,
 * and 200 MB.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shuffled, writeArrow, writeCsv } from './load-files.ts';
import { inProcess, type Loaded } from './load-process.ts';
import { count, median, megabytes, table } from './report.ts';

export interface BudgetOptions {
  readonly rows?: number;
  readonly rounds?: number;
  readonly shards?: number;
  readonly memory?: number;
}

const OVERHEAD_BYTES = 200e6;

export async function run(options: BudgetOptions = {}) {
  const { rows = 5e7, rounds = 3, shards = 2, memory = 512e6 } = options;
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-load-budget-'));
  const [arrow, csv] = [join(directory, 'rows.arrow'), join(directory, 'rows.csv')];
  await writeArrow(arrow, rows, shuffled(rows));
  writeCsv(csv, rows, shuffled(rows));
  const path = join(directory, 'data');
  const budget = `Arrow, shuffled, within ${megabytes(memory)}`;
  const cases = {
    'Arrow, shuffled, in memory': { source: arrow },
    [budget]: { source: arrow, memory },
    'CSV, shuffled, all processors': { source: csv },
    'CSV, shuffled, one processor': { source: csv, isPinned: process.platform === 'linux' },
  };
  const loads = new Map<string, Loaded[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, { isPinned = false, ...own }] of Object.entries<{
      readonly source: string;
      readonly memory?: number;
      readonly isPinned?: boolean;
    }>(cases)) {
      if (name.endsWith('one processor') && !isPinned) continue;
      const loaded = await inProcess({ path, rows, shards, ...own }, isPinned);
      loads.set(name, [...(loads.get(name) ?? []), loaded]);
      rmSync(path, { recursive: true });
    }
  }
  rmSync(directory, { recursive: true });
  const of = (name: string) => loads.get(name) ?? [];
  const seconds = (name: string) => median(of(name).map((one) => one.seconds));
  const { residentBytes } = of(budget)[0];
  const ratio = seconds('CSV, shuffled, one processor') / seconds('CSV, shuffled, all processors');
  return {
    ...{ rows, rounds, memory, residentBytes },
    boundBytes: residentBytes + memory + OVERHEAD_BYTES,
    peakBytes: Math.max(...of(budget).map((one) => one.peakBytes)),
    csvRatio: ratio,
    loads: [...loads].map(([name, all]) => {
      return { name, seconds: seconds(name), last: all[all.length - 1], all };
    }),
  };
}

export function show(result: Awaited<ReturnType<typeof run>>): string {
  const { rows, memory, residentBytes, boundBytes, peakBytes, csvRatio, loads } = result;
  const isWithin = peakBytes <= boundBytes ? 'within' : 'ABOVE';
  return [
    `Bulk loads of ${count(rows)} shuffled rows int64, float64, each in a process of its own`,
    table(
      ['', 's', 'rows/s', 'peak memory', 'spilled', 'read / write / publish ms'],
      loads.map(({ name, seconds, last, all }) => [
        name,
        seconds.toFixed(2),
        Math.round(rows / seconds).toLocaleString('en'),
        megabytes(Math.max(...all.map((one) => one.peakBytes))),
        megabytes(last.spilledBytes),
        (['read', 'write', 'publish'] as const)
          .map((p) => last.report.ms[p].toFixed(0))
          .join(' / '),
      ]),
    ),
    '',
    `With a budget of ${megabytes(memory)}: ${megabytes(peakBytes)} at most, ${isWithin} the bound of ` +
      `${megabytes(boundBytes)} (rows and index ${megabytes(residentBytes)}, budget, ${megabytes(OVERHEAD_BYTES)}).`,
    Number.isFinite(csvRatio)
      ? `CSV with all processors: ${csvRatio.toFixed(2)} times as fast as the same on one.`
      : 'CSV on one processor: not measured, this system cannot pin a process.',
  ].join('\n');
}
