/**
 * The one seam to the file system. Every file operation of the engine goes through a `Storage`, so
 * that a test can put one in its place that crashes, tears, fills up or fails (crash.ts).
 *
 * - All calls are synchronous: they are made in the thread that owns the files, which has nothing
 *   else to do until they return, and four slow syncs would block the whole pool of libuv.
 * - A `StorageFile` belongs to the thread that opened it. Descriptors are never shared: a worker's
 *   exit closes its own, and their numbers are reused for other files.
 * - Nothing is durable before its sync: bytes before `sync` or `datasync` of the file, names
 *   (created, renamed, removed) before `syncDirectory` of the directory. After a failed sync what
 *   was written is in an unknown state, and a second sync that succeeds proves nothing: do not
 *   retry.
 * - What the system reports comes as an `OmenError` of systemError(), naming the file; the system's
 *   own error, with `code`, is its `cause`.
 * - OMEN_DISK_FULL and OMEN_TOO_MANY_FILES say that nothing was changed, but for bytes of a write. A
 *   sync that finds no room is therefore OMEN_IO, as any other that fails.
 */

import { dirname } from 'node:path';
import { isShortage, noShortage, OmenError } from '../errors.ts';

/**
 * `create-new` and `read-write` can write; `create-new` fails where the name exists, the others
 * where it does not.
 */
export type OpenMode = 'create-new' | 'read' | 'read-write';

/** An open file. Positions and counts are in bytes; arrays may be backed by a SharedArrayBuffer. */
export interface StorageFile {
  /** Length of the file. */
  size(): number;
  /** When its bytes were last changed, by the clock of the file system; of a model, how often they were. */
  modifiedMs(): number;
  /**
   * Fills `target` from `position`; returns the bytes read, fewer than asked only at the end of the
   * file.
   */
  read(target: Uint8Array, position: number): number;
  /** Writes all of `source` at `position`, or throws; then a part of it may have been written. */
  write(source: Uint8Array, position: number): void;
  /** Makes bytes and length of the file durable (not its name: that is the directory's). */
  sync(): void;
  /** As `sync`, without what is not needed to read the bytes back (times). */
  datasync(): void;
  /** Cuts the file, or extends it with zeros, to `bytes`. Durable with the next sync. */
  truncate(bytes: number): void;
  /** Gives the descriptor back. Does not sync. A second call does nothing. */
  close(): void;
}

export interface Storage {
  open(path: string, mode: OpenMode): StorageFile;
  /** Whether there is a file or directory of this name. */
  exists(path: string): boolean;
  /** Names (not paths) of a directory's entries, sorted. */
  list(directory: string): string[];
  /** Makes a directory whose parent exists; does nothing where it is one already. */
  makeDirectory(path: string): void;
  /** Renames a file, replacing what stood at `to`: a reader sees either the one or the other. */
  rename(from: string, to: string): void;
  /** Removes a file that exists. */
  remove(path: string): void;
  /** Makes names created, renamed and removed in the directory so far durable. */
  syncDirectory(path: string): void;
  /** Bytes an unprivileged process can still allocate on the volume that holds `path`. */
  freeBytes(path: string): number;
}

/**
 * What publishFile() appends to a name while it writes; recovery may remove files that end in it.
 */
export const TEMPORARY_SUFFIX = '.tmp';

/**
 * The one way to replace a small file: written aside, synced, renamed, the directory synced. After
 * a crash at any moment the file holds what it held before or `bytes`, whole; once this returns,
 * `bytes`. When it throws a shortage, what it held before; else either may be the case, and a file
 * named path + TEMPORARY_SUFFIX may be left behind.
 */
export function publishFile(storage: Storage, path: string, bytes: Uint8Array): void {
  const temporary = path + TEMPORARY_SUFFIX;
  try {
    if (storage.exists(temporary)) storage.remove(temporary);
    writeWhole(storage, temporary, bytes);
    storage.rename(temporary, path);
  } catch (error) {
    if (isShortage(error)) removeLeftover(storage, temporary);
    throw error;
  }
  try {
    storage.syncDirectory(dirname(path));
  } catch (error) {
    throw noShortage(error);
  }
}

function writeWhole(storage: Storage, path: string, bytes: Uint8Array): void {
  const file = storage.open(path, 'create-new');
  try {
    file.write(bytes, 0);
    file.sync();
  } finally {
    file.close();
  }
}

/** Removes what a failed operation left, if that can be done: the next open of the shard would, too. */
export function removeLeftover(storage: Storage, path: string): void {
  try {
    if (storage.exists(path)) storage.remove(path);
  } catch (error) {
    if (!(error instanceof OmenError)) throw error;
  }
}
