/**
 * Ordered reads that give one entry or one number, of one instant of the database: they pin nothing.
 *
 * Where every shard is settled (one run of live rows, nothing in memtables) they cost a few look-ups.
 * Where one is not, a cursor merges what there is, and counting takes a walk over what is newer than
 * the shard's largest run, or over everything where that is not by far the largest part.
 */
import {
  type Bound,
  boundsBelow,
  boundsOf,
  greatestBound,
  type KeyBounds,
  leastBound,
} from '../view/bounds.ts';
import type { Cursor } from '../view/cursor.ts';
import { ceilRow, floorRow, type SortedRows, selectRow } from '../view/order.ts';
import { cursorOf } from '../view/row-blocks.ts';
import type { Place, Run } from '../view/segment.ts';
import { rowOf, rowUnder, type ShardSnapshot } from '../view/shard-view.ts';
import { sortedRowsOf } from '../view/sorted-rows.ts';
import type { Iteration } from './range.ts';
import type { Reader } from './reader.ts';

export type Entry = [key: unknown, row: unknown];

/** What is read: the database as it is now, through a reader, or a capture of it. */
export type Source = Pick<Reader, 'key' | 'readers' | 'isByRange' | 'settled' | 'now' | 'capture'>;

function entryAt(reader: Source, found: Place | null): Entry | undefined {
  if (found === null) return undefined;
  const { hi, lo, bytes, source, position } = found;
  return [reader.key.decode(hi, lo, bytes), rowOf(reader.readers, source, position)];
}

function entryAtCursor(reader: Source, cursor: Cursor): Entry | undefined {
  if (cursor.done) return undefined;
  const { hi, lo, bytes } = cursor;
  return [reader.key.decode(hi, lo, bytes), rowUnder(reader.readers, cursor)];
}

/** The last entry whose key is <= the given one. */
export function floorEntry(reader: Source, { hi, lo, bytes }: Bound): Entry | undefined {
  const runs = reader.settled();
  if (runs !== null) return entryAt(reader, floorRow(runs, hi, lo, reader.key.type, bytes));
  const cursor = cursorOf(reader.now());
  cursor.seekFloor(hi, lo, bytes);
  return entryAtCursor(reader, cursor);
}

/** The first entry whose key is >= the given one. */
export function ceilEntry(reader: Source, { hi, lo, bytes }: Bound): Entry | undefined {
  const runs = reader.settled();
  if (runs !== null) return entryAt(reader, ceilRow(runs, hi, lo, reader.key.type, bytes));
  const cursor = cursorOf(reader.now());
  cursor.seekCeil(hi, lo, bytes);
  return entryAtCursor(reader, cursor);
}

/** Number of live keys within the bounds. */
export function countRows(reader: Source, iteration: Iteration): number {
  if (iteration.isEmpty) return 0;
  const { type } = reader.key;
  const runs = reader.settled();
  if (runs !== null) return sumOf(runs, (run) => run.countWithin(iteration, type));
  return sumOf(reader.now(), (shard) => countOf(shard, iteration));
}

/** Number of live keys < the given one. */
export function rankOf(reader: Source, { hi, lo, bytes }: Bound): number {
  const { type } = reader.key;
  const runs = reader.settled();
  if (runs !== null) return sumOf(runs, (run) => run.rank(hi, lo, type, bytes));
  const below = boundsBelow(type, { hi, lo, bytes });
  return sumOf(reader.now(), (shard) => countOf(shard, below));
}

function countOf({ view, visible, nowMs }: ShardSnapshot, bounds: KeyBounds): number {
  return view.count(visible, bounds, nowMs);
}

function sumOf<T>(parts: readonly T[], of: (part: T) => number): number {
  let sum = 0;
  for (const part of parts) sum += of(part);
  return sum;
}

/** The entry with so many entries before it. */
export function entryWithRank(reader: Source, rank: number): Entry | undefined {
  const runs = reader.settled();
  if (runs !== null) return entryAt(reader, rowWithRank(reader, runs, rank));
  const shards = reader.now();
  if (!reader.isByRange) return entryAmong(reader, shards, rank);
  const { type } = reader.key;
  const everything = boundsOf(leastBound(type), greatestBound(type), false, false);
  let left = rank;
  for (const shard of shards) {
    const rows = countOf(shard, everything);
    if (left < rows) return entryAmong(reader, [shard], left);
    left -= rows;
  }
  return undefined;
}

/** Runs of shards by range follow each other. */
function rowWithRank(reader: Source, runs: readonly Run[], rank: number): Place | null {
  if (!reader.isByRange) return selectRow(runs, rank, reader.key.type);
  let left = rank;
  for (const run of runs) {
    if (left < run.rows) return run.rowAt(left);
    left -= run.rows;
  }
  return null;
}

function entryAmong(
  reader: Source,
  shards: readonly ShardSnapshot[],
  rank: number,
): Entry | undefined {
  const lists: SortedRows[] = [];
  for (const shard of shards) {
    const rows = sortedRowsOf(shard);
    if (rows === null) return walk(reader, shards, rank);
    lists.push(...rows);
  }
  return entryAt(reader, selectRow(lists, rank, reader.key.type));
}

function walk(reader: Source, shards: readonly ShardSnapshot[], rank: number): Entry | undefined {
  const cursor = cursorOf(shards);
  const { hi, lo, bytes } = leastBound(reader.key.type);
  cursor.seekCeil(hi, lo, bytes);
  for (let left = rank; left > 0 && !cursor.done; left--) cursor.next();
  return entryAtCursor(reader, cursor);
}
