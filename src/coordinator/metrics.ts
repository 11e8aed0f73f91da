/**
 * Metrics of a database as a registry of prom-client: read from the control block when they are scraped, so
 * that nothing is done in between, and in whatever thread that is.
 *
 * The metrics are objects of our own, which have of prom-client's what its registry asks of them: theirs
 * are to be counted up one by one, and have histograms of their own.
 */
import type { Metric, Registry } from 'prom-client';
import type { Control } from '../view/control.ts';
import type { Histogram } from '../view/histogram.ts';
import { OPERATIONS } from '../view/meters.ts';
import type { Membership } from './membership.ts';
import { collectStats, type ShardStats, type Stats } from './stats.ts';

type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly value: number;
  readonly labels: Labels;
  /** Where it is not that of the metric. */
  readonly metricName?: string;
}

/** What a scrape reads. */
interface Scrape {
  readonly stats: Stats;
  readonly control: Control;
}

interface Definition {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: (scrape: Scrape) => readonly Sample[];
}

/** Bounds of times, from 128 ns to 8.6 s, and of numbers, from 1 to 65,535: powers of two, counted exactly. */
const TIME_MAGNITUDES = [7, 33] as const;
const NUMBER_MAGNITUDES = [1, 16] as const;

function histogramSamples(
  name: string,
  histogram: Histogram,
  unit: 'seconds' | 'number',
  labels: Labels = {},
): Sample[] {
  const isTime = unit === 'seconds';
  const [first, last] = isTime ? TIME_MAGNITUDES : NUMBER_MAGNITUDES;
  const samples: Sample[] = [];
  for (let magnitude = first; magnitude <= last; magnitude++) {
    const end = 2 ** magnitude;
    const le = String(isTime ? end / 1e9 : end - 1);
    const value = histogram.countBelow(end);
    samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value });
  }
  const { count, sum } = histogram;
  samples.push({ metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count });
  samples.push({ metricName: `${name}_sum`, labels, value: isTime ? sum / 1e9 : sum });
  samples.push({ metricName: `${name}_count`, labels, value: count });
  return samples;
}

const one = (value: number): Sample[] => [{ value, labels: {} }];

function whole(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  of: (stats: Stats) => number,
): Definition {
  return { name, help, type, samples: ({ stats }) => one(of(stats)) };
}

function byShard(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  of: (shard: ShardStats) => number,
): Definition {
  const samples = ({ stats }: Scrape) =>
    stats.shards.map((shard) => ({ value: of(shard), labels: { shard: String(shard.shard) } }));
  return { name, help, type, samples };
}

/** Several figures of each shard, told apart by a label. */
function byShardAnd(
  label: string,
  name: string,
  help: string,
  of: (shard: ShardStats) => Readonly<Record<string, number>>,
): Definition {
  const samples = ({ stats }: Scrape) =>
    stats.shards.flatMap((shard) =>
      Object.entries(of(shard)).map(([kind, value]) => {
        return { value, labels: { shard: String(shard.shard), [label]: kind } };
      }),
    );
  return { name, help, type: 'counter', samples };
}

/** Of operations that were called: the others say nothing. */
function byOperation(
  name: string,
  help: string,
  of: (operation: Stats['operations'][keyof Stats['operations']]) => number,
): Definition {
  const samples = ({ stats: { operations } }: Scrape) =>
    OPERATIONS.map((operation) => ({ value: of(operations[operation]), labels: { operation } }));
  return { name, help, type: 'counter', samples };
}

function distribution(
  name: string,
  help: string,
  unit: 'seconds' | 'number',
  of: (scrape: Scrape) => Histogram,
): Definition {
  const samples = (scrape: Scrape) => histogramSamples(name, of(scrape), unit);
  return { name, help, type: 'histogram', samples };
}

function durations(): Definition {
  const name = 'omendb_operation_duration_seconds';
  const help =
    'How long operations took: of get one call in about a thousand, of writes and short reads one in 64.';
  const samples = ({ stats, control }: Scrape) =>
    OPERATIONS.flatMap((operation, kind) =>
      stats.operations[operation].calls === 0
        ? []
        : histogramSamples(name, control.meters.times(kind), 'seconds', { operation }),
    );
  return { name, help, type: 'histogram', samples };
}

const shardCount = ({ stats }: Scrape): number => stats.shards.length;

