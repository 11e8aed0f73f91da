/**
 * Rows of a snapshot in key order, a block at a time: what ordered reads of many rows are made from.
 * A block says where its rows lie and copies none of them. Rows of one run that nothing newer reaches
 * into come as stretches of its segments; where sorted lists have to be merged, first only the positions
 * are, and whoever reads the block gathers what it needs, column by column.
 *
 * A block belongs to whoever asked for it until the next one is asked for: its arrays are reused.
 */
import { isExactNumber } from '../schema/key.ts';
import type { KeyType, Schema } from '../schema/schema.ts';
import { isOutside, type KeyBounds, seekFirst } from './bounds.ts';
import { type Cursor, MergeCursor, PieceCursor } from './cursor.ts';
import type { Memtable } from './memtable.ts';
import { NumberMerge, type NumberPart, PiecePart, RunPart } from './number-merge.ts';
import type { Run, RunCursor, Segment } from './segment.ts';
import type { ShardSnapshot } from './shard-view.ts';
import { STATISTICS_ROWS } from './statistics.ts';
import type { SortedPiece } from './tail.ts';

export type Source = Segment | Memtable;

/** Live rows [start, start + count) of a segment, in ascending order. */
export interface Stretch {
  readonly segment: Segment;
  readonly start: number;
  readonly count: number;
}

/** Live rows in the order asked for. */
export interface Picked {
  readonly segment: null;
  readonly sources: readonly Source[];
  /** Of each row its place in `sources`. */
  readonly source: Uint16Array;
  /** Its number in the segment, or the offset of its entry in the memtable. */
  readonly row: Uint32Array;
  readonly count: number;
}

export type Block = Stretch | Picked;

export interface RowBlocks {
  /**
   * The next rows, or null at the end. A block is empty only where a filter left nothing of many rows.
   * @param rows about how many are wanted; there may be more
   */
  next(rows: number): Block | null;
}

/** A cursor over all live keys of some shards. */
export function cursorOf(shards: readonly ShardSnapshot[]): Cursor {
  const cursors = shards.map(({ view, visible, nowMs }) => view.cursor(visible, nowMs));
  return cursors.length === 1 ? cursors[0] : new MergeCursor(cursors);
}

/**
 * The rows within the bounds.
 * @param together whether the shards' rows are merged into one order; else shard follows shard
 */
export function rowBlocks(
  schema: Schema,
  shards: readonly ShardSnapshot[],
  bounds: KeyBounds,
  reverse: boolean,
  together: boolean,
): RowBlocks {
  if (!together) {
    const ordered = reverse ? shards.toReversed() : shards;
    return inTurn(ordered.map((shard) => () => rowBlocks(schema, [shard], bounds, reverse, true)));
  }
  const only = shards.length === 1 && !reverse ? settledRun(shards[0]) : null;
  if (only !== null) return new Stretches(only, only.positionsWithin(bounds, schema.key));
  const parts = numberParts(schema.key, shards, bounds);
  if (parts !== null) return new NumberMerge(parts, reverse);
  return new CursorBlocks(cursorOf(shards), bounds, reverse);
}

/** The run that is all a snapshot of a shard has, where it holds live rows only. */
export function settledRun({ view, visible }: ShardSnapshot): Run | null {
  if (view.runs.length !== 1 || !view.runs[0].isLive) return null;
  return view.memtables.some(({ memtable }, i) => memtable.holdsBelow(visible[i].watermark))
    ? null
    : view.runs[0];
}

/** One after the other, each made when it is its turn. */
function inTurn(parts: readonly (() => RowBlocks)[]): RowBlocks {
  let at = 0;
  let current: RowBlocks | null = null;
  return {
    next(rows) {
      for (;;) {
        const block = current?.next(rows) ?? null;
        if (block !== null) return block;
        if (at === parts.length) return null;
        current = parts[at++]();
      }
    },
  };
}

/**
 * Everything a merge of numbers needs, newest first; null where some key is no exact number, or a range
 * was cleared that only a cursor passes over.
 */
function numberParts(
  type: KeyType,
  shards: readonly ShardSnapshot[],
  bounds: KeyBounds,
): NumberPart[] | null {
  const parts: NumberPart[] = [];
  for (const { view, visible } of shards) {
    if (view.hasRanges) return null;
    for (const [i, { memtable, tail }] of view.memtables.entries()) {
      if (memtable.storesKeys) return null;
      if (!memtable.holdsBelow(visible[i].watermark)) continue;
      for (const piece of tail.pieces(visible[i].watermark)) {
        if (!isOfNumbers(type, piece)) return null;
        parts.push(new PiecePart(memtable, piece, visible[i], type, bounds));
      }
    }
    for (const run of view.runs) {
      if (!run.isF64) return null;
      parts.push(new RunPart(run, run.positionsWithin(bounds, type)));
    }
  }
  return parts;
}

function isOfNumbers(type: KeyType, { keys, start, end }: SortedPiece): boolean {
  if (start === end) return true;
  const last = 2 * (end - 1);
  return (
    isExactNumber(type, keys[2 * start + 1], keys[2 * start]) &&
    isExactNumber(type, keys[last + 1], keys[last])
  );
}

class Stretches implements RowBlocks {
  readonly #run: Run;
  readonly #end: number;
  #at: number;
  #segment = 0;

  constructor(run: Run, { start, end }: { readonly start: number; readonly end: number }) {
    this.#run = run;
    this.#at = start;
    this.#end = end;
  }

  next(rows: number): Stretch | null {
    if (this.#at >= this.#end) return null;
    const { segments, before } = this.#run;
    while (this.#at >= before[this.#segment] + segments[this.#segment].rows) this.#segment++;
    const segment = segments[this.#segment];
    const start = this.#at - before[this.#segment];
    // Up to the end of a page where that is possible: statistics are of whole pages.
    const aligned = Math.floor((start + rows) / STATISTICS_ROWS) * STATISTICS_ROWS - start;
    const wanted = aligned > 0 ? aligned : rows;
    const count = Math.min(wanted, segment.rows - start, this.#end - this.#at);
    this.#at += count;
    return { segment, start, count };
  }
}

/** Keys that are no numbers, a row at a time. */
class CursorBlocks implements RowBlocks {
  readonly #cursor: Cursor;
  readonly #bounds: KeyBounds;
  readonly #reverse: boolean;
  #source = new Uint16Array(0);
  #row = new Uint32Array(0);

  constructor(cursor: Cursor, bounds: KeyBounds, reverse: boolean) {
    this.#cursor = cursor;
    this.#bounds = bounds;
    this.#reverse = reverse;
    seekFirst(cursor, bounds, reverse);
  }

  next(rows: number): Picked | null {
    if (this.#row.length < rows) {
      this.#source = new Uint16Array(rows);
      this.#row = new Uint32Array(rows);
    }
    const cursor = this.#cursor;
    const numbers = new Map<Source, number>();
    let count = 0;
    while (count < rows && !cursor.done) {
      if (isOutside(cursor, this.#bounds, this.#reverse)) break;
      const source = sourceOf(cursor.source);
      let number = numbers.get(source);
      if (number === undefined) {
        number = numbers.size;
        numbers.set(source, number);
      }
      this.#source[count] = number;
      this.#row[count++] = cursor.position;
      if (this.#reverse) cursor.prev();
      else cursor.next();
    }
    if (count === 0) return null;
    const sources = [...numbers.keys()];
    return { segment: null, sources, source: this.#source, row: this.#row, count };
  }
}

function sourceOf(cursor: Cursor): Source {
  return cursor instanceof PieceCursor ? cursor.memtable : (cursor as RunCursor).segment;
}
