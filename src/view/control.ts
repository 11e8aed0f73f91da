/**
 * The control block: the words of shared memory through which all threads of one open database find
 * each other. Made by the coordinator, zeros at first; every part has one writer unless it says so.
 *
 * - doorbells: one for each shard thread and each client (rung by anybody, slept on by its owner)
 * - requests: for each shard thread, how many control messages were posted to it (any client adds)
 * - shards: for each shard, the version of its view and what it counts (its owner writes), and how it is
 *   (`status.ts`)
 * - clients: for each client and shard, the view that the client goes by, and the oldest and newest of
 *   those that its snapshots pin; for each client, how many snapshots it holds (the client writes, and
 *   who sees it go clears the count). A shard reuses no memory that such a view reaches.
 * - the bulk load that was published last, one word (the supervisor writes)
 * - the commit table (`commit-table.ts`)
 * - how far the logs are, and who follows them (`log-board.ts`)
 * - what clients and shards count and time beyond that (`meters.ts`)
 * - the time, where it is not the system's: for tests of what expires
 */
import assert from 'node:assert';
import { CLIENTS_MAX, COMMIT_TABLE_BYTES, CommitTable, SHARDS_MAX } from './commit-table.ts';
import { LogBoard } from './log-board.ts';
import { MeterBoard } from './meters.ts';
import { STATUS_BYTES, StatusBoard } from './status.ts';

export const THREADS_MAX = 64;

const LINE_BYTES = 128;
const SHARD_BYTES = 6 * LINE_BYTES;
const THREADS_AT = 0;
const CLIENTS_AT = THREADS_AT + THREADS_MAX * LINE_BYTES;
const SHARDS_AT = CLIENTS_AT + CLIENTS_MAX * LINE_BYTES;
const SEEN_AT = SHARDS_AT + SHARDS_MAX * SHARD_BYTES;
/** Words of a client and a shard: its view, the oldest pinned one, the newest. */
const SEEN_WORDS = 3;
const TABLE_AT = SEEN_AT + CLIENTS_MAX * SHARDS_MAX * 4 * SEEN_WORDS;
const STATUS_AT = TABLE_AT + COMMIT_TABLE_BYTES;
const LOGS_AT = Math.ceil((STATUS_AT + SHARDS_MAX * STATUS_BYTES) / LINE_BYTES) * LINE_BYTES;
const CLOCK_AT = LOGS_AT + LogBoard.bytes(SHARDS_MAX, CLIENTS_MAX);
const PUBLISHED_AT = CLOCK_AT + LINE_BYTES;
const METERS_AT = PUBLISHED_AT + LINE_BYTES;
const BYTES = METERS_AT + MeterBoard.bytes(SHARDS_MAX, CLIENTS_MAX);
assert.ok(
  TABLE_AT % 8 === 0 && STATUS_AT % 8 === 0 && CLOCK_AT % 8 === 0 && PUBLISHED_AT % 8 === 0,
);

/** Words behind the doorbell in a thread's line. */
const REQUESTS_WORD = 8;
/** And behind it in a client's. */
const SNAPSHOTS_WORD = 8;

/** Words of a shard's first line, which readers look at. Counters, 64-bit floats, have the others. */
const VERSION_WORD = 0;
const SETTLED_WORD = 1;
const COUNTERS_AT = LINE_BYTES;

/**
 * What a shard counts. All are written by its owner, unless they say so, and read by anybody. Counts go on
 * from where the thread before left them, where a shard's thread was replaced.
 */
