/** What `export` takes and gives back, and its options, checked. */
import { OmenError } from '../errors.ts';
import type { Compression, ExportFormat } from '../export/encoder.ts';
import { type Column, EXPIRES_COLUMN, ownColumns, type Schema } from '../schema/schema.ts';
import { show } from '../schema/show.ts';
import type { IterateOptions } from './range.ts';

/** Where an export goes: the path of a file to be made, or a stream. */
export type ExportTargetInput = string | NodeJS.WritableStream | WritableStream<Uint8Array>;

export interface ExportOptions<KeyInput = unknown, RowInput = unknown>
  extends IterateOptions<KeyInput, RowInput> {
  /** Default: by the name of the file. `'arrows'` is Arrow's stream format, `'arrow'` its file format. */
  readonly format?: ExportFormat;
  /** Which fields, in this order, `key` among them where it is wanted. Default: all. */
  readonly columns?: readonly string[];
  /**
   * Of rows that may expire, whether it is told when they do, as `_omen_expires`, so that it is loaded again.
   * Default: true, unless `columns` says otherwise.
   */
  readonly expires?: boolean;
  /** Of text, what all of it is compressed by: default by the name of the file. Of Parquet, its pages. */
  readonly compress?: Compression;
  /** Of CSV and TSV, whether the first record names the fields. Default: true. */
  readonly header?: boolean;
  /** The character between two values of CSV. Default: a comma, of TSV a tab. */
  readonly delimiter?: string;
  /** Whether a file of that name is replaced, once the new one is whole. Default: false. */
  readonly overwrite?: boolean;
  /** Called now and then, and at the end. */
  readonly onProgress?: (progress: ExportProgress) => void;
  /** Ends the export: no file is made, a stream is destroyed. */
  readonly signal?: AbortSignal;
}

export interface ExportProgress {
  /** Rows written so far, and of how many; null where that is not known. */
  readonly rows: number;
  readonly rowsTotal: number | null;
  /** Bytes written so far. */
  readonly bytes: number;
  readonly rowsPerSecond: number;
  readonly ms: number;
  /** How long it will go on at this rate; null where that is not known. */
  readonly msLeft: number | null;
}

export interface ExportReport {
  readonly rows: number;
  /** What was written takes. */
  readonly bytes: number;
  readonly ms: number;
}

const RANGE = ['gt', 'gte', 'lt', 'lte', 'where', 'reverse', 'limit'];
const OWN = [
  ...['format', 'columns', 'expires', 'compress', 'header', 'delimiter', 'overwrite'],
  ...['onProgress', 'signal'],
];
const FORMATS: readonly unknown[] = ['csv', 'tsv', 'ndjson', 'arrow', 'arrows', 'parquet'];
const SUFFIXES: Readonly<Record<string, ExportFormat>> = {
  ...{ csv: 'csv', tsv: 'tsv', ndjson: 'ndjson', jsonl: 'ndjson' },
  ...{ arrow: 'arrow', feather: 'arrow', ipc: 'arrow', arrows: 'arrows', parquet: 'parquet' },
};
const COMPRESSIONS: Readonly<Record<string, Compression>> = {
  ...{ gz: 'gzip', gzip: 'gzip', zst: 'zstd', zstd: 'zstd' },
};
const COMMA = 44;
const TAB = 9;

