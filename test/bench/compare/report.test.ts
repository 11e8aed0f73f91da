/** The comparison's page: it has what was measured, and stands by itself. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { command } from '../../../bench/compare/command.ts';
import { reportOf } from '../../../bench/compare/report/page.ts';
import type { Cell } from '../../../bench/compare/run.ts';
import { type CompareRun, HELP } from '../../../bench/compare.ts';
import { temporaryDirectory } from '../../storage/support.ts';

const cell = (metric: string, engine: Cell['engine'], ...costs: number[]): Cell => {
  return { kind: 'uniform', metric, engine, costs };
};

const RUN: CompareRun = {
  ...{ format: 1, at: '2026-01-02T03:04:05Z', machine: { processor: '2 × <fast>' } },
  ...{ rows: 1000, rounds: 3, scale: 1, interrupted: true },
  engines: [
    { name: 'omendb', title: 'OmenDB', version: '1', setup: 'as it is', inMemory: false },
    { name: 'lmdb', title: 'LMDB', version: '2', setup: 'a map', inMemory: false },
    { name: 'map', title: 'Map', version: '3', setup: 'none', inMemory: true },
  ],
  skipped: [{ title: 'DuckDB', why: 'it is not installed.' }],
  cells: [
    cell('get-hit', 'omendb', 100, 110, 90),
    cell('get-hit', 'lmdb', 500, 520, 480),
    cell('get-hit', 'map', 50, 40, 60),
    cell('put', 'omendb', 2000),
    cell('memory', 'map', -3),
    cell('memory', 'omendb', 24),
  ],
};

test('the page has every figure, who is best, what is missing, and how each is set up', (t) => {
  const page = reportOf(RUN);
  t.regex(page, /<td class="best">100 ns<small>±5 %<\/small><\/td>/);
  t.regex(page, /<td>500 ns<small>5 × ±2 %<\/small><\/td>/);
  t.regex(page, /LMDB, get, a hit: 5 times/);
  t.regex(page, /2 × &lt;fast&gt;/);
  t.regex(page, /Without DuckDB: it is not installed\./);
  t.regex(page, /interrupted/);
  t.regex(page, /<dt>LMDB, 2<\/dt><dd>a map<\/dd>/);
  t.false(page.includes('id="strings"'), 'of keys that were not measured there is nothing');
  t.notRegex(page.replace(/<style>[\s\S]*<\/style>/, ''), /NaN|Infinity|undefined|null|https?:/);
});

test('a page without any ratio has no chart of them', (t) => {
  const page = reportOf({ ...RUN, cells: [cell('put', 'lmdb', 5)] });
  t.false(page.includes('At a glance'));
  t.regex(page, /200 M\/s/);
});

const said: string[] = [];
const NOTHING = {
  ...{ rows: undefined, rounds: undefined, tiny: true, report: false },
  say: (line: string) => said.push(line),
} as const;
const MAP = { engines: ['map'], keys: ['uniform'], only: ['load-shuffled'] } as const;

test('the command writes the page, and fails where a figure has become worse', async (t) => {
  const directory = temporaryDirectory(t);
  const reportFile = join(directory, 'deep', 'page.html');
  const options = { ...NOTHING, ...MAP, report: true, reportFile, against: undefined };
  const { result, exitCode } = await command(options);
  t.is(exitCode, 0);
  t.true(said.includes(`The page is ${reportFile}\n`));
  t.regex(readFileSync(reportFile, 'utf8'), /Map°/);
  const base = join(directory, 'base.json');
  writeFileSync(base, JSON.stringify({ compare: result }));
  const again = await command({ ...options, report: false, against: base });
  t.is(again.exitCode, 0, again.text);
  t.regex(again.text, /0 worse, 0 better, 0 the same/, 'OmenDB took no part');
});

test('the command refuses what it cannot do with exit code 2', async (t) => {
  const directory = temporaryDirectory(t);
  const base = join(directory, 'base.json');
  const refused = async (over: object, message: RegExp) => {
    const { exitCode, text } = await command({ ...NOTHING, ...MAP, against: undefined, ...over });
    t.is(exitCode, 2);
    t.regex(text, message);
  };
  await refused({ engines: ['oracle'] }, /no "oracle"/);
  await refused({ against: base }, /base\.json: ENOENT/);
  writeFileSync(base, '{}');
  await refused({ against: base }, /no comparison/);
  writeFileSync(base, JSON.stringify(RUN));
  await refused({ against: base }, /It has 1,000 rows/);
  t.false(existsSync(join(directory, 'deep')));
  t.regex(HELP, /--against FILE/);
});
