/** How large a segment may get: a policy of the engine, well below what the format can hold. */
import { isVariable, type Schema } from '../schema/schema.ts';

export const SEGMENT_BODY_BYTES_MAX = 256 * 2 ** 20;

/** Whether rows differ in length: by their keys, or by a column. */
export function hasText(schema: Schema): boolean {
  return isVariable(schema.key) || schema.columns.some((column) => isVariable(column.type));
}

/** Rows whose keys and fixed-width columns stay within a segment (half of one with text in it). */
export function segmentLimit(schema: Schema): number {
  const isText = hasText(schema);
  // 8 bytes for the key, at most 9 for a column with its validity bit, 1 for flags.
  const rowBytes = 9 + 9 * schema.columns.length;
  const narrow = schema.columns.length === 1 && !isText ? 16 : rowBytes;
  return Math.floor(SEGMENT_BODY_BYTES_MAX / narrow / (isText ? 2 : 1));
}
