/** Loops over 64-bit integers as [lo, hi] pairs. Loaded anew for each contender, see `loops.ts`. */
import { strict as assert } from 'node:assert';
import type { Contender } from '../measure.ts';
import type { Subject } from '../subject.ts';
import { ASKED_AFTER, ASKED_BEFORE, type Loops, STAGE_KEYS, type Wanted } from './loops.ts';
import type { Predictor } from './predictor.ts';

const TWO_32 = 4294967296;

/** Only so that asking has a use. */
export let asked = 0;

export function loopsOver(subject: Subject, which: Wanted): Loops {
  assert(subject.form === 'words');
  const { index } = subject;
  const { keys, count } = subject.set;
  const wanted = which === 'all' ? keys : subject.wanted;
  const firstLo = keys[0];
  const firstHi = keys[1];
  const bytes = new Uint8Array(keys.buffer, keys.byteOffset, keys.byteLength);
  const last = Math.max(count - 1 - ASKED_AFTER, ASKED_BEFORE);
  const ask = (position: number): void => {
    const at = Math.min(Math.max(position, ASKED_BEFORE), last);
    asked = bytes[(at - ASKED_BEFORE) << 3] + bytes[(at + ASKED_AFTER) << 3];
  };

  const ours = (): Contender => (from, to) => {
    let sum = 0;
    for (let i = 2 * from; i < 2 * to; i += 2) sum += index.find(wanted[i], wanted[i + 1]);
    return sum;
  };

  const oursAsking = (): Contender => (from, to) => {
    let sum = 0;
    for (let i = 2 * from; i < 2 * to; i += 2) {
      const lo = wanted[i];
      const hi = wanted[i + 1];
      const predicted = index.predict(lo, hi);
      ask(predicted);
      sum += index.findFrom(lo, hi, predicted);
    }
    return sum;
  };

  const oursInBatches = (): Contender => {
    const length = wanted.length / 2;
    const order = Uint32Array.from({ length }, (_, i) => i);
    const lo = Uint32Array.from(order, (i) => wanted[2 * i]);
    const hi = Uint32Array.from(order, (i) => wanted[2 * i + 1]);
    const found = new Int32Array(length);
    return (from, to) => {
      let sum = 0;
      for (let start = from; start < to; start += STAGE_KEYS) {
        const end = Math.min(start + STAGE_KEYS, to);
        index.predictMany(lo, hi, order, start, end, found);
        for (let i = start; i < end; i++) ask(found[i]);
        index.findFromMany(lo, hi, order, start, end, found);
        for (let i = start; i < end; i++) sum += found[i];
      }
      return sum;
    };
  };

  const bySample = (sample: Subject, step: number): Contender => {
    assert(sample.form === 'words');
    const coarse = sample.index;
    const half = step >>> 1;
    return (from, to) => {
      let sum = 0;
      for (let i = 2 * from; i < 2 * to; i += 2) {
        const lo = wanted[i];
        const hi = wanted[i + 1];
        const predicted = coarse.predict(lo, hi) * step + half;
        ask(predicted);
        sum += index.findFrom(lo, hi, predicted);
      }
      return sum;
    };
  };

  const outward =
    (model: Predictor): Contender =>
    (from, to) => {
      let sum = 0;
      for (let i = 2 * from; i < 2 * to; i += 2) {
        const lo = wanted[i];
        const hi = wanted[i + 1];
        const x = (hi - firstHi) * TWO_32 + (lo - firstLo);
        sum += index.findFrom(lo, hi, model.predict(x));
      }
      return sum;
    };

  const asking =
    (model: Predictor): Contender =>
    (from, to) => {
      let sum = 0;
      for (let i = 2 * from; i < 2 * to; i += 2) {
        const lo = wanted[i];
        const hi = wanted[i + 1];
        const predicted = model.predict((hi - firstHi) * TWO_32 + (lo - firstLo));
        ask(predicted);
        sum += index.findFrom(lo, hi, predicted);
      }
      return sum;
    };

  const within =
    (model: Predictor): Contender =>
    (from, to) => {
      let sum = 0;
      for (let i = 2 * from; i < 2 * to; i += 2) {
        const lo = wanted[i];
        const hi = wanted[i + 1];
        const predicted = model.predict((hi - firstHi) * TWO_32 + (lo - firstLo));
        const low = Math.max(predicted - model.radius, 0);
        const high = Math.min(predicted + model.radius + 1, count);
        sum += findWithin(keys, lo, hi, low, high);
      }
      return sum;
    };

  const bisection = (): Contender => (from, to) => {
    let sum = 0;
    for (let i = 2 * from; i < 2 * to; i += 2) {
      sum += bisect(keys, wanted[i], wanted[i + 1], count);
    }
    return sum;
  };

  const branchFree = (): Contender => (from, to) => {
    let sum = 0;
    for (let i = 2 * from; i < 2 * to; i += 2) {
      sum += findWithin(keys, wanted[i], wanted[i + 1], 0, count);
    }
    return sum;
  };

  return {
    ours,
    oursAsking,
    oursInBatches,
    bySample,
    outward,
    asking,
    within,
    bisection,
    branchFree,
  };
}

function bisect(keys: Uint32Array, lo: number, hi: number, count: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = keys[2 * middle + 1];
    if (found < hi || (found === hi && keys[2 * middle] < lo)) low = middle + 1;
    else high = middle;
  }
  return low < count && keys[2 * low] === lo && keys[2 * low + 1] === hi ? low : -1;
}

/** Among the keys in [from, to), which are some. */
function findWithin(keys: Uint32Array, lo: number, hi: number, from: number, to: number): number {
  let base = from;
  let length = to - from;
  while (length > 1) {
    const half = length >>> 1;
    const at = 2 * (base + half);
    const high = keys[at + 1];
    base += -(Number(high < hi) | (Number(high === hi) & Number(keys[at] <= lo))) & half;
    length -= half;
  }
  return keys[2 * base] === lo && keys[2 * base + 1] === hi ? base : -1;
}
