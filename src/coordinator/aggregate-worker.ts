/** A thread of the pool that computes aggregates: it reads a part of a snapshot, straight from shared memory. */
import type { Schema } from '../schema/schema.ts';
import { type AggregatePlan, aggregateBlocks, type Groups } from '../view/aggregate.ts';
import { collectGarbage } from '../view/collect-garbage.ts';
import type { Filter } from '../view/filter.ts';
import { filteredBlocks } from '../view/filtered-blocks.ts';
import { receiveTask, type ShardTask } from '../view/shard-task.ts';

export interface AggregateTask extends ShardTask {
  readonly schema: Schema;
  readonly plan: AggregatePlan;
  readonly filter: Filter | null;
}

let isDue = false;

export default function run(task: AggregateTask): Groups {
  const { schema, plan, filter } = task;
  const { shard, bounds } = receiveTask(schema, task);
  const blocks = filteredBlocks(schema, [shard], bounds, false, true, filter);
  if (!isDue) {
    isDue = true;
    // What the task reads may be gigabytes of shared memory, of which V8 counts nothing.
    setImmediate(() => {
      isDue = false;
      collectGarbage();
    });
  }
  return aggregateBlocks(schema, plan, blocks);
}
