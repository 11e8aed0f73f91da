/**
 * Runs threads through the real ring and doorbell in a chosen order, one shared access at a time.
 *
 * Every thread parks before each access (stepped-worker.ts). The controller waits until all have
 * parked, rest or are done, then lets exactly one of those that parked take its step. So one schedule,
 * a list of choices, is one interleaving, and it can be repeated. V8 is asked for its number of
 * waiters, so that "is asleep" is a fact and not a guess about time.
 */
import assert from 'node:assert';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { createRing } from '../../src/ring/ring.ts';
import { HEAD_WORD, TAIL_WORD } from './memory.ts';

export const OPERATIONS = ['load', 'store', 'add', 'notify', 'wait', 'waitAsync'] as const;

/** Where a thread is. `running` is also where it is inside a blocking wait. */
export const Phase = { running: 0, parked: 1, resting: 2, done: 3 } as const;

export const EVENT_WORD = 0;
export const PHASE_WORD = 0;
export const OPERATION_WORD = 1;
export const EXPECTED_WORD = 2;
export const BELL_OFFSET = 64;

/** The words whose accesses are steps: a ring's indices, the doorbell's count and its flag. */
export const WATCHED = [
  { bell: false, byteOffset: HEAD_WORD * 4 },
  { bell: false, byteOffset: TAIL_WORD * 4 },
  { bell: true, byteOffset: BELL_OFFSET },
  { bell: true, byteOffset: BELL_OFFSET + 4 },
];

/** Index of a thread's words in the gate. */
export function slotOf(index: number): number {
  return 32 * (index + 1);
}

export type Role =
  | 'ringer'
  | 'ringer-sparing'
  | 'sleeper-sync'
  | 'sleeper-async'
  | 'sleeper-too-late'
  | 'sleeper-no-second-look';

export interface StepOrder {
  readonly gate: SharedArrayBuffer;
  /** One ring per ringer; a ringer has its own only. */
  readonly queues: readonly SharedArrayBuffer[];
  readonly bell: SharedArrayBuffer;
  readonly index: number;
  readonly role: Role;
  readonly rings: number;
  readonly total: number;
}

export interface Run {
  /** How many threads could be chosen from, at each step. */
  readonly options: readonly number[];
  readonly trace: readonly string[];
  /** Nothing can move any more, and the sleeper has not taken everything. */
  readonly lost: boolean;
}

const PATIENCE_MS = 60_000;
const CAPACITY = 4096;

export class Stepper {
  readonly #roles: readonly Role[];
  readonly #gate = new Int32Array(new SharedArrayBuffer(4096));
  readonly #queues: readonly SharedArrayBuffer[];
  readonly #bell: Int32Array;
  readonly #workers: Worker[];
  readonly #waiters: (words: Int32Array, index: number) => number;

  /** Ringers first, the one sleeper last. Each ringer publishes and rings `rings` times. */
  constructor(ringer: Role, ringers: number, rings: number, sleeper: Role) {
    this.#roles = [...Array<Role>(ringers).fill(ringer), sleeper];
    this.#queues = Array.from({ length: ringers }, () => createRing(CAPACITY));
    const bell = new SharedArrayBuffer(128);
    this.#bell = new Int32Array(bell, BELL_OFFSET, 2);
    this.#waiters = waiterCounter();
    this.#workers = this.#roles.map((role, index) => {
      const order: StepOrder = {
        gate: this.#gate.buffer as SharedArrayBuffer,
        queues: index < ringers ? [this.#queues[index]] : this.#queues,
        bell,
        index,
        role,
        rings,
        total: ringers * rings,
      };
      return new Worker(new URL('./stepped-worker.ts', import.meta.url), { workerData: order });
    });
  }

  /** Takes one interleaving: `choose` picks among the threads that can move, given how many. */
  run(choose: (options: number) => number): Run {
    for (const index of this.#roles.keys())
      this.#until(() => this.#phase(index) === Phase.done, 'the threads are not ready');
    for (const queue of this.#queues) {
      const control = new Int32Array(queue);
      control[TAIL_WORD] = 0;
      control[HEAD_WORD] = 0;
    }
    this.#bell.fill(0);
    for (const index of this.#roles.keys()) this.#letGo(index);

    const sleeper = this.#roles.length - 1;
    const options: number[] = [];
    const trace: string[] = [];
    let blocked = false;
    for (;;) {
      for (const index of this.#roles.keys())
        if (index !== sleeper || !blocked)
          this.#until(() => this.#phase(index) !== Phase.running, trace.join(', '));
      const movable = [...this.#roles.keys()].filter(
        (index) => !(index === sleeper && blocked) && this.#phase(index) === Phase.parked,
      );
      if (movable.length === 0) break;
      options.push(movable.length);
      const index = movable[choose(movable.length)];
      const operation = OPERATIONS[this.#gate[slotOf(index) + OPERATION_WORD]];
      const expected = this.#gate[slotOf(index) + EXPECTED_WORD];
      trace.push(`${this.#roles[index]} ${index}: ${operation}`);
      const resting = this.#phase(sleeper) === Phase.resting;
      this.#letGo(index);
      if (operation === 'wait' && this.#bell[0] === expected) {
        while (this.#waiters(this.#bell, 0) === 0);
        blocked = true;
      }
      if (operation === 'notify') {
        this.#until(() => this.#phase(index) !== Phase.running, trace.join(', '));
        blocked = false;
        if (resting) this.#until(() => this.#phase(sleeper) !== Phase.resting, trace.join(', '));
      }
    }
    return { options, trace, lost: this.#phase(sleeper) !== Phase.done };
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #phase(index: number): number {
    return Atomics.load(this.#gate, slotOf(index) + PHASE_WORD);
  }

  #letGo(index: number): void {
    Atomics.store(this.#gate, slotOf(index) + PHASE_WORD, Phase.running);
    Atomics.notify(this.#gate, slotOf(index) + PHASE_WORD);
  }

  #until(holds: () => boolean, what: string): void {
    for (;;) {
      const seen = Atomics.load(this.#gate, EVENT_WORD);
      if (holds()) return;
      const outcome = Atomics.wait(this.#gate, EVENT_WORD, seen, PATIENCE_MS);
      assert(outcome !== 'timed-out' || holds(), `nobody moves after: ${what}`);
    }
  }
}

/** Goes through all schedules, depth first. Returns how many there were and the first that was lost. */
export function exhaust(stepper: Stepper): { schedules: number; lost: Run | undefined } {
  const path: number[] = [];
  for (let schedules = 1; ; schedules++) {
    let depth = 0;
    const run = stepper.run(() => {
      if (depth === path.length) path.push(0);
      return path[depth++];
    });
    if (run.lost) return { schedules, lost: run };
    path.length = run.options.length;
    while (path.length > 0 && path[path.length - 1] === run.options[path.length - 1] - 1)
      path.pop();
    if (path.length === 0) return { schedules, lost: undefined };
    path[path.length - 1]++;
  }
}

function waiterCounter(): (words: Int32Array, index: number) => number {
  setFlagsFromString('--allow-natives-syntax');
  const body = 'return %AtomicsNumWaitersForTesting(words, index)';
  const count = new Function('words', 'index', body);
  return (words, index) => Number(count(words, index));
}
