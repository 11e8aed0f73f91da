/** How large a segment may get: a policy of the engine, well below what the format can hold. */
import { isVariable, type Schema } from '../schema/schema.ts';

export const SEGMENT_BODY_BYTES_MAX = 256 * 2 ** 20;

/** Rows whose keys and fixed-width columns stay within a segment (half of one with text in it). */
export function segmentLimit(schema: Schema): number {
  const hasText = schema.columns.some((column) => isVariable(column.type));
  // 8 bytes for the key, at most 9 for a column with its validity bit, 1 for flags.
  const rowBytes = 9 + 9 * schema.columns.length;
  const narrow = schema.columns.length === 1 && !hasText ? 16 : rowBytes;
  return Math.floor(SEGMENT_BODY_BYTES_MAX / narrow / (hasText ? 2 : 1));
}
