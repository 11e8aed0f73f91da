/**
 * What a shard counts of its own work, for the control block. Its owner adds to plain numbers, which
 * `publish` copies now and then, as nobody needs them sooner; histograms are shared memory at once.
 *
 * - Counts go on from where the shard's last owner left them. What that one had not published is lost.
 */

import type { StorageMeter } from '../storage/metered.ts';
import type { Control, ShardCounter } from '../view/control.ts';
import { record } from '../view/histogram.ts';
import { type ShardHistogram, TIERS } from '../view/meters.ts';
import type { Run } from '../view/segment.ts';
import { tier } from './compaction.ts';
import type { WrittenSegmentFiles } from './segment-files.ts';

const COUNTED = [
  'commits',
  'flushes',
  'compactions',
  'postponed',
  'puts',
  'dels',
  'batches',
  'refused',
  'acceptedBytes',
  'logWrittenBytes',
  'flushWrittenBytes',
  'compactionWrittenBytes',
  'loadWrittenBytes',
  'flushRows',
  'flushMs',
  'compactionRows',
  'compactionMs',
  'loadRows',
] as const satisfies readonly ShardCounter[];

/** Rows and bytes of segments that a job wrote. */
export interface Written {
  readonly rows: number;
  readonly bytes: number;
}

export function sizeOf(files: readonly Pick<WrittenSegmentFiles, 'record'>[]): Written {
  let [rows, bytes] = [0, 0];
  for (const { record } of files) {
    rows += record.rows;
    bytes += record.fileBytes + record.modelBytes;
  }
  return { rows, bytes };
}

export class ShardMeter implements Record<(typeof COUNTED)[number], number>, StorageMeter {
  commits = 0;
  flushes = 0;
  compactions = 0;
  postponed = 0;
  puts = 0;
  dels = 0;
  batches = 0;
  refused = 0;
  acceptedBytes = 0;
  logWrittenBytes = 0;
  flushWrittenBytes = 0;
  compactionWrittenBytes = 0;
  loadWrittenBytes = 0;
  flushRows = 0;
  flushMs = 0;
  compactionRows = 0;
  compactionMs = 0;
  loadRows = 0;
  readonly #control: Control;
  readonly #shard: number;
  /** Operations of the group under way, which do not count unless it is committed. */
  #puts = 0;
  #dels = 0;
  #batches = 0;

  constructor(control: Control, shard: number) {
    this.#control = control;
    this.#shard = shard;
    for (const name of COUNTED) this[name] = control.counter(shard, name);
  }

  /** An operation was added to the group. */
  put(): void {
    this.#puts++;
  }

  /** Of a row or a range. */
  del(): void {
    this.#dels++;
  }

  batch(): void {
    this.#batches++;
  }

  /** The group was committed. @param bytes of its records */
  committed(records: number, bytes: number): void {
    this.commits++;
    this.puts += this.#puts;
    this.dels += this.#dels;
    this.batches += this.#batches;
    this.acceptedBytes += bytes;
    this.discarded();
    this.#record('groupRecords', records);
  }

  /** The group is lost. */
  discarded(): void {
    this.#puts = 0;
    this.#dels = 0;
    this.#batches = 0;
  }

  /** From when the first write of a group was taken up until all were shown. */
  served(ms: number): void {
    this.#record('groupNs', ms * 1e6);
  }

  wrote(bytes: number): void {
    this.logWrittenBytes += bytes;
  }

  synced(ms: number): void {
    this.#record('syncNs', ms * 1e6);
  }

  flushed({ rows, bytes }: Written, ms: number): void {
    this.flushes++;
    this.flushRows += rows;
    this.flushWrittenBytes += bytes;
    this.flushMs += ms;
  }

  compacted({ rows, bytes }: Written, ms: number): void {
    this.compactions++;
    this.compactionRows += rows;
    this.compactionWrittenBytes += bytes;
    this.compactionMs += ms;
  }

  #record(name: ShardHistogram, value: number): void {
    const { meters } = this.#control;
    record(meters.words, meters.shardHistogramAt(this.#shard, name), value);
  }

  /** @param runs those of the shard */
  publish(runs: readonly Run[]): void {
    for (const name of COUNTED) this.#control.setCounter(this.#shard, name, this[name]);
    const tiers = new Array<number>(TIERS).fill(0);
    for (const { rows } of runs) tiers[Math.min(tier(rows), TIERS - 1)]++;
    this.#control.meters.setTiers(this.#shard, tiers);
  }
}
