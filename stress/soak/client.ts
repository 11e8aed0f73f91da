/**
 * A thread that uses the databases under soak: attached to them, it does the operations of a phase, at a
 * given rate or as fast as it can, and stands still when it is told to.
 *
 * At a rate, each operation has a time at which it is meant to begin, whatever became of those before
 * it, and latencies count from then: a stall is felt by all that would have come in it, not by one.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { parentPort, workerData } from 'node:worker_threads';
import { attach, type Handle } from '../../src/index.ts';
import { seededRandom } from '../../src/storage/model-file.ts';
import { Board } from './board.ts';
import type { SESSIONS, Sessions, TABLE, Table } from './databases.ts';
import type { Layout } from './layout.ts';
import { Notes } from './notes.ts';
import { Operations } from './operations.ts';
import { Oracle, type OracleMemory } from './oracle.ts';
import { type OperationKind, PHASES } from './phases.ts';

export interface ClientData {
  readonly lane: number;
  readonly layout: Layout;
  readonly memory: OracleMemory;
  readonly board: SharedArrayBuffer;
  readonly tolerance: SharedArrayBuffer;
  /** Differs with every thread of a lane. */
  readonly seed: number;
}

export type Order =
  | {
      readonly do: 'attach';
      readonly table: Handle;
      readonly sessions: Handle;
      readonly notes: string;
    }
  /** `rate`: operations a second; null: as fast as it can. */
  | {
      readonly do: 'run';
      readonly phase: number;
      readonly rate: number | null;
      readonly heldMs: number;
    }
  /** Write about as much as there is in the long run. */
  | { readonly do: 'fill' }
  /** Finish what is under way, and let go of snapshots. */
  | { readonly do: 'pause' }
  /** Find out what became of writes whose outcome is unknown. */
  | { readonly do: 'settle' }
  /** Notes go on in another file. */
  | { readonly do: 'turn'; readonly notes: string }
  | { readonly do: 'detach' };

/** What a client says: what came of an order, or what is wrong. */
export type Saying = { readonly id: number; readonly result: number } | { readonly fault: string };

const TURN_MAX = 64;
const IN_FLIGHT_MAX = 256;
const TRIES = 4;
const HELD_LOOK_MS = 500;
/** So often it goes round when nothing is due. */
const IDLE_MS_MAX = 5;

/** What is due later than this is waited for by a timer. */
const LONG_MS = 4;
const NAP_MS_MAX = 0.25;
/** Of the timer by whose lateness that of the event loop is told. */
const DELAY_MS = 10;
const nap = new Int32Array(new SharedArrayBuffer(4));

const data = workerData as ClientData;
const { lane, layout } = data;
const board = new Board(data.board);
const random = seededRandom(data.seed);
const oracle = new Oracle(layout, data.memory);
const tolerance = new Int32Array(data.tolerance);

interface Joined {
  readonly table: Table;
  readonly sessions: Sessions;
  readonly operations: Operations;
}

let joined: Joined | null = null;
let isRunning = false;
let running: Promise<void> = Promise.resolve();

function say(saying: Saying): void {
  parentPort?.postMessage(saying);
}

function heapBytes(): number {
  return getHeapStatistics().used_heap_size;
}

/** Kinds by how often they are drawn. */
function drawer(mix: Readonly<Partial<Record<OperationKind, number>>>): () => OperationKind {
  const entries = Object.entries(mix) as [OperationKind, number][];
  const total = entries.reduce((sum, [, weight]) => sum + weight, 0);
  return () => {
    let left = random() * total;
    for (const [kind, weight] of entries) {
      left -= weight;
      if (left < 0) return kind;
    }
    return entries[0][0];
  };
}

async function work(
  { operations }: Joined,
  mix: Readonly<Partial<Record<OperationKind, number>>>,
  rate: number | null,
): Promise<void> {
  const draw = drawer(mix);
  const delay = monitorEventLoopDelay({ resolution: DELAY_MS });
  delay.enable();
  const apartMs = rate === null ? 0 : 1000 / rate;
  let next = performance.now() + random() * apartMs;
  let looked = next;
  while (isRunning) {
    const now = performance.now();
    for (let turn = 0; turn < TURN_MAX && operations.underWay < IN_FLIGHT_MAX; turn++) {
      if (rate !== null && next > now) break;
      const start = rate === null ? performance.now() : next;
      next += apartMs;
      let tries = 0;
      while (!operations.perform(draw(), start) && ++tries < TRIES);
    }
    operations.flush();
    const behind = rate === null ? 0 : Math.max(0, (now - next) / apartMs);
    if (now - looked > HELD_LOOK_MS) {
      looked = now;
      operations.checkHeld(false);
      board.setThread(lane, Math.max(0, delay.mean / 1e6 - DELAY_MS), behind, heapBytes());
      delay.reset();
    }
    const waitMs = rate === null ? 0 : next - performance.now();
    if (waitMs > LONG_MS) await setTimeout(Math.min(waitMs - 1, IDLE_MS_MAX));
    else {
      // Timers wait for a millisecond at least, and to turn without a rest takes a processor.
      if (waitMs > 0) Atomics.wait(nap, 0, 0, Math.min(waitMs, NAP_MS_MAX));
      await setImmediate();
    }
  }
  delay.disable();
}

async function fill(operations: Operations): Promise<void> {
  for (const step of operations.fill()) {
    if (operations.underWay < IN_FLIGHT_MAX) continue;
    operations.flush();
    while (operations.underWay >= IN_FLIGHT_MAX) await setImmediate(step);
  }
  await operations.drained();
}

async function obey(order: Order): Promise<number> {
  if (order.do === 'attach') {
    const table = await attach<typeof TABLE>(order.table);
    const sessions = await attach<typeof SESSIONS>(order.sessions);
    const notes = new Notes(order.notes);
    const onFault = (fault: string) => say({ fault: `lane ${lane}: ${fault}` });
    const bench = { lane, layout, oracle, board, table, sessions, random, tolerance, onFault };
    joined = { table, sessions, operations: new Operations(bench, notes) };
    return 0;
  }
  if (joined === null) throw new Error('It has to attach first.');
  const { operations, table, sessions } = joined;
  switch (order.do) {
    case 'run': {
      const { mix, keys } = PHASES[order.phase];
      isRunning = false;
      await running;
      isRunning = true;
      operations.prepare(keys, order.heldMs);
      running = work(joined, mix, order.rate);
      running.catch((error) => say({ fault: `lane ${lane}: ${error?.stack ?? error}` }));
      return 0;
    }
    case 'fill':
      await fill(operations);
      return 0;
    case 'pause':
      isRunning = false;
      await running;
      await operations.drained();
      operations.checkHeld(true);
      globalThis.gc?.();
      board.setThread(lane, 0, 0, heapBytes());
      return operations.underWay;
    case 'settle':
      return operations.settleUnknown();
    case 'turn':
      operations.turn(new Notes(order.notes));
      return 0;
    case 'detach':
      operations.end();
      joined = null;
      await table.close();
      await sessions.close();
      return 0;
  }
}

parentPort?.on('message', async ({ id, order }: { id: number; order: Order }) => {
  try {
    say({ id, result: await obey(order) });
  } catch (error) {
    say({ fault: `lane ${lane}, ${order.do}: ${error instanceof Error ? error.stack : error}` });
    say({ id, result: -1 });
  }
});
