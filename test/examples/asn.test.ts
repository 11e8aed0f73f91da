import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { Report } from '../../examples/asn/report.ts';

const EXAMPLE = fileURLToPath(new URL('../../examples/asn.ts', import.meta.url));

interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the example with `temporary` as the system's directory for temporary files. */
async function run(args: readonly string[], temporary = tmpdir()): Promise<Outcome> {
  const child = spawn(process.execPath, [EXAMPLE, ...args], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { exitCode: await exited, stdout, stderr };
}

function temporaryDirectory(teardown: (fn: () => void) => void): string {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-example-test-'));
  teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test('it answers from real data, survives its crash, says so as JSON and leaves nothing behind', async (t) => {
  const temporary = temporaryDirectory((fn) => t.teardown(fn));
  const outcome = await run(['--rows', '20000', '--json', '--ip', '9.9.9.9', '0.0.0.1'], temporary);
  t.is(outcome.exitCode, 0, outcome.stderr);
  const { ranges, series }: Report = JSON.parse(outcome.stdout);

  t.is(ranges.rows, 411_961);
  t.true(ranges.segmentBytes > 411_961 * 40, 'the sizes are those of all shards');
  const owners = ranges.answers.map(({ address, asn, name }) => [address, asn, name]);
  t.deepEqual(owners.slice(0, 3), [
    ['1.1.1.1', 13335, 'Cloudflare, Inc.'],
    ['8.8.8.8', 15169, 'Google LLC'],
    ['10.0.0.1', null, null],
  ]);
  t.deepEqual(owners[3].slice(0, 2), ['9.9.9.9', 19281]);
  t.like(ranges.answers[4], { asn: null, first: '0.0.0.0', last: '0.255.255.255' });

  t.is(series.rows, 20_000);
  t.is(series.crash.lost, 0);
  t.is(series.crash.wrong, 0);
  t.true(series.crash.acknowledged >= 10_000);
  t.true(series.crash.found >= series.crash.acknowledged);
  t.true(series.crash.acknowledged + series.rest.rows >= 20_000);
  t.is(series.reads.at(-1)?.rows, 20_000);
  t.true(series.windowMax >= 1);
  t.deepEqual(readdirSync(temporary), []);
});

test('without a terminal it prints plain text, with credit to the sources; data stays where told, unmixed', async (t) => {
  const directory = join(
    temporaryDirectory((fn) => t.teardown(fn)),
    'data',
  );
  const { exitCode, stdout, stderr } = await run(['--rows', '1', '--dir', directory]);
  t.is(exitCode, 0, stderr);
  t.regex(stdout, /RouteViews .*DB-IP .*CC BY 4\.0/);
  t.regex(stdout, /0 lost, 0 wrong/);
  t.false((stdout + stderr).includes('\x1b'));
  t.deepEqual(readdirSync(directory).sort(), ['ranges', 'series']);

  const again = await run(['--rows', '1', '--dir', directory]);
  t.is(again.exitCode, 1);
  t.regex(again.stderr, /OMEN_EXISTS/);
});

test('wrong options end with exit code 2 and say what is wrong', async (t) => {
  for (const args of [['--rows', 'many'], ['--rows', '0'], ['1.1.1'], ['--speed', '9']]) {
    const { exitCode, stdout, stderr } = await run(args);
    t.is(exitCode, 2, args.join(' '));
    t.is(stdout, '');
    t.regex(stderr, /--help/);
  }
  const help = await run(['--help']);
  t.is(help.exitCode, 0);
  t.regex(help.stdout, /^Usage:/);
});
