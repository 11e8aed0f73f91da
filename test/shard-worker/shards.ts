/**
 * All shards of a database in one thread, over a storage that fails on request. It does with the engines
 * what the loop of a shard thread does, step by step, and notes in `expected` what that makes certain.
 */
import assert from 'node:assert/strict';
import { readSections } from '../../src/arrow/model-file.ts';
import { OmenError } from '../../src/errors.ts';
import { ChunkBuilder } from '../../src/load/chunk.ts';
import { sortChunks } from '../../src/load/sort.ts';
import { copyOf } from '../../src/schema/key-bytes.ts';
import { decideBatches } from '../../src/shard-worker/decide-batches.ts';
import { Engine } from '../../src/shard-worker/engine.ts';
import { runJob } from '../../src/shard-worker/jobs.ts';
import { ManifestFile, modelName, segmentName } from '../../src/shard-worker/manifest.ts';
import { IF_ABSENT, IF_EQUALS, IF_PRESENT } from '../../src/shard-worker/protocol.ts';
import { DEL, type Epoch, loadName, PUT, RANGE_DELETE } from '../../src/shard-worker/records.ts';
import { ShardSalvage } from '../../src/shard-worker/salvage.ts';
import { DAMAGED_SUFFIX, type Salvaged } from '../../src/shard-worker/salvaged.ts';
import { CrashStorage, type Room } from '../../src/storage/crash.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { boundsOf, type KeyBounds } from '../../src/view/bounds.ts';
import { encodeRange } from '../../src/view/cleared.ts';
import { ABORTED, COMMITTED, UNDECIDED } from '../../src/view/commit-table.ts';
import { Control, createControl } from '../../src/view/control.ts';
import { wholeSlice } from '../../src/view/run-slice.ts';
import type { SegmentHandle } from '../../src/view/segment.ts';
import { rowOf as rowAt, rowUnder, ShardView } from '../../src/view/shard-view.ts';
import { encodeRow, Until } from '../view/support.ts';
import {
  type Batch,
  compareRows,
  type Expected,
  groupMarker,
  type Rows,
  Violation,
  type Write,
} from './expected.ts';
import { KEY_KINDS, type KeyKind, payloadOf } from './key-kinds.ts';

export const SCHEMA = KEY_KINDS.numbers.schema;
export const DATABASE_ID = '00112233445566778899aabbccddeeff';
/** Small, so that a flush has little to do; prewriting a mebibyte would be most of the time. */
const SHAPE = { entriesMax: 128, arenaBytes: 32 * 1024 };
const WAL_PIECE_BYTES = 16 * 1024;

const NO_ROW = new Uint8Array(0);
const ALL = Number.POSITIVE_INFINITY;
/** Before every number that a scenario speaks of; its opposite is behind them. */
const LEAST = -4e8;

export function directoryOf(shard: number): string {
  return `/shard-${shard}`;
}

/** A disk with nothing but the directories of the shards. */
export function emptyDisk(shards: number): CrashStorage {
  const storage = new CrashStorage();
  for (let shard = 0; shard < shards; shard++) storage.makeDirectory(directoryOf(shard));
  storage.syncDirectory('/');
  return storage;
}

/** Every byte of a row follows from its stamp. */
function rowOf(stamp: number): { stamp: number; note: string | null } {
  return { stamp, note: stamp % 3 === 0 ? null : `${stamp}`.repeat(stamp % 7) };
}

function stampOf(what: string, found: unknown): number {
  const { stamp, note } = found as ReturnType<typeof rowOf>;
  if (note !== rowOf(stamp).note) throw new Violation(`${what}: the row ${stamp} has note ${note}`);
  return stamp;
}

export class Shards {
  readonly expected: Expected;
  readonly storage: CrashStorage;
  readonly engines: Engine[] = [];
  readonly control = new Control(createControl());
  readonly #kind: KeyKind;
  /** What each shard's group under way holds, and the batches that have a part in it. */
  readonly #pending: Write[][];
  readonly #partsPending: number[];
  #clockMs = 0;
  #commits = 0;
  readonly #epoch: Epoch;
  /** Records in it so far. */
  readonly #recordsPending: number[];

