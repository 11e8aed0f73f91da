/**
 * Bulk loads: rows from a source become sorted runs of each shard, the shards write them as segments, and all
 * of them are published at once.
 *
 * - Reading and checking rows is this thread's, sorting is that of a pool of its own, and writing is that of
 *   the shards' pools: no shard thread does more than to take up what was written.
 * - What is done is undone unless it was published: whatever ends a load, its files and its mark are gone.
 */
import { join } from 'node:path';
import type { RecordBatch } from 'apache-arrow';
import { type ErrorCode, OmenError } from '../errors.ts';
import { InFlight } from '../load/in-flight.ts';
import { budgetOf } from '../load/load-budget.ts';
import type { ParquetGroup } from '../load/parquet.ts';
import type { Parsed } from '../load/parse.ts';
import { LoadPool } from '../load/pool.ts';
import { expiryTimeOf } from '../load/record-batch.ts';
import { Router, type Target } from '../load/router.ts';
import { type Piece, ShardRows } from '../load/shard-rows.ts';
import type { LoadPart } from '../load/slices.ts';
import { planSplits } from '../load/splits.ts';
import { type TextBlock, type TextRules, textBlocks } from '../load/text-source.ts';
import { EXPIRES_COLUMN } from '../schema/schema.ts';
import { show } from '../schema/show.ts';
import { SEGMENT_BODY_BYTES_MAX } from '../shard-worker/segment-limit.ts';
import { collectGarbage } from '../view/collect-garbage.ts';
import {
  lacksSplits,
  type Partitioning,
  partitionedAt,
  WITHOUT_SPLITS,
} from '../view/partition.ts';
import { Retired } from '../view/retired.ts';
import type { SegmentHandle } from '../view/segment.ts';
import { boundOf, plainKey } from '../view/spilled-run.ts';
import { abortable } from './abortable.ts';
import { publish } from './channels.ts';
import type { Client } from './client.ts';
import { LOAD } from './client-meter.ts';
import { type LoadCalls, newLoadName } from './load-book.ts';
import {
  type LoadOptions,
  type LoadPhase,
  type LoadReport,
  type LoadSettings,
  parseLoadOptions,
} from './load-options.ts';
import { type Items, isBatch, type OpenSource, openSources, RowArray } from './load-source.ts';
import { RejectFile, type RejectLine } from './reject-file.ts';
import { throwIfAborted } from './scan.ts';
import { spillName } from './spill-files.ts';

/** So long rows are taken before the event loop has a turn. */
const TURN_MS = 20;
const PROGRESS_MS = 250;
const GARBAGE_BYTES = 64 * 2 ** 20;
/** Memory that was let go of and not collected yet may be this part of what the load may take. */
const GARBAGE_SHARE = 8;
/** Rows between two looks at the clock. */
const ROWS_PER_LOOK = 256;
/** Rows of a batch that are taken at once. */
const ROWS_PER_TURN = 2 ** 17;
/** Of text, what is parsed at once. */
const BLOCK_BYTES = 2 ** 20;

/** @throws see `Database.bulkLoad` */
export async function bulkLoad(
  client: Client,
  calls: LoadCalls,
  source: unknown,
  options: LoadOptions = {},
): Promise<LoadReport> {
  client.throwIfClosed();
  const startMs = performance.now();
  const settings = parseLoadOptions(options, client.membership.memoryBytes);
  throwIfAborted(settings.signal);
  if (client.membership.readOnly && !settings.dryRun) {
    throw new OmenError('OMEN_READ_ONLY', 'The database was opened with readOnly: true.');
  }
  const opened = openSources(client.storage, source, settings);
  const loading = new Loading(client, calls, settings, opened);
  try {
    const report = await loading.run();
    client.meter.rows(LOAD, report.rows);
    const { path } = client.membership;
    const { rows, bytes } = report;
    publish('omendb:load', () => ({ path, rows, bytes, ms: performance.now() - startMs }));
    return report;
  } catch (error) {
    if (client.isClosed) client.throwIfClosed();
    throw error;
  }
}

