/**
 * The mutation check: every seeded bug of mutant-list.ts in turn is put into a copy of the sources, and
 * the tests that should notice are run there. First they run without any bug, and have to pass.
 */
import { type SpawnSyncOptions, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type Detector, MUTANTS, type Mutant } from './mutant-list.ts';
import { obstacle } from './plug.ts';

const ROOT = join(import.meta.dirname, '..');

const AVA = 'node_modules/ava/entrypoints/cli.js';

/** What Node is to run, in the order in which it is tried. */
export const DETECTORS: Readonly<Record<Detector, readonly string[]>> = {
  storage: [AVA, 'test/storage/*.test.ts'],
  damage: [
    AVA,
    'test/wal/damage.test.ts',
    'test/arrow/*.test.ts',
    'test/view/paging.test.ts',
    'test/shard-worker/{at-rest,manifest,model-files,salvage,salvage-segment}.test.ts',
    'test/coordinator/identity.test.ts',
  ],
  crashes: [AVA, '--fail-fast', 'test/shard-worker/engine-crash.test.ts', 'test/wal/crash.test.ts'],
  engine: [AVA, '--fail-fast', 'test/wal/*.test.ts', 'test/shard-worker/*.test.ts'],
  histories: [
    AVA,
    '--fail-fast',
    'test/view/commit-table.test.ts',
    'test/wal/follower.test.ts',
    'test/coordinator/{watch,watch-order}.test.ts',
    'test/conformance/linearizability.test.ts',
  ],
  loads: [
    AVA,
    '--fail-fast',
    'test/load/*.test.ts',
    'test/coordinator/{bulk-load,bulk-load-existing,bulk-load-spill,learned-splits}.test.ts',
  ],
  plug: ['stress/main.ts', 'crash', '--layer', 'C', '--seed', '1', '--cases', '8'],
};

/** Longer than any of them takes; a bug that keeps one from ending is noticed too. */
const DETECTOR_MS_MAX = 240_000;

/** The text of a mutated file. Throws where the bug has no place in it, or more than one. */
export function mutate({ file, find, replace }: Mutant): string {
  const pieces = readFileSync(join(ROOT, file), 'utf8').split(find);
  if (pieces.length !== 2) throw new Error(`${file} has ${pieces.length - 1} of: ${find}`);
  return pieces.join(replace);
}

/** Runs tests in a copy of the sources, mutated or not. */
export class Laboratory {
  readonly #directory = mkdtempSync(join(tmpdir(), 'omendb-mutants-'));

  constructor() {
    const filter = (path: string): boolean => basename(path) !== 'node_modules';
    const settings = ['package.json', 'tsconfig.json', 'ava.config.js'];
    for (const part of ['src', 'test', 'stress', 'bench', ...settings]) {
      cpSync(join(ROOT, part), join(this.#directory, part), { recursive: true, filter });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(this.#directory, 'node_modules'));
  }

  /** Whether what Node is given to run notices the bug. */
  notices(mutant: Mutant, command: readonly string[]): boolean {
    const path = join(this.#directory, mutant.file);
    const sound = readFileSync(path);
    writeFileSync(path, mutate(mutant));
    try {
      return !this.passes(command);
    } finally {
      writeFileSync(path, sound);
    }
  }

  passes(command: readonly string[]): boolean {
    // In a group of its own, which Node's types leave out.
    const options: SpawnSyncOptions & { detached: true } = {
      cwd: this.#directory,
      detached: true,
      stdio: 'ignore',
      timeout: DETECTOR_MS_MAX,
      killSignal: 'SIGKILL',
    };
    const { pid, status, error } = spawnSync(process.execPath, command, options);
    endGroup(pid);
    if (error !== undefined && !('code' in error && error.code === 'ETIMEDOUT')) throw error;
    return status === 0;
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true });
  }
}

/** Ends what a process has left behind: a mutant may spin for ever in one that it had started. */
function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It left nothing.
  }
}

export interface MutantsRun {
  /** Those whose description contains this; all by default. */
  readonly only: string;
  /** `caughtBy`: null where it escaped; `skipped`: why what should catch it cannot run here. */
  readonly onResult: (what: string, caughtBy: Detector | null, skipped: string | null) => void;
}

/** @throws where a detector fails without any bug */
export function checkMutants({ only, onResult }: MutantsRun): void {
  using laboratory = new Laboratory();
  const chosen = MUTANTS.filter(({ what }) => what.includes(only));
  const noPlug = chosen.some(({ by }) => by === 'plug') ? obstacle('ext4') : null;
  const names = Object.keys(DETECTORS) as Detector[];
  for (const name of names) {
    if (!chosen.some(({ by }) => by === name)) continue;
    if (!laboratory.passes(DETECTORS[name])) throw new Error(`${name} fails without any mutant.`);
  }
  for (const mutant of chosen) {
    if (mutant.by === 'plug' && noPlug !== null) {
      onResult(mutant.what, null, noPlug);
      continue;
    }
    const order = [mutant.by, ...names.filter((name) => name !== mutant.by)];
    const caughtBy = order.find((name) => laboratory.notices(mutant, DETECTORS[name])) ?? null;
    onResult(mutant.what, caughtBy, null);
  }
}
