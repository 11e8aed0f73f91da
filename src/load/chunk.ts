/**
 * Rows of one shard on their way into a database, in the order of their source, column by column: a chunk.
 * It has the form of a segment in shared memory, so that what merges and writes segments takes it as it is,
 * but no order and no index.
 *
 * A builder belongs to one thread; what it gives away is never written again.
 */
import assert from 'node:assert';
import { type ColumnLayout, layoutSegment } from '../arrow/layout.ts';
import type { EncodedKey } from '../schema/key-bytes.ts';
import { layoutRow, type RowLayout, type Views } from '../schema/row.ts';
import { type ColumnType, isVariable, type KeyType, type Schema } from '../schema/schema.ts';
import { sharedMemory } from '../shared-memory.ts';
import type { SegmentHandle } from '../view/segment.ts';
import { unindexed } from '../view/unindexed.ts';

/** A chunk has no more rows than this: a row's number and its chunk's fit into one word where they are sorted. */
export const CHUNK_ROWS_MAX = 2 ** 18;
/** And no more than about so many bytes, however much memory there is. */
export const CHUNK_BYTES_MAX = 8 * 2 ** 20;
const CHUNK_ROWS_MIN = 64;

function widthOf(type: ColumnType | KeyType): number {
  if (isVariable(type) || type === 'bool') return 0;
  return type === 'int32' || type === 'float32' ? 4 : 8;
}

/** Values of one field that grow by rows. */
export class FieldBuilder {
  readonly type: ColumnType | KeyType;
  readonly width: number;
  /** Bits, set = present; null where there are no nulls. */
  readonly validity: Uint8Array | null;
  readonly offsets: Int32Array | null;
  /** Values of 4 or 8 bytes as words, bits of a bool or the bytes of values of any length. */
  u32: Uint32Array;
  u8: Uint8Array;
  /** Bytes of values of any length, so far. */
  end = 0;

  constructor(type: ColumnType | KeyType, isNullable: boolean, rowsMax: number) {
    this.type = type;
    this.width = widthOf(type);
    this.validity = isNullable ? new Uint8Array(Math.ceil(rowsMax / 8)) : null;
    const isText = isVariable(type);
    this.offsets = isText ? new Int32Array(rowsMax + 1) : null;
    const bytes = isText ? 16 * rowsMax : type === 'bool' ? rowsMax / 8 : this.width * rowsMax;
    const memory = new ArrayBuffer(Math.ceil(bytes / 8) * 8);
    this.u32 = new Uint32Array(memory);
    this.u8 = new Uint8Array(memory);
  }

  /** Makes room for so many more bytes of values of any length. */
  room(bytes: number): void {
    if (this.end + bytes <= this.u8.length) return;
    const grown = new ArrayBuffer(2 ** Math.ceil(Math.log2(this.end + bytes)));
    const u8 = new Uint8Array(grown);
    u8.set(this.u8.subarray(0, this.end));
    this.u8 = u8;
    this.u32 = new Uint32Array(grown);
  }

  setPresent(row: number): void {
    if (this.validity !== null) this.validity[row >>> 3] |= 1 << (row & 7);
  }

  /** Adds the bytes of a value of any length. */
  setText(row: number, from: Uint8Array, start: number, length: number): void {
    this.room(length);
    const { u8, end } = this;
    if (length > 64) u8.set(from.subarray(start, start + length), end);
    else for (let i = 0; i < length; i++) u8[end + i] = from[start + i];
    this.end = end + length;
    (this.offsets as Int32Array)[row + 1] = this.end;
  }

  copyTo(body: SharedArrayBuffer, { validity, offsets, data }: ColumnLayout): void {
    const place = (from: Uint8Array, at: number, length: number): void =>
      new Uint8Array(body, at, length).set(from.subarray(0, length));
    if (validity !== null && this.validity !== null) {
      place(this.validity, validity.offset, validity.length);
    }
    if (offsets !== null && this.offsets !== null) {
      place(new Uint8Array(this.offsets.buffer), offsets.offset, offsets.length);
    }
    place(this.u8, data.offset, data.length);
  }
}

export class ChunkBuilder {
  rows = 0;
  readonly rowsMax: number;
  /** Keys of fixed width as sortable words, [lo, hi]. */
  readonly key: FieldBuilder;
  readonly columns: readonly FieldBuilder[];
  readonly #schema: Schema;
  readonly #row: RowLayout;
  readonly #bytesMax: number;

  /** @param bytesMax what a chunk may take, about */
  constructor(schema: Schema, bytesMax: number) {
    this.#schema = schema;
    this.#bytesMax = Math.min(CHUNK_BYTES_MAX, bytesMax);
    this.#row = layoutRow(schema);
    const rowBytes = schema.columns.reduce((sum, { type }) => sum + (widthOf(type) || 16), 8);
    const rows = 2 ** Math.floor(Math.log2(Math.max(1, this.#bytesMax / rowBytes)));
    this.rowsMax = Math.min(CHUNK_ROWS_MAX, Math.max(CHUNK_ROWS_MIN, rows));
    this.key = new FieldBuilder(schema.key, false, this.rowsMax);
    this.columns = schema.columns.map(
      ({ type, nullable }) => new FieldBuilder(type, nullable, this.rowsMax),
    );
  }

  /** Whether a chunk is to be made of it before another row comes. */
  get isFull(): boolean {
    return this.rows === this.rowsMax || this.#textBytes > this.#bytesMax;
  }

  get #textBytes(): number {
    let bytes = this.key.end;
    for (const { end } of this.columns) bytes += end;
    return bytes;
  }

  /** Adds a key, by its sortable words or its bytes, and a row as `RowEncoder` leaves it. */
  add(hi: number, lo: number, bytes: EncodedKey | null, row: Views): void {
    const at = this.rows++;
    if (bytes === null) {
      this.key.u32[2 * at] = lo;
      this.key.u32[2 * at + 1] = hi;
    } else {
      this.key.setText(at, bytes.memory.buffer, bytes.start, bytes.end - bytes.start);
    }
    const { nullBytes, offsets, fixedBytes } = this.#row;
    let text = fixedBytes;
    for (let i = 0; i < this.columns.length; i++) {
      const column = this.columns[i];
      const slot = offsets[i];
      const isNull = nullBytes > 0 && (row.u8[i >>> 3] & (1 << (i & 7))) !== 0;
      if (!isNull) column.setPresent(at);
      if (column.offsets !== null) {
        const length = isNull ? 0 : row.u32[slot >>> 2];
        column.setText(at, row.u8, text, length);
        text += length;
      } else if (column.width === 8) {
        column.u32[2 * at] = row.u32[slot >>> 2];
        column.u32[2 * at + 1] = row.u32[(slot >>> 2) + 1];
      } else if (column.width === 4) {
        column.u32[at] = row.u32[slot >>> 2];
      } else if (!isNull && row.u8[slot] !== 0) {
        column.u8[at >>> 3] |= 1 << (at & 7);
      }
    }
  }

  /** The rows so far, as a chunk; the builder is not used again. */
  finish(): SegmentHandle {
    const { rows } = this;
    assert.ok(rows > 0);
    const layout = layoutSegment(
      this.#schema,
      rows,
      this.columns.map(({ end }) => end),
      { flags: false, keyBytes: this.key.end },
    );
    const body = sharedMemory(layout.bodyBytes);
    this.key.copyTo(body, layout.key);
    for (const [i, column] of this.columns.entries()) column.copyTo(body, layout.columns[i]);
    return unindexed(this.key.offsets === null ? 'words' : 'bytes', layout, body);
  }
}
