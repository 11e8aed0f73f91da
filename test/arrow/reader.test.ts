import { join } from 'node:path';
import test from 'ava';
import { encodeHead, encodeTail } from '../../src/arrow/encode-metadata.ts';
import { CUSTOM_METADATA_MAX } from '../../src/arrow/format.ts';
import { type BatchLayout, segmentBatch, segmentFields } from '../../src/arrow/layout.ts';
import { PAGE_BYTES } from '../../src/arrow/pages.ts';
import { readSegment } from '../../src/arrow/reader.ts';
import { writeSegment } from '../../src/arrow/writer.ts';
import type { Column, Schema } from '../../src/schema/schema.ts';
import { realStorage } from '../../src/storage/real.ts';
import {
  buildSegment,
  EVERY_TYPE,
  randomRows,
  type SegmentFile,
  seededRandom,
  segmentFile,
  storageOf,
  temporaryDirectory,
} from './helpers.ts';

const METADATA = { 'omendb.version': '1', 'omendb.file': 'segment-7', 'grün 🌊': '' };

function readBack(file: SegmentFile, schema: Schema, checked = true) {
  const storage = storageOf('s', file.bytes);
  const pageCrcs = checked ? file.pageCrcs : null;
  const read = readSegment(storage, 's', schema, { fileBytes: file.fileBytes, pageCrcs });
  return { ...read, bytesRead: storage.files.get('s')?.bytesRead ?? 0 };
}

for (const rows of [0, 1, 7, 8, 9, 1000, 40_000]) {
  for (const flags of [false, true]) {
    test(`a segment of ${rows} rows ${flags ? 'with' : 'without'} flags comes back as it was written`, (t) => {
      const path = join(temporaryDirectory(t), 's.arrow');
      const segment = buildSegment(randomRows(EVERY_TYPE, rows, seededRandom(rows), flags));
      const { layout, body, nullCounts } = segment;
      const args = [EVERY_TYPE, layout, body, METADATA, nullCounts] as const;
      const { fileBytes, pageCrcs } = writeSegment(realStorage, path, ...args);
      for (const crcs of [pageCrcs, null]) {
        const expected = { fileBytes, pageCrcs: crcs };
        const read = readSegment(realStorage, path, EVERY_TYPE, expected);
        t.deepEqual(read.layout, layout);
        t.deepEqual(Object.fromEntries(read.metadata), METADATA);
        t.deepEqual(read.nullCounts, nullCounts);
        t.true(read.body.buffer instanceof SharedArrayBuffer);
        t.is(read.body.buffer.byteLength, layout.bodyBytes);
        t.is(Buffer.compare(read.body, body), 0);
      }
    });
  }
}

test('key-value mode is a single column', (t) => {
  const values = { json: '{"a":1}', utf8: '', binary: Uint8Array.of(0, 255) } as const;
  for (const value of ['json', 'utf8', 'binary'] as const) {
    const type = value === 'binary' ? 'binary' : 'utf8';
    const schema: Schema = {
      key: 'uint64',
      columns: [{ name: 'value', type, nullable: false }],
      value,
    };
    const rows = { schema, keys: [2n ** 64n - 1n], columns: [[values[value]]], deleted: null };
    const file = segmentFile(rows);
    t.is(Buffer.compare(readBack(file, schema).body, file.body), 0);
  }
});

test('wherever the body ends in a page, it comes back whole and no page is read thrice', (t) => {
  const schema: Schema = {
    key: 'int64',
    columns: [{ name: 'v', type: 'float64', nullable: false }],
    value: null,
  };
  // 16 bytes a row: the body's end, then the footer's, pass over the ends of pages 1 and 2.
  for (let rows = 3904; rows <= 8200; rows += rows % 512 === 0 || rows < 4224 ? 8 : 128) {
    const file = segmentFile(randomRows(schema, rows, seededRandom(rows), false));
    const read = readBack(file, schema);
    t.is(Buffer.compare(read.body, file.body), 0, `${rows} rows`);
    t.true(read.bytesRead <= file.fileBytes + PAGE_BYTES, `${rows} rows`);
  }
});

test('metadata of many pages is read', (t) => {
  const columns = Array.from(
    { length: 1024 },
    (_, i): Column => ({ name: `${i} ${'n'.repeat(200)}`, type: 'bool', nullable: i % 2 === 0 }),
  );
  const schema: Schema = { key: 'float64', columns, value: null };
  const file = segmentFile(randomRows(schema, 10, seededRandom(1), true), METADATA);
  t.true(file.bodyOffset > 4 * PAGE_BYTES);
  for (const checked of [true, false]) {
    const read = readBack(file, schema, checked);
    t.is(Buffer.compare(read.body, file.body), 0);
    t.deepEqual(read.layout, file.layout);
  }
});

