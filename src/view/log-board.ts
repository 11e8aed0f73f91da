/**
 * What all threads know of the shards' logs: how far each is durable, which record of it a watermark
 * stands for, and from where on somebody still reads it. Part of the control block.
 *
 * - A shard's line belongs to its owner: the durable LSN, and two *marks*, each of which says of one
 *   watermark of one memtable what the last record was that it shows. A mark is there before its
 *   watermark is, the one before it stays until the next but one: whoever has read a watermark finds its
 *   mark, or has read one so old that it reads again. So a reader learns both at one instant, though
 *   they are words apart and though the owner may die between them.
 * - A mark's sequence word is odd while the mark is written.
 * - Durable LSNs are those of records that are shown: what a follower of the log is told, it can read.
 * - A client's line belongs to the client: its watchers' doorbell, rung by any shard's owner, how
 *   many there are, and for each shard the first record that its watchers have not read (0: there is
 *   no watcher). Who sees a client go clears it.
 */
import assert from 'node:assert';

/** What a watermark stands for. */
export interface LogMark {
  /** The last record that it shows. */
  readonly lsn: number;
  /** No part of a batch that was undecided then lies before this record. */
  readonly openLsn: number;
  /** Every record up to here was durable by then. */
  readonly durableLsn: number;
}

const LINE_BYTES = 128;
/** Of a shard's line, in floats: the durable LSN, which mark is the newest, and the marks. */
const DURABLE = 0;
const NEWEST = 1;
const MARKS = 2;
const MARK_FLOATS = 6;
const SEQUENCE = 0;
const MEMTABLE = 1;
const WATERMARK = 2;
const LSN = 3;
const OPEN = 4;
const MARK_DURABLE = 5;
assert.ok(8 * (MARKS + 2 * MARK_FLOATS) <= LINE_BYTES);

/** Words of a client's line: the doorbell, and far from it how many watches there are. */
const WATCHES_WORD = 8;

export class LogBoard {
  readonly #floats: Float64Array;
  readonly #words: Int32Array;
  readonly #shards: number;
  readonly #clients: number;
  readonly #shardsAt: number;
  readonly #clientsAt: number;
  readonly #followedAt: number;

  static bytes(shards: number, clients: number): number {
    return LINE_BYTES * (shards + clients) + 8 * shards * clients;
  }

  /** @param byteOffset a multiple of 128; zeros at creation */
  constructor(memory: SharedArrayBuffer, byteOffset: number, shards: number, clients: number) {
    this.#floats = new Float64Array(memory);
    this.#words = new Int32Array(memory);
    this.#shards = shards;
    this.#clients = clients;
    this.#shardsAt = byteOffset;
    this.#clientsAt = this.#shardsAt + shards * LINE_BYTES;
    this.#followedAt = this.#clientsAt + clients * LINE_BYTES;
  }

  #line(shard: number): number {
    return (this.#shardsAt + shard * LINE_BYTES) >>> 3;
  }

  /** Every record up to here is durable, and shown. */
  durableLsn(shard: number): number {
    return this.#floats[this.#line(shard) + DURABLE];
  }

  setDurableLsn(shard: number, lsn: number): void {
    this.#floats[this.#line(shard) + DURABLE] = lsn;
  }

  /**
   * Says what `watermark` of memtable `memtable` will stand for. To be called by the owner before it
   * raises the watermark, or hands out a view whose newest memtable this is.
   */
  mark(shard: number, memtable: number, watermark: number, mark: LogMark): void {
    const { lsn, openLsn, durableLsn } = mark;
    const line = this.#line(shard);
    const floats = this.#floats;
    const newest = floats[line + NEWEST];
    const known = this.#markAt(line + MARKS + newest * MARK_FLOATS, memtable, watermark);
    if (known?.lsn === lsn) return;
    const at = line + MARKS + (1 - newest) * MARK_FLOATS;
    const sequence = 2 * (at + SEQUENCE);
    const begun = Atomics.load(this.#words, sequence) | 1;
    Atomics.store(this.#words, sequence, begun);
    floats[at + MEMTABLE] = memtable;
    floats[at + WATERMARK] = watermark;
    floats[at + LSN] = lsn;
    floats[at + OPEN] = openLsn;
    floats[at + MARK_DURABLE] = durableLsn;
    Atomics.store(this.#words, sequence, begun + 1);
    floats[line + NEWEST] = 1 - newest;
  }

  /** What the watermark stands for; null where it has been overtaken: read it again. */
  markOf(shard: number, memtable: number, watermark: number): LogMark | null {
    const line = this.#line(shard) + MARKS;
    const one = this.#markAt(line, memtable, watermark);
    const other = this.#markAt(line + MARK_FLOATS, memtable, watermark);
    // Records that change no row leave the watermark as it is.
    return one !== null && (other === null || one.lsn > other.lsn) ? one : other;
  }

  #markAt(at: number, memtable: number, watermark: number): LogMark | null {
    const floats = this.#floats;
    const sequence = 2 * (at + SEQUENCE);
    const before = Atomics.load(this.#words, sequence);
    if ((before & 1) !== 0) return null;
    const isMeant = floats[at + MEMTABLE] === memtable && floats[at + WATERMARK] === watermark;
    const mark = {
      lsn: floats[at + LSN],
      openLsn: floats[at + OPEN],
      durableLsn: floats[at + MARK_DURABLE],
    };
    return Atomics.load(this.#words, sequence) === before && isMeant ? mark : null;
  }

  /** The last record that readers of the shard are shown, or are about to be. */
  shownLsn(shard: number): number {
    const marks = this.#line(shard) + MARKS;
    return Math.max(this.#floats[marks + LSN], this.#floats[marks + MARK_FLOATS + LSN]);
  }

  /** Where the doorbell of a client's watchers lies. */
  doorbellAt(client: number): number {
    return this.#clientsAt + client * LINE_BYTES;
  }

  /** Watches that a client has open. */
  setWatches(client: number, count: number): void {
    Atomics.store(this.#words, this.#watchesAt(client), count);
  }

  /** Whether a client has any. */
  isWatching(client: number): boolean {
    return Atomics.load(this.#words, this.#watchesAt(client)) !== 0;
  }

  /** Watches that all clients have open. */
  get watches(): number {
    let sum = 0;
    for (let client = 0; client < this.#clients; client++) {
      sum += Atomics.load(this.#words, this.#watchesAt(client));
    }
    return sum;
  }

  #watchesAt(client: number): number {
    return (this.doorbellAt(client) >>> 2) + WATCHES_WORD;
  }

  #followed(client: number, shard: number): number {
    return (this.#followedAt >>> 3) + client * this.#shards + shard;
  }

  /** The client's watchers have not read the record `lsn` of the shard's log, and those behind it. */
  setFollowed(client: number, shard: number, lsn: number): void {
    this.#floats[this.#followed(client, shard)] = lsn;
  }

  /** The first record that a watcher of one of the clients has not read; infinite where there is none. */
  followedLsn(shard: number, clients: Iterable<number>): number {
    let first = Number.POSITIVE_INFINITY;
    for (const client of clients) {
      const lsn = this.#floats[this.#followed(client, shard)];
      if (lsn > 0 && lsn < first) first = lsn;
    }
    return first;
  }

  /** The client has no watchers, or no more. */
  clearClient(client: number): void {
    this.setWatches(client, 0);
    for (let shard = 0; shard < this.#shards; shard++) this.setFollowed(client, shard, 0);
  }
}
