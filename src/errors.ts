/**
 * Every error OmenDB throws, in one table. `docs/errors.md` has the same lines in the same order;
 * a test holds the two equal. A code, once released, keeps its name and its meaning.
 */
export const ERRORS = {
  OMEN_INVALID_OPTIONS: 'An option is unknown, has the wrong type or is out of range.',
  OMEN_INVALID_KEY:
    'The key has the wrong type for this database, or is NaN, out of range, malformed or too long.',
  OMEN_INVALID_ROW:
    'The row is not an object of the declared columns, or a value has the wrong type.',
  OMEN_INVALID_RANGE:
    'The bounds of a range contradict each other or have the wrong type, or a rank is no count.',
  OMEN_INVALID_POSITION:
    'The position to watch from is none of this database, or lies ahead of what it holds.',
  OMEN_INVALID_WHERE:
    'A filter has a comparison that is unknown, or a value of the wrong type for its column.',
  OMEN_INVALID_AGGREGATE:
    'An aggregate asks for a function that is unknown, or for one of numbers of a column of none.',
  OMEN_INVALID_BATCH:
    'A batch holds something that is neither a put nor a del. Nothing of it applies.',
  OMEN_INVALID_CONDITION:
    'The condition of a write is none of "absent", "present" and { equals: row }.',
  OMEN_INVALID_EXPIRY:
    'When a row is to expire is no time, or rows of this database do not expire at all.',
  OMEN_INVALID_SOURCE:
    'The source of a bulk load cannot be read, or is nothing that can be loaded.',
  OMEN_MISSING_PACKAGE: 'A package that this needs, an optional one, is not installed.',
  OMEN_INVALID_TARGET: 'The target of an export cannot be written, or is nothing to write to.',
  OMEN_REJECTED_ROWS: 'A bulk load came upon more bad rows than "maxErrors". Nothing was loaded.',
  OMEN_DUPLICATE_KEY:
    'A bulk load has two rows of one key, and "onDuplicate" is "error". Nothing was loaded.',
  OMEN_KEY_EXISTS:
    'A bulk load has a key that the database has, and "onExisting" is "error". Nothing was loaded.',
  OMEN_UNKNOWN_COLUMN: 'A column was named that the schema does not have.',
  OMEN_MISSING_COLUMN: 'A column that is not nullable was left out.',
  OMEN_UNSAFE_INTEGER: 'An integer beyond ±(2^53 − 1) cannot be a number; open with bigints: true.',
  OMEN_ROW_TOO_LARGE: 'The encoded row or batch is larger than this database can hold.',
  OMEN_CLOSED: 'The database, snapshot or iterator was closed.',
  OMEN_ABORTED: 'The AbortSignal was aborted. The reason is the cause.',
  OMEN_READ_ONLY: 'The database was opened with readOnly: true.',
  OMEN_NOT_FOUND: 'There is no database in this directory, and createIfMissing is false.',
  OMEN_EXISTS: 'There is a database in this directory already, and errorIfExists is true.',
  OMEN_FOREIGN_DIRECTORY: 'The directory holds files that are not a database of OmenDB.',
  OMEN_NEWER_FORMAT: 'The files were written by a newer release. Upgrade omendb to open them.',
  OMEN_OPTIONS_MISMATCH: 'The options contradict the data on disk.',
  OMEN_LOCKED: 'Another process, or another open() in this one, holds the database.',
  OMEN_PERMISSION: 'The operating system denied access to a file of the database.',
  OMEN_DISK_FULL: 'The disk, the quota or the inodes are used up. The write was not applied.',
  OMEN_TOO_MANY_FILES: 'The process or the system has no file descriptor left.',
  OMEN_IO: 'The operating system reported an error for a file of the database.',
  OMEN_CORRUPT: 'A file of the database is damaged. The message names the file and the offset.',
  OMEN_TAIL_CUT:
    'The last group of a log was torn by a crash and cut off. Nothing of it was acknowledged.',
  OMEN_MODEL_REBUILT:
    'A learned index was missing or damaged, and was trained again. No row is lost.',
  OMEN_BACKPRESSURE: 'Too many writes are pending. Await db.ready() before writing more.',
  OMEN_MEMORY_FULL: 'The memory budget is used up: puts are refused, reads and deletes go on.',
  OMEN_LSN_GONE:
    'The log no longer reaches back to the position. Begin anew with a snapshot, or retain more.',
  OMEN_CONDITION_FAILED: 'The condition of a conditional write did not hold. Nothing was written.',
  OMEN_CONTENTION: 'An update found the row changed by others as often as it was to try.',
  OMEN_SHARD_FAILED: 'The shard failed and refuses writes; reads go on. The cause tells why.',
  OMEN_OUTCOME_UNKNOWN: 'The shard failed before it answered: the write may or may not be durable.',
  OMEN_ATTACH_FAILED: 'The handle is not of an open database in this process.',
} as const;

export type ErrorCode = keyof typeof ERRORS;

const CODES = Object.keys(ERRORS) as ErrorCode[];

/** A code as a number, for shared memory; the same in all threads of a process, and nowhere else. */
export function codeNumber(code: ErrorCode): number {
  return CODES.indexOf(code);
}

export function codeOf(number: number): ErrorCode {
  return CODES[number];
}

/** What to do about damage: the end of every OMEN_CORRUPT that salvage can do something about. */
export const CORRUPT_ADVICE =
  'Restore a backup, or open with salvage: true to go on with what can still be read.';

/** An error with a stable `code`. The message says what happened and what to do. */
export class OmenError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'OmenError';
    this.code = code;
  }
}

/** Whether an error says that a file is damaged, or lies on a part of the disk that is. */
export function isDamage(error: unknown): error is OmenError {
  return error instanceof OmenError && (error.code === 'OMEN_CORRUPT' || error.code === 'OMEN_IO');
}

const SYSTEM_CODES: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'OMEN_PERMISSION',
  EPERM: 'OMEN_PERMISSION',
  EROFS: 'OMEN_PERMISSION',
  ENOSPC: 'OMEN_DISK_FULL',
  EDQUOT: 'OMEN_DISK_FULL',
  EFBIG: 'OMEN_DISK_FULL',
  EMFILE: 'OMEN_TOO_MANY_FILES',
  ENFILE: 'OMEN_TOO_MANY_FILES',
};

/**
 * A shortage passes: of disk space, quota, inodes or descriptors. An operation that throws one of these
 * has changed nothing (a write: nothing but bytes of its own range), and may be tried again.
 */
const SHORTAGES: readonly ErrorCode[] = ['OMEN_DISK_FULL', 'OMEN_TOO_MANY_FILES'];

export function isShortage(error: unknown): error is OmenError {
  return error instanceof OmenError && SHORTAGES.includes(error.code);
}

/**
 * The same error, but no shortage: for what fails after something was changed that cannot be taken back,
 * and for syncs. Whether it is durable is unknown then, and trying again would not tell.
 */
export function noShortage(error: unknown): unknown {
  if (!isShortage(error)) return error;
  return new OmenError('OMEN_IO', error.message, { cause: error });
}

/** Wraps what the operating system said of `doing` (say, "writing wal-000001.log") in a coded error. */
export function systemError(error: unknown, doing: string): OmenError {
  if (error instanceof OmenError) return error;
  const system = error instanceof Error && 'code' in error ? String(error.code) : '';
  const code = SYSTEM_CODES[system] ?? 'OMEN_IO';
  return new OmenError(
    code,
    `${doing} failed${system ? ` with ${system}` : ''}: ${String(error instanceof Error ? error.message : error)}`,
    { cause: error },
  );
}
