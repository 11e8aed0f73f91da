/** What the coordinator calls in a shard thread, over Comlink. Rare commands only, never data. */

import type { Schema } from '../schema/schema.ts';
import type { MemtableShape } from '../view/memtable.ts';
import type { RunSlice } from '../view/run-slice.ts';
import type { Retain } from '../wal/log.ts';
import type { ClientIntroduction } from './client-link.ts';
import type { WrittenLoad } from './engine.ts';
import type { Durability } from './host.ts';
import type { Epoch } from './records.ts';
import type { RecoveredShard } from './replay.ts';

export interface OpenShards {
  readonly thread: number;
  /** The shards of this thread, and their directories. */
  readonly shards: readonly { readonly shard: number; readonly directory: string }[];
  readonly control: SharedArrayBuffer;
  readonly schema: Schema;
  readonly databaseId: string;
  readonly epoch: Epoch;
  readonly durability: Durability;
  readonly memtableShape: MemtableShape;
  /** Bytes a shard may hold in memory. */
  readonly memoryBytes: number;
  /** Nothing is written, not even what recovery would. */
  readonly readOnly: boolean;
  /** What each shard keeps of its log for who may follow it later. */
  readonly retain: Retain | null;
}

/**
 * To salvage, first in threads that do nothing else: `salvage`, and, where anything was dropped, `keep` in all of them,
 * then `conclude` in all.
 *
 * Order of calls: `open`, `secure`, `start`, `addClient` as often as there are clients, `serve`. From `serve` on the
 * thread blocks between turns of its event loop: whoever calls must raise its request word
 * (`Control.addRequest`) and ring its doorbell after posting.
 */
export interface ShardThread {
  /** Reads what can be read. */
  salvage(options: OpenShards): Promise<RecoveredShard[]>;
  /** Makes it durable in another form, batches with these names being committed. */
  keep(committed: readonly string[]): Promise<void>;
  /** Lets go of the old form. */
  conclude(): Promise<void>;
  /** Reads everything; nothing is shown yet. */
  open(options: OpenShards): Promise<RecoveredShard[]>;
  /** Makes what was found durable; `start` only follows once all threads have done so. */
  secure(): Promise<void>;
  /** Makes the outcomes of recovered batches durable. */
  start(committed: readonly string[]): Promise<void>;
  addClient(introduction: ClientIntroduction): Promise<void>;
  removeClient(client: number): Promise<void>;
  serve(): Promise<void>;
  flush(): Promise<void>;
  compact(): Promise<void>;
  /** Writes rows of a bulk load, sorted runs of them with the newest first, as segments of a shard. */
  writeLoad(name: string, shard: number, slice: RunSlice): Promise<WrittenLoad>;
  /** Makes sure that what was published before is decided, before anything else is. */
  settleLoads(): Promise<void>;
  /** Makes a load ready to be shown. Once all participants are, it is published, or not: `settleLoad` follows. */
  prepareLoad(load: PreparedLoad): Promise<void>;
  /** Ends a load, in all shards of the thread. */
  settleLoad(name: string, isPublished: boolean): Promise<void>;
  close(): Promise<void>;
}

/** One shard's part in the publication of a load. */
export interface PreparedLoad {
  readonly name: string;
  /** What `Control.published` will be. */
  readonly number: number;
  readonly participants: readonly number[];
  readonly shard: number;
  /** The segments that make up its run, in key order. */
  readonly ids: readonly number[];
}

/** An error as it crosses a thread: structured clone would drop its code. */
export interface CrossedError {
  readonly code: string;
  readonly message: string;
}
