/** `omendb load` from its arguments to what is in the database, and what it says and leaves behind. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { Interruption } from '../../src/cli/context.ts';
import { open } from '../../src/index.ts';
import { temporaryDirectory } from '../storage/support.ts';
import { omendb } from './support.ts';

const TYPES = ['--key', 'id:int64', '--column', 'value:float64', '--shards', '2'];

function scratch(t: ExecutionContext) {
  const directory = temporaryDirectory(t);
  const write = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  return { directory, db: join(directory, 'deep/data'), write };
}

async function rowsIn(path: string): Promise<unknown[]> {
  await using db = await open(path, { createIfMissing: false });
  return [...db.entries()];
}

test.serial(
  'files and patterns into a database that is created, then into the same one',
  async (t) => {
    const { directory, db, write } = scratch(t);
    write('a.csv', 'id,value\n1,0.5\n2,1\n');
    write('b.csv', 'id,value\n2,7\n3,1.5\n');
    const { code, out, err } = await omendb([
      'load',
      '--db',
      db,
      ...TYPES,
      join(directory, '*.csv'),
    ]);
    t.is(code, 0, err);
    t.is(out, '');
    t.regex(err, /Creating .*data\n {2}key: int64\n {2}value: float64\n/);
    t.regex(err, /3 rows loaded into .*; 1 replaced by rows of the same key\./);
    t.deepEqual(await rowsIn(db), [
      [1, { value: 0.5 }],
      [2, { value: 7 }],
      [3, { value: 1.5 }],
    ]);
    const lines = write('c.txt', '9;x;4\n');
    const more = await omendb([
      ...['load', '--db', db, '--format', 'csv', '--delimiter', ';', '--no-header', lines],
      ...['--map', 'key=#0', '--map', 'value=#2', '--json', '--quiet'],
    ]);
    t.is(more.code, 0, more.err);
    t.is(more.err, '');
    t.like(JSON.parse(more.out), { db, rows: 1, duplicates: 0, rejected: 0 });
    t.deepEqual((await rowsIn(db)).at(-1), [9, { value: 4 }]);
  },
);

test.serial('the standard input, and what is absent, in quotes or null', async (t) => {
  const { db } = scratch(t);
  const argv = [
    'load',
    '--db',
    db,
    '--key',
    'k:utf8',
    '--column',
    'n:int32?',
    '--format',
    'csv',
    '-',
  ];
  const stdin = Readable.from([Buffer.from('n,k,x\n1,a,\n-,b,\n')]);
  const { code, err } = await omendb([...argv, '--null', '-'], { stdin });
  t.is(code, 0, err);
  t.deepEqual(await rowsIn(db), [
    ['a', { n: 1 }],
    ['b', { n: null }],
  ]);
  t.is((await omendb([...argv, 'more.csv'])).code, 2);
});

test.serial('without types, the beginning of the source suggests them', async (t) => {
  const { directory, db, write } = scratch(t);
  const file = write('a.csv', 'id;zip;value\n1;1234;0.5\n2;4321;\n');
  const argv = ['load', '--db', db, '--key', 'id', '--type', 'zip:utf8', '--shards', '1'];
  const { code, err } = await omendb([...argv, file]);
  t.is(code, 0, err);
  t.regex(err, /inferred from 2 rows\n {2}key: int64\n {2}zip: utf8\n {2}value: float64\?\n/);
  t.deepEqual(await rowsIn(db), [
    [1, { zip: '1234', value: 0.5 }],
    [2, { zip: '4321', value: null }],
  ]);
  const other = join(directory, 'other');
  const stdin = Readable.from([
    Buffer.from('{"key":"a",'),
    Buffer.from('"x":true}\n{"key":"b","x":false}'),
  ]);
  const piped = await omendb(['load', '--db', other, '-'], { stdin });
  t.is(piped.code, 0, piped.err);
  t.deepEqual(await rowsIn(other), [
    ['a', { x: true }],
    ['b', { x: false }],
  ]);
  // What it is is told from its beginning for a database that is there, too.
  const more = Readable.from([Buffer.from('key,x\nc,true\n')]);
  t.is((await omendb(['load', '--db', other, '-'], { stdin: more })).code, 0);
  t.is((await rowsIn(other)).length, 3);
  const lost = await omendb(['load', '--db', join(directory, 'none'), file]);
  t.is(lost.code, 1);
  t.regex(lost.err, /no field "key"; the source has "id", "zip", "value"[\s\S]*--key FIELD/);
});

test.serial('times are read as they are said to be written', async (t) => {
  const { db, write } = scratch(t);
  const file = write('a.csv', 'day,at,x\n02/01/2026,5,1\n');
  const argv = ['load', '--db', db, '--key', 'day', '--shards', '1', file];
  const times = ['--timestamps', 'key=DD/MM/YYYY', '--timestamps', 'at=s'];
  const { code, err } = await omendb([...argv, ...times]);
  t.is(code, 0, err);
  t.deepEqual(await rowsIn(db), [[Date.UTC(2026, 0, 2), { at: 5000, x: 1 }]]);
  t.is((await omendb([...argv, '--timestamps', 's', '--timestamps', 'at=s'])).code, 2);
  t.is((await omendb([...argv, '--timestamps', 'at=DD'])).code, 2);
});

test.serial('shards by range begin where they are said to', async (t) => {
  const { db, write } = scratch(t);
  const file = write('a.csv', 'key,x\n2026-01-01,1\n2026-02-01,2\n2026-03-01,3\n');
  const argv = ['load', '--db', db, '--split', '2026-02-01', file];
  const { code, err } = await omendb(argv);
  t.is(code, 0, err);
  await using opened = await open(db, { createIfMissing: false });
  t.deepEqual(
    [Date.UTC(2026, 0, 31), Date.UTC(2026, 1, 1)].map((key) => opened.explain(key).shard),
    [0, 1],
  );
  const other = ['load', '--db', `${db}2`, '--split', 'soon', file];
  t.regex((await omendb(other)).err, /--split: a timestamp key is an ISO 8601 date/);
});

test.serial('or where each has as much of what is loaded', async (t) => {
  const { db, write } = scratch(t);
  const lines = Array.from({ length: 1000 }, (_, i) => `${i ** 2},${i}`);
  const file = write('squares.csv', `id,value\n${lines.join('\n')}\n`);
  const argv = ['load', '--db', db, ...TYPES, '--by-range', file];
  const { code, out, err } = await omendb([...argv, '--json']);
  t.is(code, 0, err);
  const { splits } = JSON.parse(out);
  t.is(splits.length, 1);
  t.true(err.includes(`Shards begin at ${splits[0]}.\n`));
  t.true(Math.abs(Math.sqrt(splits[0]) - 500) < 10);
  const both = ['load', '--db', `${db}2`, ...TYPES, '--by-range', '--split', '7', file];
  t.is((await omendb(both)).code, 2);
});

test.serial('keys that are there: replaced, kept, or refused', async (t) => {
  const { db, write } = scratch(t);
  const file = write('a.csv', 'id,value\n1,1\n2,2\n');
  const more = write('b.csv', 'id,value\n2,-2\n3,-3\n');
  t.is((await omendb(['load', '--db', db, ...TYPES, file])).code, 0);
  const argv = ['load', '--db', db, '--key', 'id', more];
  const refused = await omendb([...argv, '--on-existing', 'error']);
  t.is(refused.code, 1);
  t.regex(refused.err, /the key 2 already.*\(OMEN_KEY_EXISTS\)\n.*--on-existing/s);
  const kept = await omendb([...argv, '--on-existing', 'keep']);
  t.is(kept.code, 0, kept.err);
  t.regex(kept.err, /1 row loaded into .*; 1 left out, as its key is there/);
  t.deepEqual(await rowsIn(db), [
    [1, { value: 1 }],
    [2, { value: 2 }],
    [3, { value: -3 }],
  ]);
  t.is((await omendb([...argv, '--on-existing', 'never'])).code, 2);
});

test.serial('what fails leaves nothing behind, and says what to do', async (t) => {
  const { directory, db, write } = scratch(t);
  const bad = write('bad.csv', 'id,value\n1,2\n2,x\n3,4\n');
  const failed = await omendb(['load', '--db', db, ...TYPES, bad]);
  t.is(failed.code, 1);
  t.regex(failed.err, /line 3 of .*bad\.csv \(byte 13\): column "value" \(float64\)/);
  t.regex(failed.err, /OMEN_REJECTED_ROWS\)\n.*--max-errors/);
  t.deepEqual(readdirSync(directory), ['bad.csv']);
  // A directory that was there stays, and what was in it.
  mkdirSync(db, { recursive: true });
  t.is((await omendb(['load', '--db', db, ...TYPES, bad])).code, 1);
  t.deepEqual(readdirSync(db), []);
  const rejects = join(directory, 'rejects.ndjson');
  const argv = ['load', '--db', db, ...TYPES, '--max-errors', '1', '--rejects', rejects, bad];
  const passed = await omendb(argv);
  t.is(passed.code, 0, passed.err);
  t.regex(passed.err, /2 rows loaded into .*; 1 bad row passed over/);
  t.is(readFileSync(rejects, 'utf8').trim().split('\n').length, 1);
  const again = await omendb(['load', '--db', db, '--key', 'id', '--column', 'value', bad]);
  t.is(again.code, 1);
  t.is((await rowsIn(db)).length, 2);
});

test.serial('a dry run reads everything and makes nothing', async (t) => {
  const { directory, db, write } = scratch(t);
  const good = write('good.csv', 'id,value\n1,2\n3,4\n');
  const dry = await omendb(['load', '--db', db, ...TYPES, '--dry-run', good]);
  t.is(dry.code, 0, dry.err);
  t.regex(dry.err, /Would create .*\n[\s\S]*2 rows would be loaded\. .* Nothing was changed\./);
  t.false(existsSync(db));
  t.is((await omendb(['load', '--db', db, ...TYPES, good])).code, 0);
  const worse = write('worse.csv', 'id,value\n9,2\n,4\n');
  const bad = await omendb(['load', '--db', db, '--key', 'id', '--dry-run', worse]);
  t.is(bad.code, 1);
  t.regex(bad.err, /line 3 of/);
  t.is((await rowsIn(db)).length, 2);
  t.deepEqual(readdirSync(directory).sort(), ['deep', 'good.csv', 'worse.csv']);
});

test.serial(
  'an interrupt ends it, with nothing left and the code that shells expect',
  async (t) => {
    const { directory, db } = scratch(t);
    const ending = new AbortController();
    async function* endless() {
      yield Buffer.from('id,value\n');
      for (let i = 0; ; i++) {
        if (i === 3000) ending.abort(new Interruption(130));
        yield Buffer.from(`${i},1\n`.repeat(1000));
      }
    }
    const argv = ['load', '--db', db, ...TYPES, '--format', 'csv', '-'];
    const ran = await omendb(argv, { stdin: endless(), signal: ending.signal });
    t.is(ran.code, 130, ran.err);
    t.regex(ran.err, /Interrupted: nothing was changed\.\n$/);
    t.deepEqual(readdirSync(directory), []);
  },
);

test.serial('so it does while the beginning of the input is waited for', async (t) => {
  const { directory, db } = scratch(t);
  const ending = new AbortController();
  const stdin = {
    async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
      yield Buffer.from('id,value\n');
      ending.abort(new Interruption(130));
      await new Promise(() => {});
    },
  };
  for (const format of [[], ['--format', 'csv']]) {
    const argv = ['load', '--db', db, '--key', 'id', ...format, '-'];
    const ran = await omendb(argv, { stdin, signal: ending.signal });
    t.is(ran.code, 130, ran.err);
    t.deepEqual(readdirSync(directory), []);
  }
});

test.serial('on a terminal the line of progress is taken away again', async (t) => {
  const { db, write } = scratch(t);
  const file = write('a.csv', 'id,value\n1,2\n');
  const { err } = await omendb(['load', '--db', db, ...TYPES, file], { columns: 60 });
  t.true(err.includes('\r\x1b[2KReading'));
  t.true(err.includes('\r\x1b[2K1 row loaded'));
});

test.serial('usage that makes no sense is told with the code 2', async (t) => {
  const { db, write } = scratch(t);
  const file = write('a.csv', 'id,value\n1,2\n');
  const wrong = [
    [],
    ['load'],
    ['load', file],
    ['laod', '--db', db, file],
    ['load', '--db', db],
    ['load', '--db', db, '--formt', 'csv', file],
    ['load', '--db', db, '--format', 'xml', file],
    ['load', '--db', db, '--memory', 'much', file],
    ['load', '--db', db, '--max-errors', '-1', file],
    ['load', '--db', db, '--delimiter', 'ab', file],
    ['load', '--db', db, '--map', 'x', file],
    ['load', '--db', db, '--key', ':', file],
    ['load', '--db', db, '--key', 'id:int65', '--column', 'value:float64', file],
    ['load', '--db', db, ...TYPES, file, '-'],
  ];
  for (const argv of wrong) {
    const { code, err } = await omendb(argv);
    t.is(code, 2, argv.join(' '));
    t.true(err.length > 20, argv.join(' '));
    t.false(existsSync(db), argv.join(' '));
  }
  t.regex((await omendb(['laod'])).err, /Did you mean load\?/);
  t.regex(
    (await omendb(['load', '--db', db, '--formt', 'csv', file])).err,
    /Did you mean --format\?/,
  );
});
