/**
 * The loops that are timed. V8 compiles a function for what it has seen, and a loop that had seen five
 * indexes would be fast for none: so their module is loaded anew, under a name of its own, for each
 * contender.
 */
import type { Contender } from '../measure.ts';
import type { Subject } from '../subject.ts';
import type { Predictor } from './predictor.ts';

/** Which keys to look for: the random ones of the subject, or all, in order. */
export type Wanted = 'random' | 'all';

/** Each gives the position of a key, or −1. */
export interface Loops {
  /** Our index as it is. */
  ours(): Contender;
  /** The same as segments do it: memory is asked for the keys around the prediction, then searched. */
  oursAsking(): Contender;
  /** The same for many keys at once, in the stages in which a segment looks them up. */
  oursInBatches(): Contender;
  /** Ours trained on every step-th key only (`sample`), and our search outward from there. */
  bySample(sample: Subject, step: number): Contender;
  /** A prediction, then our search, which goes outward from it. */
  outward(model: Predictor): Contender;
  /** The same, asking memory first. */
  asking(model: Predictor): Contender;
  /** A prediction, then binary search without branches between its bounds. */
  within(model: Predictor): Contender;
  /** Plain binary search over everything: the processor guesses each turn, and reads ahead. */
  bisection(): Contender;
  /** The same without branches: nothing is guessed wrong, nothing read ahead. */
  branchFree(): Contender;
}

/** Keys that a segment looks up together. */
export const STAGE_KEYS = 256;

/** How far from a prediction memory is asked for. */
export const ASKED_BEFORE = 4;
export const ASKED_AFTER = 3;

type Module = { loopsOver(subject: Subject, wanted: Wanted): Loops };

let copies = 0;

export async function freshLoops(subject: Subject): Promise<(wanted: Wanted) => Loops> {
  const name = subject.form === 'f64' ? 'number-loops' : 'word-loops';
  const { loopsOver } = (await import(`./${name}.ts?copy=${copies++}`)) as Module;
  return (wanted) => loopsOver(subject, wanted);
}
