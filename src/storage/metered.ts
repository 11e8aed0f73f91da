/**
 * A storage that counts what goes through it to another one: bytes written, and how long syncs of file
 * contents take. It changes nothing else. For the log: jobs know what they have written themselves.
 */
import type { OpenMode, Storage, StorageFile } from './storage.ts';

/** Told after each operation that succeeded. */
export interface StorageMeter {
  wrote(bytes: number): void;
  synced(ms: number): void;
}

class MeteredFile implements StorageFile {
  readonly #file: StorageFile;
  readonly #meter: StorageMeter;

  constructor(file: StorageFile, meter: StorageMeter) {
    this.#file = file;
    this.#meter = meter;
  }

  size(): number {
    return this.#file.size();
  }

  modifiedMs(): number {
    return this.#file.modifiedMs();
  }

  read(target: Uint8Array, position: number): number {
    return this.#file.read(target, position);
  }

  write(source: Uint8Array, position: number): void {
    this.#file.write(source, position);
    this.#meter.wrote(source.byteLength);
  }

  sync(): void {
    const start = performance.now();
    this.#file.sync();
    this.#meter.synced(performance.now() - start);
  }

  datasync(): void {
    const start = performance.now();
    this.#file.datasync();
    this.#meter.synced(performance.now() - start);
  }

  truncate(bytes: number): void {
    this.#file.truncate(bytes);
  }

  close(): void {
    this.#file.close();
  }
}

export function meteredStorage(storage: Storage, meter: StorageMeter): Storage {
  return {
    open: (path: string, mode: OpenMode) => new MeteredFile(storage.open(path, mode), meter),
    exists: (path) => storage.exists(path),
    list: (directory) => storage.list(directory),
    makeDirectory: (path) => storage.makeDirectory(path),
    rename: (from, to) => storage.rename(from, to),
    remove: (path) => storage.remove(path),
    syncDirectory: (path) => storage.syncDirectory(path),
    freeBytes: (path) => storage.freeBytes(path),
  };
}
