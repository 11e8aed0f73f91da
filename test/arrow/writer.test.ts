import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import test from 'ava';
import { layoutSegment } from '../../src/arrow/layout.ts';
import { PAGE_BYTES } from '../../src/arrow/pages.ts';
import { readSegment } from '../../src/arrow/reader.ts';
import { WRITE_BYTES_MAX, writeSegment } from '../../src/arrow/writer.ts';
import { OmenError } from '../../src/errors.ts';
import type { Schema } from '../../src/schema/schema.ts';
import { realStorage } from '../../src/storage/real.ts';
import {
  buildSegment,
  EVERY_TYPE,
  memoryStorage,
  randomRows,
  seededRandom,
  temporaryDirectory,
} from './helpers.ts';

const SCHEMA: Schema = {
  key: 'int64',
  columns: [
    { name: 'value', type: 'float64', nullable: false },
    { name: 'sensor', type: 'int32', nullable: true },
  ],
  value: null,
};

test('the file is on disk as it was reported: length, offset of the body, a checksum per page', (t) => {
  const path = join(temporaryDirectory(t), 's.arrow');
  const { layout, body, nullCounts } = buildSegment(
    randomRows(EVERY_TYPE, 3000, seededRandom(1), true),
  );
  const written = writeSegment(realStorage, path, EVERY_TYPE, layout, body, {}, nullCounts);
  const bytes = readFileSync(path);
  t.is(bytes.length, written.fileBytes);
  t.is(written.bodyOffset % 64, 0);
  const found = bytes.subarray(written.bodyOffset, written.bodyOffset + layout.bodyBytes);
  t.is(Buffer.compare(found, body), 0);
  t.is(written.pageCrcs.length, Math.ceil(bytes.length / PAGE_BYTES));
  for (const [i, crc] of written.pageCrcs.entries()) {
    t.is(crc, crc32(bytes.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES)));
  }
});

test('the same segment always makes the same file', (t) => {
  const rows = randomRows(EVERY_TYPE, 30, seededRandom(1), true);
  const files = [1, 2].map(() => {
    const storage = memoryStorage();
    const { layout, body, nullCounts } = buildSegment(rows);
    writeSegment(storage, 's', EVERY_TYPE, layout, body, { a: 'b' }, nullCounts);
    return storage.files.get('s')?.bytes;
  });
  t.deepEqual(files[0], files[1]);
});

const isWrite = (call: string): boolean => call.startsWith('write ');

test('writes are short, each is announced before, and the file is synced before it is closed', (t) => {
  const storage = memoryStorage();
  const rows = 1_500_000;
  const layout = layoutSegment(SCHEMA, rows, [0, 0], { flags: false });
  const body = new Uint8Array(new SharedArrayBuffer(layout.bodyBytes));
  const announced: number[] = [];
  const pace = (bytes: number): void => {
    const calls = storage.files.get('s')?.calls ?? [];
    t.is(calls.filter(isWrite).length, announced.length, 'before the write, not after');
    announced.push(bytes);
  };
  const { fileBytes } = writeSegment(storage, 's', SCHEMA, layout, body, {}, [0, 0], pace);
  t.true(Math.max(...announced) <= WRITE_BYTES_MAX);
  t.is(
    announced.reduce((sum, bytes) => sum + bytes, 0),
    fileBytes,
  );
  const calls = storage.files.get('s')?.calls ?? [];
  t.deepEqual(
    calls.filter(isWrite),
    announced.map((bytes) => `write ${bytes}`),
  );
  t.deepEqual(calls.slice(-2), ['sync', 'close']);
  // Never much unsynced.
  let unsynced = 0;
  for (const call of calls) {
    unsynced = isWrite(call) ? unsynced + Number(call.slice(6)) : 0;
    t.true(unsynced < 2 * WRITE_BYTES_MAX);
  }
});

test('a file that exists is not overwritten', (t) => {
  const storage = memoryStorage();
  const { layout, body, nullCounts } = buildSegment(randomRows(SCHEMA, 3, seededRandom(1), false));
  const args = [SCHEMA, layout, body, {}, nullCounts] as const;
  writeSegment(storage, 's', ...args);
  t.throws(() => writeSegment(storage, 's', ...args), { code: 'OMEN_IO' });
});

for (const operation of ['write', 'datasync', 'sync'] as const) {
  test(`what the storage says of a failed ${operation} comes through, and the file is closed`, (t) => {
    const storage = memoryStorage();
    const full = new OmenError('OMEN_DISK_FULL', 'no space');
    const open = storage.open;
    storage.open = (path, mode) => ({
      ...open(path, mode),
      [operation]: () => {
        throw full;
      },
    });
    const segment = buildSegment(randomRows(SCHEMA, 100_000, seededRandom(1), false));
    const { layout, body, nullCounts } = segment;
    const error = t.throws(() => writeSegment(storage, 's', SCHEMA, layout, body, {}, nullCounts));
    t.is(error, full);
    t.is(storage.files.get('s')?.calls.at(-1), 'close');
  });
}

test('a body that is not what its layout says is asserted against, before a file is made', (t) => {
  const storage = memoryStorage();
  const { layout, body, nullCounts } = buildSegment(
    randomRows(EVERY_TYPE, 20, seededRandom(4), false),
  );
  const offsets = layout.columns.find((column) => column.offsets !== null)?.offsets;
  t.truthy(offsets);
  const spoiled = (at: number): Uint8Array => {
    const copy = body.slice();
    copy[at] += 1;
    return copy;
  };
  const wrong: [Uint8Array, number[]][] = [
    [body.subarray(64), nullCounts],
    [body, nullCounts.slice(1)],
    [body, nullCounts.map((nulls, i) => (i === 0 ? 1 : nulls))],
    [body, nullCounts.map((nulls, i) => (i === 1 ? 21 : nulls))],
    [spoiled(offsets?.offset ?? 0), nullCounts],
    [spoiled((offsets?.offset ?? 0) + 80), nullCounts],
  ];
  for (const [bytes, nulls] of wrong) {
    t.throws(() => writeSegment(storage, 's', EVERY_TYPE, layout, bytes, {}, nulls), {
      code: 'ERR_ASSERTION',
    });
  }
  t.is(storage.files.size, 0);
});

test('five million rows are written and read back', (t) => {
  const path = join(temporaryDirectory(t), 's.arrow');
  const rows = 5_000_000;
  const layout = layoutSegment(SCHEMA, rows, [0, 0], { flags: true });
  const shared = new SharedArrayBuffer(layout.bodyBytes);
  const body = new Uint8Array(shared);
  const keys = new BigInt64Array(shared, layout.key.data.offset, rows);
  const values = new Float64Array(shared, layout.columns[0].data.offset, rows);
  const sensors = new Int32Array(shared, layout.columns[1].data.offset, rows);
  for (let i = 0; i < rows; i++) {
    keys[i] = 7n * BigInt(i);
    values[i] = i / 3;
    sensors[i] = i % 1000;
  }
  const { validity } = layout.columns[1];
  body.fill(0b01010101, validity?.offset, (validity?.offset ?? 0) + (validity?.length ?? 0));
  const args = [SCHEMA, layout, body, {}, [0, rows / 2]] as const;
  const { fileBytes, pageCrcs } = writeSegment(realStorage, path, ...args);
  const read = readSegment(realStorage, path, SCHEMA, { fileBytes, pageCrcs });
  t.deepEqual(read.layout, layout);
  t.deepEqual(read.nullCounts, [0, rows / 2]);
  t.is(Buffer.compare(read.body, body), 0);
});
