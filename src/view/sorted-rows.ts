/**
 * The live rows of a snapshot of a shard as sorted lists, without merging them: its run where it is
 * settled, else the rows of its base that are in force beside what is newer. It takes the time of a walk
 * over what is newer, and memory for it.
 */
import { compareBytes, type KeyBytes } from '../schema/key-bytes.ts';
import type { KeyType } from '../schema/schema.ts';
import { leastBound } from './bounds.ts';
import { PieceCursor } from './cursor.ts';
import type { SortedRows } from './order.ts';
import type { Place, Run, RunCursor } from './segment.ts';
import type { ShardSnapshot } from './shard-view.ts';

/** Null where the shard has no base: then a walk over all of its rows costs less. */
export function sortedRowsOf(shard: ShardSnapshot): readonly SortedRows[] | null {
  const { view, visible, nowMs } = shard;
  const settled = view.settledAt(visible, nowMs);
  if (settled !== null) return [settled];
  const base = view.inForce(view.base, nowMs);
  if (base === null) return null;
  const type = view.readers.schema.key;
  const replaced: number[] = [];
  const newer: Place[] = [];
  const cursor = view.changes(visible, nowMs);
  const least = leastBound(type);
  cursor.seekCeil(least.hi, least.lo, least.bytes);
  for (; !cursor.done; cursor.next()) {
    const { hi, lo, bytes, position, source } = cursor;
    const older = base.positionOf(hi, lo, type, bytes);
    if (older >= 0) replaced.push(older);
    if (cursor.deleted) continue;
    // A copy: the cursor uses its own for the next key.
    const key = { hi, lo, bytes: bytes && { ...bytes } };
    if (source instanceof PieceCursor) {
      const { memtable } = source;
      newer.push({ ...key, source: memtable, position: memtable.rowAt(position) });
    } else {
      newer.push({ ...key, source: (source as RunCursor).segment, position });
    }
  }
  return [without(base, replaced), listOf(newer)];
}

/** The first of `count` numbers for which `holds`, which then holds for all that follow. */
function firstOf(count: number, holds: (at: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** A run without the rows at some of its positions, which ascend. */
function without(run: Run, positions: readonly number[]): SortedRows {
  const { length } = positions;
  return {
    rows: run.rows - length,
    rank(hi: number, lo: number, type: KeyType, bytes: KeyBytes | null): number {
      const rank = run.rank(hi, lo, type, bytes);
      return rank - firstOf(length, (at) => positions[at] >= rank);
    },
    rowAt(position: number): Place {
      return run.rowAt(position + firstOf(length, (at) => positions[at] - at > position));
    },
  };
}

function listOf(places: readonly Place[]): SortedRows {
  return {
    rows: places.length,
    rank: (hi, lo, _type, bytes) =>
      firstOf(places.length, (at) => {
        const place = places[at];
        return (place.hi - hi || place.lo - lo || compareBytes(place.bytes, bytes)) >= 0;
      }),
    rowAt: (position) => places[position],
  };
}
