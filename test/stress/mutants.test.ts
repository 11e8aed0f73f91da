import { stripTypeScriptTypes } from 'node:module';
import test from 'ava';
import { MUTANTS } from '../../stress/mutant-list.ts';
import { Laboratory, mutate } from '../../stress/mutants.ts';
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
