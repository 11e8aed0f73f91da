/**
 * A row group of a Parquet file becomes a record batch, in any thread. What it says of itself is checked
 * before it is believed: pages lie within it, have as many values as there are rows, and, where they carry a
 * checksum, have the right one.
 */
import { brotliDecompressSync, crc32, gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { RecordBatch } from 'apache-arrow';
import type {
  ColumnMetaData,
  Compressors,
  DecodedArray,
  PageHeader,
  ParquetParsers,
} from 'hyparquet';
import type { ColumnType, KeyType } from '../schema/schema.ts';
import { lz4Decompress } from './lz4.ts';
import {
  type ParquetChunk,
  type ParquetField,
  type ParquetGroup,
  refuseParquet,
} from './parquet.ts';

const PAGE_BYTES_MAX = 2 ** 30;
const TEXT_BYTES_MAX = 2 ** 31 - 1;

const COMPRESSORS: Compressors = {
  GZIP: (page, length) => gunzipSync(page, { maxOutputLength: Math.max(1, length) }),
  ZSTD: (page, length) => zstdDecompressSync(page, { maxOutputLength: Math.max(1, length) }),
  LZ4_RAW: lz4Decompress,
  BROTLI: (page, length) => brotliDecompressSync(page, { maxOutputLength: Math.max(1, length) }),
};

/** Of what the elements that are handed over have no annotation for, INT96 alone is converted. */
const PARSERS = { timestampFromNanoseconds: (nanos: bigint) => nanos } as ParquetParsers;

/** @throws OMEN_INVALID_SOURCE */
export async function batchOfGroup(group: ParquetGroup): Promise<RecordBatch> {
  const { toArrowSchema, toData, toRecordBatch } = await import('../arrow/record-batch.ts');
  const { parquetHeader, readColumn } = await import('hyparquet/src/column.js');
  const { rows, chunks } = group;
  const decoded = chunks.map((chunk) => {
    try {
      const { field, codec } = chunk;
      // A copy: what is decoded may be a view of it.
      const view = new DataView(group.bytes.slice(chunk.start, chunk.end).buffer);
      checkPages(view, rows, (at) => {
        const reader = { view, offset: at };
        return { header: parquetHeader(reader), end: reader.offset };
      });
      const { element } = field;
      const leaf = { element, children: [], count: 1, path: [field.name] };
      const root = { element: { name: 'root' }, children: [leaf], count: 2, path: [] };
      const select = { groupStart: 0, selectStart: 0, selectEnd: rows, groupRows: rows };
      const decoder = {
        pathInSchema: [field.name],
        ...{ element, codec, utf8: false, parsers: PARSERS, compressors: COMPRESSORS },
        type: element.type as ColumnMetaData['type'],
        schemaPath: [root, leaf],
      };
      return fieldOf(chunk, readColumn({ view, offset: 0 }, select, decoder).data, rows);
    } catch (error) {
      return refuseParquet(error, `Column ${JSON.stringify(chunk.field.name)} of ${group.name}`);
    }
  });
  const fields = chunks.map(({ field: { name, nullable } }, i) => {
    return { name, type: decoded[i].type, nullable };
  });
  const data = decoded.map(({ type, values, validity, offsets, nulls }) =>
    toData(type, rows, values, validity, offsets, nulls),
  );
  return toRecordBatch(toArrowSchema(fields), rows, data);
}

/** @throws Error where pages are not what they say */
function checkPages(
  view: DataView<ArrayBuffer>,
  rows: number,
  headerAt: (at: number) => { header: PageHeader; end: number },
): void {
  let values = 0;
  for (let at = 0; at < view.byteLength && values < rows; ) {
    const { header, end } = headerAt(at);
    const size = header.compressed_page_size;
    const isWithin = size >= 0 && end + size <= view.byteLength;
    const isBounded =
      header.uncompressed_page_size >= 0 && header.uncompressed_page_size <= PAGE_BYTES_MAX;
    if (!isWithin || !isBounded) throw new Error('a page does not lie within it');
    const page = new Uint8Array(view.buffer, end, size);
    if (header.crc !== undefined && header.crc >>> 0 !== crc32(page)) {
      throw new Error('a page has a wrong checksum');
    }
    const { data_page_header: v1, data_page_header_v2: v2, dictionary_page_header: words } = header;
    const count = v1?.num_values ?? v2?.num_values ?? 0;
    const most = words === undefined ? rows - values : 8 * header.uncompressed_page_size;
    const told = words?.num_values ?? count;
    if (told < 0 || told > most) throw new Error('a page has more values than there are rows');
    if (v2 !== undefined) checkLevels(v2, size);
    values += count;
    at = end + size;
  }
  if (values !== rows) throw new Error(`it has ${values} values for ${rows} rows`);
}

/** @throws Error where the levels of a page do not lie within it, or are those of a nested column */
function checkLevels(
  {
    num_values: values,
    num_rows: rows,
    num_nulls: nulls,
    definition_levels_byte_length: definitions,
    repetition_levels_byte_length: repetitions,
  }: NonNullable<PageHeader['data_page_header_v2']>,
  size: number,
): void {
  const isSound = rows === values && nulls >= 0 && nulls <= values && repetitions === 0;
  if (isSound && definitions >= 0 && definitions <= size) return;
  throw new Error('a page has levels that do not lie within it');
}

interface Decoded {
  readonly type: ColumnType | KeyType;
  readonly values: ArrayBufferView<ArrayBufferLike>;
  readonly validity: Uint8Array | null;
  readonly offsets: Int32Array | null;
  readonly nulls: number;
}

/** @param pages values, of which null is absent, and undefined a word that its dictionary does not have */
function fieldOf({ field }: ParquetChunk, pages: readonly DecodedArray[], rows: number): Decoded {
  const type = field.type as ColumnType | KeyType;
  const count = pages.reduce((sum, { length }) => sum + length, 0);
  if (count !== rows) throw new Error(`it has ${count} values for ${rows} rows`);
  const validity = new Uint8Array(Math.ceil(rows / 8));
  let nulls = 0;
  /** Calls `put` with each value that is there. */
  const each = (put: (value: unknown, row: number) => void): void => {
    let row = 0;
    for (const page of pages) {
      for (let i = 0; i < page.length; i++, row++) {
        const value: unknown = page[i];
        if (value === undefined) throw new Error('a value is missing from its dictionary');
        if (value === null) {
          nulls++;
          continue;
        }
        validity[row >>> 3] |= 1 << (row & 7);
        put(value, row);
      }
    }
  };
  if (type === 'utf8' || type === 'binary') {
    const texts: (Uint8Array | null)[] = new Array(rows).fill(null);
    const textOf = field.kind === 'uuid' ? uuidOf : (value: unknown) => value as Uint8Array;
    each((value, row) => {
      texts[row] = textOf(value);
    });
    const { values, offsets } = joined(texts);
    return { type, values, offsets, validity: nulls > 0 ? validity : null, nulls };
  }
  const values = arrayFor(type, rows);
  let at = 0;
  if (field.kind === 'plain' && pages.every((page) => page.constructor === values.constructor)) {
    for (const page of pages) {
      (values as Float64Array).set(page as Float64Array, at);
      at += page.length;
    }
  } else if (type === 'bool') {
    each((value, row) => {
      if (value === true) values[row >>> 3] = Number(values[row >>> 3]) | (1 << (row & 7));
    });
  } else {
    const convert = converter(field, type);
    each((value, row) => {
      values[row] = convert(value);
    });
  }
  return { type, values, offsets: null, validity: nulls > 0 ? validity : null, nulls };
}

function arrayFor(type: ColumnType | KeyType, rows: number) {
  switch (type) {
    case 'int32':
      return new Int32Array(rows);
    case 'float32':
      return new Float32Array(rows);
    case 'float64':
      return new Float64Array(rows);
    case 'bool':
      return new Uint8Array(Math.ceil(rows / 8));
    case 'uint64':
      return new BigUint64Array(rows);
    default:
      return new BigInt64Array(rows);
  }
}

const PER_MS = {
  days: 1n,
  milliseconds: 1n,
  microseconds: 1000n,
  nanoseconds: 1_000_000n,
} as const;
const DAY_MS = 86_400_000;

/** What makes values of an array's type of physical ones. */
function converter(
  { kind, scale }: ParquetField,
  type: ColumnType | KeyType,
): (value: unknown) => never {
  const of = (): ((value: never) => number | bigint) => {
    switch (kind) {
      case 'decimal':
        return (value: number | bigint | Uint8Array) =>
          Number(`${value instanceof Uint8Array ? integerOf(value) : value}e${-scale}`);
      case 'half':
        return (value: Uint8Array) =>
          new DataView(value.buffer, value.byteOffset, 2).getFloat16(0, true);
      case 'days':
        return (value: number) => BigInt(value) * BigInt(DAY_MS);
      case 'microseconds':
      case 'nanoseconds':
        return (value: bigint) => floored(value, PER_MS[kind]);
      case 'unsigned':
        return (value: number) => BigInt(value >>> 0);
      default:
        if (type === 'uint64') return (value: bigint) => BigInt.asUintN(64, value);
        return (value: number | bigint) => value;
    }
  };
  return of() as (value: unknown) => never;
}

function floored(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value < 0n && quotient * by !== value ? quotient - 1n : quotient;
}

/** A signed integer whose highest byte comes first. */
function integerOf(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  const digits = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
  return BigInt.asIntN(8 * bytes.length, BigInt(`0x${digits}`));
}

function uuidOf(value: unknown): Uint8Array {
  const digits = Buffer.from(value as Uint8Array).toString('hex');
  return Buffer.from(digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'));
}

function joined(texts: readonly (Uint8Array | null)[]): {
  values: Uint8Array;
  offsets: Int32Array;
} {
  const total = texts.reduce((sum, text) => sum + (text?.length ?? 0), 0);
  if (total > TEXT_BYTES_MAX) throw new Error('a row group has more than 2 GiB of text');
  const values = new Uint8Array(total);
  const offsets = new Int32Array(texts.length + 1);
  let at = 0;
  for (const [i, text] of texts.entries()) {
    if (text !== null) {
      values.set(text, at);
      at += text.length;
    }
    offsets[i + 1] = at;
  }
  return { values, offsets };
}
