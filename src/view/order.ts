/**
 * Order statistics over sorted lists of live rows. Nothing is walked: an answer costs a look-up a list,
 * a selection a few of them. No key stands in two of the lists.
 *
 * A settled shard (`ShardView.settled`) is such a list by itself: its run. One with a base
 * (`ShardView.base`) is two: the rows of the base that are in force, and what is newer.
 */
import { compareBytes, type KeyBytes } from '../schema/key-bytes.ts';
import type { KeyType } from '../schema/schema.ts';
import type { Place, Run } from './segment.ts';

export interface SortedRows {
  readonly rows: number;
  /** Number of rows whose key is < the given one. */
  rank(hi: number, lo: number, type: KeyType, bytes: KeyBytes | null): number;
  rowAt(position: number): Place;
}

function isBefore(a: Place, b: Place): boolean {
  return (a.hi - b.hi || a.lo - b.lo || compareBytes(a.bytes, b.bytes)) < 0;
}

/** The first row whose key is >= the given one, or null. */
export function ceilRow(
  runs: readonly Run[],
  hi: number,
  lo: number,
  type: KeyType,
  bytes: KeyBytes | null = null,
): Place | null {
  let first: Place | null = null;
  for (const run of runs) {
    const position = run.rank(hi, lo, type, bytes);
    if (position === run.rows) continue;
    const found = run.rowAt(position);
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
  bytes: KeyBytes | null = null,
): Place | null {
  let last: Place | null = null;
  for (const run of runs) {
    const position = run.rankAfter(hi, lo, type, bytes) - 1;
    if (position < 0) continue;
    const found = run.rowAt(position);
    if (last === null || isBefore(last, found)) last = found;
  }
  return last;
}

/** Of the pivots, one in this many halves what is left of a list. */
const HALVING = 3;

/**
 * The row with so many rows of all lists before it, or null where there are no more than that.
 *
 * Every step ranks a pivot in all lists and drops the rows on its wrong side. A pivot stands in its list
 * where the wanted row would, were the keys spread over the lists in proportion: under hashing they
 * are, but for the root of what is left, so that a handful of steps suffices. Every third pivot is the
 * middle one of the longest rest instead, which bounds the steps by the logarithm, however the keys
 * are spread.
 */
export function selectRow(lists: readonly SortedRows[], rank: number, type: KeyType): Place | null {
  const from = lists.map(() => 0);
  const to = lists.map((list) => list.rows);
  let before = 0;
  let left = to.reduce((sum, rows) => sum + rows, 0);
  if (rank >= left) return null;
  for (let step = 1; ; step++) {
    const longest = longestOf(from, to);
    const share = step % HALVING === 0 ? 0.5 : (rank - before) / left;
    const position = from[longest] + Math.floor((to[longest] - from[longest]) * share);
    const pivot = lists[longest].rowAt(position);
    const ranks = lists.map((list) => list.rank(pivot.hi, pivot.lo, type, pivot.bytes));
    const found = ranks.reduce((sum, each) => sum + each, 0);
    if (found === rank) return pivot;
    const isBelow = found < rank;
    for (let i = 0; i < lists.length; i++) {
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
