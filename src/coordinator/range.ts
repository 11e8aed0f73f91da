/** Ranges: what a caller asks for, as inclusive bounds of sortable keys. */
import { OmenError } from '../errors.ts';
import type { KeyCodec } from '../schema/key.ts';
import type { KeyBounds } from '../view/segment.ts';

export interface RangeOptions {
  readonly gt?: unknown;
  readonly gte?: unknown;
  readonly lt?: unknown;
  readonly lte?: unknown;
}

export interface IterateOptions extends RangeOptions {
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
const MAX = 0xffffffff;

function invalid(message: string): OmenError {
  return new OmenError('OMEN_INVALID_RANGE', message);
}

/**
 * @param known further names that the caller understands itself
 * @throws OMEN_INVALID_RANGE, and what the codec throws for a key
 */
export function parseIteration(
  options: IterateOptions | undefined,
  codec: KeyCodec,
  known: readonly string[] = [],
): Iteration {
  const given = options ?? {};
  if (typeof given !== 'object') throw invalid('A range is an object of bounds.');
  for (const name of Object.keys(given)) {
    if (KNOWN.includes(name) || known.includes(name)) continue;
    throw invalid(`A range has no "${name}"; it has ${[...KNOWN, ...known].join(', ')}.`);
  }
  const { gt, gte, lt, lte, reverse = false, limit = Number.POSITIVE_INFINITY } = given;
  if (gt !== undefined && gte !== undefined) throw invalid('Give gt or gte, not both.');
  if (lt !== undefined && lte !== undefined) throw invalid('Give lt or lte, not both.');
  if (typeof reverse !== 'boolean') throw invalid('"reverse" is true or false.');
  const isLimit = limit === Number.POSITIVE_INFINITY || (Number.isSafeInteger(limit) && limit >= 0);
  if (!isLimit) throw invalid(`"limit" is a whole number of rows, not ${String(limit)}.`);

  let first: [number, number] = [0, 0];
  let last: [number, number] = [MAX, MAX];
  let isEmpty = false;
  if (gt !== undefined || gte !== undefined) {
    codec.encode(gt ?? gte);
    first = [codec.hi, codec.lo];
    if (gt !== undefined) {
      isEmpty = codec.hi === MAX && codec.lo === MAX;
      first = codec.lo === MAX ? [codec.hi + 1, 0] : [codec.hi, codec.lo + 1];
    }
  }
  if (lt !== undefined || lte !== undefined) {
    codec.encode(lt ?? lte);
    last = [codec.hi, codec.lo];
    if (lt !== undefined) {
      isEmpty ||= codec.hi === 0 && codec.lo === 0;
      last = codec.lo === 0 ? [codec.hi - 1, MAX] : [codec.hi, codec.lo - 1];
      // What stands before +0 is −0: no key, but equal to one where keys are compared as numbers.
      if (codec.type === 'float64' && codec.number === 0) last[1]--;
    }
  }
  isEmpty ||= limit === 0 || first[0] > last[0] || (first[0] === last[0] && first[1] > last[1]);
  return {
    firstHi: first[0],
    firstLo: first[1],
    lastHi: last[0],
    lastLo: last[1],
    isEmpty,
    reverse,
    limit,
  };
}

/** Whether a key lies before the range's first, or behind its last, in the direction given. */
export function isOutside(bounds: KeyBounds, reverse: boolean, hi: number, lo: number): boolean {
  return reverse
    ? hi < bounds.firstHi || (hi === bounds.firstHi && lo < bounds.firstLo)
    : hi > bounds.lastHi || (hi === bounds.lastHi && lo > bounds.lastLo);
}
