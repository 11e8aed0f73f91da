/**
 * Rules about what stands in the files. The linter knows the syntax and refuses what it can; these
 * keep it from being talked out of it, and see what it does not look for.
 */
import test from 'ava';
import { filesUnder, linesMatching, read } from './sources.ts';

const FOLDERS = ['src', 'test', 'bench', 'stress', 'examples', 'scripts', 'docs', '.ci'];
const PAGES = ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md'];
const KINDS = ['.ts', '.js', '.md', '.json', '.c', '.cc', '.wat', '.ci/run'];

/** This file, which has to name what it forbids. */
const ITSELF = 'test/house/text.test.ts';

const everything = [...FOLDERS, ...PAGES]
  .flatMap((path) => filesUnder(path, KINDS))
  .filter((file) => file !== ITSELF);
const typeScript = everything.filter((file) => file.endsWith('.ts'));
const sources = typeScript.filter((file) => file.startsWith('src/'));
const tests = typeScript.filter((file) => file.startsWith('test/'));

const ANY = /(:|\bas|<|,|\||=>)\s*any\s*([[\]>;,)=|{]|$)/;
const SILENCED = /@ts-(ignore|nocheck)|biome-ignore\s+lint\/suspicious\/noExplicitAny/;
const LEFTOVER = /\b(TODO|FIXME|XXX)\b/;
/** An interval that does nothing only keeps a process alive. */
const SLEEP = /\bsetTimeout\b|\bscheduler\.wait\b|\bsleep\(|\bsetInterval\((?!\(\) => \{\})/;

function filesMatching(files: readonly string[], pattern: RegExp): string[] {
  return files.filter((file) => pattern.test(read(file)));
}

test('no type is switched off', (t) => {
  t.deepEqual(linesMatching(typeScript, ANY), []);
});

test('no compiler error is silenced, but in a test of what must not compile', (t) => {
  t.deepEqual(filesMatching(typeScript, SILENCED), []);
  t.deepEqual(filesMatching(sources, /@ts-expect-error/), []);
});

test('nothing is left to be done later', (t) => {
  t.deepEqual(filesMatching(everything, LEFTOVER), []);
});

test('tests wait for what they wait for, never for time to pass', (t) => {
  t.deepEqual(linesMatching(tests, SLEEP), []);
});

test('no test keeps others from running', (t) => {
  t.deepEqual(linesMatching(tests, /\btest(\.serial)?\.only\(/), []);
});

test('every source file says first what it is and what must hold', (t) => {
  const silent = sources.filter((file) => !/^(#!.*\n)?\/\*[\s\S]{20,}?\*\//.test(read(file)));
  t.deepEqual(silent, []);
});

test('the engine prints nothing', (t) => {
  const engine = sources.filter((file) => !/^src\/(cli|server)\//.test(file));
  t.deepEqual(linesMatching(engine, /\bconsole\.|\bprocess\.std(out|err)\b/), []);
});

test('the rules above see what they must refuse, and only that', (t) => {
  for (const code of ['let a: any;', 'f(x as any)', 'Map<string, any>', 'number | any[]'])
    t.true(ANY.test(code), code);
  for (const code of ['const many: number', 'company', 'f(any_)', "is: 'any string'"])
    t.false(ANY.test(code), code);
  t.true(SILENCED.test('// @ts-ignore'));
  t.true(LEFTOVER.test('// TODO: later'));
  t.false(LEFTOVER.test('mkdtemp XXXXXX'));
  t.true(SLEEP.test('await setTimeout(10)'));
  t.true(SLEEP.test('for await (const _ of setInterval(10))'));
  t.false(SLEEP.test('setInterval(() => {}, 1000)'));
  t.false(SLEEP.test('doorbell.sleepSync(seen)'));
});
