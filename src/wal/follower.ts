/**
 * Follows a log while its owner, in whatever thread, goes on writing it: the frames from an LSN on, as
 * far as they are known to be durable.
 *
 * - Reads only, through descriptors of its own. One thread.
 * - It never reads a frame before it is durable, so what it reads does not change under it. Where no
 *   frame goes on in the file at hand, the log goes on in another: the newest that begins at or before
 *   the record wanted, since a file's records from the next file's first LSN on are void.
 * - A file that was given up and overwritten meanwhile has another salt: none of its frames verifies,
 *   nor is it found again. Then the records are gone.
 * - Memory is bounded by the largest frame.
 */

import { join } from 'node:path';
import { CORRUPT_ADVICE, OmenError } from '../errors.ts';
import type { Storage, StorageFile } from '../storage/storage.ts';
import { sequenceOf } from './files.ts';
import {
  claimedLength,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  type Views,
  verifyFrame,
  viewsOf,
  wholeBlocks,
} from './frame.ts';
import { BLOCK_BYTES, type WalHeader, type WalIdentity } from './header.ts';
import { type Frame, readHeader } from './reader.ts';

const READ_BYTES = 16 * BLOCK_BYTES;
/** A larger buffer is given back after the frame that it was for. */
const KEPT_BYTES = 2 * 2 ** 20;
/** So often files may vanish between being listed and being read. */
const LISTINGS_MAX = 16;

interface OpenFile {
  readonly path: string;
  readonly header: WalHeader;
  readonly file: StorageFile;
}

export class LogFollower {
  readonly #storage: Storage;
  readonly #directory: string;
  readonly #identity: WalIdentity;
  #nextLsn: number;
  #open: OpenFile | null = null;
  /** Of the next frame, in the file. */
  #offset = 0;
  #views: Views = viewsOf(new ArrayBuffer(READ_BYTES));
  /** The stretch of the file that is in memory. */
  #start = 0;
  #end = 0;
  /** What is said to be durable now, and was when that stretch was read. */
  #durableLsn = 0;
  #loadedLsn = 0;

  /** @param fromLsn the first record wanted */
  constructor(storage: Storage, directory: string, identity: WalIdentity, fromLsn: number) {
    this.#storage = storage;
    this.#directory = directory;
    this.#identity = identity;
    this.#nextLsn = fromLsn;
  }

  /** The first record that was not visited yet. */
  get nextLsn(): number {
    return this.#nextLsn;
  }

