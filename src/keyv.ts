/**
 * A store for Keyv 5: `new Keyv({ store: new OmenKeyv('./cache'), namespace: 'users' })`.
 *
 * A value is what Keyv serialised, as text. Keyv writes into it when it expires, but the row does so by
 * itself, too: from then on it is there for no read, and merges give back its space.
 *
 * Keyv puts its namespace before each key, "users:42", so that a namespace is a range of keys.
 */
import { EventEmitter } from 'node:events';
import {
  type Database,
  type ExpiryOptions,
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
  value: 'utf8',
  ttl: true,
} as const;

type Layout = typeof KEYV_LAYOUT;

/** A database that was opened with `KEYV_LAYOUT`. */
export type KeyvDatabase = Database<
  KeyOf<Layout>,
  RowOf<Layout>,
  KeyInputOf<Layout>,
  RowInputOf<Layout>
>;

/** The options of `open` that are not about keys and columns. */
export type OmenKeyvOptions = Omit<OpenOptions, 'key' | 'columns' | 'value' | 'ttl' | 'bigints'>;

/** One of `setMany`: what Keyv serialised, and for how many milliseconds it is good. */
export interface KeyvEntry {
  readonly key: string;
  readonly value: string;
  readonly ttl?: number;
}

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
    return (await this.database()).get(key);
  }

  async getMany(keys: readonly string[]): Promise<(string | undefined)[]> {
    return (await this.database()).getMany(keys);
  }

  async has(key: string): Promise<boolean> {
    return (await this.database()).has(key);
  }

  async hasMany(keys: readonly string[]): Promise<boolean[]> {
    const values = await this.getMany(keys);
    return values.map((value) => value !== undefined);
  }

  /**
   * @param ttl milliseconds from now on; none: for ever
   * @throws rejects with OMEN_INVALID_ROW for a value that is no text (Keyv without `serialize`),
   *   OMEN_INVALID_EXPIRY for a ttl that is no number, OMEN_INVALID_KEY, and as `Database.put`
   */
  async set(key: string, value: string, ttl?: number): Promise<boolean> {
    const db = await this.database();
    const until = untilOf(ttl);
    await withRoom(db, () => db.put(key, value, until));
    return true;
  }

  /** All or none of them. Rejects as `set`. */
  async setMany(entries: readonly KeyvEntry[]): Promise<boolean[]> {
    const db = await this.database();
    const operations = entries.map(({ key, value, ttl }) => {
      return { ...untilOf(ttl), type: 'put', key, value } as const;
    });
    await withRoom(db, () => db.batch(operations));
    return entries.map(() => true);
  }

  /** Whether there was something to delete. */
  async delete(key: string): Promise<boolean> {
    const db = await this.database();
    return db.has(key) && (await deletes(db, key));
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
    yield* (await this.database()).entries(rangeOf(namespace));
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

/** As Keyv has it: in the last millisecond of its time a value is still there. */
function untilOf(ttl: number | undefined): ExpiryOptions {
  return { expiresAt: ttl === undefined ? null : Math.ceil(Date.now() + ttl) + 1 };
}

/** The keys that Keyv puts a namespace before: those that begin with it and a colon. */
function rangeOf(namespace: string | undefined): { readonly gte?: string; readonly lt?: string } {
  if (!namespace) return {};
  const afterColon = String.fromCharCode(':'.charCodeAt(0) + 1);
  return { gte: `${namespace}:`, lt: `${namespace}${afterColon}` };
}

/** Whether there was something to delete. */
async function deletes(db: KeyvDatabase, key: string): Promise<boolean> {
  try {
    await withRoom(db, () => db.del(key, { if: 'present' }));
    return true;
  } catch (error) {
    if (error instanceof OmenError && error.code === 'OMEN_CONDITION_FAILED') return false;
    throw error;
  }
}
