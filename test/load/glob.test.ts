import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import test from 'ava';
import { isPattern, pathsOf } from '../../src/load/glob.ts';
import { realStorage } from '../../src/storage/real.ts';
import { temporaryDirectory } from '../storage/support.ts';

test('patterns find files as a shell does, sorted', (t) => {
  const directory = temporaryDirectory(t);
  const files = ['b.csv', 'a.csv', 'a.tsv', '.hidden.csv', 'x/c.csv', 'x/y/d.csv', 'z/e.csv'];
  for (const file of files) {
    mkdirSync(join(directory, file, '..'), { recursive: true });
    writeFileSync(join(directory, file), '');
  }
  const found = (pattern: string) =>
    pathsOf(realStorage, join(directory, pattern)).map((path) => relative(directory, path));
  t.deepEqual(found('*.csv'), ['a.csv', 'b.csv']);
  t.deepEqual(found('?.[ct]sv'), ['a.csv', 'a.tsv', 'b.csv']);
  t.deepEqual(found('{a,b}.csv'), ['a.csv', 'b.csv']);
  t.deepEqual(found('.*.csv'), ['.hidden.csv']);
  t.deepEqual(found('*/*.csv'), ['x/c.csv', 'z/e.csv']);
  t.deepEqual(found('x/**/*.csv'), ['x/c.csv', 'x/y/d.csv']);
  t.deepEqual(found('**/d.csv'), ['x/y/d.csv']);
  t.deepEqual(found('{x/y,z}/*.csv'), ['x/y/d.csv', 'z/e.csv']);
  t.deepEqual(found('none/*.csv'), []);
  t.deepEqual(found('a.csv/*'), []);
  t.false(isPattern('a.csv'));
  t.true(isPattern('a?.csv'));
});
