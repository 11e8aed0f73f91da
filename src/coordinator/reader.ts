/**
 * The read side of a client: views of all shards in shared memory, read synchronously.
 *
 * - One thread. A view is taken from its port when the shard's version word says that there is a new
 *   one, always before a watermark is read.
 * - A view with a bulk load is kept beside the one before it until the load is published: then it counts.
 * - Gets are counted by a number that goes down to 0; then what was counted is noted where others read it,
 *   and the next get is timed: so that the others do without both.
 * - The control block says which view of each shard this client goes by, and which ones its snapshots
 *   and iterators pin: a view is pinned there before the next one is taken. With a new view of one shard
 *   those of others of its thread come: so who uses several looks, once he has them, whether they still are
 *   the present ones, since the memory of those before may be reused.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { OmenError } from '../errors.ts';
import type { Instant } from '../schema/decode.ts';
import {
  hashKey,
  KeyCodec,
  shardOfHash,
  shardOfInteger,
  shardOfWords,
  sortableToNumber,
} from '../schema/key.ts';
import { hashStored } from '../schema/key-bytes.ts';
import type { Notice, WorkNotice } from '../shard-worker/notice.ts';
import type { Storage } from '../storage/storage.ts';
import { KeyBatch } from '../view/batch-lookup.ts';
import type { Bound, KeyBounds } from '../view/bounds.ts';
import { type Control, SETTLED_INDEX, SETTLED_STRIDE } from '../view/control.ts';
import { explainLookup } from '../view/explain.ts';
import type { Memtable } from '../view/memtable.ts';
import { shardOf } from '../view/partition.ts';
import { Retired } from '../view/retired.ts';
import type { Run, Segment } from '../view/segment.ts';
import {
  compileReaders,
  type RowReaders,
  rowOf,
  type ShardSnapshot,
  ShardView,
  type ViewMessage,
} from '../view/shard-view.ts';
import { AggregatePool } from './aggregate-pool.ts';
import { type ClientMeter, GET } from './client-meter.ts';
import type { Membership } from './membership.ts';
import { type Position, positionOf } from './position.ts';
import { type Coding, textCoding } from './text-coding.ts';

// What V8 is to fold into `get` has to be a constant of this module.
const shardOfNumber = shardOfInteger;
const shardOfBigint = shardOfWords;
const SETTLED_AT = SETTLED_INDEX;
const SETTLED_STEP = SETTLED_STRIDE;
const SIGN = 0x80000000;

/** A bigint key, as signed words. */
const scratchI64 = new BigInt64Array(1);
const scratchU64 = new BigUint64Array(scratchI64.buffer);
const scratchI32 = new Int32Array(scratchI64.buffer);

/** Fewer keys are looked up one by one. */
const STAGED_KEYS_MIN = 16;

/** One get in so many is timed: on the average, as one in a fixed number might keep step with its caller. */
const GETS_PER_SAMPLE = 1024;
/** And of one of so many of those it is noted what it had to look at. */
const SAMPLES_PER_PROBE = 16;

/** One instant of the whole database, and what it pins until it is released. */
export interface Capture {
  readonly shards: readonly ShardSnapshot[];
  release(): void;
}

/** Where a row is: its number, or where its bytes start in the memtable. */
export interface Located {
  readonly source: Segment | Memtable;
  readonly position: number;
  /** When it expires, in milliseconds since 1970; Infinity: never. */
  readonly expiresMs: number;
}

