/**
 * OmenDB behind the interface of abstract-level 3: what is written for Level runs on it, sublevels,
 * snapshots, hooks and events included. Keys and values are bytes below; encodings are abstract-level's.
 *
 * The methods that begin with an underscore are what abstract-level calls once it has checked, encoded
 * and prefixed. Reads are synchronous there, so they return values and not promises: abstract-level
 * awaits either.
 */
import { type AbstractDatabaseOptions, AbstractLevel, AbstractSnapshot } from 'abstract-level';
import { attach, type Handle, OmenError, type OpenOptions, open } from './index.ts';
import {
  type BytesDatabase,
  type BytesSnapshot,
  bytesOf,
  type Data,
  type DataRange,
  dataOf,
  type Format,
  rangeOf,
  type TextOfBytes,
  textOrBytes,
} from './level/data.ts';
import { LevelError, levelError, openError } from './level/errors.ts';
import { EntryIterator, KeyIterator, ValueIterator } from './level/iterators.ts';
import type { Instant, IteratorOptions } from './level/rows.ts';
import { withRoom } from './with-room.ts';

export { LevelError } from './level/errors.ts';

const SETTINGS = [
  'shards',
  'partition',
  'durability',
  'memory',
  'threads',
  'createIfMissing',
  'errorIfExists',
  'readOnly',
  'salvage',
  'memtable',
] as const;

type Settings = Pick<OpenOptions, (typeof SETTINGS)[number]>;

/** The options of every Level database, and those of `open` that are not about keys and columns. */
export interface OmenLevelOptions<K = string, V = string>
  extends AbstractDatabaseOptions<K, V>,
    Settings {
  readonly createIfMissing?: boolean;
  readonly errorIfExists?: boolean;
}

/** Of put, del, batch and a chained batch's write. */
export interface WriteOptions {
  /** Whether the write is to be on disk when it resolves; with `durability: 'sync'` every one is. */
  readonly sync?: boolean;
}

interface ReadOptions {
  readonly keyEncoding: Format;
  readonly valueEncoding: Format;
  readonly snapshot?: AbstractSnapshot | null;
}

interface ClearOptions extends DataRange {
  readonly reverse: boolean;
  /** −1: no limit. */
  readonly limit: number;
  readonly snapshot?: AbstractSnapshot | null;
}

type Operation =
  | { readonly type: 'put'; readonly key: Data; readonly value: Data }
  | { readonly type: 'del'; readonly key: Data };

/** What is read, as bytes or, without a copy of them, as text. */
interface Readable {
  readonly bytes: BytesDatabase | BytesSnapshot;
  readonly text: TextOfBytes;
}

interface Now extends Readable {
  readonly bytes: BytesDatabase;
}

/** A clear that has to name its keys deletes so many, or so many bytes of them, in a batch. */
const CLEARED_AT_ONCE = 1000;
const CLEARED_BYTES_AT_ONCE = 2 ** 20;

export class OmenLevel<KDefault = string, VDefault = string> extends AbstractLevel<
  string | Buffer | Uint8Array,
  KDefault,
  VDefault
