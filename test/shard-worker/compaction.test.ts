import test from 'ava';
import { parseSchema } from '../../src/schema/schema.ts';
import { joinSegments, planFullMerge, planMerge } from '../../src/shard-worker/compaction.ts';
import { Run, Segment } from '../../src/view/segment.ts';
import { type Change, flushed } from './runs.ts';
import { emptyDisk } from './shards.ts';

const SCHEMA = parseSchema({ key: 'int64', columns: { n: 'int32' } });
let nextId = 1;

const rowsMax = (rows: number) => ({ rows, textBytes: Number.POSITIVE_INFINITY });

/** A run of `rows` keys from `first` on, with a tombstone behind them if asked for. */
function run(first: number, rows: number, tombstone = false): Run {
  const changes: Change[] = Array.from({ length: rows }, (_, i) => [first + i, { n: i }]);
  if (tombstone) changes.push([first + rows, null]);
  const written = flushed(emptyDisk(1), SCHEMA, changes, nextId++);
  return new Run(written.map(({ handle }) => new Segment(handle, SCHEMA.key)));
}

test('three runs of one size are let be, four are merged', (t) => {
  const runs = [run(0, 20), run(5, 20), run(2, 20)];
  t.is(planMerge(runs), null);
  t.deepEqual(planMerge([...runs, run(9, 20)]), { start: 0, end: 4, join: false });
});

test('a merge leaves a larger, older run alone', (t) => {
  const young = [run(0, 5), run(5, 5), run(2, 5), run(0, 5)];
  t.deepEqual(planMerge([...young, run(0, 300)]), { start: 0, end: 4, join: false });
});

test('a smaller, older run is taken along: runs are merged with their neighbours in age', (t) => {
  const runs = [run(0, 300), run(0, 5), run(0, 5), run(0, 5)];
  t.deepEqual(planMerge(runs), { start: 0, end: 4, join: false });
});

test('however their sizes are, there are never more than ten runs', (t) => {
  const runs = Array.from({ length: 11 }, (_, i) => run(0, Math.ceil(4 ** (i / 3))));
  const plan = planMerge(runs);
  t.true(plan !== null && plan.end - plan.start >= 4);
});

test('runs that do not overlap are joined as they are, in key order', (t) => {
  const runs = [run(300, 10), run(100, 10), run(200, 10), run(0, 10)];
  t.deepEqual(planMerge(runs), { start: 0, end: 4, join: true });
  const lows = joinSegments(runs).map((handle) => new Segment(handle, SCHEMA.key).lo(0));
  t.deepEqual(lows, [0, 100, 200, 300]);
});

test('runs that touch in one key, or hold a tombstone, are not joined', (t) => {
  t.false(planMerge([run(300, 10), run(100, 10), run(109, 10), run(0, 10)])?.join);
  t.false(planMerge([run(300, 10), run(100, 10, true), run(200, 10), run(0, 10)])?.join);
});

test('a run of which a quarter has expired is written anew alone', (t) => {
  const runs = [run(0, 20), run(5, 40), run(2, 100)];
  const expired = (counts: readonly number[]) => (one: Run) => counts[runs.indexOf(one)];
  t.is(planMerge(runs, expired([4, 9, 24])), null);
  t.deepEqual(planMerge(runs, expired([4, 10, 0])), { start: 1, end: 2, join: false });
  t.deepEqual(planMerge(runs, expired([0, 0, 100])), { start: 2, end: 3, join: false });
});

test('a full compaction ends with one run without tombstones and what has expired', (t) => {
  const one = run(0, 10);
  const hasExpired = (asked: Run) => asked === one;
  t.deepEqual(planFullMerge([one], rowsMax(100), hasExpired), { start: 0, end: 1, join: false });
  t.is(planFullMerge([], rowsMax(100)), null);
  t.is(planFullMerge([run(0, 10)], rowsMax(100)), null);
  t.deepEqual(planFullMerge([run(0, 10, true)], rowsMax(100)), { start: 0, end: 1, join: false });
  t.deepEqual(planFullMerge([run(50, 10), run(0, 10)], rowsMax(100)), {
    start: 0,
    end: 2,
    join: false,
  });
});

test('a run of many small segments is compacted into few', (t) => {
  const segments = [run(0, 10), run(20, 10), run(40, 10)].flatMap(({ segments }) => segments);
  t.is(planFullMerge([new Run(segments)], rowsMax(15)), null);
  t.not(planFullMerge([new Run(segments)], rowsMax(100)), null);
});