export class Reader {
  readonly key: KeyCodec;
  readonly readers: RowReaders;
  readonly meter: ClientMeter;
  /** The same for look-ups of one key, to which rows that have expired are absent. */
  readonly #pointReaders: RowReaders;
  readonly #membership: Membership;
  readonly #onNotice: (notice: Notice | WorkNotice) => void;
  readonly #storage: Storage;
  readonly #control: Control;
  readonly #ports: MessagePort[] = [];
  /** For each shard, how many snapshots pin which version. */
  readonly #pins: Map<number, number>[];
  /** For each shard, the view that counts once its load is published. */
  readonly #awaited: (ViewMessage | null)[];
  readonly #isHash: boolean;
  /**
   * For `get`; declared, as in `F64Index`. The views, where keys are integers, spread by their hash, and we are
   * open; else none, which spares asking whether that is so.
   */
  declare private flatViews: readonly (ShardView | null)[];
  /** Whether keys are 64-bit integers, and the same. */
  declare private takesBigints: boolean;
  /** What is to be turned over in the high word of such a key to have its sortable form. */
  declare private readonly flip: number;
  declare private readonly shards: number;
  declare private readonly views: (ShardView | null)[];
  declare private readonly signed: Int32Array;
  /** Gets until one is timed, and how many those are that are not noted yet, with those to come. */
  declare private getsLeft: number;
  #getsNoted: number;
  #samplesLeft = SAMPLES_PER_PROBE;
  #closed: OmenError | null = null;
  readonly #splits: readonly Bound[];
  readonly #retired = new Retired();
  readonly #batch = new KeyBatch();
  /** Open snapshots. */
  #snapshots = 0;
  #text: Coding | null = null;

  /**
   * @param meter where operations are counted
   * @param onNotice hears what shard threads tell, through the same ports as their views
   * @param storage where files of segments are whose pages are to come
   * @param instant by which rows that expire are judged; null where none do
   */
  constructor(
    membership: Membership,
    meter: ClientMeter,
    onNotice: (notice: Notice | WorkNotice) => void,
    storage: Storage,
    instant: Instant | null = null,
  ) {
    this.#onNotice = onNotice;
    this.#storage = storage;
    const { schema, bigints, shards, control, partitioning } = membership;
    this.#membership = membership;
    this.meter = meter;
    this.getsLeft = someGets();
    this.#getsNoted = this.getsLeft;
    this.key = new KeyCodec(schema.key, bigints);
    this.readers = compileReaders(schema, bigints);
    this.#pointReaders = instant === null ? this.readers : compileReaders(schema, bigints, instant);
    this.#control = control;
    this.signed = control.signed;
    this.views = Array.from({ length: shards }, () => null);
    this.#pins = Array.from({ length: shards }, () => new Map());
    this.#awaited = Array.from({ length: shards }, () => null);
    this.#isHash = partitioning.kind === 'hash';
    this.flatViews = this.#isHash && this.key.takesIntegers ? this.views : this.views.slice();
    this.takesBigints = this.#isHash && (schema.key === 'int64' || schema.key === 'uint64');
    this.flip = schema.key === 'int64' ? SIGN | 0 : 0;
    this.shards = shards;
    this.#splits = membership.splits;
    // Who had the client's number before may have died with pins.
    for (let shard = 0; shard < shards; shard++) this.#publishPins(shard);
    control.setSnapshots(membership.client, 0);
  }

  /** Whether shard i holds the keys before those of shard i + 1. */
  get isByRange(): boolean {
    return !this.#isHash;
  }

  /** Views of the thread's shards arrive at this port from now on. */
  setPort(thread: number, port: MessagePort): void {
    this.#ports[thread]?.close();
    this.#ports[thread] = port;
    // An idle client takes its views too, or it would keep replaced ones alive.
    port.on('message', (message: ViewMessage | Notice | WorkNotice) => this.#take(message));
    port.unref();
  }

  /** Whether a view of every shard has arrived. */
  get isComplete(): boolean {
    this.#drainAll();
    return this.views.every((view) => view !== null);
  }

  #drainAll(): void {
    for (const port of this.#ports) if (port !== undefined) this.#drain(port);
  }

  #drain(port: MessagePort): void {
    for (;;) {
      const received = receiveMessageOnPort(port);
      if (received === undefined) return;
      this.#take(received.message as ViewMessage | Notice | WorkNotice);
    }
  }

