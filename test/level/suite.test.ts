/** The whole suite that abstract-level publishes, plain and over sublevels. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { OmenLevelOptions } from '../../src/level.ts';
import { temporaryDirectory } from '../storage/support.ts';

const SUITE = fileURLToPath(new URL('published-suite.ts', import.meta.url));

/** What there is of it in abstract-level 3.1.1: fewer would mean that some of it was left out. */
const ASSERTIONS = 5168;

const SMALL = { entriesMax: 1024, arenaBytes: 2 ** 20 };

/**
 * Each database starts a thread, which takes half the time where modules need not be compiled anew; what
 * is cached, coverage cannot see into.
 */
const { NODE_V8_COVERAGE: _, ...env } = process.env;

/** Over shards, so that batches, ranges and snapshots have several to agree on. */
const OPTIONS: OmenLevelOptions = { shards: 2, threads: 1, durability: 'os', memtable: SMALL };

test('the published suite of abstract-level passes', async (t) => {
  t.timeout(1_200_000, 'The suite makes and closes a thousand databases.');
  const child = spawn(process.execPath, [SUITE, temporaryDirectory(t), JSON.stringify(OPTIONS)], {
    env: { ...env, NODE_COMPILE_CACHE: temporaryDirectory(t) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [exitCode] = await exited;
  const failed = output.split('\n').filter((line) => line.startsWith('not ok'));
  t.deepEqual(failed, []);
  t.is(errors, '');
  t.is(exitCode, 0);
  const count = (what: string) =>
    Number(output.match(new RegExp(`^# ${what}\\s+(\\d+)$`, 'm'))?.[1]);
  t.true(count('tests') >= ASSERTIONS, `${count('tests')} assertions`);
  t.is(count('pass'), count('tests'));
});
