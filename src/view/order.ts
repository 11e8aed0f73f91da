/**
 * Order statistics over settled shards (`ShardView.settled`): each is one run of live rows, in which
 * position is rank. Nothing is walked: an answer costs a look-up a run, a selection a few of them.
 * No key stands in two of the runs.
 */
import type { KeyType } from '../schema/schema.ts';
import type { Run, Segment } from './segment.ts';

/** A row that lies in a segment. */
export interface SettledRow {
  readonly segment: Segment;
  readonly row: number;
}

/** The row at a position of a run. */
export function rowAt(run: Run, position: number): SettledRow {
  const { before, segments } = run;
  let low = 0;
  let high = before.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (before[middle] <= position) low = middle;
    else high = middle;
  }
  return { segment: segments[low], row: position - before[low] };
}

/** Whether row a comes before row b. */
function isBefore(a: SettledRow, b: SettledRow): boolean {
  const aHi = a.segment.hi(a.row);
  const bHi = b.segment.hi(b.row);
  return aHi < bHi || (aHi === bHi && a.segment.lo(a.row) < b.segment.lo(b.row));
}

/** The first row whose key is >= the given one, or null. */
export function ceilRow(
  runs: readonly Run[],
  hi: number,
  lo: number,
  type: KeyType,
): SettledRow | null {
  let first: SettledRow | null = null;
  for (const run of runs) {
    const position = run.rank(hi, lo, type);
    if (position === run.rows) continue;
    const found = rowAt(run, position);
    if (first === null || isBefore(found, first)) first = found;
  }
  return first;
}

/** The last row whose key is <= the given one, or null. */
export function floorRow(
  runs: readonly Run[],
  hi: number,
  lo: number,
  type: KeyType,
): SettledRow | null {
  let last: SettledRow | null = null;
  for (const run of runs) {
    const position = run.rankAfter(hi, lo, type) - 1;
    if (position < 0) continue;
    const found = rowAt(run, position);
    if (last === null || isBefore(last, found)) last = found;
  }
  return last;
}

/** Of the pivots, one in this many halves what is left of a run. */
const HALVING = 3;

/**
 * The row with so many rows of all runs before it, or null where there are no more than that.
 *
 * Every step ranks a pivot in all runs and drops the rows on its wrong side. A pivot stands in its run
 * where the wanted row would, were the keys spread over the runs in proportion: under hashing they
 * are, but for the root of what is left, so that three or four steps suffice. Every third pivot is the
 * middle one of the longest rest instead, which bounds the steps by the logarithm, however the keys
 * are spread.
 */
export function selectRow(runs: readonly Run[], rank: number, type: KeyType): SettledRow | null {
  const from = runs.map(() => 0);
  const to = runs.map((run) => run.rows);
  let before = 0;
  let left = to.reduce((sum, rows) => sum + rows, 0);
  if (rank >= left) return null;
  for (let step = 1; ; step++) {
    const longest = longestOf(from, to);
    const share = step % HALVING === 0 ? 0.5 : (rank - before) / left;
    const position = from[longest] + Math.floor((to[longest] - from[longest]) * share);
    const pivot = rowAt(runs[longest], position);
    const hi = pivot.segment.hi(pivot.row);
    const lo = pivot.segment.lo(pivot.row);
    const ranks = runs.map((run) => run.rank(hi, lo, type));
    const found = ranks.reduce((sum, each) => sum + each, 0);
    if (found === rank) return pivot;
    const isBelow = found < rank;
    for (let i = 0; i < runs.length; i++) {
      if (isBelow) from[i] = ranks[i];
      else to[i] = ranks[i];
    }
    if (isBelow) from[longest]++;
    before = from.reduce((sum, each) => sum + each, 0);
    left = to.reduce((sum, each) => sum + each, 0) - before;
  }
}

function longestOf(from: readonly number[], to: readonly number[]): number {
  let longest = 0;
  for (let i = 1; i < from.length; i++) {
    if (to[i] - from[i] > to[longest] - from[longest]) longest = i;
  }
  return longest;
}
