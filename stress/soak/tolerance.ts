/**
 * Which errors writes may meet, in words of shared memory: what no fault explains is one. A fault explains what
 * a write meets that is under way at any time while it lasts, though it is told later.
 */

/** Each counts how often it began to be so and ended: odd while it is. */
const REFUSED = 0;
const UNKNOWN = 1;

export function toleranceMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(8);
}

export interface Tolerance {
  /** Writes may be refused: there is no room. */
  readonly refused: boolean;
  /** The outcome of writes may be unknown, or their shard have failed. */
  readonly unknown: boolean;
}

/** Called by one thread. */
export function setTolerance(words: Int32Array, { refused, unknown }: Tolerance): void {
  const set = (word: number, holds: boolean): void => {
    if (isOdd(Atomics.load(words, word)) !== holds) Atomics.add(words, word, 1);
  };
  set(REFUSED, refused);
  set(UNKNOWN, unknown);
}

/** How things are as a write begins. */
export interface Begun {
  readonly refused: number;
  readonly unknown: number;
}

export function toleranceOf(words: Int32Array): Begun {
  return { refused: Atomics.load(words, REFUSED), unknown: Atomics.load(words, UNKNOWN) };
}

export function mayBeRefused(words: Int32Array, { refused }: Begun): boolean {
  return wasSince(Atomics.load(words, REFUSED), refused);
}

export function mayBeUnknown(words: Int32Array, { unknown }: Begun): boolean {
  return wasSince(Atomics.load(words, UNKNOWN), unknown);
}

const isOdd = (count: number): boolean => (count & 1) === 1;
const wasSince = (now: number, begun: number): boolean => isOdd(now) || now !== begun;
