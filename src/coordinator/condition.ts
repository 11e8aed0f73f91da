/** Conditions of writes, as a caller gives them. */
import { OmenError } from '../errors.ts';
import { show } from '../schema/show.ts';
import { IF_ABSENT, IF_EQUALS, IF_EQUALS_UNTIL, IF_PRESENT } from '../shard-worker/protocol.ts';
import type { ExpiryOptions } from './expiry.ts';

/**
 * What has to be there for a write to apply: no row, any row, or one that is deeply equal to the one
 * given, as `get` would return it (NaN is NaN, −0 is not 0, members of JSON objects in any order), and,
 * where that is given too, expires at that time (null: never). A row that has expired is not there.
 */
export type Condition<RowInput = unknown> =
  | 'absent'
  | 'present'
  | { readonly equals: RowInput; readonly expiresAt?: number | Date | null };

export interface WriteOptions<RowInput = unknown> {
  readonly if?: Condition<RowInput>;
}

export type PutOptions<RowInput = unknown> = WriteOptions<RowInput> & ExpiryOptions;

/** The number of a condition in a message; null where there is none. @throws OMEN_INVALID_CONDITION */
export function conditionType(condition: unknown): number | null {
  if (condition === undefined) return null;
  if (condition === 'absent') return IF_ABSENT;
  if (condition === 'present') return IF_PRESENT;
  if (typeof condition === 'object' && condition !== null) {
    const names = Object.keys(condition);
    const isKnown = names.every((name) => name === 'equals' || name === 'expiresAt');
    if (isKnown && names.includes('equals')) {
      const { expiresAt } = condition as { readonly expiresAt?: unknown };
      return expiresAt === undefined ? IF_EQUALS : IF_EQUALS_UNTIL;
    }
  }
  throw new OmenError(
    'OMEN_INVALID_CONDITION',
    `A condition is 'absent', 'present' or { equals: row }, not ${show(condition)}.`,
  );
}

/**
 * The options of a write, which has these.
 * @throws OMEN_INVALID_CONDITION for anything but an object of them
 */
export function writeOptions<Options extends object>(
  options: Options,
  names: readonly (keyof Options & string)[],
): Options {
  const isObject = typeof options === 'object' && options !== null;
  const known: readonly string[] = names;
  if (isObject && Object.keys(options).every((name) => known.includes(name))) return options;
  throw new OmenError(
    'OMEN_INVALID_CONDITION',
    `The options of this write are ${known.join(', ')}, not ${show(options)}.`,
  );
}
