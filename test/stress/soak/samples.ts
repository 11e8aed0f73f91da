/** Samples for tests of pages: everything grows by the minute, and every third p99.9 is not known. */
import { CLASSES } from '../../../stress/soak/board.ts';
import { type Sampled, SERIES_NAMES } from '../../../stress/soak/record.ts';

export function sample(i: number): Sampled {
  return {
    ...{ atMs: 60_000 * i, phase: 'read', cycle: i, life: 1, disturbed: false },
    // Each apart from the others, or one line hides another.
    values: Object.fromEntries(SERIES_NAMES.map((name, series) => [name, i + 40 * series])),
    operationsPerSecond: 10 * i,
    p50: CLASSES.map(() => 1),
    p999: CLASSES.map(() => (i % 3 === 0 ? Number.NaN : i)),
    rows: i,
  } as unknown as Sampled;
}
