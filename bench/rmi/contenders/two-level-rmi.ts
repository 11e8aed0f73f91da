/**
 * Recursive model indexes of two levels (Kraska et al., "The Case for Learned Index Structures",
 * SIGMOD 2018; roots and leaves as in Marcus et al., "CDFShop", SIGMOD 2020): a root that picks one of
 * many leaves, each a line fitted by least squares, with its largest error beside it.
 */
import type { Distances, Predictor } from './predictor.ts';

/** A leaf: slope, intercept, largest error. */
const LEAF = 3;
const SAMPLES = 1_000_000;

abstract class TwoLevelRmi implements Predictor {
  radius = 0;
  readonly bytes: number;
  protected readonly leaves: Float64Array;
  protected readonly last: number;
  protected readonly count: number;

  constructor(count: number, leafCount: number) {
    this.count = count;
    this.leaves = new Float64Array(LEAF * leafCount);
    this.last = leafCount - 1;
    this.bytes = this.leaves.byteLength;
  }

  abstract predict(x: number): number;
  /** Which leaf a key is for. */
  abstract leafOf(x: number): number;

  /** To be called with the root in place. */
  protected train(distances: Distances): void {
    const { leaves } = this;
    const fits = new Float64Array(FIT * (this.last + 1));
    for (let p = 0; p < distances.length; p++) {
      addPoint(fits, FIT * this.leafOf(distances[p]), distances[p], p);
    }
    // What falls between the keys of two leaves is predicted between them.
    let next = 0;
    for (let leaf = 0; leaf <= this.last; leaf++) {
      const [slope, intercept] = lineOf(fits, FIT * leaf, next);
      leaves[LEAF * leaf] = slope;
      leaves[LEAF * leaf + 1] = intercept;
      const count = fits[FIT * leaf];
      if (count > 0) next = fits[FIT * leaf + 2] + count;
    }
    for (let p = 0; p < distances.length; p++) {
      const error = LEAF * this.leafOf(distances[p]) + 2;
      leaves[error] = Math.max(leaves[error], Math.abs(this.predict(distances[p]) - p));
    }
  }
}

/** A straight line for a root. */
export class LinearRmi extends TwoLevelRmi {
  readonly #slope: number;
  readonly #intercept: number;

  constructor(distances: Distances, leafCount: number) {
    super(distances.length, leafCount);
    const [a, b] = fitPolynomial(distances, 1);
    const half = distances[distances.length - 1] / 2 || 1;
    this.#slope = (b / half) * leafCount;
    this.#intercept = (a - b) * leafCount;
    this.train(distances);
  }

  leafOf(x: number): number {
    const leaf = this.#intercept + this.#slope * x;
    return leaf > 0 ? Math.min(leaf, this.last) >>> 0 : 0;
  }

  predict(x: number): number {
    const at = LEAF * this.leafOf(x);
    this.radius = this.leaves[at + 2];
    const position = this.leaves[at] * x + this.leaves[at + 1];
    return position > 0 ? Math.min(position, this.count) >>> 0 : 0;
  }
}

/** A polynomial of the third degree for a root. */
export class CubicRmi extends TwoLevelRmi {
  readonly #half: number;
  readonly #a: number;
  readonly #b: number;
  readonly #c: number;
  readonly #d: number;

  constructor(distances: Distances, leafCount: number) {
    super(distances.length, leafCount);
    const [a, b, c, d] = fitPolynomial(distances, 3).map((factor) => factor * leafCount);
    this.#half = 2 / (distances[distances.length - 1] || 1);
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#d = d;
    this.train(distances);
  }

  leafOf(x: number): number {
    const u = x * this.#half - 1;
    const leaf = this.#a + u * (this.#b + u * (this.#c + u * this.#d));
    return leaf > 0 ? Math.min(leaf, this.last) >>> 0 : 0;
  }

  predict(x: number): number {
    const at = LEAF * this.leafOf(x);
    this.radius = this.leaves[at + 2];
    const position = this.leaves[at] * x + this.leaves[at + 1];
    return position > 0 ? Math.min(position, this.count) >>> 0 : 0;
  }
}

/** A fit under way: points, x and y of the first, and sums of x, y, x² and xy from there. */
const FIT = 7;

function addPoint(fits: Float64Array, at: number, x: number, y: number): void {
  if (fits[at]++ === 0) {
    fits[at + 1] = x;
    fits[at + 2] = y;
  }
  const dx = x - fits[at + 1];
  const dy = y - fits[at + 2];
  fits[at + 3] += dx;
  fits[at + 4] += dy;
  fits[at + 5] += dx * dx;
  fits[at + 6] += dx * dy;
}

/** Slope and intercept. */
function lineOf(fits: Float64Array, at: number, ifEmpty: number): [number, number] {
  const [count, x, y, sx, sy, sxx, sxy] = fits.subarray(at, at + FIT);
  if (count === 0) return [0, ifEmpty];
  const spread = count * sxx - sx * sx;
  const slope = spread > 0 ? (count * sxy - sx * sy) / spread : 0;
  return [slope, y + (sy - slope * sx) / count - slope * x];
}

/**
 * The polynomial in u ∈ [−1, 1] (the whole range of the keys) closest by least squares to the share
 * of keys below: its factors, the constant first.
 */
function fitPolynomial(distances: Distances, degree: number): number[] {
  const size = degree + 1;
  const half = distances[distances.length - 1] / 2 || 1;
  const rows = Array.from({ length: size }, () => new Array<number>(size + 1).fill(0));
  const samples = Math.min(distances.length, SAMPLES);
  for (let i = 0; i < samples; i++) {
    const position = Math.floor((i * distances.length) / samples);
    const u = distances[position] / half - 1;
    const powers = [1, u, u * u, u ** 3];
    for (let r = 0; r < size; r++) {
      for (let c = 0; c < size; c++) rows[r][c] += powers[r] * powers[c];
      rows[r][size] += (powers[r] * position) / distances.length;
    }
  }
  return solve(rows);
}

/** Gauss's elimination with pivots. What cannot be told is 0. */
function solve(rows: number[][]): number[] {
  const size = rows.length;
  for (let c = 0; c < size; c++) {
    let pivot = c;
    for (let r = c; r < size; r++) {
      if (Math.abs(rows[r][c]) > Math.abs(rows[pivot][c])) pivot = r;
    }
    [rows[c], rows[pivot]] = [rows[pivot], rows[c]];
    if (Math.abs(rows[c][c]) < 1e-9) continue;
    for (let r = 0; r < size; r++) {
      if (r === c) continue;
      const factor = rows[r][c] / rows[c][c];
      for (let k = c; k <= size; k++) rows[r][k] -= factor * rows[c][k];
    }
  }
  return rows.map((row, c) => (Math.abs(row[c]) < 1e-9 ? 0 : row[size] / row[c]));
}
