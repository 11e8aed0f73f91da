/**
 * Writes what stands before and behind the body of an Arrow IPC file. apache-arrow's own writer frames
 * bodies at 8 bytes; ours frames them at 64, and opening a database never loads apache-arrow.
 */
import assert from 'node:assert';
import { Builder } from 'flatbuffers';
import {
  ARROW_TYPES,
  BLOCK_BYTES,
  CONTINUATION,
  CUSTOM_METADATA_MAX,
  END_OF_STREAM_BYTES,
  FIELD,
  FIELDS_MAX,
  FOOTER,
  HEADER_RECORD_BATCH,
  HEADER_SCHEMA,
  KEY_VALUE,
  MAGIC,
  MAGIC_BYTES,
  MESSAGE,
  METADATA_BYTES_MAX,
  METADATA_V5,
  PAIR_BYTES,
  PREFIX_BYTES,
  RECORD_BATCH,
  SCHEMA,
  TAIL_BYTES_MAX,
  TRAILER_BYTES,
  TYPE_FLOATING_POINT,
  TYPE_INT,
  TYPE_TIMESTAMP,
} from './format.ts';
import { align, type BatchLayout, type Field, type FieldType, listBuffers } from './layout.ts';

/** Everything an IPC file says of its one record batch. */
export interface Batch {
  readonly fields: readonly Field[];
  readonly layout: BatchLayout;
  /** Per field. */
  readonly nullCounts: readonly number[];
  /** The schema's custom metadata. */
  readonly metadata: Readonly<Record<string, string>>;
}

function encodeType(builder: Builder, type: FieldType): number {
  const { tag, bitWidth, signed, precision, unit } = ARROW_TYPES[type];
  builder.startObject(tag === TYPE_INT || tag === TYPE_TIMESTAMP ? 2 : 1);
  if (tag === TYPE_INT) {
    builder.addFieldInt32(0, bitWidth ?? 0, 0);
    builder.addFieldInt8(1, signed ? 1 : 0, 0);
  } else if (tag === TYPE_FLOATING_POINT) {
    builder.addFieldInt16(0, precision ?? 0, 0);
  } else if (tag === TYPE_TIMESTAMP) {
    builder.addFieldInt16(0, unit ?? 0, 0);
  }
  return builder.endObject();
}

function encodeTables(builder: Builder, tables: readonly number[]): number {
  builder.startVector(4, tables.length, 4);
  for (const table of tables.toReversed()) builder.addOffset(table);
  return builder.endVector();
}

function encodeField(builder: Builder, field: Field): number {
  const name = builder.createString(field.name);
  const type = encodeType(builder, field.type);
  // Empty, not absent: older readers of other languages take the vector for granted.
  const children = encodeTables(builder, []);
  builder.startObject(FIELD.count);
  builder.addFieldOffset(FIELD.name, name, 0);
  builder.addFieldInt8(FIELD.nullable, field.nullable ? 1 : 0, 0);
  builder.addFieldInt8(FIELD.typeType, ARROW_TYPES[field.type].tag, 0);
  builder.addFieldOffset(FIELD.type, type, 0);
  builder.addFieldOffset(FIELD.children, children, 0);
  return builder.endObject();
}

function encodeSchema(builder: Builder, batch: Batch): number {
  const entries = Object.entries(batch.metadata);
  assert(batch.fields.length <= FIELDS_MAX, `${batch.fields.length} fields`);
  assert(entries.length <= CUSTOM_METADATA_MAX, `${entries.length} entries of metadata`);
  const fields = batch.fields.map((field) => encodeField(builder, field));
  const pairs = entries.map(([name, text]) => {
    const key = builder.createString(name);
    const value = builder.createString(text);
    builder.startObject(KEY_VALUE.count);
    builder.addFieldOffset(KEY_VALUE.key, key, 0);
    builder.addFieldOffset(KEY_VALUE.value, value, 0);
    return builder.endObject();
  });
  const fieldVector = encodeTables(builder, fields);
  const pairVector = encodeTables(builder, pairs);
  builder.startObject(SCHEMA.count);
  builder.addFieldOffset(SCHEMA.fields, fieldVector, 0);
  builder.addFieldOffset(SCHEMA.customMetadata, pairVector, 0);
  return builder.endObject();
}

/** A vector of structs of two int64 (FieldNode, Buffer). */
function encodePairs(builder: Builder, pairs: readonly (readonly [number, number])[]): number {
  builder.startVector(PAIR_BYTES, pairs.length, 8);
  for (const [first, second] of pairs.toReversed()) {
    builder.prep(8, PAIR_BYTES);
    builder.writeInt64(BigInt(second));
    builder.writeInt64(BigInt(first));
  }
  return builder.endVector();
}

