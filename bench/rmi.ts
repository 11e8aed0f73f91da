/**
 * The learned index from all sides, a set of keys at a time, each in a process of its own: trained,
 * proved right, timed against other designs and native code, and in the engine against LMDB,
 * sorted-btree and a Map. See `HELP`.
 */
import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SET_NAMES } from './rmi/key-sets.ts';
import type { SetResult } from './rmi/measure-set.ts';
import { compileNative } from './rmi/native.ts';
import { reportOf } from './rmi/report/page.ts';
import type { Message } from './rmi/set-process.ts';
import { assemble } from './rmi/wasm/kernel.ts';

export { show } from './rmi/show.ts';

export interface RmiOptions {
  readonly rows?: number;
  readonly sets?: readonly string[];
  /** Look-ups of the bare index, and gets of the engine, each round. */
  readonly probes?: number;
  readonly gets?: number;
  readonly rounds?: number;
  readonly shards?: number;
  readonly peers?: boolean;
  /** Whether to leave other designs of indexes out. */
  readonly brief?: boolean;
  /** Whether to write an HTML page, and where. */
  readonly report?: boolean;
  readonly reportFile?: string;
  readonly onProgress?: (set: string, what: string) => void;
  /** Called with each set as it is done: a long run that is ended early has told something. */
  readonly onSet?: (run: RmiRun) => void;
}

export interface RmiRun {
  readonly rows: number;
  readonly rounds: number;
  readonly probes: number;
  readonly gets: number;
  readonly shards: number;
  readonly sets: readonly SetResult[];
  /** Where the page was written, if it was asked for. */
  readonly report: string | null;
}

export const HELP = `npm run bench -- rmi [--rows N] [--sets a,b] [--brief] [--alone] [--report] [--json] [--tiny]

  --rows N     at most so many keys a set (1000000)
  --sets a,b   only these sets
  --brief      without other designs of indexes, which take most of the time
  --alone      without engines that are installed for it: for more keys than memory has room for in all
  --report     also write bench/results/rmi.html
  --json       the result as JSON instead of tables
  --tiny       a few thousand keys: only shows that it still works

Sets: ${SET_NAMES.join(' ')}

Memory: 50 M keys take about 12 GB, most of it the pages of LMDB's files; 200 M, with --alone, as much. Native code needs g++.`;

const REPORT_FILE = fileURLToPath(new URL('results/rmi.html', import.meta.url));
/** So many keys stay in a processor's last cache; of more, enough are looked up that none does. */
const SMALL = 2e6;
/** A Map and a tree of 10 M rows need more than V8's default. */
const HEAP_MEGABYTES = 12_000;

/** @throws when an answer is wrong */
export async function run(options: RmiOptions = {}): Promise<RmiRun> {
  const {
    rows = 1e6,
    sets: names = SET_NAMES,
    rounds = 5,
    shards = 2,
    peers = true,
    brief = false,
  } = options;
  const { probes = rows > SMALL ? 2.4e6 : 3e5, gets = 300_000, onProgress } = options;
  const unknown = names.find((name) => !SET_NAMES.includes(name));
  if (unknown !== undefined) throw new Error(`There is no set "${unknown}".\n\n${HELP}`);
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-rmi-'));
  try {
    const native = compileNative(directory);
    if (native === null) process.stderr.write('THERE IS NO g++: NO FIGURES OF NATIVE CODE.\n');
    const wasm = await assemble();
    if (wasm === null) process.stderr.write('THERE IS NO wabt: NO FIGURES OF WEBASSEMBLY.\n');
    const sets: SetResult[] = [];
    for (const name of names) {
      const result = await measureApart(
        { name, rows, probes, gets, rounds, shards, peers, brief, programs: { wasm, native } },
        (what) => onProgress?.(name, what),
      );
      sets.push(result);
      options.onSet?.({ rows, rounds, probes, gets, shards, sets: [result], report: null });
    }
    const all = { rows, rounds, probes, gets, shards, sets };
    return { ...all, report: options.report ? writeReport(all, options.reportFile) : null };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function writeReport(run: Omit<RmiRun, 'report'>, file = REPORT_FILE): string {
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, reportOf(run));
  return file;
}

type SetOptions = Parameters<typeof import('./rmi/measure-set.ts').measureSet>[0];

function measureApart(options: SetOptions, onProgress: (what: string) => void): Promise<SetResult> {
  const entry = fileURLToPath(new URL('rmi/set-process.ts', import.meta.url));
  const child = fork(entry, {
    serialization: 'advanced',
    execArgv: [`--max-old-space-size=${HEAP_MEGABYTES}`],
  });
  const { promise, resolve, reject } = Promise.withResolvers<SetResult>();
  child.on('message', (message: Message) => {
    if ('result' in message) resolve(message.result);
    else onProgress(message.progress);
  });
  child.on('error', reject);
  child.on('close', (code) => {
    reject(new Error(`Measuring ${options.name} ended with code ${code}.`));
  });
  child.send(options);
  return promise;
}
