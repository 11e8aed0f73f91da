/**
 * Log-linear histograms in shared memory: 16 buckets of equal width for each power of two, as HdrHistogram
 * has them (G. Tene, hdrhistogram.org), of whole numbers from 0 to 2^36. So a bucket is at most a sixteenth
 * of its values wide, and its middle is within 1/32 of any of them.
 *
 * - One writer each, and plain words, 64-bit floats, that any thread reads whole: to record is four loads
 *   and stores. What is read while its writer is at work may lack a value in one word that another has.
 * - Histograms add up bucket by bucket, those of several threads or of several times.
 */

const SUB_BITS = 4;
const SUB = 2 ** SUB_BITS;
const MAGNITUDES = 36;
const VALUE_END = 2 ** MAGNITUDES;
const BUCKETS = SUB + (MAGNITUDES - SUB_BITS) * SUB;

/** Words of a histogram: how many values, their sum and the largest of them, and the buckets. */
const COUNT = 0;
const SUM = 1;
const MAX = 2;
const FIRST_BUCKET = 3;
export const HISTOGRAM_WORDS = FIRST_BUCKET + BUCKETS;

/** The bucket of a value, not negative; whatever is too large is in the last one. */
export function bucketOf(value: number): number {
  if (value < SUB) return Math.trunc(value);
  if (value >= VALUE_END) return BUCKETS - 1;
  const magnitude =
    value < 2 ** 31 ? 31 - Math.clz32(value) : 47 - Math.clz32(Math.floor(value / 2 ** 16));
  const sub = Math.floor(value / 2 ** (magnitude - SUB_BITS)) - SUB;
  return SUB + (magnitude - SUB_BITS) * SUB + sub;
}

/** The least value of a bucket; of the one behind the last, where the last one would end. */
export function bucketStart(bucket: number): number {
  if (bucket < SUB) return bucket;
  const magnitude = Math.floor(bucket / SUB) + SUB_BITS - 1;
  return (SUB + (bucket % SUB)) * 2 ** (magnitude - SUB_BITS);
}

/** Adds a value, not negative, to the histogram whose words begin at `at`. */
export function record(words: Float64Array, at: number, value: number): void {
  words[at + COUNT]++;
  words[at + SUM] += value;
  if (value > words[at + MAX]) words[at + MAX] = value;
  words[at + FIRST_BUCKET + bucketOf(value)]++;
}

/** What a histogram, or several, came to: plain data. In the unit that the name says. */
export interface Distribution {
  readonly count: number;
  readonly sum: number;
  /** 0 of no values, as everything else. */
  readonly mean: number;
  /** Quantiles, within 1/32 of the value that they stand for. */
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export class Histogram {
  count = 0;
  sum = 0;
  max = 0;
  readonly #buckets = new Float64Array(BUCKETS);

  /** Adds what stands in shared memory. */
  addWords(words: Float64Array, at: number): this {
    // Most are of threads that there are not.
    if (words[at + COUNT] === 0) return this;
    let count = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const values = words[at + FIRST_BUCKET + bucket];
      this.#buckets[bucket] += values;
      count += values;
    }
    this.count += count;
    this.sum += words[at + SUM];
    this.max = Math.max(this.max, words[at + MAX]);
    return this;
  }

  /** The value of which a share `q`, from 0 to 1, of all values are no larger; 0 of no values. */
  quantile(q: number): number {
    const rank = Math.max(1, Math.ceil(q * this.count));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS - 1; bucket++) {
      seen += this.#buckets[bucket];
      if (seen >= rank) return Math.min(this.max, middleOf(bucket));
    }
    return this.max;
  }

  /** How many values are less than a power of two, from 16 to 2^36: of these, the number is exact. */
  countBelow(power: number): number {
    const end = bucketOf(power);
    let count = 0;
    for (let bucket = 0; bucket < end; bucket++) count += this.#buckets[bucket];
    return count;
  }

  get distribution(): Distribution {
    const { count, sum, max } = this;
    const [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map((q) => this.quantile(q));
    return { count, sum, mean: count === 0 ? 0 : sum / count, p50, p90, p99, p999, max };
  }
}

/** Of whole numbers. */
function middleOf(bucket: number): number {
  return (bucketStart(bucket) + bucketStart(bucket + 1) - 1) / 2;
}
