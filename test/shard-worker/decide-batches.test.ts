import test from 'ava';
import { decideBatches } from '../../src/shard-worker/decide-batches.ts';
import type { RecoveredShard } from '../../src/shard-worker/replay.ts';

/** What recovery found in a shard: open parts as [batch, participants], and outcomes. */
function found(
  shard: number,
  parts: readonly (readonly [batch: string, participants: readonly number[]])[],
  decided: readonly (readonly [string, boolean])[] = [],
): RecoveredShard {
  const undecided = parts.map(([batch, participants]) => {
    return { batch, ticket: 1, epoch: { lo: 1, hi: 1 }, participants };
  });
  return { shard, undecided, decided, records: 0, tail: null, salvaged: [] };
}

test('a batch is committed where every participant has its part', (t) => {
  const shards = [found(0, [['a', [0, 2]]]), found(1, []), found(2, [['a', [0, 2]]])];
  t.deepEqual([...decideBatches(shards)], ['a']);
});

test('a batch is aborted where a part is missing', (t) => {
  const shards = [found(0, [['a', [0, 1, 2]]]), found(1, []), found(2, [['a', [0, 1, 2]]])];
  t.deepEqual([...decideBatches(shards)], []);
});

test('an outcome in one log is the outcome everywhere, against all appearance', (t) => {
  const committed = [found(0, [['a', [0, 1]]]), found(1, [], [['a', true]])];
  t.deepEqual([...decideBatches(committed)], ['a']);
  const aborted = [
    found(0, [['a', [0, 1, 2]]]),
    found(1, [['a', [0, 1, 2]]]),
    found(2, [], [['a', false]]),
  ];
  t.deepEqual([...decideBatches(aborted)], []);
});

test('batches are decided each by itself', (t) => {
  const shards = [
    found(0, [
      ['a', [0, 1]],
      ['b', [0, 1]],
      ['c', [0, 1]],
    ]),
    found(1, [['b', [0, 1]]], [['c', true]]),
  ];
  t.deepEqual([...decideBatches(shards)].sort(), ['b', 'c']);
});
