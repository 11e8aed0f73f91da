/**
 * The process under soak. It holds two databases, a table and sessions that expire, with threads that
 * use them (`client.ts`), and obeys the supervisor: what to do, when to stand still, which fault to
 * meet. Whenever it opened the databases, or stands still, it compares all that is there with the oracle,
 * whose memory it shares with its threads, and whose files outlive it (`notes.ts`).
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { OmenError, open } from '../../src/index.ts';
import { collectGarbage } from '../../src/view/collect-garbage.ts';
import { Board, type BoardSum, boardMemory } from './board.ts';
import type { Order } from './client.ts';
import { SESSIONS, type Sessions, TABLE, type Table } from './databases.ts';
import { layoutOf } from './layout.ts';
import { Notes, notesPath, readBase, writeBase } from './notes.ts';
import { Oracle, oracleMemory } from './oracle.ts';
import {
  collectEverywhere,
  FAULT_KINDS,
  type FaultKind,
  injected,
  latestMs,
  rememberLatest,
  setClock,
  WORDS,
  words,
} from './shim.ts';
import { Staff } from './staff.ts';
import { setTolerance, type Tolerance, toleranceMemory } from './tolerance.ts';
import { type Found, isApplied, openBlocks, settleLane, verifyAll } from './verify.ts';
import { Watching } from './watching.ts';

export interface HolderOptions {
  readonly directory: string;
  readonly keys: number;
  readonly lanes: number;
  readonly seed: number;
  /** How many processes there were before. */
  readonly life: number;
  readonly sampleMs: number;
}

export interface RunOrder {
  readonly phase: number;
  /** Operations a second of all threads together; null: as many as they can. */
  readonly rate: number | null;
  readonly heldMs: number;
}

/** What the supervisor asks for. */
export type Command =
  | ({ readonly do: 'run' } & RunOrder)
  | { readonly do: 'fill' }
  | { readonly do: 'quiet'; readonly compact: boolean }
  /** `failRead`: the first try meets a read error after so many reads. */
  | { readonly do: 'reopen'; readonly failRead: number }
  | { readonly do: 'fault'; readonly word: keyof typeof WORDS; readonly value: number }
  | ({ readonly do: 'tolerate' } & Tolerance)
  | { readonly do: 'clock'; readonly offsetMs: number }
  | { readonly do: 'kill-shard'; readonly which: number }
  | { readonly do: 'kill-client'; readonly lane: number }
  /** Waits until every shard serves, then finds out what became of unknown writes. */
  | { readonly do: 'heal'; readonly withinMs: number }
  | { readonly do: 'health' }
  /** What writes came to so far, and how often faults came to pass. */
  | { readonly do: 'counts' }
  | { readonly do: 'end' };

export interface Opened extends Found {
  readonly openMs: number;
  readonly verifyMs: number;
}

export interface Sample {
  readonly board: BoardSum;
  readonly memory: NodeJS.MemoryUsage;
  readonly handles: number;
  readonly loopMs: number;
  readonly sharedBytes: number;
  readonly rows: number;
  readonly snapshots: number;
}

/** What it says: the answer to a command, a sample, or what is wrong. */
export type Word =
  | { readonly id: number; readonly answer: unknown }
  | { readonly sample: Sample }
  | { readonly fault: string };

const WATCH_MS_MAX = 20_000;
const POLL_MS = 20;
/** How long a process may go on after its supervisor. */
const ORPHAN_MS = 30_000;
/** Longer than a thread takes to hear of it. */
const COLLECT_MS = 500;
/** Longer than threads of a pool live that have nothing to do: as many are there as a cycle ago, none. */
const POOLS_MS = 6000;
/** A load of a block is published in less. */
const LOAD_MS_MAX = 10_000;

const options = JSON.parse(process.argv[2]) as HolderOptions;
const { directory, lanes, seed } = options;
const layout = layoutOf(options.keys, lanes, seed);
const memory = oracleMemory(layout);
const oracle = new Oracle(layout, memory);
const boardWords = boardMemory(lanes);
const board = new Board(boardWords);
const toleranceWords = toleranceMemory();
const tolerance = new Int32Array(toleranceWords);

/** Small enough that they are flushed and merged all the time. */
const MEMTABLE = {
  entriesMax: Math.max(2048, Math.min(2 ** 18, 2 ** Math.round(Math.log2(layout.total / 32)))),
  arenaBytes: Math.max(2 ** 20, Math.min(2 ** 26, 2 ** Math.round(Math.log2(layout.total * 8)))),
};

function say(word: Word): void {
  process.send?.(word);
}

function fault(text: string): void {
  say({ fault: text });
}

/** Threads of shards, of both databases. */
const shardThreads: Worker[] = [];
process.on('worker', (worker) => {
  if (!worker.threadName?.startsWith('omendb-shards-')) return;
  shardThreads.push(worker);
  worker.once('exit', () => shardThreads.splice(shardThreads.indexOf(worker), 1));
});

