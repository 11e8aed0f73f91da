/** What `bulkLoad` takes and gives back, and its options, checked. */
import { OmenError } from '../errors.ts';
import type { Mapping } from '../load/record-batch.ts';
import type { LoadFormat } from '../load/sniff.ts';
import type { OnDuplicate } from '../load/sort.ts';
import { readTime } from '../load/time-format.ts';
import { show } from '../schema/show.ts';
import type { OnExisting } from '../view/run-slice.ts';

/** A row with its key: a pair, or an object that has the key and the columns, or the key and the bare value. */
export type LoadRow<KeyInput, RowInput> =
  | readonly [KeyInput, RowInput]
  | (RowInput & { readonly key: KeyInput })
  | { readonly key: KeyInput; readonly value: RowInput };

/** What a record batch is known by, of whatever types its fields are. */
interface AnyBatch {
  readonly numRows: number;
  readonly numCols: number;
  readonly schema: { readonly fields: readonly { readonly name: string }[] };
}

/** And a table. */
interface AnyTable extends AnyBatch {
  readonly batches: readonly AnyBatch[];
}

/**
 * What can be loaded: rows or Arrow record batches one after the other, a table; the path of a file, a
 * pattern of paths (`logs/*.csv`), an array of either; or, with a `format`, a stream of bytes or texts.
 */
export type LoadSource<KeyInput = unknown, RowInput = unknown> =
  | string
  | readonly string[]
  | AnyTable
  | AnyBatch
  | Iterable<LoadRow<KeyInput, RowInput> | AnyBatch>
  | AsyncIterable<LoadRow<KeyInput, RowInput> | AnyBatch>
  | AsyncIterable<Uint8Array | string>;

export type { LoadFormat };

export interface LoadOptions extends Mapping {
  /**
   * How the bytes of a file or stream are to be read. Default: by the name of the file, and where that does
   * not tell, by its first bytes. Text, and any stream, may be compressed by gzip or zstd.
   */
  readonly format?: LoadFormat;
  /**
   * Of CSV and TSV, whether the first record names the fields; or their names. Default: true. Without names and
   * without `columns`, fields are the key and the columns in the order of the database.
   */
  readonly header?: boolean | readonly string[];
  /** The character between two values of CSV. Default: a comma, of TSV a tab. */
  readonly delimiter?: string;
  /** Values of CSV, without quotes, that are null where the column may be. Default: the empty one. */
  readonly nulls?: readonly string[];
  /**
   * How a text writes times, all of them or by the names of columns and `key`: `'s'`, `'ms'`, `'us'` or `'ns'`
   * since 1970, `'iso'`, or a pattern such as `'DD/MM/YYYY HH:mm:ss[.fff]'`. Default: milliseconds or ISO 8601.
   */
  readonly timestamps?: string | Readonly<Record<string, string>>;
  /** A file to be made, of bad rows and what is wrong with each: lines of JSON. */
  readonly rejects?: string;
  /** Of rows of the source with the same key, the one that is loaded. Default: the last. */
  readonly onDuplicate?: OnDuplicate;
  /**
   * What becomes of a row whose key the database has: it replaces the row that is there; or that one is kept; or
   * it is an error. What counts is what is there as the load begins; of what a range deletes meanwhile,
   * either may be told. One that keeps or refuses waits for loads
   * that began before it, and those that begin later wait for it. Default: `'replace'`.
   */
  readonly onExisting?: OnExisting;
  /** Bad rows that are passed over; one more, and nothing is loaded. Default: 0. */
  readonly maxErrors?: number;
  /**
   * Bytes that rows may take on their way, about, beside those that are the database's by then: beyond, sorted
   * runs wait in files in its directory. Default: half of the database's own budget.
   */
  readonly memory?: number;
  /**
   * Reads and checks everything, and loads nothing. Neither duplicates nor rows that are there are looked for.
   * Default: false.
   */
  readonly dryRun?: boolean;
  /** Called now and then, and at the end of each phase. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Ends the load, as long as it is not being published. */
  readonly signal?: AbortSignal;
}

export type LoadPhase = 'read' | 'write' | 'publish';

export interface LoadProgress {
  readonly phase: LoadPhase;
  /** Rows read so far. */
  readonly rows: number;
  /** Of them, rows that stand in segments by now. */
  readonly rowsWritten: number;
  /** Bytes that they take as columns. */
  readonly bytes: number;
  /** Since the load began, and how long it has taken so far. */
  readonly rowsPerSecond: number;
  readonly ms: number;
  /** How long the phase will go on at its rate so far; null where that is not known, as of streams. */
  readonly msLeft: number | null;
  /** What is read: its name, which one it is, from 1 on, and of how many. */
  readonly source: string;
  readonly sourceNumber: number;
  readonly sources: number;
  /** Bytes of all files together that were read, compressed as they are, and how many there are. */
  readonly bytesRead: number;
  readonly bytesTotal: number | null;
}

export interface LoadReport {
  /** Rows that were loaded. */
  readonly rows: number;
  /** Rows of the source that another one of the same key replaced. */
  readonly duplicates: number;
  /** Rows that gave way to rows that were there, by `onExisting: 'keep'`. */
  readonly existing: number;
  /**
   * Keys where shards 1, 2, … begin from now on, where this load has told it; else null. Integers beyond
   * ±(2^53 − 1) are bigints.
   */
  readonly splits: readonly unknown[] | null;
  /** Bad rows that were passed over. */
  readonly rejected: number;
  /** Files that were written, two a segment, and what they take. */
  readonly segments: number;
  readonly bytes: number;
  /** How long each phase took, and all of it. */
  readonly ms: Readonly<Record<LoadPhase | 'total', number>>;
}

