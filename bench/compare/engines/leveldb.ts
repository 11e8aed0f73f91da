/**
 * LevelDB, by the package classic-level.
 *
 * - A write buffer of 64 MiB and files of 32 MiB keep compactions few and large, a cache of 256 MiB holds the
 *   blocks that are asked for; the values are random, so compressing them would cost time and win nothing.
 * - Integer keys are eight big-endian bytes, numbers eight bytes; texts are utf8, which it encodes itself.
 * - Loads are batches of 10,000 rows that are not synced, and a synced one at the end; then it compacts in the
 *   background, as in life.
 * - Batches are chained ones, which take less than arrays of operations.
 * - Point reads are synchronous, many at once too: its getMany takes a third more processor time. Ranges come a
 *   thousand entries at a time (`nextv`), and those of everything do not push the cache's blocks out.
 * - Puts that are under way together are one synced batch: its threads would otherwise sync four at a time.
 */
import { eightBytes } from '../../engine/stores.ts';
import { peer, versionOf } from '../../packages.ts';
import type { Engine, EngineKind, Place } from '../engine.ts';
import { groups, IN_FLIGHT } from '../in-flight.ts';
import { addedUp, amountIn, type Key, type Rows, type Value } from '../rows.ts';

type Encoded = string | Buffer;

/** What is used of the package. */
interface Level {
  open(): Promise<void>;
  getSync(key: Encoded): Encoded | undefined;
  put(key: Encoded, value: Encoded, options: { readonly sync: boolean }): Promise<void>;
  /** It copies what it is given. */
  batch(): {
    put(key: Encoded, value: Encoded): unknown;
    write(options: { readonly sync: boolean }): Promise<void>;
  };
  iterator(range: object): {
    nextv(size: number): Promise<[Encoded, Encoded][]>;
    close(): Promise<void>;
  };
  compactRange(start: Encoded, end: Encoded): Promise<void>;
  close(): Promise<void>;
}

interface ClassicLevelModule {
  readonly ClassicLevel: new (location: string, options: object) => Level;
}

export const leveldb: EngineKind = {
  title: 'LevelDB',
  inMemory: false,
  setup:
    'write buffer 64 MiB, files of 32 MiB, cache 256 MiB, no compression (values are random); loads in batches of 10,000; chained batches, getSync, nextv(1000); sync: true where writes are durable, where 1,024 puts in flight are one batch',
  version: async () => `classic-level ${versionOf('classic-level')}`,
  open,
};

const LOADED_AT_ONCE = 10_000;
const READ_AT_ONCE = 1000;

async function open({ directory, kind, durable }: Place): Promise<Engine> {
  const { ClassicLevel } = await peer<ClassicLevelModule>('classic-level');
  const isText = kind === 'strings';
  const encoding = isText ? 'utf8' : 'buffer';
  const level = new ClassicLevel(directory, {
    keyEncoding: encoding,
    valueEncoding: encoding,
    writeBufferSize: 64 * 2 ** 20,
    cacheSize: 256 * 2 ** 20,
    maxFileSize: 32 * 2 ** 20,
    compression: false,
  });
  await level.open();
  const eight = eightBytes({ type: 'int64', bigints: false });
  /** Of a synchronous call; others keep a key for longer. */
  const lent: (key: Key) => Encoded = isText ? (key) => key as string : eight;
  const owned: (key: Key) => Encoded = isText
    ? (key) => key as string
    : (key) => Buffer.from(eight(key));
  const stored = (value: Value): Encoded => {
    if (typeof value === 'string') return value;
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeDoubleLE(value);
    return bytes;
  };
  const decoded: (bytes: Encoded) => Value = isText
    ? (text) => text as string
    : (bytes) => (bytes as Buffer).readDoubleLE(0);
  const batch = ({ keys, values }: Rows, sync: boolean): Promise<void> => {
    const operations = level.batch();
    for (let i = 0; i < keys.length; i++) operations.put(lent(keys[i]), stored(values[i]));
    return operations.write({ sync });
  };
  const get = (key: Key): Value | undefined => {
    const bytes = level.getSync(lent(key));
    return bytes === undefined ? undefined : decoded(bytes);
  };
  const added = async (range: object, rowsMax: number) => {
    let [rows, sum] = [0, 0];
    const iterator = level.iterator(range);
    while (rows < rowsMax) {
      const entries = await iterator.nextv(Math.min(READ_AT_ONCE, rowsMax - rows));
      if (entries.length === 0) break;
      for (const [, value] of entries) sum += amountIn(decoded(value));
      rows += entries.length;
    }
    await iterator.close();
    return { rows, sum };
  };
  return {
    async load(rows) {
      let left = rows.keys.length;
      for (const group of groups(rows, LOADED_AT_ONCE)) {
        left -= group.keys.length;
        await batch(group, left === 0);
      }
    },
    get,
    getMany: (keys) => addedUp(keys, get),
    put: (key, value) => level.put(owned(key), stored(value), { sync: durable }),
    async putInFlight(rows) {
      for (const group of groups(rows, IN_FLIGHT)) await batch(group, durable);
    },
    batch: (rows) => batch(rows, durable),
    range: (from, rows) => added({ gte: owned(from), limit: rows }, rows),
    walk: () => added({ fillCache: false }, Number.POSITIVE_INFINITY),
    aggregate: (from, to) => added({ gte: owned(from), lt: owned(to) }, Number.POSITIVE_INFINITY),
    compact: () =>
      isText
        ? level.compactRange('', '\u{10ffff}')
        : level.compactRange(Buffer.alloc(8), Buffer.alloc(8, 0xff)),
    close: () => level.close(),
  };
}