/** What is being parsed, and what becomes of it. */
interface Waiting {
  readonly source: OpenSource;
  readonly parsed: Promise<Parsed>;
  readonly take: (parsed: Parsed) => void;
}

class Loading {
  readonly #client: Client;
  readonly #calls: LoadCalls;
  readonly #settings: LoadSettings;
  readonly #sources: readonly OpenSource[];
  /** The one whose rows are being taken. */
  #source: OpenSource;
  readonly #pool: LoadPool;
  readonly #inFlight = new InFlight();
  readonly #shards: readonly ShardRows[];
  readonly #target: Target;
  /** Whether splits are to be told from its rows, and what they are. */
  readonly #isDividing: boolean;
  #splits: readonly unknown[] | null = null;
  readonly #router: Router;
  /** Aborted by whoever asked for the load, or because the database is closed. */
  readonly #signal: AbortSignal;
  readonly #name = newLoadName();
  readonly #startMs = performance.now();
  #phase: LoadPhase = 'read';
  #phaseMs = this.#startMs;
  readonly #ms: Record<LoadPhase, number> = { read: 0, write: 0, publish: 0 };
  #bytes = 0;
  /** Rows of the source so far, bad ones among them. */
  #seen = 0;
  /** Rows in segments, and how many of them when the phase began. */
  #written = 0;
  #writtenBefore = 0;
  #rejected = 0;
  #rejects: RejectFile | null = null;
  /** Rows taken out of text, and lines of the source passed. */
  #parsedRows = 0;
  #lines = 0;
  /** Blocks of text and row groups that are being parsed, in their order. */
  readonly #waiting: Waiting[] = [];
  #lastTurnMs = this.#startMs;
  #lastProgressMs = this.#startMs;

