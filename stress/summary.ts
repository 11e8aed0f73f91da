/** What a journal adds up to, for each sort of run: as a table to read, for docs, or for programs. */
import type { Entry } from './journal.ts';

export interface Sum {
  readonly run: string;
  readonly cases: number;
  readonly failures: number;
  readonly seeds: number;
  /** How many commits that were checked out, and the one logged last. */
  readonly commits: number;
  readonly last: string;
  /** Of the wall's clock, summed over processes; of seeds whose time is known. */
  readonly hours: number;
}

const HEADINGS = ['run', 'cases', 'failures', 'seeds', 'commits', 'last', 'hours'] as const;

const whole = new Intl.NumberFormat('en-US');

/** In the order of their names. */
export function sumsOf(entries: readonly Entry[]): Sum[] {
  const runs = Map.groupBy(entries, ({ run }) => run);
  return [...runs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([run, of]) => sumOf(run, of));
}

function sumOf(run: string, entries: readonly Entry[]): Sum {
  const sum = (part: (entry: Entry) => number) => entries.reduce((all, one) => all + part(one), 0);
  return {
    run,
    cases: sum(({ cases }) => cases),
    failures: sum(({ failures }) => failures.length),
    seeds: new Set(entries.map(({ seed }) => seed)).size,
    commits: new Set(entries.map(({ commit }) => commit)).size,
    last: entries.at(-1)?.commit ?? 'unknown',
    hours: Number((sum(({ seconds }) => seconds ?? 0) / 3600).toFixed(2)),
  };
}

function cellsOf(sums: readonly Sum[]): string[][] {
  return sums.map((sum) =>
    HEADINGS.map((heading) => {
      const value = sum[heading];
      return typeof value === 'number' ? whole.format(value) : value;
    }),
  );
}

/** Columns as wide as their widest cell, numbers to the right. */
export function textOf(sums: readonly Sum[]): string {
  const rows = [[...HEADINGS], ...cellsOf(sums)];
  const widths = HEADINGS.map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const isText = (i: number) => HEADINGS[i] === 'run' || HEADINGS[i] === 'last';
  return rows
    .map((row) => row.map((cell, i) => cell[isText(i) ? 'padEnd' : 'padStart'](widths[i])))
    .map((cells) => cells.join('  ').trimEnd())
    .join('\n');
}

export function markdownOf(sums: readonly Sum[]): string {
  const rule = HEADINGS.map((heading) =>
    heading === 'run' || heading === 'last' ? '---' : '---:',
  );
  const rows = [[...HEADINGS], rule, ...cellsOf(sums)];
  return rows.map((row) => `| ${row.join(' | ')} |`).join('\n');
}
