/**
 * The synchronous iterators: keys, values or entries of a range, from one snapshot that is taken at the
 * first step, so that one never begun pins nothing. Written by hand: a generator takes twice the time.
 *
 * A step hands out the next row of a block of positions; only once in a block are sources compared.
 */

import type { Filter } from '../view/filter.ts';
import { filteredBlocks } from '../view/filtered-blocks.ts';
import type { Block, RowBlocks, Source } from '../view/row-blocks.ts';
import { Segment } from '../view/segment.ts';
import { rowOf } from '../view/shard-view.ts';
import { type ClientMeter, ITERATE } from './client-meter.ts';
import type { Source as Read } from './ordered-reads.ts';
import type { Iteration } from './range.ts';
import type { Capture } from './reader.ts';
import type { Closable, Rows } from './rows.ts';
import type { Coding } from './text-coding.ts';

/** The first block is small, for those who take a few rows; each is larger than the one before. */
const FIRST_ROWS = 32;
const GROWTH = 4;
const BLOCK_ROWS_MAX = 8192;

/** Makes what is handed out of a row, whose number or entry is given. */
export type RowRead<T> = (coding: Coding, source: Source, row: number) => T;

export function keyAt({ key }: Coding, source: Source, row: number): unknown {
  if (source instanceof Segment && source.form === 'f64')
    return key.fromNumber(source.keysF64[row]);
  const bytes = source.bytesOf(row);
  if (bytes !== null) return key.decode(0, 0, bytes);
  return key.decode(source.hi(row), source.lo(row));
}

export function valueAt({ readers }: Coding, source: Source, row: number): unknown {
  if (source instanceof Segment) return readers.segment(source.columns, row);
  return rowOf(readers, source, source.rowAt(row));
}

export function entryAt(coding: Coding, source: Source, row: number): [unknown, unknown] {
  return [keyAt(coding, source, row), valueAt(coding, source, row)];
}

/** A range, and which of its rows; null: all. */
export interface RowsWanted {
  readonly iteration: Iteration;
  readonly filter: Filter | null;
}

export class RowIterator<T> extends Iterator<T, undefined> implements Rows<T> {
  readonly #owner: Closable;
  readonly #from: Read;
  readonly #iteration: Iteration;
  readonly #filter: Filter | null;
  readonly #read: RowRead<T>;
  readonly #meter: ClientMeter;
  #snapshot: Capture | null = null;
  #blocks: RowBlocks | null = null;
  #block: Block | null = null;
  #at = 0;
  #count = 0;
  #left: number;
  #rows = FIRST_ROWS;

  /** @param meter counts it at its first step, and times what that takes; and the rows of its blocks */
  constructor(
    owner: Closable,
    from: Read,
    { iteration, filter }: RowsWanted,
    read: RowRead<T>,
    meter: ClientMeter,
  ) {
    super();
    this.#meter = meter;
    this.#filter = filter;
    this.#owner = owner;
    this.#from = from;
    this.#iteration = iteration;
    this.#read = read;
    this.#left = iteration.isEmpty ? 0 : iteration.limit;
  }

  override next(): IteratorResult<T, undefined> {
    if (this.#owner.isClosed) this.#throwIfClosed();
    if (this.#at === this.#count && !this.#advance()) return { done: true, value: undefined };
    const at = this.#at++;
    const block = this.#block as Block;
    try {
      const value =
        block.segment !== null
          ? this.#read(this.#from, block.segment, block.start + at)
          : this.#read(this.#from, block.sources[block.source[at]], block.row[at]);
      return { done: false, value };
    } catch (error) {
      this.return();
      throw error;
    }
  }

  override return(): IteratorResult<T, undefined> {
    this.#left = 0;
    this.#count = this.#at;
    this.#block = null;
    this.#blocks = null;
    this.#snapshot?.release();
    this.#snapshot = null;
    return { done: true, value: undefined };
  }

  #throwIfClosed(): void {
    const isOver = this.#left === 0 && this.#at === this.#count;
    this.return();
    if (!isOver) this.#owner.throwIfClosed();
  }

  /** To the next block with a row; false at the end, where the snapshot is given back. */
  #advance(): boolean {
    while (this.#left > 0) {
      const startMs = this.#blocks === null ? this.#meter.begin(ITERATE) : 0;
      this.#blocks ??= this.#begin();
      const block = this.#blocks.next(Math.min(this.#left, this.#rows));
      this.#meter.end(ITERATE, startMs);
      this.#rows = Math.min(GROWTH * this.#rows, BLOCK_ROWS_MAX);
      if (block === null) break;
      if (block.count === 0) continue;
      this.#block = block;
      this.#at = 0;
      this.#count = Math.min(block.count, this.#left);
      this.#left -= this.#count;
      this.#meter.rows(ITERATE, this.#count);
      return true;
    }
    this.return();
    return false;
  }

  #begin(): RowBlocks {
    const { isByRange, readers } = this.#from;
    const { schema } = readers;
    this.#snapshot = this.#from.capture();
    const { shards } = this.#snapshot;
    const iteration = this.#iteration;
    const { reverse } = iteration;
    return filteredBlocks(schema, shards, iteration, reverse, !isByRange, this.#filter);
  }
}
