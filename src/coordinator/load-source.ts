/** What a bulk load reads, as what it is: rows and record batches, or text to be parsed. */
import type { RecordBatch } from 'apache-arrow';
import { OmenError } from '../errors.ts';
import { bytesOf, decompressed, decompressedHead, fileBytes } from '../load/byte-stream.ts';
import { isPattern, pathsOf } from '../load/glob.ts';
import type { InferredField } from '../load/infer.ts';
import { inferArrow } from '../load/infer-arrow.ts';
import { type ParquetGroup, parquetFields, parquetGroups } from '../load/parquet.ts';
import type { Mapping } from '../load/record-batch.ts';
import { formatOfBytes } from '../load/sniff.ts';
import { readUnchanged } from '../load/source-file.ts';
import type { TextRules } from '../load/text-source.ts';
import type { Schema } from '../schema/schema.ts';
import { show } from '../schema/show.ts';
import type { Storage, StorageFile } from '../storage/storage.ts';
import type { LoadFormat, LoadSettings } from './load-options.ts';

/** Rows and record batches one after the other. */
export type Items = Iterable<unknown> | AsyncIterable<unknown>;

/**
 * The name of a method that a source of rows may have, whose rows come one by one otherwise, by a promise
 * each: it gives an async iterable of arrays of them.
 */
export const ROW_ARRAYS: unique symbol = Symbol.for('omendb.rowArrays');

/** Rows that came at once. */
export class RowArray {
  readonly rows: readonly unknown[];

  constructor(rows: readonly unknown[]) {
    this.rows = rows;
  }
}

async function* asItems(arrays: AsyncIterable<readonly unknown[]>): AsyncGenerator<RowArray> {
  for await (const rows of arrays) yield new RowArray(rows);
}

/** How far a source has been read. */
export interface Extent {
  /** Bytes of a file; 0 where they are not known. */
  total: number;
  read: number;
}

export type OpenSource = {
  readonly name: string;
  readonly extent: Extent;
  /** Undefined: rows or record batches. */
  readonly format: LoadFormat | undefined;
} & (
  | {
      readonly items: Items;
      /** Of Arrow, where it says what it holds. */
      readonly schema?: () => Promise<readonly InferredField[]>;
    }
  | { readonly text: AsyncIterable<Uint8Array>; readonly rules: TextRules }
  | {
      /** Row groups of Parquet. */
      readonly groups: (schema: Schema) => AsyncIterable<ParquetGroup>;
      readonly schema: () => Promise<readonly InferredField[]>;
    }
);

const HEAD_BYTES = 2 ** 18;
export const COMMA = 44;
export const TAB = 9;

const SUFFIXES: Readonly<Record<string, LoadFormat>> = {
  ...{ arrow: 'arrow', arrows: 'arrow', feather: 'arrow', ipc: 'arrow' },
  ...{ csv: 'csv', tsv: 'tsv', ndjson: 'ndjson', jsonl: 'ndjson' },
  ...{ parquet: 'parquet', parq: 'parquet', pq: 'parquet' },
};

/** The format that a file's name tells, its compression aside. */
function formatOfName(path: string): LoadFormat | undefined {
  const name = path.toLowerCase().replace(/\.(gz|gzip|zst|zstd)$/, '');
  return SUFFIXES[name.slice(name.lastIndexOf('.') + 1)];
}

/**
 * What there is to read, in its order. Nothing of it is read yet.
 * @throws OMEN_INVALID_SOURCE
 */
export function openSources(
  storage: Storage,
  source: unknown,
  settings: LoadSettings,
): readonly OpenSource[] {
  const paths = typeof source === 'string' ? [source] : source;
  const isPaths = Array.isArray(paths) && paths.length > 0 && typeof paths[0] === 'string';
  if (!isPaths) return [openStream(source, settings)];
  return paths.flatMap((path) => {
    if (typeof path !== 'string') {
      const message = `Of several sources each is the path of a file, not ${show(path)}.`;
      throw new OmenError('OMEN_INVALID_SOURCE', message);
    }
    if (path === '' || storage.exists(path) || !isPattern(path)) {
      return [openFile(storage, path, settings)];
    }
    const found = pathsOf(storage, path);
    if (found.length === 0) {
      throw new OmenError('OMEN_INVALID_SOURCE', `No file matches ${show(path)}.`);
    }
    return found.map((one) => openFile(storage, one, settings));
  });
}

function openStream(source: unknown, settings: LoadSettings): OpenSource {
  const extent = { total: 0, read: 0 };
  const { format } = settings;
  const own = { name: 'the source', extent, format };
  if (format !== undefined) {
    const isStream =
      typeof source === 'object' && source !== null && Symbol.asyncIterator in source;
    if (!isStream) {
      const message = `A source with format "${format}" is the path of a file, or an async iterable of bytes or texts, not ${show(source)}.`;
      throw new OmenError('OMEN_INVALID_SOURCE', message);
    }
    const bytes = bytesOf(source as AsyncIterable<unknown>);
    if (format === 'parquet') {
      const message =
        'Parquet says at its end what it holds: give the path of a file, not a stream.';
      throw new OmenError('OMEN_INVALID_SOURCE', message);
    }
    if (format === 'arrow') return { ...own, ...streamBatches(bytes, own.name) };
    return { ...own, ...textOf(bytes, own.name, format, settings) };
  }
  if (isBatch(source)) return { ...own, items: [source] };
  if (typeof source === 'object' && source !== null) {
    if ('batches' in source && Array.isArray(source.batches)) {
      return { ...own, items: source.batches };
    }
    if (ROW_ARRAYS in source && typeof source[ROW_ARRAYS] === 'function') {
      return { ...own, items: asItems(source[ROW_ARRAYS]()) };
    }
    if (Symbol.asyncIterator in source || Symbol.iterator in source) {
      return { ...own, items: source as Items };
    }
  }
  const message = `bulkLoad() takes rows or record batches to iterate over, or the path of a file, not ${show(source)}.`;
  throw new OmenError('OMEN_INVALID_SOURCE', message);
}

