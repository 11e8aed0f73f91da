/**
 * One shard: log, memtables, segments and manifest, put together. Runs in whatever thread owns it.
 *
 * - One owner thread calls everything here. Readers see it only through the views it publishes and
 *   through the shared memory those name.
 * - A write goes into the log's group and, unpublished, into the active memtable; `commit` makes the
 *   group durable and only then publishes it. If the log fails, the group is forgotten, the shard
 *   refuses further writes (`failure`), and reads go on. If there was no room for it, the group is
 *   forgotten and the shard is short (shortage.ts): it goes on by itself when there is room again.
 * - Memtables are newest first: the active one, then sealed ones until their flush is in the manifest.
 *   The log is cut only below the oldest record that neither a segment holds nor a batch still needs.
 * - A memtable's ranges are cleared of all runs when it is flushed, and of a run's rows when it is merged.
 * - A bulk load's run is shown in all shards at one moment: each shard puts it into its manifest and posts a
 *   view with it, which readers take once the load is published (`Control.published`). Until then, which
 *   takes a few syncs, the set of memtables and runs stays as it is.
 * - At most one flush and one merge are under way. A job writes new files only; they count once the
 *   manifest names them. Files that no manifest names are removed when their job found no room, and at
 *   the next open.
 */
import assert from 'node:assert';
import { join } from 'node:path';
import { CORRUPT_ADVICE, isShortage, OmenError } from '../errors.ts';
import { isVariable, type Schema } from '../schema/schema.ts';
import { meteredStorage } from '../storage/metered.ts';
import { removeLeftover, type Storage, TEMPORARY_SUFFIX } from '../storage/storage.ts';
import { boundsOf, greatestBound, leastBound } from '../view/bounds.ts';
import { type ClearedRange, decodeRange, encodeRange, isRange } from '../view/cleared.ts';
import type { Control } from '../view/control.ts';
import { Expiry } from '../view/expiry.ts';
import type { Memtable, MemtableHandle, MemtableShape } from '../view/memtable.ts';
import { Retired } from '../view/retired.ts';
import type { OnExisting, RunSlice } from '../view/run-slice.ts';
import { Run, Segment, type SegmentHandle } from '../view/segment.ts';
import type { ViewMessage } from '../view/shard-view.ts';
import { type LocalLog, openLocalLog, PIECE_BYTES, type Retain } from '../wal/log.ts';
import { BatchLedger } from './batch-ledger.ts';
import { joinSegments, type MergePlan, planFullMerge, planMerge } from './compaction.ts';
import { Conditions } from './conditions.ts';
import type { ExistingJob } from './existing-rows.ts';
import type { ExpiryJob } from './expired-rows.ts';
import { type FlushJob, flushMemtable } from './flush.ts';
import type { RunJob, WritingJob } from './jobs.ts';
import type { LoadJob } from './load-job.ts';
import { Loads, type OpenLoad, placeOf } from './loads.ts';
import {
  idOfSegmentFile,
  ManifestFile,
  type ManifestLoad,
  modelName,
  removeUnnamed,
  type SegmentRecord,
  segmentName,
} from './manifest.ts';
import { MemtablePool } from './memtable-pool.ts';
import { entryFlags, MemtableWriter } from './memtable-writer.ts';
import { type ModelFile, replaceModelFile, type SegmentPlace } from './model-files.ts';
import type { Notice, WorkNotice } from './notice.ts';
import {
  type DEL,
  type Epoch,
  KEY_HI,
  KEY_LO,
  LOAD_MARK,
  LOADED,
  loadBatchName,
  loadName,
  OPERATION_BYTES,
  PUT,
  RANGE_DELETE,
  TYPE,
  wordsOfLoad,
} from './records.ts';
import { type RecoveredShard, Replay, withLoad } from './replay.ts';
import { Reserve } from './reserve.ts';
import { readSegmentFiles, type WrittenSegmentFiles } from './segment-files.ts';
import { segmentLimit } from './segment-limit.ts';
import { type Span, spanOf } from './segment-shape.ts';
import { ShardMeter, sizeOf } from './shard-meter.ts';
import { Shortage } from './shortage.ts';

export interface EngineOptions {
  readonly storage: Storage;
  readonly directory: string;
  readonly shard: number;
  readonly schema: Schema;
  /** 32 hexadecimal digits. */
  readonly databaseId: string;
  readonly epoch: Epoch;
  readonly control: Control;
  readonly memtableShape: MemtableShape;
  /** Bytes this shard may hold in memory: memtables, segments, indexes. */
  readonly memoryBytes: number;
  /** Nothing is written, not even what recovery would; batches are decided in memory only. */
  readonly readOnly: boolean;
  /** Segments with files of so many bytes are paged in while the shard serves. */
  readonly pagedBytesMin?: number;
  /** Bytes of the log prewritten at once, whole blocks: by default the log's own choice. */
  readonly walPieceBytes?: number;
  /** What is kept of the log for who may follow it later; null: nothing. */
  readonly retain?: Retain | null;
  readonly runJob: RunJob;
  /** Hands a new view to every reader; the version word is raised after it returns. */
  readonly onView: (view: ViewMessage) => void;
  /** Tells every client what happens in the background. */
  readonly onNotice: (notice: Notice) => void;
  /** Tells who opened the database what was flushed and merged. */
  readonly onWork?: (work: WorkNotice) => void;
  /** Clients whose oldest view has to be respected before memory is reused. */
  readonly clients: () => Iterable<number>;
}

/** To read smaller segments before the shard serves takes no time worth saving. */
const PAGED_BYTES_MIN = 16 * 2 ** 20;
/** Sealed memtables that wait for their flush: more, and writes have to wait. */
const SEALED_MAX = 3;
/** Numbers set aside for the segments that one job may write. */
const IDS_PER_JOB = 4096;

interface Sealed {
  readonly memtable: MemtableWriter;
  /** The LSN of its last record. */
  readonly lastLsn: number;
}

interface OpenSegment {
  readonly record: SegmentRecord;
  readonly segment: Segment;
}

/** What a job wrote for a bulk load. */
export interface WrittenLoad {
  /** Numbers of the segments, in key order. */
  readonly ids: readonly number[];
  readonly segments: readonly SegmentHandle[];
  readonly rows: number;
  /** Of files. */
  readonly bytes: number;
  /** Rows that gave way to rows that are there. */
  readonly existing: number;
}

/** A bulk load whose outcome is open. */
interface Undecided {
  readonly load: ManifestLoad;
  readonly run: Run | null;
  /** The runs with its own. */
  readonly runs: Run[];
  readonly view: ViewMessage;
}

/** What was cleared of each run, in words. */
function wordsOf(runs: readonly Run[]): Uint32Array[][] {
  return runs.map(({ cleared }) => cleared.map(({ words }) => words));
}

export class Engine {
  readonly shard: number;
  readonly ledger: BatchLedger;
  /** Why the shard refuses writes, or null. */
  failure: OmenError | null = null;
  readonly #options: EngineOptions;
  readonly #place: SegmentPlace;
  readonly #manifest: ManifestFile;
  readonly #log: LocalLog;
  readonly #pool: MemtablePool;
  readonly #retired = new Retired();
  readonly #conditions: Conditions;
  readonly #expiry: Expiry | null;
  readonly #shortage = new Shortage();
  readonly #reserve: Reserve;
  #active: MemtableWriter;
  #sealed: Sealed[] = [];
  #segments = new Map<number, OpenSegment>();
  #runs: Run[] = [];
  readonly #loads = new Loads();
  /** Of a load that recovery found undecided; where this shard has no row of it, its run is null. */
  #foundLoad: { readonly load: ManifestLoad; run: Run | null; readonly lsn: number } | null = null;
  #undecided: Undecided | null = null;
  /** Whether a load is being published: nothing may change but the active memtable. */
  #isPublishing = false;
  /** Names of loads that are published, of which the log does not say so yet. */
  #unlogged: string[] = [];
  /** What the next manifest says of loads. */
  #load: ManifestLoad | null = null;
  /** Goes on from where the shard's last owner left it: clients may still hold that one's views. */
  #version: number;
  #nextId: number;
  #flushing: Promise<void> | null = null;
  #merging: Promise<void> | null = null;
  #paging: Promise<void> | null = null;
  /** Whether some page cannot be brought in, and those behind it are left to who asks for them. */
  #hasDamage = false;
  #isServing = false;
  /** Whether the manifest names the log's newest file. */
  #isLogNamed = true;
  readonly #meter: ShardMeter;
  /** Of the last recovery. */
  readonly #found = { modelsRebuilt: 0, tornBytes: 0, records: 0, startMs: performance.now() };

