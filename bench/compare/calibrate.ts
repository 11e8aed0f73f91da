/**
 * A piece of work that is always the same, and that no change of an engine makes quicker: dependent reads all
 * over 32 MiB, and arithmetic on what they find. What it takes says how the machine is doing.
 */
const WORDS = 2 ** 23;
const STEPS = 200_000;

let ring: Uint32Array | null = null;

/** A cycle through all words in random order (Sattolo). */
function cycle(): Uint32Array {
  const next = Uint32Array.from({ length: WORDS }, (_, i) => i);
  let state = 1;
  for (let i = WORDS - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * i);
    [next[i], next[j]] = [next[j], next[i]];
  }
  return next;
}

/** Nanoseconds a step. */
export function calibrate(): number {
  ring ??= cycle();
  let [at, sum] = [0, 0];
  const start = performance.now();
  for (let i = 0; i < STEPS; i++) {
    at = ring[at];
    sum = (sum * 31 + at) % 1_000_003;
  }
  const elapsed = performance.now() - start;
  if (!Number.isFinite(sum)) throw new Error('The sum is no number.');
  return (elapsed * 1e6) / STEPS;
}
