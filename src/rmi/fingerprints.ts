/**
 * A byte of each key's hash, in the order of the keys: what a look-up of a key of variable length
 * compares first. The bytes of the 32 keys around a prediction lie in a line of memory or two, and are
 * compared four at a time; then the key itself is read at the one position that has the right byte, and
 * now and then at a wrong one before. (After the fingerprints of FPTree: I. Oukid, J. Lasperas, A.
 * Nica, T. Willhalm, W. Lehner, SIGMOD 2016.)
 *
 * They say nothing about order, and a key whose byte is not there may still be further off: who finds
 * no key by them searches.
 */

import { hashBytes, type KeyMemory } from '../schema/key-bytes.ts';
import { sharedMemory } from '../shared-memory.ts';

/** Keys whose fingerprints are looked at: eight words of four. */
export const WINDOW = 32;
const WINDOW_WORDS = 8;
/** Words of it that begin before the one of the prediction. */
const WORDS_BEFORE = 4;

/** Bytes that those of so many keys take: whole words, and a window at least. */
export function fingerprintBytes(count: number): number {
  return Math.max(WINDOW, (count + 3) & ~3);
}

/** The fingerprints of the keys between `offsets`, zeros behind the last. */
export function fingerprintsOf(
  keys: KeyMemory,
  offsets: Int32Array,
  count: number,
): Uint8Array<SharedArrayBuffer> {
  const prints = new Uint8Array(sharedMemory(fingerprintBytes(count)));
  for (let i = 0; i < count; i++) prints[i] = hashBytes(keys, offsets[i], offsets[i + 1]);
  return prints;
}

/** The window around a prediction, as the number of its first word. */
export function windowAt(words: Int32Array, predicted: number): number {
  return clamped(words, ((predicted >>> 2) - WORDS_BEFORE) | 0);
}

/** The windows before and behind a window, or parts of it where there are none. */
export function windowsBeside(words: Int32Array, first: number): readonly [number, number] {
  return [clamped(words, first - WINDOW_WORDS), clamped(words, first + WINDOW_WORDS)];
}

function clamped(words: Int32Array, first: number): number {
  const last = (words.length - WINDOW_WORDS) | 0;
  return first < 0 ? 0 : first > last ? last : first;
}

const ONES = 0x01010101;
const TOPS = 0x80808080 | 0;

/**
 * Which of the eight words from `first` on have the lowest byte of `hash`: bit 8j + k stands for byte
 * j of word k. A byte above a right one may be wrong (a borrow goes through it).
 */
export function matchesOf(words: Int32Array, first: number, hash: number): number {
  const wanted = Math.imul(hash & 0xff, ONES);
  return (
    (topsOfZeros(words[first] ^ wanted) >>> 7) |
    (topsOfZeros(words[(first + 1) | 0] ^ wanted) >>> 6) |
    (topsOfZeros(words[(first + 2) | 0] ^ wanted) >>> 5) |
    (topsOfZeros(words[(first + 3) | 0] ^ wanted) >>> 4) |
    (topsOfZeros(words[(first + 4) | 0] ^ wanted) >>> 3) |
    (topsOfZeros(words[(first + 5) | 0] ^ wanted) >>> 2) |
    (topsOfZeros(words[(first + 6) | 0] ^ wanted) >>> 1) |
    topsOfZeros(words[(first + 7) | 0] ^ wanted)
  );
}

/** The top bit of each byte that is zero, and perhaps of those of 1 above it. */
function topsOfZeros(word: number): number {
  return (word - ONES) & ~word & TOPS;
}

/** The position that the lowest bit of `matches` stands for. */
export function positionOf(first: number, matches: number): number {
  const bit = 31 - Math.clz32(matches & -matches);
  return ((first + (bit & 7)) << 2) + (bit >>> 3);
}
