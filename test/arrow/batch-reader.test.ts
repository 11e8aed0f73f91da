import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import test from 'ava';
import { readBatches } from '../../src/arrow/batch-reader.ts';
import { realStorage } from '../../src/storage/real.ts';
import { temporaryDirectory } from './helpers.ts';

test('batches of files and streams, and a refusal of what is neither', async (t) => {
  const directory = temporaryDirectory(t);
  const table = tableFromArrays({ a: new Float64Array([1, 2, 3]), b: ['x', 'y', 'z'] });
  const read = async (bytes: Uint8Array) => {
    const path = join(directory, 'rows.arrow');
    writeFileSync(path, bytes);
    const file = realStorage.open(path, 'read');
    try {
      const rows: unknown[] = [];
      for await (const batch of readBatches(file, path)) {
        for (const row of batch) rows.push(row.toJSON());
      }
      return rows;
    } finally {
      file.close();
    }
  };
  const wanted = [
    { a: 1, b: 'x' },
    { a: 2, b: 'y' },
    { a: 3, b: 'z' },
  ];
  t.deepEqual(await read(tableToIPC(table, 'file')), wanted);
  t.deepEqual(await read(tableToIPC(table, 'stream')), wanted);
  const whole = tableToIPC(table, 'file');
  for (const length of [40, whole.length - 30]) {
    await t.throwsAsync(read(whole.subarray(0, length)), { code: 'OMEN_INVALID_SOURCE' });
  }
});
