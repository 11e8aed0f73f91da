/** What a client knows of the database it belongs to; most of it crosses threads when one attaches. */
import type { Schema } from '../schema/schema.ts';
import type { Epoch } from '../shard-worker/records.ts';
import type { Salvaged } from '../shard-worker/salvaged.ts';
import type { Bound } from '../view/bounds.ts';
import type { Control } from '../view/control.ts';
import { type Partitioning, splitsOf } from '../view/partition.ts';

export interface MembershipData {
  readonly client: number;
  readonly databaseId: string;
  readonly path: string;
  /** Names this open of the database in the names of batches. */
  readonly epoch: Epoch;
  readonly schema: Schema;
  readonly bigints: boolean;
  readonly readOnly: boolean;
  readonly shards: number;
  readonly partitioning: Partitioning;
  /** What was dropped of damaged files when the database was opened. */
  readonly salvaged: readonly Salvaged[];
  /** The thread that owns each shard. */
  readonly threadOf: readonly number[];
  readonly memoryBytes: number;
  /** Operations that take so long are told of; infinite: none. */
  readonly slowMs: number;
  /** The largest part of a batch that a shard takes. */
  readonly operationsMax: number;
  readonly batchBytesMax: number;
}

export interface Membership extends MembershipData {
  readonly control: Control;
  /** Where shards begin, for all who ask where a key belongs: filled in where they were not known at first. */
  readonly splits: Bound[];
  partitioning: Partitioning;
}

export function membershipOf(data: MembershipData, control: Control): Membership {
  return { ...data, control, splits: splitsOf(data.partitioning, data.schema.key) };
}
