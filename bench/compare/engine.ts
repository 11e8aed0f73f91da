/**
 * What the comparing benchmark asks of an engine. Each answers in the way that its own friends would choose; one
 * that has no way to do a thing leaves it out. Engines keep no thread of the harness waiting in the background:
 * when a promise is resolved, what it stands for is done.
 */
import type { Key, KeyKind, Rows, Value } from './rows.ts';

/** What a read of many rows came to. */
export interface Sum {
  readonly rows: number;
  /** Of the amounts of the values. */
  readonly sum: number;
}

export interface Engine {
  /** Stores the rows, the first ones of an empty database, in the order in which they come. On disk when done. */
  load(rows: Rows): void | Promise<void>;
  get?(key: Key): Value | undefined;
  /** Looks the keys up in one call, and adds up the values of those that are there. */
  getMany?(keys: Rows['keys']): Sum | Promise<Sum>;
  put?(key: Key, value: Value): void | Promise<void>;
  /** One of some that are under way together, and need not be durable; where it is left out, that is `put`. */
  putAmongOthers?(key: Key, value: Value): void | Promise<void>;
  /** Puts that are there at one time, each on its own: who has them asks for each one's outcome. */
  putInFlight?(rows: Rows): void | Promise<void>;
  /** All or nothing. */
  batch?(rows: Rows): void | Promise<void>;
  /** The next so many entries from a key on, keys and values. */
  range?(from: Key, rows: number): Sum | Promise<Sum>;
  /** Every entry, keys and values. */
  walk(): Sum | Promise<Sum>;
  /** Adds up the column of keys in [from, to). Asked for where values are numbers. */
  aggregate?(from: Key, to: Key): Sum | Promise<Sum>;
  /** Whatever the engine knows to do to be small and quick to read. */
  compact?(): void | Promise<void>;
  close(): void | Promise<void>;
}

export interface Place {
  /** It is there, and the engine's own. */
  readonly directory: string;
  readonly kind: KeyKind;
  /** Rows that there will be about. */
  readonly rows: number;
  /** Whether a write that is acknowledged has been synced to the disk, or only handed to the kernel. */
  readonly durable: boolean;
}

export interface EngineKind {
  readonly title: string;
  /** Keeps nothing: has no durable writes, nothing to open and no files. */
  readonly inMemory: boolean;
  /** How it is set up, for who wants to judge that. */
  readonly setup: string;
  /** The package and its version; throws where it is not installed. */
  version(): Promise<string>;
  /** More rows than this it cannot have. */
  readonly rowsMax?: number;
  open(place: Place): Engine | Promise<Engine>;
}

export const ENGINE_NAMES = [
  'omendb',
  'lmdb',
  'leveldb',
  'sqlite',
  'duckdb',
  'btree',
  'map',
] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

/** Loaded one by one: a peer that is not installed takes no other with it. */
export async function engineKind(name: EngineName): Promise<EngineKind> {
  switch (name) {
    case 'omendb':
      return (await import('./engines/omendb.ts')).omendb;
    case 'lmdb':
      return (await import('./engines/lmdb.ts')).lmdb;
    case 'leveldb':
      return (await import('./engines/leveldb.ts')).leveldb;
    case 'sqlite':
      return (await import('./engines/sqlite.ts')).sqlite;
    case 'duckdb':
      return (await import('./engines/duckdb.ts')).duckdb;
    case 'btree':
      return (await import('./engines/btree.ts')).btree;
    case 'map':
      return (await import('./engines/map.ts')).map;
  }
}
