/**
 * Random hits in the engine against LMDB and a JS Map of the same rows: `int64 → float64`.
 *
 * LMDB gets its best: keys of eight bytes in its own encoding or as raw big-endian bytes, whichever is
 * faster in this run, a sorted load, `getBinaryFast` (no copy), and the bare float read from it. Ours
 * makes a row object. Every answer is compared with the row that was stored.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from '../../src/index.ts';
import { count, inRounds, median, random, table } from './report.ts';

export interface GetOptions {
  readonly rows?: number;
  readonly shards?: number;
  readonly rounds?: number;
  readonly probes?: number;
  readonly keys?: 'uniform' | 'sequential';
  /** Whether LMDB, which users never install, takes part. */
  readonly peers?: boolean;
}

/** An engine under test: rows i of ascending keys, then the value of a key. */
interface Contestant {
  load(keys: Float64Array, start: number, end: number): void | Promise<void>;
  ready?(): Promise<void>;
  get(key: number): number;
  close(): Promise<void> | void;
}

const BATCH = 1000;
const MEAN_GAP = 1_000_003;

function ascendingKeys(rows: number, kind: 'uniform' | 'sequential'): Float64Array {
  const next = random(1);
  const keys = new Float64Array(rows);
  for (let i = 0, key = 0; i < rows; i++) {
    key += kind === 'sequential' ? 1 : 1 + Math.floor(2 * MEAN_GAP * next());
    keys[i] = key;
  }
  return keys;
}

async function openOmen(path: string, shards: number) {
  const db = await open(path, {
    key: 'int64',
    columns: { value: 'float64' },
    shards,
    durability: 'os',
  });
  const contestant: Contestant = {
    async load(keys, start, end) {
      await db.batch(
        Array.from({ length: end - start }, (_, i) => {
          return { type: 'put', key: keys[start + i], value: { value: start + i } } as const;
        }),
      );
    },
    ready: () => db.compact(),
    get: (key) => (db.get(key) as { value: number }).value,
    close: () => db.close(),
  };
  return { contestant, stats: () => db.stats().total };
}

function openMap(): Contestant {
  const map = new Map<number, { value: number }>();
  return {
    load(keys, start, end) {
      for (let i = start; i < end; i++) map.set(keys[i], { value: i });
    },
    get: (key) => (map.get(key) as { value: number }).value,
    close() {},
  };
}

/** What is used of the package `lmdb`. */
interface Lmdb {
  open(options: Readonly<Record<string, unknown>>): {
    transactionSync(work: () => void): void;
    putSync(key: Buffer | number, value: Buffer): void;
    getBinaryFast(key: Buffer | number): Buffer | undefined;
    close(): Promise<void>;
  };
}

/** @param isBinary eight big-endian bytes as keys; else LMDB's own encoding of numbers */
async function openLmdb(path: string, isBinary: boolean): Promise<Contestant> {
  // By a name the compiler does not see: a peer is not installed where nobody benchmarks.
  const name: string = 'lmdb';
  const { open: openEnvironment } = (await import(name)) as Lmdb;
  const bytes = Buffer.alloc(8);
  const encode = (key: number): Buffer => {
    bytes.writeUInt32BE(Math.floor(key / 2 ** 32), 0);
    bytes.writeUInt32BE(key >>> 0, 4);
    return bytes;
  };
  const keyOf: (key: number) => Buffer | number = isBinary ? encode : (key) => key;
  const environment = openEnvironment({
    path,
    encoding: 'binary',
    keyEncoding: isBinary ? 'binary' : 'ordered-binary',
    noSync: true,
    compression: false,
    mapSize: 16 * 2 ** 30,
  });
  const row = Buffer.alloc(8);
  return {
    load(keys, start, end) {
      environment.transactionSync(() => {
        for (let i = start; i < end; i++) {
          row.writeDoubleLE(i);
          environment.putSync(keyOf(keys[i]), row);
        }
      });
    },
    get: (key) => (environment.getBinaryFast(keyOf(key)) as Buffer).readDoubleLE(0),
    close: () => environment.close(),
  };
}

export async function run(options: GetOptions = {}) {
  const { rows = 1e7, shards = 2, rounds = 9, probes = 300_000 } = options;
  const { keys: kind = 'uniform', peers = true } = options;
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-get-'));
  const keys = ascendingKeys(rows, kind);
  const omen = await openOmen(join(directory, 'omendb'), shards);
  const contestants: Record<string, Contestant> = { omendb: omen.contestant, map: openMap() };
  if (peers) {
    contestants.lmdbBinary = await openLmdb(join(directory, 'lmdb-binary'), true);
    contestants.lmdbOrdered = await openLmdb(join(directory, 'lmdb-ordered'), false);
  }
  for (const contestant of Object.values(contestants)) {
    for (let start = 0; start < rows; start += BATCH) {
      const done = contestant.load(keys, start, Math.min(rows, start + BATCH));
      if (done) await done;
    }
    await contestant.ready?.();
  }

  const next = random(2);
  const positions = Int32Array.from({ length: probes }, () => Math.floor(next() * rows));
  const probe = Float64Array.from(positions, (position) => keys[position]);
  const timed = (name: string, contestant: Contestant) => () => {
    const start = performance.now();
    let wrong = 0;
    for (let i = 0; i < probes; i++) if (contestant.get(probe[i]) !== positions[i]) wrong++;
    const elapsed = performance.now() - start;
    if (wrong > 0) throw new Error(`${wrong} of ${probes} answers of ${name} are wrong.`);
    return (elapsed * 1e6) / probes;
  };
  const figures = inRounds(
    rounds,
    Object.fromEntries(Object.entries(contestants).map(([name, one]) => [name, timed(name, one)])),
  );
  const stats = omen.stats();
  for (const contestant of Object.values(contestants)) await contestant.close();
  rmSync(directory, { recursive: true });
  const ns = Object.fromEntries(Object.entries(figures).map(([name, all]) => [name, median(all)]));
  return { rows, keys: kind, shards, ns, stats };
}

const NAMES: Readonly<Record<string, string>> = {
  omendb: 'OmenDB get, row object',
  map: 'JS Map',
  lmdbBinary: 'LMDB getBinaryFast, 8-byte binary keys',
  lmdbOrdered: 'LMDB getBinaryFast, ordered-binary keys',
};

export function show({ rows, keys, shards, ns, stats }: Awaited<ReturnType<typeof run>>): string {
  return [
    `Random hits, ${count(rows)} rows int64 → float64 (${keys} keys, ${shards} shards, ` +
      `index ${(stats.indexBytes / rows).toFixed(2)} bytes a key, window at most ${stats.windowMax})`,
    table(
      ['engine', 'ns a get', 'times ours'],
      Object.entries(ns).map(([name, one]) => [
        NAMES[name],
        one.toFixed(0),
        (one / ns.omendb).toFixed(2),
      ]),
    ),
  ].join('\n');
}
