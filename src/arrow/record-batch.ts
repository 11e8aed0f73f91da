/**
 * A body laid out like a segment's as an apache-arrow RecordBatch, over the same memory, nothing
 * copied. The only place outside tests that loads apache-arrow, so that opening a database does not.
 */
import {
  Schema as ArrowSchema,
  Binary,
  Bool,
  type DataType,
  Field,
  Float32,
  Float64,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  Struct,
  TimestampMillisecond,
  Uint64,
  Utf8,
} from 'apache-arrow';
import type { ColumnType, KeyType, Schema } from '../schema/schema.ts';
import type { ColumnLayout, SegmentLayout } from './layout.ts';

const TYPES: Readonly<Record<ColumnType | KeyType, () => DataType>> = {
  int32: () => new Int32(),
  int64: () => new Int64(),
  uint64: () => new Uint64(),
  float32: () => new Float32(),
  float64: () => new Float64(),
  bool: () => new Bool(),
  timestamp: () => new TimestampMillisecond(),
  utf8: () => new Utf8(),
  binary: () => new Binary(),
};

type Values = ArrayBufferView;

function valuesOf(
  type: ColumnType | KeyType,
  body: ArrayBufferLike,
  offset: number,
  bytes: number,
): Values {
  switch (type) {
    case 'int32':
      return new Int32Array(body, offset, bytes >>> 2);
    case 'float32':
      return new Float32Array(body, offset, bytes >>> 2);
    case 'float64':
      return new Float64Array(body, offset, bytes >>> 3);
    case 'uint64':
      return new BigUint64Array(body, offset, bytes >>> 3);
    case 'int64':
    case 'timestamp':
      return new BigInt64Array(body, offset, bytes >>> 3);
    default:
      return new Uint8Array(body, offset, bytes);
  }
}

function dataOf(
  type: ColumnType | KeyType,
  layout: ColumnLayout,
  rows: number,
  nullCount: number,
  body: ArrayBufferLike,
) {
  const { validity, offsets, data } = layout;
  const props = {
    type: TYPES[type](),
    length: rows,
    nullCount,
    data: valuesOf(type, body, data.offset, data.length),
    nullBitmap: validity && new Uint8Array(body, validity.offset, validity.length),
    valueOffsets: offsets && new Int32Array(body, offsets.offset, offsets.length >>> 2),
  };
  // makeData is declared per type; what belongs to `type` was chosen above.
  return makeData(props as unknown as Parameters<typeof makeData>[0]);
}

/** @param body as `layout` says, keys in the form of the file */
export function toRecordBatch(
  schema: Schema,
  layout: SegmentLayout,
  body: ArrayBufferLike,
  nullCounts: readonly number[],
): RecordBatch {
  const children = [dataOf(schema.key, layout.key, layout.rows, 0, body)];
  const fields = [new Field('key', TYPES[schema.key](), false)];
  schema.columns.forEach(({ name, type, nullable }, i) => {
    children.push(dataOf(type, layout.columns[i], layout.rows, nullCounts[i], body));
    fields.push(new Field(name, TYPES[type](), nullable));
  });
  const data = makeData({ type: new Struct(fields), length: layout.rows, nullCount: 0, children });
  return new RecordBatch(new ArrowSchema(fields), data);
}
