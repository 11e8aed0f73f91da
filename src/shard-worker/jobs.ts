/** The heavy, stateless jobs of a shard, which run in the pool so that its own thread never stalls. */
import type { Storage } from '../storage/storage.ts';
import { type FlushJob, flushMemtable } from './flush.ts';
import { type MergeJob, mergeRuns } from './merge.ts';
import type { WrittenSegmentFiles } from './segment-files.ts';

export type Job = FlushJob | MergeJob;

/** Runs a job somewhere else and resolves with the segments it wrote and synced. */
export type RunJob = (job: Job) => Promise<WrittenSegmentFiles[]>;

/** Runs a job in this thread. */
export function runJob(storage: Storage, job: Job): WrittenSegmentFiles[] {
  return job.kind === 'flush' ? flushMemtable(storage, job) : mergeRuns(storage, job);
}
