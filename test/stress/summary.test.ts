import test from 'ava';
import type { Entry } from '../../stress/journal.ts';
import { markdownOf, sumsOf, textOf } from '../../stress/summary.ts';

const ENTRIES: readonly Entry[] = [
  { at: '', commit: 'a', run: 'damage', seed: 1, cases: 1000, failures: [] },
  { at: '', commit: 'a', run: 'crash A', seed: 1, cases: 500, failures: [], seconds: 1800 },
  { at: '', commit: 'b', run: 'crash A', seed: 2, cases: 700, failures: ['x', 'y'], seconds: 1800 },
  { at: '', commit: 'b', run: 'crash A', seed: 2, cases: 1, failures: [] },
];

test('runs add up, each sort by itself', (t) => {
  t.deepEqual(sumsOf(ENTRIES), [
    { run: 'crash A', cases: 1201, failures: 2, seeds: 2, commits: 2, last: 'b', hours: 1 },
    { run: 'damage', cases: 1000, failures: 0, seeds: 1, commits: 1, last: 'a', hours: 0 },
  ]);
  t.deepEqual(sumsOf([]), []);
});

test('the table has a line a run, under its headings', (t) => {
  t.is(
    textOf(sumsOf(ENTRIES)),
    [
      'run      cases  failures  seeds  commits  last  hours',
      'crash A  1,201         2      2        2  b         1',
      'damage   1,000         0      1        1  a         0',
    ].join('\n'),
  );
  const [headings, rule, first] = markdownOf(sumsOf(ENTRIES)).split('\n');
  t.is(headings, '| run | cases | failures | seeds | commits | last | hours |');
  t.is(rule, '| --- | ---: | ---: | ---: | ---: | --- | ---: |');
  t.is(first, '| crash A | 1,201 | 2 | 2 | 2 | b | 1 |');
});
