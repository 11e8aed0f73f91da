/**
 * The file system itself, through node:fs. Holds no state but the descriptors of its open files.
 */

import * as fs from 'node:fs';
import { noShortage, systemError } from '../errors.ts';
import type { OpenMode, Storage, StorageFile } from './storage.ts';

/** Node refuses transfers beyond 2 GiB, and large ones hold up other writers of the volume. */
const TRANSFER_BYTES_MAX = 64 * 2 ** 20;

const FLAGS: Readonly<Record<OpenMode, string>> = {
  'create-new': 'wx+',
  read: 'r',
  'read-write': 'r+',
};

/**
 * Runs one system call; what it throws leaves as an OmenError that says what was done to which
 * path.
 */
function call<T>(doing: string, path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw systemError(error, `${doing} ${path}`);
  }
}

/** As `call`, for a sync: what it was to make durable may be lost, whatever the reason. */
function sync(path: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    throw noShortage(systemError(error, `syncing ${path}`));
  }
}

class RealFile implements StorageFile {
  readonly #path: string;
  readonly #descriptor: number;
  #open = true;

  constructor(path: string, mode: OpenMode) {
    this.#path = path;
    this.#descriptor = call('opening', path, () => fs.openSync(path, FLAGS[mode]));
  }

  size(): number {
    return call('reading the size of', this.#path, () => fs.fstatSync(this.#descriptor).size);
  }

  modifiedMs(): number {
    return call('reading the times of', this.#path, () => fs.fstatSync(this.#descriptor).mtimeMs);
  }

  // read and write are on the path of every commit: no closure is made for them.
  read(target: Uint8Array, position: number): number {
    let done = 0;
    try {
      while (done < target.byteLength) {
        const length = Math.min(target.byteLength - done, TRANSFER_BYTES_MAX);
        const count = fs.readSync(this.#descriptor, target, done, length, position + done);
        if (count === 0) break;
        done += count;
      }
    } catch (error) {
      throw systemError(error, `reading ${this.#path}`);
    }
    return done;
  }

  write(source: Uint8Array, position: number): void {
    let done = 0;
    try {
      // A full disk shows as a short count first; only the next call says ENOSPC.
      while (done < source.byteLength) {
        const length = Math.min(source.byteLength - done, TRANSFER_BYTES_MAX);
        const count = fs.writeSync(this.#descriptor, source, done, length, position + done);
        if (count === 0) throw new Error('the system wrote nothing, and did not say why');
        done += count;
      }
    } catch (error) {
      throw systemError(error, `writing ${this.#path}`);
    }
  }

  sync(): void {
    sync(this.#path, () => fs.fsyncSync(this.#descriptor));
  }

  datasync(): void {
    try {
      fs.fdatasyncSync(this.#descriptor);
    } catch (error) {
      throw noShortage(systemError(error, `syncing ${this.#path}`));
    }
  }

  truncate(bytes: number): void {
    call('truncating', this.#path, () => fs.ftruncateSync(this.#descriptor, bytes));
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    call('closing', this.#path, () => fs.closeSync(this.#descriptor));
  }
}

export const realStorage: Storage = {
  open: (path, mode) => new RealFile(path, mode),

  // Not existsSync: that answers false where the system could not look.
  exists: (path) =>
    call('looking for', path, () => fs.statSync(path, { throwIfNoEntry: false }) !== undefined),

  list: (directory) => call('listing', directory, () => fs.readdirSync(directory).sort()),

  makeDirectory: (path) =>
    call('making directory', path, () => {
      try {
        fs.mkdirSync(path);
      } catch (error) {
        if (!fs.statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
      }
    }),

  rename: (from, to) => call('renaming', `${from} to ${to}`, () => fs.renameSync(from, to)),

  remove: (path) => call('removing', path, () => fs.unlinkSync(path)),

  syncDirectory: (path) =>
    call('syncing directory', path, () => {
      const descriptor = fs.openSync(path, 'r');
      try {
        sync(path, () => fs.fsyncSync(descriptor));
      } finally {
        fs.closeSync(descriptor);
      }
    }),

  freeBytes: (path) =>
    call('asking the free space of', path, () => {
      const { bavail, bsize } = fs.statfsSync(path);
      return bavail * bsize;
    }),
};
