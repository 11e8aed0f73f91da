/**
 * The engines under test, each holding the same rows: key i of an ascending list, and i as its value,
 * a float64.
 *
 * Each is used as its friends would: a sorted load; LMDB reads without a copy (`getBinaryFast`), its
 * keys eight big-endian bytes or in its own encoding; the tree and the Map hold bare numbers, while
 * OmenDB makes a row object.
 */
import { type OpenOptions, open } from '../../src/index.ts';
import { peer } from '../packages.ts';

export type Key = number | bigint | string | Buffer;

export type Keys = Float64Array | readonly Key[];

export interface Rows {
  /** As OmenDB calls it. */
  readonly type: 'int64' | 'timestamp' | 'float64' | 'utf8' | 'binary';
  readonly count: number;
  /** Whether keys are bigints. */
  readonly bigints: boolean;
  keyAt(i: number): Key;
}

export interface Store {
  /** Stores rows [start, end), the next ones. */
  load(start: number, end: number): void | Promise<void>;
  /** Called once all are loaded. */
  ready?(): Promise<void>;
  /** The value of a key that is there. */
  get(key: Key): number;
  /** The rows, or the values, of many keys at once. */
  getMany?(keys: Keys): readonly { readonly value: number }[];
  getColumn?(keys: Keys): ArrayLike<number>;
  /** Reads every row in order; returns how many there are. @throws unless their values add up so */
  walk?(sum: number): number;
  close(): Promise<void> | void;
}

/** What is used of a database, the types of whose keys are known only when it runs. */
interface Opened {
  get(key: Key): { value: number };
  getMany(keys: Keys): { value: number }[];
  getMany(keys: Keys, options: object): { columns: { value: Float64Array } };
  batch(operations: readonly unknown[]): Promise<void>;
  compact(): Promise<void>;
  stats(): { total: { indexBytes: number; windowMax: number } };
  close(): Promise<void>;
}

/** @throws what `open` throws: a type of keys may be unknown to it */
export async function openOmen(path: string, rows: Rows, shards: number) {
  const options: OpenOptions = {
    key: rows.type,
    columns: { value: 'float64' },
    shards,
    durability: 'os',
    bigints: rows.bigints,
  };
  const db = (await open(path, options)) as unknown as Opened;
  const store: Store = {
    async load(start, end) {
      await db.batch(
        Array.from({ length: end - start }, (_, i) => {
          return { type: 'put', key: rows.keyAt(start + i), value: { value: start + i } };
        }),
      );
    },
    ready: () => db.compact(),
    get: (key) => db.get(key).value,
    getMany: (keys) => db.getMany(keys),
    getColumn: (keys) => db.getMany(keys, { columns: ['value'] }).columns.value,
    close: () => db.close(),
  };
  return { store, stats: () => db.stats().total };
}

/** V8 lets a Map hold 2^24 entries. */
export const MAP_ROWS_MAX = 2 ** 24;

export function openMap(rows: Rows): Store {
  const map = new Map<Key, number>();
  return {
    load(start, end) {
      for (let i = start; i < end; i++) map.set(rows.keyAt(i), i);
    },
    get: (key) => map.get(key) as number,
    close: () => map.clear(),
  };
}

/** What is used of the package `sorted-btree`. */
interface SortedBTree {
  readonly default: {
    readonly default: new (
      entries: undefined,
      compare: (a: Key, b: Key) => number,
      maxNodeSize: number,
    ) => {
      set(key: Key, value: number): boolean;
      get(key: Key): number | undefined;
      clear(): void;
    };
  };
}

/** Of 32 (the default), 64, 128 and 256 the quickest for gets, at 1 M and at 4 M rows. */
export const TREE_NODE_SIZE = 256;

export async function openTree(rows: Rows): Promise<Store> {
  const { default: module } = await peer<SortedBTree>('sorted-btree');
  const compare: (a: never, b: never) => number =
    rows.type === 'binary'
      ? (a: Buffer, b: Buffer) => a.compare(b)
      : rows.bigints || rows.type === 'utf8'
        ? (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
        : (a: number, b: number) => a - b;
  const tree = new module.default(undefined, compare as (a: Key, b: Key) => number, TREE_NODE_SIZE);
  return {
    load(start, end) {
      for (let i = start; i < end; i++) tree.set(rows.keyAt(i), i);
    },
    get: (key) => tree.get(key) as number,
    close: () => tree.clear(),
  };
}

/** What is used of the package `lmdb`. */
interface Lmdb {
  open(options: Readonly<Record<string, unknown>>): {
    transactionSync(work: () => void): void;
    putSync(key: Key, value: Buffer): void;
    getBinaryFast(key: Key): Buffer | undefined;
    getRange(): Iterable<{ readonly key: Key; readonly value: Buffer }>;
    close(): Promise<void>;
  };
}

export type LmdbKeys = 'binary' | 'ordered-binary';

/** Which encodings of LMDB can hold the keys as they come. */
export function lmdbEncodings({ type }: Rows): LmdbKeys[] {
  if (type === 'utf8') return ['ordered-binary'];
  return type === 'binary' ? ['binary'] : ['binary', 'ordered-binary'];
}

export async function openLmdb(path: string, rows: Rows, keyEncoding: LmdbKeys): Promise<Store> {
  const { open: openEnvironment } = await peer<Lmdb>('lmdb');
  const environment = openEnvironment({
    path,
    encoding: 'binary',
    keyEncoding,
    noSync: true,
    compression: false,
    mapSize: 16 * 2 ** 30,
  });
  const keyOf = keyEncoding === 'binary' ? eightBytes(rows) : (key: Key) => key;
  const row = Buffer.alloc(8);
  return {
    load(start, end) {
      environment.transactionSync(() => {
        for (let i = start; i < end; i++) {
          row.writeDoubleLE(i);
          environment.putSync(keyOf(rows.keyAt(i)), row);
        }
      });
    },
    get: (key) => (environment.getBinaryFast(keyOf(key)) as Buffer).readDoubleLE(0),
    walk(expected) {
      let [rows, sum] = [0, 0];
      for (const { value } of environment.getRange()) {
        sum += value.readDoubleLE(0);
        rows++;
      }
      if (sum !== expected) throw new Error(`The values of all entries add up to ${sum}.`);
      return rows;
    },
    close: () => environment.close(),
  };
}

/** A key as bytes in its order. Eight are written over each time. */
export function eightBytes({
  type,
  bigints,
}: Pick<Rows, 'type' | 'bigints'>): (key: Key) => Buffer {
  if (type === 'binary') return (key) => key as Buffer;
  const bytes = Buffer.alloc(8);
  if (bigints) {
    return (key) => {
      bytes.writeBigInt64BE(key as bigint);
      bytes[0] ^= 0x80;
      return bytes;
    };
  }
  if (type === 'float64') {
    return (key) => {
      bytes.writeDoubleBE(key as number);
      if (bytes[0] < 0x80) bytes[0] ^= 0x80;
      else for (let i = 0; i < 8; i++) bytes[i] ^= 0xff;
      return bytes;
    };
  }
  return (key) => {
    bytes.writeInt32BE(Math.floor((key as number) / 2 ** 32) ^ 0x80000000, 0);
    bytes.writeUInt32BE((key as number) >>> 0, 4);
    return bytes;
  };
}
