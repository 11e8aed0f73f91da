/** Bulk loads of several files at once, what they tell on the way, and dry runs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Float64, Int64, Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import test from 'ava';
import type { LoadProgress, LoadSource } from '../../src/index.ts';
import {
  codeOfAsync,
  contentOf,
  errorOf,
  NUMBERS,
  openNew,
  temporaryDirectory,
} from './support.ts';

test('several files of several kinds, in their order, are one load', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const directory = temporaryDirectory(t);
  const path = (name: string) => join(directory, name);
  writeFileSync(path('1.csv'), 'key,value\n1,1\n2,1\n9,1\n');
  writeFileSync(path('2.ndjson'), '{"key":2,"value":2}\n{"key":3,"value":2}\n');
  const table = new Table({
    key: vectorFromArray([3n, 4n], new Int64()),
    value: vectorFromArray([3, 3], new Float64()),
  });
  writeFileSync(path('3.arrow'), tableToIPC(table, 'file'));
  writeFileSync(path('4.tsv'), 'value\tkey\n4\t4\n4\t5\n');
  const steps: LoadProgress[] = [];
  const files = ['1.csv', '2.ndjson', '3.arrow', '4.tsv'].map(path);
  const report = await db.bulkLoad(files, { onProgress: (step) => steps.push(step) });
  t.like(report, { rows: 6, duplicates: 3 });
  const wanted = [1, 2, 3, 4, 5, 9].map((key, i) => [key, [1, 2, 3, 4, 4, 1][i]] as const);
  t.deepEqual([...contentOf(t, db)], wanted);
  const last = steps.at(-1);
  t.like(last, { phase: 'publish', sources: 4, sourceNumber: 4, source: files[3] });
  t.is(last?.bytesRead ?? -1, last?.bytesTotal ?? 0);
  await db.clear();
  await db.bulkLoad([path('*.csv'), path('4.*')]);
  t.is(db.count(), 5);
  await db.clear();
  await db.bulkLoad(path('[12].*'));
  t.is(db.count(), 4);
});

test('a bad row is told with the file that it is in, and lines count anew in each', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const directory = temporaryDirectory(t);
  const paths = ['a.csv', 'b.csv'].map((name) => join(directory, name));
  writeFileSync(paths[0], `key,value\n${'1,1\n'.repeat(500_000)}`);
  writeFileSync(paths[1], 'key,value\n1,1\n2,no\n');
  const { message } = await errorOf(t, db.bulkLoad(paths));
  t.true(message.includes(`line 3 of ${paths[1]} (byte 14)`), message);
  writeFileSync(paths[1], 'id,value\n1,1\n');
  const other = await errorOf(t, db.bulkLoad(paths));
  t.is(other.code, 'OMEN_MISSING_COLUMN');
  t.true(other.message.startsWith(`${paths[1]}: No field "key"`), other.message);
  t.is(db.count(), 0);
});

test('sources that are none', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const directory = temporaryDirectory(t);
  const path = join(directory, 'a.csv');
  writeFileSync(path, 'key,value\n1,1\n');
  const refused: unknown[] = [
    [path, 7],
    [path, ''],
    [path, join(directory, 'none.csv')],
    join(directory, '*.tsv'),
    [path, join(directory, '*.tsv')],
  ];
  for (const source of refused) {
    t.is(
      await codeOfAsync(db.bulkLoad(source as LoadSource<number, never>)),
      'OMEN_INVALID_SOURCE',
    );
  }
  t.is(db.count(), 0);
  t.is(await codeOfAsync(db.bulkLoad(path, { dryRun: 1 as never })), 'OMEN_INVALID_OPTIONS');
});

test('a dry run counts and refuses as a load does, and changes nothing', async (t) => {
  const directory = temporaryDirectory(t);
  const path = join(directory, 'a.csv');
  writeFileSync(path, 'key,value\n1,1\n2,x\n3,1\n');
  const data = join(directory, 'data');
  const db = await openNew(t, { ...NUMBERS, shards: 2 }, data);
  t.is(await codeOfAsync(db.bulkLoad(path, { dryRun: true })), 'OMEN_REJECTED_ROWS');
  const report = await db.bulkLoad(path, { dryRun: true, maxErrors: 1 });
  t.like(report, { rows: 2, rejected: 1, segments: 0, bytes: 0 });
  t.is(db.count(), 0);
  await db.close();
  const closed = await openNew(t, { readOnly: true }, data);
  t.like(await closed.bulkLoad(path, { dryRun: true, maxErrors: 1 }), { rows: 2 });
  t.is(await codeOfAsync(closed.bulkLoad(path)), 'OMEN_READ_ONLY');
});

test('a load that is aborted before it reads does not wait for a source that hangs', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const hanging = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
  for (const options of [{}, { format: 'csv' as const }]) {
    const ending = new AbortController();
    const load = db.bulkLoad(hanging, { ...options, signal: ending.signal });
    ending.abort();
    t.is(await codeOfAsync(load), 'OMEN_ABORTED');
  }
});
