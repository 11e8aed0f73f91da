/** Statistics, read from the control block by any thread: nobody is asked, nobody waits. */
import { SHARD_COUNTERS, type ShardCounter } from '../view/control.ts';
import type { ShardState } from '../view/status.ts';
import type { Membership } from './membership.ts';

export type ShardStats = { readonly shard: number; readonly state: ShardState } & {
  readonly [Counter in ShardCounter]: number;
};

export interface Stats {
  /** Sums over all shards; `windowMax` and `diskFreeBytes` are the largest. Rows count versions not merged yet. */
  readonly total: { readonly [Counter in ShardCounter]: number };
  readonly shards: readonly ShardStats[];
  /** Snapshots that are open, of all threads. */
  readonly snapshots: number;
  /** And watches. */
  readonly watches: number;
}

export function collectStats({ control, shards }: Membership): Stats {
  const all = Array.from({ length: shards }, (_, shard): ShardStats => {
    const counters = SHARD_COUNTERS.map((name) => [name, control.counter(shard, name)]);
    return { shard, state: control.statuses.state(shard), ...Object.fromEntries(counters) };
  });
  const total = SHARD_COUNTERS.map((name) => {
    const values = all.map((stats) => stats[name]);
    const isLargest = name === 'windowMax' || name === 'diskFreeBytes';
    return [name, isLargest ? Math.max(...values) : values.reduce((a, b) => a + b, 0)];
  });
  const { snapshots, logs } = control;
  return { total: Object.fromEntries(total), shards: all, snapshots, watches: logs.watches };
}
