/** What salvage had to drop, or do without: plain data, which survives JSON. */

export interface Salvaged {
  readonly shard: number;
  readonly what: 'log' | 'segment' | 'manifest';
  /** Path of what was damaged or missing: a file, or a directory that lacks one. */
  readonly file: string;
  /** Where the damage begins, and how many bytes could not be used; 0 of a missing file. */
  readonly offset: number;
  readonly bytes: number;
  readonly reason: string;
  /**
   * Rows that are lost: versions that were stored there. Older ones may show instead. 0: the damage cost
   * none. Null: it cannot be known.
   */
  readonly rows: number | null;
  /** The log's records that are lost, or of which the lost rows are; null where it cannot be known. */
  readonly firstLsn: number | null;
  readonly lastLsn: number | null;
  /** Where the damaged file is kept; null where there is none. */
  readonly kept: string | null;
}

/** What a damaged file is called from then on. Names of files are never used twice. */
export const DAMAGED_SUFFIX = '.damaged';
