/**
 * Keys of variable length: utf8 and binary. Such a key is its bytes, in lexicographic order, a key
 * before those that go on where it ends. For UTF-8 that is the order of code points.
 *
 * Its first eight bytes, big-endian and padded with zeros, take the place of a fixed-width key's
 * two words: most comparisons end with this *prefix*. Equal prefixes say nothing yet ("a" and "a\0"
 * have the same); then the bytes decide.
 *
 * Wherever a key stands before its row (in a ring's messages, the log, a memtable) it stands in its
 * *stored form*, at a multiple of 8: its length and a zero as 32-bit words, its bytes, zeros up to
 * the next multiple of 8.
 */

import { murmurFinish, murmurStep } from './murmur.ts';

// V8 inlines a module's own constant as it is; of an imported function it checks first which it is.
const mixed = murmurStep;
const finished = murmurFinish;

/** The longest key, in bytes. */
export const KEY_BYTES_MAX = 65_536;

/** Memory that keys lie in: its bytes, and what reads words at any place of them. */
export interface KeyMemory {
  readonly buffer: Buffer;
  readonly view: DataView;
}

export function keyMemory(memory: ArrayBufferLike, offset = 0, length?: number): KeyMemory {
  return {
    buffer: Buffer.from(memory, offset, length),
    view: new DataView(memory, offset, length),
  };
}

/** The bytes of a key, where they lie. */
export interface KeyBytes {
  memory: KeyMemory;
  start: number;
  end: number;
}

/** A key of these bytes, in memory of its own. */
export function copyOf(bytes: Uint8Array): KeyBytes {
  return { memory: keyMemory(Uint8Array.from(bytes).buffer), start: 0, end: bytes.length };
}

/** A key as a caller gave it, with its stored form from word 0 of `stored` on: the same memory. */
export interface EncodedKey extends KeyBytes {
  stored: Uint32Array;
}

/** Where the bytes of a key begin in its stored form. */
export const STORED_KEY_AT = 8;

/** Bytes that a key of so many bytes takes in its stored form. */
export function storedBytes(length: number): number {
  return STORED_KEY_AT + ((length + 7) & ~7);
}

/** Longer stretches are left to the native comparison, whose call costs as much as a hundred bytes. */
const NATIVE_FROM = 64;
const NATIVE_MIN = 128;

/** Negative, zero or positive, as the first of two stretches of bytes comes before the second. */
export function compareStretches(
  a: KeyMemory,
  aStart: number,
  aEnd: number,
  b: KeyMemory,
  bStart: number,
  bEnd: number,
): number {
  const aView = a.view;
  const bView = b.view;
  const common = Math.min(aEnd - aStart, bEnd - bStart);
  const near = common < NATIVE_FROM + NATIVE_MIN ? common : NATIVE_FROM;
  let i = 0;
  for (; i + 4 <= near; i += 4) {
    const aWord = aView.getUint32(aStart + i);
    const bWord = bView.getUint32(bStart + i);
    if (aWord !== bWord) return aWord - bWord;
  }
  for (; i < near; i++) {
    const difference = aView.getUint8(aStart + i) - bView.getUint8(bStart + i);
    if (difference !== 0) return difference;
  }
  if (near < common) {
    const [aFrom, bFrom] = [aStart + near, bStart + near];
    const order = a.buffer.compare(b.buffer, bFrom, bStart + common, aFrom, aStart + common);
    if (order !== 0) return order;
  }
  return aEnd - aStart - (bEnd - bStart);
}

/** The same of keys. Two nulls, the bytes of fixed-width keys, are equal. */
export function compareBytes(a: KeyBytes | null, b: KeyBytes | null): number {
  if (a === null || b === null) return 0;
  return compareStretches(a.memory, a.start, a.end, b.memory, b.start, b.end);
}

/** Four bytes from `at` on as a big-endian integer, zeros in place of those from `end` on. */
export function wordOfBytes({ view }: KeyMemory, at: number, end: number): number {
  if (at + 4 <= end) return view.getUint32(at);
  let word = 0;
  for (let i = at; i < end; i++) word |= view.getUint8(i) << (24 - 8 * (i - at));
  return word >>> 0;
}

/** Longer keys are left to the native comparison of equality, whose call costs as much. */
const SAME_MAX = 512;

/** Whether a key of `length` bytes from `bStart` on is the key `a`. */
export function isSameBytes(a: KeyBytes, b: KeyMemory, bStart: number, length: number): boolean {
  const aStart = a.start;
  if (a.end - aStart !== length) return false;
  const aView = a.memory.view;
  const bView = b.view;
  if (length < 4) {
    for (let i = 0; i < length; i++) {
      if (aView.getUint8(aStart + i) !== bView.getUint8(bStart + i)) return false;
    }
    return true;
  }
  if (length > SAME_MAX) {
    return a.memory.buffer.compare(b.buffer, bStart, bStart + length, aStart, a.end) === 0;
  }
  // The last word first, part of which the one before it may have too: keys differ at their ends.
  const last = length - 4;
  if (aView.getInt32(aStart + last, true) !== bView.getInt32(bStart + last, true)) return false;
  for (let i = 0; i < last; i += 4) {
    if (aView.getInt32(aStart + i, true) !== bView.getInt32(bStart + i, true)) return false;
  }
  return true;
}

/** Whether two stored forms, at word `i` of `a` and at word `j` of `b`, are of one key. */
export function isSameStored(a: Uint32Array, i: number, b: Uint32Array, j: number): boolean {
  const words = 2 + ((a[i] + 3) >>> 2);
  for (let word = 0; word < words; word++) if (a[i + word] !== b[j + word]) return false;
  return true;
}

/**
 * The hash of a key in its stored form at word `at`: the mixing of MurmurHash3 (A. Appleby) over
 * whole words, zeros behind the last byte included, beginning with the length. Shards are chosen by
 * its upper bits: part of the format, it may never change.
 */
export function hashStored(words: Uint32Array, at: number): number {
  const length = words[at];
  let h = length;
  const end = at + 2 + ((length + 3) >>> 2);
  for (let i = at + 2; i < end; i++) h = mixed(h, words[i]);
  return finished(h) >>> 0;
}

/** The same of a key where it lies. */
export function hashBytes({ view }: KeyMemory, start: number, end: number): number {
  let h = end - start;
  let at = start;
  for (; at + 4 <= end; at += 4) h = mixed(h, view.getInt32(at, true));
  if (at < end) {
    let word = 0;
    for (let i = at; i < end; i++) word |= view.getUint8(i) << (8 * (i - at));
    h = mixed(h, word);
  }
  return finished(h) >>> 0;
}
