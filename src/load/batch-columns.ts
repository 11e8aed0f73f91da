/**
 * Columns of an Arrow record batch as they lie in memory, where their types are those of the database: then
 * rows are taken column by column, and no value becomes an object.
 */
import { isUtf8 } from 'node:buffer';
import type { DataType as ArrowType, Data, RecordBatch } from 'apache-arrow';
import { OmenError } from '../errors.ts';
import { KEY_BYTES_MAX } from '../schema/key-bytes.ts';
import { ROW_BYTES_MAX } from '../schema/row.ts';
import {
  type ColumnType,
  expiresColumn,
  isVariable,
  type KeyType,
  type Schema,
} from '../schema/schema.ts';
import type { FieldBuilder } from './chunk.ts';
import type { Places } from './record-batch.ts';

/** Numbers of Arrow's types, and of their precisions and units (`Type`, `Precision`, `TimeUnit`). */
export const INT = 2;
export const FLOAT = 3;
export const BINARY = 4;
export const UTF8 = 5;
export const BOOL = 6;
export const DECIMAL = 7;
export const DATE = 8;
export const TIMESTAMP = 10;
const SINGLE = 1;
const DOUBLE = 2;
const MILLISECOND = 1;

/** One column of a batch. */
export interface SourceColumn {
  /** Words of values of 4 or 8 bytes, from the first row on; else nothing. */
  readonly u32: Uint32Array;
  /** Bytes of values of any length, or bits of a bool. */
  readonly u8: Uint8Array;
  readonly offsets: Int32Array;
  /** Bits, set = present; null where none is null. */
  readonly validity: Uint8Array | null;
  /** Where the bits of the first row are. */
  readonly bit: number;
}

export interface SourceColumns {
  readonly key: SourceColumn;
  /** Null: the column is left out. */
  readonly columns: readonly (SourceColumn | null)[];
  /** What values of any length take in the longest of rows, and no row more. */
  readonly textBytesMax: number;
}

function isOfType(type: ColumnType | KeyType, arrow: ArrowType): boolean {
  const { typeId, bitWidth, isSigned, precision, unit } = arrow as ArrowType & {
    readonly bitWidth?: number;
    readonly isSigned?: boolean;
    readonly precision?: number;
    readonly unit?: number;
  };
  switch (type) {
    case 'int32':
      return typeId === INT && bitWidth === 32 && isSigned === true;
    case 'int64':
      return typeId === INT && bitWidth === 64 && isSigned === true;
    case 'uint64':
      return typeId === INT && bitWidth === 64 && isSigned === false;
    case 'float32':
      return typeId === FLOAT && precision === SINGLE;
    case 'float64':
      return typeId === FLOAT && precision === DOUBLE;
    case 'timestamp':
      return typeId === TIMESTAMP && unit === MILLISECOND;
    case 'bool':
      return typeId === BOOL;
    case 'utf8':
      return typeId === UTF8;
    default:
      return typeId === BINARY;
  }
}

const NO_WORDS = new Uint32Array(0);
const NO_OFFSETS = new Int32Array(0);
const NO_BYTES = new Uint8Array(0);

/** A column of a batch, of the type given, as it lies in memory. */
export function columnOf(type: ColumnType | KeyType, data: Data): SourceColumn {
  const { values, nullBitmap, valueOffsets, offset, nullCount } = data;
  const { buffer, byteOffset, byteLength } = values as Uint8Array;
  const isWords = !isVariable(type) && type !== 'bool';
  return {
    u32: isWords ? new Uint32Array(buffer, byteOffset, byteLength >>> 2) : NO_WORDS,
    u8: isWords ? NO_BYTES : new Uint8Array(buffer, byteOffset, byteLength),
    offsets: (valueOffsets as Int32Array | null) ?? NO_OFFSETS,
    validity: nullCount > 0 ? nullBitmap : null,
    bit: offset,
  };
}

/** Whether all values of a batch's column can be taken as they are. */
function isSound(type: ColumnType, column: SourceColumn, rows: number): boolean {
  if (type === 'timestamp') {
    // As numbers they have to be exact.
    for (let i = 1; i < 2 * rows; i += 2) if (!isSafe(column.u32[i])) return false;
  }
  return true;
}

/** Whether the integer with this high word is within ±2^53. */
export function isSafe(high: number): boolean {
  return high < 0x200000 || high >= 0xffe00000;
}

function longest({ offsets }: SourceColumn, rows: number): number {
  let most = 0;
  for (let i = 0; i < rows; i++) most = Math.max(most, offsets[i + 1] - offsets[i]);
  return most;
}

