/**
 * Writes one WAL file.
 *
 * - One owner thread. Frames are written in the order of their LSNs, each beginning on a block.
 * - A file is written aside first: header, first prewritten piece, and whatever the caller copies
 *   into it. publish() syncs it, gives it its name and syncs the directory, so that a file with a
 *   log's name is whole. Nothing may be acknowledged before publish() has returned.
 * - Bytes between `#position` and `#preparedBytes` exist in the file already (zeros, or the former
 *   life of a recycled file), so that a sync after overwriting them has no metadata to write.
 * - durableLsn ≤ lastLsn. It moves only after a sync succeeded.
 * - A frame that finds no room on the disk is taken back (takeBack): nothing was synced since it was
 *   begun, so what the file holds is known. The file is cut to what was prewritten before, the frame's
 *   blocks are zeros again, and that is synced before anybody is told. Then the writer goes on.
 * - After any other failed write or sync the writer has failed for good: it refuses everything, and
 *   never syncs again, as what the kernel dropped cannot be asked for again. The group under way is
 *   not acknowledged, and may or may not be found by recovery, whole: the outcome is unknown. So are
 *   those of earlier groups committed without a sync.
 */

import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { isShortage, OmenError } from '../errors.ts';
import type { OpenMode, Storage, StorageFile } from '../storage/storage.ts';
import { sealFrame, wholeBlocks } from './frame.ts';
import { RecordGroup } from './group.ts';
import { BLOCK_BYTES, encodeHeader, type WalHeader, type WalIdentity } from './header.ts';

/**
 * Measured (bench/wal.ts): from 256 KiB on, larger pieces cost commits no less in sum, but the one
 * that has to wait for a piece waits in proportion; and each file waits for its first.
 */
export const PIECE_BYTES = 1 * 2 ** 20;
const ZEROS = new Uint8Array(PIECE_BYTES);

export interface NewWalFile {
  readonly identity: WalIdentity;
  readonly sequence: number;
  readonly firstLsn: number;
  /**
   * A file to be overwritten instead of making one. Its removal under its old name must be durable.
   */
  readonly recycle?: string | undefined;
  /** Bytes prewritten at once; whole blocks. */
  readonly pieceBytes?: number | undefined;
}

export class WalWriter {
  readonly #storage: Storage;
  readonly #path: string;
  readonly #header: WalHeader;
  readonly #pieceBytes: number;
  readonly #mark = new RecordGroup(BLOCK_BYTES);
  #file: StorageFile;
  #position = BLOCK_BYTES;
  #preparedBytes: number;
  #lastLsn: number;
  #durableLsn: number;
  /** The highest durable LSN that a frame of this file carries. */
  #markedLsn: number;
  /** Where a frame was to end that found no room, until it is taken back; else 0. */
  #tornEnd = 0;
  #failure: unknown;

  /**
   * Makes a file aside, as path + `.tmp`, replacing what stood there. `path` is what publish() will
   * name it. Throws what the storage throws; after a shortage nothing is left of the file, nor of the
   * one to be recycled.
   */
  constructor(storage: Storage, path: string, file: NewWalFile) {
    const { identity, sequence, firstLsn, recycle } = file;
    const pieceBytes = file.pieceBytes ?? PIECE_BYTES;
    assert(Number.isSafeInteger(firstLsn) && firstLsn >= 1, 'the first LSN is at least 1');
    assert(identity.databaseId.byteLength === 16, 'a database id has 16 bytes');
    assert(pieceBytes % BLOCK_BYTES === 0, 'a piece is a multiple of the block');
    this.#storage = storage;
    this.#path = path;
    this.#pieceBytes = pieceBytes;
    const aside = asidePath(path);
    if (recycle !== undefined) storage.rename(recycle, aside);
    else if (storage.exists(aside)) storage.remove(aside);
    this.#file = openAside(storage, aside, recycle === undefined ? 'create-new' : 'read-write');
    try {
      const oldBytes = this.#file.size() & -BLOCK_BYTES;
      this.#preparedBytes = Math.max(oldBytes, BLOCK_BYTES + pieceBytes);
      const { block, header } = encodeHeader(identity, {
        sequence,
        firstLsn,
        createdBytes: this.#preparedBytes,
        recycled: recycle !== undefined,
      });
      this.#header = header;
      this.#file.write(block, 0);
      this.#prewrite(Math.max(oldBytes, BLOCK_BYTES), this.#preparedBytes);
    } catch (error) {
      this.#file.close();
      if (isShortage(error)) removeAside(storage, aside);
      throw error;
    }
    this.#lastLsn = firstLsn - 1;
    this.#durableLsn = firstLsn - 1;
    this.#markedLsn = firstLsn - 1;
  }

  get header(): WalHeader {
    return this.#header;
  }

  /** LSN of the last record written; one less than the first LSN when there is none. */
  get lastLsn(): number {
    return this.#lastLsn;
  }

  /** Every record up to here survives a power cut. */
  get durableLsn(): number {
    return this.#durableLsn;
  }

