import { readFileSync, rmSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import test from 'ava';
import { PLANTED, plant } from '../../../stress/soak/planted.ts';
import { read } from '../../house/sources.ts';

test('every bug to be planted has its place in the sources, once, and leaves a program', (t) => {
  for (const [name, { file }] of Object.entries(PLANTED)) {
    const directory = plant(name);
    t.teardown(() => rmSync(directory, { recursive: true }));
    const planted = readFileSync(join(directory, file), 'utf8');
    t.not(planted, read(file), name);
    t.notThrows(() => stripTypeScriptTypes(planted), name);
  }
});

test('a bug that there is not is told', (t) => {
  t.throws(() => plant('none'), { instanceOf: TypeError, message: /lost-write/ });
});
