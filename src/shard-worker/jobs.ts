/** The heavy, stateless jobs of a shard, which run in the pool so that its own thread never stalls. */
import { type ErrorCode, OmenError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { Segment, type SegmentHandle } from '../view/segment.ts';
import { type FlushJob, flushMemtable } from './flush.ts';
import { type LoadJob, loadSlice } from './load-job.ts';
import { type MergeJob, mergeRuns } from './merge.ts';
import type { SegmentPlace } from './model-files.ts';
import type { WrittenSegmentFiles } from './segment-files.ts';

/** Brings in the pages of segments that are to come. Writes nothing. */
export interface PageInJob {
  readonly kind: 'page-in';
  readonly place: SegmentPlace;
  readonly segments: readonly SegmentHandle[];
}

export type WritingJob = FlushJob | MergeJob;
export type Job = WritingJob | LoadJob | PageInJob;

export interface JobResult {
  /** The segments that it wrote and synced. */
  readonly written: readonly WrittenSegmentFiles[];
  /** Of a load, rows that gave way to rows that are there. */
  readonly existing: number;
}

/** Runs a job somewhere else. */
export type RunJob = (job: Job) => Promise<JobResult>;

/** How a job ended in another thread: an error that was thrown would arrive without its code. */
export type JobOutcome =
  | JobResult
  | { readonly failed: { readonly code: ErrorCode; readonly message: string } };

export function outcomeOf(storage: Storage, job: Job): JobOutcome {
  try {
    return runJob(storage, job);
  } catch (error) {
    if (!(error instanceof OmenError)) throw error;
    return { failed: { code: error.code, message: error.message } };
  }
}

/** What came of a job. @throws what it failed with */
export function resultOf(outcome: JobOutcome): JobResult {
  if ('written' in outcome) return outcome;
  throw new OmenError(outcome.failed.code, outcome.failed.message);
}

/** Runs a job in this thread. */
export function runJob(storage: Storage, job: Job): JobResult {
  if (job.kind === 'flush') return { written: flushMemtable(storage, job), existing: 0 };
  if (job.kind === 'merge') return { written: mergeRuns(storage, job), existing: 0 };
  if (job.kind === 'load') return loadSlice(storage, job);
  for (const handle of job.segments) {
    const { paging } = new Segment(handle, job.place.schema.key, storage);
    paging?.ensureAllUnlessStopped();
  }
  return { written: [], existing: 0 };
}
