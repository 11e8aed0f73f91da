/**
 * Ordered reads that give one entry or one number, of one instant of the database: they pin nothing.
 *
 * Where every shard is settled (one run of live rows, nothing in memtables) they cost a few look-ups.
 * Elsewhere a cursor merges what there is; counting then walks over all that it counts.
 */
import type { Cursor } from '../view/cursor.ts';
import { ceilRow, floorRow, rowAt, type SettledRow, selectRow } from '../view/order.ts';
import type { Run } from '../view/segment.ts';
import type { ShardSnapshot } from '../view/shard-view.ts';
import type { Iteration } from './range.ts';
import type { Reader } from './reader.ts';
import { cursorOf } from './scan.ts';

export type Entry = [key: unknown, row: unknown];

function entryOfRow(reader: Reader, found: SettledRow | null): Entry | undefined {
  if (found === null) return undefined;
  const { segment, row } = found;
  const key = reader.key.decode(segment.hi(row), segment.lo(row));
  return [key, reader.readers.segment(segment.columns, row)];
}

function entryAtCursor(reader: Reader, cursor: Cursor): Entry | undefined {
  if (cursor.done) return undefined;
  return [reader.key.decode(cursor.hi, cursor.lo), reader.view(0).row(cursor)];
}

/** The last entry whose key is <= the given sortable one. */
export function floorEntry(reader: Reader, hi: number, lo: number): Entry | undefined {
  const runs = reader.settled();
  if (runs !== null) return entryOfRow(reader, floorRow(runs, hi, lo, reader.key.type));
  const cursor = cursorOf(reader.now());
  cursor.seekFloor(hi, lo);
  return entryAtCursor(reader, cursor);
}

/** The first entry whose key is >= the given sortable one. */
export function ceilEntry(reader: Reader, hi: number, lo: number): Entry | undefined {
  const runs = reader.settled();
  if (runs !== null) return entryOfRow(reader, ceilRow(runs, hi, lo, reader.key.type));
  const cursor = cursorOf(reader.now());
  cursor.seekCeil(hi, lo);
  return entryAtCursor(reader, cursor);
}

/** Number of live keys within the bounds. */
export function countRows(reader: Reader, iteration: Iteration): number {
  if (iteration.isEmpty) return 0;
  const { type } = reader.key;
  const runs = reader.settled();
  if (runs !== null) return sumOf(runs, (run) => run.countWithin(iteration, type));
  return sumOf(reader.now(), ({ view, visible }) => view.count(visible, iteration));
}

/** Number of live keys < the given sortable one. */
export function rankOf(reader: Reader, hi: number, lo: number): number {
  const { type } = reader.key;
  const runs = reader.settled();
  if (runs !== null) return sumOf(runs, (run) => run.rank(hi, lo, type));
  return sumOf(reader.now(), ({ view, visible }) => view.rank(visible, hi, lo));
}

function sumOf<T>(parts: readonly T[], of: (part: T) => number): number {
  let sum = 0;
  for (const part of parts) sum += of(part);
  return sum;
}

/** The entry with so many entries before it. */
export function entryWithRank(reader: Reader, rank: number): Entry | undefined {
  const runs = reader.settled();
  if (runs !== null) return entryOfRow(reader, rowWithRank(reader, runs, rank));
  const shards = reader.now();
  return reader.isByRange ? walkOneShard(reader, shards, rank) : walk(reader, shards, rank);
}

function rowWithRank(reader: Reader, runs: readonly Run[], rank: number): SettledRow | null {
  if (!reader.isByRange) return selectRow(runs, rank, reader.key.type);
  let before = 0;
  for (const run of runs) {
    if (rank < before + run.rows) return rowAt(run, rank - before);
    before += run.rows;
  }
  return null;
}

const EVERYTHING = { firstHi: 0, firstLo: 0, lastHi: 0xffffffff, lastLo: 0xffffffff };

/** Shards by range follow each other: those before the right one need only be counted. */
function walkOneShard(
  reader: Reader,
  shards: readonly ShardSnapshot[],
  rank: number,
): Entry | undefined {
  let left = rank;
  for (const shard of shards) {
    const rows = shard.view.count(shard.visible, EVERYTHING);
    if (left < rows) return walk(reader, [shard], left);
    left -= rows;
  }
  return undefined;
}

function walk(reader: Reader, shards: readonly ShardSnapshot[], rank: number): Entry | undefined {
  const cursor = cursorOf(shards);
  cursor.seekCeil(0, 0);
  for (let left = rank; left > 0 && !cursor.done; left--) cursor.next();
  return entryAtCursor(reader, cursor);
}
