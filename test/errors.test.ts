import test from 'ava';
import { type ErrorCode, OmenError, systemError } from '../src/errors.ts';

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: it broke`), { code });
}

const EXPECTED = {
  EACCES: 'OMEN_PERMISSION',
  EPERM: 'OMEN_PERMISSION',
  EROFS: 'OMEN_PERMISSION',
  ENOSPC: 'OMEN_DISK_FULL',
  EDQUOT: 'OMEN_DISK_FULL',
  EFBIG: 'OMEN_DISK_FULL',
  EMFILE: 'OMEN_TOO_MANY_FILES',
  ENFILE: 'OMEN_TOO_MANY_FILES',
  EIO: 'OMEN_IO',
  ENOENT: 'OMEN_IO',
} as const satisfies Readonly<Record<string, ErrorCode>>;

test('what the operating system reports gets a code, says what was being done and keeps its cause', (t) => {
  for (const [system, code] of Object.entries(EXPECTED)) {
    const cause = failure(system);
    const error = systemError(cause, 'writing wal-000001.log');
    t.true(error instanceof OmenError);
    t.is(error.code, code);
    t.is(error.cause, cause);
    t.is(error.message, `writing wal-000001.log failed with ${system}: ${system}: it broke`);
  }
});

test('an error that has a code of ours already passes unchanged', (t) => {
  const error = new OmenError('OMEN_CORRUPT', 'segment-000001.arrow is damaged at byte 64');
  t.is(systemError(error, 'reading segment-000001.arrow'), error);
});

test('what was thrown without being an error is wrapped too', (t) => {
  const error = systemError('out of luck', 'reading LOCK');
  t.is(error.code, 'OMEN_IO');
  t.is(error.message, 'reading LOCK failed: out of luck');
  t.is(error.cause, 'out of luck');
});

test('an OmenError is an Error with a name and a code', (t) => {
  const error = new OmenError('OMEN_CLOSED', 'The database was closed.');
  t.true(error instanceof Error);
  t.is(error.name, 'OmenError');
  t.is(`${error}`, 'OmenError: The database was closed.');
});
