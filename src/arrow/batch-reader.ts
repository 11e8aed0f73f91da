/**
 * Record batches out of Arrow files and streams of anybody, by way of apache-arrow: a file's one at a time,
 * wherever in it they lie. It is loaded only when somebody reads one.
 */
import { type Schema as ArrowSchema, type RecordBatch, RecordBatchReader } from 'apache-arrow';
import { OmenError } from '../errors.ts';
import type { StorageFile } from '../storage/storage.ts';

/** What apache-arrow takes for a file handle of Node. */
function asHandle(file: Pick<StorageFile, 'size' | 'read'>) {
  return {
    fd: -1,
    stat: async () => ({ size: file.size() }),
    read: async (target: Uint8Array, offset: number, length: number, position: number) => {
      // What a damaged file leads to may be nowhere.
      if (!(position >= 0)) throw new RangeError('it points outside of itself');
      const bytesRead = file.read(target.subarray(offset, offset + length), position);
      return { bytesRead, buffer: target };
    },
    close: async () => {},
  };
}

/** A file that can be read anywhere, or bytes one after the other. */
export type ArrowSource = Pick<StorageFile, 'size' | 'read'> | AsyncIterable<Uint8Array>;

async function readerOf(source: ArrowSource): Promise<RecordBatchReader> {
  // Declared as a handle of node:fs/promises, of which three functions are called.
  const from = Symbol.asyncIterator in source ? source : asHandle(source);
  return RecordBatchReader.from(from as never) as unknown as Promise<RecordBatchReader>;
}

/** @throws OMEN_INVALID_SOURCE, or an error of ours as it is */
function refuse(error: unknown, name: string): never {
  if (error instanceof OmenError) throw error;
  const text = error instanceof Error ? error.message : String(error);
  const message = `${name} cannot be read as Arrow: ${text}`;
  throw new OmenError('OMEN_INVALID_SOURCE', message, { cause: error });
}

/**
 * The batches of an Arrow IPC file, or of a stream, be it kept in a file. Of bytes one after the other that
 * are a file, all are read first.
 * @param name for messages
 * @throws OMEN_INVALID_SOURCE, what the storage or the stream throws
 */
export async function* readBatches(
  source: ArrowSource,
  name: string,
): AsyncGenerator<RecordBatch, undefined, undefined> {
  try {
    const reader = await readerOf(source);
    for await (const batch of reader as AsyncIterable<RecordBatch>) yield batch;
  } catch (error) {
    refuse(error, name);
  }
}

/** The schema of its batches. @throws as `readBatches` */
export async function readSchema(source: ArrowSource, name: string): Promise<ArrowSchema> {
  try {
    const reader = await (await readerOf(source)).open();
    return reader.schema;
  } catch (error) {
    return refuse(error, name);
  }
}
