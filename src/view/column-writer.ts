/**
 * Fills the columns of a new batch, column by column, from the two places rows lie in: entries of a
 * memtable and rows of segments. Serves flush, compaction and scans. Rows are written in ascending
 * order, each column up to the same row; then `nullCounts` is complete.
 */
import type { ColumnLayout, SegmentLayout } from '../arrow/layout.ts';
import type { ResidentColumn } from '../schema/decode.ts';
import { layoutRow, type RowLayout, type Views, viewsOf } from '../schema/row.ts';
import { type Column, isVariable, type Schema } from '../schema/schema.ts';
import type { Memtable } from './memtable.ts';

/** For each output row: which source it comes from, and its row there. */
export interface Selection {
  readonly source: Uint16Array;
  readonly row: Uint32Array;
}

/** A column of one row, null, or zero, or of no length. */
export const EMPTY_COLUMN: ResidentColumn = {
  ...viewsOf(new ArrayBuffer(8)),
  validity: new Uint8Array(1),
  offsets: new Int32Array(2),
  bytes: Buffer.alloc(0),
};

interface Target extends Views {
  readonly column: Column;
  readonly index: number;
  readonly validity: Uint8Array | null;
  readonly offsets: Int32Array | null;
}

function targetOf(
  column: Column,
  index: number,
  layout: ColumnLayout,
  body: SharedArrayBuffer,
): Target {
  const { validity, offsets, data } = layout;
  return {
    ...viewsOf(body, data.offset, Math.min((data.length + 7) & ~7, body.byteLength - data.offset)),
    column,
    index,
    validity: validity && new Uint8Array(body, validity.offset, validity.length),
    offsets: offsets && new Int32Array(body, offsets.offset, offsets.length >>> 2),
  };
}

export class ColumnWriter {
  readonly nullCounts: number[];
  readonly #targets: Target[];
  readonly #schema: Schema;
  readonly #row: RowLayout;

  /** @param body zeros, `layout.bodyBytes` long */
  constructor(schema: Schema, layout: SegmentLayout, body: SharedArrayBuffer) {
    this.#schema = schema;
    this.#row = layoutRow(schema);
    this.#targets = schema.columns.map((column, i) => targetOf(column, i, layout.columns[i], body));
    this.nullCounts = schema.columns.map(() => 0);
  }

  /** Rows `start` and on, from the first `count` entries. A tombstone becomes a row of nulls or zeros. */
  fromMemtable(memtable: Memtable, entries: ArrayLike<number>, count: number, start: number): void {
    for (const target of this.#targets) {
      if (isVariable(target.column.type))
        this.#textFromRows(target, memtable, entries, count, start);
      else this.#fixedFromRows(target, memtable, entries, count, start);
    }
  }

