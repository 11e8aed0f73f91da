import test from 'ava';
import { filesUnder, importsOf, partOf, reachedFrom, read } from './sources.ts';

/** Declarations of packages that ship none have nothing to run. */
const sources = filesUnder('src').filter((file) => !file.endsWith('.d.ts'));
const tests = filesUnder('test');

/**
 * A file is tested where test/ mirrors its name, or where a test (or a helper of tests) in the mirror
 * of its part imports it. Suites in test/conformance/ run over every face of the engine and count for
 * every part.
 */
function isTestedItself(source: string): boolean {
  if (tests.includes(source.replace(/^src\//, 'test/').replace(/\.ts$/, '.test.ts'))) return true;
  const part = partOf(source);
  const folders = part.endsWith('.ts') ? ['test/'] : [`test/${part}/`, 'test/conformance/'];
  return tests
    .filter((file) => folders.some((folder) => file.startsWith(folder)))
    .some((file) => importedBy(file).includes(source));
}

/** A test that uses the public API uses what the API is made of. */
function importedBy(file: string): (string | null)[] {
  return importsOf(file).flatMap(({ path }) =>
    path === 'src/index.ts' ? [path, ...importedBy(path)] : [path],
  );
}

/**
 * What tested files are made of, inside their part, is tested with them. So is the entry of a worker,
 * wherever it is, with the file that starts it: there is no other way to run it.
 */
function untested(files: readonly string[]): string[] {
  const reached = new Set(files.filter(isTestedItself));
  for (const file of reached)
    for (const { path, how } of importsOf(file))
      if (path !== null && (how === 'thread' || partOf(path) === partOf(file))) reached.add(path);
  return files.filter((file) => !reached.has(file));
}

/** The source files that package.json publishes under a name. */
function published(): string[] {
  const { exports = {}, bin = {} } = JSON.parse(read('package.json'));
  const named = JSON.stringify([exports, bin]).matchAll(/"\.\/dist\/([\w/-]+)\.js"/g);
  return [...named].map(([, name]) => `src/${name}.ts`);
}

test('every source file has a test', (t) => {
  t.deepEqual(untested(sources), []);
});

test('every source file is used by what is published, or kept out of it', (t) => {
  const used = reachedFrom(published(), ['static', 'type', 'dynamic', 'thread']);
  const { exclude } = JSON.parse(read('tsconfig.build.json'));
  t.deepEqual(
    sources.filter((file) => used.includes(file) === exclude.includes(file)),
    [],
  );
});

test('the rules above see what they must refuse', (t) => {
  t.true(isTestedItself('src/errors.ts'));
  t.false(isTestedItself('src/no-such-file.ts'));
  t.false(isTestedItself('src/wal/no-such-file.ts'));
  t.deepEqual(published(), [
    ...['src/index.ts', 'src/level.ts', 'src/keyv.ts', 'src/import.ts', 'src/cli/main.ts'],
  ]);
});

test('every test file holds a test', (t) => {
  const empty = tests
    .filter((file) => file.endsWith('.test.ts'))
    .filter((file) => !/^import .*\bfrom 'ava';$/m.test(read(file)));
  t.deepEqual(empty, []);
});
