/**
 * What an aggregate knows of the values of one column seen so far: plain data, so that it crosses
 * threads, and that of two parts of the rows merges into that of both.
 *
 * - Sums of integers are exact, however large. Sums of floats carry a compensation (Neumaier 1974).
 * - Spread around the mean is merged as by Chan, Golub and LeVeque (1979).
 * - Distinct values are exact up to DISTINCT_EXACT_MAX; beyond, a HyperLogLog of 2^14 registers with
 *   Ertl's estimator (2017), whose standard error is 0.81 %.
 * - Quantiles are a DDSketch (Masson, Rim, Lee 2019): within QUANTILE_ERROR of the true value, relative
 *   to it.
 */

import { murmurFinish, murmurStep } from '../schema/murmur.ts';

export interface Moments {
  /** How many values, those that are NaN among them. */
  count: number;
  nans: number;
  /** Over all that are not NaN; null where there are none. A bigint only beyond ±(2^53 − 1). */
  min: number | bigint | null;
  max: number | bigint | null;
  /** The sum is all three together; `whole` is what was taken from the other two of integers. */
  sum: number;
  rest: number;
  whole: bigint;
  /** The mean is the sum of both: of large values that lie close together it has to be exact. */
  origin: number;
  mean: number;
  spread: number;
}

export function newMoments(): Moments {
  return {
    ...{ count: 0, nans: 0, min: null, max: null },
    ...{ sum: 0, rest: 0, whole: 0n, origin: 0, mean: 0, spread: 0 },
  };
}

/** What a page of values comes to; `sum` of integers is exact. */
export interface PageMoments {
  readonly count: number;
  readonly nans: number;
  readonly min: number;
  readonly max: number;
  readonly sum: number;
  readonly spread: number;
}

export function addPage(to: Moments, page: PageMoments, isInteger: boolean): void {
  const numbers = page.count - page.nans;
  if (numbers > 0) {
    if (to.min === null || page.min < to.min) to.min = page.min;
    if (to.max === null || page.max > to.max) to.max = page.max;
    const mean = (page.sum - numbers * page.min) / numbers;
    addSpread(to, numbers, page.min, mean, page.spread);
    addSum(to, page.sum, isInteger);
  }
  to.count += page.count;
  to.nans += page.nans;
}

export function addValue(to: Moments, value: number | bigint, isInteger: boolean): void {
  const number = Number(value);
  if (Number.isNaN(number)) {
    to.nans++;
    to.count++;
    return;
  }
  if (to.min === null || value < to.min) to.min = value;
  if (to.max === null || value > to.max) to.max = value;
  addSpread(to, 1, number, 0, 0);
  if (typeof value === 'bigint') to.whole += value;
  else addSum(to, value, isInteger);
  to.count++;
}

/** Called before `count` is raised. */
function addSpread(to: Moments, count: number, origin: number, mean: number, spread: number): void {
  const before = to.count - to.nans;
  if (before === 0) {
    to.origin = origin;
    to.mean = mean;
    to.spread = spread;
    return;
  }
  const all = before + count;
  const difference = origin - to.origin + (mean - to.mean);
  to.mean += (difference * count) / all;
  to.spread += spread + difference * difference * ((before * count) / all);
}

function addSum(to: Moments, value: number, isInteger: boolean): void {
  const sum = to.sum + value;
  if (isInteger) {
    if (Number.isSafeInteger(sum)) {
      to.sum = sum;
    } else {
      to.whole += BigInt(to.sum) + BigInt(value);
      to.sum = 0;
    }
    return;
  }
  // An infinity has no rest.
  if (Number.isFinite(sum)) {
    to.rest += Math.abs(to.sum) >= Math.abs(value) ? to.sum - sum + value : value - sum + to.sum;
  }
  to.sum = sum;
}

export function mergeMoments(to: Moments, from: Moments, isInteger: boolean): void {
  const numbers = from.count - from.nans;
  if (numbers > 0) {
    if (to.min === null || (from.min !== null && from.min < to.min)) to.min = from.min;
    if (to.max === null || (from.max !== null && from.max > to.max)) to.max = from.max;
    addSpread(to, numbers, from.origin, from.mean, from.spread);
    addSum(to, from.sum, isInteger);
    to.rest += from.rest;
    to.whole += from.whole;
  }
  to.count += from.count;
  to.nans += from.nans;
}

export type Primitive = number | bigint | string | boolean;

export const DISTINCT_EXACT_MAX = 4096;
const REGISTER_BITS = 14;
const REGISTERS = 2 ** REGISTER_BITS;
const RANK_MAX = 33;

/** Either the values themselves or the registers. */
export interface Distinct {
  values: Set<Primitive> | null;
  registers: Uint8Array | null;
}

export function newDistinct(): Distinct {
  return { values: new Set(), registers: null };
}

export function addDistinct(to: Distinct, value: Primitive): void {
  if (to.values === null) {
    addHash(to.registers as Uint8Array, value);
    return;
  }
  to.values.add(value);
  if (to.values.size <= DISTINCT_EXACT_MAX) return;
  const registers = new Uint8Array(REGISTERS);
  for (const one of to.values) addHash(registers, one);
  to.registers = registers;
  to.values = null;
}

