/**
 * Slices of sorted runs: what each has of one range of keys. Runs that are not in memory are merged slice by
 * slice, so that no more of them is read at once than may be held.
 */
import type { Schema } from '../schema/schema.ts';
import type { Storage } from '../storage/storage.ts';
import { type Bound, isBelow } from './bounds.ts';
import type { Trim } from './merge-keys.ts';
import { Segment, type SegmentHandle } from './segment.ts';
import {
  boundOf,
  isSpilled,
  type PlainKey,
  partBytes,
  type RunPart,
  readBlocks,
} from './spilled-run.ts';

/** What becomes of a row to load whose key the database has: it takes its place, gives way, or ends the load. */
export type OnExisting = 'replace' | 'keep' | 'error';

/** What is made of rows of one key. */
export interface SliceRules {
  /** Whether no key may be in two runs. */
  readonly isUnique: boolean;
  readonly onExisting: OnExisting;
}

export const REPLACING: SliceRules = { isUnique: false, onExisting: 'replace' };

/** Crosses threads. */
export interface RunSlice extends SliceRules {
  /** The run whose rows win first; of each, parts that have all rows of the range, and maybe others. */
  readonly runs: readonly (readonly RunPart[])[];
  /** Keys from here on, up to the one before there; null: all. */
  readonly from: PlainKey | null;
  readonly to: PlainKey | null;
  /** What its rows take, about. */
  readonly bytes: number;
  /** Segments that were written for the load before, and are not needed any more once the slice is. */
  readonly replaced: readonly number[];
}

/** All rows of runs. */
export function wholeSlice(
  runs: readonly (readonly RunPart[])[],
  rules: SliceRules = REPLACING,
): RunSlice {
  const bytes = runs.flat().reduce((sum, part) => sum + partBytes(part), 0);
  return { runs, from: null, to: null, bytes, ...rules, replaced: [] };
}

/** A slice in memory, ready to be merged. */
export interface OpenSlice {
  readonly runs: readonly (readonly Segment[])[];
  readonly trims: readonly Trim[];
}

/** Reads what is not in memory. @throws as `readBlocks` */
export function openSlice(storage: Storage, schema: Schema, slice: RunSlice): OpenSlice {
  const from = slice.from && boundOf(slice.from);
  const to = slice.to && boundOf(slice.to);
  const spilled = slice.runs.flat().filter(isSpilled);
  // One stretch for all: so large a one is given back to the system when it is collected.
  const body = new SharedArrayBuffer(spilled.reduce((sum, part) => sum + partBytes(part), 0));
  let at = 0;
  const read = (part: RunPart): SegmentHandle[] => {
    if (!isSpilled(part)) return [part];
    const handles = readBlocks(storage, schema, part, body, at);
    at += partBytes(part);
    return handles;
  };
  const runs: Segment[][] = [];
  const trims: Trim[] = [];
  for (const parts of slice.runs) {
    const segments: Segment[] = [];
    let trim: Trim = { start: 0, end: 0 };
    for (const part of parts) {
      for (const handle of read(part)) {
        const segment = new Segment(handle, schema.key);
        const start = from === null ? 0 : firstRowFrom(segment, from);
        const end = to === null ? segment.rows : firstRowFrom(segment, to);
        if (start >= end) continue;
        trim = { start: segments.length === 0 ? start : trim.start, end };
        segments.push(segment);
      }
    }
    if (segments.length === 0) continue;
    runs.push(segments);
    trims.push(trim);
  }
  return { runs, trims };
}

/** The first row whose key is not below one; `rows` where there is none. Asks no index. */
export function firstRowFrom(segment: Segment, key: Bound): number {
  let low = 0;
  let high = segment.rows;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const bound = {
      hi: segment.hi(middle),
      lo: segment.lo(middle),
      bytes: segment.bytesOf(middle),
    };
    if (isBelow(bound, key)) low = middle + 1;
    else high = middle;
  }
  return low;
}
