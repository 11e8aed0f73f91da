/** Which keys an operation takes: drawn by the distribution of the phase, and of its lane's own for writes. */
import type { Bench } from './bench.ts';
import { ownOf, type Region } from './layout.ts';
import type { KeyDistribution } from './phases.ts';

/** The indices of a cohort. */
export function cohortAt(first: number, { cohort }: Region): number[] {
  return Array.from({ length: cohort }, (_, i) => first + i);
}

export class Draw {
  readonly #bench: Bench;
  #next = 0;
  keys: KeyDistribution = 'uniform';

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  own(region: Region): { first: number; end: number } {
    return ownOf(this.#bench.layout, region, this.#bench.lane);
  }

  from(first: number, end: number): number {
    const { random } = this.#bench;
    const count = end - first;
    if (this.keys === 'uniform') return first + Math.floor(random() * count);
    if (this.keys === 'sequential') return first + (this.#next++ % count);
    // Rank r with probability 1/r, spread over the range by a multiplicative hash.
    const rank = Math.floor(count ** random()) - 1;
    return first + ((Math.imul(rank, 0x9e3779b1) >>> 0) % count);
  }

  /** A key of our own that nothing is under way for, at or after the one drawn; -1: none was found. */
  ownKey(region: Region): number {
    const { first, end } = this.own(region);
    const drawn = this.from(first, end);
    for (let step = 0; step < 8; step++) {
      const index = drawn + step < end ? drawn + step : first + step;
      if (!this.#bench.oracle.isUnderWay(index)) return index;
    }
    return -1;
  }

  isFree(first: number, count: number): boolean {
    for (let i = 0; i < count; i++) if (this.#bench.oracle.isUnderWay(first + i)) return false;
    return true;
  }

  /** The first index of a whole cohort of ours that is free; -1: the one drawn is not. */
  cohortOf(region: Region, { first, end } = this.own(region)): number {
    const cohorts = (end - first) / region.cohort;
    const at = first + region.cohort * Math.floor(this.#bench.random() * cohorts);
    return this.isFree(at, region.cohort) ? at : -1;
  }

  any(): { index: number; region: Region } {
    const { layout, random } = this.#bench;
    const { points, groups, window, blocks } = layout.regions;
    const which = random();
    const region = which < 0.6 ? points : which < 0.8 ? groups : which < 0.9 ? window : blocks;
    return { index: this.from(region.first, region.end), region };
  }
}
