/**
 * Bytes as a number that keeps their order: where they stand in an arithmetic code of the frequencies
 * that bytes have in the segment's keys behind bytes of the same kind. Keys leave most of the 256
 * values of a byte unused, and use the others unevenly, above all once it is known what stands before:
 * behind a digit there is mostly a digit. In this code they are spread over the numbers almost evenly,
 * and a number holds as many bytes as they are common (eight letters or so, nine digits).
 *
 * An interval begins as [0, 2^53) and is narrowed by each byte in turn to the byte's share of it, the
 * end of the key coming before all bytes, until it is narrower than RANGE_MIN. So for keys of the
 * segment, whose bytes before those that are taken for a number are the same:
 * - A key before another never has the greater number.
 * - Keys of one number agree on every byte that went into it.
 * A byte that no key of the segment has in such a place has no share: there the number ends.
 *
 * The arithmetic rounds, the same way in training and in look-ups; to round down to whole numbers
 * would take most of the time. Why the order holds: where two keys part in an interval of R, the lower
 * one's byte having the share w, the higher one is at least R·w above. What follows in the lower one adds
 * less than R·w (1 − GAP), but for what is rounded: 1/2 in each of 33 additions to numbers below 2^53,
 * and 1 in all in their terms. If anything follows, R·w was RANGE_MIN at least, and so the gap is 2^11,
 * which is more. If nothing follows, they are still 2^9 apart or more.
 */
import { strict as assert } from 'node:assert';
import { OmenError } from '../errors.ts';

/** Shares are whole parts of this. */
export const CODE_UNIT = 4096;
/** Where the shares of the end and of each byte begin behind one kind of byte, and where the last ends. */
const ENTRIES = 258;

/**
 * Kinds of bytes, as keys use them: 0 (and the start of a key), what is no letter of ASCII, digits,
 * capital letters, vowels, other letters, and what is no ASCII.
 */
const KINDS = 7;
export const CODE_ENTRIES = KINDS * ENTRIES;
const KIND_OF = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (byte === 0) return 0;
  if (byte > 127) return 6;
  if (/[0-9]/.test(character)) return 2;
  if (/[A-Z]/.test(character)) return 3;
  if (/[aeiou]/.test(character)) return 4;
  return /[a-z]/.test(character) ? 5 : 1;
});
/** Where the parts of bytes begin in `codeOf`, behind each byte and at the start. */
const PARTS_BEHIND = Uint16Array.from(KIND_OF, (kind) => 2 * (kind * ENTRIES + 1));
const PARTS_AT_START = 2;

const RANGE = 2 ** 53;
/** Numbers of 32 bits tell enough keys apart, and end after fewer bytes than longer ones. */
const RANGE_MIN = 2 ** 21;
/** The part of every byte's share that stays empty. */
const GAP = 2 ** -10;
/** Where one byte is all there is, or nearly, a number ends after so many of it. */
const CODED_BYTES_MAX = 32;

assert(RANGE_MIN * GAP > (CODED_BYTES_MAX + 1) / 2 + 1 && RANGE_MIN > 2 * CODE_UNIT);

/** The codes of shares that are in use: a model is looked at by its training, its segment and its views. */
const codes = new WeakMap<Uint16Array, Float64Array>();

/**
 * The code as fractions of an interval, for each kind of byte before: where the part of the end and of
 * each byte begins, and how wide it is, in turns.
 * @param shares never changed afterwards
 */
export function codeOf(shares: Uint16Array): Float64Array {
  const known = codes.get(shares);
  if (known !== undefined) return known;
  const code = new Float64Array(2 * CODE_ENTRIES);
  for (let i = 0; i + 1 < shares.length; i++) {
    code[2 * i] = shares[i] / CODE_UNIT;
    code[2 * i + 1] = ((shares[i + 1] - shares[i]) / CODE_UNIT) * (1 - GAP);
  }
  codes.set(shares, code);
  return code;
}

/** The number of the bytes in [at, end) of the key in [start, end). */
export function numberOfBytes(
  code: Float64Array,
  bytes: Uint8Array,
  start: number,
  at: number,
  end: number,
): number {
  let low = 0;
  let range = RANGE;
  let parts = at > start && at < end ? PARTS_BEHIND[bytes[at - 1]] : PARTS_AT_START;
  const last = Math.min(end, at + CODED_BYTES_MAX);
  for (let i = at; i < last; i++) {
    const byte = bytes[i];
    const part = (parts + (byte << 1)) | 0;
    parts = PARTS_BEHIND[byte];
    low += range * code[part];
    range *= code[(part + 1) | 0];
    if (range < RANGE_MIN) return low;
  }
  return low;
}

/** The shares of the code for keys: at least one for the end and for every byte there is. */
export function learnCode(
  bytes: Uint8Array,
  offsets: Int32Array,
  count: number,
): Uint16Array<SharedArrayBuffer> {
  const counts = Array.from({ length: KINDS }, () => new Float64Array(ENTRIES - 1));
  for (let key = 0; key < count; key++) {
    let kind = 0;
    for (let at = offsets[key]; at < offsets[key + 1]; at++) {
      counts[kind][bytes[at] + 1]++;
      kind = KIND_OF[bytes[at]];
    }
    counts[kind][0]++;
  }
  const shares = new Uint16Array(new SharedArrayBuffer(2 * CODE_ENTRIES));
  for (const [kind, each] of counts.entries()) {
    each[0] = Math.max(1, each[0]);
    shares.set(sharesOf(each), kind * ENTRIES);
  }
  return shares;
}

function sharesOf(counts: Float64Array): Uint16Array {
  const seen = counts.filter((each) => each > 0).length;
  const total = counts.reduce((sum, each) => sum + each, 0);
  const shares = new Uint16Array(ENTRIES);
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
    shares.every((share, i) => {
      const isFirst = i % ENTRIES === 0;
      return isFirst ? share === 0 : share >= shares[i - 1] && share <= CODE_UNIT;
    });
  if (isCode) return;
  throw new OmenError('OMEN_CORRUPT', 'The learned index is damaged: its code of bytes is none.');
}
