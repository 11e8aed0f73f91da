/** The heavy, stateless jobs of a shard, which run in the pool so that its own thread never stalls. */
import { type ErrorCode, OmenError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { type FlushJob, flushMemtable } from './flush.ts';
import { type MergeJob, mergeRuns } from './merge.ts';
import type { WrittenSegmentFiles } from './segment-files.ts';

export type Job = FlushJob | MergeJob;

/** Runs a job somewhere else and resolves with the segments it wrote and synced. */
export type RunJob = (job: Job) => Promise<WrittenSegmentFiles[]>;

/** How a job ended in another thread: an error that was thrown would arrive without its code. */
export type JobOutcome =
  | { readonly written: WrittenSegmentFiles[] }
  | { readonly failed: { readonly code: ErrorCode; readonly message: string } };

export function outcomeOf(storage: Storage, job: Job): JobOutcome {
  try {
    return { written: runJob(storage, job) };
  } catch (error) {
    if (!(error instanceof OmenError)) throw error;
    return { failed: { code: error.code, message: error.message } };
  }
}

/** What a job wrote, or the error that it failed with. */
export function writtenBy(outcome: JobOutcome): WrittenSegmentFiles[] {
  if ('written' in outcome) return outcome.written;
  throw new OmenError(outcome.failed.code, outcome.failed.message);
}

/** Runs a job in this thread. */
export function runJob(storage: Storage, job: Job): WrittenSegmentFiles[] {
  return job.kind === 'flush' ? flushMemtable(storage, job) : mergeRuns(storage, job);
}
