/**
 * What a shard's thread or the supervisor tells every client, in whatever thread, of what happens in the
 * background. Plain data: it crosses threads, through the ports that views take.
 */
import type { ErrorCode } from '../errors.ts';

export type Notice =
  /** Something fails, or began to. */
  | {
      readonly notice: 'error';
      readonly shards: readonly number[];
      readonly code: ErrorCode;
      readonly message: string;
    }
  /** Recovery found and mended something that cost no acknowledged row. */
  | {
      readonly notice: 'repaired';
      readonly shards: readonly number[];
      readonly code: ErrorCode;
      readonly message: string;
    }
  /** What an error told of is over. */
  | { readonly notice: 'resumed'; readonly shards: readonly number[]; readonly message: string };

/** What a job of a shard has done: told to the thread that opened the database alone. */
export interface WorkNotice {
  readonly notice: 'flush' | 'compaction';
  readonly shard: number;
  /** Of the segments that were written. */
  readonly rows: number;
  readonly bytes: number;
  readonly ms: number;
}

/** The client of that thread: the first to be given a number. */
export const OWNER = 0;