  #isNull(target: Target, memtable: Memtable, entry: number): boolean {
    if (memtable.isTombstone(entry)) return true;
    if (target.validity === null) return false;
    const bits = memtable.arena.u8[memtable.rowAt(entry) + (target.index >>> 3)];
    return (bits & (1 << (target.index & 7))) !== 0;
  }

  #setNull(target: Target, row: number, isNull: boolean): void {
    if (target.validity === null) return;
    if (isNull) this.nullCounts[target.index]++;
    else target.validity[row >>> 3] |= 1 << (row & 7);
  }

  #fixedFromRows(
    target: Target,
    memtable: Memtable,
    entries: ArrayLike<number>,
    count: number,
    start: number,
  ): void {
    const slot = this.#row.offsets[target.index];
    const { type } = target.column;
    const { u8, u32 } = memtable.arena;
    for (let i = 0; i < count; i++) {
      const entry = entries[i];
      const row = start + i;
      const isNull = this.#isNull(target, memtable, entry);
      this.#setNull(target, row, isNull);
      if (isNull) continue;
      const at = memtable.rowAt(entry) + slot;
      if (type === 'bool') {
        if (u8[at] !== 0) target.u8[row >>> 3] |= 1 << (row & 7);
      } else if (type === 'int32' || type === 'float32') {
        target.u32[row] = u32[at >>> 2];
      } else {
        // As words: a float64 must not pass through a register that may quieten its NaN bits.
        target.u32[2 * row] = u32[at >>> 2];
        target.u32[2 * row + 1] = u32[(at >>> 2) + 1];
      }
    }
  }

  #textFromRows(
    target: Target,
    memtable: Memtable,
    entries: ArrayLike<number>,
    count: number,
    start: number,
  ): void {
    const { u8, u32 } = memtable.arena;
    const offsets = target.offsets as Int32Array;
    const { columns } = this.#schema;
    const lengthSlots = columns
      .slice(0, target.index)
      .flatMap((column, i) => (isVariable(column.type) ? [this.#row.offsets[i]] : []));
    let end = offsets[start];
    for (let i = 0; i < count; i++) {
      const entry = entries[i];
      const isNull = this.#isNull(target, memtable, entry);
      this.#setNull(target, start + i, isNull);
      if (!isNull) {
        const row = memtable.rowAt(entry);
        const length = u32[(row + this.#row.offsets[target.index]) >>> 2];
        let from = row + this.#row.fixedBytes;
        for (const slot of lengthSlots) from += u32[(row + slot) >>> 2];
        copyBytes(u8, from, target.u8, end, length);
        end += length;
      }
      offsets[start + i + 1] = end;
    }
  }

  /** Rows `start` and on: for each of `count` rows of `chosen`, that row of that source. */
  fromSegments(
    sources: readonly (readonly ResidentColumn[])[],
    chosen: Selection,
    count: number,
    start: number,
  ): void {
    for (const target of this.#targets) {
      const columns = sources.map((source) => source[target.index]);
      if (target.validity !== null)
        this.#validityFromSegments(target, columns, chosen, count, start);
      switch (target.column.type) {
        case 'bool':
          copyBits(target.u8, columns, chosen, count, start);
          break;
        case 'int32':
        case 'float32':
          for (let i = 0; i < count; i++) {
            target.u32[start + i] = columns[chosen.source[i]].u32[chosen.row[i]];
          }
          break;
        case 'utf8':
        case 'binary':
          copyText(target as Target & Text, columns, chosen, count, start);
          break;
        default:
          copyWide(target, columns, chosen, count, start);
      }
    }
  }

  #validityFromSegments(
    target: Target,
    columns: readonly ResidentColumn[],
    chosen: Selection,
    count: number,
    start: number,
  ): void {
    for (let i = 0; i < count; i++) {
      const row = chosen.row[i];
      const present = columns[chosen.source[i]].validity[row >>> 3] & (1 << (row & 7));
      this.#setNull(target, start + i, present === 0);
    }
  }
}

function copyBits(
  target: Uint8Array,
  columns: readonly ResidentColumn[],
  chosen: Selection,
  count: number,
  start: number,
): void {
  for (let i = 0; i < count; i++) {
    const row = chosen.row[i];
    if ((columns[chosen.source[i]].u8[row >>> 3] & (1 << (row & 7))) === 0) continue;
    target[(start + i) >>> 3] |= 1 << ((start + i) & 7);
  }
}

function copyWide(
  target: Views,
  columns: readonly ResidentColumn[],
  chosen: Selection,
  count: number,
  start: number,
): void {
  for (let i = 0; i < count; i++) {
    const { u32 } = columns[chosen.source[i]];
    const from = 2 * chosen.row[i];
    const to = 2 * (start + i);
    target.u32[to] = u32[from];
    target.u32[to + 1] = u32[from + 1];
  }
}

/** Values that differ in length, as Arrow has them. */
export interface Text {
  readonly offsets: Int32Array;
  readonly u8: Uint8Array;
}

/** Rows `start` and on of `target`, which is filled up to there. */
export function copyText(
  target: Text,
  columns: readonly Text[],
  chosen: Selection,
  count: number,
  start: number,
): void {
  const { offsets } = target;
  let end = offsets[start];
  for (let i = 0; i < count; i++) {
    const column = columns[chosen.source[i]];
    const from = column.offsets[chosen.row[i]];
    const length = column.offsets[chosen.row[i] + 1] - from;
    copyBytes(column.u8, from, target.u8, end, length);
    end += length;
    offsets[start + i + 1] = end;
  }
}

/** Short stretches byte by byte: `set` with a subarray costs two objects. */
export function copyBytes(
  from: Uint8Array,
  start: number,
  to: Uint8Array,
  at: number,
  length: number,
): void {
  if (length > 64) {
    to.set(from.subarray(start, start + length), at);
    return;
  }
  for (let i = 0; i < length; i++) to[at + i] = from[start + i];
}

/** Bytes that each utf8 or binary column takes over the given entries of a memtable; 0 for others. */
export function variableBytes(
  schema: Schema,
  memtable: Memtable,
  entries: ArrayLike<number>,
): number[] {
  const { offsets } = layoutRow(schema);
  const { u32 } = memtable.arena;
  return schema.columns.map((column, i) => {
    if (!isVariable(column.type)) return 0;
    let sum = 0;
    for (let e = 0; e < entries.length; e++) {
      if (memtable.isTombstone(entries[e])) continue;
      sum += u32[(memtable.rowAt(entries[e]) + offsets[i]) >>> 2];
    }
    return sum;
  });
}
