/**
 * The reserve: files of nothing in particular, kept so that they can be removed when the disk is full. What
 * they took is then there for deletes, for the flush of what they delete and for the manifest, so that a
 * full disk can be emptied from within.
 *
 * - One owner thread. The files are written, not only extended: a hole takes no space. What is in them
 *   does not compress. They are not synced: what is in the page cache has its space set aside, and what
 *   a power cut took is made anew.
 * - They are four, as a flush makes four files at least, which take inodes where they take little else: a
 *   log, a segment, its index, a manifest. Each is as long as what the log prewrites at once, for the
 *   new log and for a piece of it, full of deletes; the others are for the segment.
 */
import { randomFillSync } from 'node:crypto';
import { join } from 'node:path';
import { isShortage } from '../errors.ts';
import { removeLeftover, type Storage } from '../storage/storage.ts';

const FILES = 4;

export class Reserve {
  readonly bytes: number;
  /** Whether all of it is there. */
  isHeld = false;
  readonly #storage: Storage;
  readonly #directory: string;
  readonly #paths: readonly string[];
  readonly #fileBytes: number;

  /** @param pieceBytes what the log prewrites at once */
  constructor(storage: Storage, directory: string, pieceBytes: number) {
    this.bytes = FILES * pieceBytes;
    this.#storage = storage;
    this.#directory = directory;
    this.#paths = Array.from({ length: FILES }, (_, i) => join(directory, `reserve-${i}`));
    this.#fileBytes = pieceBytes;
  }

  /** Looks whether an earlier process left one that is whole. */
  find(): void {
    this.isHeld = this.#paths.every((path) => this.#isWhole(path));
  }

  #isWhole(path: string): boolean {
    if (!this.#storage.exists(path)) return false;
    const file = this.#storage.open(path, 'read');
    try {
      return file.size() >= this.#fileBytes;
    } finally {
      file.close();
    }
  }

  /**
   * Makes it, unless it is there. False where there is no room, or where there would be none beside it.
   * @throws what else the storage throws
   */
  make(): boolean {
    if (this.isHeld) return true;
    if (this.#storage.freeBytes(this.#directory) < 2 * this.bytes) return false;
    try {
      const content = randomFillSync(new Uint8Array(this.#fileBytes));
      for (const path of this.#paths) this.#write(path, content);
    } catch (error) {
      for (const path of this.#paths) removeLeftover(this.#storage, path);
      if (isShortage(error)) return false;
      throw error;
    }
    this.isHeld = true;
    return true;
  }

  #write(path: string, content: Uint8Array): void {
    removeLeftover(this.#storage, path);
    const file = this.#storage.open(path, 'create-new');
    try {
      file.write(content, 0);
    } finally {
      file.close();
    }
  }

  /** Removes it. False where there was none. */
  release(): boolean {
    if (!this.isHeld) return false;
    this.isHeld = false;
    for (const path of this.#paths) this.#storage.remove(path);
    return true;
  }
}
