/** Random hits in several engines that hold the same rows, in turns. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Probes } from './get-loop.ts';
import { inRounds, median } from './report.ts';
import {
  lmdbEncodings,
  MAP_ROWS_MAX,
  openLmdb,
  openMap,
  openOmen,
  openTree,
  type Rows,
  type Store,
} from './stores.ts';

export interface HitsOptions {
  readonly shards: number;
  readonly rounds: number;
  /** Whether those who must be installed, and users never install, take part. */
  readonly peers: boolean;
  readonly onProgress?: (what: string) => void;
}

export interface Hits {
  /** Nanoseconds a get, medians, by name of the engine. */
  readonly ns: Readonly<Record<string, number>>;
  /** The same of our `getMany`, as rows and as columns. */
  readonly manyNs: number;
  readonly columnsNs: number;
  readonly indexBytes: number;
  readonly windowMax: number;
}

const BATCH = 1000;
/** The nodes of a tree of more rows than this, and their keys, are too much for V8's heap. */
const TREE_ROWS_MAX = 2e7;

/** @throws when an answer is wrong, or what `open` throws */
export async function hits(rows: Rows, probes: Probes, options: HitsOptions): Promise<Hits> {
  const { shards, rounds, peers, onProgress } = options;
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-hits-'));
  const stores: Record<string, Store> = {};
  try {
    const omen = await openOmen(join(directory, 'omendb'), rows, shards);
    stores.omendb = omen.store;
    if (rows.count <= MAP_ROWS_MAX && rows.type !== 'binary') stores.map = openMap(rows);
    if (peers && rows.count <= TREE_ROWS_MAX) stores.tree = await openTree(rows);
    for (const encoding of peers ? lmdbEncodings(rows) : []) {
      const path = join(directory, `lmdb-${encoding}`);
      stores[`lmdb-${encoding}`] = await openLmdb(path, rows, encoding);
    }
    for (const [name, store] of Object.entries(stores)) {
      onProgress?.(`loading ${name}`);
      for (let start = 0; start < rows.count; start += BATCH) {
        const done = store.load(start, Math.min(rows.count, start + BATCH));
        if (done) await done;
      }
      await store.ready?.();
    }
    onProgress?.('timing gets');
    const contestants: Record<string, () => number> = {};
    for (const [name, store] of Object.entries(stores)) {
      const { timeGets, timeGetMany, timeGetColumn } = await freshLoop(name);
      contestants[name] = () => timeGets(store, probes);
      if (store.getMany) contestants.many = () => timeGetMany(store, probes, BATCH);
      if (store.getColumn) contestants.columns = () => timeGetColumn(store, probes, BATCH);
    }
    inRounds(1, contestants); // warms up
    const { many, columns, ...figures } = inRounds(rounds, contestants);
    const ns = Object.entries(figures).map(([name, all]) => [name, median(all)]);
    const { indexBytes, windowMax } = omen.stats();
    return {
      ns: Object.fromEntries(ns),
      manyNs: median(many),
      columnsNs: median(columns),
      indexBytes,
      windowMax,
    };
  } finally {
    for (const store of Object.values(stores)) await store.close();
    rmSync(directory, { recursive: true });
  }
}

let copies = 0;

async function freshLoop(name: string): Promise<typeof import('./get-loop.ts')> {
  const path = `./get-loop.ts?for=${name}-${copies++}`;
  return (await import(path)) as typeof import('./get-loop.ts');
}