  private constructor(storage: CrashStorage, expected: Expected) {
    this.#epoch = { lo: ++expected.opens, hi: 7 };
    this.storage = storage;
    this.expected = expected;
    this.#kind = KEY_KINDS[expected.keyKind];
    this.#pending = Array.from({ length: expected.shards }, () => []);
    this.#partsPending = new Array(expected.shards).fill(0);
    this.#recordsPending = new Array(expected.shards).fill(0);
  }

  /** Salvages all shards, and returns what was dropped; nothing is written where nothing is damaged. */
  static salvage(storage: Storage, { shards, keyKind }: Expected): Salvaged[] {
    const all = Array.from({ length: shards }, (_, shard) => {
      return new ShardSalvage({
        storage,
        directory: directoryOf(shard),
        shard,
        schema: KEY_KINDS[keyKind].schema,
        databaseId: DATABASE_ID,
        memtableShape: SHAPE,
        walPieceBytes: WAL_PIECE_BYTES,
      });
    });
    const found = all.map((salvage) => salvage.found);
    const dropped = found.flatMap(({ salvaged }) => salvaged);
    if (dropped.length === 0) return dropped;
    const committed = decideBatches(found);
    for (const salvage of all) salvage.keep(committed);
    for (const salvage of all) salvage.conclude();
    return dropped;
  }

  /**
   * Recovers all shards, checks what they hold, and serves.
   * @throws Violation, and what the engine throws
   */
  static async open(storage: CrashStorage, expected: Expected, shape = SHAPE): Promise<Shards> {
    const shards = new Shards(storage, expected);
    const errors = storage.errors;
    shards.control.setNow(expected.nowMs);
    const epoch = shards.#epoch;
    const found = [];
    for (let shard = 0; shard < expected.shards; shard++) {
      // What an owner that died may have left.
      shards.control.setVersion(shard, 7);
      shards.control.setSettled(shard, 7);
      const opened = await Engine.open({
        storage,
        directory: directoryOf(shard),
        shard,
        schema: shards.#kind.schema,
        databaseId: DATABASE_ID,
        epoch,
        control: shards.control,
        memtableShape: shape,
        memoryBytes: 2 ** 30,
        readOnly: false,
        walPieceBytes: WAL_PIECE_BYTES,
        // Every other open pages in segments of any size.
        pagedBytesMin: expected.opens % 2 === 0 ? 0 : Number.POSITIVE_INFINITY,
        retain: expected.followed && { bytes: ALL, ms: ALL },
        runJob: async (job) => runJob(storage, job),
        onView: () => {},
        onNotice: () => {},
        clients: () => [],
      });
      shards.engines.push(opened.engine);
      found.push(opened.found);
    }
    expected.told = found.flatMap(({ salvaged }) => salvaged);
    const committed = decideBatches(found);
    for (const engine of shards.engines) engine.secure();
    for (const engine of shards.engines) engine.start(committed);
    expected.settle(shards.engines.map((engine) => shards.#scan(engine)));
    shards.#checkFiles(storage.errors > errors);
    for (const engine of shards.engines) engine.serve();
    await shards.idle();
    shards.#checkFollowed();
    return shards;
  }

  /** Lets who follows the logs go on, and says whether it could. */
  #follow(): boolean {
    const { followed } = this.expected;
    if (followed === null) return true;
    for (const engine of this.engines) engine.announce();
    const { storage, control } = this;
    const source = {
      ...{ storage, control, directoryOf },
      databaseId: DATABASE_ID,
      epoch: this.#epoch,
      kind: this.#kind,
    };
    // On a full disk, and where what is there cannot be read, logs are given up.
    return followed.follow(source, storage.errors > 0 || this.expected.hadErrors);
  }

  /** What was followed is all that recovery has found. */
  #checkFollowed(): void {
    const { followed, isRuined } = this.expected;
    if (followed === null || isRuined) return;
    const isRead = this.#follow();
    const found = this.engines.map((engine) => this.#scan(engine));
    if (isRead) followed.check(found, this.control.nowMs);
    else
      followed.renew(
        found,
        this.engines.map((engine) => engine.lastLsn),
      );
  }

  /** Waits until no flush or merge is under way. */
  async idle(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.engines.some((engine) => engine.isBusy));
  }

