/**
 * Which runs to merge. Size-tiered: runs of like size that follow each other in age are merged once
 * there are FANOUT of them, so that a row is rewritten about log_FANOUT(rows / memtable) times and a
 * look-up probes at most FANOUT − 1 runs a tier. Runs whose key ranges do not overlap (time-ordered
 * data) are joined without being rewritten. A run is also written anew alone, once much of it was cleared
 * or has expired.
 */
import type { SegmentLayout } from '../arrow/layout.ts';
import type { Run, Segment, SegmentHandle } from '../view/segment.ts';
import { isFull, type SegmentLimit } from './segment-limit.ts';

const FANOUT = 4;
/** More runs than this are merged whatever their sizes: the bound on probes per look-up. */
const RUNS_MAX = 10;
/** A run of which one row in this many was cleared or has expired is written anew without them. */
const DEAD_SHARE = 4;

export interface MergePlan {
  /** The runs [start, end), newest first. */
  readonly start: number;
  readonly end: number;
  /** Whether only to join them: no key range overlaps another. */
  readonly join: boolean;
}

/** Runs of one tier are of like size: of 4^tier rows up to four times as many. */
export function tier(rows: number): number {
  return Math.floor(Math.log(Math.max(1, rows)) / Math.log(FANOUT));
}

function overlap(runs: readonly Run[]): boolean {
  const sorted = runs.toSorted(compareFirst);
  return sorted.some((run, i) => i > 0 && compareEnd(sorted[i - 1], run) >= 0);
}

/** How the first keys of two runs compare. */
function compareFirst(a: Run, b: Run): number {
  return a.segments[0].compareRows(0, b.segments[0], 0);
}

/** How the last key of a run compares with the first of another. */
function compareEnd(a: Run, b: Run): number {
  const last = a.segments[a.segments.length - 1];
  return last.compareRows(last.rows - 1, b.segments[0], 0);
}

/**
 * What to merge next, or null.
 * @param rowsExpired how many rows of a run have expired; never more than do by the time of the merge, or
 *   it would be written anew again and again
 */
export function planMerge(
  runs: readonly Run[],
  rowsExpired: (run: Run) => number = () => 0,
): MergePlan | null {
  for (let start = 0; start < runs.length; start++) {
    let end = start + 1;
    while (end < runs.length && tier(runs[end].rows) <= tier(runs[start].rows)) end++;
    if (end - start >= FANOUT) return planOf(runs, start, end);
  }
  if (runs.length > RUNS_MAX) return planOf(runs, 0, RUNS_MAX);
  const start = runs.findIndex(
    (run) => DEAD_SHARE * (run.rowsCleared + rowsExpired(run)) >= run.rows,
  );
  return start < 0 ? null : { start, end: start + 1, join: false };
}

function planOf(runs: readonly Run[], start: number, end: number): MergePlan {
  const chosen = runs.slice(start, end);
  const isJoin = !overlap(chosen) && chosen.every(({ isLive }) => isLive);
  return { start, end, join: isJoin };
}

/**
 * What a full compaction has left to do: one run of live rows only, of at most twice as many segments as
 * a merge would make of it. What a merge has made is never merged again.
 * @param hasExpired whether rows of a run have, by the time at which the compaction began
 */
export function planFullMerge(
  runs: readonly Run[],
  limit: SegmentLimit,
  hasExpired: (run: Run) => boolean = () => false,
): MergePlan | null {
  if (runs.length === 0) return null;
  const [run] = runs;
  const { segments } = run;
  const isLive = runs.length === 1 && run.isLive && !hasExpired(run);
  const isCompact = isLive && segments.length <= 2 * fewest(segments, limit);
  return isCompact ? null : { start: 0, end: runs.length, join: false };
}

/** How many segments a merge makes of these, or a few less. */
function fewest(segments: readonly Segment[], limit: SegmentLimit): number {
  let count = 1;
  let rows = 0;
  let textBytes = 0;
  for (const segment of segments) {
    if (isFull(rows, textBytes, limit)) {
      count++;
      rows = 0;
      textBytes = 0;
    }
    rows += segment.rows;
    textBytes += textBytesOf(segment.handle.layout);
  }
  return count;
}

function textBytesOf({ key, columns }: SegmentLayout): number {
  const texts = [key, ...columns].filter(({ offsets }) => offsets !== null);
  return texts.reduce((sum, { data }) => sum + data.length, 0);
}

/** The segments of runs that do not overlap, in key order. */
export function joinSegments(runs: readonly Run[]): SegmentHandle[] {
  return runs
    .toSorted(compareFirst)
    .flatMap((run) => run.segments.map((segment) => segment.handle));
}
