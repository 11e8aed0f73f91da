import { crc32 } from 'node:zlib';
import test from 'ava';
import {
  claimedLength,
  FRAME_HEADER_BYTES,
  recordStride,
  sealFrame,
  type Views,
  verifyFrame,
  wholeBlocks,
} from '../../src/wal/frame.ts';
import { RecordGroup } from '../../src/wal/group.ts';
import { BLOCK_BYTES, encodeHeader } from '../../src/wal/header.ts';
import { IDENTITY, putRecord } from './support.ts';

const FILE = { sequence: 1, firstLsn: 1, createdBytes: 0, recycled: false };
const { header } = encodeHeader(IDENTITY, FILE);
const POSITION = 7 * BLOCK_BYTES;

function sealedFrame(firstLsn = 100, durableLsn = 90): { views: Views; length: number } {
  const group = new RecordGroup();
  for (const stamp of [1, 2, 3]) {
    putRecord({ reserve: (bytes) => group.reserve(bytes), u8: group.views.u8 }, stamp);
  }
  const frame = { length: group.bytes, position: POSITION, firstLsn, durableLsn, records: 3 };
  sealFrame(group.views, header, frame);
  return { views: group.views, length: group.bytes };
}

function problem(views: Views, length: number, of = header): string | null {
  const claimed = claimedLength(views, 0, of, POSITION);
  return claimed === length ? verifyFrame(views, 0, length, of) : 'no frame';
}

test('a frame verifies as it was sealed', (t) => {
  const { views, length } = sealedFrame();
  t.is(problem(views, length), null);
});

test('every flipped bit of a frame is noticed', (t) => {
  const { views, length } = sealedFrame();
  for (let i = 0; i < length; i++) {
    for (let bit = 0; bit < 8; bit++) {
      views.u8[i] ^= 1 << bit;
      if (problem(views, length) === null) t.fail(`bit ${bit} of byte ${i}`);
      views.u8[i] ^= 1 << bit;
    }
  }
  t.is(problem(views, length), null);
});

test('a frame verifies in its own file and place only', (t) => {
  const { views, length } = sealedFrame();
  t.is(claimedLength(views, 0, header, POSITION + BLOCK_BYTES), 0);
  const other = encodeHeader(IDENTITY, FILE).header;
  t.is(claimedLength(views, 0, other, POSITION), 0);
  t.not(problem(views, length, { ...other, salt: header.salt }), null, 'the whole salt counts');
});

test('a frame whose contents cannot be is refused although its checksum is right', (t) => {
  const cases: [string, (views: Views) => void][] = [
    ['a first LSN of 0', ({ f64 }) => f64.set([0], 2)],
    ['a broken LSN', ({ f64 }) => f64.set([100.5], 2)],
    ['no number', ({ f64 }) => f64.set([Number.NaN], 2)],
    ['an LSN beyond all', ({ f64 }) => f64.set([2 ** 53 - 1], 2)],
    ['durable before it was written', ({ f64 }) => f64.set([100], 3)],
    ['a negative durable LSN', ({ f64 }) => f64.set([-1], 3)],
    ['too few records', ({ u32 }) => u32.set([2], 8)],
    ['too many records', ({ u32 }) => u32.set([4], 8)],
    ['very many records', ({ u32 }) => u32.set([2 ** 32 - 1], 8)],
    ['a record of no length', ({ u32 }) => u32.set([0], 10)],
    ['a record of 3 bytes', ({ u32 }) => u32.set([3], 10)],
    ['a record beyond the frame', ({ u32 }) => u32.set([2 ** 31 + 9], 10)],
    ['a record of nearly 4 GiB', ({ u32 }) => u32.set([2 ** 32 - 1], 10)],
  ];
  for (const [what, change] of cases) {
    const { views, length } = sealedFrame();
    change(views);
    views.u32[0] = crc32(views.u8.subarray(4, length), header.seed);
    t.not(problem(views, length), null, what);
  }
});

test('sizes are rounded up to whole blocks and multiples of 8', (t) => {
  t.deepEqual([0, 1, 4096, 4097].map(wholeBlocks), [0, 4096, 4096, 8192]);
  t.is(wholeBlocks(2 ** 33 + 1), 2 ** 33 + 4096);
  t.deepEqual([4, 8, 9, 16].map(recordStride), [8, 8, 16, 16]);
  t.is(FRAME_HEADER_BYTES % 8, 0);
});