function openFile(storage: Storage, path: string, settings: LoadSettings): OpenSource {
  if (path === '' || !storage.exists(path)) {
    throw new OmenError('OMEN_INVALID_SOURCE', `There is no file ${show(path)}.`);
  }
  const { size, head } = beginningOf(storage, path);
  const format = settings.format ?? formatOfName(path) ?? formatOfBytes(decompressedHead(head));
  if (format === undefined) {
    const message = `Neither the name of ${path} nor its first bytes tell what it is: say so with the option "format".`;
    throw new OmenError('OMEN_INVALID_SOURCE', message);
  }
  const extent = { total: size, read: 0 };
  const own = { name: path, extent, format };
  if (format === 'parquet') {
    return {
      ...own,
      groups: (schema) => fileGroups(storage, path, schema, settings.mapping, extent),
      schema: () => withFile(storage, path, (file) => parquetFields(file, path)),
    };
  }
  if (format === 'arrow') {
    const items = fileBatches(storage, path, extent);
    return { ...own, items, schema: () => fileSchema(storage, path) };
  }
  return { ...own, ...textOf(fileBytes(storage, path, extent), path, format, settings) };
}

/** How long a file is, and what it begins with. */
function beginningOf(storage: Storage, path: string): { size: number; head: Uint8Array } {
  const file = storage.open(path, 'read');
  try {
    const head = new Uint8Array(HEAD_BYTES);
    return { size: file.size(), head: head.subarray(0, file.read(head, 0)) };
  } finally {
    file.close();
  }
}

function textOf(
  bytes: AsyncIterable<Uint8Array>,
  name: string,
  format: Exclude<LoadFormat, 'arrow' | 'parquet'>,
  { header, nulls, mapping, delimiter, timestamps: times }: LoadSettings,
) {
  const rules: TextRules = {
    kind: format === 'ndjson' ? 'ndjson' : 'csv',
    delimiter: delimiter ?? (format === 'tsv' ? TAB : COMMA),
    ...{ header, nulls, mapping, times },
  };
  return { text: decompressed(bytes, name), rules };
}

function fileBatches(storage: Storage, path: string, extent: Extent): AsyncGenerator<unknown> {
  return readUnchanged(storage, path, async function* (file): AsyncGenerator<unknown> {
    const { readBatches } = await import('../arrow/batch-reader.ts');
    extent.total = file.size();
    yield* readBatches(counted(file, extent), path);
    extent.read = extent.total;
  });
}

async function withFile<T>(
  storage: Storage,
  path: string,
  read: (file: StorageFile) => Promise<T>,
): Promise<T> {
  const file = storage.open(path, 'read');
  try {
    return await read(file);
  } finally {
    file.close();
  }
}

function fileSchema(storage: Storage, path: string): Promise<InferredField[]> {
  return withFile(storage, path, async (file) => {
    const { readSchema } = await import('../arrow/batch-reader.ts');
    return inferArrow(await readSchema(file, path));
  });
}

function fileGroups(
  storage: Storage,
  path: string,
  schema: Schema,
  mapping: Mapping,
  extent: Extent,
): AsyncGenerator<ParquetGroup> {
  return readUnchanged(storage, path, async function* (file) {
    for await (const group of parquetGroups(file, path, schema, mapping)) {
      extent.read = group.end;
      yield group;
    }
    extent.read = extent.total;
  });
}

/** Its batches, or its schema: a stream is read once. */
function streamBatches(stream: AsyncIterable<Uint8Array>, name: string) {
  const bytes = decompressed(stream, name);
  const items = async function* () {
    const { readBatches } = await import('../arrow/batch-reader.ts');
    yield* readBatches(bytes, name);
  };
  const schema = async () => {
    const { readSchema } = await import('../arrow/batch-reader.ts');
    return inferArrow(await readSchema(bytes, name));
  };
  return { items: items(), schema };
}

/** A file that tells how much of it was read. */
function counted(file: StorageFile, extent: Extent): Pick<StorageFile, 'size' | 'read'> {
  return {
    size: () => file.size(),
    read: (target, position) => {
      const count = file.read(target, position);
      extent.read = Math.min(extent.total, extent.read + count);
      return count;
    },
  };
}

export function isBatch(item: unknown): item is RecordBatch {
  return (
    typeof item === 'object' &&
    item !== null &&
    'numRows' in item &&
    'getChildAt' in item &&
    'schema' in item &&
    !('batches' in item)
  );
}
