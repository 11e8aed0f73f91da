/**
 * A thread of the job pool. Runs at lower priority than the shard threads, so that sorting, training
 * and merging do not delay commits (on Linux a priority belongs to a thread).
 */
import { constants, setPriority } from 'node:os';
import { realStorage } from '../storage/real.ts';
import { collectGarbage } from '../view/collect-garbage.ts';
import { type Job, type JobOutcome, outcomeOf } from './jobs.ts';

try {
  setPriority(0, constants.priority.PRIORITY_LOW);
} catch {
  // Not allowed everywhere; then jobs and commits share the processor as equals.
}

export default function run(job: Job): JobOutcome {
  try {
    return outcomeOf(realStorage, job);
  } finally {
    // What the job read may be gigabytes of shared memory, of which V8 counts nothing.
    collectGarbage();
  }
}
