/**
 * Record batches out of Arrow files and streams of anybody, by way of apache-arrow: a file's one at a time,
 * wherever in it they lie. It is loaded only when somebody reads one.
 */
import { type RecordBatch, RecordBatchReader } from 'apache-arrow';
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

/**
 * The batches of an Arrow IPC file, or of a stream that was kept in one.
 * @param name for messages
 * @throws OMEN_INVALID_SOURCE, what the storage throws
 */
export async function* readBatches(
  file: Pick<StorageFile, 'size' | 'read'>,
  name: string,
): AsyncGenerator<RecordBatch, undefined, undefined> {
  try {
    // Declared as a handle of node:fs/promises, of which three functions are called.
    const handle = asHandle(file) as unknown as Parameters<typeof RecordBatchReader.from>[0];
    const reader = await RecordBatchReader.from(handle as never);
    for await (const batch of reader as AsyncIterable<RecordBatch>) yield batch;
  } catch (error) {
    if (error instanceof OmenError) throw error;
    const text = error instanceof Error ? error.message : String(error);
    throw new OmenError('OMEN_INVALID_SOURCE', `${name} cannot be read as Arrow: ${text}`, {
      cause: error,
    });
  }
}
