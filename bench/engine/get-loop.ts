/** The loop that gets are timed in. Loaded anew for each store, so that V8 compiles it for that one. */
import type { Key, Store } from './stores.ts';

export interface Probes {
  readonly keys: Float64Array | readonly Key[];
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

/** The same, so many keys a call. */
export function timeGetMany(store: Store, { keys, values }: Probes, batch: number): number {
  const batches: (Float64Array | readonly Key[])[] = [];
  for (let i = 0; i < keys.length; i += batch) batches.push(keys.slice(i, i + batch));
  const start = performance.now();
  let wrong = 0;
  let i = 0;
  for (const some of batches) {
    for (const value of store.getMany?.(some) ?? []) if (value !== values[i++]) wrong++;
  }
  return perKey(start, wrong + keys.length - i, keys.length);
}

function perKey(start: number, wrong: number, count: number): number {
  const elapsed = performance.now() - start;
  if (wrong > 0) throw new Error(`${wrong} of ${count} answers are wrong.`);
  return (elapsed * 1e6) / count;
}
