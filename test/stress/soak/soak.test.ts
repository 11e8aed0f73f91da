/** A short soak, with everything that a long one has; `npm run soak -- --hours 24` is the long one. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import type { Verdict } from '../../../stress/soak/judge.ts';
import { read } from '../../house/sources.ts';
import { temporaryDirectory } from '../../storage/support.ts';

const SECONDS = process.env.CI === undefined ? 20 : 60;
const MAIN = join(import.meta.dirname, '../../../stress/soak/main.ts');
const run = promisify(execFile);

interface Report {
  readonly isGood: boolean;
  readonly verdicts: readonly Verdict[];
}

async function soak(...args: string[]): Promise<Report> {
  const { stdout } = await run(process.execPath, [MAIN, '--json', ...args]);
  return JSON.parse(stdout) as Report;
}

test('a database that is killed, stopped, filled up and failed keeps its promises', async (t) => {
  t.timeout(600_000);
  const directory = join(temporaryDirectory(t), 'soak');
  const args = ['--keys', '20000', '--seed', '20260101', '--dir', directory];
  const { isGood, verdicts } = await soak('--seconds', String(SECONDS), ...args);
  t.true(isGood, JSON.stringify(verdicts, null, 2));
  const [kept, faults] = verdicts;
  t.true(kept.holds && faults.holds);
  t.regex(faults.figure, /^([3-9]|\d{2,}) faults/);
  t.true(JSON.parse(read('package.json')).scripts.soak.includes('stress/soak/main.ts'));
});

test('a soak whose supervisor is killed goes on with what it knew', async (t) => {
  t.timeout(600_000);
  const directory = join(temporaryDirectory(t), 'soak');
  const args = ['--seconds', '8', '--keys', '20000', '--seed', '7', '--dir', directory];
  const broken = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  await once(broken.stderr, 'data');
  broken.kill('SIGKILL');
  const { isGood, verdicts } = await soak('--resume', '--dir', directory);
  t.true(isGood, JSON.stringify(verdicts, null, 2));
  const processes = Number(/(\d+) processes/.exec(verdicts[1].figure)?.[1]);
  t.true(processes >= 3, verdicts[1].figure);
});

test('options that make no sense are told, with code 2', async (t) => {
  for (const args of [
    ['--keys', '7'],
    ['--hours', 'soon'],
    ['--resume'],
    ['--nothing'],
    ['--planted', 'nothing'],
  ]) {
    const error = await t.throwsAsync<Error & { code: number; stderr: string }>(
      run(process.execPath, [MAIN, ...args]),
    );
    t.is(error?.code, 2, args.join(' '));
    t.regex(error?.stderr ?? '', /Usage: npm run soak/);
  }
});
