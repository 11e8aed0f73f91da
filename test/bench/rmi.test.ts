/** The benchmark of the index, tiny: so that it never rots. Nothing is asserted of its figures. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { timeGetColumn, timeGetMany, timeGets } from '../../bench/engine/get-loop.ts';
import type { Store } from '../../bench/engine/stores.ts';
import { memoryOf, verifyBytes } from '../../bench/rmi/byte-index.ts';
import { makeSet } from '../../bench/rmi/key-sets.ts';
import { inTurns } from '../../bench/rmi/measure.ts';
import { compileNative } from '../../bench/rmi/native.ts';
import { trainSubject } from '../../bench/rmi/subject.ts';
import { verify } from '../../bench/rmi/verify.ts';
import { assemble } from '../../bench/rmi/wasm/kernel.ts';
import { run, show } from '../../bench/rmi.ts';
import { BytesIndex, F64Index, trainBytes, WordIndex } from '../../src/rmi/index.ts';
import { temporaryDirectory } from '../storage/support.ts';

test('the benchmark of the index runs, every answer is right, and the page holds what was measured', async (t) => {
  const directory = temporaryDirectory(t);
  const reportFile = join(directory, 'results', 'rmi.html');
  const sets = ['timestamps', 'snowflake', 'uuids'];
  const said: string[] = [];
  const result = await run({
    rows: 3000,
    sets,
    probes: 500,
    gets: 500,
    rounds: 1,
    peers: false,
    report: true,
    reportFile,
    onProgress: (set, what) => said.push(`${set}: ${what}`),
  });
  t.is(result.report, reportFile);
  t.deepEqual(
    result.sets.map(({ name }) => name),
    sets,
  );
  t.true(said.includes('snowflake: looking every key up'));
  const hasCompiler = compileNative(directory) !== null;
  const hasWabt = (await assemble()) !== null;
  for (const { count, form, index, engine } of result.sets) {
    const { verified, languages, picture } = index;
    t.is(verified.present, count);
    t.true(verified.absent > count / 2);
    t.is(languages !== null, form !== 'bytes');
    t.is(picture !== null, form !== 'bytes');
    if (languages !== null) {
      t.is(languages.native !== null, hasCompiler);
      t.is(languages.wasm !== null, hasWabt && form === 'f64');
    }
    t.deepEqual(Object.keys(engine.ns), ['omendb', 'map']);
  }
  const text = show(result);
  const page = readFileSync(reportFile, 'utf8');
  for (const name of sets) {
    t.true(text.includes(name));
    t.true(page.includes(`<section id="${name}">`));
  }
  t.notRegex(page.replace(/<style>[\s\S]*<\/style>/, ''), /NaN|Infinity|undefined|null/);
});

test('a set that does not exist is refused with the names of those that do', async (t) => {
  await t.throwsAsync(run({ sets: ['uniform', 'unicorns'] }), {
    message: /"unicorns"[\s\S]*uniform/,
  });
});

test('an index over other keys does not pass for right', (t) => {
  const numbers = makeSet('holes', 500);
  const words = makeSet('snowflake', 500);
  if (numbers.form !== 'f64' || words.form !== 'words') return t.fail();
  const [subject] = trainSubject(numbers, 0);
  const keys = numbers.keys.slice();
  keys[200] += 0.5;
  const index = new F64Index(keys, 500, subject.model);
  t.throws(() => verify({ ...subject, index } as typeof subject), { message: /answers wrong/ });
  const [other] = trainSubject(words, 0);
  const wrong = words.keys.slice();
  wrong[400]++;
  const wordIndex = new WordIndex(wrong, 500, other.model);
  t.throws(() => verify({ ...other, index: wordIndex } as typeof other), {
    message: /answers wrong/,
  });
});

test('an index over other byte strings does not pass for right', (t) => {
  const set = makeSet('urls', 500);
  if (set.form !== 'bytes') return t.fail();
  const { bytes, offsets, count } = set;
  const keys = memoryOf(bytes);
  const model = trainBytes(keys, offsets, count);
  t.is(verifyBytes(new BytesIndex(keys, offsets, count, model), set).present, 500);
  const wrong = Buffer.from(bytes);
  wrong[offsets[300] + 70]++;
  const index = new BytesIndex(memoryOf(wrong), offsets, count, model);
  t.throws(() => verifyBytes(index, set), { message: /answers wrong/ });
});

test('contenders that disagree are found out', (t) => {
  const right = (from: number, to: number) => to - from;
  t.throws(() => inTurns({ right, wrong: () => 0 }, 100, 1), { message: /other positions/ });
  t.deepEqual(Object.keys(inTurns({ right, alike: right }, 100, 1)), ['right', 'alike']);
});

test('an engine that answers wrong, or not at all, is found out', (t) => {
  const probes = { keys: [10, 20], values: Uint32Array.of(1, 2) };
  const store = (get: (key: unknown) => number): Store => ({
    load() {},
    get,
    getMany: (keys) => Array.from(keys, (key) => ({ value: get(key) })),
    getColumn: (keys) => Array.from(keys, get),
    close() {},
  });
  const right = store((key) => Number(key) / 10);
  t.true(timeGets(right, probes) >= 0);
  t.true(timeGetMany(right, probes, 1) >= 0);
  t.throws(
    () =>
      timeGets(
        store(() => 1),
        probes,
      ),
    { message: /1 of 2 answers/ },
  );
  t.throws(
    () =>
      timeGetMany(
        store(() => 1),
        probes,
        2,
      ),
    { message: /1 of 2 answers/ },
  );
  t.throws(() => timeGetMany({ ...right, getMany: () => [{ value: 1 }] }, probes, 2), {
    message: /1 of 2/,
  });
  t.true(timeGetColumn(right, probes, 1) >= 0);
  t.throws(() => timeGetColumn({ ...right, getColumn: () => [1] }, probes, 2), {
    message: /1 of 2/,
  });
});
