/**
 * What is measured of an engine that has its rows: each task draws what it asks for, runs the clock while the
 * engine answers, and judges the answers.
 *
 * A cost is nanoseconds an item, and less is better. `check` is the same for every engine that is right;
 * `isRight` says whether it is what the session knows it must be.
 */
import { random } from '../engine/report.ts';
import type { Engine, Sum } from './engine.ts';
import { IN_FLIGHT } from './in-flight.ts';
import { amountIn, type Key, keysOf, missOf, type Rows, rowsOf } from './rows.ts';
import type { Session } from './session.ts';
import { draw, MIXES, perform, YCSB_NAMES, type YcsbName } from './ycsb.ts';

export interface Outcome {
  readonly cost: number;
  readonly check: Readonly<Record<string, number>>;
  readonly isRight: boolean;
}

export interface Work {
  readonly session: Session;
  readonly engine: Engine;
  readonly seed: number;
  /** Of the number of items that is usual. */
  readonly scale: number;
}

export interface Task {
  /** What has to be there for an engine to take part. */
  readonly needs: readonly (keyof Engine)[];
  /** Whether writes have to be durable. */
  readonly durable: boolean;
  /** Whether rows change: then every engine runs every round, so that all have the same rows. */
  readonly writes: boolean;
  run(work: Work): Promise<Outcome>;
}

const GETS = 100_000;
const GETS_A_CALL = 1000;
const RANGES = 100;
const RANGE_ROWS = 1000;
const AGGREGATES = 10;
const YCSB_OPERATIONS = 20_000;

function times(usual: number, scale: number): number {
  return Math.max(1, Math.round(usual * scale));
}

/** Nanoseconds an item. */
function perItem(start: number, items: number): number {
  return ((performance.now() - start) * 1e6) / items;
}

function outcome(cost: number, { rows, sum }: Sum, wanted: Sum): Outcome {
  return { cost, check: { rows, sum }, isRight: rows === wanted.rows && sum === wanted.sum };
}

/** Numbers of rows that are there. */
function someNumbers({ model }: Session, count: number, seed: number): Uint32Array {
  const next = random(seed);
  return Uint32Array.from({ length: count }, () => Math.floor(next() * model.count));
}

const NOTHING: Sum = { rows: 0, sum: 0 };

async function gets({ session, engine, seed, scale }: Work, isHit: boolean): Promise<Outcome> {
  const numbers = someNumbers(session, times(GETS, scale), seed);
  const { kind } = session;
  const keys = isHit
    ? keysOf(kind, numbers)
    : Array.from(numbers, (number) => missOf(kind, number));
  const { get } = engine as Required<Engine>;
  let [rows, sum] = [0, 0];
  const start = performance.now();
  for (let i = 0; i < keys.length; i++) {
    const value = get(keys[i]);
    if (value === undefined) continue;
    sum += amountIn(value);
    rows++;
  }
  const cost = perItem(start, keys.length);
  return outcome(cost, { rows, sum }, isHit ? session.expected(numbers) : NOTHING);
}

async function getMany({ session, engine, seed, scale }: Work): Promise<Outcome> {
  const numbers = someNumbers(session, times(GETS, scale), seed);
  const calls: Rows['keys'][] = [];
  for (let from = 0; from < numbers.length; from += GETS_A_CALL) {
    calls.push(keysOf(session.kind, numbers.subarray(from, from + GETS_A_CALL)));
  }
  const { getMany: ask } = engine as Required<Engine>;
  let [rows, sum] = [0, 0];
  const start = performance.now();
  for (const keys of calls) {
    const answer = ask(keys);
    const found = answer instanceof Promise ? await answer : answer;
    rows += found.rows;
    sum += found.sum;
  }
  return outcome(perItem(start, numbers.length), { rows, sum }, session.expected(numbers));
}

async function puts({ session, engine, seed, scale }: Work, usual: number): Promise<Outcome> {
  const { keys, values } = newVersions(session, someNumbers(session, times(usual, scale), seed));
  const { put } = engine as Required<Engine>;
  const start = performance.now();
  for (let i = 0; i < keys.length; i++) {
    const written = put(keys[i], values[i]);
    if (written !== undefined) await written;
  }
  return judged(engine, perItem(start, keys.length), { keys, values });
}

async function putsInFlight({ session, engine, seed, scale }: Work): Promise<Outcome> {
  const count = times(20 * IN_FLIGHT, scale);
  const rows = newVersions(session, someNumbers(session, count, seed));
  const { putInFlight } = engine as Required<Engine>;
  const start = performance.now();
  await putInFlight(rows);
  return judged(engine, perItem(start, count), rows);
}

/** No row twice in a batch. */
const STRIDE = 7919;

async function batches(work: Work, usualRows: number, usualBatches: number): Promise<Outcome> {
  const { session, engine, seed, scale } = work;
  const { count } = session.model;
  const size = Math.min(usualRows, count);
  const stride = count % STRIDE === 0 ? 1 : STRIDE;
  const firsts = someNumbers(session, times(usualBatches, scale), seed);
  const all = Array.from(firsts, (first) =>
    newVersions(
      session,
      Array.from({ length: size }, (_, i) => (first + i * stride) % count),
    ),
  );
  const { batch } = engine as Required<Engine>;
  const start = performance.now();
  for (const rows of all) {
    const written = batch(rows);
    if (written !== undefined) await written;
  }
  const cost = perItem(start, size * all.length);
  return judged(engine, cost, all[all.length - 1]);
}

