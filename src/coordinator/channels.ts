/**
 * What a database tells through `node:diagnostics_channel`: `omendb:slow`, `omendb:flush`,
 * `omendb:compaction`, `omendb:recovery` and `omendb:load`. Where nobody subscribes, no message is made.
 *
 * Subscribers are called from the event loop, never from within a read or a write.
 */
import diagnosticsChannel from 'node:diagnostics_channel';
import type { ErrorCode } from '../errors.ts';
import type { WorkNotice } from '../shard-worker/notice.ts';
import type { Operation } from '../view/meters.ts';

/** An operation that took as long as the option `slowMs`, or longer: in the thread that asked for it. */
export interface SlowOperation {
  /** The directory of the database, here and below. */
  readonly path: string;
  readonly operation: Operation;
  readonly ms: number;
  /** What it failed with; null where it succeeded. */
  readonly code: ErrorCode | null;
}

/** A memtable became a run, or runs became one: in the thread that opened the database. */
export interface ShardWork {
  readonly path: string;
  readonly shard: number;
  /** What was written: 0 where runs were joined without being rewritten. */
  readonly rows: number;
  readonly bytes: number;
  readonly ms: number;
}

/** Shards serve, after an open, or after their thread had died: in the thread that opened the database. */
export interface Recovery {
  readonly path: string;
  readonly shards: readonly number[];
  /** Why their thread ended; null: it is the database that was opened. */
  readonly reason: string | null;
  readonly ms: number;
  /** Of logs that were read. */
  readonly records: number;
}

/** A bulk load was published: in the thread that loaded. */
export interface Loaded {
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  readonly ms: number;
}

/** What is published on each channel. */
export interface ChannelMessages {
  readonly 'omendb:slow': SlowOperation;
  readonly 'omendb:flush': ShardWork;
  readonly 'omendb:compaction': ShardWork;
  readonly 'omendb:recovery': Recovery;
  readonly 'omendb:load': Loaded;
}

const CHANNELS = {
  'omendb:slow': diagnosticsChannel.channel('omendb:slow'),
  'omendb:flush': diagnosticsChannel.channel('omendb:flush'),
  'omendb:compaction': diagnosticsChannel.channel('omendb:compaction'),
  'omendb:recovery': diagnosticsChannel.channel('omendb:recovery'),
  'omendb:load': diagnosticsChannel.channel('omendb:load'),
};

/** @param messageOf called now, where somebody subscribes */
export function publish<Name extends keyof ChannelMessages>(
  name: Name,
  messageOf: () => ChannelMessages[Name],
): void {
  const channel = CHANNELS[name];
  if (!channel.hasSubscribers) return;
  const message = messageOf();
  process.nextTick(() => channel.publish(message));
}

export function publishWork(path: string, { notice, ...work }: WorkNotice): void {
  publish(`omendb:${notice}`, () => ({ path, ...work }));
}
