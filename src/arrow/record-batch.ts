/**
 * Arrow's own objects over memory of ours, nothing copied. The only place outside tests that loads
 * apache-arrow, so that opening a database does not.
 */
import {
  Schema as ArrowSchema,
  AsyncByteQueue,
  Binary,
  Bool,
  type Data,
  type DataType,
  Field,
  Float32,
  Float64,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  RecordBatchFileWriter,
  RecordBatchStreamWriter,
  type RecordBatchWriter,
  Struct,
  Table,
  TimestampMillisecond,
  Uint64,
  Utf8,
} from 'apache-arrow';
import type { ColumnType, KeyType } from '../schema/schema.ts';
import type { ColumnLayout } from './layout.ts';

export type ValueType = ColumnType | KeyType;

const TYPES: Readonly<Record<ValueType, () => DataType>> = {
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

export interface NamedField {
  readonly name: string;
  readonly type: ValueType;
  readonly nullable: boolean;
}

export function toArrowSchema(fields: readonly NamedField[]): ArrowSchema {
  return new ArrowSchema(
    fields.map(({ name, type, nullable }) => new Field(name, TYPES[type](), nullable)),
  );
}

type Values = ArrayBufferView<ArrayBufferLike>;

/** Bytes as the array that Arrow has values of a type in. */
function valuesOf(type: ValueType, { buffer, byteOffset, byteLength }: Values): Values {
  switch (type) {
    case 'int32':
      return new Int32Array(buffer, byteOffset, byteLength >>> 2);
    case 'float32':
      return new Float32Array(buffer, byteOffset, byteLength >>> 2);
    case 'float64':
      return new Float64Array(buffer, byteOffset, byteLength >>> 3);
    case 'uint64':
      return new BigUint64Array(buffer, byteOffset, byteLength >>> 3);
    case 'int64':
    case 'timestamp':
      return new BigInt64Array(buffer, byteOffset, byteLength >>> 3);
    default:
      return new Uint8Array(buffer, byteOffset, byteLength);
  }
}

/**
 * One field of a batch.
 * @param values its values, or the bytes of values of variable length; a bool is a bit
 * @param nulls how many rows are null; −1 where they are to be counted when somebody asks
 */
export function toData(
  type: ValueType,
  rows: number,
  values: Values,
  validity: Uint8Array | null,
  offsets: Int32Array | null,
  nulls: number,
): Data {
  const props = {
    type: TYPES[type](),
    length: rows,
    nullCount: nulls,
    data: valuesOf(type, values),
    nullBitmap: validity,
    valueOffsets: offsets,
  };
  // makeData is declared per type; what belongs to `type` was chosen above.
  return makeData(props as unknown as Parameters<typeof makeData>[0]);
}

/** A whole field as it lies in a body. */
export function placedData(
  type: ValueType,
  { validity, offsets, data }: ColumnLayout,
  rows: number,
  body: ArrayBufferLike,
): Data {
  return toData(
    type,
    rows,
    new Uint8Array(body, data.offset, data.length),
    validity && new Uint8Array(body, validity.offset, validity.length),
    offsets && new Int32Array(body, offsets.offset, offsets.length >>> 2),
    validity === null ? 0 : -1,
  );
}

/** @param children the fields of the schema, each of so many rows */
export function toRecordBatch(
  schema: ArrowSchema,
  rows: number,
  children: readonly Data[],
): RecordBatch {
  const type = new Struct(schema.fields);
  return new RecordBatch(
    schema,
    makeData({ type, length: rows, nullCount: 0, children: [...children] }),
  );
}

export function toTable(schema: ArrowSchema, batches: readonly RecordBatch[]): Table {
  return new Table(schema, [...batches]);
}

/** Encodes batches in one of Arrow's IPC formats: a chunk of bytes for each batch, one for the end. */
class IpcEncoder {
  readonly #writer: RecordBatchWriter;
  #pieces: Uint8Array[] = [];

  constructor(schema: ArrowSchema, writer: RecordBatchWriter) {
    this.#writer = writer;
    const pieces = (): Uint8Array[] => this.#pieces;
    const sink = new (class extends AsyncByteQueue {
      override write(value: Uint8Array): void {
        pieces().push(value);
      }
    })();
    this.#writer.reset(sink, schema);
  }

  /** The bytes of the schema, if they were not taken yet, and of the batch. They are nobody else's. */
  encode(batch: RecordBatch): Uint8Array<ArrayBuffer> {
    this.#writer.write(batch);
    return this.#taken();
  }

  finish(): Uint8Array<ArrayBuffer> {
    this.#writer.finish();
    return this.#taken();
  }

  #taken(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of this.#pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [];
    return bytes;
  }
}

/** Arrow's stream format. */
export class StreamEncoder extends IpcEncoder {
  constructor(schema: ArrowSchema) {
    super(schema, new RecordBatchStreamWriter());
  }
}

/** Arrow's file format, whose end tells where the batches are. */
export class FileEncoder extends IpcEncoder {
  constructor(schema: ArrowSchema) {
    super(schema, new RecordBatchFileWriter());
  }
}
