/**
 * Everybody who looks for the same keys: ours, ours of less memory, plain binary search, and four
 * designs of learned indexes, each in several sizes. Each has chosen by a trial among
 * the searches that can follow a prediction, and has proved that it finds every key.
 */
import { modelBytes } from '../../../src/rmi/index.ts';
import { type Contender, inTurns } from '../measure.ts';
import { type Subject, sampleOf } from '../subject.ts';
import { freshLoops, type Loops } from './loops.ts';
import { Pgm } from './pgm.ts';
import { type Distances, distancesOf, type Predictor } from './predictor.ts';
import { RadixTable } from './radix-table.ts';
import { CubicRmi, LinearRmi } from './two-level-rmi.ts';

export type Design = 'omendb' | 'binary' | 'rmi-linear' | 'rmi-cubic' | 'radix' | 'pgm';

export interface Rival {
  readonly design: Design;
  /** What tells it from others of its design. */
  readonly size: string;
  readonly bytes: number;
  /** How it searches: after a prediction, or everything. */
  readonly search: Search;
  readonly contender: Contender;
}

type Search = 'outward' | 'asking' | 'within' | 'bisection' | 'branchFree';

const TRIALS = 50_000;
const SAMPLE_STEPS = [2, 4, 8, 16, 32];
const KEYS_PER_LEAF = [16, 64, 256, 1024];
const KEYS_PER_CELL = [2, 8, 32, 128];
const EPSILONS = [8, 16, 32, 64, 128];

/**
 * @param isBrief ours and binary search only
 * @throws when a rival does not find a key
 */
export async function field(
  subject: Subject,
  isBrief: boolean,
  onRival: (name: string) => void,
): Promise<Rival[]> {
  const rivals: Rival[] = [];
  const add = async (
    design: Design,
    size: string,
    bytes: number,
    searches: Partial<Record<Search, (loops: Loops) => Contender>>,
  ): Promise<void> => {
    onRival(`${design}, ${size}`);
    const [search, contender] = await quickest(subject, `${design}, ${size}`, searches);
    rivals.push({ design, size, bytes, search, contender });
  };
  const addModel = (design: Design, size: string, model: Predictor): Promise<void> =>
    add(design, size, model.bytes, {
      outward: (loops) => loops.outward(model),
      asking: (loops) => loops.asking(model),
      within: (loops) => loops.within(model),
    });

  await add('omendb', 'every key', modelBytes(subject.model), {
    outward: (loops) => loops.ours(),
    asking: (loops) => loops.oursAsking(),
  });
  await add('binary', 'no index', 0, {
    bisection: (loops) => loops.bisection(),
    branchFree: (loops) => loops.branchFree(),
  });
  if (isBrief) return rivals;
  for (const step of SAMPLE_STEPS) {
    const sample = sampleOf(subject, step);
    await add('omendb', `one key in ${step}`, modelBytes(sample.model), {
      asking: (loops) => loops.bySample(sample, step),
    });
  }
  const distances = distancesOf(subject.set);
  // Some doubles are farther apart than a double can say; the others compute with distances.
  if (distances[distances.length - 1] === Infinity) return rivals;
  for (const [design, size, make] of models(distances)) await addModel(design, size, make());
  return rivals;
}

function models(distances: Distances): [Design, string, () => Predictor][] {
  const count = distances.length;
  return [
    ...KEYS_PER_LEAF.flatMap((keys): [Design, string, () => Predictor][] => {
      const leaves = Math.max(1, Math.round(count / keys));
      return [
        ['rmi-linear', `${keys} keys a leaf`, () => new LinearRmi(distances, leaves)],
        ['rmi-cubic', `${keys} keys a leaf`, () => new CubicRmi(distances, leaves)],
      ];
    }),
    ...KEYS_PER_CELL.map((keys): [Design, string, () => Predictor] => {
      const bits = Math.max(1, Math.round(Math.log2(count / keys)));
      return ['radix', `${bits} bits`, () => new RadixTable(distances, bits)];
    }),
    ...EPSILONS.map((epsilon): [Design, string, () => Predictor] => {
      return ['pgm', `ε = ${epsilon}`, () => new Pgm(distances, epsilon)];
    }),
  ];
}

/** The quickest of some searches, once it has found every key. */
async function quickest(
  subject: Subject,
  name: string,
  searches: Partial<Record<Search, (loops: Loops) => Contender>>,
): Promise<[Search, Contender]> {
  const names = Object.keys(searches) as Search[];
  const random: Record<string, Contender> = {};
  const all: Record<string, Contender> = {};
  for (const [search, make] of Object.entries(searches)) {
    const loops = await freshLoops(subject);
    random[search] = make(loops('random'));
    all[search] = make(loops('all'));
  }
  let best = names[0];
  if (names.length > 1) {
    const ns = inTurns(random, Math.min(TRIALS, subject.positions.length), 1);
    for (const search of names) if (ns[search] < ns[best]) best = search;
  }
  for (let p = 0; p < subject.set.count; p++) {
    if (all[best](p, p + 1) !== p) throw new Error(`${name} (${best}) misses key ${p}.`);
  }
  return [best, random[best]];
}
