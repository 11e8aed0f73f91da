/** How look-ups are timed: contenders in turns, so that all of them meet the same disturbances. */
import { randomFrom } from './datasets.ts';

export interface Timing {
  /** Nanoseconds a look-up: the median of the rounds, and the quickest. */
  readonly median: number;
  readonly best: number;
}

/** Positions in random order, all different as long as there are enough. */
export function randomPositions(count: number, probes: number, seed: number): Uint32Array {
  const random = randomFrom(seed);
  return Uint32Array.from({ length: probes }, () => Math.floor(random() * count));
}

/**
 * Times each contender once a round, the order rotating. The first round warms up and is dropped.
 * @throws when contenders disagree about the answers
 */
export function inTurns<Name extends string>(
  contenders: Record<Name, () => number>,
  operations: number,
  rounds: number,
): Record<Name, Timing> {
  const names = Object.keys(contenders) as Name[];
  const times = new Map<Name, number[]>(names.map((name) => [name, []]));
  let agreed: number | undefined;
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length];
      const begin = process.hrtime.bigint();
      const sum = contenders[name]();
      const elapsed = Number(process.hrtime.bigint() - begin);
      agreed ??= sum;
      if (sum !== agreed) throw new Error(`${name} finds other positions than the others`);
      if (round > 0) times.get(name)?.push(elapsed / operations);
    }
  }
  const timings = names.map((name) => {
    const sorted = (times.get(name) ?? []).sort((a, b) => a - b);
    return [name, { median: sorted[sorted.length >>> 1], best: sorted[0] }];
  });
  return Object.fromEntries(timings);
}