function encodeRecordBatch(builder: Builder, { layout, nullCounts }: Batch): number {
  const nodes = encodePairs(
    builder,
    nullCounts.map((nulls) => [layout.rows, nulls] as const),
  );
  const buffers = encodePairs(
    builder,
    listBuffers(layout).map(({ offset, length }) => [offset, length] as const),
  );
  builder.startObject(RECORD_BATCH.count);
  builder.addFieldInt64(RECORD_BATCH.length, BigInt(layout.rows), 0n);
  builder.addFieldOffset(RECORD_BATCH.nodes, nodes, 0);
  builder.addFieldOffset(RECORD_BATCH.buffers, buffers, 0);
  return builder.endObject();
}

/** The flatbuffer of a message, to be framed. */
function encodeMessage(
  headerType: number,
  bodyBytes: number,
  header: (builder: Builder) => number,
): Uint8Array {
  const builder = new Builder();
  const at = header(builder);
  builder.startObject(MESSAGE.count);
  builder.addFieldInt16(MESSAGE.version, METADATA_V5, 0);
  builder.addFieldInt8(MESSAGE.headerType, headerType, 0);
  builder.addFieldOffset(MESSAGE.header, at, 0);
  builder.addFieldInt64(MESSAGE.bodyLength, BigInt(bodyBytes), 0n);
  builder.finish(builder.endObject());
  const bytes = builder.asUint8Array();
  assert(bytes.length <= METADATA_BYTES_MAX - 64, `${bytes.length} bytes of metadata`);
  return bytes;
}

/**
 * The bytes of the file before its body; their length, a multiple of 64, is the body's offset.
 * `batchOffset` is where the record batch's message starts, for the footer.
 */
export function encodeHead(batch: Batch): { head: Uint8Array; batchOffset: number } {
  assert.equal(batch.nullCounts.length, batch.fields.length, 'one null count per field');
  const schema = encodeMessage(HEADER_SCHEMA, 0, (builder) => encodeSchema(builder, batch));
  const records = encodeMessage(HEADER_RECORD_BATCH, batch.layout.bodyBytes, (builder) =>
    encodeRecordBatch(builder, batch),
  );
  const batchOffset = align(MAGIC_BYTES + PREFIX_BYTES + schema.length);
  const head = new Uint8Array(align(batchOffset + PREFIX_BYTES + records.length));
  const view = new DataView(head.buffer);
  const frame = (message: Uint8Array, start: number, end: number): void => {
    view.setUint32(start, CONTINUATION, true);
    // Arrow counts the padding as part of the message.
    view.setUint32(start + 4, end - start - PREFIX_BYTES, true);
    head.set(message, start + PREFIX_BYTES);
  };
  Buffer.from(head.buffer).write(MAGIC, 'latin1');
  frame(schema, MAGIC_BYTES, batchOffset);
  frame(records, batchOffset, head.length);
  return { head, batchOffset };
}

/** The bytes of the file behind its body. `head` is what encodeHead() returned for the same batch. */
export function encodeTail(
  batch: Batch,
  { head, batchOffset }: { readonly head: Uint8Array; readonly batchOffset: number },
): Uint8Array {
  const builder = new Builder();
  const schema = encodeSchema(builder, batch);
  builder.startVector(BLOCK_BYTES, 0, 8);
  const dictionaries = builder.endVector();
  builder.startVector(BLOCK_BYTES, 1, 8);
  builder.prep(8, BLOCK_BYTES);
  builder.writeInt64(BigInt(batch.layout.bodyBytes));
  builder.pad(4);
  builder.writeInt32(head.length - batchOffset);
  builder.writeInt64(BigInt(batchOffset));
  const blocks = builder.endVector();
  builder.startObject(FOOTER.count);
  builder.addFieldInt16(FOOTER.version, METADATA_V5, 0);
  builder.addFieldOffset(FOOTER.schema, schema, 0);
  builder.addFieldOffset(FOOTER.dictionaries, dictionaries, 0);
  builder.addFieldOffset(FOOTER.recordBatches, blocks, 0);
  builder.finish(builder.endObject());
  const footer = builder.asUint8Array();

  const tail = new Uint8Array(END_OF_STREAM_BYTES + footer.length + TRAILER_BYTES);
  assert(tail.length <= TAIL_BYTES_MAX, `${tail.length} bytes of footer`);
  const view = new DataView(tail.buffer);
  view.setUint32(0, CONTINUATION, true);
  tail.set(footer, END_OF_STREAM_BYTES);
  view.setUint32(END_OF_STREAM_BYTES + footer.length, footer.length, true);
  Buffer.from(tail.buffer).write(MAGIC, tail.length - MAGIC.length, 'latin1');
  return tail;
}
