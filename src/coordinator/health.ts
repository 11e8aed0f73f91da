/** How a database is, read from shared memory by any thread: nobody is asked, nobody waits. */
import type { ErrorCode } from '../errors.ts';
import type { ShardState } from '../view/status.ts';
import type { Membership } from './membership.ts';

export interface ShardHealth {
  readonly shard: number;
  /** `serving`, or `full`, `recovering` or `failed`; see docs/durability.md. */
  readonly state: ShardState;
  /** Milliseconds since 1970: when it came to be in this state. */
  readonly since: number;
  /** Always true: rows are in memory. */
  readonly reads: boolean;
  /** What writes are taken. While its thread is replaced, a shard's writes wait. */
  readonly writes: 'all' | 'deletes' | 'none';
  /** Why it does not serve; null where it does. */
  readonly code: ErrorCode | null;
  readonly message: string | null;
  /** Bytes free on its volume, looked up every second while its thread is at work. */
  readonly diskFreeBytes: number;
  /** Bytes of the reserve for a full disk: 0 where it was given up, or is not worth having yet. */
  readonly reserveBytes: number;
  /** How often its thread was replaced. */
  readonly recoveries: number;
}

export interface Health {
  /**
   * `ok`: every shard serves. `degraded`: a shard is full or recovering, which passes by itself (or once
   * there is room). `failed`: a shard takes no writes until the database is opened anew.
   */
  readonly status: 'ok' | 'degraded' | 'failed';
  readonly shards: readonly ShardHealth[];
}

const WRITES: Readonly<Record<ShardState, ShardHealth['writes']>> = {
  opening: 'none',
  serving: 'all',
  full: 'deletes',
  recovering: 'none',
  failed: 'none',
};

export function healthOf({ control, shards: count, readOnly }: Membership): Health {
  const shards = Array.from({ length: count }, (_, shard): ShardHealth => {
    const { state, since, error } = control.statuses.get(shard);
    return {
      shard,
      state,
      since,
      reads: true,
      writes: readOnly ? 'none' : WRITES[state],
      code: error?.code ?? null,
      message: error?.message ?? null,
      diskFreeBytes: control.counter(shard, 'diskFreeBytes'),
      reserveBytes: control.counter(shard, 'reserveBytes'),
      recoveries: control.counter(shard, 'recoveries'),
    };
  });
  const hasFailed = shards.some(({ state }) => state === 'failed');
  const isOk = shards.every(({ state }) => state === 'serving');
  return { status: hasFailed ? 'failed' : isOk ? 'ok' : 'degraded', shards };
}
