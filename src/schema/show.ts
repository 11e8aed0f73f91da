/**
 * Values a caller passed, as they stand in error messages. The message about a value must not fail
 * over it: `String` throws for an object without a prototype, `JSON.stringify` for a bigint.
 */
import { inspect } from 'node:util';

/** A short text for any value; runs no code of the value's own. */
export function show(value: unknown): string {
  return inspect(value, { depth: -1, customInspect: false, maxStringLength: 40 });
}
