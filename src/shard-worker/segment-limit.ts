/** How large a segment may get: a policy of the engine, well below what the format can hold. */
import { isVariable, type Schema } from '../schema/schema.ts';

export const SEGMENT_BODY_BYTES_MAX = 256 * 2 ** 20;

/** When a merge begins the next segment: with so many rows, or behind a block with which it has so much text. */
export interface SegmentLimit {
  readonly rows: number;
  /** Of keys and values of variable length. */
  readonly textBytes: number;
}

export function isFull(rows: number, textBytes: number, limit: SegmentLimit): boolean {
  return rows >= limit.rows || textBytes >= limit.textBytes;
}

/** Whether rows differ in length: by their keys, or by a column. */
export function hasText(schema: Schema): boolean {
  return isVariable(schema.key) || schema.columns.some((column) => isVariable(column.type));
}

/** Keys and fixed-width columns stay within a segment, or within half of one, where the other half is for text. */
export function segmentLimit(schema: Schema): SegmentLimit {
  const isText = hasText(schema);
  // 8 bytes for the key, at most 9 for a column with its validity bit, 1 for flags.
  const rowBytes = 9 + 9 * schema.columns.length;
  const narrow = schema.columns.length === 1 && !isText ? 16 : rowBytes;
  const rows = Math.floor(SEGMENT_BODY_BYTES_MAX / narrow / (isText ? 2 : 1));
  return { rows, textBytes: SEGMENT_BODY_BYTES_MAX / 2 };
}
