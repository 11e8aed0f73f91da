/** When the row that a write stores expires, as a caller gives it. */
import { OmenError } from '../errors.ts';
import { isTtl, TTL_MS_MAX } from '../schema/schema.ts';
import { show } from '../schema/show.ts';

/** At most one of the two; without either, the row lives as long as the database's `ttl` says. */
export interface ExpiryOptions {
  /** In how many milliseconds from now on, a whole number; null: never. */
  readonly ttl?: number | null;
  /** The time, as a Date or in milliseconds since 1970, past or future; null: never. */
  readonly expiresAt?: number | Date | null;
}

function invalid(message: string): OmenError {
  return new OmenError('OMEN_INVALID_EXPIRY', message);
}

/** Whether the options say anything about it. */
export function saysExpiry({ ttl, expiresAt }: ExpiryOptions): boolean {
  return ttl !== undefined || expiresAt !== undefined;
}

/**
 * When the row expires, in milliseconds since 1970; null: never.
 * @param options which say something about it
 * @throws OMEN_INVALID_EXPIRY
 */
export function expiryOf({ ttl, expiresAt }: ExpiryOptions, nowMs: number): number | null {
  if (ttl !== undefined && expiresAt !== undefined)
    throw invalid('Give ttl or expiresAt, not both.');
  if (ttl === undefined) return timeOf(expiresAt);
  if (ttl === null) return null;
  if (isTtl(ttl)) return nowMs + ttl;
  throw invalid(`"ttl" is whole milliseconds from 1 to ${TTL_MS_MAX}, or null, not ${show(ttl)}.`);
}

/** The time that an `expiresAt` is; null: never. @throws OMEN_INVALID_EXPIRY */
function timeOf(expiresAt: unknown): number | null {
  if (expiresAt === null) return null;
  const ms = expiresAt instanceof Date ? expiresAt.getTime() : expiresAt;
  // What no Date can hold is no time.
  if (typeof ms === 'number' && Number.isInteger(ms) && !Number.isNaN(new Date(ms).getTime())) {
    return ms;
  }
  throw invalid(
    `"expiresAt" is a Date, whole milliseconds since 1970, or null, not ${show(expiresAt)}.`,
  );
}

/** @throws OMEN_INVALID_EXPIRY */
export function refuseExpiry(what: string): never {
  throw invalid(`${what} takes no "ttl" nor "expiresAt".`);
}

/** @throws OMEN_INVALID_EXPIRY */
export function refuseWithoutTtl(): never {
  throw invalid('Rows of this database do not expire: it was created without the option "ttl".');
}
