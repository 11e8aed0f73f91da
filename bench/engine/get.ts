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
}

const BATCH = 1000;
/** A prime: keys are spread evenly, and none comes twice. */
const STRIDE = 1_000_003;

export async function run(options: GetOptions = {}) {
  const { rows = 1e7, shards = 2, rounds = 9, probes = 300_000, keys = 'uniform' } = options;
  const { open: openLmdb } = await import('lmdb');
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-get-'));
  const next = random(1);
  // Sorted and distinct: uniform gaps around the stride.
  const keyOf = new Float64Array(rows);
  for (let i = 0, key = 0; i < rows; i++) {
    key += keys === 'sequential' ? 1 : 1 + Math.floor(2 * STRIDE * next());
    keyOf[i] = key;
  }
  await using db = await open(join(directory, 'omendb'), {
    key: 'int64',
    columns: { value: 'float64' },
    shards,
    durability: 'os',
  });
  const binary = openLmdb<Buffer, Buffer>({
    path: join(directory, 'lmdb-binary'),
    keyEncoding: 'binary',
    encoding: 'binary',
    noSync: true,
    compression: false,
    mapSize: 8 * 2 ** 30,
  });
  const ordered = openLmdb<Buffer, number>({
    path: join(directory, 'lmdb-ordered'),
    encoding: 'binary',
    noSync: true,
    compression: false,
    mapSize: 8 * 2 ** 30,
  });
  const map = new Map<number, { value: number }>();
  const keyBytes = Buffer.alloc(8);
  const setKey = (key: number): Buffer => {
    keyBytes.writeUInt32BE(Math.floor(key / 2 ** 32), 0);
    keyBytes.writeUInt32BE(key >>> 0, 4);
    return keyBytes;
  };
  const row = Buffer.alloc(8);
  for (let start = 0; start < rows; start += BATCH) {
    const end = Math.min(rows, start + BATCH);
    const batch = Array.from({ length: end - start }, (_, i) => {
      return { type: 'put', key: keyOf[start + i], value: { value: start + i } } as const;
    });
    await db.ready();
    const done = db.batch(batch);
    binary.transactionSync(() => {
      for (let i = start; i < end; i++) {
        row.writeDoubleLE(i);
        binary.putSync(Buffer.from(setKey(keyOf[i])), row);
      }
    });
    ordered.transactionSync(() => {
      for (let i = start; i < end; i++) {
        row.writeDoubleLE(i);
        ordered.putSync(keyOf[i], row);
      }
    });
    for (let i = start; i < end; i++) map.set(keyOf[i], { value: i });
    await done;
  }
  await db.compact();

  const positions = Int32Array.from({ length: probes }, () => Math.floor(next() * rows));
  const probe = Float64Array.from(positions, (position) => keyOf[position]);
  const timed = (read: (key: number) => number) => () => {
    const start = performance.now();
    let wrong = 0;
    for (let i = 0; i < probes; i++) if (read(probe[i]) !== positions[i]) wrong++;
    const elapsed = performance.now() - start;
    if (wrong > 0) throw new Error(`${wrong} of ${probes} answers are wrong.`);
    return (elapsed * 1e6) / probes;
  };
  const figures = inRounds(rounds, {
    omendb: timed((key) => (db.get(key) as { value: number }).value),
    lmdbBinary: timed((key) => (binary.getBinaryFast(setKey(key)) as Buffer).readDoubleLE(0)),
    lmdbOrdered: timed((key) => (ordered.getBinaryFast(key) as Buffer).readDoubleLE(0)),
    map: timed((key) => (map.get(key) as { value: number }).value),
  });
  const ours = median(figures.omendb);
  const lmdb = Math.min(median(figures.lmdbBinary), median(figures.lmdbOrdered));
  const result = {
    rows,
    keys,
    shards,
    omendbNs: ours,
    lmdbBinaryNs: median(figures.lmdbBinary),
    lmdbOrderedNs: median(figures.lmdbOrdered),
    mapNs: median(figures.map),
    timesLmdb: lmdb / ours,
    timesMap: median(figures.map) / ours,
    stats: db.stats().total,
  };
  await binary.close();
  await ordered.close();
  await db.close();
  rmSync(directory, { recursive: true });
  return result;
}

export function show(result: Awaited<ReturnType<typeof run>>): string {
  const { omendbNs, lmdbBinaryNs, lmdbOrderedNs, mapNs } = result;
  const line = (name: string, ns: number) => [name, ns.toFixed(0), (ns / omendbNs).toFixed(2)];
  return [
    `Random hits, ${count(result.rows)} rows int64 → float64 (${result.keys} keys, ${result.shards} shards)`,
    table(
      ['engine', 'ns a get', 'times ours'],
      [
        line('OmenDB get, row object', omendbNs),
        line('LMDB getBinaryFast, 8-byte binary keys', lmdbBinaryNs),
        line('LMDB getBinaryFast, ordered-binary keys', lmdbOrderedNs),
        line('JS Map', mapNs),
      ],
    ),
  ].join('\n');
}
