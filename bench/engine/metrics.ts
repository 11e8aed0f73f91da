/**
 * What counting and timing costs: a `get`, and a `put` with many in flight, against the same sources with
 * the counting taken out, in many short turns, of which few are interrupted, in several processes.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Pair, Pairs, Turns } from './metered-process.ts';
import { count, median, table } from './report.ts';

export interface MetricsOptions {
  /** Rows of each database, and how many gets and puts a turn. */
  readonly rows?: number | undefined;
  readonly gets?: number;
  readonly puts?: number;
  /** Turns of gets in a process; of puts there are a tenth as many. */
  readonly rounds?: number;
  readonly processes?: number;
}

const PROCESS = join(import.meta.dirname, 'metered-process.ts');

/** Medians over processes, and how much more time the one that counts took. */
interface Compared extends Pair {
  /** The mean over processes. */
  readonly share: number;
  /** Its standard error. */
  readonly error: number;
}

function compared(pairs: readonly Pair[]): Compared {
  const shares = pairs.map(({ counting, without }) => counting / without - 1);
  const share = shares.reduce((a, b) => a + b, 0) / shares.length;
  const squares = shares.reduce((sum, one) => sum + (one - share) ** 2, 0);
  return {
    counting: median(pairs.map(({ counting }) => counting)),
    without: median(pairs.map(({ without }) => without)),
    share,
    error: Math.sqrt(squares / Math.max(1, shares.length - 1) / shares.length),
  };
}

async function oneProcess(turns: Omit<Turns, 'directory'>): Promise<Pairs> {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-metrics-'));
  try {
    const given = JSON.stringify({ ...turns, directory });
    const { stdout } = await promisify(execFile)(process.execPath, [PROCESS, given]);
    return JSON.parse(stdout);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export async function run(options: MetricsOptions = {}) {
  const { rows = 1e6, gets = 5000, puts = 20_000, rounds = 600, processes = 16 } = options;
  const all: Pairs[] = [];
  for (let i = 0; i < processes; i++) {
    all.push(await oneProcess({ rows, gets, puts, rounds, isFirst: i % 2 === 0 }));
  }
  const get = compared(all.map((pairs) => pairs.get));
  const put = compared(all.map((pairs) => pairs.put));
  return { rows, rounds, processes, get, put };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export function show(result: Awaited<ReturnType<typeof run>>): string {
  const { rows, rounds, processes, get, put } = result;
  const line = (name: string, { counting, without, share, error }: Compared) => {
    return [name, counting.toFixed(2), without.toFixed(2), percent(share), percent(error)];
  };
  return [
    `What counting costs, ${count(rows)} rows in two shards, ${processes} processes of ${rounds} turns`,
    table(
      ['', 'counting', 'without', 'more (mean)', 'standard error'],
      [line('get, ns', get), line('put, µs of all processors', put)],
    ),
  ].join('\n');
}
