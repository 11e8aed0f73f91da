/**
 * What clients and shards count and time: part of the control block. Each client has a slot of words, and
 * each shard, which its owner alone writes, by plain stores, and any thread reads.
 *
 * - A slot outlives its owner: a client that takes the number of one that is gone, or a thread that replaces
 *   one that died, counts on from there. So sums over all slots never go back.
 * - Only `BACKLOG` is a state and no count: who sees a client go clears it.
 * - Histograms of times hold nanoseconds (`histogram.ts`).
 */
import { ERRORS } from '../errors.ts';
import { HISTOGRAM_WORDS, Histogram } from './histogram.ts';

/**
 * Operations as callers know them. `get`: also `has`, and `get` of snapshots and of text. `ordered`: `floor`,
 * `ceil`, `first`, `last`, `rank`, `at` and `count`. `iterate`: `entries`, `keys` and `values`. An `update`
 * is also the gets and conditional writes that it takes.
 */
export const OPERATIONS = [
  'get',
  'getMany',
  'ordered',
  'iterate',
  'scan',
  'aggregate',
  'snapshot',
  'put',
  'del',
  'batch',
  'clear',
  'update',
  'load',
  'flush',
  'compact',
] as const;
export type Operation = (typeof OPERATIONS)[number];

const KINDS = OPERATIONS.length;
const CODES = Object.keys(ERRORS).length;

/** Words of a client's slot: of each operation how many, how many rows, how many were slow; errors by code. */
export const CALLS_AT = 0;
export const ROWS_AT = CALLS_AT + KINDS;
export const SLOW_AT = ROWS_AT + KINDS;
export const ERRORS_AT = SLOW_AT + KINDS;
/** Writes that found no room in a ring, how long any waited for some, and how many wait now. */
export const WAITS = ERRORS_AT + CODES;
export const WAITED_NS = WAITS + 1;
export const BACKLOG = WAITED_NS + 1;
const CLIENT_HISTOGRAMS_AT = BACKLOG + 1;

/** Histograms of a client, behind those of the times that operations took. */
export const CLIENT_HISTOGRAMS = [
  /** Writes of its client in flight when a write began, itself included; of those that were timed. */
  'inFlight',
  /** Operations of a batch. */
  'batchOperations',
  /** Of a get, memtables and runs that were asked, and of each segment the keys that were searched first. */
  'probes',
  'window',
] as const;
export type ClientHistogram = (typeof CLIENT_HISTOGRAMS)[number];
const CLIENT_WORDS = CLIENT_HISTOGRAMS_AT + (KINDS + CLIENT_HISTOGRAMS.length) * HISTOGRAM_WORDS;

/** Histograms of a shard: records of a group; how long groups took, from the first write on; syncs of the log. */
export const SHARD_HISTOGRAMS = ['groupRecords', 'groupNs', 'syncNs'] as const;
export type ShardHistogram = (typeof SHARD_HISTOGRAMS)[number];
/** Before them, how many runs there are of each tier: of 4^tier rows or more. */
export const TIERS = 17;
const SHARD_WORDS = TIERS + SHARD_HISTOGRAMS.length * HISTOGRAM_WORDS;

const LINE_WORDS = 16;

/** Whole cache lines, one more than needed: no two writers share one, whatever is fetched beside it. */
function slotWords(words: number): number {
  return (Math.ceil(words / LINE_WORDS) + 1) * LINE_WORDS;
}

export class MeterBoard {
  /** All of the control block: what is said to lie at a word lies here. */
  readonly words: Float64Array;
  readonly #clients: number;
  readonly #clientsAt: number;
  readonly #shardsAt: number;

  static bytes(shards: number, clients: number): number {
    return 8 * (clients * slotWords(CLIENT_WORDS) + shards * slotWords(SHARD_WORDS));
  }

  /** @param byteOffset a multiple of 128; zeros at creation */
  constructor(memory: SharedArrayBuffer, byteOffset: number, clients: number) {
    this.words = new Float64Array(memory);
    this.#clients = clients;
    this.#clientsAt = byteOffset >>> 3;
    this.#shardsAt = this.#clientsAt + clients * slotWords(CLIENT_WORDS);
  }

  /** Where a client's slot begins. */
  clientAt(client: number): number {
    return this.#clientsAt + client * slotWords(CLIENT_WORDS);
  }

  /** Where its times of an operation are. */
  timesAt(client: number, kind: number): number {
    return this.clientAt(client) + CLIENT_HISTOGRAMS_AT + kind * HISTOGRAM_WORDS;
  }

  clientHistogramAt(client: number, name: ClientHistogram): number {
    return this.timesAt(client, KINDS + CLIENT_HISTOGRAMS.indexOf(name));
  }

  shardHistogramAt(shard: number, name: ShardHistogram): number {
    return this.#shardAt(shard) + TIERS + SHARD_HISTOGRAMS.indexOf(name) * HISTOGRAM_WORDS;
  }

  #shardAt(shard: number): number {
    return this.#shardsAt + shard * slotWords(SHARD_WORDS);
  }

  /** A word of all clients' slots, summed up. */
  sum(word: number): number {
    let sum = 0;
    for (let client = 0; client < this.#clients; client++) {
      sum += this.words[this.clientAt(client) + word];
    }
    return sum;
  }

  /** How long operations of a kind took, those of all clients that were timed, in nanoseconds. */
  times(kind: number): Histogram {
    return this.#merged((client) => this.timesAt(client, kind));
  }

  clientHistogram(name: ClientHistogram): Histogram {
    return this.#merged((client) => this.clientHistogramAt(client, name));
  }

  #merged(placeOf: (client: number) => number): Histogram {
    const histogram = new Histogram();
    for (let client = 0; client < this.#clients; client++) {
      histogram.addWords(this.words, placeOf(client));
    }
    return histogram;
  }

  /** Of the shards 0 to `count` − 1. */
  shardHistogram(name: ShardHistogram, count: number): Histogram {
    const histogram = new Histogram();
    for (let shard = 0; shard < count; shard++) {
      histogram.addWords(this.words, this.shardHistogramAt(shard, name));
    }
    return histogram;
  }

  tiers(shard: number): number[] {
    return Array.from({ length: TIERS }, (_, tier) => this.words[this.#shardAt(shard) + tier]);
  }

  setTiers(shard: number, runs: readonly number[]): void {
    for (let tier = 0; tier < TIERS; tier++) this.words[this.#shardAt(shard) + tier] = runs[tier];
  }

  /** What a client that is gone left waiting waits no more. */
  clearClient(client: number): void {
    this.words[this.clientAt(client) + BACKLOG] = 0;
  }
}
