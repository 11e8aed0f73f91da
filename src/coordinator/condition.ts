/** Conditions of writes, as a caller gives them. */
import { OmenError } from '../errors.ts';
import { show } from '../schema/show.ts';
import { IF_ABSENT, IF_EQUALS, IF_PRESENT } from '../shard-worker/protocol.ts';

/**
 * What has to be there for a write to apply: no row, any row, or one that is deeply equal to the one
 * given, as `get` would return it (NaN is NaN, −0 is not 0, members of JSON objects in any order).
 */
export type Condition<RowInput = unknown> = 'absent' | 'present' | { readonly equals: RowInput };

export interface WriteOptions<RowInput = unknown> {
  readonly if?: Condition<RowInput>;
}

/** The number of a condition in a message; null where there is none. @throws OMEN_INVALID_CONDITION */
export function conditionType(condition: unknown): number | null {
  if (condition === undefined) return null;
  if (condition === 'absent') return IF_ABSENT;
  if (condition === 'present') return IF_PRESENT;
  if (typeof condition === 'object' && condition !== null) {
    const names = Object.keys(condition);
    if (names.length === 1 && names[0] === 'equals') return IF_EQUALS;
  }
  throw new OmenError(
    'OMEN_INVALID_CONDITION',
    `A condition is 'absent', 'present' or { equals: row }, not ${show(condition)}.`,
  );
}

/** @throws OMEN_INVALID_CONDITION for anything but an object with `if` alone */
export function conditionOf(options: unknown): unknown {
  const isObject = typeof options === 'object' && options !== null;
  if (isObject && Object.keys(options).every((name) => name === 'if')) {
    return (options as WriteOptions).if;
  }
  throw new OmenError(
    'OMEN_INVALID_CONDITION',
    `The options of a write are { if: condition }, not ${show(options)}.`,
  );
}
