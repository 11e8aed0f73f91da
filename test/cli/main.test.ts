/** The command as a process of its own. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { temporaryDirectory } from '../storage/support.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const ROOT = join(import.meta.dirname, '../..');

test('it says its version and its commands', async (t) => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const run = promisify(execFile);
  t.is((await run(process.execPath, [MAIN, '--version'])).stdout, `${version}\n`);
  const { stdout } = await run(process.execPath, [MAIN, '--help']);
  t.regex(stdout, /load .*files/);
  const failed = await t.throwsAsync(run(process.execPath, [MAIN, 'laod']));
  t.like(failed, { code: 2 });
});

test('an interrupt while the input is waited for ends it with 130, and leaves nothing', async (t) => {
  const directory = temporaryDirectory(t);
  const types = ['--key', 'id:int64', '--column', 'value:float64', '--shards', '1'];
  const argv = [MAIN, 'load', '--db', join(directory, 'data'), ...types, '--format', 'csv', '-'];
  const child = spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  let text = '';
  child.stderr.on('data', (piece) => {
    text += piece;
    // The database is created: the load has begun, or is about to.
    if (!child.killed && text.includes('value: float64')) child.kill('SIGINT');
  });
  t.deepEqual(await ended, [130, null], text);
  t.deepEqual(readdirSync(directory), []);
});
