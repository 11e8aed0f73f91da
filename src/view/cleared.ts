/**
 * Ranges of keys that were deleted by one record each. A range hides what is older than itself: a
 * memtable has its ranges before all entries, and they hide older memtables and all runs; a run has
 * those that came after it, and hides their keys among its own rows.
 *
 * As words, in a ring, in the log and in a memtable, a range has the place of an operation: the words of
 * its first key where a key's are, then the stored form of that key where keys differ in length, then
 *   flags, 0, last lo, last hi, and the stored form of the last key
 * and in views and manifests the words of the first key (lo, hi) stand before all that.
 */
import {
  compareBytes,
  copyOf,
  KEY_BYTES_MAX,
  type KeyBytes,
  STORED_KEY_AT,
  storedBytes,
} from '../schema/key-bytes.ts';
import { isVariable, type KeyType } from '../schema/schema.ts';
import { greatestBound, type KeyBounds } from './bounds.ts';
import { type Cursor, WrappedCursor } from './cursor.ts';

const AFTER_FIRST = 1;
const BEFORE_LAST = 2;
/** There is no last key: what lies behind all keys is longer than a key. */
const TO_END = 4;
const FIXED_WORDS = 4;

/** A range with its words, first lo and first hi before all others. */
export interface ClearedRange extends KeyBounds {
  readonly words: Uint32Array;
}

/** The words of a range. */
export function encodeRange(bounds: KeyBounds, type: KeyType): Uint32Array<ArrayBuffer> {
  const { firstLo, firstHi, firstBytes, lastLo, lastHi, lastBytes } = bounds;
  const isToEnd = lastBytes !== null && lastBytes.end - lastBytes.start > KEY_BYTES_MAX;
  const flags =
    (bounds.isAfterFirst ? AFTER_FIRST : 0) |
    (bounds.isBeforeLast ? BEFORE_LAST : 0) |
    (isToEnd ? TO_END : 0);
  const first = isVariable(type) ? storedWords(firstBytes) : [];
  const last = isVariable(type) && !isToEnd ? storedWords(lastBytes) : [];
  return Uint32Array.of(firstLo, firstHi, ...first, flags, 0, lastLo, lastHi, ...last);
}

function storedWords(bytes: KeyBytes | null): Uint32Array {
  const length = bytes === null ? 0 : bytes.end - bytes.start;
  const words = new Uint32Array(storedBytes(length) >>> 2);
  words[0] = length;
  if (bytes !== null) {
    const { memory, start, end } = bytes;
    new Uint8Array(words.buffer).set(memory.buffer.subarray(start, end), STORED_KEY_AT);
  }
  return words;
}

/** The range that these words are of. */
export function decodeRange(words: Uint32Array, type: KeyType): ClearedRange {
  const storesKeys = isVariable(type);
  const fixed = 2 + (storesKeys ? storedBytes(words[2]) >>> 2 : 0);
  const flags = words[fixed];
  const last = fixed + FIXED_WORDS;
  const isToEnd = (flags & TO_END) !== 0;
  return {
    words,
    firstLo: words[0],
    firstHi: words[1],
    firstBytes: storesKeys ? keyAt(words, 2) : null,
    isAfterFirst: (flags & AFTER_FIRST) !== 0,
    lastLo: words[fixed + 2],
    lastHi: words[fixed + 3],
    lastBytes: storesKeys ? (isToEnd ? greatestBound(type).bytes : keyAt(words, last)) : null,
    isBeforeLast: (flags & BEFORE_LAST) !== 0,
  };
}

/** Whether words of this number can be a range of such keys: what was read from a file is asked. */
export function isRange(words: Uint32Array, type: KeyType): boolean {
  if (!isVariable(type)) return words.length === 2 + FIXED_WORDS;
  if (words.length < 4 || words[2] > KEY_BYTES_MAX) return false;
  const fixed = 2 + (storedBytes(words[2]) >>> 2);
  if (words.length < fixed + FIXED_WORDS) return false;
  if ((words[fixed] & TO_END) !== 0) return words.length === fixed + FIXED_WORDS;
  const last = fixed + FIXED_WORDS;
  if (words.length <= last || words[last] > KEY_BYTES_MAX) return false;
  return words.length === last + (storedBytes(words[last]) >>> 2);
}

function keyAt(words: Uint32Array, at: number): KeyBytes {
  const start = words.byteOffset + 4 * at + STORED_KEY_AT;
  return copyOf(new Uint8Array(words.buffer, start, words[at]));
}

/** Whether a key, whose bytes are given where keys differ in length, is in one of the ranges. */
export function isCleared(
  ranges: readonly KeyBounds[],
  hi: number,
  lo: number,
  bytes: KeyBytes | null,
): boolean {
  return rangeOf(ranges, hi, lo, bytes) !== null;
}

function rangeOf(
  ranges: readonly KeyBounds[],
  hi: number,
  lo: number,
  bytes: KeyBytes | null,
): KeyBounds | null {
  for (const range of ranges) {
    const { firstHi, firstLo, firstBytes, lastHi, lastLo, lastBytes } = range;
    const fromFirst =
      bytes === null ? hi - firstHi || lo - firstLo : compareBytes(bytes, firstBytes);
    if (range.isAfterFirst ? fromFirst <= 0 : fromFirst < 0) continue;
    const toLast = bytes === null ? hi - lastHi || lo - lastLo : compareBytes(bytes, lastBytes);
    if (range.isBeforeLast ? toLast < 0 : toLast <= 0) return range;
  }
  return null;
}

/** A cursor that passes over what was cleared of another, a range at a time. */
export function uncovered(cursor: Cursor, ranges: readonly KeyBounds[]): Cursor {
  return ranges.length === 0 ? cursor : new UncoveredCursor(cursor, ranges);
}

class UncoveredCursor extends WrappedCursor {
  readonly #ranges: readonly KeyBounds[];

  constructor(inner: Cursor, ranges: readonly KeyBounds[]) {
    super(inner);
    this.#ranges = ranges;
  }

  protected override pass(forwards: boolean): void {
    if (forwards) this.#forward();
    else this.#backward();
  }

  #range(): KeyBounds | null {
    const { done, hi, lo, bytes } = this.inner;
    return done ? null : rangeOf(this.#ranges, hi, lo, bytes);
  }

  #forward(): void {
    const { inner } = this;
    for (let range = this.#range(); range !== null; range = this.#range()) {
      inner.seekCeil(range.lastHi, range.lastLo, range.lastBytes);
      // On the last key itself, where the range has it.
      if (this.#range() === range) inner.next();
    }
  }

  #backward(): void {
    const { inner } = this;
    for (let range = this.#range(); range !== null; range = this.#range()) {
      inner.seekFloor(range.firstHi, range.firstLo, range.firstBytes);
      if (this.#range() === range) inner.prev();
    }
  }
}
