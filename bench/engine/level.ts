/**
 * The Level face beside classic-level (LevelDB): the same calls of abstract-level on both, string keys of
 * 16 characters and values of 100, loaded in random order, then compacted. Batches write rows anew that
 * are there. Every answer is checked; contestants take turns within each round.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AbstractLevel } from 'abstract-level';
import { OmenLevel } from '../../src/level.ts';
import { count, median, random, table } from './report.ts';
import { peer } from './stores.ts';

export interface LevelOptions {
  readonly rows?: number;
  readonly rounds?: number;
  /** Calls of getMany, and batches, in a turn; a tenth of it where batches are synced. */
  readonly calls?: number;
  /** Whether classic-level, which users never install, takes part. */
  readonly peers?: boolean;
}

type Level = AbstractLevel<string | Buffer | Uint8Array, string, string>;

interface Contestant {
  readonly level: Level;
  /** Where every write is on disk when it resolves; and what says so to the same database, if that does. */
  readonly synced: Level;
  readonly syncing: object;
  compact(): Promise<void>;
}

/** What is used of the package `classic-level`. */
interface Classic {
  readonly ClassicLevel: new (
    location: string,
  ) => Level & { compactRange(start: string, end: string): Promise<void> };
}

const AT_ONCE = 1000;
const VALUE_LENGTH = 100;

const keyOf = (i: number) => `user:${String(i).padStart(11, '0')}`;

/** A hundred characters that say which row they are of, and which writing of it. */
const textOf = (i: number, version: number) => `${i}:${version}:`.padEnd(VALUE_LENGTH, 'abcdefgh');

const put = (i: number, version: number) =>
  ({ type: 'put', key: keyOf(i), value: textOf(i, version) }) as const;

async function openOmen(directory: string): Promise<Contestant> {
  const level = new OmenLevel(join(directory, 'omen'), { shards: 2, durability: 'os' });
  const synced = new OmenLevel(join(directory, 'omen-synced'), { shards: 2 });
  await Promise.all([level.open(), synced.open()]);
  return { level, synced, syncing: {}, compact: () => level.database.compact() };
}

async function openClassic(directory: string): Promise<Contestant> {
  const { ClassicLevel } = await peer<Classic>('classic-level');
  const level = new ClassicLevel(join(directory, 'classic'));
  await level.open();
  return {
    level,
    synced: level,
    syncing: { sync: true },
    compact: () => level.compactRange(keyOf(0), '~'),
  };
}

