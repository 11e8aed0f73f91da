/**
 * Whether a series grows: the slope of Theil and Sen, the median of the slopes between all pairs of
 * points, which a quarter of outliers does not move, with a bound from Kendall's S (Hollander, Wolfe and
 * Chicken, Nonparametric Statistical Methods, 9.4).
 *
 * Points of different strata are not compared with each other, as Hirsch, Slack and Smith (1982) do
 * with seasons: memory differs from phase to phase, and with every new process.
 */

export interface Point {
  /** In hours. */
  readonly at: number;
  readonly value: number;
  /** Only points of one stratum are compared. */
  readonly stratum: string;
}

export interface Slope {
  /** Units an hour. */
  readonly median: number;
  /** One-sided bounds, at the level that was asked for. */
  readonly lower: number;
  readonly upper: number;
  readonly pairs: number;
}

/** The quantile of the standard normal distribution (Acklam's rational approximation, within 1e-8). */
export function normalQuantile(p: number): number {
  const a = [
    -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716,
    2.506628277459239,
  ];
  const b = [
    -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972,
    -13.28068155288572,
  ];
  const c = [
    -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734,
    4.374664141464968, 2.938163982698783,
  ];
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416];
  const poly = (terms: readonly number[], x: number) =>
    terms.reduce((sum, term) => sum * x + term, 0);
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    return poly(c, q) / poly([...d, 1], q);
  }
  if (p > 1 - 0.02425) return -normalQuantile(1 - p);
  const q = p - 0.5;
  const r = q * q;
  return (poly(a, r) * q) / poly([...b, 1], r);
}

/**
 * @param level one-sided, of the bounds: 0.99
 * @returns null where there are too few points to say anything
 */
export function theilSen(points: readonly Point[], level: number): Slope | null {
  const slopes: number[] = [];
  let variance = 0;
  for (const stratum of Map.groupBy(points, ({ stratum }) => stratum).values()) {
    const n = stratum.length;
    variance += (n * (n - 1) * (2 * n + 5)) / 18;
    for (let i = 0; i < n; i++) {
      for (let j = i + 1; j < n; j++) {
        const hours = stratum[j].at - stratum[i].at;
        if (hours !== 0) slopes.push((stratum[j].value - stratum[i].value) / hours);
      }
    }
  }
  if (slopes.length < 3) return null;
  const sorted = Float64Array.from(slopes).sort();
  const reach = normalQuantile(level) * Math.sqrt(variance);
  const at = (rank: number) => sorted[Math.max(0, Math.min(sorted.length - 1, Math.round(rank)))];
  const isKnown = reach < sorted.length;
  return {
    median: (at(Math.floor((sorted.length - 1) / 2)) + at(Math.ceil((sorted.length - 1) / 2))) / 2,
    lower: isKnown ? at((sorted.length - reach) / 2 - 1) : Number.NEGATIVE_INFINITY,
    upper: isKnown ? at((sorted.length + reach) / 2) : Number.POSITIVE_INFINITY,
    pairs: sorted.length,
  };
}

export function medianOf(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const { length } = sorted;
  if (length === 0) return Number.NaN;
  return (sorted[(length - 1) >> 1] + sorted[length >> 1]) / 2;
}