  /** Another one that goes on from where this one is. */
  fork(): LogFollower {
    const fork = new LogFollower(this.#storage, this.#directory, this.#identity, this.#nextLsn);
    if (this.#open === null) return fork;
    const { path } = this.#open;
    try {
      fork.#open = { ...this.#open, file: this.#storage.open(path, 'read') };
      fork.#offset = this.#offset;
    } catch (error) {
      // Where the file was given up, the next one says whether the records are.
      if (this.#storage.exists(path)) throw error;
    }
    return fork;
  }

  /**
   * The next frame with a record that is wanted, valid until the next call; it may begin with records
   * before that one. Null where there is none up to `durableLsn`.
   * @throws OMEN_LSN_GONE where the record wanted was given up, OMEN_CORRUPT, what the storage throws
   */
  next(durableLsn: number): Frame | null {
    this.#durableLsn = durableLsn;
    while (this.#nextLsn <= durableLsn) {
      const frame = this.#open === null ? null : this.#examine(this.#open);
      if (frame === null) {
        this.#goOn();
        continue;
      }
      this.#offset += wholeBlocks(FRAME_HEADER_BYTES + frame.end - frame.start);
      const endLsn = frame.firstLsn + frame.records;
      if (endLsn <= this.#nextLsn) continue;
      this.#nextLsn = endLsn;
      return frame;
    }
    return null;
  }

  /**
   * Opens the log where the record wanted is, without reading it.
   * @throws as `next`
   */
  seek(): void {
    if (this.#open === null) this.#goOn();
  }

  close(): void {
    this.#open?.file.close();
    this.#open = null;
  }

  /** The frame at the offset, where it goes on with the record wanted, or comes before it. */
  #examine({ file, header }: OpenFile): Frame | null {
    // What was not durable when it was read may have been taken back since, and be another frame now.
    const isFresh = this.#nextLsn > this.#loadedLsn;
    const offset = this.#offset;
    if (!this.#load(file, FRAME_HEADER_BYTES, isFresh)) return null;
    const length = claimedLength(this.#views, offset - this.#start, header, offset);
    const isPossible =
      length >= FRAME_HEADER_BYTES && length <= FRAME_BYTES_MAX && length % 8 === 0;
    if (!isPossible) return null;
    const passed = this.#frame(offset - this.#start, length);
    // Not verified, as it only leads on to the frame wanted, which is.
    if (passed.firstLsn + passed.records <= this.#nextLsn) return passed;
    if (!this.#load(file, length, false)) return null;
    const at = offset - this.#start;
    if (verifyFrame(this.#views, at, length, header) !== null) return null;
    const frame = this.#frame(at, length);
    return frame.firstLsn > this.#nextLsn ? null : frame;
  }

  #frame(at: number, length: number): Frame {
    const views = this.#views;
    const firstLsn = views.f64[(at >> 3) + 2];
    const records = views.u32[(at >> 2) + 8];
    return { views, start: at + FRAME_HEADER_BYTES, end: at + length, firstLsn, records };
  }

  /** Makes `bytes` from the offset on available; false where the file ends before. */
  #load(file: StorageFile, bytes: number, isFresh: boolean): boolean {
    const offset = this.#offset;
    if (!isFresh && offset >= this.#start && offset + bytes <= this.#end) return true;
    const room = this.#views.u8.byteLength;
    if (bytes > room || room > KEPT_BYTES) {
      this.#views = viewsOf(new ArrayBuffer(Math.max(wholeBlocks(bytes), READ_BYTES)));
    }
    this.#start = offset;
    this.#loadedLsn = this.#durableLsn;
    this.#end = offset + file.read(this.#views.u8, offset);
    return offset + bytes <= this.#end;
  }

  /** Goes on in the file that the record wanted is in. */
  #goOn(): void {
    const before = this.#open;
    const found = this.#find();
    if (found === null) throw this.#gone();
    if (before !== null && found.header.sequence <= before.header.sequence) {
      found.file.close();
      throw found.header.sequence < before.header.sequence ? this.#gone() : this.#broken(before);
    }
    before?.file.close();
    this.#open = found;
    this.#offset = BLOCK_BYTES;
    this.#start = 0;
    this.#end = 0;
  }

  /** The newest file that begins at or before the record wanted. */
  #find(): OpenFile | null {
    for (let listing = 1; ; listing++) {
      try {
        return this.#findListed();
      } catch (error) {
        if (!(error instanceof Vanished) || listing === LISTINGS_MAX) throw error;
      }
    }
  }

  #findListed(): OpenFile | null {
    const names = this.#storage.list(this.#directory).filter((name) => sequenceOf(name) !== null);
    // Files follow each other in their LSNs as in their names.
    let found: { readonly path: string; readonly header: WalHeader } | null = null;
    let low = 0;
    for (let high = names.length; low < high; ) {
      const middle = (low + high) >>> 1;
      const path = join(this.#directory, names[middle]);
      const header = this.#unlessGone(path, () =>
        readHeader(this.#storage, path, this.#identity, sequenceOf(names[middle]) ?? 0),
      );
      if (header.firstLsn > this.#nextLsn) {
        high = middle;
      } else {
        found = { path, header };
        low = middle + 1;
      }
    }
    if (found === null) return null;
    const { path, header } = found;
    return { path, header, file: this.#unlessGone(path, () => this.#storage.open(path, 'read')) };
  }

  /** @throws Vanished where the file was given up, and perhaps overwritten, since it was listed */
  #unlessGone<T>(path: string, run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (this.#storage.exists(path)) throw error;
      throw new Vanished(error);
    }
  }

  #gone(): OmenError {
    return new OmenError(
      'OMEN_LSN_GONE',
      `${this.#directory}: the log no longer has the record with LSN ${this.#nextLsn}. Begin anew with ` +
        'a snapshot, and open with a larger "retain" to resume after longer pauses.',
    );
  }

  /** No frame goes on in a file that should have it. */
  #broken({ path, header }: OpenFile): OmenError {
    const at = this.#offset - this.#start;
    const isLoaded = this.#end >= this.#offset + FRAME_HEADER_BYTES;
    // Nothing was ever written there: a power cut undid the removal of files, but not of the next one.
    if (!isLoaded || claimedLength(this.#views, at, header, this.#offset) === 0)
      return this.#gone();
    return new OmenError(
      'OMEN_CORRUPT',
      `${path} is damaged at offset ${this.#offset}, where the record with LSN ${this.#nextLsn} should ` +
        `be. ${CORRUPT_ADVICE}`,
    );
  }
}

/** A file was given up while it was looked at. */
class Vanished extends Error {
  constructor(cause: unknown) {
    super('A file of the log was given up while it was opened.', { cause });
  }
}
