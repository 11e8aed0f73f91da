/** The options of `open`, checked: what is unknown or out of range is refused, never ignored. */
import { availableParallelism, totalmem } from 'node:os';
import { OmenError } from '../errors.ts';
import type { SchemaOptions } from '../schema/schema.ts';
import type { Durability } from '../shard-worker/host.ts';
import { SHARDS_MAX } from '../view/commit-table.ts';
import { THREADS_MAX } from '../view/control.ts';
import type { MemtableShape } from '../view/memtable.ts';
import type { PartitionOption } from '../view/partition.ts';
import type { Retain } from '../wal/log.ts';

/** Fixed with the data, and needed only to create it: key, columns or value, ttl, shards, partition. */
export interface OpenOptions extends SchemaOptions {
  /** `int64`, `uint64`, `float64`, `timestamp`, `utf8` or `binary`. */
  readonly key?: string;
  /** Named, typed columns; a `?` makes one nullable. */
  readonly columns?: Readonly<Record<string, string>>;
  /** Instead of columns: the type of a bare value, `json`, `utf8` or `binary`. */
  readonly value?: string;
  /**
   * Whether rows may expire, each when its write says so (`true`); or after how many milliseconds each
   * does, unless its write says otherwise. Default: false.
   */
  readonly ttl?: boolean | number;
  /** Number of shards, 1 to 128. Default: the number of processors. */
  readonly shards?: number;
  /** How keys are spread over shards. Default: `hash`. */
  readonly partition?: PartitionOption;

  /** When a write is acknowledged. Default: `sync`, once it is on disk. */
  readonly durability?: Durability;
  /** Bytes of rows held in memory. Default: half of the machine's. */
  readonly memory?: number;
  /** Whether int64 and uint64 come back as bigint, always. Default: as number, or an error. */
  readonly bigints?: boolean;
  /** Number of shard threads. Default: one a shard, at most one a processor. */
  readonly threads?: number;
  /** Default: true. */
  readonly createIfMissing?: boolean;
  /** Default: false. */
  readonly errorIfExists?: boolean;
  /** Default: false. */
  readonly readOnly?: boolean;
  /**
   * Whether to go on without what is damaged, and to tell what that was (`Database.salvaged`).
   * Default: false, it is refused.
   */
  readonly salvage?: boolean;
  /**
   * How much of the log is kept for `watch` to resume from, beyond what the database needs itself: the
   * last so many bytes, and nothing older than so many milliseconds. Default: nothing.
   */
  readonly retain?: RetainOption;
  /**
   * Operations that take so many milliseconds, or more, are counted as slow, and told of on the channel
   * `omendb:slow` of `node:diagnostics_channel`. Each is timed for it, but of gets one in about a thousand.
   * Default: none.
   */
  readonly slowMs?: number;
  /** Size of a memtable: entries, and bytes of the arena they lie in. */
  readonly memtable?: MemtableShape;
}

/** Of all shards together; without one of the bounds, whatever the other says is kept. */
export interface RetainOption {
  readonly bytes?: number;
  readonly ms?: number;
}

const KNOWN = [
  'key',
  'columns',
  'value',
  'ttl',
  'shards',
  'partition',
  'durability',
  'memory',
  'bigints',
  'threads',
  'createIfMissing',
  'errorIfExists',
  'readOnly',
  'salvage',
  'retain',
  'slowMs',
  'memtable',
];

const DEFAULT_MEMTABLE: MemtableShape = { entriesMax: 2 ** 20, arenaBytes: 64 * 2 ** 20 };
const MEMORY_MIN = 2 ** 20;
const INTERVAL_MS_MAX = 60_000;

/** What is given at each open, with every default filled in. */
export interface Settings {
  readonly durability: Durability;
  readonly memoryBytes: number;
  readonly bigints: boolean;
  readonly threads: number;
  readonly createIfMissing: boolean;
  readonly errorIfExists: boolean;
  readonly readOnly: boolean;
  readonly salvage: boolean;
  /** Of all shards together; null: nothing. */
  readonly retain: Retain | null;
  /** Infinite: nothing is slow. */
  readonly slowMs: number;
  readonly memtableShape: MemtableShape;
}