  put(shard: number, ...keys: readonly number[]): void {
    for (const at of keys) this.#write(shard, at, ++this.expected.stamp, null);
  }

  /** Rows that expire in so many milliseconds, where rows do. */
  putUntil(shard: number, ms: number, ...keys: readonly number[]): void {
    const doExpire = this.#kind.schema.ttl !== undefined;
    const expiresMs = doExpire ? this.expected.nowMs + ms : Number.POSITIVE_INFINITY;
    for (const at of keys) this.#write(shard, at, ++this.expected.stamp, null, expiresMs);
  }

  /** Lets time pass by which rows expire. */
  wait(ms: number): void {
    this.expected.nowMs += ms;
    this.control.setNow(this.expected.nowMs);
  }

  del(shard: number, ...keys: readonly number[]): void {
    for (const at of keys) this.#write(shard, at, null, null);
  }

  /** Keys beyond all that were written to the shard before. */
  append(shard: number, count: number): void {
    const first = groupMarker(this.expected.groups[shard].length + 1) + 1;
    this.put(shard, ...Array.from({ length: count }, (_, i) => first + i));
  }

  /** Whether a write to the key need not wait for a batch. */
  isFree(shard: number, at: number): boolean {
    const { codec, keyOf } = this.#kind;
    codec.encode(keyOf(at));
    const { words } = payloadOf(codec, NO_ROW);
    return !this.engines[shard].ledger.isBusy(codec.hi, codec.lo, words, 0);
  }

  /**
   * Asks conditions about keys, none of which is in an open batch: they have to be judged by all that
   * was written, what is pending included. @throws Violation
   */
  judge(shard: number, ...keys: readonly number[]): void {
    const engine = this.engines[shard];
    if (engine.failure !== null) return;
    const { table } = this.control;
    const isCommitted = ({ ticket, outcome }: Batch) =>
      outcome === 'committed' || (outcome === 'open' && table.state(ticket) === COMMITTED);
    const { shown } = this.expected;
    const rows = this.expected.rows(shard, shown[shard], isCommitted, this.#pending[shard]);
    for (const at of keys) {
      const stamp = rows.get(at);
      const holds = [
        this.#holds(engine, IF_ABSENT, at, null),
        this.#holds(engine, IF_PRESENT, at, null),
        this.#holds(engine, IF_EQUALS, at, stamp ?? 0),
        this.#holds(engine, IF_EQUALS, at, (stamp ?? 0) + 1),
      ];
      const wanted = [stamp === undefined, stamp !== undefined, stamp !== undefined, false];
      if (holds.join() === wanted.join()) continue;
      throw new Violation(`shard ${shard}: of key ${at}, which is ${stamp}, ${holds} holds`);
    }
  }

  #holds(engine: Engine, type: number, at: number, stamp: number | null): boolean {
    const { codec, keyOf, row } = this.#kind;
    codec.encode(keyOf(at));
    const rowBytes = stamp === null ? 0 : row.encode(rowOf(stamp));
    const { words, bytes } = payloadOf(codec, row.views.u8.subarray(0, rowBytes));
    return engine.holds(Uint32Array.of(type, bytes, codec.lo, codec.hi, ...words), 0);
  }

  /** Takes a ticket for a batch; each shard has to be given its part, in the order of tickets. */
  take(...shards: readonly number[]): Batch {
    const ticket = this.control.table.take(shards, 0, 1);
    assert(ticket !== 0);
    const batch: Batch = { ticket, shards, parts: [], outcome: 'open' };
    this.expected.batches.push(batch);
    return batch;
  }

