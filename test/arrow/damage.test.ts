/** Files that were damaged: detected where there are checksums, and safe to have read where there are none. */
import test from 'ava';
import { BODY_BYTES_MAX } from '../../src/arrow/layout.ts';
import { PAGE_BYTES } from '../../src/arrow/pages.ts';
import { readSegment } from '../../src/arrow/reader.ts';
import { OmenError } from '../../src/errors.ts';
import type { Schema } from '../../src/schema/schema.ts';
import {
  EVERY_TYPE,
  randomRows,
  type SegmentFile,
  seededRandom,
  segmentFile,
  storageOf,
} from './helpers.ts';

const METADATA = { 'omendb.version': '1', 'omendb.database': '0123456789abcdef' };

/** Reads `bytes` without checksums: OMEN_CORRUPT, or a segment that nobody reads out of bounds of. */
function survives(bytes: Uint8Array, schema: Schema): 'read' | 'refused' {
  const storage = storageOf('s', bytes);
  const bounded = () => {
    const read = storage.files.get('s')?.bytesRead ?? 0;
    if (read > bytes.length + PAGE_BYTES) throw new Error(`${read} bytes read`);
  };
  try {
    const expected = { fileBytes: bytes.length, pageCrcs: null };
    const { layout, body, nullCounts } = readSegment(storage, 's', schema, expected);
    bounded();
    if (body.length > bytes.length) throw new Error('more memory than the file is long');
    for (const { offsets, data } of layout.columns) {
      if (offsets === null) continue;
      const values = new Int32Array(body.buffer, offsets.offset, layout.rows + 1);
      const ascending = values.every((value, i) => value >= (i === 0 ? 0 : values[i - 1]));
      if (!ascending || values[layout.rows] !== data.length) throw new Error('a wild offset');
    }
    if (nullCounts.some((nulls) => nulls > layout.rows)) throw new Error('a wild null count');
    return 'read';
  } catch (error) {
    bounded();
    if (error instanceof OmenError && error.code === 'OMEN_CORRUPT') return 'refused';
    throw error;
  }
}

function refusedWithChecksums(file: SegmentFile, bytes: Uint8Array): OmenError | null {
  const { fileBytes, pageCrcs } = file;
  try {
    readSegment(storageOf('s', bytes), 's', EVERY_TYPE, { fileBytes, pageCrcs });
    return null;
  } catch (error) {
    if (error instanceof OmenError && error.code === 'OMEN_CORRUPT') return error;
    throw error;
  }
}

test('whichever byte is damaged, the checksums tell', (t) => {
  const file = segmentFile(randomRows(EVERY_TYPE, 9, seededRandom(9), true), METADATA);
  const undetected: number[] = [];
  for (let at = 0; at < file.fileBytes; at++) {
    for (const flip of [0xff, 1 << (at & 7)]) {
      const bytes = file.bytes.slice();
      bytes[at] ^= flip;
      const error = refusedWithChecksums(file, bytes);
      if (error === null || !/^s is damaged at byte \d+: /.test(error.message)) undetected.push(at);
    }
  }
  t.deepEqual(undetected, []);
});

test('in a file of many pages, the message names the page that is damaged', (t) => {
  const file = segmentFile(randomRows(EVERY_TYPE, 5000, seededRandom(2), true), METADATA);
  t.true(file.fileBytes > 8 * PAGE_BYTES);
  const random = seededRandom(3);
  for (let run = 0; run < 300; run++) {
    const at = Math.floor(random() * file.fileBytes);
    const flip = 1 + Math.floor(random() * 255);
    file.bytes[at] ^= flip;
    const page = Math.floor(at / PAGE_BYTES) * PAGE_BYTES;
    const error = refusedWithChecksums(file, file.bytes);
    t.regex(error?.message ?? '', new RegExp(`^s is damaged at byte ${page}: `), `byte ${at}`);
    file.bytes[at] ^= flip;
  }
});

