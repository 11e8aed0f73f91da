import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { tableFromIPC } from 'apache-arrow';
import test from 'ava';
import { decodeHead } from '../../src/arrow/decode-metadata.ts';
import { encodeHead, encodeTail } from '../../src/arrow/encode-metadata.ts';
import { type BatchLayout, type Field, layoutFields } from '../../src/arrow/layout.ts';
import { CHECKSUM, readSections, writeSections } from '../../src/arrow/model-file.ts';
import { WRITE_BYTES_MAX } from '../../src/arrow/writer.ts';
import { OmenError } from '../../src/errors.ts';
import { realStorage } from '../../src/storage/real.ts';
import {
  EVERY_TYPE,
  memoryStorage,
  randomRows,
  seededRandom,
  segmentFile,
  storageOf,
  temporaryDirectory,
} from './helpers.ts';

const METADATA = { 'omendb.version': '1', 'omendb.file': 'segment-000007' };

function noise(bytes: number): Uint8Array {
  const random = seededRandom(bytes);
  return Uint8Array.from({ length: bytes }, () => random() * 256);
}

const SECTIONS: Record<string, Uint8Array> = {
  leaves: noise(1000),
  'page crcs': new Uint8Array(Uint32Array.from({ length: 33 }, (_, i) => i * 77_777).buffer),
  empty: new Uint8Array(0),
  'grün 🌊': noise(64),
  shared: new Uint8Array(new SharedArrayBuffer(65)).fill(3),
};

function write(sections = SECTIONS) {
  const storage = memoryStorage();
  const written = writeSections(storage, 'm', sections, METADATA);
  return { ...written, bytes: storage.files.get('m')?.bytes ?? new Uint8Array(0) };
}

function corrupt(run: () => unknown): OmenError | null {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof OmenError && error.code === 'OMEN_CORRUPT') return error;
    throw error;
  }
}

test('sections come back in their order, each in shared memory of its own', (t) => {
  const path = join(temporaryDirectory(t), 'm.arrow');
  const written = writeSections(realStorage, path, SECTIONS, METADATA);
  for (const expected of [written, null]) {
    const read = readSections(realStorage, path, expected, METADATA);
    t.deepEqual([...read.keys()], Object.keys(SECTIONS));
    for (const [name, bytes] of read) {
      t.is(Buffer.compare(bytes, SECTIONS[name]), 0, name);
      t.true(bytes.buffer instanceof SharedArrayBuffer);
      t.is(bytes.buffer.byteLength, SECTIONS[name].length);
    }
  }
  const file = readFileSync(path);
  t.is(written.fileBytes, file.length);
  t.is(written.crc, crc32(file));
});

test('a file without sections, and one with large ones, come back', (t) => {
  t.is(readSections(storageOf('m', write({}).bytes), 'm', null).size, 0);
  const large = { a: noise(WRITE_BYTES_MAX + 1), b: noise(100_001) };
  const { bytes, fileBytes, crc } = write(large);
  const read = readSections(storageOf('m', bytes), 'm', { fileBytes, crc });
  for (const name of ['a', 'b'] as const) t.is(Buffer.compare(read.get(name)!, large[name]), 0);
});

test('apache-arrow reads the sections, each on a multiple of 64 in the file', (t) => {
  const { bytes } = write();
  const rows = tableFromIPC(bytes).toArray();
  t.deepEqual(
    rows.map(({ name }) => name),
    [...Object.keys(SECTIONS), CHECKSUM],
  );
  for (const { name, bytes: length, data } of rows.slice(0, -1)) {
    t.is(Buffer.compare(data.subarray(0, length), SECTIONS[name]), 0);
    t.is(data.byteOffset % 64, 0);
    t.true(data.length - length < 64 && data.subarray(length).every((byte: number) => byte === 0));
  }
});

test('the last section is the CRC-32 of the file without it', (t) => {
  const { bytes } = write();
  const rows = tableFromIPC(bytes.slice()).toArray();
  const { data } = rows[rows.length - 1];
  const view = new DataView(data.buffer, data.byteOffset, 4);
  const kept = view.getUint32(0, true);
  view.setUint32(0, 0, true);
  t.is(kept, crc32(new Uint8Array(data.buffer)));
});

test('whichever byte is damaged, the file’s own checksum tells, and the manifest’s too', (t) => {
  const { bytes, fileBytes, crc } = write();
  for (let at = 0; at < fileBytes; at++) {
    for (const flip of [0xff, 1 << (at & 7)]) {
      const damaged = bytes.slice();
      damaged[at] ^= flip;
      for (const expected of [null, { fileBytes, crc }]) {
        const error = corrupt(() => readSections(storageOf('m', damaged), 'm', expected));
        if (error === null)
          t.fail(`byte ${at} passes ${expected ? 'with' : 'without'} the manifest`);
        else if (!/^m is damaged at byte \d+: /.test(error.message)) t.fail(error.message);
      }
    }
  }
  t.pass();
});