  /** Adds the part of a batch to the shard's group: puts of `puts` and deletes of `dels`. */
  part(shard: number, batch: Batch, puts: readonly number[], dels: readonly number[] = []): void {
    const engine = this.engines[shard];
    const { table } = this.control;
    if (table.state(batch.ticket) === ABORTED) return;
    if (engine.refusalOf(false) !== null) {
      if (table.abort(batch.ticket)) batch.outcome = 'aborted';
      return;
    }
    const marker = this.expected.addPart(shard, batch, this.#partsPending[shard]++);
    this.#recordsPending[shard]++;
    engine.beginPart(batch.ticket, batch.shards, puts.length + dels.length + 1);
    for (const at of puts) this.#write(shard, at, ++this.expected.stamp, batch);
    for (const at of dels) this.#write(shard, at, null, batch);
    this.#write(shard, marker, batch.ticket, batch);
  }

  /**
   * Makes it possible to delete a range: the shard's group is committed and its memtable sealed. The flush
   * is not waited for, so that the range may be in the log before the manifest knows of it.
   */
  #makeClearable(shard: number): boolean {
    const engine = this.engines[shard];
    if (engine.canClear) return true;
    this.commit(shard);
    const isPossible = engine.refusalOf(true) === null && engine.canSeal && !engine.hasPending;
    if (isPossible) this.#attempt(() => engine.rotate(), shard);
    return engine.canClear;
  }

  /** Deletes the keys from one to another. Not where too many memtables wait for an open batch. */
  clear(shard: number, from: number, to: number): void {
    const engine = this.engines[shard];
    if (engine.ledger.hasBusy || !this.#makeClearable(shard)) return;
    if (engine.refusalOf(true) === null) this.#writeRange(shard, from, to, null);
  }

  /** Adds the part of a batch to the shard's group, which deletes a range. False as `clear`. */
  partOfRange(shard: number, batch: Batch, from: number, to: number): boolean {
    const engine = this.engines[shard];
    const isClearable = this.#makeClearable(shard);
    const { table } = this.control;
    if (table.state(batch.ticket) === ABORTED) return true;
    if (engine.refusalOf(false) === null && !isClearable) return false;
    if (engine.refusalOf(false) !== null) {
      this.refuse(shard, batch);
      return true;
    }
    const marker = this.expected.addPart(shard, batch, this.#partsPending[shard]++);
    this.#recordsPending[shard]++;
    engine.beginPart(batch.ticket, batch.shards, 2);
    this.#writeRange(shard, from, to, batch);
    this.#write(shard, marker, batch.ticket, batch);
    return true;
  }

  #writeRange(shard: number, from: number, to: number, batch: Batch | null): void {
    const { codec, keyOf, schema } = this.#kind;
    const [first, last] = [from, to].map((at) => {
      codec.encode(keyOf(at));
      const { hi, lo, bytes } = codec;
      const copy = bytes && copyOf(bytes.memory.buffer.subarray(bytes.start, bytes.end));
      return { hi, lo, bytes: copy };
    });
    const words = encodeRange(boundsOf(first, last, false, false), schema.key);
    const payload = words.subarray(2);
    const ticket = batch?.ticket ?? 0;
    const { hi, lo } = first;
    this.engines[shard].write(RANGE_DELETE, hi, lo, ticket, payload, 0, payload.byteLength);
    const lsn = this.engines[shard].lastLsn + ++this.#recordsPending[shard];
    this.#pending[shard].push({ key: from, to, stamp: null, batch, lsn });
  }

  /** The shard does not take its part of a batch, as when its memory is full. */
  refuse(_shard: number, batch: Batch): void {
    if (this.control.table.abort(batch.ticket)) batch.outcome = 'aborted';
  }

  #write(
    shard: number,
    at: number,
    stamp: number | null,
    batch: Batch | null,
    expiresMs = Number.POSITIVE_INFINITY,
  ): void {
    const engine = this.engines[shard];
    if (engine.refusalOf(stamp === null) === null) {
      this.#append(shard, at, stamp, batch, expiresMs);
    }
  }