  private constructor(options: EngineOptions) {
    const { storage, directory, shard, databaseId, control, schema } = options;
    this.#options = options;
    this.shard = shard;
    this.#meter = new ShardMeter(control, shard);
    this.#place = { directory, schema, databaseId, shard };
    this.#manifest = ManifestFile.open(storage, directory, databaseId, shard);
    this.#nextId = this.#manifest.current.nextId;
    this.#version = control.version(shard) + 1;
    const identity = { databaseId: Uint8Array.from(Buffer.from(databaseId, 'hex')), shard };
    const { logFile, setAside, logLsn } = this.#manifest.current;
    this.#log = openLocalLog(meteredStorage(storage, this.#meter), directory, identity, {
      required: logFile === null ? [] : [logFile],
      setAside,
      neededLsn: logLsn,
      pieceBytes: options.walPieceBytes,
      retain: options.retain,
    });
    this.#reserve = new Reserve(storage, directory, options.walPieceBytes ?? PIECE_BYTES);
    const storesKeys = isVariable(schema.key);
    this.#pool = new MemtablePool(
      options.memtableShape,
      storesKeys,
      control,
      shard,
      options.clients,
    );
    this.#active = new MemtableWriter(this.#pool.take(), control.table);
    this.ledger = new BatchLedger(control.table, shard, options.epoch, storesKeys);
    this.#conditions = new Conditions(schema);
    this.#expiry = Expiry.of(schema);
  }

  /**
   * Reads manifest, segments and log. Nothing is shown before `start`.
   * @throws OMEN_CORRUPT naming file and offset, OMEN_NEWER_FORMAT, what the storage throws
   */
  static async open(options: EngineOptions): Promise<{ engine: Engine; found: RecoveredShard }> {
    const engine = new Engine(options);
    engine.#loadSegments();
    return { engine, found: await engine.#replay() };
  }

  #loadSegments(): void {
    const { schema } = this.#place;
    const { storage, pagedBytesMin = PAGED_BYTES_MIN } = this.#options;
    const runs: Run[] = [];
    for (const records of this.#manifest.current.runs) {
      const segments = records.map((record) => {
        const isPaged = record.fileBytes >= pagedBytesMin;
        const { handle, rebuilt } = readSegmentFiles(storage, this.#place, record, isPaged);
        if (rebuilt !== null) this.#rebuilt.set(record.id, rebuilt);
        const segment = new Segment(handle, schema.key, storage);
        this.#noteToCome(segment);
        this.#segments.set(record.id, { record, segment });
        return segment;
      });
      const cleared = this.#manifest.current.cleared[runs.length];
      if (!cleared.every((words) => isRange(words, schema.key))) this.#refuseManifest();
      runs.push(
        new Run(
          segments,
          cleared.map((words) => decodeRange(words, schema.key)),
        ),
      );
    }
    this.#runs = runs;
    this.#found.modelsRebuilt = this.#rebuilt.size;
    this.#setAsideLoad();
  }

  /** Segments of which pages are to come. */
  readonly #toCome: Segment[] = [];

  #noteToCome(segment: Segment): void {
    const { paging, rows } = segment;
    if (paging === null) return;
    this.#toCome.push(segment);
    // Where a run's segments end has to be known.
    paging.ensureKeys(0, 1);
    paging.ensureKeys(rows - 1, rows);
  }

  /** Whether all pages of all segments are there: nothing else can be flushed or merged. */
  get #isWhole(): boolean {
    return this.#toCome.every(({ paging }) => paging === null || paging.isComplete);
  }

  /** Brings in all that is to come, here and now. */
  #pageInNow(): void {
    for (const { paging } of this.#toCome) paging?.ensureAll();
  }

  /** Has a job bring in the pages that are to come, and shows what can then be read the quick ways. */
  #pageIn(): void {
    if (this.#isWhole || this.#paging !== null || this.#hasDamage) return;
    const segments = this.#toCome.map(({ handle }) => handle);
    const job = { kind: 'page-in', place: this.#place, segments } as const;
    this.#paging = this.#options
      .runJob(job)
      .then(
        () => {
          if (this.#isWhole) this.#toCome.length = 0;
          // While a load is published nothing may be shown; a view follows that.
          if (this.#isServing && !this.#isPublishing) this.publishView();
        },
        (error: unknown) => this.#pageInFailed(error),
      )
      .finally(() => {
        this.#paging = null;
        this.maintain();
      });
  }

  /** What cannot be read now may be read later, if it was for want of descriptors; else writes end. */
  #pageInFailed(error: unknown): void {
    if (isShortage(error)) return;
    this.#hasDamage = true;
    // What is opened to be read only has failed to begin with.
    if (this.#options.readOnly && error instanceof OmenError) this.#tellOf(error);
    this.fail(error);
  }

  /** Takes the run of a load whose outcome is open out of the runs. */
  #setAsideLoad(): void {
    const { load, runs } = this.#manifest.current;
    this.#load = load;
    if (load === null || load.run === null) return;
    const lsn = load.run < 0 ? 0 : runs[load.run][0].firstLsn;
    const [run = null] = load.run < 0 ? [] : this.#runs.splice(load.run, 1);
    this.#foundLoad = { load, run, lsn };
  }

  #refuseManifest(): never {
    throw new OmenError(
      'OMEN_CORRUPT',
      `${this.#manifest.path} is damaged at offset 0: a range in it is none of this database's keys. ` +
        'Restore the shard from a backup.',
    );
  }

  /** Model files to write, of segments that were opened without one. */
  readonly #rebuilt = new Map<number, ModelFile>();

  #replaceModels(): void {
    const { storage, directory } = this.#options;
    for (const [id, content] of this.#rebuilt) {
      const { record, segment } = this.#openSegment(id);
      const replaced = replaceModelFile(storage, this.#place, record, content);
      this.#segments.set(id, { record: replaced, segment });
    }
    if (this.#rebuilt.size > 0) storage.syncDirectory(directory);
    this.#rebuilt.clear();
  }

  async #replay(): Promise<RecoveredShard> {
    const replay = new Replay(this.shard, this.#manifest.current.flushedLsn, {
      active: () => this.#active,
      seal: (lastLsn, rowBytes) => {
        this.#seal(lastLsn, rowBytes);
        this.#spill(replay);
      },
    });
    const { logLsn, durableLsn } = this.#manifest.current;
    const report = this.#log.read(logLsn, replay.visit);
    if (report.lastLsn < durableLsn) {
      const { path, offset } = report.end ?? { path: this.#options.directory, offset: 0 };
      throw new OmenError(
        'OMEN_CORRUPT',
        `${path} is damaged at offset ${offset}: the log ends there with LSN ${report.lastLsn}, ` +
          `and was durable up to ${durableLsn}. ${CORRUPT_ADVICE}`,
      );
    }
    this.#found.tornBytes = report.tail?.bytes ?? 0;
    this.#found.records = report.records;
    this.#replayed = replay;
    return withLoad(replay.finish(report, this.#manifest.current.salvaged), this.#load);
  }

  #replayed: Replay | null = null;
  /** Up to here recovery made runs of the log, which the manifest does not name yet; 0: of nothing. */
  #spilledLsn = 0;

  /**
   * Turns memtables into segments while the log is read, where it holds more of them than may wait for a
   * flush: memtables may be smaller than they were when it was written.
   */
  #spill(replay: Replay): void {
    const { storage, directory, readOnly } = this.#options;
    if (!readOnly && this.#sealed.length > SEALED_MAX) this.#pageInNow();
    while (!readOnly && this.#sealed.length > SEALED_MAX) {
      const { memtable, lastLsn } = this.#sealed[this.#sealed.length - 1];
      if (replay.isOpenIn(memtable)) return;
      if (this.#spilledLsn === 0) removeUnnamed(storage, directory, this.#nextId);
      const firstLsn = Math.max(this.#spilledLsn, this.#manifest.current.flushedLsn) + 1;
      const written = flushMemtable(storage, this.#flushJob(memtable, { firstLsn, lastLsn }));
      const older = this.#clearedBy(memtable.reader, lastLsn);
      const opened = this.#openSegments(written);
      this.#runs = opened.length > 0 ? [new Run(opened), ...older] : older;
      this.#spilledLsn = lastLsn;
      this.#sealed.pop();
      this.#pool.retire(memtable.handle, this.#version);
    }
  }

  /** Names in the manifest what recovery made of the log, which is kept as long as it was. */
  #installSpilled(): void {
    if (this.#spilledLsn === 0) return;
    this.#install(null, this.#runs, this.#spilledLsn, this.#manifest.current.logLsn);
  }

  /**
   * Makes durable what recovery found, which a power cut could still take: it may have been in the page
   * cache only. No shard may log the outcome of a batch before all of them have done this, or the
   * outcome could outlive a part it was concluded from.
   */
  secure(): void {
    if (this.#options.readOnly) {
      this.failure = new OmenError(
        'OMEN_READ_ONLY',
        'The database was opened with readOnly: true.',
      );
    } else {
      this.#reserve.find();
      try {
        this.#secure();
      } catch (error) {
        // The last process left a full disk, and perhaps the reserve.
        if (!isShortage(error) || !this.#reserve.release()) throw error;
        this.#secure();
      }
    }
  }

  #secure(): void {
    this.#replaceModels();
    this.#manifest.renew(this.#namedRecords());
    this.#removeOrphans();
    this.#log.start();
  }

  /**
   * Makes the shard writable, after every shard is secure and the outcome of every batch that recovery
   * found undecided is known; all of them are durable in this shard when it returns.
   * @param committed names of the batches that are committed; all others found are aborted
   */
  start(committed: ReadonlySet<string>): void {
    const replay = this.#replayed;
    assert.ok(replay !== null);
    this.#replayed = null;
    const parts = replay.resolve(committed);
    if (!this.#options.readOnly) {
      for (const part of parts) {
        this.ledger.logDecision(this.#log, part, committed.has(part.batch));
      }
      if (this.#log.groupRecords > 0) this.#log.commit(true);
      this.#nameLogFile();
    }
    this.#decideFoundLoad(committed);
    this.#active.publish();
    this.#active.sealChunks();
  }

  #decideFoundLoad(committed: ReadonlySet<string>): void {
    const found = this.#foundLoad;
    if (found === null) return;
    this.#foundLoad = null;
    const { load, run, lsn } = found;
    const { current } = this.#manifest;
    const at = load.run;
    if (committed.has(loadBatchName(load.name))) {
      if (run !== null) this.#runs.splice(placeOf(this.#recordsOf(this.#runs), lsn), 0, run);
      this.#load = { ...load, run: null };
      if (this.#options.readOnly) return;
      if (run !== null) this.#unlogged.push(load.name);
      this.#logLoaded();
      this.#manifest.replace({ ...current, load: this.#load });
      return;
    }
    this.#load = null;
    if (this.#options.readOnly) return;
    const without = <T>(list: readonly T[]): T[] => list.filter((_, i) => i !== at);
    const [runs, cleared] = [without(current.runs), without(current.cleared)];
    this.#manifest.replace({ ...current, runs, cleared, load: null });
    if (run !== null) this.#removeSegments(run.segments.map(({ id }) => id));
  }

  /** Shows the rows to readers, once every shard has started: all outcomes are durable everywhere. */
  serve(): void {
    this.#options.control.statuses.set(this.shard, 'serving');
    this.#installSpilled();
    this.#forgetSalvage();
    this.#isServing = true;
    this.publishView();
    this.announce();
    this.count();
    this.#options.control.setCounter(
      this.shard,
      'recoveryMs',
      performance.now() - this.#found.startMs,
    );
    this.#noteSpace();
    this.#pageIn();
    this.maintain();
  }

  #forgetSalvage(): void {
    if (this.failure !== null) return;
    try {
      this.#manifest.forgetSalvage();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Removes what a crash left: files of unfinished jobs and publications. */
  #removeOrphans(): void {
    const { storage, directory } = this.#options;
    const known = new Set<string>();
    for (const id of this.#segments.keys()) known.add(segmentName(id)).add(modelName(id));
    for (const name of storage.list(directory)) {
      const isSegment = idOfSegmentFile(name) !== null && !known.has(name);
      if (isSegment || name.endsWith(TEMPORARY_SUFFIX)) storage.remove(join(directory, name));
    }
    this.#manifest.removeOlder();
  }

  /** Bytes of memory in use, the free memtables of the pool not counted. */
  get memoryBytes(): number {
    let bytes = this.#active.usedBytes;
    for (const { memtable } of this.#sealed) bytes += memtable.usedBytes;
    for (const { segment } of this.#segments.values()) {
      bytes += segment.handle.layout.bodyBytes + segment.handle.modelBytes;
    }
    return bytes;
  }

  /** Whether puts are refused for want of memory. Deletes are not. */
  get isMemoryFull(): boolean {
    return this.memoryBytes > this.#options.memoryBytes;
  }

  /** Whether something is wanting that may come back: see `refusalOf`. */
  get isShort(): boolean {
    return this.#shortage.refusal !== null;
  }

  /** Why a put or a delete is refused, or null; the budget of memory is another matter. */
  refusalOf(isDelete: boolean): OmenError | null {
    if (this.failure !== null) return this.failure;
    const { refusal, isExhausted } = this.#shortage;
    return isDelete && !isExhausted && this.canSeal ? null : refusal;
  }

  /** Whether there is a point in committing anything. */
  get canCommit(): boolean {
    return this.failure === null && !this.#shortage.isExhausted;
  }

  /** Whether a group of this size fits behind what is pending, without sealing the memtable first. */
  fits(entries: number, rowBytes: number): boolean {
    return this.#active.fits(entries, rowBytes);
  }

  /** Whether the memtable may be sealed now, or writes have to wait for a flush. */
  get canSeal(): boolean {
    return this.#sealed.length < SEALED_MAX && this.#undecided === null;
  }

  /**
   * Adds one operation to the group. The row is copied from `words`, 32-bit words at `at` (a multiple
   * of 2), padded to 8 bytes; a key of variable length, a deleted one too, stands there before it. A
   * range's key is its first, its row what follows that (`view/cleared.ts`); it needs `canClear`.
   * @param ticket the batch across shards it is part of, or 0
   */
  write(
    type: typeof PUT | typeof DEL | typeof RANGE_DELETE,
    hi: number,
    lo: number,
    ticket: number,
    words: Uint32Array,
    at: number,
    rowBytes: number,
  ): void {
    const log = this.#log;
    const record = log.reserve(OPERATION_BYTES + rowBytes) >>> 2;
    if (type === PUT) this.#meter.put();
    else this.#meter.del();
    const target = log.u32;
    target[record + TYPE] = type;
    target[record + KEY_LO] = lo;
    target[record + KEY_HI] = hi;
    const row = this.#active.append(hi, lo, entryFlags(type), ticket, rowBytes);
    const arena = this.#active.reader.arena.u32;
    const logRow = record + OPERATION_BYTES / 4;
    const rowWords = (rowBytes + 3) >>> 2;
    if (rowWords > 64) {
      const source = words.subarray(at, at + rowWords);
      target.set(source, logRow);
      arena.set(source, row >>> 2);
    } else {
      for (let i = 0; i < rowWords; i++) {
        const word = words[at + i];
        target[logRow + i] = word;
        arena[(row >>> 2) + i] = word;
      }
    }
    if (ticket === 0) return;
    const entry = this.#active.entryOfRow(row);
    if (type === RANGE_DELETE) this.ledger.addRange(entry, this.#active.reader.rangeAt(entry));
    else this.ledger.addEntry(entry, hi, lo, words, at);
  }

  /** Whether a range may be deleted now, or the memtable has to be sealed first: a range hides older ones. */
  get canClear(): boolean {
    return this.#active.hasNoVersions;
  }

  /** Whether the mark of a bulk load may be written now, or the memtable has to be sealed first. */
  get canMark(): boolean {
    return this.#active.isEmpty;
  }

  /**
   * Adds the mark of a bulk load to the group: it needs `canMark`.
   * @param ticket the batch across shards it is part of, or 0
   */
  mark(hi: number, lo: number, ticket: number): void {
    assert.ok(this.canMark);
    const log = this.#log;
    this.#loads.mark(loadName(hi, lo), log.nextLsn);
    const record = log.reserve(OPERATION_BYTES) >>> 2;
    log.u32[record + TYPE] = LOAD_MARK;
    log.u32[record + KEY_LO] = lo;
    log.u32[record + KEY_HI] = hi;
    // Until all shards have it, no write of any key may pass it.
    if (ticket !== 0) this.ledger.addRange(null, this.#everything());
  }

  #everything(): ClearedRange {
    const { key } = this.#place.schema;
    const bounds = boundsOf(leastBound(key), greatestBound(key), false, false);
    return decodeRange(encodeRange(bounds, key), key);
  }

  /**
   * Whether a condition of a write, in `words` at `at`, holds of what there is, pending writes included.
   * Its key may not be in an undecided batch (`BatchLedger.isBusy`).
   */
  holds(words: Uint32Array, at: number): boolean {
    const memtables = [this.#active, ...this.#sealed.map(({ memtable }) => memtable)];
    const newest = { memtables, runs: this.#runs };
    return this.#conditions.hold(words, at, newest, this.#options.control.nowMs);
  }

  /** Announces that the next `operations` writes are this shard's part of a batch. */
  beginPart(ticket: number, participants: readonly number[], operations: number): void {
    this.ledger.logPart(this.#log, this.#active, ticket, participants, operations);
  }

  get hasPending(): boolean {
    return this.#log.groupRecords > 0;
  }

  /** For what its owner counts. */
  get meter(): ShardMeter {
    return this.#meter;
  }

  get pendingBytes(): number {
    return this.#log.groupBytes;
  }

  /**
   * Makes the group durable (with `sync`, or where the ledger wants it) and shows it. On an error nothing
   * of the group is shown. Either the shard has failed, and whether the group survives a crash is unknown;
   * or there was no room for it, and it does not.
   */
  commit(sync: boolean): void {
    assert.ok(this.failure === null);
    this.logDecisions();
    const { groupRecords, groupBytes } = this.#log;
    try {
      if (!this.#isLogNamed) this.#nameLogFile();
      this.#log.commit(sync || this.ledger.wantsSync);
    } catch (error) {
      this.#meter.discarded();
      this.#active.discard();
      this.#stumble(error);
      throw error;
    }
    if (this.#active.hasPending) this.#options.control.setSettled(this.shard, 0);
    this.#mark(this.#active.usedBytes);
    this.#active.publish();
    this.#meter.committed(groupRecords, groupBytes);
  }

  /** Adds the outcomes of batches that are not logged yet to the group. */
  logDecisions(): void {
    this.ledger.logDecisions(this.#log);
  }

  /** Says which record of the log the active memtable's watermark will stand for. */
  #mark(watermark: number): void {
    if (this.#options.readOnly) return;
    const { lastLsn, durableLsn } = this.#log;
    const mark = { lsn: lastLsn, openLsn: this.ledger.oldestOpenLsn, durableLsn };
    this.#options.control.logs.mark(this.shard, this.#active.handle.id, watermark, mark);
  }

  #announcedLsn = 0;

  /**
   * Tells all threads how far the log is durable and shown: to be called between commits. False where that
   * is no news.
   */
  announce(): boolean {
    if (this.#options.readOnly || !this.#isServing) return false;
    const { durableLsn } = this.#log;
    if (durableLsn === this.#announcedLsn) return false;
    this.#announcedLsn = durableLsn;
    this.#options.control.logs.setDurableLsn(this.shard, durableLsn);
    return true;
  }

  get lastLsn(): number {
    return this.#log.lastLsn;
  }

  /** Whether everything committed is. */
  get isDurable(): boolean {
    return this.#log.durableLsn >= this.#log.lastLsn;
  }

  sync(): void {
    if (this.failure !== null || this.isDurable) return;
    try {
      this.#log.sync();
    } catch (error) {
      this.fail(error);
      throw error;
    }
    this.ledger.synced();
  }

  fail(error: unknown): void {
    if (this.failure !== null) return;
    const message = error instanceof Error ? error.message : String(error);
    this.failure = new OmenError(
      'OMEN_SHARD_FAILED',
      `Shard ${this.shard} refuses writes since: ${message} Reopen the database to recover it.`,
      { cause: error },
    );
    this.#options.control.statuses.set(this.shard, 'failed', this.failure);
    this.#tellOf(this.failure);
  }

  #tellOf({ code, message }: OmenError): void {
    this.#options.onNotice({ notice: 'error', shards: [this.shard], code, message });
  }

  /** The log could not go on: for want of room, or for good. */
  #stumble(error: unknown): void {
    if (isShortage(error)) this.#shortage.isExhausted = !this.#runShort(error);
    this.#log.discard();
    if (!isShortage(error) || this.#log.failed) this.fail(error);
  }

  /**
   * Something found no room: puts are refused, and the reserve is given up for what may free some. False
   * where it was before.
   */
  #runShort(error: OmenError): boolean {
    if (!this.isShort) {
      const refusal = this.#shortage.refuse(this.shard, error);
      this.#options.control.statuses.set(this.shard, 'full', refusal);
      this.#tellOf(refusal);
    }
    try {
      if (!this.#reserve.release()) return false;
    } catch (failed) {
      this.fail(failed);
    }
    this.#shortage.relax();
    return true;
  }

  /**
   * What has to be done now and then, when nothing is pending: keeps the reserve, settles batches that have
   * nothing here, and while the shard is short tries whether there is room again.
   * @param nowMs of performance.now()
   */
  tend(nowMs: number): void {
    if (!this.#isServing || !this.#shortage.isDue(nowMs)) return;
    this.#noteSpace();
    if (this.failure !== null) return;
    this.settleAborted();
    if (this.isShort) this.#tryAgain();
    else if (this.#diskBytes > this.#reserve.bytes) this.#makeReserve();
    this.#shortage.flush = null;
    this.#shortage.merge = null;
    // Followers may have gone on, and what is retained has grown older.
    this.truncateLog();
    this.#pageIn();
    this.maintain();
  }

  /** Settles the aborted batches that have nothing here. */
  settleAborted(): void {
    // What a failed shard has of a batch, only recovery can tell.
    if (this.#isServing && this.failure === null) this.ledger.settleAborted();
  }

  #tryAgain(): void {
    this.#shortage.back();
    // What the log takes may be most of the disk: it goes when its memtable is flushed.
    const isWorthIt = this.#log.fileBytes >= this.#reserve.bytes && this.#sealed.length === 0;
    if (isWorthIt && !this.hasPending && this.canSeal) {
      try {
        this.rotate();
      } catch (error) {
        if (!isShortage(error)) return; // the failure is noted
      }
    }
    this.#shortage.isExhausted = false;
    // While a flush finds no room there is none for writes that would need another.
    if (this.#sealed.length === 0 && this.#makeReserve()) this.#resume();
  }

  #makeReserve(): boolean {
    try {
      return this.#reserve.make();
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  #resume(): void {
    this.#shortage.refusal = null;
    this.#shortage.isExhausted = false;
    this.#shortage.relax();
    this.#options.control.statuses.set(this.shard, 'serving');
    const message = `Shard ${this.shard} takes puts again: there is room.`;
    this.#options.onNotice({ notice: 'resumed', shards: [this.shard], message });
  }

  /** Says where any thread can read it what the disk has. */
  #noteSpace(): void {
    const { control, storage, directory } = this.#options;
    control.setCounter(this.shard, 'reserveBytes', this.#reserve.isHeld ? this.#reserve.bytes : 0);
    try {
      control.setCounter(this.shard, 'diskFreeBytes', storage.freeBytes(directory));
    } catch (error) {
      // A file system that cannot say so may well take writes.
      if (!(error instanceof OmenError)) throw error;
    }
  }

  /** Bytes of the shard's files, without the reserve. */
  get #diskBytes(): number {
    let bytes = this.#log.fileBytes;
    for (const { segment } of this.#segments.values()) bytes += segment.handle.fileBytes;
    return bytes;
  }

  /** Seals the active memtable and starts a new one. Nothing may be pending. */
  rotate(): void {
    assert.ok(!this.hasPending && this.canSeal && this.failure === null);
    if (this.#active.isEmpty) return;
    const { lastLsn } = this.#log;
    try {
      this.#log.rotate();
    } catch (error) {
      this.#stumble(error);
      throw error;
    }
    this.ledger.synced();
    this.#seal(lastLsn);
    this.publishView();
    this.#isLogNamed = false;
    try {
      this.#nameLogFile();
    } catch (error) {
      this.#stumble(error);
      throw error;
    } finally {
      this.maintain();
    }
  }

  /** Before anything in the log's newest file is acknowledged, the manifest has its name. */
  #nameLogFile(): void {
    const { current } = this.#manifest;
    const logFile = this.#newestLogFile;
    const { durableLsn } = this.#log;
    if (current.logFile !== logFile) this.#manifest.replace({ ...current, logFile, durableLsn });
    this.#isLogNamed = true;
  }

  /** Says in the manifest where the log ends, where that matters: it holds what no segment does. */
  #noteEnd(): void {
    const { current } = this.#manifest;
    const { durableLsn } = this.#log;
    const isKnown = durableLsn <= Math.max(current.durableLsn, current.flushedLsn);
    if (this.failure === null && !isKnown) this.#manifest.replace({ ...current, durableLsn });
  }

  get #newestLogFile(): string | null {
    return this.#log.files.at(-1) ?? null;
  }

  /** @param rowBytes of a row that has to fit into the next memtable */
  #seal(lastLsn: number, rowBytes = 0): void {
    if (!this.#active.isEmpty) this.#sealed.unshift({ memtable: this.#active, lastLsn });
    this.#active = new MemtableWriter(this.#pool.take(rowBytes), this.#options.control.table);
  }

  /** Posts the present set of memtables and segments to all readers. */
  publishView(): void {
    this.#version++;
    this.#mark(this.#active.watermark);
    this.#options.onView(this.view);
    const { control } = this.#options;
    control.setVersion(this.shard, this.#version);
    const isSettled = this.#active.isEmpty && this.#sealed.length === 0;
    control.setSettled(this.shard, isSettled ? this.#version : 0);
  }

  /** What a reader needs who has none of the shard's views: the present one, and one that may follow it. */
  get views(): ViewMessage[] {
    if (this.#undecided === null) return [this.view];
    return [{ ...this.view, version: this.#version - 1 }, this.#undecided.view];
  }

  get view(): ViewMessage {
    return this.#viewOf(this.#runs);
  }

  #viewOf(of: readonly Run[]): ViewMessage {
    const memtables: MemtableHandle[] = [this.#active.handle];
    for (const { memtable } of this.#sealed) memtables.push(memtable.handle);
    const runs: SegmentHandle[][] = of.map((run) => run.segments.map((segment) => segment.handle));
    const cleared = wordsOf(of);
    return { shard: this.shard, version: this.#version, memtables, runs, cleared };
  }

  /** Sorts what was committed lately; call it when nobody waits for an answer. */
  sealChunks(): void {
    this.#active.sealChunks();
  }

  /** Starts the flush or merge that is due. Never waits. */
  maintain(): void {
    if (!this.#isServing || this.failure !== null || this.#isPublishing) return;
    if (!this.#isWhole) return;
    const isDue = this.#flushing === null && this.#shortage.flush === null;
    if (isDue && this.#sealed.length > 0 && this.#isDecided(this.#oldest)) {
      this.#flushing = this.#flush().finally(() => {
        this.#flushing = null;
        this.maintain();
      });
    }
    if (this.#merging === null && this.#shortage.merge === null) {
      // Above a load, what has expired has to stay, to hide the load's rows: nothing would be won.
      const rowsExpired = (run: Run) => (this.#loads.isEmpty ? this.#rowsExpired(run) : 0);
      const rule = (runs: readonly Run[]) => planMerge(runs, rowsExpired);
      const plan = this.#loads.plan(this.#runs, this.#recordsOf(this.#runs), rule);
      if (plan !== null) this.#startMerge(plan);
    }
  }

  /** Whether the outcomes of all batches in the memtable are durable, by a sync if that is what lacks. */
  #isDecided(memtable: MemtableWriter): boolean {
    if (this.ledger.isOpenIn(memtable) && this.ledger.hasUnsynced) {
      try {
        this.sync();
      } catch {
        return false; // the failure is noted
      }
    }
    return !this.ledger.isOpenIn(memtable);
  }

  /** Whether the next flush waits for the outcome of a batch. */
  get awaitsOutcome(): boolean {
    return this.#sealed.length > 0 && this.ledger.isOpenIn(this.#oldest);
  }

  get #oldest(): MemtableWriter {
    return this.#sealed[this.#sealed.length - 1].memtable;
  }

  /** Whether jobs are under way, whose results arrive through the event loop. */
  get isBusy(): boolean {
    return this.#flushing !== null || this.#merging !== null || this.#paging !== null;
  }

  #startMerge(plan: MergePlan): Promise<void> {
    this.#merging = this.#merge(plan).finally(() => {
      this.#merging = null;
      this.maintain();
    });
    return this.#merging;
  }

  /** Null where the job found no room, with what it wrote removed, or where the shard has failed by it. */
  async #runJob(job: WritingJob): Promise<readonly WrittenSegmentFiles[] | null> {
    try {
      return (await this.#options.runJob(job)).written;
    } catch (error) {
      if (isShortage(error)) this.#postpone(job, error);
      else this.fail(error);
      return null;
    }
  }

  /** The job found no room: it is done again, from its beginning, at a try to come. */
  #postpone(job: Pick<WritingJob, 'kind' | 'firstId'>, error: OmenError): void {
    this.#meter.postponed++;
    // Told once for a row of tries in vain.
    if (job.kind === 'merge' && !this.#shortage.isTrying) this.#tellOf(error);
    this.#shortage[job.kind] = error;
    this.#shortage.back();
    try {
      this.#removeJobFiles(job.firstId);
    } catch (failed) {
      // Without a descriptor to look for them they stay until the next open.
      if (!isShortage(failed)) this.fail(failed);
    }
    // Without a flush writes would soon have to wait; without a merge reads are slower.
    if (job.kind === 'flush' && (error.code === 'OMEN_DISK_FULL' || !this.canSeal)) {
      if (this.isShort) this.#giveBackLog();
      this.#runShort(error);
    }
  }

  #removeJobFiles(firstId: number): void {
    const { storage, directory } = this.#options;
    const names = storage.list(directory);
    for (let id = firstId; id < firstId + IDS_PER_JOB; id++) {
      this.#segments.delete(id);
      // A job writes one segment after the other, and of each the rows first.
      if (!names.includes(segmentName(id))) return;
      removeLeftover(storage, join(directory, segmentName(id)));
      removeLeftover(storage, join(directory, modelName(id)));
    }
  }

  #giveBackLog(): void {
    try {
      this.#log.giveBack();
    } catch (error) {
      this.fail(error);
    }
  }

  #takeIds(): number {
    const firstId = this.#nextId;
    this.#nextId += IDS_PER_JOB;
    return firstId;
  }

  #flushJob(memtable: MemtableWriter, span: Span): FlushJob {
    return {
      kind: 'flush',
      place: this.#place,
      memtable: memtable.handle,
      keepTombstones: this.#runs.length > 0 || this.#mayBeAboveLoad,
      expiry: this.#mayBeAboveLoad ? null : this.#expiryJob(this.#runs),
      firstId: this.#takeIds(),
      span,
    };
  }

  /** Whether a load under way, or found by recovery, may turn out to be older than a memtable. */
  get #mayBeAboveLoad(): boolean {
    return !this.#loads.isEmpty || this.#foundLoad !== null;
  }

  #expiryJob(older: readonly Run[]): ExpiryJob | null {
    if (this.#expiry === null) return null;
    const { nowMs } = this.#options.control;
    return { nowMs, older: older.map((run) => run.segments.map(({ handle }) => handle)) };
  }

  /** How many rows of a run have expired, at least. */
  #rowsExpired(run: Run): number {
    return this.#expiry?.expiredOf(run, this.#options.control.nowMs) ?? 0;
  }

  async #flush(): Promise<void> {
    const { memtable, lastLsn } = this.#sealed[this.#sealed.length - 1];
    const { flushedLsn } = this.#manifest.current;
    const firstLsn = Math.max(flushedLsn, this.#loads.markBefore(lastLsn)) + 1;
    const job = this.#flushJob(memtable, { firstLsn, lastLsn });
    const startMs = performance.now();
    const written = await this.#runJob(job);
    if (written === null) return;
    const opened = this.#openSegments(written);
    const older = this.#clearedBy(memtable.reader, lastLsn);
    const runs = opened.length > 0 ? [new Run(opened), ...older] : older;
    if (!this.#install(job, runs, lastLsn)) return;
    this.#sealed.pop();
    this.#shortage.relax();
    const ms = performance.now() - startMs;
    this.#meter.flushed(sizeOf(written), ms);
    this.#options.onWork?.({ notice: 'flush', shard: this.shard, ...sizeOf(written), ms });
    this.publishView();
    this.#pool.retire(memtable.handle, this.#version);
    this.truncateLog();
  }

  /** The runs without what a memtable that is newer than all of them has ranges for. */
  #clearedBy(memtable: Memtable, lastLsn: number): Run[] {
    if (!memtable.hasRanges) return this.#runs;
    const { ranges } = memtable;
    this.#loads.clear(ranges, lastLsn);
    const found = this.#foundLoad;
    if (found?.run && found.lsn < lastLsn) found.run = found.run.without(ranges);
    return this.#runs.map((run) => run.without(ranges));
  }

  async #merge(plan: MergePlan): Promise<void> {
    const chosen = this.#runs.slice(plan.start, plan.end);
    const fromEnd = this.#runs.length - plan.start;
    const oldest = chosen[chosen.length - 1];
    const firstId = plan.join ? this.#nextId : this.#takeIds();
    const startMs = performance.now();
    let files: readonly WrittenSegmentFiles[] = [];
    let merged: readonly Segment[];
    if (plan.join) {
      const handles = joinSegments(chosen);
      merged = handles.map((handle) => this.#segmentOf(handle.id));
    } else {
      if (!this.#hasRoomFor(chosen, firstId)) return;
      const written = await this.#runJob({
        kind: 'merge',
        place: this.#place,
        runs: chosen.map((run) => run.segments.map((segment) => segment.handle)),
        cleared: wordsOf(chosen),
        keepTombstones: oldest !== this.#runs[this.#runs.length - 1] || this.#isAboveMark(oldest),
        expiry: this.#isAboveMark(oldest) ? null : this.#expiryJob(this.#runs.slice(plan.end)),
        firstId,
        span: spanOf(this.#recordsOf(chosen).flat()),
      });
      if (written === null) return;
      files = written;
      merged = this.#openSegments(written);
    }
    // Flushes may have put newer runs in front meanwhile, and cleared ranges of these ones.
    const at = this.#runs.length - fromEnd;
    const since = new Set(
      chosen.flatMap(({ cleared }, i) => this.#runs[at + i].cleared.slice(cleared.length)),
    );
    const runs = this.#runs.toSpliced(
      at,
      chosen.length,
      ...(merged.length > 0 ? [new Run(merged).without([...since])] : []),
    );
    const { flushedLsn } = this.#manifest.current;
    if (!this.#install({ kind: 'merge', firstId }, runs, flushedLsn)) return;
    const ms = performance.now() - startMs;
    this.#meter.compacted(sizeOf(files), ms);
    this.#options.onWork?.({ notice: 'compaction', shard: this.shard, ...sizeOf(files), ms });
    this.publishView();
    this.#dropSegments();
    this.#shortage.relax();
  }

  /** Whether a load under way will be older than the run. */
  #isAboveMark(run: Run): boolean {
    const [[{ lastLsn }]] = this.#recordsOf([run]);
    return this.#loads.markBefore(lastLsn) > 0;
  }

  /** Whether the disk may hold what these runs become. A merge that fills it would take room from writes. */
  #hasRoomFor(runs: readonly Run[], firstId: number): boolean {
    const { storage, directory } = this.#options;
    let bytes = 0;
    for (const run of runs) {
      const all = run.segments.reduce((sum, { handle }) => sum + handle.fileBytes, 0);
      // What was cleared or has expired is not written again: to write a run anew may be what frees a
      // full disk.
      const dropped = run.rowsCleared + this.#rowsExpired(run);
      bytes += Math.ceil(all * Math.max(0, 1 - dropped / run.rows));
    }
    try {
      const freeBytes = storage.freeBytes(directory);
      if (freeBytes >= bytes) return true;
      const message = `Merging takes up to ${bytes} bytes in ${directory}, where ${freeBytes} are free.`;
      this.#postpone({ kind: 'merge', firstId }, new OmenError('OMEN_DISK_FULL', message));
    } catch (error) {
      this.fail(error);
    }
    return false;
  }

  #openSegment(id: number): OpenSegment {
    const open = this.#segments.get(id);
    assert.ok(open !== undefined);
    return open;
  }

  #segmentOf(id: number): Segment {
    return this.#openSegment(id).segment;
  }

  #recordsOf(runs: readonly Run[]): SegmentRecord[][] {
    return runs.map((run) => run.segments.map(({ id }) => this.#openSegment(id).record));
  }

  /** Of the segments that the manifest names, with what is new to say of them. */
  #namedRecords(): SegmentRecord[][] {
    return this.#manifest.current.runs.map((run) =>
      run.map(({ id }) => this.#openSegment(id).record),
    );
  }

  /**
   * Writes and syncs segments for a load, in a job.
   * @param slice rows sorted by key, the newest run first: of equal keys its row is taken
   * @throws OMEN_MEMORY_FULL, OMEN_SHARD_FAILED for a load that was not marked, what the job throws
   */
  async writeLoad(name: string, slice: RunSlice): Promise<WrittenLoad> {
    const isReplacing = slice.onExisting === 'replace';
    if (!isReplacing) await this.#flushBefore(this.#openLoad(name));
    const load = this.#openLoad(name);
    this.#throwIfFailed();
    let loadedBytes = slice.bytes;
    for (const { handle } of load.written.values()) loadedBytes += handle.layout.bodyBytes;
    if (this.memoryBytes + loadedBytes > this.#options.memoryBytes) {
      const message =
        `With ${loadedBytes} bytes more, shard ${this.shard} has more than its share of the memory budget. ` +
        'Open with a larger "memory". Nothing was loaded.';
      throw new OmenError('OMEN_MEMORY_FULL', message);
    }
    const firstId = this.#takeIds();
    const job: LoadJob = {
      kind: 'load',
      place: this.#place,
      slice,
      firstId,
      span: { firstLsn: load.lsn, lastLsn: load.lsn },
      existing: isReplacing ? null : this.#existingBefore(load, slice.onExisting),
    };
    const running = this.#options.runJob(job);
    load.jobs.add(running);
    try {
      const { written, existing } = await running;
      for (const one of written) load.written.set(one.record.id, one);
      for (const id of slice.replaced) load.written.delete(id);
      this.#removeSegments(slice.replaced);
      const { rows, bytes } = sizeOf(written);
      this.#meter.loadWrittenBytes += bytes;
      return {
        ids: written.map(({ record }) => record.id),
        segments: written.map(({ handle }) => handle),
        rows,
        bytes,
        existing,
      };
    } catch (error) {
      this.#removeJobFiles(firstId);
      throw error;
    } finally {
      load.jobs.delete(running);
      this.#retired.add(slice.bytes);
    }
  }

  /** Waits until all that is older than a load's mark is in runs. @throws why it cannot be */
  async #flushBefore({ lsn }: OpenLoad): Promise<void> {
    while (!this.#isWhole || this.#sealed.some(({ lastLsn }) => lastLsn < lsn)) {
      this.#throwIfFailed();
      if (this.#shortage.flush !== null) throw this.#shortage.flush;
      this.maintain();
      const underWay = this.#flushing ?? this.#paging;
      if (underWay !== null) await underWay;
      else await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** What a load has to look for: it needs `#flushBefore`. */
  #existingBefore({ lsn, cleared }: OpenLoad, onExisting: OnExisting): ExistingJob {
    const runs = this.#runs.slice(placeOf(this.#recordsOf(this.#runs), lsn));
    const before = (run: Run) => run.cleared.filter((range) => !cleared.includes(range));
    return {
      runs: runs.map((run) => run.segments.map(({ handle }) => handle)),
      // What was cleared since the mark was there then.
      cleared: runs.map((run) => before(run).map(({ words }) => words)),
      nowMs: this.#options.control.nowMs,
      onExisting,
    };
  }

  #openLoad(name: string): OpenLoad {
    const load = this.#loads.get(name);
    if (load !== undefined) return load;
    const message = `The thread of shard ${this.shard} was replaced: what it had of the load is gone. Load again.`;
    throw new OmenError('OMEN_SHARD_FAILED', message);
  }

  /** Says in the log that loads are published, durably: before the manifest says that they are decided. */
  #logLoaded(): void {
    if (this.#unlogged.length === 0 || this.hasPending) return;
    for (const name of this.#unlogged) {
      const { hi, lo } = wordsOfLoad(name);
      const record = this.#log.reserve(OPERATION_BYTES) >>> 2;
      this.#log.u32[record + TYPE] = LOADED;
      this.#log.u32[record + KEY_LO] = lo;
      this.#log.u32[record + KEY_HI] = hi;
    }
    try {
      this.commit(true);
    } catch (error) {
      if (this.failure === null) this.ledger.groupRefused();
      else this.ledger.groupFailed();
      throw error;
    }
    this.ledger.groupCommitted(true);
    this.#unlogged = [];
    this.announce();
  }

  /** Writes down that loads published before are decided, where there was no room for it then. */
  settleLoads(): void {
    this.#throwIfFailed();
    this.#logLoaded();
    const { current } = this.#manifest;
    if (current.load === this.#load) return;
    const runs = this.#recordsOf(this.#runs);
    this.#manifest.replace({ ...current, runs, cleared: wordsOf(this.#runs), load: this.#load });
  }

  /**
   * Makes a load's run ready to be shown: once this has resolved in all participants, only `settleLoad` is
   * left to follow. When it throws, nothing of the load will be seen here.
   * @param number what `Control.published` will be
   * @param ids the segments that make up the run, in key order
   */
  async prepareLoad(
    name: string,
    number: number,
    participants: readonly number[],
    ids: readonly number[],
  ): Promise<void> {
    const load = this.#openLoad(name);
    await this.#flushBefore(load);
    assert.ok(!this.#isPublishing);
    this.#isPublishing = true;
    try {
      await Promise.all([this.#flushing, this.#merging]);
      this.#throwIfFailed();
      this.#prepare(load, number, participants, ids);
    } catch (error) {
      this.#isPublishing = false;
      this.maintain();
      throw error;
    }
  }

  #prepare(
    load: OpenLoad,
    number: number,
    participants: readonly number[],
    ids: readonly number[],
  ): void {
    const { storage, directory } = this.#options;
    const written = ids.map((id) => load.written.get(id)).filter((one) => one !== undefined);
    assert.equal(written.length, ids.length);
    const segments = this.#openSegments(written);
    const run = segments.length === 0 ? null : new Run(segments).without(load.cleared);
    const at = placeOf(this.#recordsOf(this.#runs), load.lsn);
    const runs = run === null ? this.#runs : this.#runs.toSpliced(at, 0, run);
    const named = { name: load.name, participants, run: run === null ? -1 : at };
    const { current } = this.#manifest;
    try {
      storage.syncDirectory(directory);
      this.#manifest.replace({
        ...current,
        // All that is older than the mark is flushed, and the mark itself is nothing to recover.
        flushedLsn: Math.max(current.flushedLsn, load.lsn),
        durableLsn: this.#log.durableLsn,
        logFile: this.#newestLogFile,
        nextId: this.#nextId,
        runs: this.#recordsOf(runs),
        cleared: wordsOf(runs),
        load: named,
      });
    } catch (error) {
      for (const id of ids) this.#segments.delete(id);
      if (!isShortage(error)) this.fail(error);
      throw error;
    }
    this.#isLogNamed = true;
    this.#version++;
    const view = { ...this.#viewOf(runs), version: this.#version, load: number };
    this.#undecided = { load: named, run, runs, view };
    const { control, onView } = this.#options;
    onView(view);
    control.setVersion(this.shard, this.#version);
    control.setSettled(this.shard, 0);
  }

  /**
   * Ends a load: as published, where `Control.published` says so by now, or as if it had never been.
   * Of one that is not known, a mark that comes later is none.
   */
  async settleLoad(name: string, isPublished: boolean): Promise<void> {
    const undecided = this.#undecided;
    const isOurs = undecided?.load.name === name;
    const kept = isOurs && isPublished ? (undecided.run?.segments.map(({ id }) => id) ?? []) : [];
    if (isOurs) {
      if (isPublished) {
        this.#runs = undecided.runs;
        this.#meter.loadRows += undecided.run?.rows ?? 0;
        this.#load = { ...undecided.load, run: null };
        if (undecided.run !== null) this.#unlogged.push(name);
      } else {
        for (const { id } of undecided.run?.segments ?? []) this.#segments.delete(id);
        this.#load = null;
      }
      this.#undecided = null;
      this.#isPublishing = false;
      this.publishView();
      this.#noteSettled();
    }
    const load = this.#loads.get(name);
    if (load === undefined) this.#loads.delete(name);
    else await this.#endLoad(load, kept);
    this.maintain();
    this.count();
  }

  #noteSettled(): void {
    if (this.failure !== null) return;
    try {
      this.settleLoads();
    } catch (error) {
      // The next manifest says it, whatever it is written for.
      if (!isShortage(error)) this.fail(error);
    }
  }

  /** Forgets a load once its jobs are over, and removes what it wrote but for some segments. */
  async #endLoad(load: OpenLoad, kept: readonly number[]): Promise<void> {
    await Promise.allSettled(load.jobs);
    this.#loads.delete(load.name);
    this.#removeSegments([...load.written.keys()].filter((id) => !kept.includes(id)));
  }

  /**
   * Removes the files of segments that nothing names. What is left for now the next open removes: what a
   * manifest still names that was not settled, and all where it is not known which one is in force.
   */
  #removeSegments(ids: readonly number[]): void {
    const { storage, directory } = this.#options;
    const named = new Set(this.#manifest.current.runs.flat().map(({ id }) => id));
    for (const id of ids) {
      this.#segments.delete(id);
      if (this.failure !== null || named.has(id)) continue;
      removeLeftover(storage, join(directory, segmentName(id)));
      removeLeftover(storage, join(directory, modelName(id)));
    }
  }

  #openSegments(written: readonly WrittenSegmentFiles[]): Segment[] {
    return written.map(({ record, handle }) => {
      const segment = new Segment(handle, this.#place.schema.key);
      this.#segments.set(record.id, { record, segment });
      return segment;
    });
  }

  /**
   * Makes `runs` the shard's runs, durably. False where that could not be done: the job is postponed, or
   * the shard has failed.
   * @param job what made them; null: recovery, which goes on with them, as the log has it all
   */
  #install(
    job: Pick<WritingJob, 'kind' | 'firstId'> | null,
    runs: Run[],
    flushedLsn: number,
    logLsn = Math.min(flushedLsn + 1, this.ledger.oldestNeededLsn),
  ): boolean {
    // Where a sync failed before, one that succeeds now proves nothing about the new files' names.
    if (this.failure !== null) return false;
    const { storage, directory } = this.#options;
    try {
      storage.syncDirectory(directory);
      this.#manifest.replace({
        ...this.#manifest.current,
        flushedLsn,
        logLsn,
        durableLsn: this.#log.durableLsn,
        logFile: this.#newestLogFile,
        nextId: this.#nextId,
        runs: this.#recordsOf(runs),
        cleared: wordsOf(runs),
        load: this.#load,
      });
    } catch (error) {
      if (!isShortage(error)) this.fail(error);
      else if (job === null) this.#runShort(error);
      else this.#postpone(job, error);
      return false;
    }
    this.#isLogNamed = true;
    this.#runs = runs;
    return true;
  }

  /** Forgets segments that no run has any more, and removes their files: readers hold the memory. */
  #dropSegments(): void {
    const { storage, directory } = this.#options;
    const live = new Set(this.#runs.flatMap((run) => run.segments.map(({ id }) => id)));
    try {
      for (const id of this.#segments.keys()) {
        if (live.has(id)) continue;
        this.#retired.add(this.#segmentOf(id).handle.layout.bodyBytes);
        this.#segments.delete(id);
        storage.remove(join(directory, segmentName(id)));
        storage.remove(join(directory, modelName(id)));
      }
    } catch (error) {
      // Where even to remove a file takes room, the next open removes it.
      if (!isShortage(error)) this.fail(error);
    }
  }

  /** Cuts the log below what the manifest says is needed, and followers want. */
  truncateLog(): void {
    if (this.failure !== null) return;
    const { control, clients } = this.#options;
    // On a full disk writes come first.
    const followedLsn = this.isShort ? null : control.logs.followedLsn(this.shard, clients());
    try {
      this.#log.truncateBelow(this.#manifest.current.logLsn, followedLsn);
    } catch (error) {
      // What was not done now is done after the next flush.
      if (!isShortage(error)) this.fail(error);
    }
    if (this.isShort) this.#giveBackLog();
  }

  /** Seals and flushes everything committed so far. The owner commits what is pending first. */
  async flush(): Promise<void> {
    if (this.#options.readOnly) this.#throwIfFailed();
    this.sync();
    await this.#flushUpTo(this.#log.lastLsn);
    this.count();
  }

  async #flushUpTo(lsn: number): Promise<void> {
    this.#shortage.flush = null;
    while (this.#manifest.current.flushedLsn < lsn) {
      this.#throwIfFailed();
      if (this.#shortage.flush !== null) throw this.#shortage.flush;
      if (this.#active.isEmpty && this.#sealed.length === 0) return;
      if (this.#sealed.length === 0 && !this.hasPending && this.canSeal) this.rotate();
      this.maintain();
      const underWay = this.#flushing ?? this.#paging;
      if (underWay !== null) await underWay;
      else await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /**
   * Flushes, then merges all runs into one without tombstones and rows that had expired; while bulk loads
   * are under way, only those that are older than all of them.
   */
  async compact(): Promise<void> {
    await this.flush();
    this.#shortage.merge = null;
    // Of what expires meanwhile, later merges rid the shard.
    const { nowMs } = this.#options.control;
    const hasExpired = (run: Run): boolean => (this.#expiry?.firstOf(run) ?? nowMs + 1) <= nowMs;
    for (;;) {
      this.#throwIfFailed();
      if (this.#shortage.merge !== null) throw this.#shortage.merge;
      while (this.#merging !== null || this.#isPublishing || this.#paging !== null) {
        if (this.#paging !== null) await this.#paging;
        else if (this.#merging !== null) await this.#merging;
        else await new Promise((resolve) => setImmediate(resolve));
      }
      this.#pageInNow();
      const rule = (runs: readonly Run[]) =>
        planFullMerge(runs, segmentLimit(this.#place.schema), hasExpired);
      const plan = this.#loads.planOldest(this.#runs, this.#recordsOf(this.#runs), rule);
      if (plan === null) break;
      await this.#startMerge(plan);
    }
    if (this.#undecided === null) this.#shrink();
    this.count();
  }

  /** Gives back the memory that writing took: of memtables, and of segments that were replaced. */
  #shrink(): void {
    this.#pool.clear();
    if (this.#active.isEmpty && this.failure === null) {
      this.#active = new MemtableWriter(this.#pool.take(), this.#options.control.table);
      this.publishView();
    }
    this.#retired.release();
  }

  #throwIfFailed(): void {
    if (this.failure !== null) throw this.failure;
  }

  /** Writes the shard's statistics where any thread can read them. */
  count(): void {
    const { control } = this.#options;
    const segments = [...this.#segments.values()].map(({ segment }) => segment.handle);
    const sum = (of: (handle: SegmentHandle) => number) =>
      segments.reduce((total, handle) => total + of(handle), 0);
    const memtableEntries = this.#sealed.reduce(
      (total, { memtable }) => total + memtable.entries,
      this.#active.entries,
    );
    const set = control.setCounter.bind(control, this.shard);
    set('rows', sum(({ layout }) => layout.rows) + memtableEntries);
    set('runs', this.#runs.length);
    set('segments', segments.length);
    set(
      'segmentBytes',
      sum(({ layout }) => layout.bodyBytes),
    );
    set(
      'indexBytes',
      sum(({ modelBytes }) => modelBytes),
    );
    set('memtableBytes', this.#active.usedBytes);
    set('memtables', 1 + this.#sealed.length);
    set('memtableEntries', memtableEntries);
    const memtables = [this.#active, ...this.#sealed.map(({ memtable }) => memtable)];
    const memtableMemory = memtables.reduce((all, { handle }) => all + handle.memory.byteLength, 0);
    set('memtablePoolBytes', memtableMemory + this.#pool.bytes);
    if (!this.#options.readOnly) {
      set('walBytes', this.#log.fileBytes);
      set('walKeptBytes', this.#log.keptBytes);
      set('lsn', this.#log.lastLsn);
    }
    set('modelsRebuilt', this.#found.modelsRebuilt);
    set('tornTails', Math.sign(this.#found.tornBytes));
    set('tornBytes', this.#found.tornBytes);
    set('recoveryRecords', this.#found.records);
    this.#meter.publish(this.#runs);
    set(
      'windowMax',
      segments.reduce((max, { model }) => Math.max(max, model.windowMax), 0),
    );
  }

  /** Waits for jobs under way, begins no others, makes everything committed durable, closes the log. */
  async close(): Promise<void> {
    this.#isServing = false;
    for (const { paging } of this.#toCome) paging?.stop();
    await Promise.all([this.#flushing, this.#merging, this.#paging]);
    for (const load of this.#loads.all) await this.#endLoad(load, []);
    try {
      this.sync();
      if (!this.#options.readOnly) this.#noteEnd();
    } catch (error) {
      // All is durable without the note; it only tells damage from the torn end of a crash.
      if (!isShortage(error)) throw error;
    } finally {
      this.#log.close();
    }
  }
}
