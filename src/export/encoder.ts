/** Record batches as the bytes of a format, a batch at a time. What a format needs is loaded when it is asked for. */
import type { RecordBatch } from 'apache-arrow';
import type { ExportField } from './field.ts';

export interface BatchEncoder {
  /** The bytes that the batch adds, none perhaps. They are the caller's to keep. */
  encode(batch: RecordBatch): Uint8Array;
  /** What is left to be written; called once, last of all. */
  finish(): Uint8Array;
}

export type ExportFormat = 'csv' | 'tsv' | 'ndjson' | 'arrow' | 'arrows' | 'parquet';
export type Compression = 'gzip' | 'zstd';

export interface EncoderOptions {
  readonly format: ExportFormat;
  /** Of CSV and TSV: the byte between two values, and whether the first record names the fields. */
  readonly delimiter: number;
  readonly header: boolean;
  /** Of Parquet, how its pages are compressed; undefined: by Snappy, which every reader knows. */
  readonly compress: Compression | undefined;
}

export async function encoderFor(
  fields: readonly ExportField[],
  { format, delimiter, header, compress }: EncoderOptions,
): Promise<BatchEncoder> {
  switch (format) {
    case 'csv':
    case 'tsv': {
      const { CsvEncoder } = await import('./text.ts');
      return new CsvEncoder(fields, delimiter, header);
    }
    case 'ndjson': {
      const { NdjsonEncoder } = await import('./text.ts');
      return new NdjsonEncoder(fields);
    }
    case 'parquet': {
      const { ParquetEncoder } = await import('./parquet.ts');
      return new ParquetEncoder(fields, compress);
    }
    default: {
      const arrow = await import('../arrow/record-batch.ts');
      const schema = arrow.toArrowSchema(fields);
      return format === 'arrow' ? new arrow.FileEncoder(schema) : new arrow.StreamEncoder(schema);
    }
  }
}