const DEFINITIONS: readonly Definition[] = [
  byOperation('omendb_operations_total', 'Operations that were called.', ({ calls }) => calls),
  byOperation(
    'omendb_operation_rows_total',
    'Keys asked by getMany, rows given by scans and iterators, operations of batches, rows loaded.',
    ({ rows }) => rows,
  ),
  byOperation(
    'omendb_slow_operations_total',
    'Operations that took as long as the option slowMs, or longer.',
    ({ slow }) => slow,
  ),
  durations(),
  {
    name: 'omendb_errors_total',
    help: 'Writes, loads, scans, aggregates and other lasting calls that failed.',
    type: 'counter',
    samples: ({ stats }) =>
      Object.entries(stats.errors).map(([code, value]) => ({ value, labels: { code } })),
  },
  distribution(
    'omendb_read_probes',
    'Memtables and runs that a get asked, of some gets.',
    'number',
    ({ control }) => control.meters.clientHistogram('probes'),
  ),
  distribution(
    'omendb_read_window_rows',
    'Rows of a segment that a get searched first, where the learned index said, of some gets.',
    'number',
    ({ control }) => control.meters.clientHistogram('window'),
  ),
  distribution(
    'omendb_writes_in_flight',
    'Writes of the same thread in flight when one began, itself included, of those that were timed.',
    'number',
    ({ control }) => control.meters.clientHistogram('inFlight'),
  ),
  distribution('omendb_batch_operations', 'Operations of a batch.', 'number', ({ control }) =>
    control.meters.clientHistogram('batchOperations'),
  ),
  whole(
    'gauge',
    'omendb_backlog_writes',
    'Writes that wait for room in a ring.',
    ({ writes }) => writes.backlog,
  ),
  whole(
    'counter',
    'omendb_backpressure_waits_total',
    'Writes that had to wait for room in a ring.',
    ({ writes }) => writes.waits,
  ),
  whole(
    'counter',
    'omendb_backpressure_seconds_total',
    'For how long any write of a thread waited for room, summed up over threads.',
    ({ writes }) => writes.waitedNs / 1e9,
  ),
  distribution(
    'omendb_commit_records',
    'Records that were committed as one group.',
    'number',
    (scrape) => scrape.control.meters.shardHistogram('groupRecords', shardCount(scrape)),
  ),
  distribution(
    'omendb_commit_duration_seconds',
    'From when the first write of a group was taken up until all of them were shown.',
    'seconds',
    (scrape) => scrape.control.meters.shardHistogram('groupNs', shardCount(scrape)),
  ),
  distribution('omendb_sync_duration_seconds', 'Syncs of log files.', 'seconds', (scrape) =>
    scrape.control.meters.shardHistogram('syncNs', shardCount(scrape)),
  ),
  byShard('gauge', 'omendb_shard_serving', '1 where the shard serves, else 0.', ({ state }) =>
    state === 'serving' ? 1 : 0,
  ),
  byShardAnd(
    'operation',
    'omendb_shard_operations_total',
    'Operations that were committed, those of batches one by one, and batches or parts of them.',
    ({ puts, dels, batches }) => ({ put: puts, del: dels, batch: batches }),
  ),
  byShard(
    'counter',
    'omendb_shard_refused_total',
    'Messages that were refused, or whose conditions did not hold.',
    ({ refused }) => refused,
  ),
  byShard('counter', 'omendb_commits_total', 'Groups that were committed.', (s) => s.commits),
  byShard(
    'counter',
    'omendb_accepted_bytes_total',
    'Bytes of the records that were committed.',
    ({ acceptedBytes }) => acceptedBytes,
  ),
  byShardAnd(
    'by',
    'omendb_written_bytes_total',
    'Bytes written to files: the log, and segments by flushes, merges and loads.',
    (shard) => ({
      log: shard.logWrittenBytes,
      flush: shard.flushWrittenBytes,
      compaction: shard.compactionWrittenBytes,
      load: shard.loadWrittenBytes,
    }),
  ),
  byShard('counter', 'omendb_flushes_total', 'Memtables that were flushed.', (s) => s.flushes),
  byShard('counter', 'omendb_flush_rows_total', 'Rows written by flushes.', (s) => s.flushRows),
  byShard(
    'counter',
    'omendb_flush_seconds_total',
    'How long flushes took.',
    (s) => s.flushMs / 1000,
  ),
  byShard('counter', 'omendb_compactions_total', 'Merges of runs.', (s) => s.compactions),
  byShard(
    'counter',
    'omendb_compaction_rows_total',
    'Rows written by merges.',
    (s) => s.compactionRows,
  ),
  byShard(
    'counter',
    'omendb_compaction_seconds_total',
    'How long merges took.',
    (s) => s.compactionMs / 1000,
  ),
  byShard(
    'counter',
    'omendb_postponed_jobs_total',
    'Flushes and merges that found no room or no descriptor, and were left for later.',
    ({ postponed }) => postponed,
  ),
  byShard(
    'counter',
    'omendb_recoveries_total',
    'How often the thread of the shard was replaced.',
    ({ recoveries }) => recoveries,
  ),
  byShard(
    'gauge',
    'omendb_recovery_seconds',
    'How long the last open or recovery took until the shard served.',
    ({ recoveryMs }) => recoveryMs / 1000,
  ),
  byShard('gauge', 'omendb_rows', 'Rows, versions not merged yet among them.', (s) => s.rows),
  byShard('gauge', 'omendb_runs', 'Sorted runs: what a get may have to ask.', (s) => s.runs),
  {
    name: 'omendb_tier_runs',
    help: 'Runs of 4^tier rows up to four times as many, of all shards.',
    type: 'gauge',
    samples: ({ stats }) =>
      stats.shards[0].tiers.map((_, tier) => {
        const value = stats.shards.reduce((sum, { tiers }) => sum + tiers[tier], 0);
        return { value, labels: { tier: String(tier) } };
      }),
  },
  byShard('gauge', 'omendb_segments', 'Segments of all runs.', (s) => s.segments),
  byShard(
    'gauge',
    'omendb_index_window_rows',
    'The widest window of a learned index.',
    ({ windowMax }) => windowMax,
  ),
  byShard(
    'gauge',
    'omendb_memtables',
    'Memtables, those among them that wait for their flush.',
    ({ memtables }) => memtables,
  ),
  byShard('gauge', 'omendb_memtable_entries', 'Entries in memtables.', (s) => s.memtableEntries),
  byShard(
    'gauge',
    'omendb_memtable_bytes',
    'Bytes in the active memtable.',
    (s) => s.memtableBytes,
  ),
  byShard('gauge', 'omendb_log_bytes', 'Bytes of the newest log file.', (s) => s.walBytes),
  byShard(
    'gauge',
    'omendb_log_kept_bytes',
    'Bytes of log files that are kept for watches alone.',
    ({ walKeptBytes }) => walKeptBytes,
  ),
  byShard('gauge', 'omendb_disk_free_bytes', 'Bytes free on its volume.', (s) => s.diskFreeBytes),
  {
    name: 'omendb_memory_bytes',
    help: 'Memory by kind: heaps of the thread that asks and of the threads of shards, and shared memory.',
    type: 'gauge',
    samples: ({ stats: { memory } }) =>
      Object.entries({
        heap: memory.heapBytes,
        shard_heap: memory.shardHeapBytes,
        segments: memory.segmentBytes,
        indexes: memory.indexBytes,
        memtables: memory.memtableBytes,
        control: memory.controlBytes,
      }).map(([kind, value]) => ({ value, labels: { kind } })),
  },
  whole('gauge', 'omendb_snapshots', 'Snapshots that are open.', ({ snapshots }) => snapshots),
  whole('gauge', 'omendb_watches', 'Watches that are open.', ({ watches }) => watches),
];

