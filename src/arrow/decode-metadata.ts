/**
 * Reads what stands before and behind the body of an Arrow IPC file of ours: strict (one schema, one
 * record batch, uncompressed, no dictionaries, the types we write), and bounded in memory and
 * time for any bytes. What it cannot accept is OMEN_CORRUPT with the file and the offset.
 * It reads by meaning, not by comparing with what our encoder would write: another release of the
 * flatbuffers package may lay out the same tables differently.
 */
import {
  type FlatTable,
  type FlatVector,
  flatBytes,
  hasField,
  int16Field,
  int32Field,
  int32Of,
  naturalField,
  naturalOf,
  rootTable,
  tableField,
  tableOf,
  textField,
  uint8Field,
  vectorField,
} from './flat-table.ts';
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
import {
  ALIGNMENT,
  BODY_BYTES_MAX,
  type Extent,
  type Field,
  type FieldType,
  isVariableField,
} from './layout.ts';
import { corruptFile } from './read-file.ts';

/** What a file says before its body. */
export interface Head {
  readonly fields: readonly Field[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly rows: number;
  /** Per field. */
  readonly nullCounts: readonly number[];
  /** As listBuffers() of layout.ts has them. */
  readonly buffers: readonly Extent[];
  readonly batchOffset: number;
  readonly bodyOffset: number;
  readonly bodyBytes: number;
}

const TYPES = Object.entries(ARROW_TYPES) as [FieldType, (typeof ARROW_TYPES)[FieldType]][];

function decodeType(field: FlatTable): FieldType {
  const { flat, start } = field;
  const tag = uint8Field(field, FIELD.typeType);
  const table = tableField(field, FIELD.type);
  if (table === null) throw flat.damaged(start, 'a field has no type');
  const is = { bitWidth: 0, signed: false, precision: 0, unit: 0 };
  if (tag === TYPE_INT) {
    is.bitWidth = int32Field(table, 0);
    is.signed = uint8Field(table, 1) !== 0;
  } else if (tag === TYPE_FLOATING_POINT) {
    is.precision = int16Field(table, 0);
  } else if (tag === TYPE_TIMESTAMP) {
    is.unit = int16Field(table, 0);
    if (hasField(table, 1)) throw flat.damaged(table.start, 'a timestamp has a time zone');
  }
  const found = TYPES.find(
    ([, type]) =>
      type.tag === tag &&
      (type.bitWidth ?? 0) === is.bitWidth &&
      (type.signed ?? false) === is.signed &&
      (type.precision ?? 0) === is.precision &&
      (type.unit ?? 0) === is.unit,
  );
  if (found === undefined) throw flat.damaged(start, 'a field has a type that is none of ours');
  return found[0];
}

function decodeField(field: FlatTable): Field {
  const { flat, start } = field;
  if (hasField(field, FIELD.dictionary)) throw flat.damaged(start, 'a field has a dictionary');
  vectorField(field, FIELD.children, 4, 0);
  return {
    name: textField(field, FIELD.name),
    type: decodeType(field),
    nullable: uint8Field(field, FIELD.nullable) !== 0,
  };
}

function decodeSchema(schema: FlatTable): Pick<Head, 'fields' | 'metadata'> {
  const { flat, start } = schema;
  if (int16Field(schema, SCHEMA.endianness) !== 0) throw flat.damaged(start, 'big-endian data');
  const fieldVector = vectorField(schema, SCHEMA.fields, 4, FIELDS_MAX);
  const fields: Field[] = [];
  for (let i = 0; i < fieldVector.length; i++) fields.push(decodeField(tableOf(fieldVector, i)));
  const pairs = vectorField(schema, SCHEMA.customMetadata, 4, CUSTOM_METADATA_MAX);
  const metadata = new Map<string, string>();
  for (let i = 0; i < pairs.length; i++) {
    const pair = tableOf(pairs, i);
    const key = textField(pair, KEY_VALUE.key);
    if (metadata.has(key)) throw flat.damaged(pair.start, 'metadata has a key twice');
    metadata.set(key, textField(pair, KEY_VALUE.value));
  }
  return { fields, metadata };
}

/** A vector of structs of two int64, which must hold `length` of them. */
function decodePairs(vector: FlatVector, length: number): [number, number][] {
  if (vector.length !== length) {
    throw vector.flat.damaged(vector.start, `a list of ${vector.length} where ${length} belong`);
  }
  return Array.from({ length }, (_, i) => [
    naturalOf(vector, PAIR_BYTES * i),
    naturalOf(vector, PAIR_BYTES * i + 8),
  ]);
}

function decodeRecordBatch(
  table: FlatTable,
  fields: readonly Field[],
): Pick<Head, 'rows' | 'nullCounts' | 'buffers'> {
  const { flat, start } = table;
  const rows = naturalField(table, RECORD_BATCH.length);
  if (rows > BODY_BYTES_MAX) throw flat.damaged(start, `${rows} rows in one record batch`);
  if (hasField(table, RECORD_BATCH.compression)) throw flat.damaged(start, 'a compressed body');
  vectorField(table, RECORD_BATCH.variadicBufferCounts, 8, 0);
  const nodes = decodePairs(
    vectorField(table, RECORD_BATCH.nodes, PAIR_BYTES, FIELDS_MAX),
    fields.length,
  );
  const nullCounts = nodes.map(([length, nulls], i) => {
    if (length !== rows || nulls > (fields[i].nullable ? rows : 0)) {
      throw flat.damaged(start, `field ${i} has ${length} rows and ${nulls} nulls`);
    }
    return nulls;
  });
  const count = fields.reduce((n, { type }) => n + (isVariableField(type) ? 3 : 2), 0);
  const buffers = decodePairs(
    vectorField(table, RECORD_BATCH.buffers, PAIR_BYTES, 3 * FIELDS_MAX),
    count,
  ).map(([offset, length]) => ({ offset, length }));
  return { rows, nullCounts, buffers };
}

/** Checks a message's frame and table; returns its header and where the message ends. */
function decodeMessage(
  path: string,
  fileBytes: number,
  need: (end: number) => Uint8Array,
  start: number,
  headerType: number,
): { header: FlatTable; bodyBytes: number; end: number } {
  const damaged = (offset: number, what: string) => corruptFile(path, offset, what);
  const textAt = start + PREFIX_BYTES;
  if (textAt > fileBytes) throw damaged(fileBytes, 'the file ends within a message');
  const prefix = need(textAt);
  const prefixView = new DataView(prefix.buffer, prefix.byteOffset + start, PREFIX_BYTES);
  const length = prefixView.getUint32(4, true);
  const end = textAt + length;
  if (
    prefixView.getUint32(0, true) !== CONTINUATION ||
    length > METADATA_BYTES_MAX ||
    end % 8 !== 0 ||
    end > fileBytes
  ) {
    throw damaged(start, 'no message starts here');
  }
  const bytes = need(end).subarray(textAt, end);
  const message = rootTable(flatBytes(bytes, (offset, what) => damaged(textAt + offset, what)));
  const header = tableField(message, MESSAGE.header);
  if (
    int16Field(message, MESSAGE.version) !== METADATA_V5 ||
    uint8Field(message, MESSAGE.headerType) !== headerType ||
    header === null
  ) {
    throw damaged(textAt, 'a message is not of the expected kind and version');
  }
  return { header, bodyBytes: naturalField(message, MESSAGE.bodyLength), end };
}

/**
 * Reads everything before the body. `need(end)` returns the first `end` bytes of the file or more; `end` is
 * never beyond `fileBytes`, and a few times METADATA_BYTES_MAX at most.
 */
export function decodeHead(
  path: string,
  fileBytes: number,
  need: (end: number) => Uint8Array,
): Head {
  if (fileBytes < MAGIC_BYTES) throw corruptFile(path, fileBytes, 'the file is too short');
  const magic = Buffer.from(need(MAGIC_BYTES).subarray(0, MAGIC_BYTES)).toString('latin1');
  if (magic !== `${MAGIC}\0\0`) throw corruptFile(path, 0, 'it does not start as an Arrow file');

  const first = decodeMessage(path, fileBytes, need, MAGIC_BYTES, HEADER_SCHEMA);
  if (first.bodyBytes !== 0) throw corruptFile(path, MAGIC_BYTES, 'the schema has a body');
  const schema = decodeSchema(first.header);
  const second = decodeMessage(path, fileBytes, need, first.end, HEADER_RECORD_BATCH);
  const batch = decodeRecordBatch(second.header, schema.fields);
  const { bodyBytes, end: bodyOffset } = second;
  if (
    bodyBytes > BODY_BYTES_MAX ||
    bodyBytes % ALIGNMENT !== 0 ||
    bodyOffset % ALIGNMENT !== 0 ||
    bodyOffset + bodyBytes > fileBytes
  ) {
    throw corruptFile(path, first.end, `a body of ${bodyBytes} bytes cannot be at ${bodyOffset}`);
  }
  const bodyEnd = bodyOffset + bodyBytes;
  if (fileBytes - bodyEnd > TAIL_BYTES_MAX) {
    throw corruptFile(path, bodyEnd, `${fileBytes - bodyEnd} bytes follow the body`);
  }
  return { ...schema, ...batch, batchOffset: first.end, bodyOffset, bodyBytes };
}

function sameSchema(a: Pick<Head, 'fields' | 'metadata'>, b: Pick<Head, 'fields' | 'metadata'>) {
  return (
    sameFields(a.fields, b.fields) &&
    a.metadata.size === b.metadata.size &&
    a.metadata.entries().every(([key, value]) => b.metadata.get(key) === value)
  );
}

/** Whether two lists of fields agree in names, types and nullability. */
export function sameFields(a: readonly Field[], b: readonly Field[]): boolean {
  return (
    a.length === b.length &&
    a.every(
      ({ name, type, nullable }, i) =>
        name === b[i].name && type === b[i].type && nullable === b[i].nullable,
    )
  );
}

/**
 * Checks everything behind the body: `tail` is the file from there to its end. It must say of schema and
 * record batch what the head said, since other tools read the footer only.
 */
export function checkTail(path: string, head: Head, tail: Uint8Array): void {
  const tailAt = head.bodyOffset + head.bodyBytes;
  const damaged = (offset: number, what: string) => corruptFile(path, tailAt + offset, what);
  const footerBytes = tail.length - END_OF_STREAM_BYTES - TRAILER_BYTES;
  if (footerBytes < 0) throw damaged(tail.length, 'the file ends within its footer');
  const view = new DataView(tail.buffer, tail.byteOffset, tail.length);
  if (view.getUint32(0, true) !== CONTINUATION || view.getUint32(4, true) !== 0) {
    throw damaged(0, 'the body does not end here');
  }
  const trailerAt = END_OF_STREAM_BYTES + footerBytes;
  const magic = Buffer.from(tail.subarray(trailerAt + 4)).toString('latin1');
  if (view.getUint32(trailerAt, true) !== footerBytes || magic !== MAGIC) {
    throw damaged(trailerAt, 'the file does not end as an Arrow file');
  }
  const bytes = tail.subarray(END_OF_STREAM_BYTES, trailerAt);
  const footer = rootTable(
    flatBytes(bytes, (offset, what) => damaged(END_OF_STREAM_BYTES + offset, what)),
  );
  const schema = tableField(footer, FOOTER.schema);
  vectorField(footer, FOOTER.dictionaries, BLOCK_BYTES, 0);
  const blocks = vectorField(footer, FOOTER.recordBatches, BLOCK_BYTES, 1);
  if (
    int16Field(footer, FOOTER.version) !== METADATA_V5 ||
    schema === null ||
    !sameSchema(decodeSchema(schema), head) ||
    blocks.length !== 1 ||
    naturalOf(blocks, 0) !== head.batchOffset ||
    int32Of(blocks, 8) !== head.bodyOffset - head.batchOffset ||
    naturalOf(blocks, 16) !== head.bodyBytes
  ) {
    throw damaged(END_OF_STREAM_BYTES, 'the footer contradicts the head of the file');
  }
}
