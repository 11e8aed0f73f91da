/**
 * The commit log as a sequence of WAL files, `wal-<sequence>.log`, in the directory of one shard.
 *
 * - One owner thread. Opening and read() change nothing on disk; start() and everything after it
 *   may.
 * - A file gets its name only once all records below its first LSN are durable. Files overlap only
 *   where recovery copied what it could not know to be durable: a file's records from the next
 *   file's first LSN on are void.
 * - No file is continued after a recovery: start() makes a new one. The last frames of the newest
 *   file may be in the page cache only, marked clean by a sync that failed, so that no later sync
 *   would write them. They are copied into the new file before anybody is shown what they say.
 * - A power cut may undo removals, so files below those needed may reappear, with gaps. read() does
 *   not look into them; the next truncateBelow() that covers them removes them again.
 * - An obsolete file is kept for recycling under a name that nobody reads, and is overwritten only
 *   once the loss of its old name is durable. One left by an earlier process is removed.
 */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { CORRUPT_ADVICE, isShortage, noShortage, OmenError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { CommitLog, Dropped, RecordVisitor, RecoveryReport, TornTail } from './commit-log.ts';
import {
  type FoundFiles,
  fileName,
  findFiles,
  isLeftover,
  type LogFile,
  RECYCLED_NAME,
  sizeOf,
} from './files.ts';
import { recordStride } from './frame.ts';
import { RecordGroup } from './group.ts';
import type { WalIdentity } from './header.ts';
import { readWal } from './reader.ts';
import { countToGiveUp, type ObsoleteFile, type Retain } from './retention.ts';
import { WalWriter } from './writer.ts';

export type { CommitLog, Dropped, RecordVisitor, RecoveryReport, TornTail } from './commit-log.ts';
export type { Retain } from './retention.ts';
export { PIECE_BYTES } from './writer.ts';

export interface LocalLogOptions {
  /** Names of files that must be there, as the caller's manifest has them. There may be others. */
  readonly required?: readonly string[] | undefined;
  /** Names of damaged files that are to be put aside, and are not read. */
  readonly setAside?: readonly string[] | undefined;
  /**
   * Where something acknowledged is damaged, go on and list what was dropped, instead of throwing.
   */
  readonly salvage?: boolean | undefined;
  /** Bytes prewritten at once; whole blocks. */
  readonly pieceBytes?: number | undefined;
  /** The first record that is needed; files of earlier ones may be damaged. */
  readonly neededLsn?: number | undefined;
  /** What is kept of the records given up; null: nothing that nobody follows. */
  readonly retain?: Retain | null | undefined;
}

/** A file grown beyond this is removed rather than kept: one is kept per shard. */
const RECYCLED_BYTES_MAX = 256 * 2 ** 20;

/**
 * Opens the log in `directory`, which exists; read() and start() are to follow. Throws OMEN_CORRUPT
 * where a file is missing or its header is damaged, OMEN_NEWER_FORMAT, and what the storage throws.
 */
export function openLocalLog(
  storage: Storage,
  directory: string,
  identity: WalIdentity,
  options: LocalLogOptions = {},
): LocalLog {
  const { required = [], setAside = [], salvage = false, neededLsn = 1 } = options;
  const wanted = { required, setAside, salvage, neededLsn };
  const found = findFiles(storage, directory, identity, wanted);
  return new LocalLog(storage, directory, identity, options, found);
}

/** What the recovery found: where the log ends, and up to where it is certainly on disk. */
interface Recovered {
  readonly lastLsn: number;
  readonly durableLsn: number;
}

export class LocalLog implements CommitLog {
  readonly #storage: Storage;
  readonly #directory: string;
  readonly #identity: WalIdentity;
  readonly #options: LocalLogOptions;
  readonly #group = new RecordGroup();
  readonly #dropped: readonly Dropped[];
  readonly #useless: readonly string[];
  /** Oldest first. Once started, the last is the one being written. */
  readonly #files: LogFile[];
  #sequence: number;
  #writer: WalWriter | undefined;
  #hasRecycled = false;
  /** When each file that is no longer written was closed, by performance.now(), and its length. */
  readonly #closed = new Map<string, { readonly ms: number; bytes: number | null }>();
  #keptBytes = 0;
  #recovered: Recovered | undefined;
  /** Whether what crashes left was removed. */
  #isClean = false;

  constructor(
    storage: Storage,
    directory: string,
    identity: WalIdentity,
    options: LocalLogOptions,
    found: FoundFiles,
  ) {
    this.#storage = storage;
    this.#directory = directory;
    this.#identity = identity;
    this.#options = options;
    this.#files = found.files;
    this.#dropped = found.dropped;
    this.#useless = found.useless;
    this.#sequence = found.sequence;
  }

  get u8(): Uint8Array {
    return this.#group.views.u8;
  }

  get u32(): Uint32Array {
    return this.#group.views.u32;
  }

  get f64(): Float64Array {
    return this.#group.views.f64;
  }

  get groupBytes(): number {
    return this.#group.bytes;
  }

  get groupRecords(): number {
    return this.#group.records;
  }

  get nextLsn(): number {
    return this.lastLsn + this.#group.records + 1;
  }

  get lastLsn(): number {
    return this.#started().lastLsn;
  }

  get durableLsn(): number {
    return this.#started().durableLsn;
  }

  get fileBytes(): number {
    return this.#started().fileBytes;
  }

  /** Names of the log's files, oldest first: what the caller's manifest may require. */
  get files(): string[] {
    return this.#files.map((file) => file.name);
  }

  /** The first record that the files which are there can hold; null without files. */
  get firstLsn(): number | null {
    return this.#files[0]?.header.firstLsn ?? null;
  }

  reserve(bytes: number): number {
    return this.#group.reserve(bytes);
  }

  commit(sync: boolean): number {
    return this.#started().append(this.#group, sync);
  }

  discard(): void {
    this.#group.clear();
    this.#started().takeBack();
  }

  get failed(): boolean {
    return this.#started().failed;
  }

  sync(): void {
    this.#started().sync();
  }

  /**
   * Visits every record from `fromLsn` on; before start() this is the recovery. Throws
   * OMEN_CORRUPT, with file and offset, where acknowledged records are damaged or missing; what
   * `visit` throws passes through.
   */
  read(fromLsn: number, visit: RecordVisitor): RecoveryReport {
    const dropped = [...this.#dropped];
    const files = this.#filesFrom(fromLsn, dropped);
    let records = 0;
    let frames = 0;
    let lastLsn = fromLsn - 1;
    let durableLsn = 0;
    let tail: TornTail | null = null;
    let end: RecoveryReport['end'] = null;
    for (let i = 0; i < files.length; i++) {
      const { name, header } = files[i];
      const options = {
        nextFirstLsn: files[i + 1]?.header.firstLsn ?? null,
        salvage: this.#options.salvage ?? false,
      };
      const path = join(this.#directory, name);
      const report = readWal(this.#storage, path, header, options, (frame) => {
        const endLsn = frame.firstLsn + frame.records;
        let offset = frame.start;
        for (let lsn = frame.firstLsn; lsn < endLsn; lsn++) {
          const bytes = frame.views.u32[offset >> 2];
          if (lsn >= fromLsn) {
            records++;
            visit(frame.views, offset, bytes, lsn);
          }
          offset += recordStride(bytes);
        }
      });
      frames += report.frames;
      lastLsn = Math.max(lastLsn, report.lastLsn);
      durableLsn = report.durableLsn;
      tail = report.tail;
      end = { path, offset: report.bytes };
      dropped.push(...report.dropped);
    }
    if (this.#writer === undefined) {
      // Beyond fromLsn the caller needs nothing of the old files.
      const needed = lastLsn >= fromLsn && !this.#options.salvage;
      this.#recovered = { lastLsn, durableLsn: needed ? durableLsn : lastLsn };
    }
    return { lastLsn, records, frames, files: files.map((file) => file.name), tail, end, dropped };
  }

  /**
   * Makes the log writable, after read(). Once this returns, everything that was read is durable,
   * and what is committed goes to a new file. After salvage nothing is copied there: the caller has
   * stored it elsewhere. Throws what the storage throws; then the log is of no use, but for another try
   * after a shortage (isShortage).
   *
   * @param salvagedLsn after salvage, the last LSN that may ever have been given to a record
   */
  start(salvagedLsn = 0): void {
    assert(this.#recovered && !this.#isClean, 'read() comes first, start() once');
    if (this.#writer === undefined) this.#begin(this.#recovered, salvagedLsn);
    this.#removeLeftovers();
    this.#isClean = true;
  }

  #begin(recovered: Recovered, salvagedLsn: number): void {
    const lastLsn = Math.max(recovered.lastLsn, salvagedLsn);
    const durableLsn = Math.max(recovered.durableLsn, salvagedLsn);
    const writer = this.#newFile(durableLsn + 1, undefined);
    try {
      const newest = this.#files.at(-1);
      if (newest && durableLsn < lastLsn) this.#copy(newest, durableLsn + 1, writer);
      assert(writer.lastLsn === lastLsn, 'what was read can be read again');
      writer.publish();
    } catch (error) {
      // What was to be copied is, at the next try.
      this.#group.clear();
      writer.close();
      throw error;
    }
    this.#writer = writer;
    for (const { name } of this.#files)
      this.#closed.set(name, { ms: performance.now(), bytes: null });
    this.#files.push({ name: fileName(writer.header.sequence), header: writer.header });
  }

  rotate(): void {
    const old = this.#started();
    old.sync();
    if (old.lastLsn < old.header.firstLsn) return;
    const recycle = this.#hasRecycled ? join(this.#directory, RECYCLED_NAME) : undefined;
    this.#hasRecycled = false;
    let next: WalWriter | undefined;
    try {
      next = this.#newFile(old.lastLsn + 1, recycle);
      next.publish();
    } catch (error) {
      if (next === undefined && isShortage(error)) throw error;
      // The new file may have its name by now, and would make void what the old one took from here on.
      old.giveUp(error);
      old.close();
      next?.close();
      throw noShortage(error);
    }
    this.#writer = next;
    this.#closed.set(fileName(old.header.sequence), { ms: performance.now(), bytes: null });
    this.#files.push({ name: fileName(next.header.sequence), header: next.header });
    old.close();
  }

  truncateBelow(lsn: number, followedLsn: number | null = Number.POSITIVE_INFINITY): void {
    this.#started();
    this.#keptBytes = 0;
    let count = 0;
    while (count + 1 < this.#files.length && this.#files[count + 1].header.firstLsn <= lsn) count++;
    if (count === 0) return;
    if (followedLsn !== null) count = this.#countToGiveUp(count, followedLsn);
    if (count === 0) return;
    let recycled = false;
    for (const { name } of this.#files.slice(0, count)) {
      const path = join(this.#directory, name);
      if (this.#hasRecycled || recycled || sizeOf(this.#storage, path) > RECYCLED_BYTES_MAX) {
        this.#storage.remove(path);
      } else {
        this.#storage.rename(path, join(this.#directory, RECYCLED_NAME));
        recycled = true;
      }
      this.#closed.delete(name);
      this.#files.shift();
    }
    if (!recycled) return;
    this.#storage.syncDirectory(this.#directory);
    this.#hasRecycled = true;
  }

  /** How many of the first `count` files are not retained, nor followed. */
  #countToGiveUp(count: number, followedLsn: number): number {
    const { retain = null } = this.#options;
    if (retain === null && this.#files[count].header.firstLsn <= followedLsn) return count;
    const files = this.#files.slice(0, count).map(({ name }, i): ObsoleteFile => {
      const closed = this.#closed.get(name);
      assert(closed !== undefined, 'a file that is no longer written was closed');
      closed.bytes ??= sizeOf(this.#storage, join(this.#directory, name));
      const endLsn = this.#files[i + 1].header.firstLsn;
      return { bytes: closed.bytes, endLsn, closedMs: closed.ms };
    });
    const given = countToGiveUp(files, retain, followedLsn, performance.now());
    for (const { bytes } of files.slice(given)) this.#keptBytes += bytes;
    return given;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  giveBack(): void {
    if (!this.#hasRecycled) return;
    this.#hasRecycled = false;
    this.#storage.remove(join(this.#directory, RECYCLED_NAME));
  }

  close(): void {
    const writer = this.#writer;
    if (writer === undefined) return;
    try {
      if (!writer.failed) {
        writer.sync();
        writer.mark();
      }
    } catch (error) {
      // All is durable without the mark; it only tells damage from the torn end of a crash.
      if (!isShortage(error)) throw error;
    } finally {
      writer.close();
    }
  }

  #started(): WalWriter {
    assert(this.#writer !== undefined, 'the log was not started');
    return this.#writer;
  }

  /** The files that hold the records from `fromLsn` on. */
  #filesFrom(fromLsn: number, dropped: Dropped[]): LogFile[] {
    assert(Number.isSafeInteger(fromLsn) && fromLsn >= 1, 'LSNs begin with 1');
    // All before the last file that begins at or before it is below.
    const first = this.#files.findLastIndex((file) => file.header.firstLsn <= fromLsn);
    if (first >= 0) return this.#files.slice(first);
    if (this.#files.length === 0 && fromLsn === 1) return [];
    const firstLsn = this.#files[0]?.header.firstLsn ?? null;
    const reason =
      firstLsn === null
        ? `the log is missing, records from LSN ${fromLsn} on are needed`
        : `the log begins with LSN ${firstLsn}, records from ${fromLsn} on are needed`;
    const path = this.#directory;
    if (!this.#options.salvage) {
      throw new OmenError('OMEN_CORRUPT', `${path}: ${reason}. ${CORRUPT_ADVICE}`);
    }
    const lastLsn = firstLsn === null ? null : firstLsn - 1;
    dropped.push({ path, offset: 0, bytes: 0, firstLsn: fromLsn, lastLsn, reason });
    return this.#files.slice();
  }

  #newFile(firstLsn: number, recycle: string | undefined): WalWriter {
    const sequence = this.#sequence + 1;
    const writer = new WalWriter(this.#storage, join(this.#directory, fileName(sequence)), {
      identity: this.#identity,
      sequence,
      firstLsn,
      recycle,
      pieceBytes: this.#options.pieceBytes,
    });
    this.#sequence = sequence;
    return writer;
  }

  /** Copies the frames from `firstLsn` on, which begins one. */
  #copy({ name, header }: LogFile, firstLsn: number, writer: WalWriter): void {
    const options = { nextFirstLsn: null, salvage: false };
    readWal(this.#storage, join(this.#directory, name), header, options, (frame) => {
      if (frame.firstLsn < firstLsn || frame.records === 0) return;
      this.#group.append(frame.views.u8.subarray(frame.start, frame.end), frame.records);
      writer.append(this.#group, false);
    });
  }

  #removeLeftovers(): void {
    for (const name of this.#storage.list(this.#directory)) {
      const isUseless = this.#useless.includes(name);
      if (isLeftover(name) || isUseless) this.#storage.remove(join(this.#directory, name));
    }
  }
}