test('a file cut off anywhere is refused', (t) => {
  const { bytes, fileBytes, crc } = write({ a: noise(5) });
  for (let length = 0; length < bytes.length; length++) {
    for (const expected of [null, { fileBytes, crc }]) {
      const storage = storageOf('m', bytes.slice(0, length));
      t.truthy(corrupt(() => readSections(storage, 'm', expected)));
      t.is(storage.files.get('m')?.calls.at(-1), 'close');
    }
  }
});

test('a file that is sound and not the expected one is refused', (t) => {
  const { bytes, fileBytes, crc } = write();
  const read = (expected: { fileBytes: number; crc: number } | null, metadata = {}) =>
    readSections(storageOf('m', bytes), 'm', expected, metadata);
  t.is(read(null, { 'omendb.file': 'segment-000007' }).size, 5);
  const wrong: [Parameters<typeof read>[0], Record<string, string>][] = [
    [{ fileBytes, crc: crc ^ 1 }, {}],
    [{ fileBytes: fileBytes + 1, crc }, {}],
    [null, { 'omendb.file': 'segment-000008' }],
    [null, { 'omendb.shard': '0' }],
  ];
  for (const [expected, metadata] of wrong) t.truthy(corrupt(() => read(expected, metadata)));
});

test('a segment is no file of sections', (t) => {
  const { bytes } = segmentFile(randomRows(EVERY_TYPE, 3, seededRandom(1), false));
  const error = corrupt(() => readSections(storageOf('m', bytes), 'm', null));
  t.regex(error?.message ?? 'read', /it is no file of sections/);
});

test('a file of the right fields that is not laid out as ours is refused', (t) => {
  const fields: Field[] = [
    { name: 'name', type: 'utf8', nullable: false },
    { name: 'bytes', type: 'int32', nullable: false },
    { name: 'data', type: 'binary', nullable: false },
  ];
  const whole = layoutFields(fields, 2, [9, 0, 64]);
  const cases: [BatchLayout, RegExp][] = [
    [layoutFields(fields, 0, [0, 0, 0]), /it has 0 sections/],
    [layoutFields(fields, 1026, [0, 0, 0]), /it has 1026 sections/],
    [layoutFields(fields, 2, [70_000, 0, 0]), /it has 2 sections/],
    [{ ...whole, fields: whole.fields.toReversed() }, /its buffers are not where/],
    [{ ...whole, bodyBytes: whole.bodyBytes + 64 }, /its buffers are not where/],
  ];
  for (const [layout, refusal] of cases) {
    const batch = { fields, layout, nullCounts: [0, 0, 0], metadata: {} };
    const start = encodeHead(batch);
    const body = new Uint8Array(layout.bodyBytes);
    const bytes = Buffer.concat([start.head, body, encodeTail(batch, start)]);
    const error = corrupt(() => readSections(storageOf('m', bytes), 'm', null));
    t.regex(error?.message ?? 'read', refusal);
  }
});

/** Gives bytes that were changed the checksum they would have had: only what is checked besides remains. */
function reseal(bytes: Uint8Array, checksumAt: number): void {
  bytes.fill(0, checksumAt, checksumAt + 64);
  new DataView(bytes.buffer).setUint32(checksumAt, crc32(bytes), true);
}

/** Where in the file the parts of the body stand. */
function placesOf(bytes: Uint8Array) {
  const { bodyOffset, buffers } = decodeHead('m', bytes.length, () => bytes);
  const [, nameEnds, names, , lengths, , offsets, data] = buffers.map(
    ({ offset }) => bodyOffset + offset,
  );
  return { nameEnds, names, lengths, offsets, checksumAt: data + buffers[7].length - 64 };
}

