/** A slice of a bulk load's sorted runs becomes segments. A job of the pool, like a merge. */
import type { Storage } from '../storage/storage.ts';
import { refuseDuplicates } from '../view/duplicate-key.ts';
import { openSlice, type RunSlice } from '../view/run-slice.ts';
import { type ExistingJob, ExistingRows } from './existing-rows.ts';
import type { JobResult } from './jobs.ts';
import { planParts, writeParts } from './merge.ts';
import type { SegmentPlace } from './model-files.ts';
import { type SegmentLimit, segmentLimit } from './segment-limit.ts';
import type { Span } from './segment-shape.ts';

export interface LoadJob {
  readonly kind: 'load';
  readonly place: SegmentPlace;
  readonly slice: RunSlice;
  readonly firstId: number;
  /** The mark of the load. */
  readonly span: Span;
  /** Null where rows take the place of those that are there. */
  readonly existing: ExistingJob | null;
}

/**
 * Writes and syncs the segments; the caller syncs the directory.
 * @throws OMEN_DUPLICATE_KEY, OMEN_KEY_EXISTS; as `readBlocks`
 */
export function loadSlice(
  storage: Storage,
  job: LoadJob,
  limit: SegmentLimit = segmentLimit(job.place.schema),
): JobResult {
  const { schema } = job.place;
  const open = openSlice(storage, schema, job.slice);
  const segments = open.runs.flat();
  const existing = ExistingRows.of(schema, job.existing);
  const input = { ...open, segments, cleared: segments.map(() => []), expired: null, existing };
  const output = { ...job, keepTombstones: true };
  const parts = planParts(output, input, limit);
  const found = existing?.found ?? 0;
  const rows = parts.reduce((sum, part) => sum + part.rows, found);
  if (job.slice.isUnique) refuseDuplicates(schema.key, open, rows);
  return { written: writeParts(storage, output, input, parts), existing: found };
}