  constructor(
    client: Client,
    calls: LoadCalls,
    settings: LoadSettings,
    sources: readonly OpenSource[],
  ) {
    this.#sources = sources;
    this.#source = sources[0];
    this.#client = client;
    this.#calls = calls;
    this.#settings = settings;
    const { signal } = settings;
    this.#signal = signal === undefined ? client.ending : AbortSignal.any([signal, client.ending]);
    const { schema, shards, partitioning, threadOf, path } = client.membership;
    this.#pool = new LoadPool(client.storage);
    const { memory, onDuplicate, onExisting } = settings;
    const writers = new Set(threadOf).size;
    const { threads } = this.#pool;
    const budget = budgetOf(memory, shards, threads, writers, SEGMENT_BODY_BYTES_MAX);
    const { nowMs } = client.membership.control;
    this.#target = { schema, shards, partitioning, chunkBytes: budget.chunkBytes, nowMs };
    const retired = new Retired(memory / GARBAGE_SHARE);
    const [pool, inFlight] = [this.#pool, this.#inFlight];
    this.#isDividing = lacksSplits(partitioning, shards);
    // What gives way to rows that are there is only known of a row that no other one of its key may still
    // replace; and what is to be divided, when all of it is there.
    const writesAhead = onExisting !== 'keep' && !this.#isDividing;
    const rules = { onDuplicate, onExisting, writesAhead };
    const shared = { schema, pool, ...rules, budget, inFlight, retired, kept: 0 };
    this.#shards = Array.from({ length: shards }, (_, shard) => {
      return new ShardRows({
        shared,
        write: async (slice) => {
          const piece = await calls.writeLoad(this.#name, shard, slice);
          this.#written += piece.rows;
          if (performance.now() - this.#lastProgressMs > PROGRESS_MS) this.#report();
          return piece;
        },
        pathOf: (number) => join(path, spillName(this.#name, shard, number)),
      });
    });
    this.#router = new Router(this.#target, (shard, chunk) => this.#keep(shard, chunk));
  }

  #keep(shard: number, chunk: SegmentHandle): void {
    if (this.#settings.dryRun) return;
    this.#bytes += chunk.layout.bodyBytes;
    this.#shards[shard].add(chunk);
  }

  /** Rows taken so far. */
  get #rows(): number {
    return this.#router.rows + this.#parsedRows;
  }

  async run(): Promise<LoadReport> {
    if (this.#settings.dryRun) return this.#check();
    const name = this.#name;
    try {
      await this.#begin();
      await this.#client.writer.markLoad(name);
      await this.#readAll();
      this.#enter('write');
      await Promise.all(this.#shards.map((rows) => rows.settle()));
      // What its threads and this one have let go of is not to be there while segments grow.
      await this.#pool.close();
      if (this.#bytes > GARBAGE_BYTES) collectGarbage();
      const written = await this.#writeAll();
      const rows = written.reduce((sum, one) => sum + one.rows, 0);
      const existing = written.reduce((sum, one) => sum + one.existing, 0);
      const duplicates = this.#rows - rows - existing;
      this.#enter('publish');
      throwIfAborted(this.#signal);
      await this.#calls.publishLoad(
        name,
        written.map(({ ids }) => ids),
      );
      this.#leave();
      this.#report();
      return {
        rows,
        duplicates,
        existing,
        splits: this.#splits,
        rejected: this.#rejected,
        segments: written.reduce((sum, { ids }) => sum + ids.length, 0),
        bytes: written.reduce((sum, { bytes }) => sum + bytes, 0),
        ms: { ...this.#ms, total: performance.now() - this.#startMs },
      };
    } catch (error) {
      // What ends the load is the error to tell, whatever else goes wrong. Nothing may write any more.
      await this.#pool.close();
      await this.#calls.abortLoad(name).catch(() => {});
      this.#forgetSplits();
      throw error;
    } finally {
      await this.#end();
    }
  }

  /** Waits for its turn. */
  async #begin(): Promise<void> {
    const giveUp = () => void this.#calls.abortLoad(this.#name).catch(() => {});
    this.#signal.addEventListener('abort', giveUp);
    try {
      // While others may be written where there are no splits, none may be told.
      const isAlone = this.#settings.onExisting !== 'replace' || this.#isDividing;
      await this.#calls.beginLoad(this.#name, isAlone);
    } finally {
      this.#signal.removeEventListener('abort', giveUp);
      throwIfAborted(this.#signal);
    }
  }

  /** Of each shard what was written. */
  async #writeAll(): Promise<Piece[]> {
    const runs = this.#isDividing ? await this.#shards[0].sortedRuns() : [];
    if (runs.length === 0) return Promise.all(this.#shards.map((rows) => rows.finish()));
    await this.#divide(runs);
    // Where there are still none, or too few keys, everything is the first one's.
    const ends = this.#client.membership.splits.map(plainKey);
    return Promise.all(
      this.#shards.map((rows, shard) => {
        const range = { from: ends[shard - 1] ?? null, to: ends[shard] ?? null };
        return rows.writeRange(shard > ends.length ? [] : runs, range);
      }),
    );
  }

  /**
   * Has shards begin where each gets about as much of the rows, unless it is too late for that: the load before
   * has told it, something is in the database or in a snapshot of it, or others may have written.
   */
  async #divide(runs: readonly (readonly LoadPart[])[]): Promise<void> {
    const { membership, reader, writer } = this.#client;
    const { schema, shards, splits: known } = membership;
    const splits = planSplits(schema, runs, shards)?.map(boundOf);
    if (splits === undefined) return;
    // What this thread has sent is in the views once it is answered.
    while (writer.inFlight > 0 && reader.isVoid) {
      await new Promise((resolve) => setImmediate(resolve));
      throwIfAborted(this.#signal);
    }
    if (known.length > 0 || !this.#repartition(partitionedAt(splits, schema.key))) return;
    const { key } = this.#router;
    this.#splits = splits.map(({ hi, lo, bytes }) => {
      const found = key.decode(hi, lo, bytes);
      const isPlain = typeof found === 'bigint' && Number.isSafeInteger(Number(found));
      return isPlain && !membership.bigints ? Number(found) : found;
    });
  }

  /** False where a row may be, or be on its way, where it would not be looked for then. */
  #repartition(partitioning: Partitioning): boolean {
    const { reader, writer } = this.#client;
    if (writer.inFlight > 0 || !reader.isVoid || reader.pinned > 0) return false;
    if (!this.#calls.repartition(partitioning)) return false;
    this.#client.repartition(partitioning);
    return true;
  }

  /** What a load has told that came to nothing binds no other, as far as nothing goes by it yet. */
  #forgetSplits(): void {
    if (this.#splits === null || this.#client.isClosed) return;
    try {
      this.#repartition(WITHOUT_SPLITS);
    } catch {
      // They stay: the database is as sound with them.
    }
  }

  /** Reads everything as a load does, and keeps nothing. */
  async #check(): Promise<LoadReport> {
    try {
      await this.#readAll();
      this.#leave();
      this.#report();
      const total = performance.now() - this.#startMs;
      const [rows, rejected] = [this.#rows, this.#rejected];
      const ms = { ...this.#ms, total };
      return {
        rows,
        duplicates: 0,
        existing: 0,
        splits: null,
        rejected,
        segments: 0,
        bytes: 0,
        ms,
      };
    } finally {
      await this.#end();
    }
  }

  async #end(): Promise<void> {
    this.#rejects?.close();
    await this.#pool.close();
    // Chunks and runs are shared memory, of which V8 counts nothing.
    if (this.#bytes > GARBAGE_BYTES) setImmediate(collectGarbage);
  }

  async #readAll(): Promise<void> {
    const { rejects } = this.#settings;
    if (rejects !== undefined) this.#rejects = new RejectFile(this.#client.storage, rejects);
    for (const source of this.#sources) {
      try {
        await this.#readSource(source);
      } catch (error) {
        throw this.#sources.length > 1 ? named(error, source) : error;
      }
    }
    await this.#takeWaiting();
  }

  async #readSource(source: OpenSource): Promise<void> {
    if ('items' in source) {
      await this.#takeWaiting();
      this.#enterSource(source);
      await this.#read(source.items);
    } else if ('groups' in source) {
      await this.#readGroups(source, source.groups(this.#target.schema));
    } else {
      await this.#readText(source, source.text, source.rules);
    }
  }

  /** What is taken from now on is of this source. */
  #enterSource(source: OpenSource): void {
    this.#source = source;
    this.#lines = 0;
    this.#seen = 0;
  }

  async #read(items: Items): Promise<void> {
    if (Symbol.iterator in items) {
      for (const item of items) {
        if (isBatch(item)) await this.#takeBatch(item);
        else if (this.#take(item)) await this.#pause();
      }
    } else {
      for await (const item of abortable(items, this.#signal)) {
        if (item instanceof RowArray) {
          for (const row of item.rows) if (this.#take(row)) await this.#pause();
        } else if (isBatch(item)) {
          await this.#takeBatch(item);
        } else if (this.#take(item)) {
          await this.#pause();
        }
      }
    }
    this.#router.finish();
  }

  async #takeBatch(batch: RecordBatch): Promise<void> {
    const { numRows } = batch;
    for (let from = 0; from < numRows; from += ROWS_PER_TURN) {
      const to = Math.min(numRows, from + ROWS_PER_TURN);
      const first = this.#seen + 1 - from;
      const reject = (error: unknown, row: number) => this.#rejectRow(error, first + row);
      this.#router.addBatch(batch, this.#settings.mapping, from, to, reject);
      this.#seen += to - from;
      await this.#pause();
    }
  }

  /** Takes a row. Whether it is time to look what else there is to do. */
  #take(item: unknown): boolean {
    this.#seen++;
    try {
      const { schema } = this.#router;
      const pair = pairOf(item, schema.value !== null);
      if (schema.ttl === undefined) this.#router.add(pair[0], pair[1]);
      else this.#takeExpiring(item, pair);
    } catch (error) {
      this.#rejectRow(error, this.#seen);
    }
    return this.#seen % ROWS_PER_LOOK === 0 && performance.now() - this.#lastTurnMs > TURN_MS;
  }

  /** A row that may say when it expires, beside its columns or beside its bare value. */
  #takeExpiring(item: unknown, [key, row]: readonly [unknown, unknown]): void {
    const isBare = this.#router.schema.value !== null;
    const from = isBare && !Array.isArray(item) ? item : row;
    const isObject = typeof from === 'object' && from !== null;
    if (!isObject || (isBare && from === row) || !Object.hasOwn(from, EXPIRES_COLUMN)) {
      this.#router.add(key, row);
      return;
    }
    const { [EXPIRES_COLUMN]: end, ...columns } = from as Record<string, unknown>;
    const ms = end instanceof Date ? end.getTime() : end;
    const expiresMs = ms === undefined ? undefined : expiryTimeOf(ms);
    this.#router.add(key, isBare ? row : columns, expiresMs);
  }

