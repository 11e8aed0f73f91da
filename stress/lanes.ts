/**
 * What a process writes until it is killed: lanes of steps, each lane with keys of its own and one step
 * under way at a time. A step follows from seed, lane and number, so what a lane must hold is known from
 * how many of its steps were acknowledged: their outcome, or that of one step more.
 */
import { seededRandom } from '../src/storage/model-file.ts';

export const LANES = 6;
const KEYS_PER_LANE = 48;
const KEYS_APART = 1000;
const BATCH_MAX = 12;

export interface Row {
  readonly version: number;
  readonly note: string | null;
}

export type Operation =
  | { readonly type: 'put'; readonly key: number; readonly value: Row }
  | { readonly type: 'del'; readonly key: number };

/** The rows of a lane, each told by the number of the step that wrote it. */
export type State = Map<number, number>;

/** Every key of the lane is in it, and no other lane's. */
export function keysOf(lane: number): { gte: number; lt: number } {
  return { gte: lane * KEYS_APART, lt: (lane + 1) * KEYS_APART };
}

/** Every byte of a row follows from its key and the step that wrote it. */
export function rowOf(key: number, step: number): Row {
  return { version: step, note: step % 3 === 0 ? null : `${key}:${step};`.repeat(step % 7) };
}

/** Step number `step` (from 1) of a lane: one operation, or a batch of keys that differ. */
export function stepOf(seed: number, lane: number, step: number): Operation[] {
  const random = seededRandom(seed * 1009 + lane * 7919 + step * 104729);
  const count = random() < 0.5 ? 1 : 2 + Math.floor(random() * (BATCH_MAX - 1));
  const keys = new Set<number>();
  while (keys.size < count) {
    keys.add(lane * KEYS_APART + Math.floor(random() * KEYS_PER_LANE));
  }
  return [...keys].map((key) =>
    random() < 0.25 ? { type: 'del', key } : { type: 'put', key, value: rowOf(key, step) },
  );
}

/** The state that a lane has after one step more. */
export function after(state: State, operations: readonly Operation[]): State {
  const next = new Map(state);
  for (const { type, key, ...rest } of operations) {
    if (type === 'del') next.delete(key);
    else if ('value' in rest) next.set(key, rest.value.version);
  }
  return next;
}

export function emptyState(): State {
  return new Map();
}

export function isSame(a: State, b: State): boolean {
  return a.size === b.size && [...a].every(([key, version]) => b.get(key) === version);
}