test('as much custom metadata as is allowed comes back', (t) => {
  const entries = Array.from({ length: CUSTOM_METADATA_MAX }, (_, i) => [`k${i}`, `v${i}`]);
  const metadata = Object.fromEntries(entries);
  const file = segmentFile(randomRows(EVERY_TYPE, 1, seededRandom(1), false), metadata);
  t.deepEqual(Object.fromEntries(readBack(file, EVERY_TYPE).metadata), metadata);
});

test('a segment of another schema is refused', (t) => {
  const file = segmentFile(randomRows(EVERY_TYPE, 5, seededRandom(5), false));
  const [first, ...others] = EVERY_TYPE.columns;
  const columns: (readonly Column[])[] = [
    others,
    [...EVERY_TYPE.columns, { name: 'one more', type: 'int32', nullable: false }],
    [...EVERY_TYPE.columns, { name: '_omen_flags', type: 'bool', nullable: false }],
    [{ ...first, name: 'renamed' }, ...others],
    [{ ...first, type: 'float32' }, ...others],
    [{ ...first, nullable: true }, ...others],
  ];
  const schemas = columns.map((list): Schema => ({ ...EVERY_TYPE, columns: list }));
  for (const schema of [...schemas, { ...EVERY_TYPE, key: 'timestamp' as const }]) {
    t.throws(() => readBack(file, schema), { code: 'OMEN_CORRUPT', message: /^s is damaged/ });
  }
});

test('a file of another length than the manifest says, or without all checksums, is refused', (t) => {
  const { bytes, fileBytes, pageCrcs } = segmentFile(
    randomRows(EVERY_TYPE, 5, seededRandom(5), false),
  );
  const refused = [
    { fileBytes: fileBytes + 1, pageCrcs },
    { fileBytes: fileBytes - 1, pageCrcs },
    { fileBytes, pageCrcs: new Uint32Array(0) },
    { fileBytes, pageCrcs: Uint32Array.of(pageCrcs[0], 0) },
  ];
  for (const expected of refused) {
    const storage = storageOf('s', bytes);
    t.throws(() => readSegment(storage, 's', EVERY_TYPE, expected), { code: 'OMEN_CORRUPT' });
    t.deepEqual(storage.files.get('s')?.calls, ['close']);
  }
});

test('without checksums, a segment comes back with those that it has', (t) => {
  for (const rows of [0, 5, 9000]) {
    const { bytes, fileBytes, bodyOffset, layout, pageCrcs } = segmentFile(
      randomRows(EVERY_TYPE, rows, seededRandom(5), true),
    );
    const expected = { fileBytes, pageCrcs: null };
    const read = readSegment(storageOf('s', bytes), 's', EVERY_TYPE, expected);
    t.deepEqual(read.pageCrcs, pageCrcs);
    // A value: nothing but the checksums can tell.
    if (rows === 0) continue;
    const at = bodyOffset + layout.columns[1].data.offset;
    bytes[at] ^= 1;
    const damaged = readSegment(storageOf('s', bytes), 's', EVERY_TYPE, expected).pageCrcs;
    const different = [...damaged.keys()].filter((page) => damaged[page] !== pageCrcs[page]);
    t.deepEqual(different, [Math.floor(at / PAGE_BYTES)]);
  }
});

test('a file whose buffers lie elsewhere than the layout puts them is refused', (t) => {
  const { layout } = buildSegment(randomRows(EVERY_TYPE, 9, seededRandom(5), false));
  const fields = segmentFields(EVERY_TYPE, false);
  const batch = segmentBatch(layout);
  const swapped = batch.fields.with(1, batch.fields[3]).with(3, batch.fields[1]);
  const shorter = { ...batch.fields[1], data: { ...batch.fields[1].data, length: 32 } };
  const layouts: BatchLayout[] = [
    { ...batch, fields: swapped },
    { ...batch, fields: batch.fields.with(1, shorter) },
    { ...batch, bodyBytes: batch.bodyBytes + 64 },
    { ...batch, bodyBytes: batch.bodyBytes - 64 },
    { ...batch, bodyBytes: 0 },
  ];
  for (const wrong of layouts) {
    const file = { fields, layout: wrong, nullCounts: fields.map(() => 0), metadata: {} };
    const start = encodeHead(file);
    const body = new Uint8Array(wrong.bodyBytes);
    const bytes = Buffer.concat([start.head, body, encodeTail(file, start)]);
    const expected = { fileBytes: bytes.length, pageCrcs: null };
    t.throws(() => readSegment(storageOf('s', bytes), 's', EVERY_TYPE, expected), {
      code: 'OMEN_CORRUPT',
      message: /its buffers are not where they belong/,
    });
  }
});