export interface ExportSettings {
  /** What is scanned. */
  readonly range: IterateOptions;
  readonly columns: readonly string[];
  readonly format: ExportFormat;
  readonly compress: Compression | undefined;
  readonly header: boolean;
  /** A byte. */
  readonly delimiter: number;
  readonly overwrite: boolean;
  readonly onProgress: ((progress: ExportProgress) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

function invalid(message: string): OmenError {
  return new OmenError('OMEN_INVALID_OPTIONS', message);
}

/**
 * @param target as it was given: its name tells what is not said
 * @throws OMEN_INVALID_OPTIONS, OMEN_INVALID_TARGET
 */
export function parseExportOptions(
  schema: Schema,
  target: unknown,
  options: ExportOptions,
): ExportSettings {
  if (typeof options !== 'object' || options === null) {
    throw invalid('The options of export() are an object.');
  }
  for (const name of Object.keys(options)) {
    if (RANGE.includes(name) || OWN.includes(name)) continue;
    throw invalid(
      `export() has no option "${name}". Options are ${[...RANGE, ...OWN].join(', ')}.`,
    );
  }
  for (const name of ['expires', 'header', 'overwrite'] as const) {
    const value = options[name];
    if (value === undefined || typeof value === 'boolean') continue;
    throw invalid(`"${name}" is true or false, not ${show(value)}.`);
  }
  const { delimiter, header = true, overwrite = false, onProgress, signal } = options;
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalid('"onProgress" is a function.');
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalid('"signal" is an AbortSignal.');
  }
  const { format, compress } = formOf(target, options);
  const isCsv = format === 'csv' || format === 'tsv';
  if (delimiter !== undefined && !isDelimiter(delimiter)) {
    const what = 'one ASCII character, none that numbers, dates or Base64 have';
    throw invalid(`"delimiter" is ${what}, and no quote, not ${show(delimiter)}.`);
  }
  for (const name of ['delimiter', 'header'] as const) {
    if (isCsv || options[name] === undefined) continue;
    throw invalid(`"${name}" is for CSV and TSV; the format is ${format}.`);
  }
  return {
    range: Object.fromEntries(Object.entries(options).filter(([name]) => RANGE.includes(name))),
    columns: columnsOf(schema, options),
    ...{ format, compress, header, overwrite, onProgress, signal },
    delimiter: delimiter?.charCodeAt(0) ?? (format === 'tsv' ? TAB : COMMA),
  };
}

function isDelimiter(delimiter: unknown): boolean {
  return typeof delimiter === 'string' && /^[\t !#-*,;<>?@[-`{-~]$/.test(delimiter);
}

/** The format, and how it is compressed. */
function formOf(
  target: unknown,
  options: ExportOptions,
): Pick<ExportSettings, 'format' | 'compress'> {
  const parts = typeof target === 'string' ? target.toLowerCase().split('.') : [];
  const named = COMPRESSIONS[parts.at(-1) ?? ''];
  if (named !== undefined) parts.pop();
  const { format = SUFFIXES[parts.at(-1) ?? ''], compress = named } = options;
  if (format === undefined) {
    const what = typeof target === 'string' ? `The name ${target}` : 'A stream';
    const message = `${what} does not tell what to write: say so with the option "format".`;
    throw new OmenError('OMEN_INVALID_TARGET', message);
  }
  if (!FORMATS.includes(format)) {
    throw invalid(`"format" is one of ${FORMATS.join(', ')}, not ${show(format)}.`);
  }
  if (compress !== undefined && compress !== 'gzip' && compress !== 'zstd') {
    throw invalid(`"compress" is 'gzip' or 'zstd', not ${show(compress)}.`);
  }
  const isArrow = format === 'arrow' || format === 'arrows';
  if (compress !== undefined && isArrow) {
    throw invalid(
      'Arrow is not compressed: it is read where it lies. Choose Parquet to save space.',
    );
  }
  if (named !== undefined && format === 'parquet') {
    throw invalid(
      'Parquet is compressed page by page: name the file ….parquet, and say "compress".',
    );
  }
  return { format, compress };
}

function columnsOf(schema: Schema, { columns, expires }: ExportOptions): readonly string[] {
  if (columns !== undefined) {
    if (!Array.isArray(columns) || columns.length === 0) {
      throw invalid('"columns" is an array of names, one at least.');
    }
    if (expires === undefined) return columns;
    throw invalid(
      `Of "columns" and "expires" give one: ${EXPIRES_COLUMN} is a column like any other.`,
    );
  }
  const own: readonly Column[] = expires === false ? ownColumns(schema) : schema.columns;
  if (expires === true && schema.ttl === undefined) {
    throw invalid('Rows of this database do not expire: leave out "expires".');
  }
  return ['key', ...own.map(({ name }) => name)];
}
