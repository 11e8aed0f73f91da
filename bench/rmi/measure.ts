/**
 * How look-ups are timed on a machine that others use as well: in short pieces, the contenders taking
 * turns, so that all of them meet the same disturbances and the median of the pieces sees few.
 */
import { randomFrom } from '../datasets.ts';

/** Does the look-ups [from, to) and returns a sum of the answers, so that none can be left out. */
export type Contender = (from: number, to: number) => number;

/** Positions in random order. */
export function randomPositions(count: number, probes: number, seed: number): Uint32Array {
  const random = randomFrom(seed);
  return Uint32Array.from({ length: probes }, () => Math.floor(random() * count));
}

const PIECES_MAX = 64;
/** Look-ups in which a contender gets its index back into the cache that others have used meanwhile. */
const PIECE = 100_000;

/**
 * The median nanoseconds a look-up takes each contender. In one round each does all look-ups once, a
 * piece at a time, and none meets a piece just warmed by another. Pieces are as many as contenders at
 * least, and of 100,000 look-ups each where there are enough. The first round warms up.
 * @throws when contenders disagree about the answers
 */
export function inTurns<Name extends string>(
  contenders: Record<Name, Contender>,
  operations: number,
  rounds: number,
): Record<Name, number> {
  const names = Object.keys(contenders) as Name[];
  const long = Math.min(PIECES_MAX, Math.floor(operations / PIECE));
  const pieces = Math.min(operations, Math.max(long, names.length));
  const apart = Math.floor(pieces / names.length);
  const times: number[][] = names.map(() => []);
  const sums: number[] = names.map(() => 0);
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < pieces; turn++) {
      names.forEach((name, i) => {
        const piece = (turn + i * apart) % pieces;
        const from = Math.floor((piece * operations) / pieces);
        const to = Math.floor(((piece + 1) * operations) / pieces);
        const begin = process.hrtime.bigint();
        sums[i] += contenders[name](from, to);
        const elapsed = Number(process.hrtime.bigint() - begin);
        if (round > 0) times[i].push(elapsed / (to - from));
      });
    }
    if (sums.some((sum) => sum !== sums[0])) throw new Error('contenders find other positions');
  }
  const medians = times.map((some) => some.sort((a, b) => a - b)[some.length >>> 1]);
  return Object.fromEntries(names.map((name, i) => [name, medians[i]])) as Record<Name, number>;
}
