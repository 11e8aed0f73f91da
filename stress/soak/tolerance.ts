/** Which errors writes may meet at the moment, in words of shared memory: what no fault explains is one. */

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

export function setTolerance(words: Int32Array, { refused, unknown }: Tolerance): void {
  Atomics.store(words, REFUSED, Number(refused));
  Atomics.store(words, UNKNOWN, Number(unknown));
}

export function mayBeRefused(words: Int32Array): boolean {
  return Atomics.load(words, REFUSED) !== 0;
}

export function mayBeUnknown(words: Int32Array): boolean {
  return Atomics.load(words, UNKNOWN) !== 0;
}
