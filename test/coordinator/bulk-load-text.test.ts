/** Bulk loads of CSV, TSV and lines of JSON, from files and streams. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import test from 'ava';
import type { LoadOptions } from '../../src/index.ts';
import {
  codeOfAsync,
  contentOf,
  errorOf,
  NUMBERS,
  openNew,
  temporaryDirectory,
} from './support.ts';

const ALL = {
  key: 'timestamp',
  columns: {
    small: 'int32?',
    big: 'int64',
    ratio: 'float64?',
    near: 'float32?',
    isOn: 'bool?',
    at: 'timestamp?',
    note: 'utf8?',
    raw: 'binary?',
  },
} as const;

const row = (some: object) => ({
  ...{ small: null, big: 0n, ratio: null, near: null, isOn: null, at: null, note: null, raw: null },
  ...some,
});

test('every type of column, quotes, nulls, CRLF and a byte order mark', async (t) => {
  const db = await openNew(t, { ...ALL, shards: 2, bigints: true });
  const path = join(temporaryDirectory(t), 'rows.csv');
  const text = [
    '\uFEFFnote,key,big,small,ratio,near,isOn,at,raw',
    '"a ""quoted"", long\r\nnote",2026-01-02T03:04:05Z,9223372036854775807,-5,1.5e-3,0.5,yes,2026-01-01,AQI=',
    ',1000,-1,,,,,,',
    '"",2000,3,2147483647,-inf,1,false,-5,',
    '',
    'ä€😀,3000,4,1,nan,2,0,0,""',
  ].join('\r\n');
  writeFileSync(path, text);
  const report = await db.bulkLoad(path);
  t.is(report.rows, 4);
  t.deepEqual(
    [...db.entries()],
    [
      [1000, row({ big: -1n })],
      [
        2000,
        row({
          note: '',
          big: 3n,
          small: 2147483647,
          ratio: Number.NEGATIVE_INFINITY,
          near: 1,
          isOn: false,
          at: -5,
        }),
      ],
      [
        3000,
        row({
          note: 'ä€😀',
          big: 4n,
          small: 1,
          ratio: Number.NaN,
          near: 2,
          isOn: false,
          at: 0,
          raw: new Uint8Array(0),
        }),
      ],
      [
        Date.UTC(2026, 0, 2, 3, 4, 5),
        row({
          ...{
            note: 'a "quoted", long\r\nnote',
            big: 2n ** 63n - 1n,
            small: -5,
            ratio: 0.0015,
            near: 0.5,
          },
          ...{ isOn: true, at: Date.UTC(2026, 0, 1), raw: Uint8Array.of(1, 2) },
        }),
      ],
    ],
  );
});

test('many blocks, in any order, compressed or not, from files and streams', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 3 });
  const directory = temporaryDirectory(t);
  // A key comes twice, far apart: of two blocks the later one has to win.
  const keys = Array.from({ length: 100_000 }, (_, i) => (i * 7919) % 75_011);
  const text = `key,value\n${keys.map((key, i) => `${key},${i / 4}\n`).join('')}`;
  const wanted = new Map(keys.map((key, i) => [key, i / 4]));
  const sorted = [...wanted].sort(([a], [b]) => a - b);
  const inOrder = sorted.map(([key, value]) => `${key} ${value}`).join();
  const sources: [string, string | Uint8Array, LoadOptions?][] = [
    ['rows.csv', text],
    ['rows.csv.gz', gzipSync(text)],
    ['rows.csv.zst', zstdCompressSync(text)],
    ['rows.tsv', text.replaceAll(',', '\t')],
    ['rows.txt', text.replaceAll(',', ';'), { format: 'csv', delimiter: ';' }],
    ['rows.ndjson', keys.map((key, i) => `{"key":${key},"value":${i / 4}}\n`).join('')],
  ];
  for (const [name, bytes, options] of sources) {
    const path = join(directory, name);
    writeFileSync(path, bytes);
    await db.clear();
    const report = await db.bulkLoad(path, options);
    t.is(report.rows, wanted.size, name);
    t.is(report.duplicates, keys.length - wanted.size, name);
    // As texts: to compare so many arrays one by one takes a minute.
    const found = [...db.entries()].map(([key, { value }]) => `${key} ${value}`).join();
    t.true(found === inOrder, name);
  }
  await db.clear();
  await db.bulkLoad(Readable.from([text]), { format: 'csv' });
  t.is(db.count(), wanted.size);
  await db.clear();
  await db.bulkLoad(Readable.toWeb(Readable.from([gzipSync(text)])) as AsyncIterable<Uint8Array>, {
    format: 'csv',
  });
  t.is(db.count(), wanted.size);
});

test('fields by name, by number, in order, by names that are given', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const load = async (text: string, options: LoadOptions) => {
    await db.clear();
    await db.bulkLoad(Readable.from([text]), { format: 'csv', ...options });
    return [...contentOf(t, db)];
  };
  t.deepEqual(await load('1,2\n3,4', { header: false }), [
    [1, 2],
    [3, 4],
  ]);
  t.deepEqual(await load('x,2,1\n', { header: false, key: 2, columns: { value: 1 } }), [[1, 2]]);
  t.deepEqual(await load('2,1\n', { header: ['value', 'key'] }), [[1, 2]]);
  t.deepEqual(await load('id,a,b\n1,2,3\n', { key: 'id', columns: { value: 'b' } }), [[1, 3]]);
  const code = (text: string, options: LoadOptions) =>
    codeOfAsync(db.bulkLoad(Readable.from([text]), { format: 'csv', ...options }));
  t.is(await code('key,other\n1,2', {}), 'OMEN_MISSING_COLUMN');
  t.is(await code('key,value,other\n1,2,3', {}), 'OMEN_UNKNOWN_COLUMN');
  t.is(await code('key,value\n1', {}), 'OMEN_REJECTED_ROWS');
  t.is(await code('', {}), '');
  t.is(await code('key,value', {}), '');
});

test('lines of JSON: dates, large integers and bytes are texts', async (t) => {
  const db = await openNew(t, { ...ALL, shards: 2, bigints: true });
  const lines = [
    '{"key":"2026-01-01","big":"9223372036854775807","at":"2026-01-02T00:00Z","raw":"AQI=","note":"x\\ny"}',
    '',
    '{"key":5,"big":7,"isOn":true,"small":null}\r',
  ];
  await db.bulkLoad(Readable.from([lines.join('\n')]), { format: 'ndjson' });
  t.deepEqual(
    [...db.entries()],
    [
      [5, row({ big: 7n, isOn: true })],
      [
        Date.UTC(2026, 0, 1),
        row({
          big: 2n ** 63n - 1n,
          at: Date.UTC(2026, 0, 2),
          raw: Uint8Array.of(1, 2),
          note: 'x\ny',
        }),
      ],
    ],
  );
  const values = await openNew(t, { key: 'utf8', value: 'json', shards: 1 });
  await values.bulkLoad(Readable.from(['{"id":"a","data":{"x":[1]},"more":1}\n']), {
    ...{ format: 'ndjson', key: 'id', columns: { value: 'data' } },
  });
  t.deepEqual([...values.entries()], [['a', { x: [1] }]]);
});

test('a bad row is told with its file, line, byte, column, value and what was expected', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const directory = temporaryDirectory(t);
  const path = join(directory, 'rows.csv');
  const rows = Array.from({ length: 100_000 }, (_, i) => `${i},${i}`);
  rows[70_000] = '70000,"sev\nen"';
  rows[70_001] = 'x,1';
  rows[70_002] = '1,2,3';
  rows[99_999] = '99999,"open';
  const text = `key,value\n${rows.join('\n')}`;
  writeFileSync(path, text);
  const { message } = await errorOf(t, db.bulkLoad(path));
  const at = Buffer.from(text).indexOf('70000,"');
  t.true(message.includes(`line 70002 of ${path} (byte ${at})`), message);
  t.regex(message, /column "value" \(float64\) takes a number, not .sev\\nen/);
  t.is(db.count(), 0);
  const rejects = join(directory, 'rejects.ndjson');
  const report = await db.bulkLoad(path, { maxErrors: 4, rejects });
  t.deepEqual([report.rows, report.rejected], [99_996, 4]);
  const told = readFileSync(rejects, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.deepEqual(
    told.map(({ line }) => line),
    [70_002, 70_004, 70_005, 100_002],
  );
  t.deepEqual(
    told.map(({ code }) => code),
    Array(4).fill('OMEN_INVALID_ROW'),
  );
  t.deepEqual(told[0], {
    source: path,
    line: 70_002,
    offset: at,
    code: told[0].code,
    reason: told[0].reason,
    raw: '70000,"sev\nen"',
  });
  t.regex(told[1].reason, /column "key" \(int64\)/);
  t.regex(told[2].reason, /3 values, and should have 2/);
  t.regex(told[3].reason, /quote is left open/);
  t.is(await codeOfAsync(db.bulkLoad(path, { rejects })), 'OMEN_INVALID_OPTIONS');
  const json = join(directory, 'rows.jsonl');
  writeFileSync(
    json,
    '{"key":1,"value":1}\n{"key":2\n[1]\n{"key":3,"value":"x"}\n{"key":4,"value":1,"y":1}\n',
  );
  for (const maxErrors of [0, 1, 2, 3]) {
    const error = await errorOf(t, db.bulkLoad(json, { maxErrors }));
    t.regex(error.message, new RegExp(`line ${maxErrors + 2} of`));
  }
  t.is((await db.bulkLoad(json, { maxErrors: 4 })).rows, 1);
});

test('a file that cannot be read as what it is, and options that make no sense', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const path = join(temporaryDirectory(t), 'rows.csv.gz');
  const whole = gzipSync(`key,value\n${'1,2\n'.repeat(100_000)}`);
  writeFileSync(path, whole.subarray(0, whole.length >> 1));
  t.is(await codeOfAsync(db.bulkLoad(path)), 'OMEN_INVALID_SOURCE');
  t.is(await codeOfAsync(db.bulkLoad('/rows.unknown')), 'OMEN_INVALID_SOURCE');
  t.is(
    await codeOfAsync(db.bulkLoad([[1, { value: 1 }]], { format: 'csv' })),
    'OMEN_INVALID_SOURCE',
  );
  const wrong = [
    { format: 'xml' },
    { header: 1 },
    { nulls: 'x' },
    { delimiter: '"' },
    { delimiter: 'ab' },
    { rejects: '' },
  ];
  for (const options of wrong) {
    t.is(await codeOfAsync(db.bulkLoad(path, options as LoadOptions)), 'OMEN_INVALID_OPTIONS');
  }
  const nulls = await openNew(t, { key: 'int64', columns: { a: 'float64?' }, shards: 1 });
  const text = 'key,a\n1,NA\n2,"NA"\n3,-\n4,5\n';
  const report = await nulls.bulkLoad(Readable.from([text]), {
    format: 'csv',
    nulls: ['NA', '-'],
    maxErrors: 1,
  });
  t.is(report.rejected, 1);
  t.deepEqual(
    [...nulls.entries()].map(([key, { a }]) => [key, a]),
    [
      [1, null],
      [3, null],
      [4, 5],
    ],
  );
});
