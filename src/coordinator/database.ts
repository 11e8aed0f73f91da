/**
 * The database as a client's thread sees it. Reads are synchronous, straight from shared memory;
 * writes resolve when they are as durable as was asked.
 */
import type { Registry } from 'prom-client';
import { OmenError } from '../errors.ts';
import { type SchemaOptions, schemaOptions } from '../schema/schema.ts';
import type { Salvaged } from '../shard-worker/salvaged.ts';
import { givenTime } from '../view/expiry.ts';
import { rowOf } from '../view/shard-view.ts';
import { answerAttachRequests, attachClient, type Handle, type OwnerCalls } from './attach.ts';
import { bulkLoad } from './bulk-load.ts';
import type { Client } from './client.ts';
import { COMPACT, DEL, FLUSH, LOAD, PUT, SNAPSHOT, UPDATE } from './client-meter.ts';
import { type Condition, type PutOptions, type WriteOptions, writeOptions } from './condition.ts';
import type { EventName, Listener } from './events.ts';
import { type ExpiryOptions, saysExpiry } from './expiry.ts';
import { type Explanation, explain } from './explain.ts';
import { exportRows } from './export.ts';
import type { ExportOptions, ExportReport, ExportTargetInput } from './export-options.ts';
import { type Health, healthOf } from './health.ts';
import type { LoadOptions, LoadReport, LoadSource } from './load-options.ts';
import { metricsOf } from './metrics.ts';
import type { OpenOptions } from './options.ts';
import type { Source } from './ordered-reads.ts';
import { formatPosition, noPosition, parsePosition } from './position.ts';
import { parseIteration, type RangeOptions } from './range.ts';
import type { Reader } from './reader.ts';
import { Reads } from './reads.ts';
import type { KeyInputOf, KeyOf, RowInputOf, RowOf } from './row-types.ts';
import { Snapshot } from './snapshot.ts';
import { collectStats, type Stats } from './stats.ts';
import { Supervisor } from './supervisor.ts';
import { type TextInputOf, type TextOf, TextReads } from './text-reads.ts';
import { type Access, inTurn, nameOf, triesOf, type UpdateOptions, updateRow } from './update.ts';
import { Watch, type WatchOptions } from './watch.ts';

/**
 * One operation of a batch, and what has to be there beforehand for the batch to apply; of a row, when it
 * expires.
 */
export type BatchOperation<KeyInput, RowInput> =
  | ({
      readonly type: 'put';
      readonly key: KeyInput;
      readonly value: RowInput;
    } & PutOptions<RowInput>)
  | ({ readonly type: 'del'; readonly key: KeyInput } & WriteOptions<RowInput>);

/** How a Database ends: the thread that opened it closes it, others only leave. */
interface Owner extends OwnerCalls {
  handle(): Handle;
  close(): Promise<void>;
}

export class Database<
  Key = number | bigint | string | Uint8Array,
  Row = unknown,
  KeyInput = unknown,
  RowInput = unknown,
