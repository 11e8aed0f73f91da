/**
 * Updates: a row is read, changed by a function of the caller, and written on the condition that it
 * still is what was read; else all of that again. Every failure means that somebody else succeeded.
 *
 * Updates of one client to one key take turns: at the same time, they would only fail each other.
 */
import { OmenError } from '../errors.ts';
import type { KeyCodec } from '../schema/key.ts';
import { show } from '../schema/show.ts';
import type { Condition } from './condition.ts';
import type { ExpiryOptions } from './expiry.ts';

export interface UpdateOptions extends ExpiryOptions {
  /** How often the row is read and written before the update is given up: by default 1,000 times. */
  readonly tries?: number;
}

const TRIES = 1000;

/** What an update is made of. */
export interface Access {
  get(): unknown;
  put(row: unknown, condition: Condition): Promise<void>;
  del(condition: Condition): Promise<void>;
}

/** @throws OMEN_INVALID_OPTIONS */
export function triesOf(options: UpdateOptions = {}): number {
  const { tries = TRIES } = options;
  if (tries === Number.POSITIVE_INFINITY || (Number.isSafeInteger(tries) && tries > 0))
    return tries;
  throw new OmenError('OMEN_INVALID_OPTIONS', `"tries" is a count from 1, not ${show(tries)}.`);
}

/** Names the key in the codec. */
export function nameOf({ hi, lo, bytes }: KeyCodec): string {
  if (bytes === null) return `${hi} ${lo}`;
  return bytes.memory.buffer.toString('latin1', bytes.start, bytes.end);
}

/** Does the works of one name one after the other, each whether or not the one before succeeded. */
export async function inTurn<T>(
  turns: Map<string, Promise<unknown>>,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  const before = turns.get(name);
  const turn = before === undefined ? work() : before.then(work, work);
  turns.set(name, turn);
  try {
    return await turn;
  } finally {
    if (turns.get(name) === turn) turns.delete(name);
  }
}

/** @throws OMEN_CONTENTION, and what `change`, reading and writing throw */
export async function updateRow(
  { get, put, del }: Access,
  change: (row: unknown) => unknown,
  tries: number,
): Promise<unknown> {
  let failure: unknown = null;
  for (let left = tries; left > 0; left--) {
    const row = get();
    // A copy: `change` may change the row in place.
    const condition = row === undefined ? 'absent' : { equals: structuredClone(row) };
    const next = change(row);
    refusePromise(next);
    if (next === undefined && row === undefined) return undefined;
    try {
      await (next === undefined ? del(condition) : put(next, condition));
      return next;
    } catch (error) {
      const isRetried = error instanceof OmenError && error.code === 'OMEN_CONDITION_FAILED';
      if (!isRetried) throw error;
      failure = error;
    }
  }
  throw new OmenError(
    'OMEN_CONTENTION',
    `The row was changed by others each of the ${tries} times that it was to be updated.`,
    { cause: failure },
  );
}

/** As JSON it would be stored as an empty object. */
function refusePromise(row: unknown): void {
  if (typeof row !== 'object' || row === null || !('then' in row)) return;
  if (typeof row.then !== 'function') return;
  throw new OmenError('OMEN_INVALID_ROW', 'update() takes a function that returns a row at once.');
}
