/**
 * Filters: which rows of a block match an expression over columns and the key.
 *
 * An expression is plain data, so that it crosses threads. It is tested source by source, a condition at
 * a time, in loops over typed arrays that leave a byte a row: 1 where the row matches. Every row either
 * matches or does not: a comparison does not hold of a null, and `not` is true wherever what it stands
 * before is not.
 */

import { sortableToNumber } from '../schema/key.ts';
import type { KeyMemory } from '../schema/key-bytes.ts';
import { compareStretches, keyMemory } from '../schema/key-bytes.ts';
import { layoutRow } from '../schema/row.ts';
import { type ColumnType, isVariable, type KeyType, type Schema } from '../schema/schema.ts';
import type { Expiry } from './expiry.ts';
import { type Group, KEY, textStarts } from './gather.ts';
import { Segment } from './segment.ts';
import { MAX, MIN, NANS, PRESENT, pageAt, rowsInPage, STATISTICS_ROWS } from './statistics.ts';

/** Sortable words of an integer or a fixed-width key (`schema/key.ts`). */
export interface Words {
  readonly hi: number;
  readonly lo: number;
}

export type Filter =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Filter[] }
  | { readonly kind: 'not'; readonly part: Filter }
  | { readonly kind: 'null'; readonly column: number }
  | { readonly kind: 'bool'; readonly column: number; readonly value: boolean }
  /** Within [low, high]: int32, float32, float64. */
  | {
      readonly kind: 'number';
      readonly column: number;
      readonly low: number;
      readonly high: number;
    }
  /** Within [low, high]: int64, timestamp, and keys of fixed width. */
  | {
      readonly kind: 'words';
      readonly column: number;
      readonly low: Words;
      readonly high: Words;
      /** The same as numbers, exact wherever the values that they are compared with are. */
      readonly lowNumber: number;
      readonly highNumber: number;
    }
  /** Between two texts or stretches of bytes; null: without bound. */
  | {
      readonly kind: 'text';
      readonly column: number;
      readonly low: Uint8Array | null;
      readonly isAboveLow: boolean;
      readonly high: Uint8Array | null;
      readonly isBelowHigh: boolean;
    }
  /** One of some values: numbers, bigints beyond ±2^53, bytes in latin1. */
  | {
      readonly kind: 'among';
      readonly column: number;
      readonly values: ReadonlySet<number | bigint | string>;
    }
  /** In force at a time: nobody writes it, and it crosses no threads (`filtered-blocks.ts`). */
  | { readonly kind: 'in force'; readonly expiry: Expiry; readonly nowMs: number };

export const NOTHING: Filter = { kind: 'or', parts: [] };

const SIGN = 0x80000000;
const TWO_32 = 4294967296;

/** Writes 1 or 0 for each row of the group into `mask`. */
export function testRows(schema: Schema, filter: Filter, group: Group, mask: Uint8Array): void {
  const { count } = group;
  switch (filter.kind) {
    case 'and':
    case 'or': {
      const isAnd = filter.kind === 'and';
      mask.fill(isAnd ? 1 : 0, 0, count);
      const other = new Uint8Array(count);
      for (const [i, part] of filter.parts.entries()) {
        testRows(schema, part, group, i === 0 ? mask : other);
        if (i === 0) continue;
        if (isAnd) for (let row = 0; row < count; row++) mask[row] &= other[row];
        else for (let row = 0; row < count; row++) mask[row] |= other[row];
      }
      return;
    }
    case 'not':
      testRows(schema, filter.part, group, mask);
      for (let row = 0; row < count; row++) mask[row] ^= 1;
      return;
    case 'null':
      mask.fill(1, 0, count);
      clearNulls(schema, filter.column, group, mask);
      for (let row = 0; row < count; row++) mask[row] ^= 1;
      return;
    case 'in force':
      filter.expiry.testRows(group.source, group.places, filter.nowMs, mask);
      return;
    default:
      testValues(schema, filter, group, mask);
      clearNulls(schema, filter.column, group, mask);
  }
}

type Leaf = Exclude<Filter, { readonly kind: 'and' | 'or' | 'not' | 'null' | 'in force' }>;

