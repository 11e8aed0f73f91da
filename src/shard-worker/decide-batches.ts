/**
 * The outcome of every batch that recovery found: committed where some shard's log says so, or where
 * every participant has its part and nobody logged an abort.
 */
import type { RecoveredShard } from './replay.ts';

/** Names of the committed batches among those undecided somewhere. All others are aborted. */
export function decideBatches(shards: readonly RecoveredShard[]): Set<string> {
  const outcomes = new Map(shards.flatMap(({ decided }) => decided));
  const found = new Map<string, Set<number>>();
  for (const { shard, undecided } of shards) {
    for (const { batch } of undecided) {
      const holders = found.get(batch) ?? new Set();
      found.set(batch, holders.add(shard));
    }
  }
  const committed = new Set<string>();
  for (const { undecided } of shards) {
    for (const { batch, participants } of undecided) {
      const isWhole = participants.every((shard) => found.get(batch)?.has(shard));
      if (outcomes.get(batch) ?? isWhole) committed.add(batch);
    }
  }
  return committed;
}
