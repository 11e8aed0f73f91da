/** The benchmark of the index, tiny: so that it never rots. Nothing is asserted of its figures. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { timeGetColumn, timeGetMany, timeGets } from '../../bench/engine/get-loop.ts';
import type { Store } from '../../bench/engine/stores.ts';
import { makeSet } from '../../bench/rmi/key-sets.ts';
import { inTurns } from '../../bench/rmi/measure.ts';
import { compileNative } from '../../bench/rmi/native.ts';
import { trainSubject } from '../../bench/rmi/subject.ts';
import { verify } from '../../bench/rmi/verify.ts';
import { assemble } from '../../bench/rmi/wasm/kernel.ts';
import { run, show, warningOf } from '../../bench/rmi.ts';
import { F64Index, WordIndex } from '../../src/rmi/index.ts';
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
  for (const { name, count, form, index, engine } of result.sets) {
    if (name === 'uuids') {
      t.is(index, null);
      continue;
    }
    t.is(index?.verified.present, count);
    t.true(index !== null && index.verified.absent > 0);
    t.is(index !== null && index.languages.native !== null, hasCompiler);
    t.is(index !== null && index.languages.wasm !== null, hasWabt && form === 'f64');
    t.deepEqual('ns' in engine && Object.keys(engine.ns), ['omendb', 'map']);
  }
  const text = show(result);
  const page = readFileSync(reportFile, 'utf8');
  for (const name of sets) {
    t.true(text.includes(name));
    t.true(page.includes(`<section id="${name}">`));
  }
  t.notRegex(page.replace(/<style>[\s\S]*<\/style>/, ''), /NaN|Infinity|undefined|null/);
});

test('keys that the engine does not know yet are told of loudly', (t) => {
  const set = {
    name: 'uuids',
    about: '',
    form: 'bytes',
    type: 'utf8',
    count: 1,
    index: null,
  } as const;
  t.regex(warningOf({ ...set, engine: { refused: 'no strings' } }) ?? '', /REFUSES.*no strings/);
  t.is(
    warningOf({ ...set, engine: { ns: {}, manyNs: 1, columnsNs: 1, indexBytes: 1, windowMax: 1 } }),
    null,
  );
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
