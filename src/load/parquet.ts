/**
 * Parquet files, by way of hyparquet: what a file says of itself, and its row groups one after the other, as
 * the bytes of the columns that are wanted. They are decoded elsewhere, in any thread (`parquet-group.ts`).
 * Of values nothing is taken on trust from hyparquet's own conversions, which round decimals: it decodes
 * physical types, and what they stand for is said here.
 */
import type { ColumnMetaData, FileMetaData, SchemaElement } from 'hyparquet';
import { OmenError } from '../errors.ts';
import type { ColumnType, KeyType, Schema } from '../schema/schema.ts';
import type { StorageFile } from '../storage/storage.ts';
import type { InferredField } from './infer.ts';
import { type Mapping, placesOf } from './record-batch.ts';

/** How a physical value becomes one of its field's type. */
export type ParquetKind =
  | 'plain'
  | 'unsigned'
  | 'decimal'
  | 'half'
  | 'uuid'
  | 'days'
  | 'milliseconds'
  | 'microseconds'
  | 'nanoseconds';

/** A field at the top of the schema. Plain data. */
export interface ParquetField {
  readonly name: string;
  /** Null: it is nested. */
  readonly type: ColumnType | KeyType | null;
  readonly kind: ParquetKind;
  readonly nullable: boolean;
  /** Digits behind the point of a decimal. */
  readonly scale: number;
  readonly element: SchemaElement;
}

/** Where in a group's bytes the chunk of a column is, and how it is written. */
export interface ParquetChunk {
  readonly field: ParquetField;
  readonly start: number;
  readonly end: number;
  readonly codec: ColumnMetaData['codec'];
}

/** A row group. Plain data, but for its bytes in shared memory. */
export interface ParquetGroup {
  /** Of the file, for messages. */
  readonly name: string;
  /** Rows of the file before it. */
  readonly before: number;
  readonly rows: number;
  readonly bytes: Uint8Array;
  readonly chunks: readonly ParquetChunk[];
  /** Which of its chunks are the key and the columns. */
  readonly mapping: Mapping;
  /** Where in the file it ends. */
  readonly end: number;
}

type File = Pick<StorageFile, 'size' | 'read'>;

/** @throws OMEN_INVALID_SOURCE for any error but ours */
export function refuseParquet(error: unknown, name: string): never {
  if (error instanceof OmenError) throw error;
  const text = error instanceof Error ? error.message : String(error);
  const message = `${name} cannot be read as Parquet: ${text}`;
  throw new OmenError('OMEN_INVALID_SOURCE', message, { cause: error });
}

async function metadataOf(file: File, name: string): Promise<FileMetaData> {
  const { parquetMetadataAsync } = await import('hyparquet');
  try {
    const byteLength = file.size();
    const slice = (start: number, end = byteLength): ArrayBuffer => {
      const bytes = new Uint8Array(Math.max(0, end - start));
      if (file.read(bytes, start) < bytes.length) throw new Error('its end is missing');
      return bytes.buffer;
    };
    return await parquetMetadataAsync({ byteLength, slice }, { geoparquet: false });
  } catch (error) {
    return refuseParquet(error, name);
  }
}

/** The fields at the top of the schema. */
function fieldsOf({ schema }: FileMetaData): ParquetField[] {
  const [root, ...elements] = schema;
  const fields: ParquetField[] = [];
  let at = 0;
  /** How many elements one takes, with all that is below it. */
  const skip = (): void => {
    const { num_children: children = 0 } = elements[at++];
    for (let i = 0; i < children; i++) skip();
  };
  for (let i = 0; i < (root.num_children ?? 0); i++) {
    const element = elements[at];
    skip();
    const { name, num_children: children = 0, repetition_type: repetition } = element;
    const isNested = children > 0 || repetition === 'REPEATED';
    const { type, kind } = isNested ? { type: null, kind: 'plain' as const } : meaningOf(element);
    const { scale = 0, type_length, type: physical } = element;
    fields.push({
      ...{ name, type, kind, scale: scale ?? 0, nullable: repetition !== 'REQUIRED' },
      element: { name, type: physical, type_length, repetition_type: repetition },
    });
  }
  return fields;
}

const UNITS = { MILLIS: 'milliseconds', MICROS: 'microseconds', NANOS: 'nanoseconds' } as const;