const WRONG: [
  what: string,
  refusal: RegExp,
  at: (p: ReturnType<typeof placesOf>) => number,
  value: number,
][] = [
  ['whose names begin late', /the offsets of the names/, (p) => p.nameEnds, 1],
  ['whose names end early', /the offsets of the names/, (p) => p.nameEnds + 12, 9],
  ['whose names run backwards', /the names are out of order/, (p) => p.nameEnds + 4, 5],
  ['with a section of negative length', /the place of section 0/, (p) => p.lengths, -1],
  ['with a section longer than all', /the place of section 0/, (p) => p.lengths, 2 ** 30],
  ['with a section that is moved', /the place of section 1/, (p) => p.offsets + 4, 64],
  ['with a section of another size', /the place of section 1/, (p) => p.lengths, 129],
  ['that ends with another section', /not the checksum/, (p) => p.names + 2, 0x65656565],
  ['whose data end early', /not the checksum/, (p) => p.offsets + 12, 192],
  ['of a longer checksum', /not the checksum/, (p) => p.lengths + 8, 5],
  ['with a name that is not text', /not UTF-8/, (p) => p.names, 0x686363ff | 0],
  ['with a name twice', /a name stands twice/, (p) => p.names, 0x68636161],
];

for (const [what, refusal, at, value] of WRONG) {
  test(`a file ${what} is refused for that, whatever its checksum says`, (t) => {
    // Three rows: a, b and the checksum.
    const { bytes } = write({ a: noise(100), b: noise(3) });
    const places = placesOf(bytes);
    const view = new DataView(bytes.buffer);
    view.setInt32(at(places), value, true);
    reseal(bytes, places.checksumAt);
    const error = corrupt(() => readSections(storageOf('m', bytes), 'm', null));
    t.regex(error?.message ?? 'read', refusal);
  });
}

test('a file that went wrong before it was sealed is read or refused, in bounded memory', (t) => {
  const seed = 31337;
  const random = seededRandom(seed);
  const { bytes } = write({ a: noise(100), b: noise(3) });
  const { checksumAt } = placesOf(bytes);
  const damaged = new Uint8Array(bytes.length);
  const view = new DataView(damaged.buffer);
  for (let run = 0; run < 30_000; run++) {
    damaged.set(bytes);
    const at = 2 * Math.floor((random() * (bytes.length - 4)) / 2);
    const wild = [0, -1, 1, 64, 2 ** 31 - 1, random() * 2 ** 32, view.getInt32(at, true) + 64];
    view.setInt32(at, wild[Math.floor(random() * wild.length)], true);
    reseal(damaged, checksumAt);
    const storage = storageOf('m', damaged);
    let kept = 0;
    const error = corrupt(() => {
      for (const section of readSections(storage, 'm', null).values()) kept += section.length;
    });
    const read = storage.files.get('m')?.bytesRead ?? 0;
    if (read > bytes.length || kept > bytes.length) {
      t.fail(`run ${run} of seed ${seed}: ${read} bytes read, ${kept} kept, ${error?.message}`);
    }
  }
  t.pass();
});

test('wild bytes in any place are refused, in bounded memory', (t) => {
  const seed = 5150;
  const random = seededRandom(seed);
  const { bytes } = write({ a: noise(100), b: noise(3) });
  const damaged = new Uint8Array(bytes.length);
  const view = new DataView(damaged.buffer);
  for (let run = 0; run < 30_000; run++) {
    damaged.set(bytes);
    const at = 4 * Math.floor((random() * (bytes.length - 4)) / 4);
    const wild = [0, -1, 1, 64, 2 ** 31 - 1, random() * 2 ** 32, view.getInt32(at, true) + 64];
    view.setInt32(at, wild[Math.floor(random() * wild.length)], true);
    if (Buffer.compare(damaged, bytes) === 0) continue;
    const storage = storageOf('m', damaged);
    const error = corrupt(() => readSections(storage, 'm', null));
    if (error === null) t.fail(`run ${run} of seed ${seed}: read`);
    const read = storage.files.get('m')?.bytesRead ?? 0;
    if (read > bytes.length) t.fail(`run ${run} of seed ${seed}: ${read} bytes read`);
  }
  t.pass();
});

test('what cannot be a section is asserted against, before a file is made', (t) => {
  const storage = memoryStorage();
  const many = Object.fromEntries(
    Array.from({ length: 1025 }, (_, i) => [`s${i}`, SECTIONS.empty]),
  );
  const long = { ['n'.repeat(70_000)]: SECTIONS.empty };
  for (const sections of [{ [CHECKSUM]: SECTIONS.empty }, many, long]) {
    t.throws(() => writeSections(storage, 'm', sections, {}), { code: 'ERR_ASSERTION' });
  }
  t.is(storage.files.size, 0);
});

test('the file is synced before it is closed, every chunk announced', (t) => {
  const storage = memoryStorage();
  const announced: number[] = [];
  writeSections(storage, 'm', SECTIONS, METADATA, (bytes) => void announced.push(bytes));
  t.deepEqual(storage.files.get('m')?.calls, [
    ...announced.map((bytes) => `write ${bytes}`),
    'sync',
    'close',
  ]);
});
