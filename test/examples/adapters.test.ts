/** The examples of the other interfaces print what their comments say, the first time and again. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { temporaryDirectory } from '../storage/support.ts';

const OUTPUT: Readonly<Record<string, readonly string[]>> = {
  level: ['{ born: 1906 }', 'undefined', 'margaret 1936', 'grace 1906', 'undefined 1', '4'],
  keyv: ["{ name: 'Ada' }", 'true false', 'undefined true'],
};

for (const [name, lines] of Object.entries(OUTPUT)) {
  test(`examples/${name}.ts`, async (t) => {
    const cwd = temporaryDirectory(t);
    const example = fileURLToPath(new URL(`../../examples/${name}.ts`, import.meta.url));
    for (let round = 0; round < 2; round++) {
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [example], { cwd });
      t.is(stderr, '');
      t.deepEqual(stdout.trimEnd().split('\n'), lines);
    }
  });
}