export const SHARD_COUNTERS = [
  'rows',
  'runs',
  'segments',
  'segmentBytes',
  'indexBytes',
  'memtableBytes',
  'walBytes',
  'lsn',
  'commits',
  'flushes',
  'compactions',
  'windowMax',
  /** Indexes trained anew at the last open, because their file was missing or damaged. */
  'modelsRebuilt',
  /** Whether the last recovery cut off a group that a crash had torn (0 or 1), and its bytes. */
  'tornTails',
  'tornBytes',
  /** Flushes and merges that found no room or no descriptor, and were left for later. */
  'postponed',
  /** How often its thread was replaced. Written by the supervisor. */
  'recoveries',
  /** Bytes free on its volume, when it last looked, and those of its reserve. */
  'diskFreeBytes',
  'reserveBytes',
  /** Bytes of log files that it keeps for watches alone. */
  'walKeptBytes',
  /** Memtables, the active one and those that wait for their flush, and entries in all of them. */
  'memtables',
  'memtableEntries',
  /** Bytes of memory that memtables have, in use and kept for reuse. */
  'memtablePoolBytes',
  /** Operations that were committed, those of batches one by one, and batches or parts of them. */
  'puts',
  'dels',
  'batches',
  /** Messages that were refused, or whose conditions did not hold. */
  'refused',
  /** Bytes of the records that were committed: keys, rows and 16 more each. */
  'acceptedBytes',
  /** Bytes written to files: the log with what is prewritten, segments by flushes, merges and loads. */
  'logWrittenBytes',
  'flushWrittenBytes',
  'compactionWrittenBytes',
  'loadWrittenBytes',
  /** Rows that flushes and merges wrote, and how long they took, milliseconds; rows loaded. */
  'flushRows',
  'flushMs',
  'compactionRows',
  'compactionMs',
  'loadRows',
  /** How long the last open or recovery took until the shard served, milliseconds, and records it read. */
  'recoveryMs',
  'recoveryRecords',
  /** Bytes of its thread's heap, in the thread's first shard: looked up every second. */
  'heapBytes',
] as const;
export type ShardCounter = (typeof SHARD_COUNTERS)[number];
assert.ok(COUNTERS_AT + 8 * SHARD_COUNTERS.length <= SHARD_BYTES);
const COUNTER_INDEX = new Map(SHARD_COUNTERS.map((name, index) => [name, index]));

export function createControl(): SharedArrayBuffer {
  return new SharedArrayBuffer(BYTES);
}

/** The word that `setSettled` writes, for shard 0, and from one shard to the next. */
export const SETTLED_INDEX = (SHARDS_AT >>> 2) + SETTLED_WORD;
export const SETTLED_STRIDE = SHARD_BYTES >>> 2;

