/** Files of a source, each as it was when it was opened: one that changes while it is read is refused. */
import { OmenError } from '../errors.ts';
import type { Storage, StorageFile } from '../storage/storage.ts';

/**
 * What `read` makes of a file, which is closed in the end.
 * @throws OMEN_INVALID_SOURCE where the file was changed meanwhile, whatever came of that; what `read` and the
 *   storage throw
 */
export async function* readUnchanged<T>(
  storage: Storage,
  path: string,
  read: (file: StorageFile) => AsyncIterable<T>,
): AsyncGenerator<T, undefined, undefined> {
  const file = storage.open(path, 'read');
  try {
    const size = file.size();
    const modifiedMs = file.modifiedMs();
    const refuseChanged = (cause?: unknown): void => {
      const now = file.size();
      if (now === size && file.modifiedMs() === modifiedMs) return;
      const what = now === size ? 'was written to' : `had ${size} bytes, and has ${now}`;
      const message = `${path} was changed while it was read: it ${what}. Load it again once it is complete.`;
      throw new OmenError('OMEN_INVALID_SOURCE', message, { cause });
    };
    try {
      yield* read(file);
    } catch (error) {
      refuseChanged(error);
      throw error;
    }
    refuseChanged();
  } finally {
    file.close();
  }
}
