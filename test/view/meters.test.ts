import test from 'ava';
import { CLIENTS_MAX, SHARDS_MAX } from '../../src/view/commit-table.ts';
import { Control, createControl } from '../../src/view/control.ts';
import { HISTOGRAM_WORDS, record } from '../../src/view/histogram.ts';
import {
  BACKLOG,
  CALLS_AT,
  CLIENT_HISTOGRAMS,
  MeterBoard,
  OPERATIONS,
  SHARD_HISTOGRAMS,
  TIERS,
} from '../../src/view/meters.ts';

const CLIENTS = [0, 1, CLIENTS_MAX - 1];
const SHARDS = [0, 1, SHARDS_MAX - 1];

test('every slot has words of its own, to the last client and shard', (t) => {
  const { meters, memory } = new Control(createControl());
  const before = new Float64Array(memory).slice();
  const taken = new Set<number>();
  const take = (at: number, words: number): void => {
    for (let i = at; i < at + words; i++) {
      t.false(taken.has(i));
      t.true(i < before.length && before[i] === 0);
      taken.add(i);
    }
  };
  for (const client of CLIENTS) {
    take(meters.clientAt(client), BACKLOG + 1);
    for (const kind of OPERATIONS.keys()) take(meters.timesAt(client, kind), HISTOGRAM_WORDS);
    for (const name of CLIENT_HISTOGRAMS) {
      take(meters.clientHistogramAt(client, name), HISTOGRAM_WORDS);
    }
  }
  for (const shard of SHARDS) {
    meters.setTiers(shard, new Array(TIERS).fill(9));
    for (const name of SHARD_HISTOGRAMS) {
      take(meters.shardHistogramAt(shard, name), HISTOGRAM_WORDS);
    }
  }
  const tiers = SHARDS.flatMap((shard) => meters.tiers(shard));
  t.deepEqual(tiers, new Array(SHARDS.length * TIERS).fill(9));
  for (const i of taken) t.is(meters.words[i], 0, 'no tier lies in a histogram');
});

test('figures of all clients, and of the shards there are, are added up', (t) => {
  const { meters } = new Control(createControl());
  for (const client of CLIENTS) {
    meters.words[meters.clientAt(client) + CALLS_AT + 3] = 10;
    record(meters.words, meters.timesAt(client, 3), 100 * (client + 1));
    record(meters.words, meters.clientHistogramAt(client, 'probes'), 2);
  }
  t.deepEqual([meters.sum(CALLS_AT + 3), meters.sum(CALLS_AT + 2)], [30, 0]);
  t.deepEqual([meters.times(3).count, meters.times(3).sum], [3, 100 * (1 + 2 + CLIENTS_MAX)]);
  t.is(meters.times(2).count, 0);
  t.is(meters.clientHistogram('probes').sum, 6);
  for (const shard of SHARDS) {
    record(meters.words, meters.shardHistogramAt(shard, 'syncNs'), 1000);
  }
  t.is(meters.shardHistogram('syncNs', 2).count, 2);
  t.is(meters.shardHistogram('syncNs', SHARDS_MAX).count, 3);
});

test('of a client that is gone, what it counted stays, and what it had waiting does not', (t) => {
  const { meters } = new Control(createControl());
  meters.words[meters.clientAt(1) + CALLS_AT] = 5;
  meters.words[meters.clientAt(1) + BACKLOG] = 7;
  meters.words[meters.clientAt(2) + BACKLOG] = 1;
  meters.clearClient(1);
  t.deepEqual([meters.sum(CALLS_AT), meters.sum(BACKLOG)], [5, 1]);
  t.true(
    MeterBoard.bytes(SHARDS_MAX, CLIENTS_MAX) < 2 ** 23,
    'a few megabytes, mostly never touched',
  );
});