export class Control {
  readonly memory: SharedArrayBuffer;
  readonly table: CommitTable;
  readonly statuses: StatusBoard;
  readonly logs: LogBoard;
  readonly meters: MeterBoard;
  /** The words as point reads compare them: V8 need not check that a signed one is small. */
  readonly signed: Int32Array;
  readonly #words: Uint32Array;
  readonly #floats: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    assert.strictEqual(memory.byteLength, BYTES);
    this.memory = memory;
    this.table = new CommitTable(memory, TABLE_AT);
    this.statuses = new StatusBoard(memory, STATUS_AT, SHARDS_MAX);
    this.logs = new LogBoard(memory, LOGS_AT, SHARDS_MAX, CLIENTS_MAX);
    this.meters = new MeterBoard(memory, METERS_AT, CLIENTS_MAX);
    this.#words = new Uint32Array(memory);
    this.signed = new Int32Array(memory);
    this.#floats = new Float64Array(memory);
  }

  /**
   * The time by which rows expire, in milliseconds since 1970: the system's, as it has to outlive the
   * process; so it goes back where that is set back.
   */
  get nowMs(): number {
    return this.#floats[CLOCK_AT >>> 3] || Date.now();
  }

  /** Has all threads take this for the time; 0: the system's. Set by tests alone. */
  setNow(nowMs: number): void {
    this.#floats[CLOCK_AT >>> 3] = nowMs;
  }

  threadDoorbellAt(thread: number): number {
    return THREADS_AT + thread * LINE_BYTES;
  }

  clientDoorbellAt(client: number): number {
    return CLIENTS_AT + client * LINE_BYTES;
  }

  /** Tells a shard thread, after a control message was posted to it, to look at its port. */
  addRequest(thread: number): void {
    Atomics.add(this.#words, (this.threadDoorbellAt(thread) >>> 2) + REQUESTS_WORD, 1);
  }

  requests(thread: number): number {
    return Atomics.load(this.#words, (this.threadDoorbellAt(thread) >>> 2) + REQUESTS_WORD);
  }

  /** Index of the version word in `signed`, for readers that check it at every look-up. */
  versionIndex(shard: number): number {
    return ((SHARDS_AT + shard * SHARD_BYTES) >>> 2) + VERSION_WORD;
  }

  version(shard: number): number {
    return Atomics.load(this.#words, this.versionIndex(shard));
  }

  setVersion(shard: number, version: number): void {
    Atomics.store(this.#words, this.versionIndex(shard), version);
  }

  /**
   * The version of the newest view as long as its memtables have no entries; else 0. Its owner takes the
   * version away before a reader could see an entry: as long as it stands, the view's runs are all.
   */
  setSettled(shard: number, version: number): void {
    Atomics.store(this.#words, SETTLED_INDEX + shard * SETTLED_STRIDE, version);
  }

  settled(shard: number): number {
    return Atomics.load(this.#words, SETTLED_INDEX + shard * SETTLED_STRIDE);
  }

  /**
   * The number of the bulk load that was published last. To write it is what publishes a load: in all shards,
   * to all threads, at once. Before, every participant has posted a view with it.
   */
  get published(): number {
    return Atomics.load(this.#words, PUBLISHED_AT >>> 2);
  }

  publish(load: number): void {
    Atomics.store(this.#words, PUBLISHED_AT >>> 2, load);
  }

  /** Aligned 64-bit floats are written and read whole on every platform Node runs on. */
  setCounter(shard: number, counter: ShardCounter, value: number): void {
    this.#floats[this.#counterAt(shard, counter)] = value;
  }

  counter(shard: number, counter: ShardCounter): number {
    return this.#floats[this.#counterAt(shard, counter)];
  }

  #counterAt(shard: number, counter: ShardCounter): number {
    const at = SHARDS_AT + shard * SHARD_BYTES + COUNTERS_AT;
    return (at >>> 3) + (COUNTER_INDEX.get(counter) as number);
  }

  /** The client goes by view `version` of the shard, or a later one, besides those that it pins. */
  setSeen(client: number, shard: number, version: number): void {
    Atomics.store(this.#words, this.#seenAt(client, shard), version);
  }

  /** The client's snapshots pin views from `oldest` to `newest`; none where both are 0. */
  setPins(client: number, shard: number, oldest: number, newest: number): void {
    const at = this.#seenAt(client, shard);
    Atomics.store(this.#words, at + 1, oldest);
    Atomics.store(this.#words, at + 2, newest);
  }

  /** Whether one of the clients may still read a view of the shard from `first` on and before `end`. */
  isRead(shard: number, clients: Iterable<number>, first: number, end: number): boolean {
    const words = this.#words;
    for (const client of clients) {
      const at = this.#seenAt(client, shard);
      // First: a view is pinned before its client goes on to the next.
      if (Atomics.load(words, at) < end) return true;
      const oldest = Atomics.load(words, at + 1);
      const newest = Atomics.load(words, at + 2);
      if (newest >= first && oldest < end && newest > 0) return true;
    }
    return false;
  }

  #seenAt(client: number, shard: number): number {
    return (SEEN_AT >>> 2) + SEEN_WORDS * (client * SHARDS_MAX + shard);
  }

  /** Snapshots that a client holds. */
  setSnapshots(client: number, count: number): void {
    Atomics.store(this.#words, (this.clientDoorbellAt(client) >>> 2) + SNAPSHOTS_WORD, count);
  }

  /** Snapshots that all clients hold. */
  get snapshots(): number {
    let sum = 0;
    for (let client = 0; client < CLIENTS_MAX; client++) {
      sum += Atomics.load(this.#words, (this.clientDoorbellAt(client) >>> 2) + SNAPSHOTS_WORD);
    }
    return sum;
  }
}
