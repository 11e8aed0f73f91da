/** `npm run bench` as it is called: what it takes, where its output goes, and how an interrupt ends it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { parseRun } from '../../../bench/compare/against.ts';
import { temporaryDirectory } from '../../storage/support.ts';

const MAIN = fileURLToPath(new URL('../../../bench/main.ts', import.meta.url));
const QUICK = ['--tiny', '--engines', 'map', '--keys', 'uniform', '--only', 'load-shuffled'];

function start(args: readonly string[], temporary: string) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: temporary },
  });
  return { child, ended: once(child, 'close') };
}

test.serial(
  'without a name it compares; tables go to stdout, figures to a file, nothing stays',
  async (t) => {
    const directory = temporaryDirectory(t);
    const file = join(directory, 'run.json');
    const { child, ended } = start([...QUICK, '--json', file], directory);
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
    t.deepEqual(await ended, [0, null], err);
    t.regex(out, /load, shuffled/);
    t.regex(err, /compare: OmenDB beside/);
    const { cells } = parseRun(readFileSync(file, 'utf8'));
    t.true(cells.some(({ engine }) => engine === 'map'));
    t.deepEqual(readdirSync(directory), ['run.json']);
  },
);

test.serial('an interrupt ends it, with what it has, and takes its files with it', async (t) => {
  const directory = temporaryDirectory(t);
  // So many turns that it cannot have ended before the interrupt comes.
  const endless = ['--rows', '1000', '--rounds', '100000', '--engines', 'map', '--only', 'load'];
  const { child, ended } = start(endless, directory);
  const out = text(child.stdout);
  child.stderr.on('data', (chunk: Buffer) => {
    if (chunk.includes('load-sorted')) child.kill('SIGINT');
  });
  t.deepEqual(await ended, [130, null]);
  t.regex(await out, /Interrupted/);
  t.deepEqual(readdirSync(directory), []);
});
