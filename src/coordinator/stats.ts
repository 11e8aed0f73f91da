/**
 * Statistics, read from the control block by any thread: nobody is asked, nobody waits.
 *
 * What a shard or a client writes word by word is read word by word: figures that belong together may be a
 * moment apart. Counts never go back while the database is open, be it that threads come and go.
 */
import type { ErrorCode } from '../errors.ts';
import { codeOf, ERRORS } from '../errors.ts';
import { type Control, SHARD_COUNTERS, type ShardCounter } from '../view/control.ts';
import type { Distribution } from '../view/histogram.ts';
import {
  BACKLOG,
  CALLS_AT,
  ERRORS_AT,
  OPERATIONS,
  type Operation,
  ROWS_AT,
  SLOW_AT,
  WAITED_NS,
  WAITS,
} from '../view/meters.ts';
import type { ShardState } from '../view/status.ts';
import type { Membership } from './membership.ts';

export type ShardStats = {
  readonly shard: number;
  readonly state: ShardState;
  /** How many runs there are of each tier: of 4^tier rows up to four times as many. */
  readonly tiers: readonly number[];
} & {
  readonly [Counter in ShardCounter]: number;
};

/** What all threads called, since the database was opened. */
export interface OperationStats {
  readonly calls: number;
  /**
   * Keys asked by `getMany`, rows given by scans and iterators, operations of batches, rows loaded; 0 of
   * other operations.
   */
  readonly rows: number;
  /** Those that took `slowMs` or more. */
  readonly slow: number;
  /**
   * Of writes until they are settled; of scans without what their caller does between batches; of iterators
   * until their first row. One call in 64 is timed of what takes microseconds, one in about a thousand of
   * `get`, and every one of what takes longer.
   */
  readonly ns: Distribution;
}

export interface Stats {
  /** Sums over all shards; `windowMax` and `diskFreeBytes` are the largest. Rows count versions not merged yet. */
  readonly total: { readonly [Counter in ShardCounter]: number };
  readonly shards: readonly ShardStats[];
  /** Snapshots that are open, of all threads. */
  readonly snapshots: number;
  /** And watches. */
  readonly watches: number;
  readonly operations: { readonly [Name in Operation]: OperationStats };
  /** How many writes, loads, scans, aggregates and other lasting calls failed, by code, since the opening. */
  readonly errors: { readonly [Code in ErrorCode]?: number };
  readonly reads: {
    /** Memtables and runs that a get asked, and the keys searched first in each segment: of a few gets. */
    readonly probes: Distribution;
    readonly window: Distribution;
  };
  readonly writes: {
    /** Writes of the same thread that were in flight when one began, itself included: of those timed. */
    readonly inFlight: Distribution;
    readonly batchOperations: Distribution;
    /** Writes that wait now for room in a ring, how many have, and for how long any did. */
    readonly backlog: number;
    readonly waits: number;
    readonly waitedNs: number;
  };
  readonly commits: {
    /** Records that were committed together. */
    readonly records: Distribution;
    /** From when the first write of a group was taken up until all were shown; and syncs of the log. */
    readonly ns: Distribution;
    readonly syncNs: Distribution;
  };
  /** Bytes written to files for each byte that was accepted; 0 before there is any. */
  readonly writeAmplification: number;
  readonly memory: MemoryStats;
}

export interface MemoryStats {
  /** Of the process. */
  readonly rssBytes: number;
  /** Of the heaps of the thread that asks, and of the shards' threads. */
  readonly heapBytes: number;
  readonly shardHeapBytes: number;
  /** Shared memory: rows and their indexes, memtables in use or kept for reuse, and the control block. */
  readonly segmentBytes: number;
  readonly indexBytes: number;
  readonly memtableBytes: number;
  readonly controlBytes: number;
}

type Totals = Stats['total'];

export function collectStats({ control, shards: count }: Membership): Stats {
  const { meters, snapshots, logs } = control;
  const shards = Array.from({ length: count }, (_, shard): ShardStats => {
    const counters = SHARD_COUNTERS.map((name) => [name, control.counter(shard, name)]);
    const state = control.statuses.state(shard);
    return { shard, state, tiers: meters.tiers(shard), ...Object.fromEntries(counters) };
  });
  const total = totalsOf(shards);
  return {
    total,
    shards,
    snapshots,
    watches: logs.watches,
    operations: operationsOf(control),
    errors: errorsOf(control),
    reads: {
      probes: meters.clientHistogram('probes').distribution,
      window: meters.clientHistogram('window').distribution,
    },
    writes: {
      inFlight: meters.clientHistogram('inFlight').distribution,
      batchOperations: meters.clientHistogram('batchOperations').distribution,
      backlog: meters.sum(BACKLOG),
      waits: meters.sum(WAITS),
      waitedNs: meters.sum(WAITED_NS),
    },
    commits: {
      records: meters.shardHistogram('groupRecords', count).distribution,
      ns: meters.shardHistogram('groupNs', count).distribution,
      syncNs: meters.shardHistogram('syncNs', count).distribution,
    },
    writeAmplification: amplificationOf(total),
    memory: memoryOf(control, total),
  };
}

function totalsOf(shards: readonly ShardStats[]): Totals {
  const total = SHARD_COUNTERS.map((name) => {
    const values = shards.map((stats) => stats[name]);
    const isLargest = name === 'windowMax' || name === 'diskFreeBytes';
    return [name, isLargest ? Math.max(...values) : values.reduce((a, b) => a + b, 0)];
  });
  return Object.fromEntries(total);
}

function operationsOf({ meters }: Control): Stats['operations'] {
  const all = OPERATIONS.map((name, kind): [Operation, OperationStats] => {
    const calls = meters.sum(CALLS_AT + kind);
    const rows = meters.sum(ROWS_AT + kind);
    const slow = meters.sum(SLOW_AT + kind);
    return [name, { calls, rows, slow, ns: meters.times(kind).distribution }];
  });
  return Object.fromEntries(all) as Stats['operations'];
}

function errorsOf({ meters }: Control): Stats['errors'] {
  const counts = Object.keys(ERRORS).map((_, number): [ErrorCode, number] => {
    return [codeOf(number), meters.sum(ERRORS_AT + number)];
  });
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

/** What a load writes is accepted with it. */
function amplificationOf(total: Totals): number {
  const accepted = total.acceptedBytes + total.loadWrittenBytes;
  const { logWrittenBytes, flushWrittenBytes, compactionWrittenBytes, loadWrittenBytes } = total;
  const written = logWrittenBytes + flushWrittenBytes + compactionWrittenBytes + loadWrittenBytes;
  return accepted === 0 ? 0 : written / accepted;
}

function memoryOf(control: Control, total: Totals): MemoryStats {
  const { rss, heapUsed } = process.memoryUsage();
  return {
    rssBytes: rss,
    heapBytes: heapUsed,
    shardHeapBytes: total.heapBytes,
    segmentBytes: total.segmentBytes,
    indexBytes: total.indexBytes,
    memtableBytes: total.memtablePoolBytes,
    controlBytes: control.memory.byteLength,
  };
}
