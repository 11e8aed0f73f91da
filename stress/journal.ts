/**
 * The cumulative log of stress runs: `stress.jsonl` in a directory given by option, a line for every seed
 * that was run to its end. A run that is broken off loses the seeds under way; the next one goes on
 * with the seed after the last that is there.
 */
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Entry {
  readonly at: string;
  /** The commit that was checked out, with a plus where something was changed since; null: unknown. */
  readonly commit: string | null;
  /** What was run: 'crash A', 'crash C ext4', 'damage', 'mutants'. */
  readonly run: string;
  readonly seed: number;
  readonly cases: number;
  /** The commands that replay what failed. */
  readonly failures: readonly string[];
  /** How long it took, by the wall's clock. */
  readonly seconds?: number;
}

export interface Journal {
  /** The seed after the highest one logged for this run; 1 for the first. */
  nextSeed(run: string): number;
  add(entry: Omit<Entry, 'at' | 'commit'>): void;
  /** Everything that is logged, in the order in which it ended. */
  readonly entries: readonly Entry[];
  /** Cases and failures of this run that are logged, over all seeds and commits. */
  total(run: string): { cases: number; failures: number };
}

function git(...args: string[]): string | null {
  const { status, stdout } = spawnSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

function commitNow(): string | null {
  const commit = git('rev-parse', '--short=12', 'HEAD');
  return commit === null ? null : commit + (git('status', '--porcelain') === '' ? '' : '+');
}

/** @param directory where the log is, made if need be; null: nothing is kept beyond this process */
export function openJournal(directory: string | null): Journal {
  const path = directory === null ? null : join(directory, 'stress.jsonl');
  const entries: Entry[] = [];
  if (directory !== null) mkdirSync(directory, { recursive: true });
  if (path !== null && existsSync(path)) {
    const text = readFileSync(path, 'utf8');
    for (const line of text.split('\n')) {
      if (line.endsWith('}')) entries.push(JSON.parse(line) as Entry);
    }
    // The end of its process may have cut the last line.
    if (text !== '' && !text.endsWith('\n')) appendFileSync(path, '\n');
  }
  const commit = commitNow();
  const of = (run: string) => entries.filter((entry) => entry.run === run);
  return {
    nextSeed: (run) => Math.max(0, ...of(run).map(({ seed }) => seed)) + 1,
    entries,
    add(what) {
      const entry = { at: new Date().toISOString(), commit, ...what };
      entries.push(entry);
      if (path !== null) appendFileSync(path, `${JSON.stringify(entry)}\n`);
    },
    total(run) {
      const found = of(run);
      return {
        cases: found.reduce((sum, { cases }) => sum + cases, 0),
        failures: found.reduce((sum, { failures }) => sum + failures.length, 0),
      };
    },
  };
}
