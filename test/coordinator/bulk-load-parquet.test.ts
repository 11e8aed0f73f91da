/** Bulk loads of Parquet files, several row groups of them, in the pool and beside text. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test from 'ava';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { inferSchema } from '../../src/index.ts';
import {
  codeOfAsync,
  contentOf,
  errorOf,
  NUMBERS,
  openNew,
  temporaryDirectory,
} from './support.ts';

function parquet(keys: readonly bigint[], values: readonly (number | null)[], rowGroupSize = 1000) {
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'key', data: [...keys], type: 'INT64' },
        { name: 'value', data: [...values], type: 'DOUBLE', nullable: true },
      ],
      rowGroupSize,
    }),
  );
}

test('row groups, small and large, come in their order, and beside other files', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const directory = temporaryDirectory(t);
  const path = (name: string) => join(directory, name);
  const keys = Array.from({ length: 80_000 }, (_, i) => BigInt((i * 7919) % 60_013));
  const values = keys.map((_, i) => i / 4);
  // Large row groups are decoded in the pool, small ones in this thread.
  for (const size of [40_000, 3000]) {
    await db.clear();
    writeFileSync(path('1.parquet'), parquet(keys, values, size));
    writeFileSync(path('2.csv'), 'key,value\n0,-1\n');
    const report = await db.bulkLoad(path('[12].*'));
    const wanted = new Map(keys.map((key, i) => [Number(key), values[i]]));
    wanted.set(0, -1);
    t.is(report.rows, wanted.size);
    const sorted = [...wanted].sort(([a], [b]) => a - b);
    const found = [...db.entries()].map(([key, { value }]) => [key, value]);
    t.is(found.join(), sorted.join());
  }
  // Damage that a thread of the pool comes upon is told with its code, too.
  const damaged = parquet(keys, values, 40_000);
  damaged.fill(0, 4, 200);
  writeFileSync(path('3.parquet'), damaged);
  const { code, message } = await errorOf(t, db.bulkLoad(path('3.parquet')));
  t.is(code, 'OMEN_INVALID_SOURCE');
  t.regex(message, /Column "key" of .*3\.parquet cannot be read as Parquet/);
  const inferred = await inferSchema(path('1.parquet'));
  t.like(inferred, { format: 'parquet', key: 'int64', columns: { value: 'float64?' }, rows: 0 });
});

test('bad rows are told by their number in the file, and nothing is loaded of a damaged one', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const directory = temporaryDirectory(t);
  const path = join(directory, 'a.parquet');
  const keys = Array.from({ length: 100 }, (_, i) => BigInt(i));
  const values = keys.map((key) => (key === 57n ? null : Number(key)));
  const bytes = parquet(keys, values, 25);
  writeFileSync(path, bytes);
  const { message, code } = await errorOf(t, db.bulkLoad(path));
  t.is(code, 'OMEN_REJECTED_ROWS');
  t.regex(message, /row 58 of .*a\.parquet: .*"value"/);
  t.is((await db.bulkLoad(path, { maxErrors: 1 })).rows, 99);
  const content = contentOf(t, db);
  writeFileSync(path, bytes.subarray(0, bytes.length - 20));
  t.is(await codeOfAsync(db.bulkLoad(path)), 'OMEN_INVALID_SOURCE');
  // What it is is told by its first bytes, too; and a stream cannot be read from its end.
  const unnamed = join(directory, 'unnamed');
  writeFileSync(unnamed, bytes);
  t.is((await db.bulkLoad(unnamed, { maxErrors: 1 })).rows, 99);
  const stream = db.bulkLoad(Readable.from([bytes]), { format: 'parquet' });
  t.is(await codeOfAsync(stream), 'OMEN_INVALID_SOURCE');
  t.is(await codeOfAsync(inferSchema(Readable.from([bytes]))), 'OMEN_INVALID_SOURCE');
  t.is(
    await codeOfAsync(db.bulkLoad(unnamed, { columns: { value: 'none' } })),
    'OMEN_MISSING_COLUMN',
  );
  t.deepEqual(contentOf(t, db), content);
});
