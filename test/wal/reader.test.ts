/** Files made by hand: what no writer of ours would write, and what only another's could. */

import test from 'ava';
import { CrashStorage } from '../../src/storage/crash.ts';
import { sealFrame, viewsOf, wholeBlocks } from '../../src/wal/frame.ts';
import { RecordGroup } from '../../src/wal/group.ts';
import { BLOCK_BYTES, encodeHeader, type WalHeader } from '../../src/wal/header.ts';
import { readHeader, readWal, type WalReport } from '../../src/wal/reader.ts';
import { IDENTITY } from './support.ts';

const PATH = '/wal';

/** A file with one frame of `records` records of 8 bytes for each entry; null is an empty block. */
function handmade(
  frames: readonly ({ firstLsn: number; records: number; durableLsn: number } | null)[],
  recycled = false,
): { storage: CrashStorage; header: WalHeader } {
  const { block, header } = encodeHeader(IDENTITY, {
    sequence: 1,
    firstLsn: 1,
    createdBytes: BLOCK_BYTES,
    recycled,
  });
  const storage = new CrashStorage();
  const file = storage.open(PATH, 'create-new');
  file.write(block, 0);
  let position = BLOCK_BYTES;
  for (const frame of frames) {
    const group = new RecordGroup(BLOCK_BYTES);
    for (let i = 0; i < (frame?.records ?? 0); i++) group.reserve(8);
    const length = group.bytes;
    if (frame !== null) sealFrame(group.views, header, { ...frame, length, position });
    file.write(group.views.u8.subarray(0, wholeBlocks(length)), position);
    position += wholeBlocks(length);
  }
  file.close();
  return { storage, header };
}

function read(
  { storage, header }: { storage: CrashStorage; header: WalHeader },
  nextFirstLsn: number | null = null,
  salvage = false,
): WalReport & { lsns: number[] } {
  const lsns: number[] = [];
  const report = readWal(storage, PATH, header, { nextFirstLsn, salvage }, (frame) => {
    lsns.push(frame.firstLsn);
  });
  return { ...report, lsns };
}

test('a report says what was read, and up to where it is known to be durable', (t) => {
  const made = handmade([
    { firstLsn: 1, records: 3, durableLsn: 0 },
    { firstLsn: 4, records: 2, durableLsn: 3 },
    { firstLsn: 6, records: 0, durableLsn: 5 },
  ]);
  t.deepEqual(readHeader(made.storage, PATH, IDENTITY, 1), made.header);
  t.deepEqual(read(made), {
    lsns: [1, 4, 6],
    lastLsn: 5,
    durableLsn: 5,
    frames: 3,
    records: 5,
    bytes: 4 * BLOCK_BYTES,
    tail: null,
    dropped: [],
  });
});

test('a frame that verifies but does not continue the LSNs is not part of the log', (t) => {
  const first = { firstLsn: 1, records: 3, durableLsn: 0 };
  const ahead = handmade([first, { firstLsn: 5, records: 1, durableLsn: 3 }]);
  t.deepEqual(read(ahead).lsns, [1]);
  t.regex(read(ahead).tail?.reason ?? '', /LSN 5/);
  t.throws(() => read(ahead, 5), { code: 'OMEN_CORRUPT', message: /offset 8192/ });
  const acknowledged = handmade([first, { firstLsn: 6, records: 1, durableLsn: 4 }]);
  t.throws(() => read(acknowledged), { code: 'OMEN_CORRUPT', message: /LSN 4 .*up to 4/ });
  const behind = handmade([first, { firstLsn: 2, records: 9, durableLsn: 1 }]);
  t.deepEqual(read(behind).lsns, [1]);
});

test('records from the next file’s first LSN on are void, and not even looked at', (t) => {
  const made = handmade([
    { firstLsn: 1, records: 3, durableLsn: 0 },
    null,
    { firstLsn: 9, records: 1, durableLsn: 8 },
  ]);
  t.like(read(made, 4), { lsns: [1], tail: null });
  t.throws(() => read(made, 5), { code: 'OMEN_CORRUPT' });
});

test('a frame that is missing without a record missing is passed over', (t) => {
  const made = handmade([
    { firstLsn: 1, records: 3, durableLsn: 0 },
    null,
    { firstLsn: 4, records: 2, durableLsn: 3 },
  ]);
  t.like(read(made), { lsns: [1, 4], lastLsn: 5, tail: null });
});

test('what is left of a former life is no torn tail, but in a new file anything is', (t) => {
  for (const recycled of [false, true]) {
    const made = handmade([{ firstLsn: 1, records: 3, durableLsn: 0 }], recycled);
    const file = made.storage.open(PATH, 'read-write');
    file.write(new Uint8Array(3 * BLOCK_BYTES).fill(7), 2 * BLOCK_BYTES);
    const { lsns, tail } = read(made);
    t.deepEqual(lsns, [1]);
    t.is(tail?.bytes, recycled ? undefined : 3 * BLOCK_BYTES);
  }
});

test('a file that ends within a block, a frame or a header ends the log there', (t) => {
  const made = handmade([
    { firstLsn: 1, records: 3, durableLsn: 0 },
    { firstLsn: 4, records: 2, durableLsn: 0 },
  ]);
  const file = made.storage.open(PATH, 'read-write');
  for (const [bytes, last] of [
    [2 * BLOCK_BYTES + 56, 5],
    [2 * BLOCK_BYTES + 55, 3],
    [2 * BLOCK_BYTES + 39, 3],
    [2 * BLOCK_BYTES, 3],
    [BLOCK_BYTES + 10, 0],
    [BLOCK_BYTES, 0],
  ]) {
    file.truncate(bytes);
    t.is(read(made).lastLsn, last, `${bytes} bytes`);
  }
});

test('a length that cannot be is not believed', (t) => {
  for (const length of [0, 8, 39, 41, 2 ** 20, 2 ** 31, 2 ** 32 - 8]) {
    const made = handmade([{ firstLsn: 1, records: 1, durableLsn: 0 }]);
    const file = made.storage.open(PATH, 'read-write');
    const views = viewsOf(new ArrayBuffer(8));
    views.u32[0] = length;
    file.write(views.u8.subarray(0, 4), BLOCK_BYTES + 4);
    t.is(read(made).lastLsn, 0, `${length}`);
  }
});

test('frames of any size are read, whether or not they fit what is read at once', (t) => {
  const sizes = [1, 600, 131_000, 140_000, 300_000, 2, 131_067, 131_068];
  let firstLsn = 1;
  const made = handmade(
    sizes.map((records) => {
      const frame = { firstLsn, records, durableLsn: firstLsn - 1 };
      firstLsn += records;
      return frame;
    }),
  );
  t.like(read(made), { lastLsn: firstLsn - 1, frames: sizes.length });
});

test('salvage never goes beyond what the next file has', (t) => {
  const made = handmade([
    { firstLsn: 1, records: 3, durableLsn: 0 },
    null,
    { firstLsn: 9, records: 1, durableLsn: 8 },
  ]);
  t.like(read(made, 7, true), {
    lsns: [1],
    dropped: [{ path: PATH, offset: 2 * BLOCK_BYTES, firstLsn: 4, lastLsn: 6 }],
  });
  t.like(read(made, 10, true), { lsns: [1, 9], dropped: [{ firstLsn: 4, lastLsn: 8 }] });
});