  #take(message: ViewMessage | Notice | WorkNotice): void {
    if ('notice' in message) this.#onNotice(message);
    else if (message.load === undefined) this.#adopt(message);
    else this.#awaited[message.shard] = message;
  }

  #adopt(message: ViewMessage): void {
    const { shard } = message;
    const previous = this.views[shard];
    const { control, client } = this.#membership;
    const readers = this.#pointReaders;
    const view = new ShardView(message, readers, control.table, previous, this.#storage);
    this.views[shard] = view;
    this.#awaited[shard] = null;
    control.setSeen(client, shard, view.version);
    if (previous !== null) this.#countRetired(previous, view);
  }

  #countRetired(previous: ShardView, next: ShardView): void {
    const kept = new Set(next.runs.flatMap((run) => run.segments));
    let bytes = 0;
    for (const segment of previous.runs.flatMap((run) => run.segments)) {
      if (!kept.has(segment)) bytes += segment.handle.layout.bodyBytes;
    }
    this.#retired.add(bytes);
  }

  /** Takes the newest views and gives back the memory of the ones before: after a compaction. */
  releaseRetired(): void {
    this.#drainAll();
    this.#retired.release();
  }

  /** The present view of a shard, of which anything may be asked. */
  view(shard: number): ShardView {
    const view = this.views[shard];
    return view?.wholeVersion === this.#control.version(shard) ? view : this.#wholeView(shard);
  }

  #wholeView(shard: number): ShardView {
    const view = this.#newView(shard);
    view.pageIn();
    return view;
  }

  /** The same for a look-up of keys in no more than this shard, by a plain read: see `ShardView`. */
  #pointView(shard: number): ShardView {
    const view = this.views[shard];
    return view !== null && this.#isCurrent(view, shard) ? view : this.#newView(shard);
  }

  #isCurrent(view: ShardView, shard: number): boolean {
    return this.signed[this.#control.versionIndex(shard)] === view.version;
  }

  #newView(shard: number): ShardView {
    // First: what was published by now, its owner has posted, and if it has posted a later view, that comes too.
    const { published } = this.#control;
    this.#drain(this.#ports[this.#membership.threadOf[shard]]);
    const awaited = this.#awaited[shard];
    if (awaited !== null && awaited.load === published) this.#adopt(awaited);
    const view = this.views[shard];
    if (view === null) throw new Error('A client reads only after it has a view of every shard.');
    return view;
  }

  /** The shards that may have keys within the bounds. */
  shardsWithin({ firstHi, firstLo, firstBytes, lastHi, lastLo, lastBytes }: KeyBounds): number[] {
    const all = Array.from({ length: this.shards }, (_, shard) => shard);
    if (this.#isHash) return all;
    const first = shardOf(this.#splits, { hi: firstHi, lo: firstLo, bytes: firstBytes });
    const last = shardOf(this.#splits, { hi: lastHi, lo: lastLo, bytes: lastBytes });
    return all.slice(first, last + 1);
  }

  /** The shard of the key in the codec, whose hash is given. */
  shardOf(hash: number): number {
    if (this.#isHash) return shardOfHash(hash, this.shards);
    return shardOf(this.#splits, this.key);
  }

  get(key: unknown): unknown {
    // Most look-ups, in as few instructions as they take (`F64Index.findNear` says why).
    // Whether the key is an integer is asked only of those that are not there. One that is to be timed goes
    // the way of the others: a call more in here would cost more than to count does.
    if (--this.getsLeft >= 0 && typeof key === 'number') {
      const number = key + 0;
      const shard = shardOfNumber(number, this.shards);
      const view = this.flatViews[shard];
      const settled = this.signed[SETTLED_AT + Math.imul(shard, SETTLED_STEP)];
      if (view !== null && settled === view.numbersVersion) {
        const row = view.getNumber(number);
        if (row !== undefined || Number.isSafeInteger(key)) return row;
      }
    }
    return typeof key === 'bigint' && this.takesBigints ? this.#getBigint(key) : this.#get(key);
  }

  #timedGet(key: unknown): unknown {
    this.getsLeft = 0;
    this.#nextSample();
    const start = performance.now();
    const row = this.get(key);
    this.meter.took(GET, performance.now() - start);
    if (--this.#samplesLeft === 0) {
      this.#samplesLeft = SAMPLES_PER_PROBE;
      try {
        this.#noteProbes(key);
      } catch (error) {
        // It may look at pages that the get did without, and that cannot be read.
        if (!(error instanceof OmenError)) throw error;
      }
    }
    return row;
  }

  #nextSample(): void {
    this.noteGets();
    this.getsLeft = someGets();
    this.#getsNoted = this.getsLeft;
  }

  /** Notes where others read it how many gets there were. */
  noteGets(): void {
    this.meter.count(GET, this.#getsNoted - this.getsLeft);
    this.#getsNoted = this.getsLeft;
  }

  /** Counts a get that is none of `get`. */
  countGet(): void {
    if (--this.getsLeft >= 0) return;
    this.getsLeft = 0;
    this.#nextSample();
    this.getsLeft--;
  }

  /** What a get of the key has to look at: to find that out takes longer than the get. */
  #noteProbes(key: unknown): void {
    const {
      codec: { hi, lo, number, bytes },
      hash,
    } = this.#encoded(key);
    const view = this.#pointView(this.shardOf(hash));
    const { memtables, runs } = explainLookup(view, hash, hi, lo, number, bytes, this.nowMs);
    this.meter.record('probes', memtables.length + runs.length);
    for (const { segment } of runs)
      if (segment !== null) this.meter.record('window', segment.window.keys);
  }

  #encoded(key: unknown): { codec: KeyCodec; hash: number } {
    const codec = this.key;
    codec.encode(key);
    return { codec, hash: codec.hash() };
  }

  /** The same short way for a bigint. One beyond 64 bits is found out where its lowest ones have a row. */
  #getBigint(key: bigint): unknown {
    if (this.getsLeft < 0) return this.#timedGet(key);
    scratchI64[0] = key;
    const lo = scratchI32[0];
    const hi = scratchI32[1] ^ this.flip;
    const shard = shardOfBigint(hi, lo, this.shards);
    const view = this.views[shard];
    const settled = this.signed[SETTLED_AT + Math.imul(shard, SETTLED_STEP)];
    if (view !== null && (settled === view.wordsVersion || settled === view.numbersVersion)) {
      const row =
        settled === view.wordsVersion
          ? view.getWords(hi >>> 0, lo >>> 0)
          : view.getNumber(sortableToNumber(this.key.type, hi >>> 0, lo >>> 0));
      const isWhole = this.flip === 0 ? scratchU64[0] === key : scratchI64[0] === key;
      if (row !== undefined && isWhole) return row;
    }
    return this.#get(key);
  }

  #get(key: unknown): unknown {
    if (this.getsLeft < 0) return this.#timedGet(key);
    if (this.#closed !== null) throw this.#closed;
    const codec = this.key;
    codec.encode(key);
    const { bytes } = codec;
    if (bytes !== null) {
      const hash = hashStored(bytes.stored, 0);
      // Signed, it is passed on without a heap number.
      return this.#pointView(this.shardOf(hash)).getStored(hash | 0, bytes);
    }
    const { hi, lo } = codec;
    const hash = hashKey(hi, lo);
    const view = this.#pointView(this.shardOf(hash));
    return view.isPaging ? this.getIn(null, key, true) : view.get(hash, hi, lo, codec.number);
  }

  has(key: unknown): boolean {
    const codec = this.key;
    codec.encode(key);
    const { hi, lo, bytes } = codec;
    const hash = codec.hash();
    return this.#pointView(this.shardOf(hash)).has(hash, hi, lo, codec.number, bytes);
  }

  /**
   * The row of a key, now or at the instant of a capture, or undefined; only whether there is one, `true`,
   * where `decodes` is false.
   */
  getIn(
    captured: readonly ShardSnapshot[] | null,
    key: unknown,
    decodes: boolean,
    { key: codec, readers }: Coding = this,
  ): unknown {
    codec.encode(key);
    const hash = codec.hash();
    const shard = this.#isHash ? shardOfHash(hash, this.shards) : shardOf(this.#splits, codec);
    const view = captured === null ? this.#pointView(shard) : captured[shard].view;
    const visible = captured === null ? null : captured[shard].visible;
    const source = view.locate(hash, codec.hi, codec.lo, codec.number, codec.bytes, visible);
    if (source === null) return undefined;
    return decodes ? rowOf(readers, source, view.located) : true;
  }

  /** Where the row of a key is, now or at the instant of a capture, or null. @throws what the codec throws */
  locate(
    key: unknown,
    captured: readonly ShardSnapshot[] | null,
    { key: codec }: Coding = this,
  ): Located | null {
    const nowMs = captured === null ? this.nowMs : captured[0].nowMs;
    codec.encode(key);
    const hash = codec.hash();
    const shard = this.#isHash ? shardOfHash(hash, this.shards) : shardOf(this.#splits, codec);
    const view = captured === null ? this.#pointView(shard) : captured[shard].view;
    const visible = captured === null ? null : captured[shard].visible;
    const { hi, lo, number, bytes } = codec;
    const source = view.locate(hash, hi, lo, number, bytes, visible);
    if (source === null) return null;
    const position = view.located;
    const expiresMs = this.readers.expiry?.at(source, position) ?? Number.POSITIVE_INFINITY;
    return expiresMs > nowMs ? { source, position, expiresMs } : null;
  }

  /** The time by which rows are judged that expire; 0 where none do. */
  get nowMs(): number {
    return 0;
  }

  /**
   * Looks up all of `keys`, now or at the instant of a capture; the batch is valid until the next call.
   * @throws what the codec throws
   */
  findMany(
    keys: ArrayLike<unknown>,
    captured: readonly ShardSnapshot[] | null = null,
    { key: codec }: Coding = this,
  ): KeyBatch {
    const batch = this.#batch;
    batch.encode(codec, keys);
    const views = captured === null ? this.#allViews() : captured.map(({ view }) => view);
    const shardOfKey = (key: number): number => shardOf(this.#splits, batch.boundOf(key));
    batch.find(views, this.#isHash ? null : shardOfKey, captured);
    return batch;
  }

  /** The present views of all shards. */
  #allViews(): ShardView[] {
    for (;;) {
      const views = this.views.map((_, shard) => this.view(shard));
      if (views.every((view, shard) => view === this.views[shard])) return views;
    }
  }

  /** The rows of `keys`, undefined where there is none. @throws what the codec throws */
  getMany(
    keys: ArrayLike<unknown>,
    captured: readonly ShardSnapshot[] | null = null,
    coding: Coding = this,
  ): unknown[] {
    if (captured === null && coding === this && keys.length < STAGED_KEYS_MIN) {
      return this.#getFew(keys);
    }
    return this.findMany(keys, captured, coding).rows(coding.readers);
  }

  /** These gets are none of a caller's. */
  #getFew(keys: ArrayLike<unknown>): unknown[] {
    const rows: unknown[] = [];
    let begun = 0;
    try {
      while (begun < keys.length) rows.push(this.get(keys[begun++]));
      return rows;
    } finally {
      this.meter.count(GET, -begun);
    }
  }

  /** Keys and rows with text for what is bytes. */
  get text(): Coding {
    this.#text ??= textCoding(this);
    return this.#text;
  }

  /**
   * The runs of all shards, where each is settled; null where one is not. Asked twice: what was so
   * before the second round and is so after the first was so at one instant, since a view and the
   * entries of its memtables only ever grow newer.
   */
  settled(): readonly Run[] | null {
    const { shards } = this.#membership;
    const runs: Run[] = [];
    for (let shard = 0; shard < shards; shard++) {
      const run = this.view(shard).settled;
      if (run === null) return null;
      runs.push(run);
    }
    for (let shard = 0; shard < shards; shard++) {
      if (this.view(shard).settled !== runs[shard]) return null;
    }
    return runs;
  }

  /** One instant of the whole database, for as long as this thread does not give up control. */
  now(): readonly ShardSnapshot[] {
    let before = this.#read();
    for (;;) {
      const after = this.#read();
      const isPresent = after.shards.every(({ view }, shard) => view === this.views[shard]);
      if (isPresent && isSame(before, after)) return after.shards;
      before = after;
    }
  }

  /**
   * One instant of the whole database: views, watermarks and undecided batches, read until two
   * readings agree, and the time between the two, where rows expire. What was undecided then stays hidden
   * from the snapshot for ever.
   */
  capture(): Capture {
    return this.#pin(this.now());
  }

  /** What computes aggregates for this client. */
  readonly aggregates = new AggregatePool();

  get control(): Control {
    return this.#control;
  }

  /** How many snapshots of shards are held. */
  get pinned(): number {
    let sum = 0;
    for (const pins of this.#pins) for (const count of pins.values()) sum += count;
    return sum;
  }

  /** Whether there is nothing in the database, not even what hides something. */
  get isVoid(): boolean {
    return this.now().every(({ view }) => view.isVoid);
  }

  /** How far in the logs the database is seen now. Not where it was opened with `readOnly`. */
  position(): Position {
    return this.#placed().position;
  }

  /** One instant, with how far in the logs it is. */
  #placed(): { shards: readonly ShardSnapshot[]; position: Position } {
    for (;;) {
      const shards = this.now();
      const position = positionOf(this.#membership, shards);
      if (position !== null) return { shards, position };
    }
  }

  /** A capture that is counted among the open snapshots; its position is null with `readOnly`. */
  snapshot(): Capture & { readonly position: Position | null } {
    const { control, client, readOnly } = this.#membership;
    const placed = readOnly ? { shards: this.now(), position: null } : this.#placed();
    const { shards, release } = this.#pin(placed.shards);
    control.setSnapshots(client, ++this.#snapshots);
    const releaseCounted = (): void => {
      release();
      if (this.#closed === null) control.setSnapshots(client, --this.#snapshots);
    };
    return { shards, release: releaseCounted, position: placed.position };
  }

  #read(): Reading {
    // First: between two readings that agree, the second one's is the time of what both have read.
    const { nowMs } = this;
    const undecided = new Set(this.#membership.control.table.undecided());
    const shards = this.views.map((_, shard) => this.view(shard).capture(undecided, nowMs));
    return { undecided, shards };
  }

  #pin(shards: readonly ShardSnapshot[]): Capture {
    shards.forEach(({ view: { version } }, shard) => {
      const pins = this.#pins[shard];
      const count = pins.get(version);
      pins.set(version, (count ?? 0) + 1);
      if (count === undefined) this.#publishPins(shard);
    });
    let isHeld = true;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      for (const [shard, { view }] of shards.entries()) this.#unpin(shard, view.version);
    };
    return { shards, release };
  }

  #unpin(shard: number, version: number): void {
    const pins = this.#pins[shard];
    const count = (pins.get(version) ?? 1) - 1;
    if (count > 0) {
      pins.set(version, count);
      return;
    }
    pins.delete(version);
    // Once it is closed, its number may be another client's.
    if (this.#closed === null) this.#publishPins(shard);
  }

  #publishPins(shard: number): void {
    const { control, client } = this.#membership;
    const versions = [...this.#pins[shard].keys()];
    if (versions.length === 0) control.setPins(client, shard, 0, 0);
    else control.setPins(client, shard, Math.min(...versions), Math.max(...versions));
  }

  /** Gives everything back: from now on, `get` throws `reason`. */
  close(reason: OmenError): void {
    if (this.#closed === null) this.noteGets();
    this.#closed = reason;
    this.takesBigints = false;
    void this.aggregates.close();
    this.#control.setSnapshots(this.#membership.client, 0);
    for (const port of this.#ports) port?.close();
    this.views.fill(null);
  }
}

/** How many gets are not timed until one is. */
function someGets(): number {
  return (2 * GETS_PER_SAMPLE * Math.random()) | 0;
}

interface Reading {
  readonly undecided: ReadonlySet<number>;
  readonly shards: readonly ShardSnapshot[];
}

function isSame(a: Reading, b: Reading): boolean {
  if (a.undecided.size !== b.undecided.size) return false;
  for (const ticket of a.undecided) if (!b.undecided.has(ticket)) return false;
  return a.shards.every(({ view, visible }, shard) => {
    const other = b.shards[shard];
    return (
      view === other.view &&
      visible.every(({ watermark }, i) => watermark === other.visible[i].watermark)
    );
  });
}
