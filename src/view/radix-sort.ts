/**
 * Least-significant-digit radix sort of sortable keys with a 32-bit payload each: digits of 11 bits,
 * all histograms in one pass, digits that are the same in every key skipped. Stable, which is what
 * makes the newest version of a key the last of its group. O(n) time, O(n) scratch.
 * (D. Knuth, The Art of Computer Programming, vol. 3, 5.2.5.)
 */

const DIGIT_BITS = 11;
const RADIX = 1 << DIGIT_BITS;
const DIGITS = 6;

export interface SortedKeys {
  hi: Uint32Array;
  lo: Uint32Array;
  payload: Uint32Array;
}

const histograms = new Uint32Array(DIGITS * RADIX);

function digitOf(hi: number, lo: number, digit: number): number {
  return ((digit < 3 ? lo : hi) >>> ((digit % 3) * DIGIT_BITS)) & (RADIX - 1);
}

/** Sorts the first `count` keys. The result may be either the given arrays or `scratch`. */
export function radixSort(keys: SortedKeys, scratch: SortedKeys, count: number): SortedKeys {
  histograms.fill(0);
  for (let i = 0; i < count; i++) {
    const lo = keys.lo[i];
    const hi = keys.hi[i];
    histograms[lo & (RADIX - 1)]++;
    histograms[RADIX + ((lo >>> 11) & (RADIX - 1))]++;
    histograms[2 * RADIX + (lo >>> 22)]++;
    histograms[3 * RADIX + (hi & (RADIX - 1))]++;
    histograms[4 * RADIX + ((hi >>> 11) & (RADIX - 1))]++;
    histograms[5 * RADIX + (hi >>> 22)]++;
  }
  let from = keys;
  let to = scratch;
  for (let digit = 0; digit < DIGITS && count > 1; digit++) {
    const base = digit * RADIX;
    if (histograms[base + digitOf(from.hi[0], from.lo[0], digit)] === count) continue;
    let sum = 0;
    for (let i = base; i < base + RADIX; i++) {
      const size = histograms[i];
      histograms[i] = sum;
      sum += size;
    }
    scatter(from, to, count, base, digit);
    [from, to] = [to, from];
  }
  return from;
}

function scatter(
  from: SortedKeys,
  to: SortedKeys,
  count: number,
  base: number,
  digit: number,
): void {
  const words = digit < 3 ? from.lo : from.hi;
  const shift = (digit % 3) * DIGIT_BITS;
  for (let i = 0; i < count; i++) {
    const at = histograms[base + ((words[i] >>> shift) & (RADIX - 1))]++;
    to.hi[at] = from.hi[i];
    to.lo[at] = from.lo[i];
    to.payload[at] = from.payload[i];
  }
}

export function sortBuffers(count: number): SortedKeys {
  return {
    hi: new Uint32Array(count),
    lo: new Uint32Array(count),
    payload: new Uint32Array(count),
  };
}
