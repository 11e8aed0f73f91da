/**
 * LMDB, by the package lmdb.
 *
 * - Integer keys are eight big-endian bytes, written over each time: as quick as its own encoding, and any 64-bit
 *   integer. Texts have its own encoding of keys, and are stored as strings, which it reads without a buffer.
 *   A number is eight bytes, read in place (`getBinaryFast`).
 * - Sorted loads append. Loads take transactions of half a million rows, each synced.
 * - The map is large from the start, memory that is written out is not cleared first.
 * - One put at a time is a transaction of its own in this thread: no hop to the writing thread and back. Many
 *   under way are asynchronous puts, which it gathers to transactions; durable ones are awaited until flushed.
 * - Where writes need not be durable it never syncs, and writes by its map (`useWritemap`), which is what its
 *   documentation has for that: half the processor time. What it wrote is in the kernel, as with the others.
 * - Compaction is its own compacting copy, which takes the place of the original.
 */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { eightBytes } from '../../engine/stores.ts';
import { peer, versionOf } from '../../packages.ts';
import type { Engine, EngineKind, Place } from '../engine.ts';
import { byWriters } from '../in-flight.ts';
import { addedUp, amountIn, type Key, type Rows, type Value } from '../rows.ts';

/** What is used of the package. */
interface Lmdb {
  open(options: Readonly<Record<string, unknown>>): Environment;
}

type EncodedKey = Key | Buffer;

interface Environment {
  readonly flushed: PromiseLike<unknown>;
  transactionSync(work: () => void, flags: number): void;
  put(key: EncodedKey, value: Buffer | string): Promise<boolean>;
  putSync(key: EncodedKey, value: Buffer | string, options?: { readonly append: boolean }): boolean;
  get(key: EncodedKey): Value | undefined;
  getBinaryFast(key: EncodedKey): Buffer | undefined;
  getRange(range?: {
    readonly start?: EncodedKey;
    readonly end?: EncodedKey;
    readonly limit?: number;
  }): Iterable<{ readonly key: Key | Buffer; readonly value: Buffer | string }>;
  backup(path: string, compact: boolean): Promise<void>;
  close(): Promise<void>;
}

export const lmdb: EngineKind = {
  title: 'LMDB',
  inMemory: false,
  setup:
    'eight-byte binary keys and values read by getBinaryFast, or strings in its own encoding; loads of 500,000 rows a transaction, appended where sorted; noSync and useWritemap where writes need not be durable, else overlappingSync with flushed awaited; noMemInit, a map of 64 GiB, no versions, no compression',
  version: async () => versionOf('lmdb'),
  open,
};

const MAP_BYTES = 64 * 2 ** 30;
const ROWS_A_TRANSACTION = 500_000;
const SYNCHRONOUS_COMMIT = 2;

async function open({ directory, kind, durable }: Place): Promise<Engine> {
  const module = await peer<Lmdb>('lmdb');
  const path = join(directory, 'data.mdb');
  const isText = kind === 'strings';
  const openEnvironment = () =>
    module.open({
      path,
      noSubdir: true,
      encoding: isText ? 'string' : 'binary',
      keyEncoding: isText ? 'ordered-binary' : 'binary',
      compression: false,
      useVersions: false,
      noMemInit: true,
      noSync: !durable,
      useWritemap: !durable,
      mapSize: MAP_BYTES,
    });
  let environment = openEnvironment();
  const eight = eightBytes({ type: 'int64', bigints: false });
  const encoded: (key: Key) => EncodedKey = isText ? (key) => key : eight;
  const row = Buffer.alloc(8);
  const bytesOf = (value: Value): Buffer | string => {
    if (typeof value === 'string') return value;
    row.writeDoubleLE(value);
    return row;
  };
  const get: (key: Key) => Value | undefined = isText
    ? (key) => environment.get(key)
    : (key) => environment.getBinaryFast(eight(key))?.readDoubleLE(0);
  /** An asynchronous put keeps what it is given until it is written: it needs buffers of its own. */
  const putLater = (key: Key, value: Value): Promise<boolean> => {
    if (typeof value === 'string') return environment.put(key, value);
    const own = Buffer.allocUnsafe(8);
    own.writeDoubleLE(value);
    return environment.put(encoded(key), own);
  };
  const store = ({ keys, values }: Rows, from: number, to: number, append?: boolean): void => {
    const options = append ? { append } : undefined;
    environment.transactionSync(() => {
      for (let i = from; i < to; i++) {
        environment.putSync(encoded(keys[i]), bytesOf(values[i]), options);
      }
    }, SYNCHRONOUS_COMMIT);
  };
  const added = (entries: ReturnType<Environment['getRange']>) => {
    let [rows, sum] = [0, 0];
    for (const { value } of entries) {
      sum += amountIn(typeof value === 'string' ? value : value.readDoubleLE(0));
      rows++;
    }
    return { rows, sum };
  };
  return {
    load(rows) {
      const append = isAscending(rows.keys);
      for (let from = 0; from < rows.keys.length; from += ROWS_A_TRANSACTION) {
        store(rows, from, Math.min(rows.keys.length, from + ROWS_A_TRANSACTION), append);
      }
    },
    get,
    getMany: (keys) => addedUp(keys, get),
    put(key, value) {
      if (!durable) {
        environment.putSync(encoded(key), bytesOf(value));
        return;
      }
      environment.transactionSync(() => {
        environment.putSync(encoded(key), bytesOf(value));
      }, SYNCHRONOUS_COMMIT);
    },
    async putAmongOthers(key, value) {
      await putLater(key, value);
    },
    putInFlight: (rows) =>
      byWriters(rows, async (key, value) => {
        await putLater(key, value);
        if (durable) await environment.flushed;
      }),
    batch: (rows) => store(rows, 0, rows.keys.length),
    range: (key, limit) => added(environment.getRange({ start: boundOf(key), limit })),
    walk: () => added(environment.getRange()),
    aggregate: (from, to) =>
      added(environment.getRange({ start: boundOf(from), end: boundOf(to) })),
    async compact() {
      const folder = join(directory, 'compacted');
      mkdirSync(folder);
      await environment.backup(join(folder, 'data.mdb'), true);
      await environment.close();
      renameSync(join(folder, 'data.mdb'), path);
      rmSync(folder, { recursive: true });
      environment = openEnvironment();
    },
    close: () => environment.close(),
  };

  /** A range has two bounds at a time, and keys share one buffer. */
  function boundOf(key: Key): EncodedKey {
    const bytes = encoded(key);
    return Buffer.isBuffer(bytes) ? Buffer.from(bytes) : bytes;
  }
}

function isAscending(keys: Rows['keys']): boolean {
  for (let i = 1; i < keys.length; i++) if (keys[i] <= keys[i - 1]) return false;
  return true;
}
