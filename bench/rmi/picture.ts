/**
 * What the report draws of a set and of the model over it: where the keys are, in how many levels the
 * model reaches them, how far off it is, and two stretches near enough to see its lines.
 */
import {
  BASE,
  CELLS,
  NODE_DOUBLES,
  SCALE,
  SEPARATORS,
  TWO_32,
  wordsOf,
} from '../../src/rmi/model.ts';
import { short } from '../report/html.ts';
import { type FixedSet, keyAt } from './key-sets.ts';
import { eachLeaf } from './shape.ts';
import type { Subject } from './subject.ts';

export interface Picture {
  /** The first and the last key, in short. */
  readonly first: string;
  readonly last: string;
  /** Shares of the key range at even steps of rank, the first and the last key included. */
  readonly curve: readonly number[];
  /** Mean level at which keys are predicted, at even steps of rank. */
  readonly levels: readonly number[];
  /** How many predictions are off by −SPAN, …, +SPAN positions; the ends count those beyond, too. */
  readonly errors: readonly number[];
  readonly errorMean: number;
  readonly typical: Stretch;
  /** About the key whose prediction is farthest off. */
  readonly hardest: Stretch;
}

export interface Stretch {
  /** Position of its first key. */
  readonly from: number;
  /** Distances of its keys from the first of them. */
  readonly keys: readonly number[];
  readonly leaves: readonly LeafLine[];
}

/** What of a leaf lies in a stretch, in distances from the stretch's first key and in positions. */
export interface LeafLine {
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
  readonly level: number;
}

const CURVE_STEPS = 400;
const LEVEL_STEPS = 160;
export const ERROR_SPAN = 32;
const STRETCH = 120;

export function pictureOf(subject: Subject): Picture {
  const { set } = subject;
  const { errors, errorMean, worst } = errorsOf(subject);
  const range = distance(set, 0, set.count - 1);
  const curve = Array.from({ length: CURVE_STEPS + 1 }, (_, i) => {
    const position = Math.round((i * (set.count - 1)) / CURVE_STEPS);
    // Half of it first: the range of the doubles is more than a double can say.
    return range === Infinity
      ? halfDistance(set, position) / halfDistance(set, set.count - 1)
      : distance(set, 0, position) / (range || 1);
  });
  return {
    first: inShort(set, 0),
    last: inShort(set, set.count - 1),
    curve,
    levels: levelsOf(subject),
    errors,
    errorMean,
    typical: stretchAbout(subject, set.count >>> 1),
    hardest: stretchAbout(subject, worst),
  };
}

function inShort(set: FixedSet, position: number): string {
  return short(Number(keyAt(set, position)));
}

/** From one key to another, as a double; negative when the other stands before it. */
function distance(set: FixedSet, from: number, to: number): number {
  const { keys } = set;
  if (set.form === 'f64') return keys[to] - keys[from];
  return (keys[2 * to + 1] - keys[2 * from + 1]) * TWO_32 + (keys[2 * to] - keys[2 * from]);
}

function halfDistance({ keys }: FixedSet, to: number): number {
  return keys[to] / 2 - keys[0] / 2;
}

function errorsOf(subject: Subject) {
  const { form, index } = subject;
  const { keys, count } = subject.set;
  const errors = new Array<number>(2 * ERROR_SPAN + 1).fill(0);
  let sum = 0;
  let worst = 0;
  let largest = -1;
  for (let p = 0; p < count; p++) {
    const predicted =
      form === 'f64' ? index.predict(keys[p]) : index.predict(keys[2 * p], keys[2 * p + 1]);
    const error = predicted - p;
    errors[ERROR_SPAN + Math.max(-ERROR_SPAN, Math.min(ERROR_SPAN, error))]++;
    sum += Math.abs(error);
    if (Math.abs(error) > largest) {
      largest = Math.abs(error);
      worst = p;
    }
  }
  return { errors, errorMean: sum / count, worst };
}

function levelsOf({ set, model }: Subject): number[] {
  const { count } = set;
  const sums = new Array<number>(LEVEL_STEPS).fill(0);
  const keys = new Array<number>(LEVEL_STEPS).fill(0);
  eachLeaf(model, (start, end, level) => {
    // A leaf may be longer than a step.
    for (let p = start; p < end; ) {
      const step = Math.floor((p * LEVEL_STEPS) / count);
      const until = Math.min(end, Math.ceil(((step + 1) * count) / LEVEL_STEPS));
      sums[step] += level * (until - p);
      keys[step] += until - p;
      p = until;
    }
  });
  return sums.map((sum, i) => (keys[i] > 0 ? sum / keys[i] : 0));
}

function stretchAbout(subject: Subject, middle: number): Stretch {
  const { set } = subject;
  const from = Math.max(0, Math.min(middle - STRETCH / 2, set.count - STRETCH));
  const to = Math.min(set.count, from + STRETCH);
  const keys = Array.from({ length: to - from }, (_, i) => distance(set, from, from + i));
  const leaves: LeafLine[] = [];
  eachLeaf(subject.model, (start, end, level, node, cell) => {
    if (start >= to || end <= from || start === end) return;
    const { x, isFlat } = reachOf(subject, from, node, cell);
    const middle = (start + end) / 2;
    const [begin, finish] = isFlat ? [middle, middle] : [start, end];
    const at = (where: number): number =>
      isFlat ? middle : begin + ((where - x[0]) / (x[1] - x[0])) * (finish - begin);
    const shown: [number, number] = [Math.max(x[0], 0), Math.min(x[1], keys[keys.length - 1])];
    if (shown[0] < shown[1]) leaves.push({ x: shown, y: [at(shown[0]), at(shown[1])], level });
  });
  return { from, keys, leaves };
}

/** Where a cell begins and ends, as distances from the key at `from`. */
function reachOf({ set, model }: Subject, from: number, node: number, cell: number) {
  const words = wordsOf(model.nodes);
  const at = NODE_DOUBLES * node;
  const scale = model.nodes[at + SCALE];
  const base =
    set.form === 'f64'
      ? model.nodes[at + BASE] - set.keys[from]
      : (words[2 * at + 1] - set.keys[2 * from + 1]) * TWO_32 +
        (words[2 * at] - set.keys[2 * from]);
  if (scale > 0) {
    const x: [number, number] = [base + cell / scale, base + (cell + 1) / scale];
    return { x, isFlat: false };
  }
  // Separators are keys, or distances from the base.
  const origin = set.form === 'f64' ? -set.keys[from] : base;
  const separator = (i: number): number => origin + model.nodes[at + SEPARATORS + i];
  const last = words[2 * at + CELLS] - 1;
  const x: [number, number] = [
    cell === 0 ? -Infinity : separator(cell - 1),
    cell === last ? Infinity : separator(cell),
  ];
  return { x, isFlat: true };
}
