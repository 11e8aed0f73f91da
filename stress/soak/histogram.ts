/**
 * Latencies, log-linear as HdrHistogram has them: each power of two of microseconds in 16 steps, so that
 * a figure is within 6 % of the truth, in 500 words. Plain arrays of counts, so that they can lie in
 * shared memory, be subtracted from one another and be added up.
 */
const STEPS = 16;
const OCTAVES = 31;
export const BUCKETS = STEPS * OCTAVES;

/** @param us microseconds */
export function bucketOf(us: number): number {
  if (!(us >= 1)) return 0;
  const octave = Math.floor(Math.log2(us));
  const step = Math.floor((us / 2 ** octave - 1) * STEPS);
  return Math.min(BUCKETS - 1, octave * STEPS + step);
}

/** The greatest value of a bucket, in microseconds. */
export function bucketUs(bucket: number): number {
  const octave = Math.floor(bucket / STEPS);
  return 2 ** octave * (1 + ((bucket % STEPS) + 1) / STEPS);
}

/** The value that a share of all is not above, in microseconds; NaN of none. */
export function percentileUs(counts: ArrayLike<number>, share: number): number {
  let total = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) total += counts[bucket];
  if (total === 0) return Number.NaN;
  let left = total * share;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    left -= counts[bucket];
    if (left <= 0 && counts[bucket] > 0) return bucketUs(bucket);
  }
  return bucketUs(counts.length - 1);
}

export function addTo(sum: Float64Array, counts: ArrayLike<number>): void {
  for (let bucket = 0; bucket < sum.length; bucket++) sum[bucket] += counts[bucket];
}
