/**
 * A store for Keyv 5: `new Keyv({ store: new OmenKeyv('./cache'), namespace: 'users' })`.
 *
 * A row is what Keyv serialised, as text, and when it expires: Keyv writes that into its text, too, but
 * here it can be seen without parsing, by this store and by whoever opens the database. What has
 * expired is not there for any read, and is deleted when a read meets it.
 *
 * Keyv puts its namespace before each key, "users:42", so that a namespace is a range of keys.
 */
import { EventEmitter } from 'node:events';
import {
  type Condition,
  type Database,
  type KeyInputOf,
  type KeyOf,
  OmenError,
  type OpenOptions,
  open,
  type RowInputOf,
  type RowOf,
} from './index.ts';
import { withRoom } from './with-room.ts';

/** What a database has to be created with to be one of Keyv's. */
export const KEYV_LAYOUT = {
  key: 'utf8',
  columns: { value: 'utf8', expires: 'timestamp?' },
} as const;

type Layout = typeof KEYV_LAYOUT;
type Row = RowOf<Layout>;
type Entry = readonly [key: string, row: Row];

/** A database that was opened with `KEYV_LAYOUT`. */
export type KeyvDatabase = Database<KeyOf<Layout>, Row, KeyInputOf<Layout>, RowInputOf<Layout>>;

/** The options of `open` that are not about keys and columns. */
export type OmenKeyvOptions = Omit<OpenOptions, 'key' | 'columns' | 'value' | 'bigints'>;

/** One of `setMany`: what Keyv serialised, and for how many milliseconds it is good. */
export interface KeyvEntry {
  readonly key: string;
  readonly value: string;
  readonly ttl?: number;
}

const DELETED_AT_ONCE = 1000;

export class OmenKeyv extends EventEmitter {
  /**
   * Keyv iterates over the stores of the dialects on a list of its own, which no other can join. It asks
   * for the dialect nowhere else; where there is none, it looks into `url`.
   */
  readonly opts: Record<string, unknown>;
  /** Set by Keyv; `clear` and `iterator` go by it. */
  namespace: string | undefined = undefined;
  readonly #directory: string | null;
  readonly #options: OmenKeyvOptions;
  #opened: Promise<KeyvDatabase> | null = null;

  /**
   * @param where a directory, opened or created at the first use and closed by `disconnect`; or a
   *   database, which stays its owner's to close: several Keyvs take one each over the same database
   * @throws OMEN_INVALID_OPTIONS for anything else
   */
  constructor(where: string | KeyvDatabase, options: OmenKeyvOptions = {}) {
    super();
    const isDirectory = typeof where === 'string';
    if (where === '' || (!isDirectory && typeof where?.entries !== 'function')) {
      const message = 'The first argument of OmenKeyv is a directory, or a database that is open.';
      throw new OmenError('OMEN_INVALID_OPTIONS', message);
    }
    this.#directory = isDirectory ? where : null;
    this.#options = options;
    if (!isDirectory) this.#opened = Promise.resolve(where);
    this.opts = { dialect: 'etcd', url: `omendb://${isDirectory ? where : where.path}` };
  }

  /** The database, to be opened first where it is not. */
  database(): Promise<KeyvDatabase> {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  async #open(): Promise<KeyvDatabase> {
    try {
      return await open(this.#directory ?? '', { ...this.#options, ...KEYV_LAYOUT });
    } catch (error) {
      this.#opened = null; // the next use tries again
      throw error;
    }
  }

  /** What was set, or undefined where there is nothing, or nothing any more. */
  async get(key: string): Promise<string | undefined> {
    const [value] = await this.getMany([key]);
    return value;
  }

  async getMany(keys: readonly string[]): Promise<(string | undefined)[]> {
    const rows = await this.#live(keys);
    return rows.map((row) => row?.value);
  }

  async has(key: string): Promise<boolean> {
    const [isThere] = await this.hasMany([key]);
    return isThere;
  }

  async hasMany(keys: readonly string[]): Promise<boolean[]> {
    const rows = await this.#live(keys);
    return rows.map((row) => row !== undefined);
  }

  /** The rows of keys that have not expired. */
  async #live(keys: readonly string[]): Promise<(Row | undefined)[]> {
    const db = await this.database();
    const rows = db.getMany(keys);
    const now = Date.now();
    const expired: Entry[] = [];
    for (const [i, row] of rows.entries()) {
      if (row === undefined || !isExpired(row, now)) continue;
      expired.push([keys[i], row]);
      rows[i] = undefined;
    }
    if (expired.length > 0) await forget(db, expired);
    return rows;
  }

