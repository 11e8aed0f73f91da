/**
 * Runs aggregates over one snapshot, and makes rows of what they come to.
 *
 * Where statistics of pages say everything, or there is little to read, it is done here and now; else the
 * snapshot is cut into tasks of a million rows or so, which the pool's threads read from shared memory.
 * The snapshot stays pinned until no task runs any more.
 */
import { OmenError } from '../errors.ts';
import type { Schema } from '../schema/schema.ts';
import {
  type AggregatePlan,
  aggregateBlocks,
  type Groups,
  groupOf,
  isInteger,
  isPageable,
  mergeGroups,
  typeOf,
} from '../view/aggregate.ts';
import {
  countDistinct,
  type Moments,
  type Primitive,
  quantileOf,
} from '../view/aggregate-state.ts';
import type { Control } from '../view/control.ts';
import type { Filter } from '../view/filter.ts';
import { filteredBlocks, inForceIn } from '../view/filtered-blocks.ts';
import { settledRun } from '../view/row-blocks.ts';
import { rowsWithin, shardTask, splitBounds } from '../view/shard-task.ts';
import type { ShardSnapshot } from '../view/shard-view.ts';
import type { AggregatePool } from './aggregate-pool.ts';
import type { Figure, ParsedAggregate } from './aggregate-spec.ts';
import type { Iteration } from './range.ts';
import type { Capture } from './reader.ts';

/** Fewer rows are read here: to ask another thread takes as long. */
const ROWS_HERE_MAX = 131_072;

/** What is aggregated, over what. */
export interface AggregateRun {
  readonly schema: Schema;
  readonly bigints: boolean;
  readonly iteration: Iteration;
  readonly filter: Filter | null;
  readonly asked: ParsedAggregate;
  readonly groupBy: string | undefined;
  readonly control: Control;
  readonly pool: AggregatePool;
  capture(): Capture;
  /** Called before every task and at the end; throws once the aggregate may not go on. */
  throwIfOver(): void;
}

/** One row of figures, or one for each group, in the order of buckets and then of values. */
export async function aggregate(run: AggregateRun): Promise<unknown> {
  run.throwIfOver();
  const groups = await groupsOfRun(run);
  const { plan, figures } = run.asked;
  if (plan.groupBy === null && plan.bucketMs === null) {
    return figuresOf(run, figures, groupOf(plan, groups, 0, null));
  }
  return [...groups]
    .sort(([a], [b]) => a - b)
    .flatMap(([bucket, values]) =>
      [...values]
        .sort(([a], [b]) => compareValues(a, b))
        .map(([value, state]) => ({
          ...(plan.bucketMs === null ? {} : { bucket }),
          ...(run.groupBy === undefined ? {} : { [run.groupBy]: valueGiven(run, value) }),
          ...figuresOf(run, figures, state),
        })),
    );
}

async function groupsOfRun(run: AggregateRun): Promise<Groups> {
  const { iteration, asked } = run;
  if (iteration.isEmpty) return new Map();
  const { shards, release } = run.capture();
  try {
    const rows = shards.reduce((sum, shard) => sum + rowsWithin(shard, iteration), 0);
    const isKnown =
      run.filter === null &&
      isPageable(asked.plan) &&
      asked.plan.bucketMs === null &&
      inForceIn(shards) === null &&
      shards.every((shard) => settledRun(shard) !== null || rowsWithin(shard, iteration) === 0);
    return isKnown || rows <= ROWS_HERE_MAX ? here(run, shards) : await elsewhere(run, shards);
  } finally {
    release();
  }
}

function here(
  { schema, asked, filter, iteration }: AggregateRun,
  shards: readonly ShardSnapshot[],
) {
  const { plan } = asked;
  const groups: Groups = new Map();
  for (const shard of shards) {
    const blocks = filteredBlocks(schema, [shard], iteration, false, true, filter);
    mergeGroups(schema, plan, groups, aggregateBlocks(schema, plan, blocks));
  }
  return groups;
}

async function elsewhere(run: AggregateRun, shards: readonly ShardSnapshot[]): Promise<Groups> {
  const { schema, asked, filter, iteration, control, pool } = run;
  const { plan } = asked;
  const groups: Groups = new Map();
  const parts = shards.flatMap((shard) =>
    splitBounds(shard, iteration).map((bounds) => ({ shard, bounds })),
  );
  const next = parts.values();
  const worker = async (): Promise<void> => {
    for (const { shard, bounds } of next) {
      run.throwIfOver();
      const task = { ...shardTask(shard, control, bounds), schema, plan, filter };
      mergeGroups(schema, plan, groups, await pool.run(task));
    }
  };
  const settled = await Promise.allSettled(Array.from({ length: pool.threads }, worker));
  // What was read after a close may be other memory by then.
  run.throwIfOver();
  const failed = settled.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return groups;
}

function figuresOf(
  run: AggregateRun,
  figures: readonly Figure[],
  state: ReturnType<typeof groupOf>,
): Record<string, unknown> {
  const { plan } = run.asked;
  return Object.fromEntries(
    figures.map((figure) => {
      const { name, what, index, q } = figure;
      if (what === 'rows') return [name, state.rows];
      const { moments, distinct, sketch } = state.columns[index];
      if (what === 'distinct') return [name, distinct === null ? 0 : countDistinct(distinct)];
      if (what === 'quantile') return [name, sketch === null ? null : quantileOf(sketch, q)];
      return [name, momentOf(run, plan, figure, moments)];
    }),
  );
}

function momentOf(
  run: AggregateRun,
  plan: AggregatePlan,
  { what, index }: Figure,
  moments: Moments,
): unknown {
  const type = typeOf(run.schema, plan.columns[index].column);
  const isWhole = isInteger(type);
  const { count, nans } = moments;
  switch (what) {
    case 'count':
      return count;
    case 'sum':
      return isWhole ? wholeSum(moments) : nans > 0 ? Number.NaN : moments.sum + moments.rest;
    case 'mean': {
      if (count === 0) return null;
      if (nans > 0) return Number.NaN;
      return (isWhole ? Number(wholeSum(moments)) : moments.sum + moments.rest) / count;
    }
    case 'min':
      return valueGiven(run, moments.min, type);
    case 'max':
      return valueGiven(run, moments.max, type);
    default: {
      if (count < 2) return null;
      const variance = nans > 0 ? Number.NaN : moments.spread / (count - 1);
      return what === 'variance' ? variance : Math.sqrt(variance);
    }
  }
}

function wholeSum({ whole, sum }: Moments): bigint {
  return whole + BigInt(sum);
}

/** A value as `get` gives it. @throws OMEN_UNSAFE_INTEGER */
function valueGiven(
  { schema, bigints, asked }: AggregateRun,
  value: Primitive | null,
  type = asked.plan.groupBy === null ? null : typeOf(schema, asked.plan.groupBy),
): unknown {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') {
    const bytes = Buffer.from(value, 'latin1');
    return type === 'utf8' ? bytes.toString() : new Uint8Array(bytes);
  }
  if (bigints && (type === 'int64' || type === 'uint64')) return BigInt(value);
  if (typeof value === 'number') return value;
  throw new OmenError(
    'OMEN_UNSAFE_INTEGER',
    `The integer ${value} is beyond ±(2^53 − 1). Open the database with bigints: true.`,
  );
}

/** Nulls first; bytes, in latin1, by their codes. */
function compareValues(a: Primitive | null, b: Primitive | null): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null);
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : Number(a > b);
}
