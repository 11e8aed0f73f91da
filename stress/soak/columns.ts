/** Samples as columns, thinned out, for charts: of a stretch the worst latency, and the last of all else. */
import { CLASSES } from './board.ts';
import { type Sampled, SERIES_NAMES, type SeriesName } from './record.ts';

export const POINTS_MAX = 1500;

export interface Columns {
  /** Minutes since the soak began. */
  readonly minutes: number[];
  readonly operations: number[];
  readonly rows: number[];
  /** Bytes. */
  readonly clientHeap: number[];
  /** By class, in ms; null where there was none. */
  readonly p50: (number | null)[][];
  readonly p999: (number | null)[][];
  readonly series: Readonly<Record<SeriesName, number[]>>;
}

export function emptyColumns(): Columns {
  const series = Object.fromEntries(SERIES_NAMES.map((name) => [name, [] as number[]]));
  return {
    minutes: [],
    operations: [],
    rows: [],
    clientHeap: [],
    p50: CLASSES.map(() => []),
    p999: CLASSES.map(() => []),
    series: series as Columns['series'],
  };
}

export function columnsOf(samples: readonly Sampled[], pointsMax = POINTS_MAX): Columns {
  const stretch = Math.max(1, Math.ceil(samples.length / pointsMax));
  const columns = emptyColumns();
  for (let first = 0; first < samples.length; first += stretch) {
    push(columns, samples.slice(first, first + stretch));
  }
  return columns;
}

function push(columns: Columns, samples: readonly Sampled[]): void {
  const last = samples[samples.length - 1];
  columns.minutes.push(Math.round(last.atMs / 600) / 100);
  const sum = samples.reduce((all, { operationsPerSecond }) => all + operationsPerSecond, 0);
  columns.operations.push(Math.round(sum / samples.length));
  columns.rows.push(last.rows);
  columns.clientHeap.push(last.clientHeap);
  for (const i of CLASSES.keys()) {
    // None is NaN here, and null where it comes from a file.
    columns.p50[i].push(Number.isFinite(last.p50[i]) ? last.p50[i] : null);
    const known = samples.map(({ p999 }) => p999[i]).filter((ms) => Number.isFinite(ms));
    columns.p999[i].push(known.length === 0 ? null : Math.max(...known));
  }
  for (const name of SERIES_NAMES) columns.series[name].push(last.values[name]);
}