function testValues(schema: Schema, filter: Leaf, group: Group, mask: Uint8Array): void {
  switch (filter.kind) {
    case 'bool':
      testBool(schema, filter.column, filter.value, group, mask);
      return;
    case 'number':
      testNumbers(schema, filter, group, mask);
      return;
    case 'words':
      if (filter.column === KEY) testKeys(filter, group, mask);
      else testWords(schema, filter, group, mask);
      return;
    case 'text':
      testTexts(schema, filter, group, mask);
      return;
    case 'among':
      testAmong(schema, filter.column, filter.values, group, mask);
  }
}

function clearNulls(schema: Schema, column: number, group: Group, mask: Uint8Array): void {
  if (column === KEY || !schema.columns[column].nullable) return;
  const { source, count, rows, places } = group;
  if (source instanceof Segment) {
    const { validity } = source.columns[column];
    for (let i = 0; i < count; i++) mask[i] &= validity[rows[i] >>> 3] >>> (rows[i] & 7);
    return;
  }
  const { u8 } = source.arena;
  const [byte, bit] = [column >>> 3, column & 7];
  for (let i = 0; i < count; i++) mask[i] &= (u8[places[i] + byte] >>> bit) ^ 1;
}

function testBool(
  schema: Schema,
  column: number,
  value: boolean,
  { source, count, rows, places }: Group,
  mask: Uint8Array,
): void {
  const flip = value ? 0 : 1;
  if (source instanceof Segment) {
    const { u8 } = source.columns[column];
    for (let i = 0; i < count; i++) mask[i] = ((u8[rows[i] >>> 3] >>> (rows[i] & 7)) & 1) ^ flip;
    return;
  }
  const { u8 } = source.arena;
  const slot = layoutRow(schema).offsets[column];
  for (let i = 0; i < count; i++) mask[i] = (u8[places[i] + slot] & 1) ^ flip;
}

type Numbers = Float64Array | Float32Array | Int32Array;

/** Where a group has the values of a column of numbers, and at which element that of a row stands. */
export function numbersOf(
  schema: Schema,
  column: number,
  { source }: Group,
): { readonly values: Numbers; readonly shift: number; readonly slot: number } {
  const views = source instanceof Segment ? source.columns[column] : source.arena;
  const { type } = schema.columns[column];
  const values = type === 'float64' ? views.f64 : type === 'float32' ? views.f32 : views.i32;
  if (source instanceof Segment) return { values, shift: 0, slot: 0 };
  const shift = type === 'float64' ? 3 : 2;
  return { values, shift, slot: layoutRow(schema).offsets[column] >>> shift };
}

function testNumbers(
  schema: Schema,
  { column, low, high }: Extract<Filter, { kind: 'number' }>,
  group: Group,
  mask: Uint8Array,
): void {
  const { count, places } = group;
  const { values, shift, slot } = numbersOf(schema, column, group);
  for (let i = 0; i < count; i++) {
    const value = values[(places[i] >>> shift) + slot];
    mask[i] = Number(value >= low) & Number(value <= high);
  }
}

function testWords(
  schema: Schema,
  { column, low, high }: Extract<Filter, { kind: 'words' }>,
  { source, count, places }: Group,
  mask: Uint8Array,
): void {
  const isSegment = source instanceof Segment;
  const { u32 } = isSegment ? source.columns[column] : source.arena;
  const slot = layoutRow(schema).offsets[column] >>> 2;
  for (let i = 0; i < count; i++) {
    const at = isSegment ? 2 * places[i] : (places[i] >>> 2) + slot;
    mask[i] = Number(isWithin((u32[at + 1] ^ SIGN) >>> 0, u32[at], low, high));
  }
}

function isWithin(hi: number, lo: number, low: Words, high: Words): boolean {
  return (
    (hi > low.hi || (hi === low.hi && lo >= low.lo)) &&
    (hi < high.hi || (hi === high.hi && lo <= high.lo))
  );
}