const staff = new Staff(
  { layout, memory, board: boardWords, tolerance: toleranceWords },
  seed * 1009 + options.life * 7919,
  fault,
);

let generation = 0;
let table: Table;
let sessions: Sessions;
let watching: Watching;
let lastRun: RunOrder | null = null;
/** Whether nothing is under way, so that what is sampled is what is held. */
let isStill = false;

function subject() {
  return { layout, oracle, table, sessions };
}

async function openBoth(): Promise<void> {
  const data = join(directory, 'data');
  const opened = await open(join(data, 'table'), { ...TABLE, memtable: MEMTABLE });
  try {
    sessions = await open(join(data, 'sessions'), { ...SESSIONS, memtable: MEMTABLE });
  } catch (error) {
    await opened.close();
    throw error;
  }
  table = opened;
}

/**
 * The same by a process that was just started. One whose supervisor was killed ends by itself, but not at
 * once: it is waited for, and what it noted is read only then.
 */
async function openFirst(): Promise<void> {
  for (const end = performance.now() + ORPHAN_MS; ; await setTimeout(POLL_MS)) {
    try {
      return await openBoth();
    } catch (error) {
      const isHeld = error instanceof OmenError && error.code === 'OMEN_LOCKED';
      if (!isHeld || performance.now() > end) throw error;
    }
  }
}

/** Closing says what failed before; what counts is what the next open finds. */
async function closeBoth(): Promise<void> {
  await watching.end();
  for (const db of [table, sessions]) {
    try {
      await db.close();
    } catch (error) {
      if (!(error instanceof OmenError)) throw error;
    }
  }
}

function saveBase(): void {
  generation++;
  writeBase(directory, oracle, { generation, latestMs: latestMs() });
}

async function start(openMs: number): Promise<Opened> {
  const begun = performance.now();
  const found = verifyAll(subject());
  saveBase();
  watching = new Watching(table, layout, fault);
  const handles = { table: table.handle(), sessions: sessions.handle() };
  await staff.each((lane): Order => {
    return { do: 'attach', ...handles, notes: notesPath(directory, generation, lane) };
  });
  return { ...found, openMs, verifyMs: performance.now() - begun };
}

function run(order: RunOrder): Promise<void> {
  lastRun = order;
  isStill = false;
  const rate = order.rate === null ? null : order.rate / lanes;
  return staff.each(() => ({ do: 'run', ...order, rate }));
}

async function pause(): Promise<void> {
  await staff.each(() => ({ do: 'pause' }));
}

function isHealthy(): boolean {
  return [table, sessions].every((db) => db.health().status === 'ok');
}

async function until(holds: () => boolean, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadline) return false;
    await setTimeout(POLL_MS);
  }
  return true;
}

/** Nothing that was sent is under way in any shard any more. */
async function settleShards(): Promise<void> {
  await Promise.all([table.flush(), sessions.flush()]);
}

async function quiet({ compact }: { readonly compact: boolean }): Promise<Found> {
  await pause();
  if (!(await until(isHealthy, WATCH_MS_MAX))) fault('not healthy, although no fault is under way');
  // Of a thread that was killed: those that are being published are, and nothing says of others that they are not.
  const open = openBlocks(subject());
  await until(() => open.every((index) => isApplied(subject(), index)), LOAD_MS_MAX);
  const found = verifyAll(subject());
  if (watching.ended === null) {
    const isThere = await until(
      () => watching.ended !== null || watching.isAt(oracle),
      WATCH_MS_MAX,
    );
    if (!isThere) fault(`the watch lacks changes, after ${watching.told} that it told`);
  }
  if (watching.ended !== null) {
    await watching.end();
    watching = new Watching(table, layout, fault);
  }
  const { snapshots } = table.stats();
  if (snapshots > 0) fault(`${snapshots} snapshots are open, although all were closed`);
  await settleShards();
  collectEverywhere();
  if (compact) await Promise.all([table.compact(), sessions.compact()]);
  saveBase();
  await staff.each((lane) => ({ do: 'turn', notes: notesPath(directory, generation, lane) }));
  await setTimeout(POOLS_MS);
  // Twice: what only finalizers let go of is given back by the next.
  for (let times = 0; times < 2; times++) {
    collectEverywhere();
    await setTimeout(COLLECT_MS);
  }
  isStill = true;
  return found;
}

async function reopen({
  failRead,
}: {
  readonly failRead: number;
}): Promise<Opened & { refused: string }> {
  await pause();
  await staff.each(() => ({ do: 'detach' }));
  await closeBoth();
  let refused = '';
  if (failRead > 0) {
    Atomics.store(words, WORDS.readFailures, failRead);
    try {
      await openBoth();
      await table.close();
      await sessions.close();
    } catch (error) {
      refused = error instanceof OmenError ? error.code : String(error);
    }
    Atomics.store(words, WORDS.readFailures, 0);
  }
  const begun = performance.now();
  await openBoth();
  const opened = await start(performance.now() - begun);
  if (lastRun !== null) await run(lastRun);
  return { ...opened, refused };
}

