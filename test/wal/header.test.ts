import { crc32 } from 'node:zlib';
import test from 'ava';
import { BLOCK_BYTES, decodeHeader, encodeHeader, WAL_VERSION } from '../../src/wal/header.ts';
import { codeOf } from '../storage/support.ts';
import { IDENTITY } from './support.ts';

const FILE = { sequence: 9, firstLsn: 2 ** 40 + 1, createdBytes: 20480, recycled: true };

function sealed(block: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const copy = block.slice();
  const view = new DataView(copy.buffer);
  change(view);
  view.setUint32(BLOCK_BYTES - 4, crc32(copy.subarray(0, BLOCK_BYTES - 4)), true);
  return copy;
}

function decode(block: Uint8Array, fileBytes = 20480, sequence = 9, identity = IDENTITY) {
  return decodeHeader(block, fileBytes, '/shard/wal', identity, sequence);
}

test('a header is read back as it was written', (t) => {
  const { block, header } = encodeHeader(IDENTITY, FILE);
  t.is(block.byteLength, BLOCK_BYTES);
  t.deepEqual(decode(block), header);
  t.like(header, FILE);
});

test('each file has a salt of its own', (t) => {
  const seeds = Array.from({ length: 50 }, () => encodeHeader(IDENTITY, FILE).header.seed);
  t.is(new Set(seeds).size, 50);
});

test('every flipped bit and every length of a header is noticed', (t) => {
  const { block } = encodeHeader(IDENTITY, FILE);
  for (let i = 0; i < BLOCK_BYTES; i++) {
    const flipped = block.slice();
    flipped[i] ^= 1 << (i % 8);
    if (codeOf(() => decode(flipped)) !== 'OMEN_CORRUPT') t.fail(`byte ${i}`);
  }
  for (let length = 0; length < BLOCK_BYTES; length += 97) {
    t.is(
      codeOf(() => decode(block.subarray(0, length))),
      'OMEN_CORRUPT',
    );
  }
});

test('the header of another database, shard or file is refused, and so is a file that was cut', (t) => {
  const { block } = encodeHeader(IDENTITY, FILE);
  const other = IDENTITY.databaseId.slice();
  other[15]++;
  const refused = (run: () => unknown, what: RegExp) =>
    t.throws(run, { code: 'OMEN_CORRUPT', message: what });
  refused(
    () => decode(block, 20480, 9, { databaseId: other, shard: 3 }),
    /offset 16: .* another database/,
  );
  refused(() => decode(block, 20480, 9, { ...IDENTITY, shard: 4 }), /shard 3, not 4/);
  refused(() => decode(block, 20480, 10), /file 9/);
  refused(() => decode(block, 20479), /offset 20479: it was cut/);
});

test('a newer format is told from damage', (t) => {
  const { block } = encodeHeader(IDENTITY, FILE);
  const newer = sealed(block, (view) => view.setUint32(8, WAL_VERSION + 1, true));
  t.is(
    codeOf(() => decode(newer)),
    'OMEN_NEWER_FORMAT',
  );
});

test('an LSN that cannot be is refused, checksum or not', (t) => {
  const { block } = encodeHeader(IDENTITY, FILE);
  for (const lsn of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    const wrong = sealed(block, (view) => view.setFloat64(40, lsn, true));
    t.is(
      codeOf(() => decode(wrong)),
      'OMEN_CORRUPT',
    );
  }
});