/** What prom-client's registry asks of a metric. */
class ScrapedMetric {
  /** May be changed: in OpenMetrics, counters are known without their suffix. */
  name: string;
  readonly help: string;
  readonly type: Definition['type'];
  readonly aggregator = 'sum';
  readonly #samples: () => readonly Sample[];

  constructor({ name, help, type }: Definition, samples: () => readonly Sample[]) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.#samples = samples;
  }

  async get() {
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values: this.#samples() };
  }

  /** What was counted is not the registry's to forget. */
  reset(): void {}
}

/** @param beforeScrape throws where there is nothing to scrape any more */
export async function metricsOf(
  membership: Membership,
  beforeScrape: () => void,
): Promise<Registry> {
  const { Registry: PromRegistry } = await import('prom-client');
  const registry = new PromRegistry();
  // A registry asks all of its metrics at once: they are of one reading.
  let scrape: Scrape | null = null;
  const read = (): Scrape => {
    if (scrape !== null) return scrape;
    beforeScrape();
    queueMicrotask(() => {
      scrape = null;
    });
    scrape = { stats: collectStats(membership), control: membership.control };
    return scrape;
  };
  for (const definition of DEFINITIONS) {
    const metric = new ScrapedMetric(definition, () => definition.samples(read()));
    registry.registerMetric(metric as unknown as Metric);
  }
  return registry;
}