function testKeys(
  { low, high, lowNumber, highNumber }: Extract<Filter, { kind: 'words' }>,
  { source, count, rows }: Group,
  mask: Uint8Array,
): void {
  if (source instanceof Segment && source.form === 'f64') {
    const { keysF64 } = source;
    for (let i = 0; i < count; i++) {
      const key = keysF64[rows[i]];
      mask[i] = Number(key >= lowNumber) & Number(key <= highNumber);
    }
    return;
  }
  for (let i = 0; i < count; i++) {
    mask[i] = Number(isWithin(source.hi(rows[i]), source.lo(rows[i]), low, high));
  }
}

/** Where values of variable length start and end in the memory of a group's source. */
export function textOf(
  schema: Schema,
  column: number,
  { source, count, rows, places }: Group,
): {
  readonly memory: KeyMemory;
  readonly starts: ArrayLike<number>;
  readonly ends: ArrayLike<number>;
} {
  const starts = new Uint32Array(count);
  const ends = new Uint32Array(count);
  if (source instanceof Segment) {
    const offsets = column === KEY ? source.keyOffsets : source.columns[column].offsets;
    for (let i = 0; i < count; i++) {
      starts[i] = offsets[rows[i]];
      ends[i] = offsets[rows[i] + 1];
    }
    if (column === KEY) return { memory: source.keys, starts, ends };
    const { bytes } = source.columns[column];
    return { memory: keyMemory(bytes.buffer, bytes.byteOffset, bytes.length), starts, ends };
  }
  if (column === KEY) {
    for (let i = 0; i < count; i++) {
      starts[i] = source.keyAt(rows[i]);
      ends[i] = starts[i] + source.keyBytes(rows[i]);
    }
  } else {
    const slot = layoutRow(schema).offsets[column];
    starts.set(textStarts(schema, column, source, places));
    for (let i = 0; i < count; i++) {
      ends[i] = starts[i] + source.arena.u32[(places[i] + slot) >>> 2];
    }
  }
  return { memory: source.keys, starts, ends };
}

function testTexts(
  schema: Schema,
  filter: Extract<Filter, { kind: 'text' }>,
  group: Group,
  mask: Uint8Array,
): void {
  const { memory, starts, ends } = textOf(schema, filter.column, group);
  const low = filter.low && keyMemory(Uint8Array.from(filter.low).buffer);
  const high = filter.high && keyMemory(Uint8Array.from(filter.high).buffer);
  const lowMin = filter.isAboveLow ? 1 : 0;
  const highMax = filter.isBelowHigh ? -1 : 0;
  for (let i = 0; i < group.count; i++) {
    const [start, end] = [starts[i], ends[i]];
    const isAbove =
      low === null ||
      Math.sign(compareStretches(memory, start, end, low, 0, low.buffer.length)) >= lowMin;
    mask[i] = Number(
      isAbove &&
        (high === null ||
          Math.sign(compareStretches(memory, start, end, high, 0, high.buffer.length)) <= highMax),
    );
  }
}

function testAmong(
  schema: Schema,
  column: number,
  values: ReadonlySet<number | bigint | string>,
  group: Group,
  mask: Uint8Array,
): void {
  const { source, count, rows } = group;
  const type: ColumnType | KeyType = column === KEY ? schema.key : schema.columns[column].type;
  if (isVariable(type)) {
    const { memory, starts, ends } = textOf(schema, column, group);
    for (let i = 0; i < count; i++) {
      mask[i] = Number(values.has(memory.buffer.toString('latin1', starts[i], ends[i])));
    }
  } else if (column === KEY && source instanceof Segment && source.form === 'f64') {
    for (let i = 0; i < count; i++) mask[i] = Number(values.has(source.keysF64[rows[i]]));
  } else if (column === KEY) {
    for (let i = 0; i < count; i++) {
      mask[i] = Number(values.has(keyValue(schema.key, source.hi(rows[i]), source.lo(rows[i]))));
    }
  } else if (type === 'int64' || type === 'timestamp') {
    const { value } = integersOf(schema, column, group);
    for (let i = 0; i < count; i++) mask[i] = Number(values.has(value(i)));
  } else {
    const { values: numbers, shift, slot } = numbersOf(schema, column, group);
    for (let i = 0; i < count; i++) {
      mask[i] = Number(values.has(numbers[(group.places[i] >>> shift) + slot]));
    }
  }
}