/** Row numbers in random order. */
function shuffled(rows: number): Uint32Array {
  const order = Uint32Array.from({ length: rows }, (_, i) => i);
  const next = random(1);
  for (let i = rows - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

async function load({ level, synced, compact }: Contestant, order: Uint32Array): Promise<void> {
  for (const one of new Set([level, synced])) {
    for (let at = 0; at < order.length; at += AT_ONCE) {
      const some = order.subarray(at, at + AT_ONCE);
      await one.batch(Array.from(some, (i) => put(i, 0)));
    }
  }
  await compact();
}

type Work = (contestant: Contestant, rows: number, calls: number, turn: number) => Promise<number>;

/** Rows done in a turn: what is timed is only what `AbstractLevel` does, not the making of its arguments. */
const WORKS: Readonly<Record<string, Work>> = {
  async getMany({ level }, rows, calls, turn) {
    const next = random(turn);
    const asked = Array.from({ length: calls }, () =>
      Array.from({ length: AT_ONCE }, () => Math.floor(next() * rows)),
    );
    let milliseconds = 0;
    for (const some of asked) {
      const keys = some.map(keyOf);
      const start = performance.now();
      const values = await level.getMany(keys);
      milliseconds += performance.now() - start;
      some.forEach((i, at) => {
        if (!values[at]?.startsWith(`${i}:`)) throw new Error(`${keys[at]} is ${values[at]}.`);
      });
    }
    return milliseconds / (calls * AT_ONCE);
  },
  async iterate({ level }, rows) {
    const start = performance.now();
    let found = 0;
    let last = '';
    for await (const [key, value] of level.iterator()) {
      if (key <= last || value.length !== VALUE_LENGTH) throw new Error(`${key} follows ${last}.`);
      last = key;
      found++;
    }
    const milliseconds = performance.now() - start;
    if (found !== rows) throw new Error(`There were ${found} rows of ${rows}.`);
    return milliseconds / rows;
  },
  async nextv({ level }, rows) {
    const start = performance.now();
    let found = 0;
    let last = '';
    const iterator = level.iterator();
    for (;;) {
      const some = await iterator.nextv(AT_ONCE);
      if (some.length === 0) break;
      for (const [key, value] of some) {
        if (key <= last || value.length !== VALUE_LENGTH) throw new Error(`${key} after ${last}.`);
        last = key;
      }
      found += some.length;
    }
    const milliseconds = performance.now() - start;
    await iterator.close();
    if (found !== rows) throw new Error(`There were ${found} rows of ${rows}.`);
    return milliseconds / rows;
  },
  batch: ({ level }, rows, calls, turn) => batches(level, rows, calls, turn, {}),
  batchSynced: ({ synced, syncing }, rows, calls, turn) =>
    batches(synced, rows, Math.ceil(calls / 10), turn, syncing),
};

async function batches(
  level: Level,
  rows: number,
  calls: number,
  turn: number,
  options: object,
): Promise<number> {
  const next = random(turn);
  let milliseconds = 0;
  for (let call = 0; call < calls; call++) {
    // Each row once in a batch, so that it is known which value is the last.
    const first = Math.floor(next() * rows);
    const written = Array.from({ length: Math.min(AT_ONCE, rows) }, (_, i) => {
      return (first + i * 7919) % rows;
    });
    const operations = written.map((i) => put(i, turn));
    const start = performance.now();
    await level.batch(operations, options);
    milliseconds += performance.now() - start;
    for (const i of [written[0], written[written.length - 1]]) {
      const value = await level.get(keyOf(i));
      if (value !== textOf(i, turn)) throw new Error(`${keyOf(i)} is ${value}.`);
    }
  }
  return milliseconds / (calls * Math.min(AT_ONCE, rows));
}

export async function run({ rows = 1e6, rounds = 5, calls = 50, peers = true }: LevelOptions = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-level-'));
  const contestants: Record<string, Contestant> = { omendb: await openOmen(directory) };
  if (peers) contestants.classic = await openClassic(directory);
  try {
    const order = shuffled(rows);
    for (const one of Object.values(contestants)) await load(one, order);
    const names = Object.keys(contestants);
    const ns: Record<string, Record<string, number>> = {};
    for (const [what, work] of Object.entries(WORKS)) {
      const times: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
      for (let round = 0; round <= rounds; round++) {
        const turned = round % 2 === 0 ? names : names.toReversed();
        for (const name of turned) {
          const milliseconds = await work(contestants[name], rows, calls, round + 1);
          if (round > 0) times[name].push(milliseconds * 1e6); // the first round warms up
        }
      }
      ns[what] = Object.fromEntries(names.map((name) => [name, median(times[name])]));
    }
    return { rows, ns };
  } finally {
    for (const { level, synced } of Object.values(contestants)) {
      await level.close();
      await synced.close();
    }
    rmSync(directory, { recursive: true });
  }
}

const NAMES: Readonly<Record<string, string>> = {
  getMany: 'getMany of 1,000',
  iterate: 'every entry, for await',
  nextv: 'every entry, nextv(1000)',
  batch: 'batch of 1,000, not synced',
  batchSynced: 'batch of 1,000, synced',
};

export function show({ rows, ns }: Awaited<ReturnType<typeof run>>): string {
  return [
    `abstract-level over ${count(rows)} rows, keys of 16 characters, values of ${VALUE_LENGTH}`,
    table(
      ['', 'OmenLevel ns a row', 'classic-level', 'times as long'],
      Object.entries(ns).map(([what, { omendb, classic }]) => [
        NAMES[what],
        omendb.toFixed(0),
        classic?.toFixed(0) ?? '–',
        classic === undefined ? '–' : (classic / omendb).toFixed(2),
      ]),
    ),
  ].join('\n');
}
