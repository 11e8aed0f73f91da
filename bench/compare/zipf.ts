/**
 * Which rows requests ask for, as in YCSB (Cooper et al., "Benchmarking Cloud Serving Systems with YCSB", SoCC
 * 2010): Zipfian ranks after Gray et al., "Quickly Generating Billion-Record Synthetic Databases" (SIGMOD 1994),
 * figure 3; scrambled, so that the popular rows do not lie together; and the latest rows first.
 */
import { mix } from './rows.ts';

export const THETA = 0.99;

/** Ranks from 0, the i-th with a probability in proportion to 1 / (i + 1)^theta. */
export class Zipf {
  readonly #theta: number;
  readonly #alpha: number;
  readonly #ofTwo: number;
  #items = 0;
  /** The sum of 1 / i^theta over all items. */
  #zeta = 0;
  #eta = 0;

  constructor(items: number, theta = THETA) {
    this.#theta = theta;
    this.#alpha = 1 / (1 - theta);
    this.#ofTwo = 1 + 0.5 ** theta;
    this.grow(items);
  }

  get items(): number {
    return this.#items;
  }

  /** There are more items: only what came is added up. */
  grow(items: number): void {
    if (items <= this.#items) return;
    for (let i = this.#items + 1; i <= items; i++) this.#zeta += 1 / i ** this.#theta;
    this.#items = items;
    this.#eta = (1 - (2 / items) ** (1 - this.#theta)) / (1 - this.#ofTwo / this.#zeta);
  }

  /** The rank of a number that is evenly random in [0, 1). */
  rank(uniform: number): number {
    const place = uniform * this.#zeta;
    if (place < 1) return 0;
    if (place < this.#ofTwo) return Math.min(1, this.#items - 1);
    const rank = Math.floor(this.#items * (this.#eta * uniform - this.#eta + 1) ** this.#alpha);
    return Math.min(rank, this.#items - 1);
  }
}

/** The row of a rank: anywhere. Two ranks may share a row, as in YCSB. */
export function scrambled(rank: number, items: number): number {
  return mix(rank) % items;
}

/** The row of a rank where the newest rows are the popular ones. */
export function latest(rank: number, items: number): number {
  return items - 1 - rank;
}
