/** What is measured on a set of fixed-width keys: our index over them, and keys to look for. */
import {
  F64Index,
  type Model,
  modelBytes,
  trainF64,
  trainWords,
  WordIndex,
} from '../../src/rmi/index.ts';
import type { FixedSet, NumberSet, WordSet } from './key-sets.ts';
import { randomPositions } from './measure.ts';
import { type Shape, shapeOf } from './shape.ts';

/** One of two, told apart by `form`. */
export type Subject =
  | {
      readonly form: 'f64';
      readonly set: NumberSet;
      readonly model: Model;
      readonly index: F64Index;
      /** Keys that are there, in random order, and where they stand. */
      readonly wanted: Float64Array;
      readonly positions: Uint32Array;
    }
  | {
      readonly form: 'words';
      readonly set: WordSet;
      readonly model: Model;
      readonly index: WordIndex;
      readonly wanted: Uint32Array;
      readonly positions: Uint32Array;
    };

export interface Training extends Shape {
  readonly keys: number;
  readonly keysPerSecond: number;
  readonly leaves: number;
  readonly depth: number;
  readonly windowMax: number;
  readonly bytes: number;
  readonly bytesPerKey: number;
}

const TRAININGS = 3;
/** Small sets are trained more often, for so long: else it would be compiling that is measured. */
const TRAINED_MS_MIN = 20;

export function trainSubject(set: FixedSet, probes: number): [Subject, Training] {
  const [model, keysPerSecond] = quickestTraining(
    () => (set.form === 'f64' ? trainF64(set.keys, set.count) : trainWords(set.keys, set.count)),
    set.count,
  );
  const subject = subjectOf(set, model, randomPositions(set.count, probes, 7));
  return [subject, trainingOf(model, keysPerSecond)];
}

/** A model, and how many keys a second the quickest of some trainings took. */
export function quickestTraining(train: () => Model, keys: number): [Model, number] {
  let quickest = Infinity;
  let model = train(); // warms up
  const until = performance.now() + TRAINED_MS_MIN;
  for (let trained = 0; trained < TRAININGS || performance.now() < until; trained++) {
    const begin = performance.now();
    model = train();
    quickest = Math.min(quickest, performance.now() - begin);
  }
  return [model, (1000 * keys) / quickest];
}

export function trainingOf(model: Model, keysPerSecond: number): Training {
  const bytes = modelBytes(model);
  return {
    ...shapeOf(model),
    keys: model.keyCount,
    keysPerSecond,
    leaves: model.leafCount,
    depth: model.depth,
    windowMax: model.windowMax,
    bytes,
    bytesPerKey: bytes / model.keyCount,
  };
}

function subjectOf(set: FixedSet, model: Model, positions: Uint32Array): Subject {
  if (set.form === 'f64') {
    const index = new F64Index(set.keys, set.count, model);
    const wanted = Float64Array.from(positions, (position) => set.keys[position]);
    return { form: 'f64', set, model, index, wanted, positions };
  }
  const index = new WordIndex(set.keys, set.count, model);
  const wanted = new Uint32Array(2 * positions.length);
  positions.forEach((position, i) => {
    wanted[2 * i] = set.keys[2 * position];
    wanted[2 * i + 1] = set.keys[2 * position + 1];
  });
  return { form: 'words', set, model, index, wanted, positions };
}

/** The same of every step-th key alone, with nothing wanted. */
export function sampleOf({ set }: Subject, step: number): Subject {
  const count = Math.ceil(set.count / step);
  if (set.form === 'f64') {
    const keys = Float64Array.from({ length: count }, (_, i) => set.keys[i * step]);
    return subjectOf({ ...set, count, keys }, trainF64(keys, count), new Uint32Array(0));
  }
  const keys = new Uint32Array(2 * count);
  for (let i = 0; i < count; i++) {
    keys[2 * i] = set.keys[2 * i * step];
    keys[2 * i + 1] = set.keys[2 * i * step + 1];
  }
  return subjectOf({ ...set, count, keys }, trainWords(keys, count), new Uint32Array(0));
}
