/**
 * Our index over keys of any length, by itself: trained, proved right, and timed against plain binary
 * search over the same bytes. The other designs predict from numbers and have no part in it.
 */
import { BytesIndex, trainBytes } from '../../src/rmi/index.ts';
import {
  compareStretches,
  hashBytes,
  type KeyBytes,
  type KeyMemory,
  keyMemory,
} from '../../src/schema/key-bytes.ts';
import type { ByteSet } from './byte-set.ts';
import { type Contender, inTurns, randomPositions } from './measure.ts';
import type { IndexResult } from './measure-set.ts';
import { quickestTraining, trainingOf } from './subject.ts';
import type { Verified } from './verify.ts';

const FAR_KEY = memoryOf(Buffer.alloc(64, 0xff));

export function memoryOf(bytes: Buffer): KeyMemory {
  return keyMemory(bytes.buffer, bytes.byteOffset, bytes.length);
}

export function measureByteIndex(
  set: ByteSet,
  { probes, rounds }: { readonly probes: number; readonly rounds: number },
  onProgress: (what: string) => void,
): IndexResult {
  const { offsets, count } = set;
  const keys = memoryOf(set.bytes);
  onProgress('training');
  const [model, keysPerSecond] = quickestTraining(() => trainBytes(keys, offsets, count), count);
  const index = new BytesIndex(keys, offsets, count, model);
  const training = trainingOf(model, keysPerSecond);
  onProgress('looking every key up');
  const verified = verifyBytes(index, set);
  onProgress('timing look-ups');
  const wanted = randomPositions(count, probes, 7);
  const ns = inTurns(
    { ours: learned(index, set, wanted), binary: bisection(set, wanted) },
    probes,
    rounds,
  );
  return {
    training,
    verified,
    rivals: [
      {
        design: 'omendb',
        size: 'every key',
        search: 'outward',
        bytes: training.bytes,
        ns: ns.ours,
      },
      { design: 'binary', size: 'no index', search: 'bisection', bytes: 0, ns: ns.binary },
    ],
    languages: null,
    picture: null,
  };
}

/**
 * Every key at its position; and beside each an absent one, in turns the key with a zero behind it and
 * the key without its last byte, unless the set has those; and what is beyond the ends.
 * @throws at the first wrong answer
 */
export function verifyBytes(index: BytesIndex, { bytes, offsets, count }: ByteSet): Verified {
  const keys = memoryOf(bytes);
  const key: KeyBytes = { memory: keys, start: 0, end: 0 };
  const scratch = keyMemory(new ArrayBuffer(1 + longest(offsets)));
  let absent = 0;
  const demand = (memory: KeyMemory, start: number, end: number, bound: number, found: number) => {
    key.memory = memory;
    key.start = start;
    key.end = end;
    const hash = hashBytes(memory, start, end);
    if (index.find(key, hash) !== found || index.lowerBound(key) !== bound) {
      const name = memory.buffer.toString('latin1', start, end);
      throw new Error(`The index answers wrong about "${name}", whose lower bound is ${bound}.`);
    }
    if (found < 0) absent++;
  };
  for (let p = 0; p < count; p++) {
    const start = offsets[p];
    const end = offsets[p + 1];
    demand(keys, start, end, p, p);
    if (p % 2 === 0) {
      bytes.copy(scratch.buffer, 0, start, end);
      scratch.buffer[end - start] = 0;
      const length = end - start + 1;
      const isThere =
        p + 1 < count && compareStretches(scratch, 0, length, keys, end, offsets[p + 2]) === 0;
      if (!isThere) demand(scratch, 0, length, p + 1, -1);
    } else if (compareStretches(keys, start, end - 1, keys, offsets[p - 1], start) > 0) {
      demand(keys, start, end - 1, p, -1);
    }
  }
  if (offsets[1] > 0) demand(keys, 0, 0, 0, -1);
  demand(FAR_KEY, 0, FAR_KEY.buffer.length, count, -1);
  return { present: count, absent };
}

function longest(offsets: Int32Array): number {
  let length = 0;
  for (let i = 1; i < offsets.length; i++) length = Math.max(length, offsets[i] - offsets[i - 1]);
  return length;
}

/** The keys that are wanted, end to end by themselves: not where the index reads its own. */
function copied({ bytes, offsets }: ByteSet, wanted: Uint32Array) {
  const ends = new Float64Array(wanted.length);
  let length = 0;
  wanted.forEach((position, i) => {
    length += offsets[position + 1] - offsets[position];
    ends[i] = length;
  });
  const buffer = Buffer.alloc(length);
  wanted.forEach((position, i) => {
    bytes.copy(buffer, i === 0 ? 0 : ends[i - 1], offsets[position], offsets[position + 1]);
  });
  return { memory: memoryOf(buffer), ends };
}

function learned(index: BytesIndex, set: ByteSet, wanted: Uint32Array): Contender {
  const { memory, ends } = copied(set, wanted);
  const key: KeyBytes = { memory, start: 0, end: 0 };
  return (from, to) => {
    let sum = 0;
    for (let i = from; i < to; i++) {
      key.start = i === 0 ? 0 : ends[i - 1];
      key.end = ends[i];
      sum += index.find(key, hashBytes(memory, key.start, key.end));
    }
    return sum;
  };
}

function bisection(set: ByteSet, wanted: Uint32Array): Contender {
  const { offsets, count } = set;
  const keys = memoryOf(set.bytes);
  const { memory, ends } = copied(set, wanted);
  return (from, to) => {
    let sum = 0;
    for (let i = from; i < to; i++) {
      const start = i === 0 ? 0 : ends[i - 1];
      let low = 0;
      let high = count;
      while (low < high) {
        const middle = (low + high) >>> 1;
        const order = compareStretches(
          keys,
          offsets[middle],
          offsets[middle + 1],
          memory,
          start,
          ends[i],
        );
        if (order < 0) low = middle + 1;
        else high = middle;
      }
      sum += low;
    }
    return sum;
  };
}
