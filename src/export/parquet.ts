/**
 * Record batches as Parquet, by way of hyparquet-writer: batches are gathered to row groups, of which each
 * is written as soon as it is complete, so that no more than one is held.
 *
 *   int32 int64 float32 float64 bool   as Parquet has them
 *   uint64                             INT64, annotated as unsigned
 *   timestamp                          INT64, annotated as milliseconds, in UTC
 *   utf8 binary                        BYTE_ARRAY, text annotated as such
 */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { Data, RecordBatch } from 'apache-arrow';
import type { SchemaElement } from 'hyparquet';
import { ByteWriter, type ColumnSource, ParquetWriter } from 'hyparquet-writer';
import { columnOf } from '../load/batch-columns.ts';
import type { ColumnType, KeyType } from '../schema/schema.ts';
import type { BatchEncoder, Compression } from './encoder.ts';
import type { ExportField } from './field.ts';

const GROUP_ROWS = 131_072;
/** A row group of long rows ends early. */
const GROUP_BYTES = 64 * 2 ** 20;

const TYPES: Readonly<
  Record<ColumnType | KeyType, Pick<SchemaElement, 'type' | 'converted_type'>>
> = {
  int32: { type: 'INT32' },
  int64: { type: 'INT64' },
  uint64: { type: 'INT64', converted_type: 'UINT_64' },
  float32: { type: 'FLOAT' },
  float64: { type: 'DOUBLE' },
  bool: { type: 'BOOLEAN' },
  timestamp: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
  utf8: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  binary: { type: 'BYTE_ARRAY' },
};

/** By Snappy everything that is not asked for otherwise: what hyparquet-writer has of its own. */
const CODECS = { gzip: 'GZIP', zstd: 'ZSTD' } as const;

export class ParquetEncoder implements BatchEncoder {
  readonly #fields: readonly ExportField[];
  readonly #bytes = new ByteWriter();
  readonly #writer: ParquetWriter;
  /** Values of the row group so far, field by field. */
  #values: unknown[][];
  #rows = 0;
  #held = 0;

  constructor(fields: readonly ExportField[], compress: Compression | undefined) {
    this.#fields = fields;
    this.#values = fields.map(() => []);
    const root: SchemaElement = { name: 'root', num_children: fields.length };
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      schema: [
        root,
        ...fields.map(
          ({ name, type, nullable }): SchemaElement => ({
            name,
            ...TYPES[type],
            repetition_type: nullable ? 'OPTIONAL' : 'REQUIRED',
          }),
        ),
      ],
      codec: compress === undefined ? 'SNAPPY' : CODECS[compress],
      compressors: {
        GZIP: (page) => gzipSync(page),
        ZSTD: (page) => zstdCompressSync(page),
      },
      createdBy: 'omendb',
    });
  }

  encode(batch: RecordBatch): Uint8Array {
    const { numRows } = batch;
    for (const [i, field] of this.#fields.entries()) {
      this.#held += appendValues(this.#values[i], field, batch.data.children[i], numRows);
    }
    this.#rows += numRows;
    if (this.#rows >= GROUP_ROWS || this.#held >= GROUP_BYTES) this.#writeGroup();
    return this.#taken();
  }

  finish(): Uint8Array {
    this.#writeGroup();
    this.#writer.finish();
    return this.#taken();
  }

  #writeGroup(): void {
    if (this.#rows === 0) return;
    const columnData = this.#fields.map(({ name, type }, i): ColumnSource => {
      const source = { name, data: this.#values[i] as ColumnSource['data'] };
      // A dictionary would take 0 and −0 for one value.
      const isFloat = type === 'float32' || type === 'float64';
      return isFloat ? { ...source, encoding: 'PLAIN' } : source;
    });
    this.#writer.write({ columnData, rowGroupSize: this.#rows });
    this.#values = this.#fields.map(() => []);
    this.#rows = 0;
    this.#held = 0;
  }

  #taken(): Uint8Array {
    const taken = this.#bytes.getBytes().slice();
    // Where the bytes go on in the file is counted apart from it.
    this.#bytes.index = 0;
    return taken;
  }
}

/** Appends the values of a field as hyparquet-writer takes them. How many bytes they take, about. */
function appendValues(to: unknown[], field: ExportField, data: Data, rows: number): number {
  const { type } = field;
  const column = columnOf(type, data);
  const { offsets, validity, bit } = column;
  const read = valueReader(type, column);
  for (let row = 0; row < rows; row++) {
    const place = bit + row;
    const isNull = validity !== null && (validity[place >>> 3] & (1 << (place & 7))) === 0;
    to.push(isNull ? null : read(row));
  }
  return offsets.length > 0 ? offsets[rows] - offsets[0] + 16 * rows : 8 * rows;
}

function valueReader(
  type: ColumnType | KeyType,
  { u32, u8, offsets, bit }: ReturnType<typeof columnOf>,
): (row: number) => unknown {
  const { buffer, byteOffset, length } = u32;
  switch (type) {
    case 'int32': {
      const values = new Int32Array(buffer, byteOffset, length);
      return (row) => values[row];
    }
    case 'float32': {
      const values = new Float32Array(buffer, byteOffset, length);
      return (row) => values[row];
    }
    case 'float64': {
      const values = new Float64Array(buffer, byteOffset, length >>> 1);
      return (row) => values[row];
    }
    case 'int64':
    case 'timestamp': {
      const values = new BigInt64Array(buffer, byteOffset, length >>> 1);
      return (row) => values[row];
    }
    case 'uint64': {
      const values = new BigUint64Array(buffer, byteOffset, length >>> 1);
      return (row) => values[row];
    }
    case 'bool':
      return (row) => (u8[(bit + row) >>> 3] & (1 << ((bit + row) & 7))) !== 0;
    default:
      // A copy: it is held until the row group is complete, the batch's memory perhaps not.
      return (row) => u8.slice(offsets[row], offsets[row + 1]);
  }
}
