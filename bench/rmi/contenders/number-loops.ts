/** Loops over numbers. Loaded anew for each contender, see `loops.ts`. */
import { strict as assert } from 'node:assert';
import type { Contender } from '../measure.ts';
import type { Subject } from '../subject.ts';
import { ASKED_AFTER, ASKED_BEFORE, type Loops, STAGE_KEYS, type Wanted } from './loops.ts';
import type { Predictor } from './predictor.ts';

/** Only so that asking has a use. */
export let asked = 0;

export function loopsOver(subject: Subject, which: Wanted): Loops {
  assert(subject.form === 'f64');
  const { index } = subject;
  const { keys } = subject.set;
  const wanted = which === 'all' ? keys : subject.wanted;
  const first = keys[0];
  const count = keys.length;
  const bytes = new Uint8Array(keys.buffer, keys.byteOffset, keys.byteLength);
  const last = Math.max(count - 1 - ASKED_AFTER, ASKED_BEFORE);
  const ask = (position: number): void => {
    const at = Math.min(Math.max(position, ASKED_BEFORE), last);
    asked = bytes[(at - ASKED_BEFORE) << 3] + bytes[(at + ASKED_AFTER) << 3];
  };

  const ours = (): Contender => (from, to) => {
    let sum = 0;
    for (let i = from; i < to; i++) sum += index.find(wanted[i]);
    return sum;
  };

  const oursAsking = (): Contender => (from, to) => {
    let sum = 0;
    for (let i = from; i < to; i++) {
      const key = wanted[i];
      const predicted = index.predict(key);
      ask(predicted);
      sum += index.findFrom(key, predicted);
    }
    return sum;
  };

  const oursInBatches = (): Contender => {
    const found = new Int32Array(wanted.length);
    return (from, to) => {
      let sum = 0;
      for (let start = from; start < to; start += STAGE_KEYS) {
        const end = Math.min(start + STAGE_KEYS, to);
        index.predictMany(wanted, start, end, found);
        for (let i = start; i < end; i++) ask(found[i]);
        index.findFromMany(wanted, start, end, found);
        for (let i = start; i < end; i++) sum += found[i];
      }
      return sum;
    };
  };

  const bySample = (sample: Subject, step: number): Contender => {
    assert(sample.form === 'f64');
    const coarse = sample.index;
    const half = step >>> 1;
    return (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const key = wanted[i];
        const predicted = coarse.predict(key) * step + half;
        ask(predicted);
        sum += index.findFrom(key, predicted);
      }
      return sum;
    };
  };

  const outward =
    (model: Predictor): Contender =>
    (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const key = wanted[i];
        sum += index.findFrom(key, model.predict(key - first));
      }
      return sum;
    };

  const asking =
    (model: Predictor): Contender =>
    (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const key = wanted[i];
        const predicted = model.predict(key - first);
        ask(predicted);
        sum += index.findFrom(key, predicted);
      }
      return sum;
    };

  const within =
    (model: Predictor): Contender =>
    (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const key = wanted[i];
        const predicted = model.predict(key - first);
        const low = Math.max(predicted - model.radius, 0);
        const high = Math.min(predicted + model.radius + 1, count);
        sum += findWithin(keys, key, low, high);
      }
      return sum;
    };

  const bisection = (): Contender => (from, to) => {
    let sum = 0;
    for (let i = from; i < to; i++) sum += bisect(keys, wanted[i], count);
    return sum;
  };

  const branchFree = (): Contender => (from, to) => {
    let sum = 0;
    for (let i = from; i < to; i++) sum += findWithin(keys, wanted[i], 0, count);
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

function bisect(keys: Float64Array, key: number, count: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low < count && keys[low] === key ? low : -1;
}

/** Among the keys in [from, to), which are some. */
function findWithin(keys: Float64Array, key: number, from: number, to: number): number {
  let base = from;
  let length = to - from;
  while (length > 1) {
    const half = length >>> 1;
    base += -Number(keys[base + half] <= key) & half;
    length -= half;
  }
  return keys[base] === key ? base : -1;
}