async function killShard(which: number): Promise<string> {
  const worker = shardThreads[which % shardThreads.length];
  const { threadName } = worker;
  await worker.terminate();
  return threadName ?? 'a shard thread';
}

/** A thread that ends in the middle of its writes, and another one in its place. */
async function killClient(lane: number): Promise<number> {
  await staff.kill(lane);
  // The supervisor hears of it by its port's end, and tells the shards; they answer in order.
  await setTimeout(100);
  await settleShards();
  const path = notesPath(directory, generation, lane);
  const notes = new Notes(path);
  const { settled, faults } = settleLane(subject(), lane, notes);
  notes.close();
  for (const one of faults) fault(`after the thread of lane ${lane} ended: ${one}`);
  const handles = { table: table.handle(), sessions: sessions.handle() };
  await staff.hire(lane, { do: 'attach', ...handles, notes: path });
  if (lastRun !== null) {
    const rate = lastRun.rate === null ? null : lastRun.rate / lanes;
    await staff.tell(lane, { do: 'run', ...lastRun, rate });
  }
  return settled;
}

async function heal(withinMs: number): Promise<string> {
  if (!(await until(isHealthy, withinMs))) {
    const shards = [table, sessions].flatMap((db) => db.health().shards);
    const bad = shards.filter(({ state }) => state !== 'serving');
    return bad.map(({ shard, state, message }) => `shard ${shard} ${state}: ${message}`).join('; ');
  }
  await settleShards();
  await staff.each(() => ({ do: 'settle' }));
  return '';
}

async function end(): Promise<void> {
  await pause();
  await staff.each(() => ({ do: 'detach' }));
  await closeBoth();
  await staff.end();
}

export interface Counts {
  readonly refused: number;
  readonly unknown: number;
  /** By kind of fault. */
  readonly injected: Readonly<Record<FaultKind, number>>;
}

function counts(): Counts {
  const [, refused, unknown] = board.sum().outcomes;
  const kinds = FAULT_KINDS.map((kind) => [kind, injected(kind)]);
  return { refused, unknown, injected: Object.fromEntries(kinds) };
}

const delay = monitorEventLoopDelay({ resolution: 10 });

function sample(): Sample {
  if (isStill) collectGarbage();
  const all = [table, sessions].map((db) => db.stats());
  const sum = (part: (one: (typeof all)[number]) => number) => all.reduce((a, b) => a + part(b), 0);
  const loopMs = Math.max(0, delay.mean / 1e6 - 10);
  delay.reset();
  return {
    board: board.sum(),
    memory: process.memoryUsage(),
    handles: process.getActiveResourcesInfo().length,
    loopMs,
    sharedBytes: sum(({ total }) => total.segmentBytes + total.indexBytes + total.memtableBytes),
    rows: sum(({ total }) => total.rows),
    snapshots: sum(({ snapshots }) => snapshots),
  };
}

async function obey(command: Command): Promise<unknown> {
  switch (command.do) {
    case 'run':
      return run(command);
    case 'fill':
      return staff.each(() => ({ do: 'fill' }));
    case 'quiet':
      return quiet(command);
    case 'reopen':
      return reopen(command);
    case 'fault':
      return Atomics.store(words, WORDS[command.word], command.value);
    case 'tolerate':
      return setTolerance(tolerance, command);
    case 'clock':
      return setClock(command.offsetMs);
    case 'kill-shard':
      return killShard(command.which);
    case 'kill-client':
      return killClient(command.lane);
    case 'heal':
      return heal(command.withinMs);
    case 'health':
      return [table, sessions].map((db) => db.health().status);
    case 'counts':
      return counts();
    case 'end':
      return end();
  }
}

process.on('message', async ({ id, command }: { id: number; command: Command }) => {
  try {
    say({ id, answer: await obey(command) });
  } catch (error) {
    fault(`${command.do}: ${error instanceof Error ? error.stack : error}`);
    say({ id, answer: null });
  }
  if (command.do === 'end') process.disconnect?.();
});
process.once('disconnect', () => process.exit());

delay.enable();
mkdirSync(join(directory, 'data'), { recursive: true });
try {
  const begun = performance.now();
  await openFirst();
  const base = readBase(directory, oracle, lanes);
  generation = base?.generation ?? 0;
  rememberLatest(base?.latestMs ?? 0);
  say({ id: 0, answer: await start(performance.now() - begun) });
  setInterval(() => {
    try {
      say({ sample: sample() });
    } catch (error) {
      // Between a close and the next open there is nothing to count.
      if (!(error instanceof OmenError && error.code === 'OMEN_CLOSED')) throw error;
    }
  }, options.sampleMs).unref();
} catch (error) {
  fault(`the databases did not open: ${error instanceof Error ? error.stack : error}`);
  process.exitCode = 1;
  process.disconnect?.();
}
