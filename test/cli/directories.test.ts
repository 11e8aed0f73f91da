import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { makeTemporary, traceOf } from '../../src/cli/directories.ts';
import { temporaryDirectory } from '../storage/support.ts';

test('what was made is removed, with the folders above it, and nothing that was there', (t) => {
  const directory = temporaryDirectory(t);
  const deep = join(directory, 'a/b/c');
  const made = traceOf(deep);
  mkdirSync(join(deep, 'd'), { recursive: true });
  writeFileSync(join(deep, 'd/file'), '');
  made.remove();
  t.deepEqual(readdirSync(directory), []);
  writeFileSync(join(directory, 'kept'), '');
  const within = traceOf(directory);
  mkdirSync(join(directory, 'd'));
  writeFileSync(join(directory, 'd/file'), '');
  within.remove();
  t.deepEqual(readdirSync(directory), ['kept']);
  traceOf(deep).remove();
});

test('a temporary directory is there until it is removed', (t) => {
  const { path, remove } = makeTemporary();
  writeFileSync(join(path, 'file'), '');
  remove();
  t.false(existsSync(path));
});