/** The next version of each; of a number that comes twice, the one after it. */
function newVersions({ kind, model }: Session, numbers: ArrayLike<number>): Rows {
  return rowsOf(kind, numbers, (number) => ++model.versions[number]);
}

/** The last rows that were written are read; the rest is, once all tasks have run. */
function judged({ get }: Engine, cost: number, { keys, values }: Rows): Outcome {
  const seen = new Map<Key, number>();
  for (let i = Math.max(0, keys.length - 100); i < keys.length; i++) {
    seen.set(keys[i], amountIn(values[i]));
  }
  let wanted = 0;
  let sum = 0;
  for (const [key, amount] of seen) {
    wanted += amount;
    const value = get?.(key);
    sum += value === undefined ? Number.NaN : amountIn(value);
  }
  return { cost, check: { rows: seen.size, sum }, isRight: sum === wanted };
}

async function ranges({ session, engine, seed, scale }: Work): Promise<Outcome> {
  const sorted = session.sortedNumbers();
  const next = random(seed);
  const length = Math.min(RANGE_ROWS, sorted.length);
  const starts = Array.from({ length: times(RANGES, scale) }, () =>
    Math.floor(next() * (sorted.length - length + 1)),
  );
  const keys = starts.map((at) => session.keyOf(sorted[at]));
  const { range } = engine as Required<Engine>;
  let [rows, sum] = [0, 0];
  const start = performance.now();
  for (const key of keys) {
    const answer = range(key, length);
    const found = answer instanceof Promise ? await answer : answer;
    rows += found.rows;
    sum += found.sum;
  }
  const cost = perItem(start, length * keys.length);
  const asked = starts.flatMap((at) => Array.from(sorted.subarray(at, at + length)));
  return outcome(cost, { rows, sum }, session.expected(asked));
}

async function entries({ session, engine }: Work): Promise<Outcome> {
  const wanted = session.expected(session.sortedNumbers());
  const start = performance.now();
  const found = await engine.walk();
  return outcome(perItem(start, wanted.rows), found, wanted);
}

/** Nanoseconds an answer, over a tenth of the rows each. */
async function aggregates({ session, engine, seed, scale }: Work): Promise<Outcome> {
  const sorted = session.sortedNumbers();
  const length = Math.max(1, Math.floor(sorted.length / 10));
  const next = random(seed);
  const starts = Array.from({ length: times(AGGREGATES, scale) }, () =>
    Math.floor(next() * (sorted.length - length)),
  );
  const bounds = starts.map((at) => [sorted[at], sorted[at + length]].map((n) => session.keyOf(n)));
  const { aggregate } = engine as Required<Engine>;
  let [rows, sum] = [0, 0];
  const start = performance.now();
  for (const [from, to] of bounds) {
    const found = await aggregate(from, to);
    rows += found.rows;
    sum += found.sum;
  }
  const cost = perItem(start, starts.length);
  const parts = starts.map((at) => session.expected(sorted.subarray(at, at + length)));
  return outcome(
    cost,
    { rows, sum },
    {
      rows: parts.reduce((all, part) => all + part.rows, 0),
      sum: parts.reduce((all, part) => all + part.sum, 0),
    },
  );
}

async function ycsb(name: YcsbName, { session, engine, seed, scale }: Work): Promise<Outcome> {
  const count = times(YCSB_OPERATIONS, scale);
  const operations = draw(name, count, session.model, session.zipf(), seed);
  const start = performance.now();
  const seen = await perform(engine as Required<Engine>, operations);
  const cost = perItem(start, count);
  return { cost, check: { ...seen }, isRight: seen.tags === operations.tags };
}

const read = { durable: false, writes: false } as const;
const write = { durable: false, writes: true } as const;
const durable = { durable: true, writes: true } as const;

export const TASKS: Readonly<Record<string, Task>> = {
  'get-hit': { ...read, needs: ['get'], run: (work) => gets(work, true) },
  'get-miss': { ...read, needs: ['get'], run: (work) => gets(work, false) },
  'get-many': { ...read, needs: ['getMany'], run: getMany },
  range: { ...read, needs: ['range'], run: ranges },
  entries: { ...read, needs: ['range', 'walk'], run: entries },
  aggregate: { ...read, needs: ['aggregate'], run: aggregates },
  put: { ...write, needs: ['put'], run: (work) => puts(work, 5000) },
  'batch-100': { ...write, needs: ['batch'], run: (work) => batches(work, 100, 100) },
  'batch-1000': { ...write, needs: ['batch'], run: (work) => batches(work, 1000, 30) },
  'put-durable': { ...durable, needs: ['put'], run: (work) => puts(work, 200) },
  'put-durable-many': { ...durable, needs: ['putInFlight'], run: putsInFlight },
  'batch-100-durable': { ...durable, needs: ['batch'], run: (work) => batches(work, 100, 50) },
  'batch-1000-durable': { ...durable, needs: ['batch'], run: (work) => batches(work, 1000, 20) },
  ...Object.fromEntries(
    YCSB_NAMES.map((name) => [
      `ycsb-${name}`,
      {
        durable: false,
        writes: MIXES[name].reads < 1,
        needs: ['get', 'put', 'range'],
        run: (work: Work) => ycsb(name, work),
      } satisfies Task,
    ]),
  ),
};