> {
  readonly #location: string | Handle;
  #now: Now | null = null;
  /** Whether a write may resolve before it is on disk. */
  #isLazy = false;

  /**
   * @param location a directory, or the handle of a database that is open in another thread:
   *   `level.database.handle()` there
   * @param options those that are not ours are ignored, as Level's databases do with each other's
   * @throws OMEN_INVALID_OPTIONS for a location that is neither
   */
  constructor(location: string | Handle, options?: OmenLevelOptions<KDefault, VDefault>) {
    if (location === '' || (typeof location !== 'string' && !isHandle(location))) {
      const message =
        'The first argument of OmenLevel is a directory, or the handle of a database.';
      throw new OmenError('OMEN_INVALID_OPTIONS', message);
    }
    super(manifest(), options);
    this.#location = location;
  }

  /** The first argument of the constructor. */
  get location(): string | Handle {
    return this.#location;
  }

  /**
   * What is below: a database of binary keys and values, for what abstract-level has no words for
   * (flush, compact, stats, health, handle, scan, …). Do not close it: close this.
   * @throws LEVEL_DATABASE_NOT_OPEN
   */
  get database(): BytesDatabase {
    if (this.#now !== null) return this.#now.bytes;
    throw notOpen();
  }

  async _open(options: OmenLevelOptions): Promise<void> {
    const location = this.#location;
    if (typeof location !== 'string') {
      await this.#attach(location, options);
      return;
    }
    try {
      const database = await openBytes(location, settingsOf(options));
      this.#now = { bytes: database, text: database.text() };
      this.#isLazy = (options.durability ?? 'sync') !== 'sync';
    } catch (error) {
      throw openError(location, error);
    }
  }

  async #attach(handle: Handle, { durability }: OmenLevelOptions): Promise<void> {
    try {
      const database = (await attach(handle)) as unknown as BytesDatabase;
      this.#now = { bytes: database, text: database.text() };
      this.#isLazy = durability !== 'sync'; // how it was opened there is not known here
    } catch (error) {
      throw levelError(error);
    }
  }

  async _close(): Promise<void> {
    try {
      await this.#now?.bytes.close();
    } catch (error) {
      throw levelError(error);
    } finally {
      this.#now = null;
    }
  }

  _get(key: Data, options: ReadOptions): Data | undefined {
    return this._getSync(key, options);
  }

  _getSync(key: Data, options: ReadOptions): Data | undefined {
    const { valueEncoding } = options;
    const { bytes, text } = this.#readFrom(options);
    try {
      if (valueEncoding === 'utf8') return text.get(textOrBytes(key));
      const value = bytes.get(bytesOf(key));
      return value === undefined ? undefined : dataOf(value, valueEncoding);
    } catch (error) {
      throw levelError(error);
    }
  }

  _getMany(keys: readonly Data[], options: ReadOptions): (Data | undefined)[] {
    const { valueEncoding } = options;
    const { bytes, text } = this.#readFrom(options);
    try {
      if (valueEncoding === 'utf8') return text.getMany(keys.map(textOrBytes));
      const values = bytes.getMany(keys.map(bytesOf));
      return values.map((value) => value && dataOf(value, valueEncoding));
    } catch (error) {
      throw levelError(error);
    }
  }

  _has(key: Data, options: ReadOptions): boolean {
    const { text } = this.#readFrom(options);
    try {
      return text.has(textOrBytes(key));
    } catch (error) {
      throw levelError(error);
    }
  }

  _hasMany(keys: readonly Data[], options: ReadOptions): boolean[] {
    const { text } = this.#readFrom(options);
    try {
      const { found } = text.getMany(keys.map(textOrBytes), { columns: [] });
      return Array.from(found, (one) => one === 1);
    } catch (error) {
      throw levelError(error);
    }
  }

  #readFrom({ snapshot }: { readonly snapshot?: AbstractSnapshot | null }): Readable {
    if (snapshot != null) return this.#capturedBy(snapshot);
    if (this.#now !== null) return this.#now;
    throw notOpen();
  }

  #capturedBy(snapshot: AbstractSnapshot): LevelSnapshot {
    if (snapshot instanceof LevelSnapshot && snapshot.database === this.#now?.bytes) {
      return snapshot;
    }
    throw new LevelError('LEVEL_SNAPSHOT_NOT_OPEN', 'The snapshot is of another database.');
  }

  _put(key: Data, value: Data, options: WriteOptions): Promise<void> {
    const { database } = this;
    return this.#write(() => database.put(bytesOf(key), bytesOf(value)), options);
  }

  _del(key: Data, options: WriteOptions): Promise<void> {
    const { database } = this;
    return this.#write(() => database.del(bytesOf(key)), options);
  }

  _batch(operations: readonly Operation[], options: WriteOptions): Promise<void> {
    const { database } = this;
    const encoded = operations.map((one) =>
      one.type === 'put'
        ? { type: one.type, key: bytesOf(one.key), value: bytesOf(one.value) }
        : { type: one.type, key: bytesOf(one.key) },
    );
    return this.#write(() => database.batch(encoded), options);
  }

  /** Level's databases let writes wait that are not awaited, however many. */
  async #write(send: () => Promise<void>, { sync }: WriteOptions): Promise<void> {
    const { database } = this;
    try {
      await withRoom(database, send);
      if (sync === true && this.#isLazy) await database.flush();
    } catch (error) {
      throw levelError(error);
    }
  }

  async _clear(options: ClearOptions): Promise<void> {
    const { database } = this;
    const { limit, snapshot } = options;
    if (limit !== -1 || snapshot != null) await this.#clearKeys(options);
    else await this.#write(() => database.clear(rangeOf(options)), {});
  }

  /** Deletes by name what a limit or a snapshot leaves of a range. */
  async #clearKeys(options: ClearOptions): Promise<void> {
    const { reverse, limit } = options;
    const range = { ...rangeOf(options), reverse, ...(limit !== -1 && { limit }) };
    let operations: Operation[] = [];
    let bytes = 0;
    try {
      for (const key of this.#readFrom(options).bytes.keys(range)) {
        operations.push({ type: 'del', key });
        bytes += key.length;
        if (operations.length < CLEARED_AT_ONCE && bytes < CLEARED_BYTES_AT_ONCE) continue;
        await this._batch(operations, {});
        operations = [];
        bytes = 0;
      }
      await this._batch(operations, {});
    } catch (error) {
      throw levelError(error);
    }
  }

  _snapshot(options: object): AbstractSnapshot {
    return new LevelSnapshot(options, this.database);
  }

  _iterator(options: IteratorOptions & ReadOptions) {
    return new EntryIterator<this, KDefault, VDefault>(this, options, this.#instantOf(options));
  }

  _keys(options: IteratorOptions & ReadOptions) {
    return new KeyIterator<this, KDefault>(this, options, this.#instantOf(options));
  }

  _values(options: IteratorOptions & ReadOptions) {
    return new ValueIterator<this, KDefault, VDefault>(this, options, this.#instantOf(options));
  }

  /** An iterator reads what there is when it is made. */
  #instantOf({ snapshot }: ReadOptions): Instant {
    if (snapshot == null) return { snapshot: this.database.snapshot(), isOwn: true };
    return { snapshot: this.#capturedBy(snapshot).bytes, isOwn: false };
  }
}

/** The constructor of abstract-level's snapshots, which its declarations keep to themselves. */
const Snapshot = AbstractSnapshot as unknown as new (options: object) => AbstractSnapshot;

/** What `snapshot()` gives; abstract-level sees to it that nobody reads from one that was closed. */
class LevelSnapshot extends Snapshot implements Readable {
  readonly database: BytesDatabase;
  readonly bytes: BytesSnapshot;
  readonly text: TextOfBytes;

  constructor(options: object, database: BytesDatabase) {
    super(options);
    this.database = database;
    this.bytes = database.snapshot();
    this.text = this.bytes.text();
  }

  _close(): void {
    this.bytes.close();
  }
}

function notOpen(): LevelError {
  return new LevelError('LEVEL_DATABASE_NOT_OPEN', 'The database is not open.');
}

/** What abstract-level may rely on, an object of its own for every database. */
function manifest() {
  return {
    encodings: { utf8: true, buffer: true, view: true },
    has: true,
    getSync: true,
    createIfMissing: true,
    errorIfExists: true,
    explicitSnapshots: true,
    signals: { iterators: true },
  };
}

function isHandle(location: unknown): location is Handle {
  return typeof location === 'object' && location !== null && 'omendb' in location;
}

/**
 * A database of bytes. One that is made here has one shard, unless another number is asked for: Level is
 * about order, and a shard is read in order as it lies, where several have to be merged.
 */
async function openBytes(location: string, settings: Settings): Promise<BytesDatabase> {
  const options = { ...settings, key: 'binary', value: 'binary' } as const;
  if (settings.shards === undefined && settings.createIfMissing !== false) {
    try {
      return await open(location, { ...options, createIfMissing: false });
    } catch (error) {
      if (!(error instanceof OmenError) || error.code !== 'OMEN_NOT_FOUND') throw error;
      const shards = settings.partition === undefined ? { shards: 1 } : {};
      return await open(location, { ...options, ...shards });
    }
  }
  return await open(location, options);
}

function settingsOf(options: OmenLevelOptions): Settings {
  const given = SETTINGS.filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [name, options[name]]));
}
