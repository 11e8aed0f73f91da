/** Rings as tests need them: with the counters where a test wants them. */
import { createRing } from '../../src/ring/ring.ts';

/** The control words that ring.ts describes, as indices of an Int32Array over the whole buffer. */
export const TAIL_WORD = 0;
export const HEAD_WORD = 32;

/** An empty ring whose counters stand at `start` (modulo 2^32, a multiple of 8). */
export function ringAt(capacityBytes: number, start: number): SharedArrayBuffer {
  const memory = createRing(capacityBytes);
  const control = new Int32Array(memory);
  control[TAIL_WORD] = start;
  control[HEAD_WORD] = start;
  return memory;
}
