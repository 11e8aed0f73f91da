import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import test from 'ava';
import { MUTANTS } from '../../stress/mutant-list.ts';
import { Laboratory, mutate } from '../../stress/mutants.ts';
import { temporaryDirectory, until } from '../coordinator/support.ts';
import { read } from '../house/sources.ts';

test('every seeded bug has its place in the sources, once, and leaves a program', (t) => {
  t.true(MUTANTS.length >= 20);
  t.is(new Set(MUTANTS.map(({ what }) => what)).size, MUTANTS.length);
  for (const mutant of MUTANTS) {
    const mutated = mutate(mutant);
    t.not(mutated, read(mutant.file), mutant.what);
    t.notThrows(() => stripTypeScriptTypes(mutated), mutant.what);
  }
});

test('a bug whose place is gone, or not the only one, is told', (t) => {
  const [mutant] = MUTANTS;
  t.throws(() => mutate({ ...mutant, find: 'no such code' }), { message: /has 0 of/ });
  t.throws(() => mutate({ ...mutant, find: ';' }), { message: /has \d+ of/ });
});

test('a bug is noticed by what runs in the copy, which is sound before and after', (t) => {
  using laboratory = new Laboratory();
  const command = [
    'node_modules/ava/entrypoints/cli.js',
    'test/shard-worker/decide-batches.test.ts',
  ];
  const mutant = MUTANTS.find(({ file }) => file === 'src/shard-worker/decide-batches.ts');
  t.truthy(mutant);
  if (mutant === undefined) return;
  t.true(laboratory.passes(command));
  t.true(laboratory.notices(mutant, command));
  t.true(laboratory.passes(command));
});

test('what a detector started ends with it', async (t) => {
  using laboratory = new Laboratory();
  const started = join(temporaryDirectory(t), 'started');
  const spin = `require('node:child_process').spawn(process.execPath, ['-e', 'for (;;);']).pid`;
  const write = `require('node:fs').writeFileSync(${JSON.stringify(started)}, String(${spin}))`;
  t.true(laboratory.passes(['-e', `${write}; process.exit()`]));
  const pid = Number(readFileSync(started, 'utf8'));
  await until(() => isGone(pid));
  t.pass();
});

/** Whether a process has ended; one that nobody has asked for its end yet is a zombie. */
function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}
