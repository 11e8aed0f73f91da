import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';

const script = join(import.meta.dirname, '../../scripts/verdict.js');

interface Run {
  log: string;
  exitCode: number;
  linesPercent?: number;
}

function judge({ log, exitCode, linesPercent }: Run): { status: number | null; lastLine: string } {
  const folder = mkdtempSync(join(tmpdir(), 'omendb-verdict-'));
  try {
    const logPath = join(folder, 'log');
    const coveragePath = join(folder, 'coverage-summary.json');
    writeFileSync(logPath, log);
    if (linesPercent !== undefined) {
      const lines = { total: 100, covered: linesPercent, skipped: 0, pct: linesPercent };
      writeFileSync(coveragePath, JSON.stringify({ total: { lines } }));
    }
    const arguments_ = [script, logPath, String(exitCode), coveragePath];
    const { status, stdout } = spawnSync(process.execPath, arguments_, { encoding: 'utf8' });
    return { status, lastLine: stdout.trimEnd().split('\n').at(-1) ?? '' };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const tap = (counts: string) =>
  `TAP version 13\nok 1 - it holds\n\n1..9\n${counts}\n\nLines : 90%\n`;

test('a green run with enough coverage passes with its counts', (t) => {
  const run = { log: tap('# tests 9\n# pass 9\n# fail 0'), exitCode: 0, linesPercent: 80 };
  t.deepEqual(judge(run), { status: 0, lastLine: '9 passed, 0 failed' });
});

test('skipped tests are told', (t) => {
  const log = tap('# tests 9\n# pass 7\n# skip 2\n# fail 0');
  const run = { log, exitCode: 0, linesPercent: 95.5 };
  t.deepEqual(judge(run), { status: 0, lastLine: '7 passed, 0 failed, 2 skipped' });
});

test('failed tests are counted as they are', (t) => {
  const run = { log: tap('# tests 9\n# pass 6\n# fail 3'), exitCode: 1, linesPercent: 95 };
  t.deepEqual(judge(run), { status: 1, lastLine: '6 passed, 3 failed' });
});

test('coverage under the floor is a failure', (t) => {
  const run = { log: tap('# tests 9\n# pass 9\n# fail 0'), exitCode: 0, linesPercent: 79.99 };
  t.deepEqual(judge(run), { status: 1, lastLine: '9 passed, 1 failed' });
});

test('a run that left no coverage is a failure', (t) => {
  const run = { log: tap('# tests 9\n# pass 9\n# fail 0'), exitCode: 0 };
  t.deepEqual(judge(run), { status: 1, lastLine: '9 passed, 1 failed' });
});

test('an exit code that no test explains is a failure', (t) => {
  const run = { log: tap('# tests 9\n# pass 9\n# fail 0'), exitCode: 3, linesPercent: 95 };
  t.deepEqual(judge(run), { status: 1, lastLine: '9 passed, 1 failed' });
});

test('a run that broke off before its first test is a failure', (t) => {
  const run = { log: "src/a.ts(1,7): error TS2322: Type 'string' …\n", exitCode: 2 };
  t.deepEqual(judge(run), { status: 1, lastLine: '0 passed, 1 failed' });
});

test('a run that broke off later is a failure, and has the tests it told of', (t) => {
  const log = 'TAP version 13\nok 1 - a › b\nok 2 - a › c\nnot ok 3 - a › d\nok 4 - a › e\n';
  t.deepEqual(judge({ log, exitCode: 1 }), { status: 1, lastLine: '3 passed, 2 failed' });
  const green = log.replace('not ok', 'ok');
  t.deepEqual(judge({ log: green, exitCode: 1 }), { status: 1, lastLine: '4 passed, 1 failed' });
  t.deepEqual(judge({ log: green, exitCode: 0 }), { status: 1, lastLine: '4 passed, 1 failed' });
});

test('a run of no tests is a failure, whatever its exit code', (t) => {
  const run = { log: tap('# tests 0\n# pass 0\n# fail 0'), exitCode: 0, linesPercent: 95 };
  t.deepEqual(judge(run), { status: 1, lastLine: '0 passed, 1 failed' });
});

test('counts that a test prints itself are not taken for the real ones', (t) => {
  const log = `1..4\n# pass 4\n# fail 0\n${tap('# tests 9\n# pass 8\n# fail 1')}`;
  t.deepEqual(judge({ log, exitCode: 1 }), { status: 1, lastLine: '8 passed, 1 failed' });
});
