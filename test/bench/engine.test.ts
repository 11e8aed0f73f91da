/** The benchmarks of the engine, tiny: so that they never rot. Nothing is asserted of their figures. */
import test from 'ava';
import * as aggregates from '../../bench/engine/aggregates.ts';
import * as alternate from '../../bench/engine/alternate.ts';
import * as durability from '../../bench/engine/durability.ts';
import * as exports from '../../bench/engine/export.ts';
import * as get from '../../bench/engine/get.ts';
import * as level from '../../bench/engine/level.ts';
import * as load from '../../bench/engine/load.ts';
import * as loadBudget from '../../bench/engine/load-budget.ts';
import * as loadScale from '../../bench/engine/load-scale.ts';
import * as memory from '../../bench/engine/memory.ts';
import * as metrics from '../../bench/engine/metrics.ts';
import * as puts from '../../bench/engine/puts.ts';
import * as recovery from '../../bench/engine/recovery.ts';
import * as reopen from '../../bench/engine/reopen.ts';
import * as scaling from '../../bench/engine/scaling.ts';
import * as scans from '../../bench/engine/scans.ts';
import * as watches from '../../bench/engine/watches.ts';

test.serial('the benchmark of gets runs, and every answer is right', async (t) => {
  const result = await get.run({ rows: 3000, rounds: 2, probes: 1000, peers: false });
  t.deepEqual(Object.keys(result.ns), ['omendb', 'map']);
  t.regex(get.show(result), /OmenDB get/);
});

test.serial('the benchmark of puts runs, and every row is there', async (t) => {
  const result = await puts.run({ rows: 3000, rounds: 1, shards: [1, 2], singles: 50 });
  t.is(result.many.length, 4, 'each number of shards, with puts and with batches');
  t.is(result.single.puts, 50);
  t.regex(puts.show(result), /one at a time/);
});

test.serial('the benchmark of loads runs, and every row is there', async (t) => {
  const result = await load.run({ rows: 3000, rounds: 1, peers: false });
  t.is(Object.keys(result.seconds).length, 4);
  t.regex(load.show(result), /Arrow, shuffled/);
});

test.serial('the benchmark of loads within a budget runs, and tells its bound', async (t) => {
  const result = await loadBudget.run({ rows: 30_000, rounds: 1, memory: 1.1e6 });
  t.true(result.loads[1].last.spilledBytes > 0);
  t.true(result.peakBytes > result.residentBytes);
  t.regex(loadBudget.show(result), /the bound of/);
});

test.serial('the benchmark of larger and larger loads runs, and calculates', async (t) => {
  const result = await loadScale.run({ rows: 64_000, memory: 1.1e6 });
  t.is(result.far.rows, 1e9);
  t.true(result.far.fileBytes > 1e10);
  t.regex(loadScale.show(result), /off by/);
});

test.serial('the benchmark of exports runs, and writes what a loop writes', async (t) => {
  const result = await exports.run({ rows: 1000, rounds: 1 });
  t.deepEqual(Object.keys(result.results), ['numbers', 'mixed']);
  t.regex(exports.show(result), /csv, a loop/);
});

test.serial('the benchmark of durability runs, and every row is there', async (t) => {
  const result = await durability.run({ rows: 3000, rounds: 1, singles: 20 });
  t.is(result.contestants.length, 4);
  t.regex(durability.show(result), /bare write/);
});

test.serial("the benchmark of a shard's own work runs", async (t) => {
  const result = await scaling.run({ rows: 10_000, rounds: 1 });
  t.true(result.speedUp > 0);
  t.regex(scaling.show(result), /as two shards/);
});

test.serial('the benchmark of memory runs, and counts its rows', async (t) => {
  const result = await memory.run({ rows: 10_000, settleMs: 0 });
  t.is(result.stats.rows, 10_000);
  t.regex(memory.show(result), /learned index/);
});

test.serial(
  'the benchmark of metrics runs, over sources that count and sources that do not',
  async (t) => {
    const result = await metrics.run({
      rows: 3000,
      gets: 1000,
      puts: 1000,
      rounds: 2,
      processes: 1,
    });
    t.true(result.get.counting > 0 && result.put.without > 0);
    t.regex(metrics.show(result), /standard error/);
  },
);

test.serial('the benchmark of reads that alternate with writes runs', async (t) => {
  const options = { entries: 8192, turns: 100, shards: [1, 2], opens: 1 };
  const result = await alternate.run(options);
  t.is(result.reads.length, 2);
  t.regex(alternate.show(result), /nearly full/);
});

test.serial('the benchmark of scans runs, and every pass has every row', async (t) => {
  const result = await scans.run({ rows: 5000, rounds: 1, peers: false });
  t.is(Object.keys(result.seconds).length, 5);
  t.regex(scans.show(result), /ordered: false/);
});

test.serial('the benchmark of watches runs, and every change comes', async (t) => {
  const result = await watches.run({ rows: 3000, rounds: 1, singles: 20 });
  t.deepEqual(
    result.results.map(({ shards }) => shards),
    [1, 2],
  );
  t.regex(watches.show(result), /put to change/);
});

test.serial('the benchmark of recovery runs, and every row comes back', async (t) => {
  const result = await recovery.run({ rows: 3000, rounds: 1 });
  t.deepEqual(
    result.recoveries.map(({ shards }) => shards),
    [1, 2],
  );
  t.regex(recovery.show(result), /against 1 shard/);
});

test.serial('the benchmark of reopening runs, and every answer is right', async (t) => {
  const result = await reopen.run({ rows: 3000, rounds: 1, peers: false });
  t.deepEqual(
    result.reopenings.map(({ name }) => name),
    ['get', 'count'],
  );
  t.regex(reopen.show(result), /first asked/);
});

test.serial('the benchmark of aggregates runs, and asks every question', async (t) => {
  const result = await aggregates.run({ rows: 5000, rounds: 1, peers: false });
  t.is(Object.keys(result.milliseconds).length, 5);
  t.regex(aggregates.show(result), /by sensor/);
});

test.serial('the benchmark of the Level face runs, and every answer is right', async (t) => {
  const result = await level.run({ rows: 2000, rounds: 1, calls: 2, peers: false });
  t.is(Object.keys(result.ns).length, 5);
  t.regex(level.show(result), /nextv/);
});
