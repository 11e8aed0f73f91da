/**
 * The live rows of a snapshot of a shard as sorted lists, without merging them: its run where it is
 * settled, else the rows of its base that are in force beside what is newer. It takes the time of a walk
 * over what is newer, and memory for it.
 */
import type { KeyType } from '../schema/schema.ts';
import { PieceCursor } from './cursor.ts';
import type { SortedRows } from './order.ts';
import type { Place, Run, RunCursor } from './segment.ts';
import type { ShardSnapshot } from './shard-view.ts';

/** Null where the shard has no base: then a walk over all of its rows costs less. */
export function sortedRowsOf({ view, visible }: ShardSnapshot): readonly SortedRows[] | null {
  const { settled } = view;
  if (settled !== null) return [settled];
  const { base } = view;
  if (base === null) return null;
  const type = view.readers.schema.key;
  const replaced: number[] = [];
  const newer: Place[] = [];
  const cursor = view.changes(visible);
  for (cursor.seekCeil(0, 0); !cursor.done; cursor.next()) {
    const { hi, lo, position, source } = cursor;
    const older = base.positionOf(hi, lo, type);
    if (older >= 0) replaced.push(older);
    if (cursor.deleted) continue;
    const holder = source instanceof PieceCursor ? source.memtable : (source as RunCursor).segment;
    newer.push({ hi, lo, source: holder, position });
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
    rank(hi: number, lo: number, type: KeyType): number {
      const rank = run.rank(hi, lo, type);
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
    rank: (hi, lo) =>
      firstOf(places.length, (at) => {
        const place = places[at];
        return place.hi > hi || (place.hi === hi && place.lo >= lo);
      }),
    rowAt: (position) => places[position],
  };
}
