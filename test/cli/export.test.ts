/** `omendb export`, from its arguments to what is in the file. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { Interruption } from '../../src/cli/context.ts';
import { keyOf } from '../../src/cli/key-text.ts';
import { open } from '../../src/index.ts';
import { codeOf, temporaryDirectory } from '../storage/support.ts';
import { omendb } from './support.ts';

async function weather(t: ExecutionContext) {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'data');
  await using db = await open(path, {
    ...{ key: 'timestamp', columns: { celsius: 'float64', note: 'utf8?' }, shards: 1 },
  });
  for (let day = 1; day <= 9; day++) {
    await db.put(Date.UTC(2026, 0, day), { celsius: day / 2, note: day % 2 ? 'odd, "day"' : null });
  }
  return { directory, path, file: (name: string) => join(directory, name) };
}

test('rows of a range to a file, with a report for people or for programs', async (t) => {
  const { path, file, directory } = await weather(t);
  const range = ['--db', path, '--gte', '2026-01-02', '--lt', '2026-01-04T00:00:00.001Z'];
  const ran = await omendb(['export', ...range, file('some.csv')]);
  t.is(ran.code, 0, ran.err);
  t.is(ran.out, '');
  t.regex(ran.err, /^3 rows exported to .*some\.csv\. .* rows\/s, \d+ B\.\n$/m);
  t.is(
    readFileSync(file('some.csv'), 'utf8'),
    'key,celsius,note\n2026-01-02T00:00:00Z,1,\n2026-01-03T00:00:00Z,1.5,"odd, ""day"""\n2026-01-04T00:00:00Z,2,\n',
  );
  const again = await omendb(['export', ...range, file('some.csv')]);
  t.is(again.code, 1);
  t.regex(again.err, /is there already.*OMEN_INVALID_TARGET.*\n.*--force/);
  const forced = ['--force', '--json', '--quiet', '--columns', 'key', '--reverse', '--limit', '1'];
  const replaced = await omendb(['export', ...range, ...forced, file('some.csv')]);
  t.is(replaced.err, '');
  t.like(JSON.parse(replaced.out), { db: path, rows: 1 });
  t.is(readFileSync(file('some.csv'), 'utf8'), 'key\n2026-01-04T00:00:00Z\n');
  const packed = await omendb(['export', '--db', path, '--no-header', file('all.tsv.gz')]);
  t.is(packed.code, 0, packed.err);
  t.is(
    gunzipSync(readFileSync(file('all.tsv.gz')))
      .toString()
      .split('\n').length,
    10,
  );
  t.deepEqual(readdirSync(directory).sort(), ['all.tsv.gz', 'data', 'some.csv']);
});

test('rows to the standard output', async (t) => {
  const { path } = await weather(t);
  const argv = ['export', '--db', path, '--format', 'ndjson', '--columns', 'celsius', '--lte'];
  const ran = await omendb([...argv, '1767312000000', '-']);
  t.is(ran.code, 0, ran.err);
  t.is(ran.out, '{"celsius":0.5}\n{"celsius":1}\n');
  t.is((await omendb([...argv, '1767312000000', '--json', '-'])).code, 2);
});

test('what fails leaves nothing behind', async (t) => {
  const { path, file, directory } = await weather(t);
  const wrong: readonly (readonly [number, RegExp, readonly string[]])[] = [
    [1, /OMEN_NOT_FOUND/, ['--db', file('none'), file('a.csv')]],
    [1, /OMEN_INVALID_TARGET/, ['--db', path, file('a.txt')]],
    [
      1,
      /--gte: a timestamp key is .*OMEN_INVALID_KEY/,
      ['--db', path, '--gte', 'now', file('a.csv')],
    ],
    [1, /OMEN_UNKNOWN_COLUMN/, ['--db', path, '--columns', 'kelvin', file('a.csv')]],
    [2, /--format/, ['--db', path, '--format', 'xml', file('a.csv')]],
    [2, /required/, [file('a.csv')]],
  ];
  for (const [code, message, argv] of wrong) {
    const ran = await omendb(['export', ...argv]);
    t.is(ran.code, code, ran.err);
    t.regex(ran.err, message);
  }
  const interrupted = AbortSignal.abort(new Interruption(130));
  t.is((await omendb(['export', '--db', path, file('a.csv')], { signal: interrupted })).code, 130);
  t.deepEqual(readdirSync(directory), ['data']);
});

test('keys are read as their types have them', (t) => {
  t.is(keyOf('int64', '-5', ''), -5n);
  t.is(keyOf('uint64', '18446744073709551615', ''), 2n ** 64n - 1n);
  t.is(keyOf('float64', '-1e3', ''), -1000);
  t.is(keyOf('utf8', '', ''), '');
  t.deepEqual(keyOf('binary', 'AQI=', ''), Uint8Array.of(1, 2));
  t.is(keyOf('timestamp', '-5', ''), -5);
  const noon = new Date(Date.UTC(2026, 0, 1, 12));
  for (const text of ['2026-01-01T12:00:00Z', '2026-01-01T12:00', '2026-01-01T13:00:00+01:00']) {
    t.deepEqual(keyOf('timestamp', text, ''), noon);
  }
  t.deepEqual(keyOf('timestamp', '2026', ''), new Date(Date.UTC(2026)));
  t.deepEqual(keyOf('timestamp', '2026-01-01', ''), new Date(Date.UTC(2026)));
  for (const [type, text] of [
    ['int64', '1.5'],
    ['int64', ''],
    ['float64', ' '],
    ['float64', 'x'],
    ['timestamp', 'tomorrow'],
    ['timestamp', '2026-13-01'],
    ['timestamp', 'January 2026'],
    ['binary', '%'],
  ] as const) {
    t.is(
      codeOf(() => keyOf(type, text, '--gte')),
      'OMEN_INVALID_KEY',
      text,
    );
  }
});
