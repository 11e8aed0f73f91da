/**
 * What a thread does to a few keys while others do the same, by a seed, and what it notes of it: each
 * operation with the moments of a clock that all threads share. And what snapshots see meanwhile.
 */
import { type Database, OmenError } from '../../src/index.ts';
import { seededRandom } from '../../src/storage/model-file.ts';
import type { Done, State, Timed } from './linearizability.ts';

export type Stamps = Database<number, { stamp: number }, number, { stamp: number }>;

/** Keys of single rows, and those that every batch of pairs writes together, in different shards. */
export const KEYS = [1, 2, 3, 4, 5, 6];
export const PAIRS = [
  [101, 102],
  [103, 104],
] as const;
/** Each thread's own: it writes the first, then the second, and the first is never behind. */
const ahead = (thread: number) => 1000 + thread;
const behind = (thread: number) => 2000 + thread;

export interface Task {
  readonly seed: number;
  readonly thread: number;
  readonly threads: number;
  /** Operations, and how many of them at a time. */
  readonly operations: number;
  readonly lanes: number;
  /** One word: the clock. */
  readonly clock: SharedArrayBuffer;
}

export interface Noted {
  readonly key: number;
  readonly timed: Timed;
}

export interface History {
  readonly noted: readonly Noted[];
  /** What was seen that no instant can have shown. */
  readonly faults: readonly string[];
}

/** Codes of a write that was not done, for certain. */
const NOT_DONE = ['OMEN_CONDITION_FAILED', 'OMEN_CONTENTION'];

export async function runHistory(db: Stamps, task: Task): Promise<History> {
  const lanes = Array.from({ length: task.lanes }, (_, lane) => runLane(db, task, lane));
  const histories = await Promise.all(lanes);
  return {
    noted: histories.flatMap(({ noted }) => noted),
    faults: histories.flatMap(({ faults }) => faults),
  };
}

async function runLane(db: Stamps, task: Task, lane: number): Promise<History> {
  const { seed, thread, threads, operations, lanes, clock } = task;
  const random = seededRandom(seed * 1009 + thread * 31 + lane);
  const words = new Int32Array(clock);
  const now = () => Atomics.add(words, 0, 1);
  const noted: Noted[] = [];
  const faults: string[] = [];
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)];
  const stampOf = (key: number): State => db.get(key)?.stamp ?? null;
  let count = 0;
  /** No two writes of a history have one. */
  const newStamp = (): number => {
    count++;
    return (count * threads + thread) * lanes + lane;
  };

  const note = (keys: readonly number[], begun: number, done: Done, isKnown: boolean): void => {
    const answered = isKnown ? now() : Number.POSITIVE_INFINITY;
    for (const key of keys) noted.push({ key, timed: { done, begun, answered } });
  };
  /** 'unknown' where the outcome is. */
  const outcome = async (write: Promise<unknown>): Promise<'done' | 'not done' | 'unknown'> => {
    try {
      await write;
      return 'done';
    } catch (error) {
      if (!(error instanceof OmenError)) throw error;
      if (NOT_DONE.includes(error.code)) return 'not done';
      if (error.code === 'OMEN_OUTCOME_UNKNOWN') return 'unknown';
      throw error;
    }
  };
  const put = async (keys: readonly number[], stamp: State): Promise<void> => {
    const begun = now();
    const write =
      keys.length > 1
        ? db.batch(keys.map((key) => operationOf(key, stamp)))
        : stamp === null
          ? db.del(keys[0])
          : db.put(keys[0], { stamp });
    const ended = await outcome(write);
    if (ended !== 'not done') note(keys, begun, { op: 'write', stamp }, ended === 'done');
  };
  const putIf = async (key: number): Promise<void> => {
    const stamp = random() < 0.3 ? null : newStamp();
    const kind = random();
    const seen = stampOf(key);
    const wanted = kind < 0.3 ? null : kind < 0.5 ? 'any' : seen;
    const condition =
      wanted === null ? 'absent' : wanted === 'any' ? 'present' : { equals: { stamp: wanted } };
    const begun = now();
    const write =
      stamp === null ? db.del(key, { if: condition }) : db.put(key, { stamp }, { if: condition });
    const ended = await outcome(write);
    const isDone = ended !== 'not done';
    note([key], begun, { op: 'writeIf', wanted, stamp, isDone }, ended !== 'unknown');
  };
  const update = async (key: number): Promise<void> => {
    const begun = now();
    const stamp = newStamp();
    let found: State = null;
    const write = db.update(key, (row) => {
      found = row?.stamp ?? null;
      return { stamp };
    });
    const ended = await outcome(write);
    if (ended !== 'not done') note([key], begun, { op: 'update', found, stamp }, ended === 'done');
  };
  const get = (key: number): void => {
    const begun = now();
    const found = stampOf(key);
    note([key], begun, { op: 'get', found }, true);
  };
  const look = (): void => {
    using snapshot = db.snapshot();
    for (const [a, b] of PAIRS) {
      const both = [a, b].map((key) => snapshot.get(key)?.stamp);
      if (both[0] !== both[1]) faults.push(`a snapshot has ${both} of one batch`);
    }
    for (let other = 0; other < threads; other++) {
      // Read in the other order than they are written in.
      const second = snapshot.get(behind(other))?.stamp ?? 0;
      const first = snapshot.get(ahead(other))?.stamp ?? 0;
      if (second > first)
        faults.push(`a snapshot has a write, ${second}, and not the one before it`);
    }
  };
  /** Each of the writes is begun when the one before it was answered. */
  const follow = async (): Promise<void> => {
    if (lane > 0) return;
    const stamp = newStamp();
    await outcome(db.put(ahead(thread), { stamp }));
    await outcome(db.put(behind(thread), { stamp }));
  };

  for (let i = 0; i < operations; i++) {
    const kind = random();
    if (kind < 0.35) get(pick(KEYS));
    else if (kind < 0.5) await put([pick(KEYS)], newStamp());
    else if (kind < 0.57) await put([pick(KEYS)], null);
    else if (kind < 0.68) await putIf(pick(KEYS));
    else if (kind < 0.76) await update(pick(KEYS));
    else if (kind < 0.84) await put([...new Set([pick(KEYS), pick(KEYS), pick(KEYS)])], newStamp());
    else if (kind < 0.91) await put(pick(PAIRS), newStamp());
    else if (kind < 0.95) await follow();
    else look();
    // A read does not wait: others have a turn.
    if (random() < 0.2) await new Promise((resolve) => setImmediate(resolve));
  }
  return { noted, faults };
}

function operationOf(key: number, stamp: State) {
  return stamp === null
    ? ({ type: 'del', key } as const)
    : ({ type: 'put', key, value: { stamp } } as const);
}
