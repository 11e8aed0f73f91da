/** Ranges: what a caller asks for, as bounds of sortable keys. */
import { OmenError } from '../errors.ts';
import type { KeyCodec } from '../schema/key.ts';
import { compareBytes, copyOf } from '../schema/key-bytes.ts';
import { type Bound, boundsOf, greatestBound, type KeyBounds, leastBound } from '../view/bounds.ts';
import type { Where } from './where.ts';

export interface RangeOptions {
  readonly gt?: unknown;
  readonly gte?: unknown;
  readonly lt?: unknown;
  readonly lte?: unknown;
}

export interface IterateOptions<KeyInput = unknown, RowInput = unknown> extends RangeOptions {
  /** Which rows: see `Where`. */
  readonly where?: Where<KeyInput, RowInput>;
  /** From the last key to the first. */
  readonly reverse?: boolean;
  /** At most so many rows. */
  readonly limit?: number;
}

export interface Iteration extends KeyBounds {
  readonly isEmpty: boolean;
  readonly reverse: boolean;
  readonly limit: number;
}

const KNOWN = ['gt', 'gte', 'lt', 'lte', 'reverse', 'limit'];

function invalid(message: string): OmenError {
  return new OmenError('OMEN_INVALID_RANGE', message);
}

/**
 * @param known further names that the caller understands itself
 * @param without names that mean nothing to it
 * @throws OMEN_INVALID_RANGE, and what the codec throws for a key
 */
export function parseIteration(
  options: IterateOptions | undefined,
  codec: KeyCodec,
  known: readonly string[] = [],
  without: readonly string[] = [],
): Iteration {
  const given = options ?? {};
  if (typeof given !== 'object') throw invalid('A range is an object of bounds.');
  for (const name of Object.keys(given)) {
    const names = [...KNOWN, ...known].filter((one) => !without.includes(one));
    if (names.includes(name)) continue;
    throw invalid(`A range has no "${name}" here; it has ${names.join(', ')}.`);
  }
  const { gt, gte, lt, lte, reverse = false, limit = Number.POSITIVE_INFINITY } = given;
  if (gt !== undefined && gte !== undefined) throw invalid('Give gt or gte, not both.');
  if (lt !== undefined && lte !== undefined) throw invalid('Give lt or lte, not both.');
  if (typeof reverse !== 'boolean') throw invalid('"reverse" is true or false.');
  const isLimit = limit === Number.POSITIVE_INFINITY || (Number.isSafeInteger(limit) && limit >= 0);
  if (!isLimit) throw invalid(`"limit" is a whole number of rows, not ${String(limit)}.`);

  const from = gt === undefined ? gte : gt;
  const to = lt === undefined ? lte : lt;
  const lower = from === undefined ? leastBound(codec.type) : boundOf(codec, from);
  const upper = to === undefined ? greatestBound(codec.type) : boundOf(codec, to);
  const bounds = boundsOf(lower, upper, gt !== undefined, lt !== undefined);
  const order =
    lower.hi - upper.hi || lower.lo - upper.lo || compareBytes(lower.bytes, upper.bytes);
  const isOpen = bounds.isAfterFirst || bounds.isBeforeLast;
  const isEmpty = limit === 0 || order > 0 || (order === 0 && isOpen);
  return { ...bounds, isEmpty, reverse, limit };
}

function boundOf(codec: KeyCodec, key: unknown): Bound {
  codec.encode(key);
  const { hi, lo, bytes } = codec;
  // A copy: the codec goes on to other keys.
  const copy = bytes && copyOf(bytes.memory.buffer.subarray(bytes.start, bytes.end));
  return { hi, lo, bytes: copy };
}
