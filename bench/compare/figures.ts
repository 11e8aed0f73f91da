/** What rounds come to: the median, how far they lie apart, and how an engine compares with another. */
import { median } from '../engine/report.ts';
import type { EngineName } from './engine.ts';
import { METRICS } from './metrics.ts';
import { KEY_KINDS, type KeyKind } from './rows.ts';
import type { Cell } from './run.ts';

export interface Figure {
  /** The median, nanoseconds an item or bytes a row: less is better. */
  readonly cost: number;
  /** From the first to the third quartile, as a share of the median; null of a single round. */
  readonly spread: number | null;
  readonly rounds: number;
}

/** A quantile between the values that it lies between. */
function quartile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.ceil(at);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

export function figureOf(costs: readonly (number | null)[]): Figure | null {
  const values = costs.filter((cost) => cost !== null).sort((a, b) => a - b);
  if (values.length === 0) return null;
  const cost = median(values);
  const spread =
    values.length === 1
      ? null
      : Math.abs((quartile(values, 0.75) - quartile(values, 0.25)) / (cost || 1));
  return { cost, spread, rounds: values.length };
}

/**
 * How many times as much one costs as another: the median of what it is in each round, since the rounds of a
 * metric share what the machine was doing. Null where no round has both.
 */
export function ratioOf(
  costs: readonly (number | null)[],
  reference: readonly (number | null)[],
): Figure | null {
  return figureOf(
    costs.map((cost, round) => {
      const other = reference[round] ?? null;
      return cost === null || other === null || other <= 0 ? null : cost / other;
    }),
  );
}

/** The cells of one metric. */
export interface Line {
  readonly kind: KeyKind;
  readonly metric: string;
  readonly of: ReadonlyMap<Cell['engine'], Cell>;
}

/** Cells by what they are of, in the order of tables. */
export function linesOf(cells: readonly Cell[]): Line[] {
  return KEY_KINDS.flatMap((kind) =>
    Object.keys(METRICS).flatMap((metric) => {
      const own = cells.filter((cell) => cell.kind === kind && cell.metric === metric);
      if (own.every(({ engine }) => engine === 'calibration')) return [];
      return [{ kind, metric, of: new Map(own.map((cell) => [cell.engine, cell])) }];
    }),
  );
}

/** Who costs least. Those in memory alone are measured, but compete with nobody. */
export function bestOf(line: Line, inMemory: ReadonlySet<EngineName>): EngineName | null {
  let best: EngineName | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const [engine, { costs }] of line.of) {
    if (engine === 'calibration' || inMemory.has(engine)) continue;
    const cost = figureOf(costs)?.cost ?? Number.POSITIVE_INFINITY;
    if (cost < least) [best, least] = [engine, cost];
  }
  return best;
}

/** A cost as people read it: "12.3 M/s", "158 ns", "1.2 ms", "24.0 B". */
export function shown(metric: string, cost: number): string {
  const { shown: how, item } = METRICS[metric];
  if (how === 'rate') return `${prefixed(1e9 / cost)}/s`;
  return how === 'time' ? duration(cost) : `${three(cost)} B/${item}`;
}

function three(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

function prefixed(value: number): string {
  if (value >= 1e6) return `${three(value / 1e6)} M`;
  return value >= 1e3 ? `${three(value / 1e3)} k` : three(value);
}

export function duration(nanoseconds: number): string {
  if (nanoseconds >= 1e9) return `${three(nanoseconds / 1e9)} s`;
  if (nanoseconds >= 1e6) return `${three(nanoseconds / 1e6)} ms`;
  return nanoseconds >= 1e4 ? `${three(nanoseconds / 1e3)} µs` : `${three(nanoseconds)} ns`;
}

/** 1.53 → "1.53", 0.0412 → "0.041", 31.2 → "31". */
export function times(ratio: number): string {
  if (ratio >= 100) return Math.round(ratio).toLocaleString('en');
  return ratio >= 10 ? ratio.toFixed(0) : String(Number(ratio.toPrecision(ratio < 1 ? 2 : 3)));
}
