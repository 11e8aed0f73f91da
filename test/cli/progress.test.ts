import { stripVTControlCharacters } from 'node:util';
import test from 'ava';
import { exportLine, ProgressLine, progressLine } from '../../src/cli/progress.ts';
import type { LoadProgress } from '../../src/index.ts';

const HALF: LoadProgress = {
  ...{
    phase: 'read',
    rows: 1_234_567,
    rowsWritten: 0,
    bytes: 9e6,
    rowsPerSecond: 2.1e6,
    ms: 600,
    msLeft: 61_000,
  },
  ...{ source: 'a.csv', sourceNumber: 2, sources: 3, bytesRead: 60e6, bytesTotal: 120e6 },
};

test('a line is as wide as the terminal at most, and says the most important first', (t) => {
  t.is(
    progressLine(HALF, 200, false),
    'Reading  ━━━━━━━━━━━━━━━───────────────   50 %  1,234,567 rows  2.1 M rows/s  1:01 left  60.0 MB of 120 MB  file 2 of 3',
  );
  t.is(
    progressLine(HALF, 80, false),
    'Reading  ━━━━━━━━━━━───────────   50 %  1,234,567 rows  2.1 M rows/s  1:01 left',
  );
  for (const columns of [20, 30, 40, 60, 80, 100, 120]) {
    const line = progressLine(HALF, columns, true);
    t.true(stripVTControlCharacters(line).length < Math.max(columns, 17), line);
    t.true(line.includes('50 %'), line);
  }
});

test('what is not known is not told', (t) => {
  const stream = { ...HALF, bytesTotal: null, msLeft: null, sources: 1 };
  t.is(progressLine(stream, 80, false), 'Reading   1,234,567 rows  2.1 M rows/s');
  t.is(
    progressLine({ ...HALF, phase: 'publish', msLeft: null }, 80, false),
    'Publishing  1,234,567 rows',
  );
  t.is(
    progressLine({ ...HALF, phase: 'write', rowsWritten: 308_642 }, 80, false),
    'Writing  ━━━━━━━━──────────────────────   25 %  1,234,567 rows  1:01 left',
  );
});

test('an export is told of likewise', (t) => {
  const progress = {
    ...{ rows: 500, rowsTotal: 1000, bytes: 2e6, rowsPerSecond: 1e6, ms: 600, msLeft: 600 },
  };
  t.is(
    exportLine(progress, 80, false),
    'Exporting ━━━━━━━━━─────────   50 %  500 rows  1.0 M rows/s  0.6 s left  2.0 MB',
  );
  t.is(
    exportLine({ ...progress, rowsTotal: null, msLeft: null }, 80, false),
    'Exporting  500 rows  1.0 M rows/s  2.0 MB',
  );
});

test('on a terminal the line is written over; elsewhere one comes every ten seconds', (t) => {
  let [text, ms] = ['', 0];
  const stderr = { write: (more: string) => (text += more), isTTY: false, columns: 80 };
  const context = {
    ...{ stdin: async function* () {}, stdout: stderr, binary: () => process.stdout, env: {} },
    ...{ signal: new AbortController().signal, now: () => ms },
  };
  const log = new ProgressLine({ ...context, stderr }, progressLine);
  for (; ms <= 25_000; ms += 250) log.at(HALF);
  log.end();
  t.is(text.split('\n').length, 3);
  t.false(text.includes('\x1b'));
  text = '';
  const line = new ProgressLine({ ...context, stderr: { ...stderr, isTTY: true } }, progressLine);
  line.at(HALF);
  line.at(HALF);
  line.end();
  t.is(text.split('\r\x1b[2K').length, 4);
  t.true(text.endsWith('\r\x1b[2K'));
  text = '';
  const plain = { ...context, env: { NO_COLOR: '1' }, stderr: { ...stderr, isTTY: true } };
  new ProgressLine(plain, progressLine).at(HALF);
  t.false(text.includes('\x1b[3'));
});
