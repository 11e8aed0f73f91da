/**
 * Which files of a log stay although the shard needs nothing of them any more: what followers may ask
 * for. A file stays whole, and with it all that are newer, so that what is kept has no gap.
 */

/** How far back a log can be followed that nobody follows now. */
export interface Retain {
  /** The last so many bytes of records that were given up; infinite: however many. */
  readonly bytes: number;
  /** Those of the last so many milliseconds; infinite: however old. */
  readonly ms: number;
}

/** A file that the shard needs no longer. */
export interface ObsoleteFile {
  readonly bytes: number;
  /** The record behind its last one. */
  readonly endLsn: number;
  /** When its last record was written, at the latest. */
  readonly closedMs: number;
}

/**
 * A follower that lags keeps so many bytes from being given up, and a file more: whoever falls further
 * behind finds the log gone, rather than let it fill the disk.
 */
export const FOLLOWED_BYTES_MAX = 256 * 2 ** 20;

/**
 * How many of `files`, oldest first, may go.
 * @param followedLsn the first record that somebody is still to read; infinite where there is none
 */
export function countToGiveUp(
  files: readonly ObsoleteFile[],
  retain: Retain | null,
  followedLsn: number,
  nowMs: number,
): number {
  let newerBytes = 0;
  for (let i = files.length - 1; i >= 0; i--) {
    const { bytes, endLsn, closedMs } = files[i];
    const isFollowed = endLsn > followedLsn && newerBytes < FOLLOWED_BYTES_MAX;
    const isRetained = retain !== null && newerBytes < retain.bytes && nowMs - closedMs < retain.ms;
    if (!isFollowed && !isRetained) return i + 1;
    newerBytes += bytes;
  }
  return 0;
}
