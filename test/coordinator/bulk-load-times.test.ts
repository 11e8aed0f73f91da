/** Formats of times, times at which rows expire, and what is kept of bad rows. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test from 'ava';
import { inferSchema, type LoadOptions } from '../../src/index.ts';
import { codeOfAsync, errorOf, NUMBERS, openNew, temporaryDirectory } from './support.ts';

const stream = (text: string) => Readable.from([text]);
const DAY = Date.UTC(2026, 0, 2);

test.serial(
  'times are read as they are said to be written, in CSV and in lines of JSON',
  async (t) => {
    const db = await openNew(t, {
      key: 'timestamp',
      columns: { at: 'timestamp?', on: 'timestamp?' },
      shards: 1,
    });
    const load = async (text: string, options: LoadOptions) => {
      await db.clear();
      await db.bulkLoad(stream(text), options);
      return [...db.entries()];
    };
    const wanted = [[1_700_000_000_000, { at: DAY, on: 5 }]];
    const timestamps = { key: 's', at: 'DD/MM/YYYY' };
    const csv = 'key,at,on\n1700000000,"02/01/2026",5\n';
    t.deepEqual(await load(csv, { format: 'csv', timestamps }), wanted as never);
    const json = '{"key":1700000000,"at":"02/01/2026","on":5}';
    t.deepEqual(await load(json, { format: 'ndjson', timestamps }), wanted as never);
    t.deepEqual(await load('key,at,on\n1,,2.5\n', { format: 'csv', timestamps: 's' }), [
      [1000, { at: null, on: 2500 }],
    ] as never);
    const { message } = await errorOf(
      t,
      load('key,at,on\n1,2026-01-02,\n', { format: 'csv', timestamps }),
    );
    t.regex(message, /column "at" \(timestamp\) takes a time as 'DD\/MM\/YYYY', not '2026-01-02'/);
    const code = (options: object) =>
      codeOfAsync(db.bulkLoad(stream(csv), { format: 'csv', ...options }));
    t.is(await code({ timestamps: { none: 's' } }), 'OMEN_UNKNOWN_COLUMN');
    t.is(await code({ timestamps: { at: 'HH:mm' } }), 'OMEN_INVALID_OPTIONS');
    t.is(await code({ timestamps: { at: 5 } }), 'OMEN_INVALID_OPTIONS');
    t.is(await code({ timestamps: 5 }), 'OMEN_INVALID_OPTIONS');
    const numbers = await openNew(t, { ...NUMBERS, shards: 1 });
    const other = numbers.bulkLoad(stream('key,value\n1,2\n'), {
      format: 'csv',
      timestamps: { value: 's' },
    });
    t.is(await codeOfAsync(other), 'OMEN_INVALID_OPTIONS');
  },
);

test.serial('types are inferred by the formats', async (t) => {
  const of = (options: LoadOptions) =>
    inferSchema(stream('key,at\n5,02/01/2026\n6,03/01/2026\n'), { format: 'csv', ...options });
  t.like(await of({}), { key: 'int64', columns: { at: 'utf8' } });
  t.like(await of({ timestamps: 'DD/MM/YYYY' }), { key: 'int64', columns: { at: 'timestamp' } });
  t.like(await of({ timestamps: { key: 's' } }), { key: 'timestamp', columns: { at: 'utf8' } });
});

test.serial('rows say when they expire, from every source', async (t) => {
  const later = Date.now() + 1_000_000;
  const db = await openNew(t, { ...NUMBERS, ttl: 500_000, shards: 2 });
  const check = async (source: Parameters<typeof db.bulkLoad>[0], options?: LoadOptions) => {
    await db.clear();
    const before = Date.now();
    await db.bulkLoad(source, options);
    t.is(db.expiresAt(1), later);
    t.is(db.expiresAt(2), null);
    const ms = db.expiresAt(3) ?? 0;
    t.true(ms >= before + 500_000 - 2000 && ms <= Date.now() + 500_000 + 2000);
    t.deepEqual(db.get(1), { value: 1 });
  };
  await check([
    [1, { value: 1, _omen_expires: later } as never],
    { key: 2, value: 2, _omen_expires: null } as never,
    [3, { value: 3 }],
  ]);
  const lines = [
    `{"key":1,"value":1,"_omen_expires":"${new Date(later).toISOString()}"}`,
    '{"key":2,"value":2,"_omen_expires":null}',
    '{"key":3,"value":3}',
  ];
  await check(stream(lines.join('\n')), { format: 'ndjson' });
  const mapped = lines.join('\n').replaceAll('_omen_expires', 'end');
  await check(stream(mapped), {
    format: 'ndjson',
    columns: { value: 'value', _omen_expires: 'end' },
  });
  const bad = '{"key":1,"value":1,"_omen_expires":"soon"}';
  const { message } = await errorOf(t, db.bulkLoad(stream(bad), { format: 'ndjson' }));
  t.regex(message, /OMEN_INVALID_EXPIRY/);
  const bare = await openNew(t, { key: 'utf8', value: 'json', ttl: true, shards: 1 });
  await bare.bulkLoad([
    ['a', { _omen_expires: 1 }],
    { key: 'b', value: { x: 1 }, _omen_expires: new Date(later) } as never,
  ]);
  t.deepEqual([bare.get('a'), bare.expiresAt('a')], [{ _omen_expires: 1 }, null]);
  t.deepEqual([bare.get('b'), bare.expiresAt('b')], [{ x: 1 }, later]);
  const without = await openNew(t, { ...NUMBERS, shards: 1 });
  const refused = without.bulkLoad(stream('{"key":1,"value":1,"_omen_expires":null}'), {
    format: 'ndjson',
  });
  t.is(await codeOfAsync(refused), 'OMEN_REJECTED_ROWS');
});

test.serial('bad rows are kept as they stand in the text', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const directory = temporaryDirectory(t);
  const path = join(directory, 'rows.csv');
  const long = 'x'.repeat(100_000);
  writeFileSync(path, `key,value\r\n1,"two\r\nlines"\r\n2,2\r\n3,ä\r\n4,${long}\r\n5,"open`);
  const rejects = join(directory, 'rejects.ndjson');
  await db.bulkLoad(path, { maxErrors: Number.POSITIVE_INFINITY, rejects });
  const told = readFileSync(rejects, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.deepEqual(
    told.map(({ raw }) => raw.slice(0, 20)),
    ['1,"two\r\nlines"', '3,ä', `4,${long}`.slice(0, 20), '5,"open'],
  );
  t.is(told[2].raw.length, 65_536);
  const json = join(directory, 'json.ndjson');
  const kept = join(directory, 'json-rejects.ndjson');
  writeFileSync(json, '{"key":1,"value":1}\n{"key":\n  {"key":2,"value":"x"}\n');
  await db.bulkLoad(json, { maxErrors: 2, rejects: kept });
  t.deepEqual(
    readFileSync(kept, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).raw),
    ['{"key":', '  {"key":2,"value":"x"}'],
  );
});
