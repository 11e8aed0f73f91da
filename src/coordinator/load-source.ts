/** What a bulk load reads, as what it is: rows and record batches, or text to be parsed. */
import type { RecordBatch } from 'apache-arrow';
import { OmenError } from '../errors.ts';
import { bytesOf, decompressed, fileBytes } from '../load/byte-stream.ts';
import { isPattern, pathsOf } from '../load/glob.ts';
import type { TextRules } from '../load/text-source.ts';
import { show } from '../schema/show.ts';
import type { Storage, StorageFile } from '../storage/storage.ts';
import type { LoadFormat, LoadSettings } from './load-options.ts';

/** Rows and record batches one after the other. */
export type Items = Iterable<unknown> | AsyncIterable<unknown>;

/** How far a source has been read. */
export interface Extent {
  /** Bytes of a file; 0 where they are not known. */
  total: number;
  read: number;
}

export type OpenSource = { readonly name: string; readonly extent: Extent } & (
  | { readonly items: Items }
  | { readonly text: AsyncIterable<Uint8Array>; readonly rules: TextRules }
);

const COMMA = 44;
const TAB = 9;

const SUFFIXES: Readonly<Record<string, LoadFormat>> = {
  ...{ arrow: 'arrow', arrows: 'arrow', feather: 'arrow', ipc: 'arrow' },
  ...{ csv: 'csv', tsv: 'tsv', ndjson: 'ndjson', jsonl: 'ndjson' },
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
  const own = { name: 'the source', extent };
  if (settings.format !== undefined) {
    const isStream =
      typeof source === 'object' && source !== null && Symbol.asyncIterator in source;
    if (!isStream || settings.format === 'arrow') {
      const message = `A source with format "${settings.format}" is the path of a file${
        settings.format === 'arrow' ? '' : ', or an async iterable of bytes or texts'
      }, not ${show(source)}.`;
      throw new OmenError('OMEN_INVALID_SOURCE', message);
    }
    const bytes = bytesOf(source as AsyncIterable<unknown>);
    return { ...own, ...textOf(bytes, own.name, settings.format, settings) };
  }
  if (isBatch(source)) return { ...own, items: [source] };
  if (typeof source === 'object' && source !== null) {
    if ('batches' in source && Array.isArray(source.batches)) {
      return { ...own, items: source.batches };
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
  const format = settings.format ?? formatOfName(path);
  if (format === undefined) {
    const message = `The name ${path} does not tell what it is: say so with the option "format".`;
    throw new OmenError('OMEN_INVALID_SOURCE', message);
  }
  const extent = { total: sizeOf(storage, path), read: 0 };
  const own = { name: path, extent };
  if (format === 'arrow') return { ...own, items: fileBatches(storage, path, extent) };
  return { ...own, ...textOf(fileBytes(storage, path, extent), path, format, settings) };
}

function sizeOf(storage: Storage, path: string): number {
  const file = storage.open(path, 'read');
  try {
    return file.size();
  } finally {
    file.close();
  }
}

function textOf(
  bytes: AsyncIterable<Uint8Array>,
  name: string,
  format: Exclude<LoadFormat, 'arrow'>,
  { header, nulls, mapping, delimiter }: LoadSettings,
) {
  const rules: TextRules = {
    kind: format === 'ndjson' ? 'ndjson' : 'csv',
    delimiter: delimiter ?? (format === 'tsv' ? TAB : COMMA),
    ...{ header, nulls, mapping },
  };
  return { text: decompressed(bytes, name), rules };
}

async function* fileBatches(
  storage: Storage,
  path: string,
  extent: Extent,
): AsyncGenerator<unknown> {
  const { readBatches } = await import('../arrow/batch-reader.ts');
  const file = storage.open(path, 'read');
  try {
    extent.total = file.size();
    yield* readBatches(counted(file, extent), path);
    extent.read = extent.total;
  } finally {
    file.close();
  }
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