  /** Bytes used: the header and the frames, not what is prewritten beyond them. */
  get fileBytes(): number {
    return this.#position;
  }

  /** Makes what was written so far durable, then the name of the file. */
  publish(): void {
    this.#attempt(() => {
      this.#file.sync();
      this.#file.close();
      this.#storage.rename(asidePath(this.#path), this.#path);
      this.#storage.syncDirectory(dirname(this.#path));
      this.#file = this.#storage.open(this.#path, 'read-write');
    });
    this.#durableLsn = this.#lastLsn;
  }

  /**
   * Writes the group as one frame, with `sync` makes it and everything before it durable, and
   * returns the LSN of its last record. Clears the group. An empty group writes nothing. After a
   * shortage, takeBack() has to follow, and then the group is not there, nor will be after a crash.
   */
  append(group: RecordGroup, sync: boolean): number {
    this.#refuseWhenFailed();
    if (group.records > 0) this.#write(group, sync);
    else if (sync) this.sync();
    return this.#lastLsn;
  }

  /** Makes everything written durable. */
  sync(): void {
    this.#refuseWhenFailed();
    if (this.#durableLsn === this.#lastLsn) return;
    try {
      this.#file.datasync();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
    this.#durableLsn = this.#lastLsn;
  }

  /**
   * Writes down, without a sync, what is durable by now; the next frame would do the same. Until
   * one of them did, damage to the last acknowledged frame looks like the torn tail of a crash.
   */
  mark(): void {
    this.#refuseWhenFailed();
    if (this.#markedLsn < this.#durableLsn) this.#write(this.#mark, false);
  }

  /**
   * Makes the file durably what it was before a frame that found no room, or fails for good: zeros may
   * need room, too, on a disk that never overwrites.
   */
  takeBack(): void {
    if (this.#tornEnd === 0) return;
    try {
      this.#prewrite(this.#position, Math.min(this.#tornEnd, this.#preparedBytes));
      this.#file.truncate(this.#preparedBytes);
      this.#file.sync();
    } catch (error) {
      this.#failure = error;
      return;
    }
    this.#tornEnd = 0;
    this.#durableLsn = this.#lastLsn;
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Makes the writer refuse everything from now on, because of an error elsewhere. */
  giveUp(reason: unknown): void {
    this.#failure ??= reason;
  }

  /** Gives the file back, without a sync. */
  close(): void {
    this.giveUp(new OmenError('OMEN_CLOSED', `${this.#path} was closed`));
    this.#file.close();
  }

  #write(group: RecordGroup, sync: boolean): void {
    const { views, bytes, records } = group;
    const paddedBytes = wholeBlocks(bytes);
    views.u8.fill(0, bytes, paddedBytes);
    sealFrame(views, this.#header, {
      length: bytes,
      position: this.#position,
      firstLsn: this.#lastLsn + 1,
      durableLsn: this.#durableLsn,
      records,
    });
    const end = this.#position + paddedBytes;
    try {
      this.#file.write(views.u8.subarray(0, paddedBytes), this.#position);
      if (end > this.#preparedBytes) this.#extend(end);
    } catch (error) {
      if (isShortage(error)) this.#tornEnd = end;
      else this.#failure = error;
      throw error;
    }
    try {
      if (sync) this.#file.datasync();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
    this.#position = end;
    this.#lastLsn += records;
    this.#markedLsn = this.#durableLsn;
    if (sync) this.#durableLsn = this.#lastLsn;
    group.clear();
  }

  /**
   * Prewrites the next piece behind the frame that ends at `end`. The sync of that frame covers it.
   */
  #extend(end: number): void {
    const bytes = Math.max(end, this.#preparedBytes + this.#pieceBytes);
    this.#prewrite(end, bytes);
    this.#preparedBytes = bytes;
  }

  #prewrite(from: number, to: number): void {
    for (let at = from; at < to; at += ZEROS.byteLength) {
      this.#file.write(ZEROS.subarray(0, Math.min(ZEROS.byteLength, to - at)), at);
    }
  }

  #attempt(run: () => void): void {
    this.#refuseWhenFailed();
    try {
      run();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  #refuseWhenFailed(): void {
    assert(this.#tornEnd === 0 || this.failed, 'what found no room is taken back first');
    if (this.#failure === undefined) return;
    throw new OmenError('OMEN_SHARD_FAILED', `${this.#path} was given up after an error`, {
      cause: this.#failure,
    });
  }
}

/** As the storage opens it; where there is no descriptor left, nothing is left of the file. */
function openAside(storage: Storage, aside: string, mode: OpenMode): StorageFile {
  try {
    return storage.open(aside, mode);
  } catch (error) {
    if (isShortage(error)) removeAside(storage, aside);
    throw error;
  }
}

/** If that can be done: a file of this name is also removed by the next open. */
function removeAside(storage: Storage, aside: string): void {
  try {
    if (storage.exists(aside)) storage.remove(aside);
  } catch (error) {
    if (!(error instanceof OmenError)) throw error;
  }
}

function asidePath(path: string): string {
  return `${path}.tmp`;
}
