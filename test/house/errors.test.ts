import test from 'ava';
import { ERRORS } from '../../src/errors.ts';
import { filesUnder, read } from './sources.ts';

/** Codes whose code is still to come. A name leaves a list with the change that makes it untrue. */
const NOT_YET_THROWN: readonly string[] = [];
const NOT_YET_ASSERTED: readonly string[] = [];

const codes = Object.keys(ERRORS);

/** A code counts as used where it stands in single quotes: the table itself has it bare. */
function unused(files: readonly string[]): string[] {
  const text = files.map(read).join('\n');
  return codes.filter((code) => !text.includes(`'${code}'`));
}

interface Line {
  readonly code: string;
  readonly meaning: string;
  readonly remedy: string;
}

function documented(): Line[] {
  return [...read('docs/errors.md').matchAll(/^\| `(\w+)` \| (.+?) \| (.+?) \|$/gm)].map(
    ([, code, meaning, remedy]) => ({ code, meaning, remedy }),
  );
}

test('docs/errors.md has the codes of src/errors.ts, in their order, with their sentences', (t) => {
  const lines = documented().map(({ code, meaning }) => ({ code, meaning }));
  t.deepEqual(
    lines,
    Object.entries(ERRORS).map(([code, meaning]) => ({ code, meaning })),
  );
});

test('docs/errors.md says of every code what to do', (t) => {
  t.deepEqual(
    documented().filter(({ remedy }) => !/^[A-Z`].{14,}\.$/.test(remedy)),
    [],
  );
});

/** What the list of exceptions leaves out, and what it names although that is no longer so. */
function compare(missing: readonly string[], exceptions: readonly string[]) {
  return {
    unlisted: missing.filter((code) => !exceptions.includes(code)),
    outdated: exceptions.filter((code) => !missing.includes(code)),
  };
}

test('every code is thrown somewhere', (t) => {
  const missing = unused(filesUnder('src'));
  t.deepEqual(compare(missing, NOT_YET_THROWN), { unlisted: [], outdated: [] });
});

test('every code is expected by some test', (t) => {
  const tests = filesUnder('test').filter((file) => !file.startsWith('test/house/'));
  t.deepEqual(compare(unused(tests), NOT_YET_ASSERTED), { unlisted: [], outdated: [] });
});
