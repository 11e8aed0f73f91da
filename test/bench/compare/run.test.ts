/** The comparison as a whole, tiny: its processes, what it shows, and how it ends. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import * as lmdb from 'lmdb';
import { withJsonValue } from '../../../bench/arguments.ts';
import { Progress } from '../../../bench/compare/progress.ts';
import { BadOption, run, show } from '../../../bench/compare.ts';
import { temporaryDirectory } from '../../storage/support.ts';

const TINY = { rows: 500, rounds: 1, scale: 0.002 } as const;

test.serial('engines in processes of their own are measured side by side', async (t) => {
  const directory = temporaryDirectory(t);
  const said: string[] = [];
  const result = await run({
    ...{ ...TINY, directory, engines: ['omendb', 'sqlite', 'map'], keys: ['uniform'] },
    only: ['load-shuffled', 'get-hit', 'put-durable', 'disk', 'memory'],
    say: (line) => said.push(line),
  });
  t.false(result.interrupted);
  const measured = (engine: string) =>
    result.cells.filter((cell) => cell.engine === engine).map(({ metric }) => metric);
  const keeping = ['load-shuffled', 'disk', 'disk-compacted', 'get-hit', 'memory', 'memory-own'];
  t.deepEqual(measured('omendb'), [...keeping, 'put-durable']);
  t.deepEqual(measured('sqlite'), measured('omendb'));
  t.deepEqual(measured('map'), ['load-shuffled', 'get-hit', 'memory', 'memory-own']);
  t.true(measured('calibration').includes('get-hit'));
  const text = show(result);
  t.regex(text, /uniform keys: int64/);
  t.regex(text, /durable put, one at a time .*\/s/);
  t.notRegex(text, /NaN|Infinity|undefined|null/);
  t.deepEqual(readdirSync(directory), [], 'what was written is gone');
  t.true(said.length > 0);
});

test.serial('processes are killed and come back, and others open what is there', async (t) => {
  const directory = temporaryDirectory(t);
  const only = ['open', 'recovery'];
  const result = await run({ ...TINY, directory, engines: ['sqlite'], keys: ['strings'], only });
  t.deepEqual(
    result.cells.flatMap(({ engine, metric, costs }) => {
      return engine === 'sqlite' ? [[metric, costs.length]] : [];
    }),
    [
      ['open', 1],
      ['recovery', 1],
    ],
  );
  t.deepEqual(readdirSync(directory), []);
});

test.serial(
  'an interrupt ends a run, whose figures so far are kept and whose files are not',
  async (t) => {
    const directory = temporaryDirectory(t);
    const stop = new AbortController();
    let steps = 0;
    const result = await run({
      ...{ ...TINY, directory, engines: ['map'], keys: ['uniform'], only: ['load', 'get'] },
      ...{ isTerminal: true, signal: stop.signal },
      say: (line) => {
        if (line.includes('get-hit') && ++steps === 2) stop.abort();
      },
    });
    t.true(result.interrupted);
    t.deepEqual(
      result.cells.filter(({ engine }) => engine === 'map').map(({ metric }) => metric),
      ['load-sorted', 'load-shuffled'],
    );
    t.regex(show(result), /Interrupted/);
    t.deepEqual(readdirSync(directory), []);
  },
);

test.serial('an engine that answers wrongly voids the run, and is named', async (t) => {
  const directory = temporaryDirectory(t);
  let isForged = false;
  const running = run({
    ...{ ...TINY, directory, engines: ['lmdb'], keys: ['uniform'], only: ['get-hit'] },
    isTerminal: true,
    say(line) {
      if (!line.includes('get-hit') || isForged) return;
      isForged = true;
      forge(directory);
    },
  });
  await t.throwsAsync(running, {
    name: 'Disqualified',
    message: /LMDB answered wrongly: get-hit, uniform keys/,
  });
  t.true(isForged);
  t.deepEqual(readdirSync(directory), []);
});

/** Writes over every value, as nobody but LMDB lets another process do. */
function forge(directory: string): void {
  const name = readdirSync(directory, { recursive: true }).find((path) =>
    String(path).endsWith('data.mdb'),
  );
  const path = join(directory, String(name));
  const rows = lmdb.open({ path, noSubdir: true, encoding: 'binary', keyEncoding: 'binary' });
  const keys = [...rows.getKeys()];
  rows.transactionSync(() => {
    for (const key of keys) rows.putSync(key, Buffer.alloc(8));
  });
  void rows.close();
}

test.serial('an engine whose process fails voids the run, and leaves nothing', async (t) => {
  const directory = temporaryDirectory(t);
  let isSpoilt = false;
  const running = run({
    ...{ ...TINY, directory, engines: ['sqlite'], keys: ['uniform'], only: ['get-hit'] },
    isTerminal: true,
    say(line) {
      if (!line.includes('get-hit') || isSpoilt) return;
      isSpoilt = true;
      const [own] = readdirSync(directory);
      rmSync(join(directory, own), { recursive: true });
      writeFileSync(join(directory, own), 'no directory');
    },
  });
  await t.throwsAsync(running, { name: 'Disqualified', message: /^SQLite, run: / });
  t.deepEqual(readdirSync(directory), []);
});

test('options that mean nothing are refused, and say what there is', async (t) => {
  for (const [options, message] of [
    [{ rows: 0 }, /--rows/],
    [{ rounds: 1.5 }, /--rounds/],
    [{ engines: ['oracle'] }, /--engines knows omendb, .* no "oracle"/],
    [{ keys: ['odd'] }, /--keys/],
    [{ only: ['gets'] }, /--only knows load, get/],
  ] as const) {
    await t.throwsAsync(run(options), { instanceOf: BadOption, message });
  }
});

test('an engine that cannot hold so many rows is left out, and said to be', async (t) => {
  const error = await t.throwsAsync(run({ rows: 2 ** 25, engines: ['map'] }));
  t.true(error instanceof BadOption);
});

test('progress tells shares and the time left, and one line in ten seconds where nobody watches', (t) => {
  let now = 0;
  const lines: string[] = [];
  const progress = new Progress(
    100,
    (line) => lines.push(line),
    false,
    () => now,
  );
  progress.step('a', 10);
  now = 1000;
  progress.step('b', 40);
  now = 10_000;
  progress.step('c', 50);
  progress.end();
  t.deepEqual(lines, ['  0 %            a\n', ' 50 %  0:10 left  c\n']);
});

test('--json takes a file, or standard output where none is named', (t) => {
  const names = ['get', 'compare'];
  t.deepEqual(withJsonValue(['--json'], names), ['--json=-']);
  t.deepEqual(withJsonValue(['--json', 'get'], names), ['--json=-', 'get']);
  t.deepEqual(withJsonValue(['--json', '--tiny'], names), ['--json=-', '--tiny']);
  t.deepEqual(withJsonValue(['get', '--json', 'a.json'], names), ['get', '--json', 'a.json']);
  t.deepEqual(withJsonValue(['--json', '-'], names), ['--json', '-']);
});
