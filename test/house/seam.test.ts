/**
 * Every file operation of the engine goes through a Storage (src/storage/storage.ts): what does not,
 * no test can crash, tear or fill up.
 */
import test from 'ava';
import { filesUnder, linesMatching } from './sources.ts';

/**
 * The seam's own far side; the lock, which is about processes and has to be real; and what calls a
 * function of the C library, which no file is opened for. A command removes whole directories that it made.
 * Imports read files of other databases, by what reads those.
 */
const BEHIND_THE_SEAM = [
  'src/storage/real.ts',
  'src/coordinator/lock.ts',
  'src/shared-memory.ts',
  'src/cli/directories.ts',
  'src/import/foreign.ts',
  'src/import/sqlite.ts',
];
/** Where the real storage is put into the engine; below, it is a parameter. */
const COMPOSERS = [
  'src/coordinator/attach.ts',
  'src/coordinator/infer-schema.ts',
  'src/coordinator/supervisor.ts',
  'src/load/pool-worker.ts',
  'src/shard-worker/main.ts',
  'src/shard-worker/pool-worker.ts',
  'src/storage/real.ts',
];

/** All ways to the file system, those around an import included. */
const REACHES_FILES =
  /['"]((node:)?(fs|fs\/promises|child_process|wasi|inspector)|node:sqlite)['"]|\bgetBuiltinModule\b|\bcreateRequire\b|\brequire\(|\bprocess\.(binding|dlopen)\b/;
const TAKES_REAL = /\brealStorage\b/;

const sources = filesUnder('src');
const without = (files: readonly string[]) => sources.filter((file) => !files.includes(file));

test('no file operation goes past the seam', (t) => {
  t.deepEqual(linesMatching(without(BEHIND_THE_SEAM), REACHES_FILES), []);
});

test('the real storage is put in from above, never reached for', (t) => {
  t.deepEqual(linesMatching(without(COMPOSERS), TAKES_REAL), []);
});

test('the rules above see what they must refuse', (t) => {
  for (const file of BEHIND_THE_SEAM) t.true(linesMatching([file], REACHES_FILES).length > 0, file);
  for (const file of COMPOSERS) t.true(linesMatching([file], TAKES_REAL).length > 0, file);
  for (const code of ["import 'fs'", "await import('node:fs/promises')", 'process.binding(x)'])
    t.true(REACHES_FILES.test(code), code);
  for (const code of ["import 'node:path'", "from './storage.ts'", 'required(x)'])
    t.false(REACHES_FILES.test(code), code);
  // Only by its prefix does Node know it.
  t.true(REACHES_FILES.test("import 'node:sqlite'"));
  t.false(REACHES_FILES.test("kind === 'sqlite'"));
});
