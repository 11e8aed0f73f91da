/**
 * What a shard commits through: append a group of records, learn that it is committed, read from an
 * LSN, truncate below one. The local WAL (log.ts) is its first implementation.
 *
 * Nothing above this interface may assume that the log is a file, that LSNs are dense, or that an
 * error or a time-out means "not written": what an error left undecided, only the next recovery can
 * tell.
 */

import type { Views } from './frame.ts';

/**
 * Called with each record, in the order of their LSNs. It lies in `views` at byte `offset`, a
 * multiple of 8, and is `bytes` long, its own u32 length at the start included: as reserve() gave
 * it. The views hold it during the call only.
 */
export type RecordVisitor = (views: Views, offset: number, bytes: number, lsn: number) => void;

export interface CommitLog {
  /**
   * Adds a record of `bytes` to the group (at least 4: its own u32 length is part of it, and is
   * filled in here) and returns its byte offset in the views, a multiple of 8.
   */
  reserve(bytes: number): number;
  /** Views of the group's buffer. reserve() may replace them: read them after it. */
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
  /** Bytes and records of the group so far. */
  readonly groupBytes: number;
  readonly groupRecords: number;
  /** The LSN that the next record to be reserved will have. */
  readonly nextLsn: number;
  /**
   * Commits the group: after a crash all of it is there or nothing. With `sync`, it and everything
   * before it is durable. Returns the LSN of its last record. Where this throws, discard() has to
   * follow.
   */
  commit(sync: boolean): number;
  /**
   * Forgets the group, after commit() threw. Where the log has not `failed` then, there was no room for
   * the group: it is not there, nor will be after a crash. Else whether it was committed is unknown.
   */
  discard(): void;
  /** Whether the log refuses everything, until it is recovered. */
  readonly failed: boolean;
  /** Makes everything committed so far durable. */
  sync(): void;
  /**
   * Makes everything committed so far durable, and begins a new unit of truncation. After a shortage
   * (isShortage) the old one goes on.
   */
  rotate(): void;
  /**
   * Gives back what holds only records below `lsn`. That they are not needed must be durable by
   * now. Up to a unit of truncation (see rotate) may be kept longer, and what is retained or followed.
   * @param followedLsn the first record that a follower is still to read; infinite, as by default: there
   *   is none; null: room is wanted more than what is kept for followers
   */
  truncateBelow(lsn: number, followedLsn?: number | null): void;
  /** Bytes that the last truncation kept for followers alone. */
  readonly keptBytes: number;
  /** Gives back what is kept for the next unit of truncation, for want of space elsewhere. */
  giveBack(): void;
  /** Visits every committed record from `fromLsn` (at least 1) on. */
  read(fromLsn: number, visit: RecordVisitor): RecoveryReport;
  /** LSN of the last record committed. */
  readonly lastLsn: number;
  /** Every record up to here survives a power cut. */
  readonly durableLsn: number;
  /** Bytes used by the unit of truncation written now. */
  readonly fileBytes: number;
  /** Makes everything committed durable, if the log has not failed, and gives back its files. */
  close(): void;
}

/** A group that a crash kept from being written whole. It was never acknowledged. */
export interface TornTail {
  readonly path: string;
  readonly offset: number;
  /** From there to the end of what was written, whole blocks. */
  readonly bytes: number;
  readonly reason: string;
}

/**
 * What salvage had to leave out. The LSNs of its acknowledged records are null where nobody can tell;
 * the first is beyond the last where there is none among it.
 */
export interface Dropped {
  /** The file, or the directory where one is missing that nobody knows the name of. */
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
  readonly firstLsn: number | null;
  readonly lastLsn: number | null;
  readonly reason: string;
}

export interface RecoveryReport {
  /** LSN of the last record; fromLsn − 1 when there was none. */
  readonly lastLsn: number;
  /** Records visited. */
  readonly records: number;
  readonly frames: number;
  /** Names of the files that were read. */
  readonly files: readonly string[];
  readonly tail: TornTail | null;
  /** Where the log ends: its newest file, and the offset behind its last frame; null without files. */
  readonly end: { readonly path: string; readonly offset: number } | null;
  /** Empty unless salvaging. */
  readonly dropped: readonly Dropped[];
}