> extends Reads<Key, Row, KeyInput, RowInput> {
  readonly #client: Client;
  readonly #database: Owner;
  protected readonly source: Source;
  protected readonly reader: Reader;
  protected readonly owner: Client;
  protected readonly captured = null;
  /** Updates under way, by the names of their keys. */
  readonly #updates = new Map<string, Promise<unknown>>();
  #closing: Promise<void> | null = null;

  /** Use `open` or `attach`. */
  constructor(client: Client, owner: Owner) {
    super();
    this.source = client.reader;
    this.reader = client.reader;
    this.owner = client;
    this.#client = client;
    this.#database = owner;
  }

  /** The directory, as an absolute path. */
  get path(): string {
    return this.#client.membership.path;
  }

  /** What it holds: the options `key`, `columns` or `value`, and `ttl` that it was created with. */
  get schema(): SchemaOptions {
    return schemaOptions(this.#client.membership.schema);
  }

  /**
   * What salvage dropped, or did without: plain data, and empty where nothing was damaged. A salvage that
   * was killed before it could tell is told by the next open, with or without the option.
   */
  get salvaged(): readonly Salvaged[] {
    return this.#client.membership.salvaged;
  }

  /**
   * The row of a key, or undefined. Synchronous: it waits for nothing and nobody.
   * @throws OMEN_INVALID_KEY, OMEN_UNSAFE_INTEGER, OMEN_CLOSED
   */
  get(key: KeyInput): Row | undefined {
    return this.reader.get(key) as Row | undefined;
  }

  has(key: KeyInput): boolean {
    this.#client.throwIfClosed();
    this.#client.reader.countGet();
    return this.#client.reader.has(key);
  }

  /**
   * What `get` does for a key, as plain data: the memtables and runs that it asks, newest first, until
   * one has the key; in each segment, what the learned index predicts, how far off that is, and what
   * is searched. For tuning and for bug reports: it costs many times a `get`.
   * @throws as `get`
   */
  explain(key: KeyInput): Explanation {
    this.#client.throwIfClosed();
    return explain(this.#client.reader, this.#client.membership, key);
  }

  /**
   * One instant of the whole database: every write that was acknowledged before, of no batch across
   * shards only a part, and nothing later. For this thread; close it, or declare it with `using`.
   */
  snapshot(): Snapshot<Key, Row, KeyInput, RowInput> {
    this.#client.throwIfClosed();
    const { meter } = this.#client;
    const startMs = meter.begin(SNAPSHOT);
    const snapshot = new Snapshot<Key, Row, KeyInput, RowInput>(this.#client);
    meter.end(SNAPSHOT, startMs);
    return snapshot;
  }

  /**
   * The position of now, as text: behind every write that is acknowledged. `watch({ from })` takes it, in
   * this process or a later one.
   * @throws OMEN_CLOSED, OMEN_READ_ONLY
   */
  position(): string {
    this.#client.throwIfClosed();
    const { membership, reader } = this.#client;
    if (membership.readOnly) noPosition();
    return formatPosition(membership, reader.position());
  }

  /**
   * The changes of a range, of everything where none is given, as they are committed: in groups, with
   * the position behind each, from `from` on, or from now. The log is kept for the watch from this call
   * on, up to 256 MiB a shard: end it by `break`, `return()` or its signal. Nothing that was in no log
   * is a change.
   * @throws OMEN_INVALID_RANGE, OMEN_INVALID_KEY, OMEN_INVALID_POSITION, OMEN_LSN_GONE, OMEN_ABORTED,
   *   OMEN_READ_ONLY, OMEN_CLOSED
   */
  watch(options?: WatchOptions): Watch<Key, Row> {
    this.#client.throwIfClosed();
    const { membership, reader, watchers, storage } = this.#client;
    const range = parseIteration(options, reader.key, ['from', 'signal'], ['reverse', 'limit']);
    const { from, signal } = options ?? {};
    if (membership.readOnly) noPosition();
    return new Watch({
      membership,
      storage,
      reader,
      watchers,
      range,
      from: () => (from === undefined ? reader.position() : parsePosition(membership, from)),
      signal,
    });
  }

  /**
   * The same reads with strings for bytes, of keys and of values: for what is text, and was stored as
   * binary since not all of it is. Bytes that are no UTF-8 come back as U+FFFD.
   */
  text(): TextReads<TextOf<Key>, TextOf<Row>, TextInputOf<KeyInput>, TextOf<RowInput>> {
    const { source, reader, owner, captured } = this;
    return new TextReads({ source, reader, owner, captured });
  }

  /**
   * Stores a row, replacing the one before. Resolves when it is as durable as the database promises;
   * the arguments are encoded before this returns. Rejects with OMEN_INVALID_KEY, OMEN_INVALID_ROW,
   * OMEN_UNKNOWN_COLUMN, OMEN_MISSING_COLUMN, OMEN_UNSAFE_INTEGER, OMEN_ROW_TOO_LARGE,
   * OMEN_BACKPRESSURE, OMEN_MEMORY_FULL, OMEN_SHARD_FAILED, OMEN_OUTCOME_UNKNOWN, OMEN_CLOSED.
   *
   * With `if`, only where the condition holds, judged by the newest row there is at the moment of the
   * write; else it rejects with OMEN_CONDITION_FAILED, once the row that it was judged by is visible.
   *
   * With `ttl` or `expiresAt` the row expires then, else when the database's option `ttl` says. From that
   * millisecond on it is absent to everything, and its space comes back with merges. Rejects with
   * OMEN_INVALID_EXPIRY where the database was created without `ttl`.
   */
  put(key: KeyInput, row: RowInput, options?: PutOptions<RowInput>): Promise<void> {
    if (options === undefined) return this.#client.writer.put(key, row);
    return this.#putWith(key, row, options);
  }

  async #putWith(key: KeyInput, row: RowInput, given: PutOptions<RowInput>): Promise<void> {
    const { writer } = this.#client;
    const options = writeOptions(given, ['if', 'ttl', 'expiresAt']);
    if (options.if === undefined) return writer.putUntil(key, row, options);
    return writer.batch([{ ...options, type: 'put', key, value: row }], PUT);
  }

  /** Deletes a row; with `if`, as `put`. Resolves also when there was none. Rejects as `put`. */
  del(key: KeyInput, options?: WriteOptions<RowInput>): Promise<void> {
    if (options === undefined) return this.#client.writer.del(key);
    return this.#delIf(key, options);
  }

  async #delIf(key: KeyInput, given: WriteOptions<RowInput>): Promise<void> {
    const options = writeOptions(given, ['if']);
    return this.#client.writer.batch([{ ...options, type: 'del', key }], DEL);
  }

  /**
   * Replaces a row by what `change` makes of it, deletes it where that is undefined. `change` is called
   * with the row there is, or undefined, and again with a newer one whenever the row has changed by the
   * time it is written; so it may do nothing else, and returns at once. Resolves to what was written.
   * Rejects as `put`, and with OMEN_CONTENTION, OMEN_INVALID_OPTIONS and what `change` throws.
   *
   * The row goes on to expire when it did before, unless the options have `ttl` or `expiresAt`; one that
   * was not there, as with `put`.
   */
  async update(
    key: KeyInput,
    change: (row: Row | undefined) => RowInput | undefined,
    options?: UpdateOptions,
  ): Promise<RowInput | undefined> {
    this.#client.throwIfClosed();
    const { reader } = this.#client;
    reader.key.encode(key);
    const name = nameOf(reader.key);
    const tries = triesOf(options);
    const own = structuredClone(key);
    const access = this.#accessTo(own, options ?? {});
    const changed = (row: unknown) => change(row as Row | undefined);
    const work = () => updateRow(access, changed, tries);
    const turn = () => inTurn(this.#updates, name, work);
    return (await this.#client.meter.run(UPDATE, turn)) as RowInput | undefined;
  }

  #accessTo(key: KeyInput, { ttl, expiresAt }: UpdateOptions): Access {
    const { reader } = this.#client;
    const del: Access['del'] = (condition) =>
      this.del(key, { if: condition as Condition<RowInput> });
    const given = { ttl, expiresAt };
    const { expiry } = reader.readers;
    if (expiry === null) {
      const put: Access['put'] = (row, condition) =>
        this.put(key, row as RowInput, { ...given, if: condition as Condition<RowInput> });
      return { get: () => this.get(key), put, del };
    }
    let kept: ExpiryOptions = {};
    return {
      get: () => {
        const found = reader.locate(key, null);
        if (found === null) return undefined;
        const { source, position, expiresMs } = found;
        kept = { expiresAt: givenTime(expiresMs) };
        return rowOf(reader.readers, source, position);
      },
      put: (row, condition) => {
        if (typeof condition === 'string') {
          return this.put(key, row as RowInput, { ...given, if: condition });
        }
        // A row that was given another time meanwhile has changed, too.
        const same = { ...condition, ...kept } as Condition<RowInput>;
        const until = saysExpiry(given) ? given : kept;
        return this.put(key, row as RowInput, { ...until, if: same });
      },
      del,
    };
  }

  /**
   * All of the operations or none of them, across shards and through a crash. Their conditions are
   * judged by what there is before the batch, all at one instant; where one does not hold, nothing of
   * the batch applies, and the message of OMEN_CONDITION_FAILED says which. Rejects as `put`.
   */
  batch(operations: readonly BatchOperation<KeyInput, RowInput>[]): Promise<void> {
    return this.#client.writer.batch(operations);
  }

  /**
   * Deletes all rows of a range, of everything where none is given, in all shards at one instant: by one
   * record a shard, however many rows there are. Rejects as `put`, and with OMEN_INVALID_RANGE.
   */
  async clear(range?: RangeOptions): Promise<void> {
    this.#client.throwIfClosed();
    const { reader, writer } = this.#client;
    const { isEmpty, reverse, limit, ...bounds } = parseIteration(range, reader.key);
    if (reverse || limit !== Number.POSITIVE_INFINITY) {
      throw new OmenError('OMEN_INVALID_RANGE', 'clear() takes bounds, no "reverse" nor "limit".');
    }
    if (!isEmpty) await writer.clear(bounds, reader.shardsWithin(bounds));
  }

  /**
   * Loads many rows at once, far faster than `put`, in one atomic step: after it has resolved all of them are
   * there, durably, and before, or where it rejects, none is. Readers and writers go on meanwhile.
   *
   * A load is as old as its beginning: its rows replace those that were there by then (`onExisting` has it
   * otherwise), and what is written, deleted or cleared while it goes on is newer, and stays. It is durable
   * whatever `durability` says.
   * Rejects with what `put` rejects with, OMEN_INVALID_OPTIONS, OMEN_INVALID_SOURCE, OMEN_REJECTED_ROWS,
   * OMEN_DUPLICATE_KEY, OMEN_KEY_EXISTS, OMEN_MEMORY_FULL, OMEN_DISK_FULL, OMEN_ABORTED.
   */
  bulkLoad(source: LoadSource<KeyInput, RowInput>, options?: LoadOptions): Promise<LoadReport> {
    const load = () => bulkLoad(this.#client, this.#database.loads, source, options);
    return this.#client.meter.run(LOAD, load);
  }

  /**
   * Writes the rows of a range, all of them where none is given, to a file or a stream: as they are at one
   * instant, in the order of their keys, in the memory of a few batches. The name of the file tells the
   * format; it is there when it is whole. What was exported can be loaded again, by `bulkLoad`.
   *
   * A stream is ended, unless it is the process's own output, and destroyed where the export fails.
   * Rejects with OMEN_INVALID_OPTIONS, OMEN_INVALID_TARGET, OMEN_INVALID_RANGE, OMEN_INVALID_WHERE,
   * OMEN_UNKNOWN_COLUMN, OMEN_ABORTED, OMEN_DISK_FULL, OMEN_PERMISSION, OMEN_IO, OMEN_CLOSED.
   */
  export(
    target: ExportTargetInput,
    options?: ExportOptions<KeyInput, RowInput>,
  ): Promise<ExportReport> {
    return exportRows(this.#client, this, target, options);
  }

  /** Resolves when there is room for more writes: await it between writes that are not awaited. */
  ready(): Promise<void> {
    return this.#client.writer.ready();
  }

  /** Makes everything acknowledged durable, at any setting, and moves it from memtables to segments. */
  async flush(): Promise<void> {
    this.#client.throwIfClosed();
    await this.#client.meter.run(FLUSH, () => this.#database.flush());
  }

  /** Flushes, then merges every shard into one run, without what was deleted. */
  async compact(): Promise<void> {
    this.#client.throwIfClosed();
    await this.#client.meter.run(COMPACT, () => this.#database.compact());
    if (!this.#client.isClosed) this.#client.reader.releaseRetired();
  }

  /**
   * Sizes and counts of every shard, and what all threads did and how long it took, as plain data: see
   * `Stats`. Read from shared memory; no thread is asked. Of other threads, gets are counted in steps of
   * some thousand; shards bring their counts up to date whenever they are idle, and every 100 ms.
   * @throws OMEN_CLOSED
   */
  stats(): Stats {
    this.#client.throwIfClosed();
    this.#client.reader.noteGets();
    return collectStats(this.#client.membership);
  }

  /**
   * The same for Prometheus: a registry of the package prom-client, whose `metrics()` and `contentType` are
   * what `/metrics` answers. It reads shared memory when it is asked, and until then costs nothing; it throws
   * OMEN_CLOSED once the database is closed. Each call makes another one.
   */
  async metrics(): Promise<Registry> {
    this.#client.throwIfClosed();
    const { membership, reader } = this.#client;
    return metricsOf(membership, () => {
      this.#client.throwIfClosed();
      reader.noteGets();
    });
  }

  /**
   * Whether all is well, and what is not: plain data, from shared memory, fit for a health check. No
   * thread is asked, so it answers while one hangs, is full or is being replaced.
   */
  health(): Health {
    this.#client.throwIfClosed();
    return healthOf(this.#client.membership);
  }

  /**
   * Calls the listener at each event of this name, from the event loop; the events are `DatabaseEvents`.
   * What happened before there was a listener is kept for it, the newest 64. An error that nobody listens
   * to ends no process: writes that it affects say so themselves.
   */
  on<Name extends EventName>(name: Name, listener: Listener<Name>): this {
    this.#client.events.on(name, listener);
    return this;
  }

  /** As `on`, for one event. */
  once<Name extends EventName>(name: Name, listener: Listener<Name>): this {
    this.#client.events.once(name, listener);
    return this;
  }

  /** Takes a listener back. */
  off<Name extends EventName>(name: Name, listener: Listener<Name>): this {
    this.#client.events.off(name, listener);
    return this;
  }

  /** Plain data to post to another worker thread, which passes it to `attach`. */
  handle(): Handle {
    this.#client.throwIfClosed();
    return this.#database.handle();
  }

  /**
   * Finishes the writes that are pending, then closes: for all threads where it was opened, for this
   * thread where it was attached. A second call does nothing but wait for the first.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (!this.#client.isClosed) await this.#client.writer.drained();
    this.#client.close();
    await this.#database.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Opens the database in a directory, or creates one there. The options that describe the data (key,
 * columns or value, ttl, shards, partition) are needed only to create it.
 * @throws OMEN_INVALID_OPTIONS, OMEN_OPTIONS_MISMATCH, OMEN_NOT_FOUND, OMEN_EXISTS, OMEN_LOCKED,
 *   OMEN_FOREIGN_DIRECTORY, OMEN_NEWER_FORMAT, OMEN_CORRUPT, OMEN_PERMISSION, OMEN_DISK_FULL, OMEN_IO
 */
export async function open<const O extends OpenOptions>(
  directory: string,
  options?: O,
): Promise<Database<KeyOf<O>, RowOf<O>, KeyInputOf<O>, RowInputOf<O>>> {
  if (typeof directory !== 'string' || directory === '') {
    throw new OmenError('OMEN_INVALID_OPTIONS', 'open() takes a directory as its first argument.');
  }
  const supervisor = await Supervisor.open(directory, options ?? {});
  answerAttachRequests();
  const client = await supervisor.firstClient();
  return new Database(client, {
    flush: () => supervisor.flush(),
    compact: () => supervisor.compact(),
    loads: supervisor.loads.callsOf(client.membership.client),
    handle: () => ({ omendb: 1, ...supervisor.handle }),
    close: () => supervisor.close(),
  });
}

/**
 * Joins, from another worker thread of the same process, a database that is open there: the same
 * interface, with rings of its own. Closing it leaves the database open for the others.
 * @throws OMEN_ATTACH_FAILED
 */
export async function attach<const O extends OpenOptions = OpenOptions>(
  handle: Handle,
): Promise<Database<KeyOf<O>, RowOf<O>, KeyInputOf<O>, RowInputOf<O>>> {
  const { client, calls, detach } = await attachClient(handle);
  return new Database(client, {
    flush: () => calls.flush(),
    compact: () => calls.compact(),
    loads: calls.loads,
    handle: () => handle,
    close: async () => detach(),
  });
}