test('whichever byte is damaged, reading without checksums is safe', (t) => {
  const file = segmentFile(randomRows(EVERY_TYPE, 9, seededRandom(9), true), METADATA);
  for (let at = 0; at < file.fileBytes; at++) {
    for (const flip of [0xff, 0x80, 1 << (at & 7)]) {
      const bytes = file.bytes.slice();
      bytes[at] ^= flip;
      survives(bytes, EVERY_TYPE);
    }
  }
  t.is(survives(file.bytes, EVERY_TYPE), 'read');
});

test('a file cut off anywhere is refused', (t) => {
  const file = segmentFile(randomRows(EVERY_TYPE, 3, seededRandom(9), false), METADATA);
  for (let length = 0; length < file.fileBytes; length++) {
    const bytes = file.bytes.slice(0, length);
    t.truthy(refusedWithChecksums(file, bytes));
    if (survives(bytes, EVERY_TYPE) === 'read') t.fail(`${length} bytes are enough`);
  }
});

test('a file that grew shorter while it was read is refused', (t) => {
  const file = segmentFile(randomRows(EVERY_TYPE, 5000, seededRandom(9), false));
  for (const left of [0, 100, PAGE_BYTES, 3 * PAGE_BYTES, file.fileBytes - 1]) {
    const storage = storageOf('s', file.bytes.subarray(0, left));
    const open = storage.open;
    storage.open = (path, mode) => ({ ...open(path, mode), size: () => file.fileBytes });
    const expected = { fileBytes: file.fileBytes, pageCrcs: null };
    t.throws(() => readSegment(storage, 's', EVERY_TYPE, expected), { code: 'OMEN_CORRUPT' });
  }
});

test('lengths from nowhere in head and footer do no harm', (t) => {
  const schema: Schema = {
    key: 'float64',
    columns: [
      { name: 'a', type: 'utf8', nullable: true },
      { name: 'b', type: 'int32', nullable: false },
    ],
    value: null,
  };
  const seed = 20260101;
  const random = seededRandom(seed);
  const file = segmentFile(randomRows(schema, 6, random, true), METADATA);
  const { bodyOffset, layout, fileBytes } = file;
  const tailAt = bodyOffset + layout.bodyBytes;
  const wild = [0, 1, 2, 4, 8, 64, 0xff, 0xffff, 0x7fffffff, -1, -4, BODY_BYTES_MAX, 0x10000000];
  const bytes = new Uint8Array(fileBytes);
  const view = new DataView(bytes.buffer);
  const outcomes = { read: 0, refused: 0 };
  for (let run = 0; run < 60_000; run++) {
    bytes.set(file.bytes);
    for (let change = 0; change < 1 + random() * 3; change++) {
      const inHead = random() < 0.7;
      const from = inHead ? 0 : tailAt;
      const to = inHead ? bodyOffset : fileBytes;
      const at = Math.min(from + 2 * Math.floor((random() * (to - from)) / 2), fileBytes - 4);
      const kind = random();
      if (kind < 0.3) view.setInt32(at, wild[Math.floor(random() * wild.length)], true);
      else if (kind < 0.6) view.setInt16(at, random() * 65536, true);
      else if (kind < 0.8) view.setInt32(at, view.getInt32(at, true) + 16 * (random() - 0.5), true);
      else bytes.copyWithin(at, from + Math.floor(random() * (to - from - 16)), from + 16);
    }
    try {
      outcomes[survives(bytes, schema)]++;
    } catch (error) {
      t.log(`run ${run} of seed ${seed}`);
      throw error;
    }
  }
  t.true(outcomes.refused > 1000 && outcomes.read > 1000, JSON.stringify(outcomes));
});

test('noise is refused', (t) => {
  const random = seededRandom(77);
  for (let run = 0; run < 2000; run++) {
    const bytes = Uint8Array.from({ length: random() * 4000 }, () => random() * 256);
    // Half of them begin as they should, so that the parser is reached.
    if (run % 2 === 0) bytes.set(Buffer.from('ARROW1\0\0').subarray(0, bytes.length));
    t.is(survives(bytes, EVERY_TYPE), 'refused', `run ${run} of seed 77`);
  }
});
