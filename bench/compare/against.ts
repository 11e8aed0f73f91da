/**
 * This run against an earlier one: where OmenDB has become slower or larger by more than noise explains.
 *
 * Machines differ from day to day, so times are compared as ratios. In each round a cost of ours is divided by
 * the geometric mean of what the other engines took in that round, those that both runs have in all rounds that
 * ours has; where there are none, by what a piece of work took that is always the same (`calibrate.ts`). Sizes
 * are compared as they are.
 *
 * Noise is the standard deviation of the logarithms of those ratios, pooled over both runs, but at least the
 * median of all metrics' noise: three rounds may agree by chance. The medians of two runs then differ by chance
 * with a standard error of noise × √(π/2 · (1/n₁ + 1/n₂)). A change counts beyond four of those, of which a
 * hundred metrics without any see one in a hundred runs, and beyond a least share: reads of one metric come
 * from one process a run, and where its memory happens to lie is in no round's noise.
 */

import type { CompareRun } from '../compare.ts';
import { median, table } from '../engine/report.ts';
import { figureOf, type Line, linesOf, shown } from './figures.ts';
import { METRICS } from './metrics.ts';

const ERRORS = 4;
const LEAST_OF_TIMES = 0.1;
const LEAST_OF_DISK = 0.02;

export interface Change {
  readonly line: Line;
  /** Costs of ours as measured, then and now. */
  readonly before: number;
  readonly now: number;
  /** Now in times of then, once the machine is taken out. */
  readonly ratio: number;
  /** Ratios up to it, and down to its inverse, are noise. */
  readonly noise: number;
  /** What it was compared by. */
  readonly by: 'peers' | 'calibration' | 'itself';
}

export type Verdict = 'worse' | 'better' | 'same';

export function verdictOf({ ratio, noise }: Change): Verdict {
  if (ratio > noise) return 'worse';
  return ratio < 1 / noise ? 'better' : 'same';
}

/** Why two runs cannot be compared, or null. */
export function mismatch(
  base: CompareRun,
  { rows, scale }: Pick<CompareRun, 'rows' | 'scale'>,
): string | null {
  if (base.rows !== rows) return `It has ${base.rows.toLocaleString('en')} rows.`;
  return base.scale === scale ? null : 'It did another number of operations.';
}

/** Of every metric that both have. */
export function changesSince(base: CompareRun, run: CompareRun): Change[] {
  const earlier = linesOf(base.cells);
  const pairs = linesOf(run.cells).flatMap((line) => {
    const before = earlier.find((one) => one.kind === line.kind && one.metric === line.metric);
    const pair = before === undefined ? null : compared(before, line);
    return pair === null ? [] : [pair];
  });
  const sigmas = pairs.flatMap(({ sigma }) => (sigma === null ? [] : [sigma]));
  const usual = sigmas.length === 0 ? 0 : median(sigmas);
  return pairs.map(({ sigma, rounds, ...change }) => {
    const error = Math.max(sigma ?? usual, usual) * Math.sqrt((Math.PI / 2) * rounds);
    const isDisk = change.line.metric.startsWith('disk');
    const least = isDisk ? LEAST_OF_DISK : LEAST_OF_TIMES;
    const noise = isDisk ? 1 + least : Math.max(1 + least, Math.exp(ERRORS * error));
    return { ...change, noise };
  });
}

interface Compared extends Omit<Change, 'noise'> {
  /** Of the logarithms; null where no run has two rounds. */
  readonly sigma: number | null;
  /** 1/n₁ + 1/n₂. */
  readonly rounds: number;
}

function compared(before: Line, line: Line): Compared | null {
  const [old, own] = [before, line].map(({ of }) => figureOf(of.get('omendb')?.costs ?? []));
  if (old === null || own === null || old.cost <= 0 || own.cost <= 0) return null;
  const by = wayOf(before, line);
  const [then, now] = [before, line].map((one) => logarithms(one, by, peersOf(before, line)));
  if (then.length === 0 || now.length === 0) return null;
  return {
    ...{ line, before: old.cost, now: own.cost, by },
    ratio: Math.exp(median(now) - median(then)),
    sigma: pooled([then, now]),
    rounds: 1 / then.length + 1 / now.length,
  };
}

