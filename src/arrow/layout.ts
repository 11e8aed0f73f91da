/**
 * Where each buffer lies in the body of a record batch. The body of a segment is what readers hold in
 * memory, byte for byte, so these offsets serve the file and the shared memory alike.
 *
 * Layout, version 1: the buffers of all fields in the order of the schema (per field: validity, offsets,
 * data), each starting on a multiple of 64, without gaps beyond the padding, nothing shared. The layout
 * follows from the fields, the rows and the bytes of variable-length values alone, so a reader
 * computes it again and refuses a file that says otherwise.
 */
import assert from 'node:assert';
import type { ColumnType, Schema } from '../schema/schema.ts';

/** Types a field of our files can have: those of columns, of keys (uint64) and of row flags (uint8). */
export type FieldType = ColumnType | 'uint64' | 'uint8';

/** An Arrow field. */
export interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly nullable: boolean;
}

/** A stretch of the body, in bytes. `length` is what the values take, without padding. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

/** The buffers of one field. */
export interface ColumnLayout {
  /** One bit a row, set = present, least significant bit first; null where the field is not nullable. */
  readonly validity: Extent | null;
  /** rows + 1 int32 offsets into `data` of a utf8 or binary field; else null. */
  readonly offsets: Extent | null;
  /** The values; a bool takes one bit a row. */
  readonly data: Extent;
}

export interface BatchLayout {
  readonly rows: number;
  readonly fields: readonly ColumnLayout[];
  /** Length of the body, a multiple of 64. */
  readonly bodyBytes: number;
}

export interface SegmentLayout {
  readonly rows: number;
  /** The keys, of eight bytes each or utf8 or binary. */
  readonly key: ColumnLayout;
  /** In the order of the schema's columns. */
  readonly columns: readonly ColumnLayout[];
  /** One byte a row (ROW_DELETED, other bits reserved); null where no row of the segment needs one. */
  readonly flags: Extent | null;
  /** Length of the body, a multiple of 64. */
  readonly bodyBytes: number;
}

/** Every buffer starts on a multiple of this: a cache line, and what Arrow recommends. */
export const ALIGNMENT = 64;
/** Offsets are int32, and Node reads and writes at most this much at once. */
export const BODY_BYTES_MAX = 2 ** 31 - ALIGNMENT;
export const KEY_FIELD = 'key';
export const FLAGS_FIELD = '_omen_flags';
/** Bit 0 of a row's flags: the row is a tombstone, its columns hold nothing of use. */
export const ROW_DELETED = 1;

const BYTES_PER_VALUE: Readonly<Record<FieldType, number>> = {
  uint8: 1,
  int32: 4,
  float32: 4,
  int64: 8,
  uint64: 8,
  float64: 8,
  timestamp: 8,
  // A bit, and what `varBytes` says: no whole number of bytes a value.
  bool: 0,
  utf8: 0,
  binary: 0,
};

/** Rounds up to a multiple of ALIGNMENT. */
export function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** Whether values of the type differ in length, so that the field has an offsets buffer. */
export function isVariableField(type: FieldType): boolean {
  return type === 'utf8' || type === 'binary';
}

/** The Arrow fields of a segment: the key, the columns and, where some row is a tombstone, the flags. */
export function segmentFields(schema: Schema, flags: boolean): Field[] {
  const fields: Field[] = [{ name: KEY_FIELD, type: schema.key, nullable: false }];
  for (const { name, type, nullable } of schema.columns) fields.push({ name, type, nullable });
  if (flags) fields.push({ name: FLAGS_FIELD, type: 'uint8', nullable: false });
  return fields;
}

/**
 * Lays out a batch of any fields. `varBytes[i]` is the length of all values of field `i` when it is utf8
 * or binary, else 0. The body may come out longer than BODY_BYTES_MAX: the caller looks.
 */
export function layoutFields(
  fields: readonly Field[],
  rows: number,
  varBytes: readonly number[],
): BatchLayout {
  assert(Number.isSafeInteger(rows) && rows >= 0, `rows is ${rows}`);
  assert.equal(varBytes.length, fields.length, 'one length per field');
  let end = 0;
  const place = (length: number): Extent => {
    const extent = { offset: end, length };
    end += align(length);
    return extent;
  };
  const layouts = fields.map(({ type, nullable }, i): ColumnLayout => {
    const variable = isVariableField(type);
    assert(
      Number.isSafeInteger(varBytes[i]) && varBytes[i] >= 0,
      `varBytes[${i}] is ${varBytes[i]}`,
    );
    assert(variable || varBytes[i] === 0, `field ${i} is of fixed width`);
    const bits = Math.ceil(rows / 8);
    const validity = nullable ? place(bits) : null;
    const offsets = variable ? place(4 * (rows + 1)) : null;
    const fixed = type === 'bool' ? bits : BYTES_PER_VALUE[type] * rows;
    return { validity, offsets, data: place(variable ? varBytes[i] : fixed) };
  });
  return { rows, fields: layouts, bodyBytes: end };
}

/** As layoutSegment(), without its assertion: for a reader, who compares with what a file claims. */
export function placeSegment(
  schema: Schema,
  rows: number,
  varBytes: readonly number[],
  flags: boolean,
  keyBytes = 0,
): SegmentLayout {
  assert.equal(varBytes.length, schema.columns.length, 'one length per column');
  const lengths = flags ? [keyBytes, ...varBytes, 0] : [keyBytes, ...varBytes];
  const batch = layoutFields(segmentFields(schema, flags), rows, lengths);
  const columns = batch.fields.slice(1, schema.columns.length + 1);
  return {
    rows,
    key: batch.fields[0],
    columns,
    flags: flags ? batch.fields[columns.length + 1].data : null,
    bodyBytes: batch.bodyBytes,
  };
}

/**
 * Lays out a segment of `rows` rows. `varBytes[i]` is the length in bytes of all values of column `i`
 * when it is utf8 or binary, else 0; `keyBytes` is that of all keys when they are. Nullable columns
 * always get a validity bitmap.
 * How large a segment should be (256 MiB at most) is the caller's policy; what is asserted here
 * is only what the format can hold (BODY_BYTES_MAX).
 */
export function layoutSegment(
  schema: Schema,
  rows: number,
  varBytes: readonly number[],
  options: { readonly flags: boolean; readonly keyBytes?: number },
): SegmentLayout {
  const layout = placeSegment(schema, rows, varBytes, options.flags, options.keyBytes);
  assert(layout.bodyBytes <= BODY_BYTES_MAX, `a body of ${layout.bodyBytes} bytes`);
  return layout;
}

/** The batch that a segment is, field by field. */
export function segmentBatch(layout: SegmentLayout): BatchLayout {
  const bare = (data: Extent): ColumnLayout => ({ validity: null, offsets: null, data });
  const fields = [layout.key, ...layout.columns];
  if (layout.flags !== null) fields.push(bare(layout.flags));
  return { rows: layout.rows, fields, bodyBytes: layout.bodyBytes };
}

/**
 * The buffers as Arrow lists them: validity, offsets where there are any, data, field by field.
 * A field that is not nullable has an empty validity buffer.
 */
export function listBuffers(batch: BatchLayout): Extent[] {
  const buffers: Extent[] = [];
  for (const { validity, offsets, data } of batch.fields) {
    buffers.push(validity ?? { offset: (offsets ?? data).offset, length: 0 });
    if (offsets !== null) buffers.push(offsets);
    buffers.push(data);
  }
  return buffers;
}
