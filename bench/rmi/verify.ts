/**
 * Whether our index answers right: every key at its position, and beside each a key that is absent,
 * in turns one below, one above and halfway to the next, and some beyond the ends.
 */
import type { F64Index, WordIndex } from '../../src/rmi/index.ts';
import type { NumberSet, WordSet } from './key-sets.ts';
import type { Subject } from './subject.ts';

export interface Verified {
  readonly present: number;
  readonly absent: number;
}

/** @throws at the first wrong answer */
export function verify(subject: Subject): Verified {
  return subject.form === 'f64'
    ? verifyNumbers(subject.index, subject.set)
    : verifyWords(subject.index, subject.set);
}

function verifyNumbers(index: F64Index, set: NumberSet): Verified {
  let absent = 0;
  eachProbe(set, (key, bound, found) => {
    if (index.find(key) !== found || index.lowerBound(key) !== bound) refuse(key, bound);
    if (found < 0) absent++;
  });
  return { present: set.count, absent };
}

/** Calls with each key to look for, its lower bound, and its position, −1 where it is absent. */
export function eachProbe(
  { keys, count }: NumberSet,
  demand: (key: number, bound: number, found: number) => void,
): void {
  for (let p = 0; p < count; p++) {
    const key = keys[p];
    demand(key, p, p);
    const next = p + 1 < count ? keys[p + 1] : Infinity;
    const middle = key + (next - key) / 2;
    const neighbour = p % 3 === 0 ? key + 1 : p % 3 === 1 ? next - 1 : middle;
    const beside = key < neighbour && neighbour < next ? neighbour : middle;
    if (key < beside && beside < next) demand(beside, p + 1, -1);
  }
  for (const below of [-Infinity, keys[0] - 1, 2 * keys[0]])
    if (below < keys[0]) demand(below, 0, -1);
  const last = keys[count - 1];
  for (const above of [Infinity, last + 1, 2 * last]) if (above > last) demand(above, count, -1);
}

function verifyWords(index: WordIndex, { keys, count }: WordSet): Verified {
  let absent = 0;
  const demand = (hi: number, lo: number, bound: number, found: number): void => {
    if (index.find(lo, hi) !== found || index.lowerBound(lo, hi) !== bound) {
      refuse((BigInt(hi) << 32n) | BigInt(lo), bound);
    }
    if (found < 0) absent++;
  };
  for (let p = 0; p < count; p++) {
    const lo = keys[2 * p];
    const hi = keys[2 * p + 1];
    demand(hi, lo, p, p);
    if (p + 1 === count) break;
    // The halves of the gap to the next key, in words; a gap of one has nobody in it.
    const nextLo = keys[2 * p + 2];
    const nextHi = keys[2 * p + 3];
    const gapHi = nextHi - hi - Number(nextLo < lo);
    const gapLo = (nextLo - lo) >>> 0;
    if (gapHi === 0 && gapLo === 1) continue;
    const kind = p % 3;
    const stepLo = kind === 0 ? 1 : kind === 1 ? gapLo - 1 : ((gapHi & 1) << 31) | (gapLo >>> 1);
    const stepHi = kind === 0 ? 0 : kind === 1 ? gapHi - Number(gapLo === 0) : gapHi >>> 1;
    const sum = lo + (stepLo >>> 0);
    demand(hi + stepHi + Number(sum > 0xffffffff), sum >>> 0, p + 1, -1);
  }
  if (keys[0] + keys[1] > 0) demand(0, 0, 0, -1);
  if (keys[2 * count - 1] < 0xffffffff) demand(0xffffffff, 0xffffffff, count, -1);
  return { present: count, absent };
}

function refuse(key: number | bigint, bound: number): never {
  throw new Error(`The index answers wrong about the key ${key}, whose lower bound is ${bound}.`);
}