/** A 64-bit integer as a number where that is exact, else as a bigint. */
export function integerOf(hi: number, lo: number): number | bigint {
  const number = hi * TWO_32 + lo;
  return Number.isSafeInteger(number) ? number : (BigInt(hi) << 32n) | BigInt(lo);
}

export function integersOf(schema: Schema, column: number, { source, places }: Group) {
  const isSegment = source instanceof Segment;
  const { u32, i32 } = isSegment ? source.columns[column] : source.arena;
  const slot = layoutRow(schema).offsets[column] >>> 2;
  const value = (i: number): number | bigint => {
    const at = isSegment ? 2 * places[i] : (places[i] >>> 2) + slot;
    return integerOf(i32[at + 1], u32[at]);
  };
  return { value };
}

/** A fixed-width key as it stands in a set of values. */
export function keyValue(type: KeyType, hi: number, lo: number): number | bigint {
  if (type === 'uint64') return integerOf(hi, lo);
  return type === 'float64' ? sortableToNumber(type, hi, lo) : integerOf((hi ^ SIGN) | 0, lo);
}

/** What is known of a page without reading it: whether no row, every row or some may match. */
export type Verdict = 'none' | 'all' | 'some';

/** @param page a page of a segment of a run without deleted rows */
export function judgePage(filter: Filter, segment: Segment, page: number): Verdict {
  switch (filter.kind) {
    case 'and':
    case 'or': {
      const [decisive, neutral]: Verdict[] =
        filter.kind === 'and' ? ['none', 'all'] : ['all', 'none'];
      let verdict: Verdict = neutral;
      for (const part of filter.parts) {
        const one = judgePage(part, segment, page);
        if (one === decisive) return decisive;
        if (one === 'some') verdict = 'some';
      }
      return verdict;
    }
    case 'not': {
      const verdict = judgePage(filter.part, segment, page);
      return verdict === 'some' ? 'some' : verdict === 'all' ? 'none' : 'all';
    }
    case 'null': {
      if (filter.column === KEY) return 'none';
      const present = segment.statistics[pageAt(segment.rows, filter.column, page) + PRESENT];
      return present === 0 ? 'all' : present === rowsInPage(segment.rows, page) ? 'none' : 'some';
    }
    case 'number':
      return judgeBounds(filter.column, filter.low, filter.high, segment, page);
    case 'words':
      return filter.column === KEY
        ? judgeKeys(filter.lowNumber, filter.highNumber, segment, page)
        : judgeBounds(filter.column, filter.lowNumber, filter.highNumber, segment, page);
    case 'in force':
      return filter.expiry.judgePage(segment, page, filter.nowMs);
    default:
      return 'some';
  }
}

/**
 * Bounds beyond 2^53 are rounded to the nearest, which keeps their order, and the page's at least one step
 * outwards: a verdict other than 'some' holds of the exact values, too.
 */
function judgeBounds(
  column: number,
  low: number,
  high: number,
  segment: Segment,
  page: number,
): Verdict {
  const { statistics, rows } = segment;
  const at = pageAt(rows, column, page);
  const [min, max] = [statistics[at + MIN], statistics[at + MAX]];
  if (statistics[at + PRESENT] === statistics[at + NANS] || max < low || min > high) return 'none';
  const isWhole =
    statistics[at + PRESENT] === rowsInPage(rows, page) && statistics[at + NANS] === 0;
  return isWhole && min >= low && max <= high ? 'all' : 'some';
}

function judgeKeys(
  low: number,
  high: number,
  { form, keysF64, rows }: Segment,
  page: number,
): Verdict {
  if (form !== 'f64') return 'some';
  const first = keysF64[page * STATISTICS_ROWS];
  const last = keysF64[Math.min(rows, (page + 1) * STATISTICS_ROWS) - 1];
  if (last < low || first > high) return 'none';
  return first >= low && last <= high ? 'all' : 'some';
}
