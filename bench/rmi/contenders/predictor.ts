/**
 * What the learned indexes that ours is measured against have in common. A key is given to them as
 * its distance from the first key, a double: exact for numbers, rounded once for 64-bit integers, so
 * never descending. Whatever they predict, the search that follows compares whole keys.
 */
import type { FixedSet } from '../key-sets.ts';

export interface Predictor {
  /** What the index takes, without the keys. */
  readonly bytes: number;
  /** After `predict`: how far off it is at most, in whole positions, for a key that is there. */
  readonly radius: number;
  /** About where the key stands. */
  predict(x: number): number;
}

/** Distances of all keys from the first, ascending. */
export type Distances = Float64Array;

const TWO_32 = 4294967296;

export function distancesOf(set: FixedSet): Distances {
  const { keys, count } = set;
  const distances = new Float64Array(count);
  if (set.form === 'f64') {
    for (let p = 0; p < count; p++) distances[p] = keys[p] - keys[0];
  } else {
    for (let p = 0; p < count; p++) {
      distances[p] = (keys[2 * p + 1] - keys[1]) * TWO_32 + (keys[2 * p] - keys[0]);
    }
  }
  return distances;
}
