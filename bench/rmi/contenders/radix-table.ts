/**
 * A table over the top bits of a key (as in RadixSpline, Kipf et al., aiDM 2020), and in each cell of
 * it the straight line from the first key's position to that of the next cell's.
 */
import type { Distances, Predictor } from './predictor.ts';

export class RadixTable implements Predictor {
  radius = 0;
  readonly bytes: number;
  readonly #scale: number;
  readonly #table: Uint32Array;
  readonly #last: number;

  /** @param bits of the table; those of the keys that are always 0 are not among them */
  constructor(distances: Distances, bits: number) {
    const cells = 2 ** bits;
    const range = 2 ** Math.ceil(Math.log2(distances[distances.length - 1] + 1));
    this.#scale = range < cells ? 1 : cells / range;
    const used = Math.trunc(distances[distances.length - 1] * this.#scale) + 1;
    this.#last = Math.min(used, cells) - 1;
    this.#table = new Uint32Array(this.#last + 2);
    this.bytes = this.#table.byteLength;
    let next = 0;
    for (let p = 0; p < distances.length; p++) {
      const cell = Math.min(distances[p] * this.#scale, this.#last) >>> 0;
      while (next <= cell) this.#table[next++] = p;
    }
    this.#table.fill(distances.length, next);
    for (let p = 0; p < distances.length; p++) {
      this.radius = Math.max(this.radius, Math.abs(this.predict(distances[p]) - p));
    }
  }

  predict(x: number): number {
    const place = x * this.#scale;
    const cell = Math.min(place, this.#last) >>> 0;
    const start = this.#table[cell];
    return (start + (this.#table[cell + 1] - start) * (place - cell)) >>> 0;
  }
}