  /**
   * @param ttl milliseconds from now on; none: for ever
   * @throws rejects with OMEN_INVALID_ROW for a value that is no text (Keyv without `serialize`) and a
   *   ttl that is no number, OMEN_INVALID_KEY, and as `Database.put`
   */
  async set(key: string, value: string, ttl?: number): Promise<boolean> {
    const db = await this.database();
    const row = rowOf(value, ttl);
    await withRoom(db, () => db.put(key, row));
    return true;
  }

  /** All or none of them. Rejects as `set`. */
  async setMany(entries: readonly KeyvEntry[]): Promise<boolean[]> {
    const db = await this.database();
    const operations = entries.map(({ key, value, ttl }) => {
      return { type: 'put', key, value: rowOf(value, ttl) } as const;
    });
    await withRoom(db, () => db.batch(operations));
    return entries.map(() => true);
  }

  /** Whether there was something to delete. */
  async delete(key: string): Promise<boolean> {
    const db = await this.database();
    const [row] = await this.#live([key]);
    if (row === undefined) return false;
    return deletes(db, key, 'present');
  }

  /** Deletes all at one instant; whether there was any of them. */
  async deleteMany(keys: readonly string[]): Promise<boolean> {
    const db = await this.database();
    const there = await this.hasMany(keys);
    if (!there.includes(true)) return false;
    const operations = keys
      .filter((_, i) => there[i])
      .map((key) => {
        return { type: 'del', key } as const;
      });
    await withRoom(db, () => db.batch(operations));
    return true;
  }

  /** Deletes what is in the namespace, or everything where there is none: by one record a shard. */
  async clear(): Promise<void> {
    const db = await this.database();
    const range = rangeOf(this.namespace);
    await withRoom(db, () => db.clear(range));
  }

  /** Key and value of everything in a namespace, in the order of keys, of one instant. */
  async *iterator(
    namespace: string | undefined = this.namespace,
  ): AsyncGenerator<[key: string, value: string], void> {
    const db = await this.database();
    const now = Date.now();
    for (const [key, row] of db.entries(rangeOf(namespace))) {
      if (!isExpired(row, now)) yield [key, row.value];
    }
  }

  /** Deletes what has expired, in every namespace; for what is never read again. Resolves to how many. */
  async deleteExpired(): Promise<number> {
    const db = await this.database();
    const now = Date.now();
    let deleted = 0;
    let expired: Entry[] = [];
    for (const entry of db.entries({ where: { expires: { lt: now } } })) {
      expired.push(entry);
      if (expired.length < DELETED_AT_ONCE) continue;
      deleted += await drop(db, expired);
      expired = [];
    }
    return deleted + (await drop(db, expired));
  }

  /** Closes the database, if it was opened here. */
  async disconnect(): Promise<void> {
    if (this.#directory === null || this.#opened === null) return;
    const db = await this.#opened;
    await db.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect();
  }
}

/** As Keyv does: in the last millisecond of its time a value is still there. */
function isExpired({ expires }: Row, now: number): boolean {
  return expires !== null && now > expires;
}

function rowOf(value: string, ttl: number | undefined): RowInputOf<Layout> {
  return { value, expires: ttl === undefined ? null : Math.ceil(Date.now() + ttl) };
}

/** The keys that Keyv puts a namespace before: those that begin with it and a colon. */
function rangeOf(namespace: string | undefined): { readonly gte?: string; readonly lt?: string } {
  if (!namespace) return {};
  const afterColon = String.fromCharCode(':'.charCodeAt(0) + 1);
  return { gte: `${namespace}:`, lt: `${namespace}${afterColon}` };
}

/** Deletes what a read found expired, where the database may be written to. */
async function forget(db: KeyvDatabase, expired: readonly Entry[]): Promise<void> {
  try {
    await drop(db, expired);
  } catch (error) {
    if (!(error instanceof OmenError) || error.code !== 'OMEN_READ_ONLY') throw error;
  }
}

/**
 * Deletes rows that are still these, and not set anew meanwhile. Resolves to how many.
 */
async function drop(db: KeyvDatabase, expired: readonly Entry[]): Promise<number> {
  const outcomes = expired.map(([key, row]) => deletes(db, key, { equals: row }));
  const deleted = await Promise.all(outcomes);
  return deleted.filter(Boolean).length;
}

/** Whether a row was deleted: it is not where the condition fails. */
async function deletes(db: KeyvDatabase, key: string, condition: Condition<Row>): Promise<boolean> {
  try {
    await withRoom(db, () => db.del(key, { if: condition }));
    return true;
  } catch (error) {
    if (error instanceof OmenError && error.code === 'OMEN_CONDITION_FAILED') return false;
    throw error;
  }
}
