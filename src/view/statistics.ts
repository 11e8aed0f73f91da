/**
 * What is known of a segment's columns without reading them: for every page of 4096 rows and every
 * column, how many rows have a value, its bounds, its sum and the spread around it. Filters skip pages by
 * the bounds, aggregates take whole pages from the sums. They are made when a segment is written, lie in
 * its model file, and are made anew where that is lost.
 *
 * They count every row, deleted ones too, so they are asked only where a run has none.
 */
import type { SegmentLayout } from '../arrow/layout.ts';
import { type ColumnType, isVariable, type KeyType, type Schema } from '../schema/schema.ts';

export const STATISTICS_ROWS = 4096;

/** Numbers of a page of one column, in the order in which they stand. */
export const PRESENT = 0;
/** How many of those present are NaN, which the numbers that follow leave out. */
export const NANS = 1;
/**
 * Bounds of the values: NaN where there are none, or where values are no numbers. Those of integers
 * beyond 2^53 are rounded, the lower one down and the upper one up.
 */
export const MIN = 2;
export const MAX = 3;
/** NaN where it is of integers and no exact number. */
export const SUM = 4;
/** The sum of the squares of the differences from the mean (Chan, Golub, LeVeque 1979, two passes). */
export const SPREAD = 5;
export const PAGE_NUMBERS = 6;

/** All numbers of one page of a column follow each other, all pages of a column, then the next column. */
export type Statistics = Float64Array;

export function pagesOf(rows: number): number {
  return Math.ceil(rows / STATISTICS_ROWS);
}

/** The last page may have fewer than the others. */
export function rowsInPage(rows: number, page: number): number {
  return Math.min(STATISTICS_ROWS, rows - page * STATISTICS_ROWS);
}

export function statisticsLength(columns: number, rows: number): number {
  return columns * pagesOf(rows) * PAGE_NUMBERS;
}

/** Where the numbers of a page begin. */
export function pageAt(rows: number, column: number, page: number): number {
  return (column * pagesOf(rows) + page) * PAGE_NUMBERS;
}

const TWO_32 = 4294967296;
const ONE_MORE = 1 + Number.EPSILON;

/** @param body the rows of a segment */
export function statisticsOf(
  schema: Schema,
  layout: SegmentLayout,
  body: SharedArrayBuffer,
): Statistics {
  const { rows } = layout;
  const bytes = 8 * statisticsLength(schema.columns.length, rows);
  const statistics = new Float64Array(new SharedArrayBuffer(bytes));
  const values = new Float64Array(STATISTICS_ROWS);
  schema.columns.forEach(({ type }, column) => {
    const { validity, data } = layout.columns[column];
    const bits = validity && new Uint8Array(body, validity.offset, validity.length);
    const isNumber = type !== 'bool' && !isVariable(type);
    const read = isNumber ? readerOf(type, body, data.offset, rows) : null;
    for (let page = 0; page < pagesOf(rows); page++) {
      const start = page * STATISTICS_ROWS;
      const end = Math.min(rows, start + STATISTICS_ROWS);
      const at = pageAt(rows, column, page);
      statistics.fill(Number.NaN, at, at + PAGE_NUMBERS);
      statistics[at + NANS] = 0;
      statistics[at + PRESENT] = bits === null ? end - start : countBits(bits, start, end);
      if (read !== null) summarize(type, statistics, at, values, read(start, end, bits, values));
    }
  });
  return statistics;
}

function countBits(bits: Uint8Array, start: number, end: number): number {
  let count = 0;
  for (let row = start; row < end; row++) count += (bits[row >>> 3] >>> (row & 7)) & 1;
  return count;
}

/** Reads the values of rows [start, end) that are not null; returns how many there are. */
type Read = (start: number, end: number, bits: Uint8Array | null, values: Float64Array) => number;

function readerOf(type: ColumnType, body: SharedArrayBuffer, offset: number, rows: number): Read {
  if (type === 'int64' || type === 'timestamp') {
    const low = new Uint32Array(body, offset, 2 * rows);
    const high = new Int32Array(body, offset, 2 * rows);
    return (start, end, bits, values) => {
      let count = 0;
      for (let row = start; row < end; row++) {
        values[count] = high[2 * row + 1] * TWO_32 + low[2 * row];
        count += bits === null ? 1 : (bits[row >>> 3] >>> (row & 7)) & 1;
      }
      return count;
    };
  }
  const numbers =
    type === 'int32'
      ? new Int32Array(body, offset, rows)
      : type === 'float32'
        ? new Float32Array(body, offset, rows)
        : new Float64Array(body, offset, rows);
  return (start, end, bits, values) => {
    let count = 0;
    for (let row = start; row < end; row++) {
      values[count] = numbers[row];
      count += bits === null ? 1 : (bits[row >>> 3] >>> (row & 7)) & 1;
    }
    return count;
  };
}

/**
 * Writes what `count` values of a page come to, but for how many there are.
 * @param values not null
 */
export function summarize(
  type: ColumnType | KeyType,
  statistics: Statistics,
  at: number,
  values: Float64Array,
  count: number,
): void {
  let [min, max, sum, nans] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (let i = 0; i < count; i++) {
    const value = values[i];
    if (value < min) min = value;
    if (value > max) max = value;
    if (Number.isNaN(value)) nans++;
    else sum += value;
  }
  statistics[at + NANS] = nans;
  const numbers = count - nans;
  if (numbers === 0) {
    statistics[at + SUM] = 0;
    statistics[at + SPREAD] = 0;
    return;
  }
  const mean = sum / numbers;
  let spread = 0;
  let rest = 0;
  for (let i = 0; i < count; i++) {
    const difference = values[i] - mean;
    if (Number.isNaN(values[i])) continue;
    spread += difference * difference;
    rest += difference;
  }
  const isFloat = type === 'float64' || type === 'float32';
  // Partial sums of integers within the bounds are exact if this one of magnitudes is.
  const isExact = count * Math.max(Math.abs(min), Math.abs(max)) <= Number.MAX_SAFE_INTEGER;
  statistics[at + MIN] = roundedDown(min);
  statistics[at + MAX] = -roundedDown(-max);
  statistics[at + SUM] = isFloat || isExact ? sum : Number.NaN;
  statistics[at + SPREAD] = spread - (rest * rest) / numbers;
  function roundedDown(value: number): number {
    if (isFloat || Number.isSafeInteger(value)) return value;
    return value < 0 ? value * ONE_MORE : value / ONE_MORE;
  }
}
