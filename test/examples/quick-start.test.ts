import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

const EXAMPLE = fileURLToPath(new URL('../../examples/quick-start.ts', import.meta.url));

test('the quick start prints what its comments say, the first time and again', async (t) => {
  const cwd = mkdtempSync(join(tmpdir(), 'omendb-quick-start-'));
  t.teardown(() => rmSync(cwd, { recursive: true, force: true }));
  for (let round = 0; round < 2; round++) {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [EXAMPLE], { cwd });
    t.is(stderr, '');
    t.deepEqual(stdout.trimEnd().split('\n'), [
      "{ sensor: 7, celsius: 22.1, note: 'sun' }",
      '22.1',
      '1767268800000 21.5',
      '1767272400000 22.1',
      '1767276000000 22.9',
    ]);
  }
});
