/** OmenDB: the public API. */

export type {
  Aggregate,
  AggregateOptions,
  AggregateResult,
  AggregateSpec,
} from './coordinator/aggregate-spec.ts';
export type { Handle } from './coordinator/attach.ts';
export type {
  ChannelMessages,
  Loaded,
  Recovery,
  ShardWork,
  SlowOperation,
} from './coordinator/channels.ts';
export type { ColumnsFound, ColumnValues } from './coordinator/columns.ts';
export type { Condition, PutOptions, WriteOptions } from './coordinator/condition.ts';
export {
  attach,
  type BatchOperation,
  Database,
  open,
} from './coordinator/database.ts';
export type { DatabaseEvents, EventName, Listener, Resumed } from './coordinator/events.ts';
export type { ExpiryOptions } from './coordinator/expiry.ts';
export type { ExplainedRun, ExplainedSegment, Explanation } from './coordinator/explain.ts';
export type {
  ExportOptions,
  ExportProgress,
  ExportReport,
  ExportTargetInput,
} from './coordinator/export-options.ts';
export type { Health, ShardHealth } from './coordinator/health.ts';
export { type InferredSchema, inferSchema } from './coordinator/infer-schema.ts';
export type {
  LoadFormat,
  LoadOptions,
  LoadPhase,
  LoadProgress,
  LoadReport,
  LoadRow,
  LoadSource,
} from './coordinator/load-options.ts';
export { ROW_ARRAYS } from './coordinator/load-source.ts';
export type { OpenOptions, RetainOption } from './coordinator/options.ts';
export type { IterateOptions, RangeOptions } from './coordinator/range.ts';
export type { ScanOptions } from './coordinator/reads.ts';
export type { Json, KeyInputOf, KeyOf, RowInputOf, RowOf } from './coordinator/row-types.ts';
export type { Rows } from './coordinator/rows.ts';
export type { Scan } from './coordinator/scan.ts';
export type { Change, ClearedKeys } from './coordinator/shard-changes.ts';
export type { Snapshot } from './coordinator/snapshot.ts';
export type { MemoryStats, OperationStats, ShardStats, Stats } from './coordinator/stats.ts';
export type { TextInputOf, TextOf, TextReads } from './coordinator/text-reads.ts';
export type { UpdateOptions } from './coordinator/update.ts';
export type { Changes, Watch, WatchOptions } from './coordinator/watch.ts';
export type { Comparisons, Where } from './coordinator/where.ts';
export { ERRORS, type ErrorCode, OmenError } from './errors.ts';
export type { InferredField } from './load/infer.ts';
export type { SchemaOptions } from './schema/schema.ts';
export type { Durability } from './shard-worker/host.ts';
export type { Salvaged } from './shard-worker/salvaged.ts';
export type { Found, MemtableProbe } from './view/explain.ts';
export type { Distribution } from './view/histogram.ts';
export type { Operation } from './view/meters.ts';
export type { PartitionOption } from './view/partition.ts';