/**
 * The columns of a batch; null where some value needs a closer look, or has to be converted.
 * @throws OMEN_INVALID_SOURCE for texts that are none
 */
export function columnsOf(
  schema: Schema,
  batch: RecordBatch,
  places: Places,
): SourceColumns | null {
  const { children } = batch.data;
  const rows = batch.numRows;
  for (const [i, { typeId }] of children.map(({ type }) => type).entries()) {
    if (typeId === UTF8 && !isText(columnOf('utf8', children[i]), rows)) {
      const { name } = batch.schema.fields[i];
      throw new OmenError('OMEN_INVALID_SOURCE', `The field ${JSON.stringify(name)} is not UTF-8.`);
    }
  }
  if (schema.value === 'json') return null;
  // Rows that live for as long as the database says are given their time one by one.
  const expires = expiresColumn(schema);
  if (expires >= 0 && places.columns[expires] < 0) return null;
  const keyData = children[places.key];
  if (keyData === undefined || keyData.nullCount > 0) return null;
  if (!isOfType(schema.key, keyData.type)) return null;
  const key = columnOf(schema.key, keyData);
  if (isVariable(schema.key) && longest(key, rows) > KEY_BYTES_MAX) return null;
  let rowBytes = 0;
  let textBytesMax = isVariable(schema.key) ? longest(key, rows) : 0;
  const columns: (SourceColumn | null)[] = [];
  for (const [i, { type, nullable }] of schema.columns.entries()) {
    const data = places.columns[i] < 0 ? null : children[places.columns[i]];
    if (data === null) {
      columns.push(null);
      continue;
    }
    if (!isOfType(type, data.type) || (data.nullCount > 0 && !nullable)) return null;
    const column = columnOf(type, data);
    if (!isSound(type, column, rows)) return null;
    const textBytes = isVariable(type) ? longest(column, rows) : 0;
    rowBytes += textBytes;
    textBytesMax += textBytes;
    columns.push(column);
  }
  return rowBytes + 8 * columns.length > ROW_BYTES_MAX ? null : { key, columns, textBytesMax };
}

/** Whether the values are texts, each of them by itself. */
function isText({ u8, offsets }: SourceColumn, rows: number): boolean {
  if (!isUtf8(u8.subarray(offsets[0], offsets[rows]))) return false;
  for (let i = 1; i < rows; i++) {
    // A value may not begin amid a character.
    if (offsets[i] < offsets[rows] && (u8[offsets[i]] & 0xc0) === 0x80) return false;
  }
  return true;
}

/** Appends values of some rows of a column to a field that has `at` rows so far. */
export function appendRows(
  field: FieldBuilder,
  at: number,
  column: SourceColumn | null,
  rows: Uint32Array,
  from: number,
  count: number,
): void {
  const { u32, u8, offsets } = field;
  if (column === null) {
    if (offsets !== null) offsets.fill(field.end, at + 1, at + 1 + count);
    return;
  }
  const { validity, bit } = column;
  if (field.validity !== null) {
    for (let i = 0; i < count; i++) {
      const place = bit + rows[from + i];
      const isPresent = validity === null || (validity[place >>> 3] & (1 << (place & 7))) !== 0;
      if (isPresent) field.setPresent(at + i);
    }
  }
  if (offsets !== null) {
    for (let i = 0; i < count; i++) {
      const row = rows[from + i];
      const place = bit + row;
      const isNull = validity !== null && (validity[place >>> 3] & (1 << (place & 7))) === 0;
      const start = column.offsets[row];
      field.setText(at + i, column.u8, start, isNull ? 0 : column.offsets[row + 1] - start);
    }
  } else if (field.width === 8) {
    const source = column.u32;
    for (let i = 0, to = 2 * at; i < count; i++, to += 2) {
      const row = 2 * rows[from + i];
      u32[to] = source[row];
      u32[to + 1] = source[row + 1];
    }
  } else if (field.width === 4) {
    const source = column.u32;
    for (let i = 0; i < count; i++) u32[at + i] = source[rows[from + i]];
  } else {
    for (let i = 0; i < count; i++) {
      const place = bit + rows[from + i];
      const isSet = (column.u8[place >>> 3] & (1 << (place & 7))) !== 0;
      const isNull = validity !== null && (validity[place >>> 3] & (1 << (place & 7))) === 0;
      if (isSet && !isNull) u8[(at + i) >>> 3] |= 1 << ((at + i) & 7);
    }
  }
}
