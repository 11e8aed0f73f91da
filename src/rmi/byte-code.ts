/**
 * Bytes as a number that keeps their order: where they stand in an arithmetic code of the frequencies
 * that bytes have in the segment's keys. Text leaves most of the 256 values of a byte unused, and uses
 * the others unevenly; in this code it is spread over the numbers almost evenly, and a number holds
 * as many bytes as they are common (ten letters or so, sixteen hexadecimal digits).
 *
 * An interval begins as [0, 2^53) and is narrowed by each byte in turn to the byte's share of it, the
 * end of the key coming before all bytes, until it is narrower than CODE_UNIT. All of it is
 * arithmetic on whole numbers, the same in training and in look-ups. So for keys of the segment:
 * - A key before another never has the greater number.
 * - Keys of one number agree on every byte that went into it.
 * A byte that no key of the segment has has no share: there the number ends.
 */
import { OmenError } from '../errors.ts';

/** Shares are whole parts of this. */
export const CODE_UNIT = 4096;
/** Where the shares of the end and of each byte begin, and where the last one ends. */
export const CODE_ENTRIES = 258;

const RANGE = 2 ** 53;
/** Where one byte is all there is, or nearly, a number ends after so many of it. */
const CODED_BYTES_MAX = 32;

/** The code as fractions of an interval. */
export function codeOf(shares: Uint16Array): Float64Array {
  return Float64Array.from(shares, (share) => share / CODE_UNIT);
}

/** The number of the bytes in [at, end), where the key ends. */
export function numberOfBytes(
  code: Float64Array,
  bytes: Uint8Array,
  at: number,
  end: number,
): number {
  let low = 0;
  let range = RANGE;
  const last = Math.min(end, at + CODED_BYTES_MAX);
  for (let i = at; i < last; i++) {
    const symbol = bytes[i] + 1;
    const from = Math.floor(range * code[symbol]);
    range = Math.floor(range * code[symbol + 1]) - from;
    low += from;
    if (range < CODE_UNIT) return low;
  }
  return low;
}

/** The shares of the code for keys: at least one for the end and for every byte there is. */
export function learnCode(bytes: Uint8Array, count: number): Uint16Array<SharedArrayBuffer> {
  const counts = new Float64Array(CODE_ENTRIES - 1);
  counts[0] = Math.max(1, count);
  for (let i = 0; i < bytes.length; i++) counts[bytes[i] + 1]++;
  const seen = counts.filter((each) => each > 0).length;
  const total = counts.reduce((sum, each) => sum + each, 0);
  const shares = new Uint16Array(new SharedArrayBuffer(2 * CODE_ENTRIES));
  let end = 0;
  let sum = 0;
  for (let symbol = 0; symbol < counts.length; symbol++) {
    if (counts[symbol] > 0) end++;
    sum += counts[symbol];
    shares[symbol + 1] = end + Math.floor(((CODE_UNIT - seen) * sum) / total);
  }
  return shares;
}

/**
 * Checks shares that came from a disk.
 * @throws OMEN_CORRUPT if they are no code
 */
export function checkCode(shares: Uint16Array): void {
  const isCode =
    shares.length === CODE_ENTRIES &&
    shares.every((share, i) => (i === 0 ? share === 0 : share >= shares[i - 1])) &&
    shares[CODE_ENTRIES - 1] <= CODE_UNIT;
  if (isCode) return;
  throw new OmenError('OMEN_CORRUPT', 'The learned index is damaged: its code of bytes is none.');
}
