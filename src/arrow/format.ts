/**
 * The frame of an Arrow IPC file, and the numbers of Arrow's flatbuffers schemas (format/Message.fbs,
 * Schema.fbs, File.fbs of apache/arrow), which encode-metadata.ts and decode-metadata.ts share.
 *
 *   0          "ARROW1" and two zero bytes
 *   8          message: ff ff ff ff, int32 length, flatbuffer Message { Schema }, zeros up to a multiple of 64
 *   64 n       message: ff ff ff ff, int32 length, flatbuffer Message { RecordBatch }, zeros up to one
 *   64 m       body (a multiple of 64)
 *   …          end of stream: ff ff ff ff 00 00 00 00
 *              flatbuffer Footer, padded to a multiple of 8; int32 length; "ARROW1"
 */
import type { FieldType } from './layout.ts';

export const MAGIC = 'ARROW1';
/** Bytes of the opening magic with its padding. */
export const MAGIC_BYTES = 8;
export const CONTINUATION = 0xffffffff;
/** Bytes before a message's flatbuffer: continuation mark and length. */
export const PREFIX_BYTES = 8;
export const END_OF_STREAM_BYTES = 8;
/** Bytes behind the footer: its length and the closing magic, without padding. */
export const TRAILER_BYTES = 10;
/** No message or footer of ours is longer; bounds what a damaged length can ask for. */
export const METADATA_BYTES_MAX = 16 * 2 ** 20;
/** Nor does more follow the body: the footer is the schema again, and a few numbers. */
export const TAIL_BYTES_MAX = METADATA_BYTES_MAX + 4096;
/** The caller's custom metadata: entries at most. */
export const CUSTOM_METADATA_MAX = 256;
/** Fields of a file at most, well above what a schema may declare. */
export const FIELDS_MAX = 4096;

/** MetadataVersion.V5, what every Arrow implementation has written since 1.0. */
export const METADATA_V5 = 4;
export const HEADER_SCHEMA = 1;
export const HEADER_RECORD_BATCH = 3;

/** Slots of the tables' fields, in the order of the .fbs files. */
export const MESSAGE = { version: 0, headerType: 1, header: 2, bodyLength: 3, count: 5 } as const;
export const SCHEMA = {
  endianness: 0,
  fields: 1,
  customMetadata: 2,
  features: 3,
  count: 4,
} as const;
export const FIELD = {
  name: 0,
  nullable: 1,
  typeType: 2,
  type: 3,
  dictionary: 4,
  children: 5,
  count: 7,
} as const;
export const KEY_VALUE = { key: 0, value: 1, count: 2 } as const;
export const RECORD_BATCH = {
  length: 0,
  nodes: 1,
  buffers: 2,
  compression: 3,
  variadicBufferCounts: 4,
  count: 5,
} as const;
export const FOOTER = {
  version: 0,
  schema: 1,
  dictionaries: 2,
  recordBatches: 3,
  count: 5,
} as const;

/** Bytes of the structs FieldNode { int64 length, nulls } and Buffer { int64 offset, length }. */
export const PAIR_BYTES = 16;
/** Bytes of the struct Block { int64 offset; int32 metadata bytes, padding; int64 body bytes }. */
export const BLOCK_BYTES = 24;

export const TYPE_INT = 2;
export const TYPE_FLOATING_POINT = 3;
export const TYPE_TIMESTAMP = 10;

/**
 * A type as Arrow writes it: the union's tag, then the table's fields of Int { bitWidth, is_signed },
 * FloatingPoint { precision } and Timestamp { unit, timezone }; the others have none.
 */
export interface ArrowType {
  readonly tag: number;
  readonly bitWidth?: number;
  readonly signed?: boolean;
  readonly precision?: number;
  readonly unit?: number;
}

export const ARROW_TYPES: Readonly<Record<FieldType, ArrowType>> = {
  uint8: { tag: TYPE_INT, bitWidth: 8, signed: false },
  int32: { tag: TYPE_INT, bitWidth: 32, signed: true },
  int64: { tag: TYPE_INT, bitWidth: 64, signed: true },
  uint64: { tag: TYPE_INT, bitWidth: 64, signed: false },
  float32: { tag: TYPE_FLOATING_POINT, precision: 1 },
  float64: { tag: TYPE_FLOATING_POINT, precision: 2 },
  binary: { tag: 4 },
  utf8: { tag: 5 },
  bool: { tag: 6 },
  timestamp: { tag: TYPE_TIMESTAMP, unit: 1 },
};
