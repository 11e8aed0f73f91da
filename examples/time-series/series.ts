/**
 * The time series: one row about every ten milliseconds, each a function of its number alone. So any
 * process can tell what a row must be, without having written it.
 */
import { attach, type Handle, open } from '../../src/index.ts';

export const SERIES = {
  key: 'timestamp',
  columns: { sensor: 'int32', value: 'float64' },
} as const;

export type Series = Awaited<ReturnType<typeof openSeries>>;

export function openSeries(directory: string) {
  return open(directory, SERIES);
}

/** The same database from another thread of the process that opened it. */
export function attachSeries(handle: Handle): Promise<Series> {
  return attach<typeof SERIES>(handle);
}

const BEGIN = Date.UTC(2026, 0, 1);
const STEP_MS = 10;

/** Scatters 32 bits (the finaliser of MurmurHash3). */
function scatter(n: number): number {
  let h = Math.imul(n ^ (n >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The time of row `n`: clocks tick evenly, events do not. */
export function timeOf(n: number): number {
  return BEGIN + STEP_MS * n + (scatter(n) % STEP_MS);
}

/** The number of the row that may stand at a time: only if `timeOf` of it is that time. */
export function numberAt(time: number): number {
  return Math.floor((time - BEGIN) / STEP_MS);
}

export function rowOf(n: number): { sensor: number; value: number } {
  return { sensor: n % 1000, value: scatter(~n) / 65536 };
}
