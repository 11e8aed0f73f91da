/** What a client knows of the database it belongs to. Crosses threads when one attaches. */
import type { Schema } from '../schema/schema.ts';
import type { Epoch } from '../shard-worker/records.ts';
import type { Salvaged } from '../shard-worker/salvaged.ts';
import type { Control } from '../view/control.ts';
import type { Partitioning } from '../view/partition.ts';

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
}
