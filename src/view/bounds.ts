/**
 * Bounds of ordered reads. Each end of a range is a key (or lies before or behind all keys), and is
 * outside the range itself where it says so.
 */
import { compareBytes, copyOf, KEY_BYTES_MAX, type KeyBytes } from '../schema/key-bytes.ts';
import { isVariable, type KeyType } from '../schema/schema.ts';
import { type Cursor, compareWithKey } from './cursor.ts';

/** A key, or what lies before or behind all keys. */
export interface Bound {
  readonly hi: number;
  readonly lo: number;
  readonly bytes: KeyBytes | null;
}

/** Whether one comes before the other. */
export function isBelow(a: Bound, b: Bound): boolean {
  if (a.hi !== b.hi) return a.hi < b.hi;
  if (a.lo !== b.lo) return a.lo < b.lo;
  return compareBytes(a.bytes, b.bytes) < 0;
}

const MAX = 0xffffffff;
const LEAST = copyOf(new Uint8Array(0));
const BEYOND = copyOf(new Uint8Array(KEY_BYTES_MAX + 1).fill(0xff));

/** Before all keys of a type, or on the first there can be. */
export function leastBound(type: KeyType): Bound {
  return { hi: 0, lo: 0, bytes: isVariable(type) ? LEAST : null };
}

/** Behind all keys of a type, or on the last there can be. */
export function greatestBound(type: KeyType): Bound {
  return { hi: MAX, lo: MAX, bytes: isVariable(type) ? BEYOND : null };
}

export interface KeyBounds {
  readonly firstHi: number;
  readonly firstLo: number;
  readonly firstBytes: KeyBytes | null;
  /** Whether the range begins behind that key. */
  readonly isAfterFirst: boolean;
  readonly lastHi: number;
  readonly lastLo: number;
  readonly lastBytes: KeyBytes | null;
  /** Whether the range ends before that key. */
  readonly isBeforeLast: boolean;
}

/** The bounds of a range from one bound to another. */
export function boundsOf(
  first: Bound,
  last: Bound,
  isAfterFirst: boolean,
  isBeforeLast: boolean,
): KeyBounds {
  return {
    firstHi: first.hi,
    firstLo: first.lo,
    firstBytes: first.bytes,
    isAfterFirst,
    lastHi: last.hi,
    lastLo: last.lo,
    lastBytes: last.bytes,
    isBeforeLast,
  };
}

/** The bounds of all keys before one. */
export function boundsBelow(type: KeyType, key: Bound): KeyBounds {
  return boundsOf(leastBound(type), key, false, true);
}

/** Puts a cursor on the first key within the bounds, in the direction given, or the next one behind. */
export function seekFirst(cursor: Cursor, bounds: KeyBounds, reverse: boolean): void {
  const { firstHi, firstLo, firstBytes, isAfterFirst } = bounds;
  const { lastHi, lastLo, lastBytes, isBeforeLast } = bounds;
  if (reverse) {
    cursor.seekFloor(lastHi, lastLo, lastBytes);
    if (!isBeforeLast || cursor.done) return;
    if (compareWithKey(cursor, lastHi, lastLo, lastBytes) === 0) cursor.prev();
  } else {
    cursor.seekCeil(firstHi, firstLo, firstBytes);
    if (!isAfterFirst || cursor.done) return;
    if (compareWithKey(cursor, firstHi, firstLo, firstBytes) === 0) cursor.next();
  }
}

/** Whether a cursor is before the range's first key, or behind its last, in the direction given. */
export function isOutside(cursor: Cursor, bounds: KeyBounds, reverse: boolean): boolean {
  if (reverse) {
    const { firstHi, firstLo, firstBytes, isAfterFirst } = bounds;
    const order = compareWithKey(cursor, firstHi, firstLo, firstBytes);
    return isAfterFirst ? order <= 0 : order < 0;
  }
  const { lastHi, lastLo, lastBytes, isBeforeLast } = bounds;
  const order = compareWithKey(cursor, lastHi, lastLo, lastBytes);
  return isBeforeLast ? order >= 0 : order > 0;
}
