/**
 * What a look-up is expected to take, in nanoseconds: that by which training chooses among shapes.
 *
 * A look-up goes down some levels, reads a cell, and searches outward from the prediction. Each of
 * these either waits for a line of memory or makes the processor guess a branch:
 * - A line costs what the smallest cache costs in which all lines read as often fit. A quarter of the
 *   second cache counts as all of it: the rest is for keys and rows.
 * - One more level costs the arithmetic of a node, two lines, and a mispredicted branch, because the
 *   next key stops a level earlier; that also keeps the next look-up from overlapping with this one.
 * - Reading ahead asks memory for the lines some positions around the prediction, of keys and of rows:
 *   the farther off a prediction is, the likelier it has asked for the wrong ones.
 * - A prediction off by no more than the window that is searched without a branch costs nothing else.
 *   One beyond it costs a mispredicted branch, and something for each doubling of the distance.
 *
 * The figures were fitted to look-ups in models of different shapes over the same keys, measured in
 * turns at 1 M and 10 M keys. Only their proportions matter, and not much: shapes near the cheapest
 * cost nearly the same. What a wrong estimate costs is time, never an answer, nor the bounds that
 * training keeps.
 */
import { WINDOW } from './f64-index.ts';
import { WINDOW as FINGERPRINTS } from './fingerprints.ts';
import type { KeyForm } from './model.ts';

/** A node with separators finds its cell a bit after the other: each costs this. */
export const SEPARATOR_BIT_NS = 12;

const NODE_NS = 8;
const MISPREDICTED_NS = 12;
const DOUBLING_NS = 10;
/** A look-up that cannot overlap with the next one. */
const APART_NS = 20;
/** Bytes are taken for a number anew at each level. */
const BYTES_LEVEL_NS = 80;
/** The search among them, for each doubling of the distance beyond the window of fingerprints. */
const BYTES_SEARCHED_NS = 40;
/** That window begins with a whole word of fingerprints: so far it goes from any prediction. */
const FINGERPRINTED = FINGERPRINTS / 2 - 4;

/** Up to this size lines cost little, beyond it they are in ever slower memory. */
const NEAR_BYTES = 2 ** 18;
const NEAREST_BYTES = 2 ** 14;
const FAR_DOUBLING_NS = 10;
const LINE_NS_MAX = 90;

/** What a line costs of so many bytes that are read as often. */
export function lineNs(bytes: number): number {
  const near = Math.log2(1 + Math.min(bytes, NEAR_BYTES) / NEAREST_BYTES);
  const far = Math.max(0, Math.log2(bytes / NEAR_BYTES)) * FAR_DOUBLING_NS;
  return Math.min(near + far, LINE_NS_MAX);
}

export interface Costs {
  readonly keyCount: number;
  /** One more level, for a key that has to go down it. */
  readonly level: number;
  /** The search from a prediction that is off by so many positions; the last entry is of all beyond. */
  readonly search: Float64Array;
}

/** An index is an eighth of a byte a key, or so. */
const KEYS_PER_MODEL_BYTE = 8;
const BYTES_PER_KEY = 8;
const KEYS_PER_LINE = 8;
/** Every line that has a key so near to the prediction is read ahead. */
const READ_AHEAD = 3;
export const SEARCHED_MAX = 64;

/** For a model of so many keys. */
export function costsOf(form: KeyForm, keyCount: number): Costs {
  const level = NODE_NS + MISPREDICTED_NS + APART_NS + 2 * lineNs(keyCount / KEYS_PER_MODEL_BYTE);
  const errors = Array.from({ length: SEARCHED_MAX + 1 }, (_, error) => error);
  if (form === 'bytes') {
    const search = Float64Array.from(
      errors,
      (error) => BYTES_SEARCHED_NS * doublings(Math.floor(error / FINGERPRINTED)),
    );
    return { keyCount, level: level + BYTES_LEVEL_NS, search };
  }
  const line = lineNs(keyCount * BYTES_PER_KEY);
  const search = Float64Array.from(errors, (error) => {
    const missed = Math.min(Math.max(error - READ_AHEAD, 0) / KEYS_PER_LINE, 1);
    const beyond = doublings(Math.floor(error / (WINDOW / 2)));
    return missed * line + (beyond > 0 ? APART_NS + MISPREDICTED_NS + beyond * DOUBLING_NS : 0);
  });
  return { keyCount, level, search };
}

function doublings(distance: number): number {
  return 32 - Math.clz32(distance);
}
