/** The loop that gets are timed in. Loaded anew for each store, so that V8 compiles it for that one. */
import type { Keys, Store } from './stores.ts';

export interface Probes {
  readonly keys: Keys;
  /** What each key's value is. */
  readonly values: Uint32Array;
}

/** Nanoseconds a key. @throws when an answer is wrong */
export function timeGets(store: Store, { keys, values }: Probes): number {
  const start = performance.now();
  let wrong = 0;
  for (let i = 0; i < keys.length; i++) if (store.get(keys[i]) !== values[i]) wrong++;
  return perKey(start, wrong, keys.length);
}

/** The same of `getMany`, so many keys a call. */
export function timeGetMany(store: Store, { keys, values }: Probes, batch: number): number {
  const batches = inBatches(keys, batch);
  const start = performance.now();
  let right = 0;
  let i = 0;
  for (const some of batches) {
    for (const row of store.getMany?.(some) ?? []) if (row.value === values[i++]) right++;
  }
  return perKey(start, keys.length - right, keys.length);
}

/** The same of `getColumn`. */
export function timeGetColumn(store: Store, { keys, values }: Probes, batch: number): number {
  const batches = inBatches(keys, batch);
  const start = performance.now();
  let right = 0;
  let first = 0;
  for (const some of batches) {
    const column = store.getColumn?.(some) ?? [];
    for (let i = 0; i < some.length; i++) if (column[i] === values[first + i]) right++;
    first += some.length;
  }
  return perKey(start, keys.length - right, keys.length);
}

function inBatches(keys: Keys, batch: number): Keys[] {
  const count = Math.ceil(keys.length / batch);
  return Array.from({ length: count }, (_, i) => keys.slice(i * batch, (i + 1) * batch));
}

function perKey(start: number, wrong: number, count: number): number {
  const elapsed = performance.now() - start;
  if (wrong > 0) throw new Error(`${wrong} of ${count} answers are wrong.`);
  return (elapsed * 1e6) / count;
}