export function mergeDistinct(to: Distinct, from: Distinct): void {
  if (from.values !== null) {
    for (const value of from.values) addDistinct(to, value);
    return;
  }
  if (to.values !== null) {
    const registers = new Uint8Array(REGISTERS);
    for (const value of to.values) addHash(registers, value);
    to.registers = registers;
    to.values = null;
  }
  const [mine, others] = [to.registers, from.registers];
  if (mine === null || others === null) return;
  for (let i = 0; i < REGISTERS; i++) mine[i] = Math.max(mine[i], others[i]);
}

export function countDistinct({ values, registers }: Distinct): number {
  return values === null ? Math.round(estimate(registers as Uint8Array)) : values.size;
}

const scratch = new Float64Array(1);
const scratchWords = new Int32Array(scratch.buffer);

function addHash(registers: Uint8Array, value: Primitive): void {
  let one = 0x9747b28c;
  let other = 0x85ebca6b;
  if (typeof value === 'number' || typeof value === 'boolean') {
    // Minus zero is zero, and there is one NaN.
    scratch[0] = Number(value) + 0;
    if (Number.isNaN(value)) scratch[0] = Number.NaN;
    one = murmurStep(murmurStep(one, scratchWords[0]), scratchWords[1]);
    other = murmurStep(murmurStep(other, scratchWords[1]), scratchWords[0]);
  } else {
    const text = String(value);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      one = murmurStep(one, code);
      other = murmurStep(other, code);
    }
    one = murmurStep(one, text.length);
  }
  const register = murmurFinish(one) >>> (32 - REGISTER_BITS);
  const rank = Math.clz32(murmurFinish(other)) + 1;
  if (rank > registers[register]) registers[register] = rank;
}

/** Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), algorithm 6. */
function estimate(registers: Uint8Array): number {
  const counts = new Float64Array(RANK_MAX + 1);
  for (const rank of registers) counts[rank]++;
  let z = REGISTERS * tau(1 - counts[RANK_MAX] / REGISTERS);
  for (let rank = RANK_MAX - 1; rank >= 1; rank--) z = 0.5 * (z + counts[rank]);
  z += REGISTERS * sigma(counts[0] / REGISTERS);
  return (REGISTERS * REGISTERS) / (2 * Math.LN2 * z);
}

function sigma(start: number): number {
  if (start === 1) return Number.POSITIVE_INFINITY;
  let [x, y, z, before] = [start, 1, start, -1];
  while (z !== before) {
    x *= x;
    before = z;
    z += x * y;
    y += y;
  }
  return z;
}

function tau(start: number): number {
  if (start === 0 || start === 1) return 0;
  let [x, y, z, before] = [start, 1, 1 - start, -1];
  while (z !== before) {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) ** 2 * y;
  }
  return z / 3;
}

export const QUANTILE_ERROR = 0.005;
const GAMMA_LOG = Math.log((1 + QUANTILE_ERROR) / (1 - QUANTILE_ERROR));

/** How many values fall in each bin of magnitudes, of either sign. */
export interface Sketch {
  readonly above: Map<number, number>;
  readonly below: Map<number, number>;
  zeros: number;
  count: number;
}

export function newSketch(): Sketch {
  return { above: new Map(), below: new Map(), zeros: 0, count: 0 };
}

/** A NaN is left out. */
export function addToSketch(to: Sketch, value: number): void {
  if (Number.isNaN(value)) return;
  to.count++;
  if (value === 0) {
    to.zeros++;
    return;
  }
  const bins = value > 0 ? to.above : to.below;
  const bin = Math.ceil(Math.log(Math.abs(value)) / GAMMA_LOG);
  bins.set(bin, (bins.get(bin) ?? 0) + 1);
}

export function mergeSketches(to: Sketch, from: Sketch): void {
  for (const side of ['above', 'below'] as const) {
    for (const [bin, count] of from[side]) to[side].set(bin, (to[side].get(bin) ?? 0) + count);
  }
  to.zeros += from.zeros;
  to.count += from.count;
}

/** The value that a part `q` of all values, from 0 to 1, is not above; null of none. */
export function quantileOf({ above, below, zeros, count }: Sketch, q: number): number | null {
  if (count === 0) return null;
  const rank = Math.floor(q * (count - 1));
  let seen = 0;
  for (const [bin, values] of [...below].sort(([a], [b]) => b - a)) {
    seen += values;
    if (seen > rank) return -magnitudeOf(bin);
  }
  seen += zeros;
  if (seen > rank) return 0;
  for (const [bin, values] of [...above].sort(([a], [b]) => a - b)) {
    seen += values;
    if (seen > rank) return magnitudeOf(bin);
  }
  return null;
}

function magnitudeOf(bin: number): number {
  if (!Number.isFinite(bin)) return bin;
  // The middle of the bin, in relation to its ends.
  return Math.exp(bin * GAMMA_LOG + Math.log(1 - QUANTILE_ERROR));
}
