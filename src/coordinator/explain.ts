/** `db.explain`: the look-up of a key as the view explains it, with where it took place. */
import { join } from 'node:path';
import { segmentName } from '../shard-worker/manifest.ts';
import {
  explainLookup,
  type LookupExplanation,
  type RunProbe,
  type SegmentProbe,
} from '../view/explain.ts';
import { shardDirectory } from './identity.ts';
import type { Membership } from './membership.ts';
import type { Reader } from './reader.ts';

/** A segment that was asked, and the Arrow file that it lies in. */
export type ExplainedSegment = SegmentProbe & { readonly file: string };

export type ExplainedRun = RunProbe & { readonly segment: ExplainedSegment | null };

/** What `get` does for one key, as plain data. */
export interface Explanation extends LookupExplanation {
  /** The shard that the key belongs to; no other is asked. */
  readonly shard: number;
  readonly runs: readonly ExplainedRun[];
}

export function explain(reader: Reader, membership: Membership, key: unknown): Explanation {
  reader.key.encode(key);
  const { hi, lo, number, bytes } = reader.key;
  const hash = reader.key.hash();
  const shard = reader.shardOf(hash);
  const { nowMs } = reader;
  const explanation = explainLookup(reader.view(shard), hash, hi, lo, number, bytes, nowMs);
  const directory = shardDirectory(membership.path, shard);
  const runs = explanation.runs.map((run): ExplainedRun => {
    const { segment } = run;
    if (segment === null) return { ...run, segment };
    return { ...run, segment: { ...segment, file: join(directory, segmentName(segment.id)) } };
  });
  return { shard, ...explanation, runs };
}
