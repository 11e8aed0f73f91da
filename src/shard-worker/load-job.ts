/** A slice of a bulk load's sorted runs becomes segments. A job of the pool, like a merge. */
import type { Storage } from '../storage/storage.ts';
import { refuseDuplicates } from '../view/duplicate-key.ts';
import { openSlice, type RunSlice } from '../view/run-slice.ts';
import { writeMerged } from './merge.ts';
import type { SegmentPlace } from './model-files.ts';
import type { WrittenSegmentFiles } from './segment-files.ts';
import { type SegmentLimit, segmentLimit } from './segment-limit.ts';
import type { Span } from './segment-shape.ts';

export interface LoadJob {
  readonly kind: 'load';
  readonly place: SegmentPlace;
  readonly slice: RunSlice;
  readonly firstId: number;
  /** The mark of the load. */
  readonly span: Span;
}

/**
 * Writes and syncs the segments; the caller syncs the directory.
 * @throws OMEN_DUPLICATE_KEY; as `readBlocks`
 */
export function loadSlice(
  storage: Storage,
  job: LoadJob,
  limit: SegmentLimit = segmentLimit(job.place.schema),
): WrittenSegmentFiles[] {
  const { schema } = job.place;
  const open = openSlice(storage, schema, job.slice);
  const segments = open.runs.flat();
  const input = { ...open, segments, cleared: segments.map(() => []), expired: null };
  const written = writeMerged(storage, { ...job, keepTombstones: true }, input, limit);
  const rows = written.reduce((sum, { record }) => sum + record.rows, 0);
  if (job.slice.isUnique) refuseDuplicates(schema.key, open, rows);
  return written;
}
