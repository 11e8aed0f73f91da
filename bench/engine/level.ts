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
import { peer } from '../packages.ts';
import { count, median, random, table } from './report.ts';

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
  const level = new OmenLevel(join(directory, 'omen'), { durability: 'os' });
  const synced = new OmenLevel(join(directory, 'omen-synced'));
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

/** Time of what is measured, without the making of arguments and the checks of answers in between. */
class Watch {
  wallMs = 0;
  /** Processor time of all threads. */
  cpuMs = 0;

  async time<T>(work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    const before = process.cpuUsage();
    const result = await work();
    const { user, system } = process.cpuUsage(before);
    this.wallMs += performance.now() - start;
    this.cpuMs += (user + system) / 1000;
    return result;
  }
}

interface Turn {
  readonly contestant: Contestant;
  readonly watch: Watch;
  readonly rows: number;
  readonly calls: number;
  readonly seed: number;
}

/** Returns how many rows were read or written. */
type Work = (turn: Turn) => Promise<number>;

const WORKS: Readonly<Record<string, Work>> = {
  async getMany({ contestant: { level }, watch, rows, calls, seed }) {
    const next = random(seed);
    for (let call = 0; call < calls; call++) {
      const asked = Array.from({ length: AT_ONCE }, () => Math.floor(next() * rows));
      const keys = asked.map(keyOf);
      const values = await watch.time(() => level.getMany(keys));
      asked.forEach((i, at) => {
        if (!values[at]?.startsWith(`${i}:`)) throw new Error(`${keys[at]} is ${values[at]}.`);
      });
    }
    return calls * AT_ONCE;
  },
  async iterate({ contestant: { level }, watch, rows }) {
    const order = new Order();
    await watch.time(async () => {
      for await (const [key, value] of level.iterator()) order.check(key, value);
    });
    return order.counted(rows);
  },
  async nextv({ contestant: { level }, watch, rows }) {
    const order = new Order();
    const iterator = level.iterator();
    await watch.time(async () => {
      for (;;) {
        const some = await iterator.nextv(AT_ONCE);
        if (some.length === 0) return;
        for (const [key, value] of some) order.check(key, value);
      }
    });
    await iterator.close();
    return order.counted(rows);
  },
  batch: (turn) => batches(turn, turn.contestant.level, turn.calls, {}),
  batchSynced(turn) {
    const { synced, syncing } = turn.contestant;
    return batches(turn, synced, Math.ceil(turn.calls / 10), syncing);
  },
};

/** That rows come in order, whole, and all of them. */
class Order {
  #last = '';
  #count = 0;

  check(key: string, value: string): void {
    if (key <= this.#last || value.length !== VALUE_LENGTH) {
      throw new Error(`${key} follows ${this.#last}.`);
    }
    this.#last = key;
    this.#count++;
  }

  counted(rows: number): number {
    if (this.#count !== rows) throw new Error(`There were ${this.#count} rows of ${rows}.`);
    return rows;
  }
}

async function batches(
  { watch, rows, seed }: Turn,
  level: Level,
  calls: number,
  options: object,
): Promise<number> {
  const next = random(seed);
  const size = Math.min(AT_ONCE, rows);
  for (let call = 0; call < calls; call++) {
    // Each row once in a batch, so that it is known which value is the last.
    const first = Math.floor(next() * rows);
    const written = Array.from({ length: size }, (_, i) => (first + i * 7919) % rows);
    const operations = written.map((i) => put(i, seed));
    await watch.time(() => level.batch(operations, options));
    for (const i of [written[0], written[size - 1]]) {
      const value = await level.get(keyOf(i));
      if (value !== textOf(i, seed)) throw new Error(`${keyOf(i)} is ${value}.`);
    }
  }
  return calls * size;
}

export async function run({ rows = 1e6, rounds = 5, calls = 50, peers = true }: LevelOptions = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-level-'));
  const contestants: Record<string, Contestant> = { omendb: await openOmen(directory) };
  if (peers) contestants.classic = await openClassic(directory);
  try {
    const order = shuffled(rows);
    for (const one of Object.values(contestants)) await load(one, order);
    const names = Object.keys(contestants);
    const ns: Record<string, Record<string, Figures>> = {};
    for (const [what, work] of Object.entries(WORKS)) {
      const times: Record<string, Figures[]> = Object.fromEntries(names.map((name) => [name, []]));
      for (let round = 0; round <= rounds; round++) {
        for (const name of round % 2 === 0 ? names : names.toReversed()) {
          const watch = new Watch();
          const turn = { contestant: contestants[name], watch, rows, calls, seed: round + 1 };
          const done = await work(turn);
          const { wallMs, cpuMs } = watch;
          // The first round warms up.
          if (round > 0)
            times[name].push({ wall: (1e6 * wallMs) / done, cpu: (1e6 * cpuMs) / done });
        }
      }
      ns[what] = Object.fromEntries(names.map((name) => [name, medians(times[name])]));
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

/** Nanoseconds a row. */
interface Figures {
  readonly wall: number;
  readonly cpu: number;
}

function medians(all: readonly Figures[]): Figures {
  return {
    wall: median(all.map(({ wall }) => wall)),
    cpu: median(all.map(({ cpu }) => cpu)),
  };
}

const NAMES: Readonly<Record<string, string>> = {
  getMany: 'getMany of 1,000',
  iterate: 'every entry, for await',
  nextv: 'every entry, nextv(1000)',
  batch: 'batch of 1,000, not synced',
  batchSynced: 'batch of 1,000, synced',
};

export function show({ rows, ns }: Awaited<ReturnType<typeof run>>): string {
  const ratio = (ours: number, theirs: number | undefined) =>
    theirs === undefined ? '–' : (theirs / ours).toFixed(2);
  return [
    `abstract-level over ${count(rows)} rows, keys of 16 characters, values of ${VALUE_LENGTH}, ns a row`,
    table(
      ['', 'OmenLevel', 'classic-level', 'times', 'processor time', 'classic-level', 'times'],
      Object.entries(ns).map(([what, { omendb, classic }]) => [
        NAMES[what],
        omendb.wall.toFixed(0),
        classic?.wall.toFixed(0) ?? '–',
        ratio(omendb.wall, classic?.wall),
        omendb.cpu.toFixed(0),
        classic?.cpu.toFixed(0) ?? '–',
        ratio(omendb.cpu, classic?.cpu),
      ]),
    ),
  ].join('\n');
}