function wayOf(before: Line, line: Line): Change['by'] {
  if (METRICS[line.metric].shown === 'bytes') return 'itself';
  return peersOf(before, line).length > 0 ? 'peers' : 'calibration';
}

type Reference = Line['of'] extends ReadonlyMap<infer Name, unknown> ? Name : never;

/** Engines that were there in all rounds of ours, in both runs. */
function peersOf(...lines: readonly Line[]): Reference[] {
  const isAlways = ({ of }: Line, engine: Reference): boolean => {
    const costs = of.get(engine)?.costs;
    const ours = of.get('omendb')?.costs ?? [];
    return ours.every((cost, round) => cost === null || (costs?.[round] ?? 0) > 0);
  };
  return [...lines[0].of.keys()].filter(
    (engine) =>
      engine !== 'omendb' &&
      engine !== 'calibration' &&
      lines.every((line) => isAlways(line, engine)),
  );
}

/** Of ours in times of the reference, a round each. */
function logarithms({ of }: Line, by: Change['by'], peers: readonly Reference[]): number[] {
  const names = by === 'peers' ? peers : by === 'calibration' ? (['calibration'] as const) : [];
  return (of.get('omendb')?.costs ?? []).flatMap((cost, round) => {
    if (cost === null || cost <= 0) return [];
    let sum = 0;
    for (const name of names) {
      const other = of.get(name)?.costs[round] ?? 0;
      if (other <= 0) return [];
      sum += Math.log(other);
    }
    return [Math.log(cost) - sum / Math.max(1, names.length)];
  });
}

function pooled(samples: readonly (readonly number[])[]): number | null {
  let [squares, freedom] = [0, 0];
  for (const values of samples) {
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    for (const value of values) squares += (value - mean) ** 2;
    freedom += values.length - 1;
  }
  return freedom === 0 ? null : Math.sqrt(squares / freedom);
}

const WAYS = { peers: 'the other engines', calibration: 'the machine', itself: '–' } as const;

export function showChanges(changes: readonly Change[], base: CompareRun): string {
  const of = (verdict: Verdict) => changes.filter((change) => verdictOf(change) === verdict);
  const listed = (title: string, some: readonly Change[]): string[] =>
    some.length === 0 ? [] : ['', title, tableOf(some)];
  return [
    `Against the run of ${base.at.slice(0, 16).replace('T', ' ')}: ${of('worse').length} worse, ${of('better').length} better, ${of('same').length} the same within noise.`,
    ...listed('Worse', of('worse')),
    ...listed('Better', of('better')),
  ].join('\n');
}

function tableOf(changes: readonly Change[]): string {
  const percent = (ratio: number): string => {
    const share = Math.round(100 * (ratio - 1));
    return `${share > 0 ? '+' : share < 0 ? '−' : ''}${Math.abs(share)} %`;
  };
  return table(
    ['', 'then', 'now', 'cost', 'noise up to', 'measured by'],
    changes.map(({ line, before, now, ratio, noise, by }) => [
      `${line.kind} keys, ${METRICS[line.metric].title}`,
      shown(line.metric, before),
      shown(line.metric, now),
      percent(ratio),
      percent(noise),
      WAYS[by],
    ]),
  );
}

/** A run as `--json` wrote it, by itself or among others. @throws Error that says what is wrong */
export function parseRun(text: string): CompareRun {
  const parsed: unknown = JSON.parse(text);
  const run = isRun(parsed) ? parsed : (parsed as { compare?: unknown } | null)?.compare;
  if (!isRun(run)) throw new Error('It holds no comparison of engines in format 1.');
  return run;
}

function isRun(value: unknown): value is CompareRun {
  return (
    typeof value === 'object' &&
    value !== null &&
    'format' in value &&
    value.format === 1 &&
    'cells' in value &&
    Array.isArray(value.cells)
  );
}
