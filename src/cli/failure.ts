/** How an error is told on the command line: what happened, its code, and which option helps. */
import { styleText } from 'node:util';
import { type ErrorCode, OmenError } from '../index.ts';
import { type Context, hasColors, Interruption } from './context.ts';

const FAILED = 1;
const USAGE = 2;

/** What to do, where options of the command line do it. Messages say the rest. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  OMEN_REJECTED_ROWS:
    'Pass over bad rows with --max-errors N, and keep them with --rejects FILE. Where a column has the wrong type: --column NAME:TYPE, with "?" behind the type if it may be null.',
  OMEN_UNKNOWN_COLUMN: 'Name the fields to load with --column or --map, to pass over the others.',
  OMEN_MISSING_COLUMN: 'Say which field is what with --key FIELD and --map COLUMN=FIELD.',
  OMEN_DUPLICATE_KEY: 'Choose which row counts with --on-duplicate last or --on-duplicate first.',
  OMEN_KEY_EXISTS: 'Leave such rows out with --on-existing keep, or take them with replace.',
  OMEN_INVALID_TARGET:
    'A file that is there is replaced with --force; where its name does not tell what to write: --format.',
  OMEN_LOCKED: 'Close the database where it is open: one process has it at a time.',
  OMEN_OPTIONS_MISMATCH: 'Leave out the types: an existing database has its own.',
  OMEN_CORRUPT: 'docs/errors.md says what can be done about damage.',
};

/** @returns the exit code */
export function tellFailure(error: unknown, { stderr, env, signal }: Context): number {
  const isInterrupted = signal.aborted && signal.reason instanceof Interruption;
  if (isInterrupted && error instanceof OmenError && error.code === 'OMEN_ABORTED') {
    stderr.write('Interrupted: nothing was changed.\n');
    return signal.reason.exitCode;
  }
  const label = hasColors(stderr, env)
    ? styleText(['red', 'bold'], 'error:', { validateStream: false })
    : 'error:';
  if (!(error instanceof OmenError)) {
    // Nobody foresaw it: where it comes from is what there is to tell.
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    stderr.write(`${label} ${text}\n`);
    return FAILED;
  }
  stderr.write(`${label} ${error.message} (${error.code})\n`);
  const hint = HINTS[error.code];
  if (hint !== undefined) stderr.write(`${hint}\n`);
  return error.code === 'OMEN_INVALID_OPTIONS' ? USAGE : FAILED;
}
