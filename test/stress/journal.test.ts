import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { openJournal } from '../../stress/journal.ts';
import { temporaryDirectory } from '../storage/support.ts';

test('what is logged adds up over processes, each run by itself', (t) => {
  const directory = join(temporaryDirectory(t), 'deep', 'down');
  const first = openJournal(directory);
  t.is(first.nextSeed('crash A'), 1);
  first.add({ run: 'crash A', seed: 1, cases: 500, failures: [] });
  first.add({ run: 'crash A', seed: 2, cases: 300, failures: ['replay this'] });
  first.add({ run: 'crash B', seed: 7, cases: 8, failures: [] });
  const second = openJournal(directory);
  t.is(second.nextSeed('crash A'), 3);
  t.is(second.nextSeed('crash B'), 8);
  second.add({ run: 'crash A', seed: 3, cases: 100, failures: [] });
  t.deepEqual(openJournal(directory).total('crash A'), { cases: 900, failures: 1 });
});

test('every line is JSON with commit and seed, but for one that a kill cut', (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'stress.jsonl');
  openJournal(directory).add({ run: 'damage', seed: 1, cases: 10, failures: [] });
  appendFileSync(path, '{"at":"2026-');
  const again = openJournal(directory);
  t.is(again.nextSeed('damage'), 2);
  again.add({ run: 'damage', seed: 2, cases: 10, failures: ['replay this'] });
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  t.is(lines.length, 3);
  const { commit, at, ...rest } = JSON.parse(lines[2]);
  t.deepEqual(rest, { run: 'damage', seed: 2, cases: 10, failures: ['replay this'] });
  t.true(commit === null || /^[0-9a-f]{12}\+?$/.test(commit), String(commit));
  t.true(Date.parse(at) > 0);
});

test('without a directory it counts, and keeps nothing', (t) => {
  const journal = openJournal(null);
  journal.add({ run: 'damage', seed: 5, cases: 10, failures: [] });
  t.is(journal.nextSeed('damage'), 6);
  t.deepEqual(journal.total('damage'), { cases: 10, failures: 0 });
});