  async #pause(): Promise<void> {
    throwIfAborted(this.#signal);
    await this.#inFlight.room(this.#pool.threads);
    if (performance.now() - this.#lastProgressMs > PROGRESS_MS) this.#report();
    await new Promise((resolve) => setImmediate(resolve));
    this.#lastTurnMs = performance.now();
  }

  /** @throws OMEN_REJECTED_ROWS for one too many, and what is no fault of a row */
  #rejectRow(error: unknown, row: number): void {
    if (!(error instanceof OmenError)) throw error;
    const { code, message } = error;
    this.#reject(code, message, `row ${row} of ${this.#source.name}`, { row }, error);
  }

  /** Counts a bad row. @throws OMEN_REJECTED_ROWS for one too many */
  #reject(
    code: ErrorCode,
    reason: string,
    where: string,
    place: Pick<RejectLine, 'row' | 'line' | 'offset' | 'raw'>,
    cause: unknown,
  ): void {
    this.#rejected++;
    const { raw, ...at } = place;
    this.#rejects?.add({ source: this.#source.name, ...at, code, reason, raw });
    if (this.#rejected <= this.#settings.maxErrors) return;
    const more = this.#settings.maxErrors > 0 ? `, after ${this.#rejected - 1} others` : '';
    const message = `Bad ${where}${more}: ${reason} (${code}). Nothing was loaded.`;
    throw new OmenError('OMEN_REJECTED_ROWS', message, { cause });
  }

  /** Blocks are parsed in the pool, as many at a time as it has threads, and taken in their order. */
  async #readText(
    source: OpenSource,
    text: AsyncIterable<Uint8Array>,
    rules: TextRules,
  ): Promise<void> {
    const target = this.#target;
    const blocks = textBlocks(target.schema, text, rules, BLOCK_BYTES);
    for await (const block of abortable(blocks, this.#signal)) {
      const { bytes, at, format } = block;
      const rejectsMax = this.#settings.maxErrors - this.#rejected + 1;
      const parsed = this.#pool.parse({ target, format, bytes, at, rejectsMax });
      parsed.catch(() => {});
      this.#waiting.push({ source, parsed, take: (done) => this.#takeParsed(block, done) });
      if (this.#waiting.length > 2 * this.#pool.threads) await this.#takeFirst();
    }
  }

  /** Row groups are large: no more of them are held than there are threads. */
  async #readGroups(source: OpenSource, groups: AsyncIterable<ParquetGroup>): Promise<void> {
    const target = this.#target;
    for await (const group of abortable(groups, this.#signal)) {
      const rejectsMax = this.#settings.maxErrors - this.#rejected + 1;
      const parsed = this.#pool.group({ target, group, rejectsMax });
      parsed.catch(() => {});
      const { before } = group;
      this.#waiting.push({ source, parsed, take: (done) => this.#takeGroup(before, done) });
      if (this.#waiting.length >= this.#pool.threads) await this.#takeFirst();
    }
  }

  async #takeFirst(): Promise<void> {
    const [{ source, parsed, take }] = this.#waiting.splice(0, 1);
    if (source !== this.#source) this.#enterSource(source);
    take(await parsed);
    await this.#pause();
  }

  async #takeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) await this.#takeFirst();
  }

  #takeParsed({ offset, linesBefore }: TextBlock, parsed: Parsed): void {
    const { name } = this.#source;
    this.#lines += linesBefore;
    for (const { line, offset: within, code, reason, raw } of parsed.rejects) {
      const place = { line: this.#lines + line + 1, offset: offset + within, raw };
      const where = `row in line ${place.line} of ${name} (byte ${place.offset})`;
      this.#reject(code, reason, where, place, undefined);
    }
    this.#lines += parsed.lines;
    this.#parsedRows += parsed.rows;
    this.#seen += parsed.rows + parsed.rejects.length;
    for (const [shard, chunk] of parsed.chunks) this.#keep(shard, chunk);
  }

  #takeGroup(before: number, parsed: Parsed): void {
    for (const { line, code, reason } of parsed.rejects) {
      const row = before + line + 1;
      this.#reject(code, reason, `row ${row} of ${this.#source.name}`, { row }, undefined);
    }
    this.#parsedRows += parsed.rows;
    for (const [shard, chunk] of parsed.chunks) this.#keep(shard, chunk);
  }

  #enter(phase: LoadPhase): void {
    this.#leave();
    this.#report();
    this.#phase = phase;
    this.#writtenBefore = this.#written;
  }

  #leave(): void {
    const now = performance.now();
    this.#ms[this.#phase] = now - this.#phaseMs;
    this.#phaseMs = now;
  }

  /** How long the phase goes on as it has so far. */
  #msLeft(bytesRead: number, bytesTotal: number): number | null {
    if (this.#phase === 'publish') return null;
    const isWriting = this.#phase === 'write';
    const done = isWriting ? this.#written - this.#writtenBefore : bytesRead;
    const left = isWriting ? this.#rows - this.#written : bytesTotal - bytesRead;
    if (done <= 0 || (!isWriting && bytesTotal === 0)) return null;
    return ((performance.now() - this.#phaseMs) * Math.max(0, left)) / done;
  }

  #report(): void {
    this.#lastProgressMs = performance.now();
    const ms = this.#lastProgressMs - this.#startMs;
    const rows = this.#rows;
    const rowsPerSecond = (1000 * rows) / ms;
    const [phase, bytes] = [this.#phase, this.#bytes];
    const sources = this.#sources.length;
    const sum = (of: 'read' | 'total') =>
      this.#sources.reduce((all, { extent }) => all + extent[of], 0);
    const [bytesRead, total] = [sum('read'), sum('total')];
    this.#settings.onProgress({
      ...{ phase, rows, bytes, rowsPerSecond, ms, bytesRead, sources },
      rowsWritten: this.#written,
      msLeft: this.#msLeft(bytesRead, total),
      source: this.#source.name,
      sourceNumber: this.#sources.indexOf(this.#source) + 1,
      bytesTotal: total > 0 ? total : null,
    });
  }
}

/** Fields that do not fit, with the one of several sources that has them. */
function named(error: unknown, { name }: OpenSource): unknown {
  const isOfFields =
    error instanceof OmenError &&
    (error.code === 'OMEN_MISSING_COLUMN' || error.code === 'OMEN_UNKNOWN_COLUMN');
  if (!isOfFields) return error;
  return new OmenError(error.code, `${name}: ${error.message}`, { cause: error });
}

/** @throws OMEN_INVALID_ROW */
function pairOf(item: unknown, isBare: boolean): readonly [unknown, unknown] {
  if (Array.isArray(item) && item.length === 2) return item as unknown as [unknown, unknown];
  if (typeof item === 'object' && item !== null && !Array.isArray(item) && 'key' in item) {
    const { key, ...row } = item;
    if (!isBare) return [key, row];
    if ('value' in row) return [key, row.value];
  }
  // A source that knows what is wrong with a row.
  if (item instanceof OmenError) throw item;
  const message = `A row to load is [key, row], or an object with "key", not ${show(item)}.`;
  throw new OmenError('OMEN_INVALID_ROW', message);
}
