/**
 * Errors as users of abstract-level know them: a `code` that begins with LEVEL_, and what really happened
 * as the `cause`. A code of ours that abstract-level has no like of stays what it is.
 */
import { type ErrorCode, OmenError } from '../index.ts';

const CODES: Readonly<Partial<Record<ErrorCode, string>>> = {
  OMEN_CLOSED: 'LEVEL_DATABASE_NOT_OPEN',
  OMEN_CORRUPT: 'LEVEL_CORRUPTION',
  OMEN_DISK_FULL: 'LEVEL_IO_ERROR',
  OMEN_INVALID_KEY: 'LEVEL_INVALID_KEY',
  OMEN_INVALID_ROW: 'LEVEL_INVALID_VALUE',
  OMEN_IO: 'LEVEL_IO_ERROR',
  OMEN_LOCKED: 'LEVEL_LOCKED',
  OMEN_PERMISSION: 'LEVEL_IO_ERROR',
  OMEN_READ_ONLY: 'LEVEL_READONLY',
  OMEN_ROW_TOO_LARGE: 'LEVEL_INVALID_VALUE',
  OMEN_SHARD_FAILED: 'LEVEL_IO_ERROR',
  OMEN_TOO_MANY_FILES: 'LEVEL_IO_ERROR',
};

export class LevelError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LevelError';
    this.code = code;
  }
}

/** The error to throw in place of one of the engine's. What is none of the engine's passes through. */
export function levelError(error: unknown): unknown {
  if (!(error instanceof OmenError)) return error;
  const { code, message } = error;
  return new LevelError(CODES[code] ?? code, message, { cause: error });
}

/** The same of an open: users of Level look for "does not exist" and "exists" in the message. */
export function openError(location: string, error: unknown): unknown {
  if (!(error instanceof OmenError)) return error;
  const { code, message } = error;
  if (code === 'OMEN_NOT_FOUND') {
    return new LevelError(code, `A database at ${location} does not exist: ${message}`, {
      cause: error,
    });
  }
  if (code === 'OMEN_EXISTS') {
    return new LevelError(code, `A database at ${location} exists: ${message}`, { cause: error });
  }
  return levelError(error);
}

/** What a signal ends a read with; its reason is the cause. */
export function abortError(signal: AbortSignal): LevelError {
  const error = new LevelError('LEVEL_ABORTED', 'The operation was aborted.', {
    cause: signal.reason,
  });
  error.name = 'AbortError';
  return error;
}