export function invalid(message: string): OmenError {
  return new OmenError('OMEN_INVALID_OPTIONS', message);
}

function integer(value: unknown, name: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw invalid(
      `The option "${name}" is an integer from ${min} to ${max}, not ${String(value)}.`,
    );
  }
  return value;
}

function flag(value: unknown, name: string, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  if (typeof value !== 'boolean') throw invalid(`The option "${name}" is true or false.`);
  return value;
}

function parseDurability(value: unknown): Durability {
  if (value === undefined || value === 'sync') return 'sync';
  if (value === 'os') return 'os';
  if (typeof value === 'object' && value !== null && 'intervalMs' in value) {
    return { intervalMs: integer(value.intervalMs, 'durability.intervalMs', 1, INTERVAL_MS_MAX) };
  }
  throw invalid('The option "durability" is "sync", "os" or { intervalMs }.');
}

function parseMemtable(value: MemtableShape | undefined): MemtableShape {
  if (value === undefined) return DEFAULT_MEMTABLE;
  if (value === null || typeof value !== 'object') {
    throw invalid('The option "memtable" is { entriesMax, arenaBytes }.');
  }
  return {
    entriesMax: integer(value.entriesMax, 'memtable.entriesMax', 64, 2 ** 24 - 1),
    arenaBytes: integer(value.arenaBytes, 'memtable.arenaBytes', 2 ** 16, 2 ** 30) & ~7,
  };
}

function parseSlowMs(value: unknown): number {
  if (value === undefined) return Number.POSITIVE_INFINITY;
  if (typeof value === 'number' && value >= 0) return value;
  throw invalid(`The option "slowMs" is a number of milliseconds from 0, not ${String(value)}.`);
}

function parseRetain(value: unknown): Retain | null {
  if (value === undefined) return null;
  const isObject = typeof value === 'object' && value !== null;
  const names = isObject ? Object.keys(value) : [];
  const isKnown = names.length > 0 && names.every((name) => name === 'bytes' || name === 'ms');
  if (!isObject || !isKnown) throw invalid('The option "retain" is { bytes } or { ms }, or both.');
  const { bytes, ms } = value as RetainOption;
  const bound = (given: unknown, name: string) =>
    given === undefined
      ? Number.POSITIVE_INFINITY
      : integer(given, `retain.${name}`, 0, Number.MAX_SAFE_INTEGER);
  return { bytes: bound(bytes, 'bytes'), ms: bound(ms, 'ms') };
}

/** @throws OMEN_INVALID_OPTIONS */
export function parseSettings(options: OpenOptions): Settings {
  for (const name of Object.keys(options)) {
    if (!KNOWN.includes(name)) {
      throw invalid(`There is no option "${name}". Options are ${KNOWN.join(', ')}.`);
    }
  }
  const memory = options.memory === undefined ? Math.floor(totalmem() / 2) : options.memory;
  const readOnly = flag(options.readOnly, 'readOnly', false);
  const salvage = flag(options.salvage, 'salvage', false);
  if (salvage && readOnly) throw invalid('To salvage, the database must not be opened "readOnly".');
  const threads =
    options.threads === undefined ? Math.min(availableParallelism(), THREADS_MAX) : options.threads;
  return {
    durability: parseDurability(options.durability),
    memoryBytes: integer(memory, 'memory', MEMORY_MIN, Number.MAX_SAFE_INTEGER),
    bigints: flag(options.bigints, 'bigints', false),
    threads: integer(threads, 'threads', 1, THREADS_MAX),
    createIfMissing: flag(options.createIfMissing, 'createIfMissing', true),
    errorIfExists: flag(options.errorIfExists, 'errorIfExists', false),
    readOnly,
    salvage,
    retain: parseRetain(options.retain),
    slowMs: parseSlowMs(options.slowMs),
    memtableShape: parseMemtable(options.memtable),
  };
}

/** Default of the option "shards". */
export function defaultShards(): number {
  return Math.min(availableParallelism(), SHARDS_MAX);
}

/** @throws OMEN_INVALID_OPTIONS */
export function parseShards(shards: unknown): number {
  return integer(shards, 'shards', 1, SHARDS_MAX);
}
