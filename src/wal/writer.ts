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
 * - After a failed write or sync the writer has failed for good: it refuses everything, and never
 *   syncs again, as what the kernel dropped cannot be asked for again. The group under way is not
 *   acknowledged, and may or may not be found by recovery, whole: the outcome is unknown. So are
 *   those of earlier groups committed without a sync. Where OMEN_DISK_FULL was thrown by write (and
 *   so before the sync), the group is not durable, but only recovery may say that it is absent.
 */

import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import { OmenError } from '../errors.ts';
import type { Storage, StorageFile } from '../storage/storage.ts';
import { sealFrame, wholeBlocks } from './frame.ts';
import { RecordGroup } from './group.ts';
import { BLOCK_BYTES, encodeHeader, type WalHeader, type WalIdentity } from './header.ts';

/**
 * Measured (bench/wal.ts): from 256 KiB on, larger pieces cost commits no less in sum, but the one
 * that has to wait for a piece waits in proportion; and each file waits for its first.
 */
const PIECE_BYTES = 1 * 2 ** 20;
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
  #failure: unknown;

  /**
   * Makes a file aside, as path + `.tmp`, replacing what stood there. `path` is what publish() will
   * name it. Throws what the storage throws.
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
    this.#file = storage.open(aside, recycle === undefined ? 'create-new' : 'read-write');
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
   * returns the LSN of its last record. Clears the group. An empty group writes nothing.
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
    this.#preparedBytes = Math.max(end, this.#preparedBytes + this.#pieceBytes);
    this.#prewrite(end, this.#preparedBytes);
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
    if (this.#failure === undefined) return;
    throw new OmenError('OMEN_SHARD_FAILED', `${this.#path} was given up after an error`, {
      cause: this.#failure,
    });
  }
}

function asidePath(path: string): string {
  return `${path}.tmp`;
}
