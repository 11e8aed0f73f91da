import test from 'ava';
import { OmenError } from '../../src/index.ts';
import { abortError, LevelError, levelError, openError } from '../../src/level/errors.ts';

test("the engine's errors get a code of Level's where it has one, and become its cause", (t) => {
  const locked = new OmenError('OMEN_LOCKED', 'Another process has it.');
  const error = levelError(locked) as LevelError;
  t.true(error instanceof LevelError);
  t.is(error.code, 'LEVEL_LOCKED');
  t.is(error.message, locked.message);
  t.is(error.cause, locked);
  const unlike = new OmenError('OMEN_INVALID_OPTIONS', 'There is no such option.');
  t.is((levelError(unlike) as LevelError).code, 'OMEN_INVALID_OPTIONS');
});

test('other errors pass through as they are', (t) => {
  const error = new TypeError('Something else.');
  t.is(levelError(error), error);
  t.is(openError('data', error), error);
});

test('an open says whether the database exists in words that others look for', (t) => {
  const missing = openError('data', new OmenError('OMEN_NOT_FOUND', 'There is none.'));
  t.regex((missing as Error).message, /data does not exist/);
  const there = openError('data', new OmenError('OMEN_EXISTS', 'There is one.'));
  t.regex((there as Error).message, /data exists/);
  const corrupt = openError('data', new OmenError('OMEN_CORRUPT', 'Damaged.'));
  t.is((corrupt as LevelError).code, 'LEVEL_CORRUPTION');
});

test("what a signal ends is an AbortError, the signal's reason its cause", (t) => {
  const reason = new Error('Enough.');
  const error = abortError(AbortSignal.abort(reason));
  t.is(error.code, 'LEVEL_ABORTED');
  t.is(error.name, 'AbortError');
  t.is(error.cause, reason);
});
