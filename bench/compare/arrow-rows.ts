/** Rows as Arrow record batches, in the memory that they are in where their types allow it. */
import {
  RecordBatch as ArrowBatch,
  Field,
  Float64,
  Int64,
  makeData,
  type RecordBatch,
  Schema,
  Struct,
  Utf8,
} from 'apache-arrow';
import { groups } from './in-flight.ts';
import { int64s, type Rows } from './rows.ts';

export function* arrowBatches(rows: Rows, size: number): Generator<RecordBatch> {
  for (const { keys, values } of groups(rows, size)) {
    yield batchOf([columnOf(keys, true), columnOf(values, false)]);
  }
}

type Column =
  | ReturnType<typeof textData>
  | ReturnType<typeof integerData>
  | ReturnType<typeof doubleData>;

function columnOf(items: Float64Array | readonly string[], isKey: boolean): Column {
  if (!(items instanceof Float64Array)) return textData(items);
  return isKey ? integerData(items) : doubleData(items);
}

function batchOf([key, value]: readonly Column[]): RecordBatch {
  const schema = new Schema([new Field('key', key.type), new Field('value', value.type)]);
  const type = new Struct(schema.fields);
  const data = makeData({ type, length: key.length, nullCount: 0, children: [key, value] });
  return new ArrowBatch(schema, data);
}

function doubleData(values: Float64Array) {
  return makeData({ type: new Float64(), length: values.length, data: values });
}

function integerData(keys: Float64Array) {
  return makeData({ type: new Int64(), length: keys.length, data: int64s(keys) });
}

const encoder = new TextEncoder();

/** All texts are encoded at one go. */
function textData(texts: readonly string[]) {
  const joined = texts.join('');
  const data = encoder.encode(joined);
  // Where every character is one byte, lengths are known.
  const isAscii = data.length === joined.length;
  const valueOffsets = new Int32Array(texts.length + 1);
  for (let i = 0; i < texts.length; i++) {
    const length = isAscii ? texts[i].length : Buffer.byteLength(texts[i]);
    valueOffsets[i + 1] = valueOffsets[i] + length;
  }
  return makeData({ type: new Utf8(), length: texts.length, valueOffsets, data });
}