/** The type that an element's values have here. */
function meaningOf(element: SchemaElement): {
  type: ColumnType | KeyType;
  kind: ParquetKind;
} {
  const { type, converted_type: converted, logical_type: logical } = element;
  const isDecimal = converted === 'DECIMAL' || logical?.type === 'DECIMAL';
  if (isDecimal) return { type: 'float64', kind: 'decimal' };
  const isUnsigned =
    converted?.startsWith('UINT_') || (logical?.type === 'INTEGER' && !logical.isSigned);
  switch (type) {
    case 'BOOLEAN':
      return { type: 'bool', kind: 'plain' };
    case 'INT32': {
      if (converted === 'DATE' || logical?.type === 'DATE') {
        return { type: 'timestamp', kind: 'days' };
      }
      const isWide =
        converted === 'UINT_32' || (logical?.type === 'INTEGER' && logical.bitWidth === 32);
      return isUnsigned && isWide
        ? { type: 'int64', kind: 'unsigned' }
        : { type: 'int32', kind: 'plain' };
    }
    case 'INT64': {
      if (logical?.type === 'TIMESTAMP') return { type: 'timestamp', kind: UNITS[logical.unit] };
      if (converted === 'TIMESTAMP_MILLIS') return { type: 'timestamp', kind: 'milliseconds' };
      if (converted === 'TIMESTAMP_MICROS') return { type: 'timestamp', kind: 'microseconds' };
      return { type: isUnsigned ? 'uint64' : 'int64', kind: 'plain' };
    }
    case 'INT96':
      return { type: 'timestamp', kind: 'nanoseconds' };
    case 'FLOAT':
      return { type: 'float32', kind: 'plain' };
    case 'DOUBLE':
      return { type: 'float64', kind: 'plain' };
    case 'FIXED_LEN_BYTE_ARRAY': {
      if (logical?.type === 'FLOAT16') return { type: 'float32', kind: 'half' };
      return logical?.type === 'UUID'
        ? { type: 'utf8', kind: 'uuid' }
        : { type: 'binary', kind: 'plain' };
    }
    default: {
      const texts = ['STRING', 'UTF8', 'ENUM', 'JSON'];
      const isText = texts.includes(converted ?? '') || texts.includes(logical?.type ?? '');
      return { type: isText ? 'utf8' : 'binary', kind: 'plain' };
    }
  }
}

/** The fields of a file as columns that take them. @throws OMEN_INVALID_SOURCE, what the storage throws */
export async function parquetFields(file: File, name: string): Promise<InferredField[]> {
  const fields = fieldsOf(await metadataOf(file, name));
  return fields.map(({ name, type, nullable }) => {
    return { name, type: type === 'uint64' ? 'int64' : type, nullable };
  });
}

/**
 * The row groups of a file, each read when it is asked for, without the columns that nobody wants.
 * @throws OMEN_INVALID_SOURCE, for nested columns among others; OMEN_UNKNOWN_COLUMN, OMEN_MISSING_COLUMN;
 *   what the storage throws
 */
export async function* parquetGroups(
  file: File,
  name: string,
  schema: Schema,
  mapping: Mapping,
): AsyncGenerator<ParquetGroup, undefined, undefined> {
  const metadata = await metadataOf(file, name);
  const fields = fieldsOf(metadata);
  const places = placesOf(
    schema,
    fields.map((field) => field.name),
    mapping,
  );
  const wanted = [...new Set([places.key, ...places.columns.filter((place) => place >= 0)])];
  for (const place of wanted) refuseNested(fields[place], name);
  const columns = schema.columns.flatMap(({ name }, i) =>
    places.columns[i] < 0 ? [] : [[name, wanted.indexOf(places.columns[i])] as const],
  );
  const renumbered = { key: wanted.indexOf(places.key), columns: Object.fromEntries(columns) };
  let before = 0;
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows);
    const metas = wanted.map((place) => {
      const meta = group.columns.find((column) => isOf(column.meta_data, fields[place]))?.meta_data;
      if (meta !== undefined) return meta;
      return refuseParquet(
        new Error(`column ${JSON.stringify(fields[place].name)} is not in it, or encrypted`),
        name,
      );
    });
    const read = bytesOf(file, name, metas);
    const chunks = metas.map(({ codec }, i) => ({
      field: fields[wanted[i]],
      codec,
      ...read.ranges[i],
    }));
    yield { name, before, rows, bytes: read.bytes, chunks, mapping: renumbered, end: read.end };
    before += rows;
  }
}

function isOf(meta: ColumnMetaData | undefined, { name }: ParquetField): boolean {
  return meta?.path_in_schema.length === 1 && meta.path_in_schema[0] === name;
}

function refuseNested({ name, type }: ParquetField, file: string): void {
  if (type !== null) return;
  const message = `The column ${JSON.stringify(name)} of ${file} is nested, and no column takes it. Name the fields to load with the option "columns".`;
  throw new OmenError('OMEN_INVALID_SOURCE', message);
}

/** Chunks of columns, one behind the other, in shared memory. */
function bytesOf(file: File, name: string, metas: readonly ColumnMetaData[]) {
  const size = file.size();
  const places = metas.map((meta) => {
    const dictionary = Number(meta.dictionary_page_offset ?? 0);
    const data = Number(meta.data_page_offset);
    // Some writers say 0 where there is none.
    const from = dictionary > 0 ? Math.min(dictionary, data) : data;
    const length = Number(meta.total_compressed_size);
    if (from >= 0 && length >= 0 && from + length <= size) return { from, length };
    return refuseParquet(new Error('it points outside of itself'), name);
  });
  const total = places.reduce((sum, { length }) => sum + length, 0);
  const bytes = new Uint8Array(new SharedArrayBuffer(total));
  let at = 0;
  let end = 0;
  const ranges = places.map(({ from, length }) => {
    const [start, stop] = [at, at + length];
    if (file.read(bytes.subarray(start, stop), from) < length) {
      refuseParquet(new Error('its end is missing'), name);
    }
    at = stop;
    end = Math.max(end, from + length);
    return { start, end: stop };
  });
  return { bytes, ranges, end };
}
