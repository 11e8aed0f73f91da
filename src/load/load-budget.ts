/**
 * How a bulk load spends its memory. While it reads, there are rows on their way to each shard (chunks that are
 * filled and wait), those that are being sorted, in as many threads as the pool has, and sorted runs that are
 * kept. When it merges runs that were spilled, each shard thread has a slice in memory at a time, beside the
 * runs that were kept; what it writes is the database's own by then. All of it stays within the budget, about.
 */
import { CHUNK_BYTES_MAX } from './chunk.ts';

export interface LoadBudget {
  /** Of a chunk of one shard. */
  readonly chunkBytes: number;
  /** Of chunks of a shard that are sorted together. */
  readonly runBytes: number;
  /** Of rows in order that are written together. */
  readonly pieceBytes: number;
  /** Of all runs that are kept in memory. */
  readonly keptBytes: number;
  /** Of what is merged at once. */
  readonly sliceBytes: number;
  /** Of a block of a spilled run. */
  readonly blockBytes: number;
  /** So many runs of a shard are joined into one, so that a block of each leaves room in a slice. */
  readonly joinRuns: number;
}

const RUN_BYTES_MAX = 128 * 2 ** 20;
const PIECE_BYTES_MIN = 2 ** 16;
const BLOCK_BYTES_MIN = 2 ** 12;
const BLOCK_BYTES_MAX = 2 ** 17;
const JOIN_MIN = 4;
/** What sorting takes beside the rows: a second copy, and two lists of keys and places. */
const SORT_FACTOR = 2.5;

/** The rest is for what is let go of and not collected yet, and for what tasks need beside rows. */
const ROWS_SHARE = 0.75;

/**
 * @param memory of the load, in bytes
 * @param threads of the pool that sorts
 * @param writers threads that have shards
 * @param segmentBytesMax of a segment
 */
export function budgetOf(
  memory: number,
  shards: number,
  threads: number,
  writers: number,
  segmentBytesMax: number,
): LoadBudget {
  const ours = ROWS_SHARE * memory;
  const runBytes = Math.min(RUN_BYTES_MAX, ours / (8 * Math.max(shards, threads)));
  const chunkBytes = Math.min(CHUNK_BYTES_MAX, ours / (16 * shards));
  const pieceBytes = Math.max(PIECE_BYTES_MIN, Math.min(segmentBytesMax / 2, ours / (4 * shards)));
  const sliceBytes = Math.min(segmentBytesMax, ours / (4 * writers));
  const blockBytes = Math.max(BLOCK_BYTES_MIN, Math.min(BLOCK_BYTES_MAX, ours / 4096));
  const waiting = shards * (runBytes + chunkBytes) + (threads + 1) * runBytes;
  const working = waiting + SORT_FACTOR * threads * runBytes;
  return {
    ...{ chunkBytes, runBytes, pieceBytes, sliceBytes, blockBytes },
    keptBytes: Math.max(0, ours - Math.max(working, sliceBytes * writers)),
    joinRuns: Math.max(JOIN_MIN, Math.floor(sliceBytes / (4 * blockBytes))),
  };
}