  #append(
    shard: number,
    at: number,
    stamp: number | null,
    batch: Batch | null,
    expiresMs = Number.POSITIVE_INFINITY,
  ): void {
    const engine = this.engines[shard];
    const { codec, keyOf, row } = this.#kind;
    codec.encode(keyOf(at));
    const isUntil = expiresMs !== Number.POSITIVE_INFINITY;
    const what = stamp === null || !isUntil ? null : new Until(expiresMs, rowOf(stamp));
    const rowBytes = stamp === null ? 0 : encodeRow(row, what ?? rowOf(stamp));
    const { words, bytes } = payloadOf(codec, row.views.u8.subarray(0, rowBytes));
    assert(engine.fits(1, bytes), 'a scenario rotates before its memtable is full');
    const type = stamp === null ? DEL : PUT;
    engine.write(type, codec.hi, codec.lo, batch?.ticket ?? 0, words, 0, bytes);
    const lsn = engine.lastLsn + ++this.#recordsPending[shard];
    this.#pending[shard].push({ key: at, stamp, batch, lsn, expiresMs });
  }

  /**
   * Loads rows into all shards as one bulk load, as old as what was committed before `meanwhile` runs. Where
   * a shard cannot take part, it is ended, and nothing of it may ever be seen.
   */
  async load(keys: readonly number[], meanwhile: () => Promise<void>): Promise<void> {
    const { engines, expected } = this;
    const all = [...engines.keys()];
    const batch: Batch = { ticket: 0, shards: all, parts: [], outcome: 'open' };
    const number = this.control.published + 1;
    const [hi, lo] = [expected.opens, number];
    const name = loadName(hi, lo);
    const runs: (readonly SegmentHandle[])[][] = [];
    let isPublished = false;
    expected.batches.push(batch);
    try {
      for (const shard of all) runs.push([this.#mark(shard, hi, lo, keys, batch)]);
      await meanwhile();
      const written = [];
      for (const shard of all)
        written.push(await engines[shard].writeLoad(name, wholeSlice(runs[shard])));
      this.checkShown();
      for (const engine of engines) engine.settleLoads();
      for (const shard of all) {
        await engines[shard].prepareLoad(name, number, all, written[shard].ids);
        this.checkShown();
      }
      this.control.publish(number);
      batch.outcome = 'committed';
      isPublished = true;
    } catch (error) {
      this.#tolerate(error);
      if (engines.every(({ failure }) => failure === null)) batch.outcome = 'aborted';
    }
    for (const engine of engines) await engine.settleLoad(name, isPublished);
    this.checkShown();
    await this.idle();
  }

  /** Marks a load in a group of its own, and returns the rows that it will have in the shard. */
  #mark(
    shard: number,
    hi: number,
    lo: number,
    keys: readonly number[],
    batch: Batch,
  ): readonly SegmentHandle[] {
    const engine = this.engines[shard];
    const refuse = (): never => {
      throw new OmenError('OMEN_SHARD_FAILED', `Shard ${shard} takes no mark.`);
    };
    // A shard that has nothing yet has to be loaded into, too.
    if (!engine.canMark || engine.hasPending) this.commit(shard);
    const isPossible = engine.refusalOf(true) === null && engine.canSeal && !engine.hasPending;
    if (!engine.canMark && isPossible) this.#attempt(() => engine.rotate(), shard);
    if (!engine.canMark || engine.refusalOf(true) !== null) refuse();
    const { codec, keyOf, schema, row } = this.#kind;
    const builder = new ChunkBuilder(schema, 1);
    const marker = this.expected.addPart(shard, batch, this.#partsPending[shard]++);
    this.#recordsPending[shard]++;
    engine.mark(hi, lo, 0);
    for (const at of [...keys, marker]) {
      const stamp = ++this.expected.stamp;
      codec.encode(keyOf(at));
      row.encode(rowOf(stamp));
      builder.add(codec.hi, codec.lo, codec.bytes, row.views);
      this.#pending[shard].push({ key: at, stamp, batch, lsn: engine.lastLsn + 1 });
    }
    const group = this.expected.groups[shard].length + 1;
    this.commit(shard);
    const isMarked = this.expected.shown[shard] === group;
    if (!isMarked || engine.failure !== null) refuse();
    return sortChunks({ schema, chunks: [builder.finish()], onDuplicate: 'last' }).segments;
  }

  /** Commits the shard's group, with the outcomes of batches that are known by now. */
  commit(shard: number, sync = true): void {
    const engine = this.engines[shard];
    const { expected } = this;
    if (engine.isShort) this.tend(shard);
    const isPossible = engine.canCommit && engine.fits(1, 128);
    if (isPossible) {
      const group = expected.groups[shard].length + 1;
      this.#append(shard, groupMarker(group), group, null);
      expected.groups[shard].push(this.#pending[shard]);
    }
    this.#pending[shard] = [];
    this.#recordsPending[shard] = 0;
    this.#partsPending[shard] = 0;
    if (isPossible) this.#commit(shard, sync, 1);
  }

  /** Lets time pass: the shard looks whether there is room again, and makes its reserve. */
  tend(shard: number): void {
    this.#clockMs += 10_000;
    this.engines[shard].tend(this.#clockMs);
    if (this.engines[shard].failure === null) this.#noteDurable(shard);
  }

  /** How much more the disk holds from now on. */
  setRoom(room: Room | undefined): void {
    assert(this.storage instanceof CrashStorage);
    this.storage.setRoom(room);
  }

  /** Logs the outcomes that are known by now in a group of their own. */
  settle(shard: number): void {
    const engine = this.engines[shard];
    if (!engine.canCommit) return;
    engine.ledger.poll();
    if (engine.ledger.hasDecisions) this.#commit(shard, true, 0);
  }

  #commit(shard: number, sync: boolean, groups: 0 | 1): void {
    const engine = this.engines[shard];
    const { expected } = this;
    engine.ledger.poll();
    const aborted = expected.batches.filter(
      ({ ticket, parts, shards, outcome }) =>
        outcome === 'open' &&
        shards.includes(shard) &&
        this.control.table.state(ticket) === ABORTED &&
        parts.some((part) => part.shard === shard && part.group <= expected.shown[shard]),
    );
    try {
      engine.commit(sync);
    } catch (error) {
      this.#tolerate(error);
      if (engine.failure !== null) {
        engine.ledger.groupFailed();
      } else {
        engine.ledger.groupRefused();
        if (groups === 1) expected.refused(shard);
        this.#noteDurable(shard);
      }
      if (groups === 1) this.#checkDecided(shard);
      return;
    }
    if (groups === 1) expected.shown[shard] = expected.groups[shard].length;
    if (sync) expected.durable[shard] = expected.shown[shard];
    if (sync) for (const batch of aborted) batch.outcome = 'aborted';
    for (const ticket of engine.ledger.groupCommitted(engine.isDurable)) {
      const batch = expected.batches.find((one) => one.ticket === ticket && one.outcome === 'open');
      assert(batch !== undefined);
      batch.outcome = 'committed';
    }
    engine.maintain();
    if (this.#commits++ % 3 === 0) this.#follow();
  }

  /** A part that its shard cannot vouch for decides its batch: nobody waits for it. */
  #checkDecided(shard: number): void {
    const lost = this.expected.groups[shard].length;
    for (const { ticket, parts, outcome } of this.expected.batches) {
      if (outcome !== 'open') continue;
      const isLost = parts.some((part) => part.shard === shard && part.group === lost);
      if (isLost && this.control.table.state(ticket) === UNDECIDED) {
        throw new Violation(`batch ${ticket} waits for shard ${shard}, which has failed`);
      }
    }
  }

  sync(shard: number): void {
    this.#attempt(() => this.engines[shard].sync(), shard);
  }

  /** Seals the shard's memtable; its flush begins at once, unless a batch in it is open. */
  async rotate(shard: number): Promise<void> {
    const engine = this.engines[shard];
    if (engine.failure !== null || !engine.canSeal) return;
    this.#attempt(() => engine.rotate(), shard);
    await this.idle();
  }

  /** Whether that many more entries fit; not where too many memtables wait for an open batch. */
  hasRoom(shard: number, entries: number): boolean {
    return this.engines[shard].fits(entries, 128 * entries);
  }

  /** Makes room for some more entries, where the memtable is nearly full. */
  async room(shard: number, entries: number): Promise<void> {
    if (!this.hasRoom(shard, entries)) await this.rotate(shard);
  }

  async flush(shard: number): Promise<void> {
    this.settle(shard);
    // It would wait for a batch that this scenario leaves open.
    if (this.engines[shard].ledger.isWaiting || !this.engines[shard].canCommit) return;
    try {
      await this.engines[shard].flush();
    } catch (error) {
      this.#tolerate(error);
      return;
    }
    if (this.engines[shard].failure === null) this.#synced(shard);
  }

  async compact(shard: number): Promise<void> {
    this.settle(shard);
    if (this.engines[shard].ledger.isWaiting) return;
    try {
      await this.engines[shard].compact();
    } catch (error) {
      this.#tolerate(error);
    }
  }

  async close(): Promise<void> {
    for (const [shard, engine] of this.engines.entries()) {
      try {
        await engine.close();
      } catch (error) {
        this.#tolerate(error);
        continue;
      }
      if (engine.failure === null) this.#synced(shard);
    }
  }

  /** Closes the shards and opens them again, with memtables of another size. */
  async reopened(shape = SHAPE): Promise<Shards> {
    await this.close();
    this.expected.processEnded();
    return Shards.open(this.storage, this.expected, shape);
  }

  /** As `reopened`, after every model file of a shard was damaged in one of three ways. */
  async reopenedWithoutModels(shard: number): Promise<Shards> {
    await this.close();
    this.expected.processEnded();
    const directory = directoryOf(shard);
    const { runs } = ManifestFile.open(this.storage, directory, DATABASE_ID, shard).current;
    for (const { id, modelBytes } of runs.flat()) {
      const path = `${directory}/${modelName(id)}`;
      if (id % 3 === 0) {
        this.storage.remove(path);
        continue;
      }
      const file = this.storage.open(path, 'read-write');
      if (id % 3 === 1) file.truncate(modelBytes >>> 1);
      else file.write(new Uint8Array(40), modelBytes >>> 1);
      file.sync();
      file.close();
    }
    return Shards.open(this.storage, this.expected);
  }

  #attempt(run: () => void, shard: number): void {
    try {
      run();
    } catch (error) {
      this.#tolerate(error);
    }
    if (this.engines[shard].failure === null) this.#synced(shard);
  }

  /** What the engine may have synced of its own accord. */
  #noteDurable(shard: number): void {
    if (this.engines[shard].isDurable) this.#synced(shard);
  }

  #synced(shard: number): void {
    this.expected.durable[shard] = this.expected.shown[shard];
  }

  /** A shard that reports that it cannot go on behaves well; a kill ends the scenario. */
  #tolerate(error: unknown): void {
    if (!(error instanceof OmenError) || error.code === 'OMEN_CORRUPT') throw error;
  }

  /** Checks that readers see what was shown, no more and no less, whether a shard has failed or not. */
  checkShown(): void {
    const { table } = this.control;
    for (const [shard, engine] of this.engines.entries()) {
      const isCommitted = ({ ticket, outcome }: Batch) =>
        outcome === 'committed' || (outcome === 'open' && table.state(ticket) === COMMITTED);
      const wanted = this.expected.rows(shard, this.expected.shown[shard], isCommitted);
      const settled = this.control.settled(shard);
      if (settled !== 0 && settled !== engine.view.version) {
        throw new Violation(`shard ${shard}: a view that was replaced is still said to be settled`);
      }
      compareRows(`shard ${shard} as it is served`, this.#scan(engine), wanted);
    }
  }

  /** All rows of a shard, after a full scan, point reads and count have agreed about them. */
  #scan(engine: Engine): Rows {
    const what = `shard ${engine.shard}`;
    const { codec, readers, keyOf, numberOf, instant } = this.#kind;
    const { nowMs } = this.control;
    instant.nowMs = nowMs;
    const view = new ShardView(engine.view, readers, this.control.table, null, this.storage);
    // While pages are to come, each key brings in what it needs.
    const early = new Map<number, number | undefined>();
    if (view.isPaging) {
      for (const at of this.expected.keys(engine.shard)) early.set(at, this.#get(what, view, at));
    }
    view.pageIn();
    const { visible } = view.capture(new Set(), nowMs);
    const rows = new Map<number, number>();
    const cursor = view.cursor(visible, nowMs);
    let before = Number.NEGATIVE_INFINITY;
    codec.encode(keyOf(LEAST));
    cursor.seekCeil(codec.hi, codec.lo, codec.bytes);
    for (; !cursor.done; cursor.next()) {
      const at = numberOf(codec.decode(cursor.hi, cursor.lo, cursor.bytes));
      if (at <= before) throw new Violation(`${what}: key ${at} follows ${before}`);
      before = at;
      rows.set(at, stampOf(what, rowUnder(readers, cursor)));
    }
    // What is settled, point reads look up in another way.
    const isSettled = this.control.settled(engine.shard) === view.numbersVersion;
    for (const at of new Set([...this.expected.keys(engine.shard), ...rows.keys()])) {
      const stamp = this.#get(what, view, at);
      if (stamp !== rows.get(at) || (early.has(at) && early.get(at) !== stamp)) {
        const [paged, scanned] = [early.get(at), rows.get(at)];
        const gets = early.has(at) ? `${stamp}, of pages as they came ${paged}` : stamp;
        throw new Violation(`${what}: a get of ${at} gives ${gets}, the scan ${scanned}`);
      }
      if (!isSettled) continue;
      const settled = view.getNumber(codec.number);
      const settledStamp = settled === undefined ? undefined : stampOf(what, settled);
      if (settledStamp !== stamp) {
        throw new Violation(`${what}: settled, a get of ${at} gives ${settledStamp}, not ${stamp}`);
      }
    }
    const all = this.#allKeys();
    const count = view.count(visible, all, nowMs);
    if (count !== rows.size) throw new Violation(`${what}: count ${count}, scan ${rows.size}`);
    return rows;
  }

  /** The stamp of a key's row, looked up by itself, which leaves the key in the codec. */
  #get(what: string, view: ShardView, at: number): number | undefined {
    const { codec, readers, keyOf } = this.#kind;
    codec.encode(keyOf(at));
    const { hi, lo, number, bytes } = codec;
    const source = view.locate(codec.hash(), hi, lo, number, bytes);
    if (source === null) return undefined;
    const found = rowAt(readers, source, view.located);
    return found === undefined ? undefined : stampOf(what, found);
  }

  #allKeys(): KeyBounds {
    const { codec, keyOf } = this.#kind;
    const [first, last] = [LEAST, -LEAST].map((at) => {
      codec.encode(keyOf(at));
      const { hi, lo, bytes } = codec;
      const copy = bytes && copyOf(bytes.memory.buffer.subarray(bytes.start, bytes.end));
      return { hi, lo, bytes: copy };
    });
    return {
      firstHi: first.hi,
      firstLo: first.lo,
      firstBytes: first.bytes,
      isAfterFirst: true,
      lastHi: last.hi,
      lastLo: last.lo,
      lastBytes: last.bytes,
      isBeforeLast: true,
    };
  }

  /**
   * Checks that recovery left no file that nothing names, and every model file whole. Where there was
   * no descriptor to remove a manifest that was replaced, it waits for the next one.
   */
  #checkFiles(hadErrors: boolean): void {
    for (const { shard, view } of this.engines) {
      const directory = directoryOf(shard);
      const manifest = ManifestFile.open(this.storage, directory, DATABASE_ID, shard).current;
      // What was made of the log is named once all shards serve.
      const shown = view.runs.flat().flatMap(({ id }) => [segmentName(id), modelName(id)]);
      const known = new Set(shown);
      for (const { id, modelBytes, modelCrc } of manifest.runs.flat()) {
        known.add(segmentName(id)).add(modelName(id));
        const expected = { fileBytes: modelBytes, crc: modelCrc };
        readSections(this.storage, `${directory}/${modelName(id)}`, expected);
      }
      const all = this.storage.list(directory);
      const names = all.filter((name) => !name.endsWith(DAMAGED_SUFFIX));
      const isOrphan = (name: string) =>
        (name.startsWith('segment-') && !known.has(name)) ||
        name.endsWith('.tmp') ||
        name === 'wal-recycled';
      const orphans = names.filter(isOrphan);
      if (orphans.length > 0) throw new Violation(`orphans in ${directory}: ${orphans}`);
      const manifests = names.filter((name) => name.startsWith('manifest-'));
      if (manifests.length > (hadErrors ? 2 : 1))
        throw new Violation(`manifests in ${directory}: ${manifests}`);
    }
  }
}
