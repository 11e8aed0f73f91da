import test from 'ava';
import { parseSchema, type Schema } from '../../src/schema/schema.ts';
import {
  type AggregatePlan,
  aggregateBlocks,
  type Groups,
  mergeGroups,
} from '../../src/view/aggregate.ts';
import { boundsOf, greatestBound, leastBound } from '../../src/view/bounds.ts';
import { Control, createControl } from '../../src/view/control.ts';
import { rowBlocks } from '../../src/view/row-blocks.ts';
import type { Segment, SegmentHandle } from '../../src/view/segment.ts';
import { receiveTask, rowsWithin, shardTask, splitBounds } from '../../src/view/shard-task.ts';
import { compileReaders, type ShardSnapshot, ShardView } from '../../src/view/shard-view.ts';
import { type Entry, newHandle, SMALL, segmentOf, TestMemtable } from './support.ts';

const control = new Control(createControl());

function shardOf(
  schema: Schema,
  runs: readonly SegmentHandle[][],
  written: readonly Entry[],
): ShardSnapshot {
  const storesKeys = schema.key === 'utf8';
  const memtable = new TestMemtable(schema, control.table, newHandle(SMALL, storesKeys));
  for (const [key, row] of written) memtable.put(key, row);
  const message = {
    shard: 0,
    version: 1,
    memtables: [memtable.writer.handle],
    runs,
    cleared: runs.map(() => []),
  };
  const view = new ShardView(message, compileReaders(schema, true), control.table, null);
  return view.capture(new Set());
}

const PLAN: AggregatePlan = {
  columns: [{ column: 0, moments: true, distinct: true, quantiles: true }],
  groupBy: null,
  bucketMs: null,
};

test('a snapshot cut into tasks, each read as another thread reads it, comes to the same', (t) => {
  for (const key of ['int64', 'utf8'] as const) {
    const schema = parseSchema({ key, columns: { n: 'int32?' } });
    const keyOf = (i: number) => (key === 'utf8' ? String(i).padStart(6, '0') : i);
    const entryOf = (i: number): Entry => [keyOf(i), { n: i % 5 === 0 ? null : i }];
    const segments = [0, 1, 2].map((part) =>
      segmentOf(
        schema,
        Array.from({ length: 50 }, (_, i) => entryOf(100 * part + i)),
      ),
    );
    const written: Entry[] = [[keyOf(3), undefined], entryOf(70), entryOf(149), entryOf(250)];
    const shard = shardOf(schema, [segments], written);
    const bounds = boundsOf(leastBound(key), greatestBound(key), false, false);
    const parts = splitBounds(shard, bounds);
    t.is(parts.length, 3);
    const merged: Groups = new Map();
    for (const part of parts) {
      const task = structuredClone(shardTask(shard, control, part));
      const received = receiveTask(schema, task);
      const blocks = rowBlocks(schema, [received.shard], received.bounds, false, true);
      mergeGroups(schema, PLAN, merged, aggregateBlocks(schema, PLAN, blocks));
    }
    const whole = aggregateBlocks(schema, PLAN, rowBlocks(schema, [shard], bounds, false, true));
    const [one, other] = [merged, whole].map((groups) => groups.get(0)?.get(null));
    t.is(one?.rows, 151);
    t.is(one?.rows, other?.rows);
    const [a, b] = [one, other].map((state) => state?.columns[0]);
    // A set tells in which order it was filled, which is that of sources.
    const valuesOf = (state: typeof a) => [...(state?.distinct?.values ?? [])].sort();
    t.deepEqual(valuesOf(a), valuesOf(b));
    t.deepEqual(a?.sketch?.count, b?.sketch?.count);
    t.deepEqual(
      [a?.moments.sum, a?.moments.min, a?.moments.max, a?.moments.count],
      [b?.moments.sum, b?.moments.min, b?.moments.max, b?.moments.count],
    );
    t.is(rowsWithin(shard, bounds), 154);
  }
});

test('whole pages are taken from their statistics, the edges of a range are read', (t) => {
  const schema = parseSchema({ key: 'int64', columns: { n: 'int32' } });
  const entries = Array.from({ length: 3 * 4096 + 7 }, (_, key): Entry => [key, { n: key }]);
  const shard = shardOf(schema, [[segmentOf(schema, entries)]], []);
  const [segment] = shard.view.runs[0].segments as Segment[];
  // Statistics that say something else tell which pages were not read.
  segment.statistics.fill(0);
  const plan = { ...PLAN, columns: [{ ...PLAN.columns[0], distinct: false, quantiles: false }] };
  const key = (at: number) => ({ hi: 2 ** 31, lo: at, bytes: null });
  const stateOf = (first: number, last: number) => {
    const bounds = boundsOf(key(first), key(last), false, false);
    const groups = aggregateBlocks(schema, plan, rowBlocks(schema, [shard], bounds, false, true));
    return groups.get(0)?.get(null);
  };
  const whole = stateOf(0, 20_000);
  t.deepEqual([whole?.rows, whole?.columns[0].moments.count], [3 * 4096 + 7, 0]);
  const edges = stateOf(4096 - 10, 2 * 4096 + 4);
  t.deepEqual([edges?.rows, edges?.columns[0].moments.count], [10 + 4096 + 5, 15]);
  t.deepEqual([edges?.columns[0].moments.min, edges?.columns[0].moments.max], [4086, 8196]);
});
