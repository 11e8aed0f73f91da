/** The bad rows of a load, told in a file of their own: a line of JSON each. */
import { OmenError } from '../errors.ts';
import type { Storage, StorageFile } from '../storage/storage.ts';

export interface RejectLine {
  readonly source: string;
  /** From 1 on: the line where the row begins in a text, or which row it is. */
  readonly line?: number;
  readonly offset?: number;
  readonly row?: number;
  readonly code: string;
  readonly reason: string;
  /** Of a text, the row as it stands there; of a long one, how it begins. */
  readonly raw?: string;
}

export class RejectFile {
  readonly #file: StorageFile;
  #end = 0;

  /** @throws OMEN_INVALID_OPTIONS where there is a file of that name */
  constructor(storage: Storage, path: string) {
    if (storage.exists(path)) {
      throw new OmenError(
        'OMEN_INVALID_OPTIONS',
        `"rejects" is to be made: ${path} is there already.`,
      );
    }
    this.#file = storage.open(path, 'create-new');
  }

  add(line: RejectLine): void {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    this.#file.write(bytes, this.#end);
    this.#end += bytes.length;
  }

  close(): void {
    this.#file.close();
  }
}