const KNOWN = [
  ...[
    'format',
    'header',
    'delimiter',
    'nulls',
    'key',
    'columns',
    'onDuplicate',
    'onExisting',
    'maxErrors',
    'rejects',
    'timestamps',
  ],
  ...['memory', 'dryRun', 'onProgress', 'signal'],
];
const FORMATS: readonly unknown[] = ['arrow', 'csv', 'tsv', 'ndjson', 'parquet'];
const DUPLICATES: readonly unknown[] = ['last', 'first', 'error'];
const EXISTING: readonly unknown[] = ['replace', 'keep', 'error'];
const MEMORY_MIN = 2 ** 20;

export interface LoadSettings {
  readonly onDuplicate: OnDuplicate;
  readonly onExisting: OnExisting;
  readonly maxErrors: number;
  readonly memory: number;
  readonly dryRun: boolean;
  readonly onProgress: (progress: LoadProgress) => void;
  readonly signal: AbortSignal | undefined;
  readonly mapping: Mapping;
  readonly format: LoadFormat | undefined;
  readonly header: boolean | readonly string[];
  /** A byte; null: what the format has. */
  readonly delimiter: number | null;
  readonly nulls: readonly string[];
  readonly timestamps: string | Readonly<Record<string, string>> | undefined;
  readonly rejects: string | undefined;
}

/** @throws OMEN_INVALID_OPTIONS */
export function parseLoadOptions(options: LoadOptions, memoryBytes: number): LoadSettings {
  const invalid = (message: string) => new OmenError('OMEN_INVALID_OPTIONS', message);
  if (typeof options !== 'object' || options === null) {
    throw invalid('The options of bulkLoad() are an object.');
  }
  for (const name of Object.keys(options)) {
    if (KNOWN.includes(name)) continue;
    throw invalid(`bulkLoad() has no option "${name}". Options are ${KNOWN.join(', ')}.`);
  }
  const { onDuplicate = 'last', maxErrors = 0, onProgress, signal, key, columns } = options;
  const { onExisting = 'replace' } = options;
  const { memory = Math.max(MEMORY_MIN, Math.floor(memoryBytes / 2)), dryRun = false } = options;
  if (!DUPLICATES.includes(onDuplicate)) {
    throw invalid(`"onDuplicate" is 'last', 'first' or 'error', not ${show(onDuplicate)}.`);
  }
  if (!EXISTING.includes(onExisting)) {
    throw invalid(`"onExisting" is 'replace', 'keep' or 'error', not ${show(onExisting)}.`);
  }
  const isCount = (value: number, least: number) => Number.isSafeInteger(value) && value >= least;
  if (!isCount(maxErrors, 0) && maxErrors !== Number.POSITIVE_INFINITY) {
    throw invalid(`"maxErrors" is a count of rows, not ${show(maxErrors)}.`);
  }
  if (!isCount(memory, MEMORY_MIN)) {
    throw invalid(`"memory" is a number of bytes from ${MEMORY_MIN} on, not ${show(memory)}.`);
  }
  if (typeof dryRun !== 'boolean') throw invalid('"dryRun" is true or false.');
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalid('"onProgress" is a function.');
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalid('"signal" is an AbortSignal.');
  }
  const isField = (field: unknown) =>
    typeof field === 'string' || (typeof field === 'number' && isCount(field, 0));
  const fields = [...(key === undefined ? [] : [key]), ...Object.values(columns ?? {})];
  if (!fields.every(isField) || (columns !== undefined && typeof columns !== 'object')) {
    throw invalid('"key" and each of "columns" is the name of a field or its number, from 0.');
  }
  const { format, header = true, delimiter, nulls = [''], rejects, timestamps } = options;
  if (format !== undefined && !FORMATS.includes(format)) {
    throw invalid(`"format" is one of ${FORMATS.join(', ')}, not ${show(format)}.`);
  }
  const isMapOfTimes = typeof timestamps === 'object' && timestamps !== null;
  if (timestamps !== undefined && typeof timestamps !== 'string' && !isMapOfTimes) {
    throw invalid('"timestamps" is a format of times, or one for each column, by their names.');
  }
  const formats = isMapOfTimes ? Object.values(timestamps) : [timestamps ?? 'iso'];
  for (const time of formats) {
    if (typeof time !== 'string') throw invalid(`A format of times is a text, not ${show(time)}.`);
    readTime(time);
  }
  const areTexts = (list: unknown): boolean =>
    Array.isArray(list) && list.every((text) => typeof text === 'string');
  if (typeof header !== 'boolean' && !areTexts(header)) {
    throw invalid('"header" is true, false, or the names of the fields.');
  }
  if (!areTexts(nulls)) throw invalid('"nulls" is an array of texts.');
  const isDelimiter = typeof delimiter === 'string' && /^[\t -!#-~]$/.test(delimiter);
  if (delimiter !== undefined && !isDelimiter) {
    throw invalid(`"delimiter" is one ASCII character, and no quote, not ${show(delimiter)}.`);
  }
  if (rejects !== undefined && (typeof rejects !== 'string' || rejects === '')) {
    throw invalid('"rejects" is the path of a file to be made.');
  }
  return {
    ...{ onDuplicate, onExisting, maxErrors, memory, dryRun, signal, mapping: { key, columns } },
    onProgress: onProgress ?? (() => {}),
    ...{ format, header, nulls, rejects, timestamps },
    delimiter: delimiter === undefined ? null : delimiter.charCodeAt(0),
  };
}
