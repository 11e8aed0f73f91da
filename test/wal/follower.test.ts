import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { LogFollower } from '../../src/wal/follower.ts';
import { recordStride } from '../../src/wal/frame.ts';
import { codeOf } from '../storage/support.ts';
import {
  commitStamps,
  DIRECTORY,
  damage,
  emptyDisk,
  IDENTITY,
  numbered,
  openSmall,
  pairs,
  recovered,
  stampOf,
} from './support.ts';

type Disk = ReturnType<typeof emptyDisk>;

function follow(storage: Disk, fromLsn: number): LogFollower {
  return new LogFollower(storage, DIRECTORY, IDENTITY, fromLsn);
}

/** [LSN, stamp] of all records up to `durableLsn`, from where the follower is. */
function readTo(follower: LogFollower, durableLsn: number): [number, number][] {
  const found: [number, number][] = [];
  const from = follower.nextLsn;
  for (let frame = follower.next(durableLsn); frame !== null; frame = follower.next(durableLsn)) {
    let offset = frame.start;
    for (let i = 0; i < frame.records; i++) {
      const bytes = frame.views.u32[offset >> 2];
      if (frame.firstLsn + i >= from)
        found.push([frame.firstLsn + i, stampOf(frame.views, offset, bytes)]);
      offset += recordStride(bytes);
    }
  }
  return found;
}

test('a follower reads what is durable, as it is written, across files', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  const follower = follow(storage, 1);
  t.deepEqual(readTo(follower, log.durableLsn), []);
  let lsn = 0;
  const found: [number, number][] = [];
  for (let group = 1; group <= 120; group++) {
    const count = 1 + ((group * 7) % 40);
    commitStamps(log, numbered(count, lsn + 1));
    lsn += count;
    if (group % 9 === 0) log.rotate();
    if (group % 5 !== 0) found.push(...readTo(follower, log.durableLsn));
  }
  found.push(...readTo(follower, log.durableLsn));
  t.deepEqual(found, pairs(lsn));
  t.deepEqual(readTo(follow(storage, 777), log.durableLsn), pairs(lsn - 776, 777));
  t.is(follower.nextLsn, lsn + 1);
  follower.close();
});

test('nothing is read beyond what is said to be durable', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  for (let lsn = 1; lsn <= 30; lsn++) commitStamps(log, [lsn], false);
  const follower = follow(storage, 1);
  t.deepEqual(readTo(follower, 12), pairs(12));
  t.deepEqual(readTo(follower, 12), []);
  commitStamps(log, [31]);
  t.deepEqual(readTo(follower, log.durableLsn), pairs(19, 13));
});

test('it goes on over recoveries, which copy what they cannot know to be durable', (t) => {
  const storage = emptyDisk();
  const found: [number, number][] = [];
  let lsn = 0;
  let current: Disk = storage;
  let follower = follow(current, 1);
  for (let life = 0; life < 5; life++) {
    const { log } = recovered(current, 1);
    for (let group = 0; group < 6; group++) {
      commitStamps(log, numbered(5, lsn + 1));
      lsn += 5;
      if (group === 2) log.rotate();
      if (group % 2 === life % 2) found.push(...readTo(follower, log.durableLsn));
    }
    // Its last frame is followed by none that says it was durable.
    const { nextLsn } = follower;
    current = current.restart();
    follower = follow(current, nextLsn);
  }
  const { log } = recovered(current, 1);
  found.push(...readTo(follower, log.durableLsn));
  t.deepEqual(found, pairs(lsn));
});

test('in one process, too: a file is void from where the next begins', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  commitStamps(log, numbered(10));
  const follower = follow(storage, 1);
  t.deepEqual(readTo(follower, 10), pairs(10));
  commitStamps(log, numbered(10, 11));
  // Its owner dies, and another one recovers the log.
  const next = recovered(storage).log;
  commitStamps(next, numbered(10, 21));
  t.deepEqual(readTo(follower, next.durableLsn), pairs(20, 11));
});

test('one that goes on from where another is finds the same', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  for (let lsn = 1; lsn <= 50; lsn++) commitStamps(log, [lsn]);
  const follower = follow(storage, 1);
  const never = follower.fork();
  readTo(follower, 20);
  const fork = follower.fork();
  t.deepEqual(readTo(fork, 50), pairs(30, 21));
  t.deepEqual(readTo(follower, 50), pairs(30, 21));
  t.deepEqual(readTo(never, 50), pairs(50));
});

test('records that were given up are gone, also where their file was overwritten', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  const follower = follow(storage, 1);
  const slow = follow(storage, 1);
  for (let round = 0; round < 6; round++) {
    commitStamps(log, numbered(10, 10 * round + 1));
    if (round === 0) t.deepEqual(readTo(follower, 10), pairs(10));
    if (round === 0) t.is(slow.next(1)?.firstLsn, 1);
    log.rotate();
    log.truncateBelow(10 * round + 11);
  }
  commitStamps(log, [61]);
  t.deepEqual(log.files.length, 1);
  t.is(
    codeOf(() => readTo(follower, 61)),
    'OMEN_LSN_GONE',
  );
  t.is(
    codeOf(() => readTo(slow, 61)),
    'OMEN_LSN_GONE',
  );
  t.is(
    codeOf(() => follow(storage, 60).seek()),
    'OMEN_LSN_GONE',
  );
  t.deepEqual(readTo(follow(storage, 61), 61), pairs(1, 61));
});

test('what is followed or retained is not given up, nor recycled', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage, 1, {
    retain: { bytes: 16 * 1024, ms: Number.POSITIVE_INFINITY },
  });
  for (let round = 0; round < 6; round++) {
    commitStamps(log, numbered(10, 10 * round + 1));
    log.rotate();
  }
  log.truncateBelow(61, 25);
  t.is(log.files.length, 5, 'from the file that has LSN 25 on');
  t.is(log.keptBytes, 4 * 20 * 1024);
  log.truncateBelow(61);
  t.is(log.files.length, 2, 'one file of 20 KiB, and the one that is written');
  t.deepEqual(readTo(follow(storage, 51), 60), pairs(10, 51));
  const again = openSmall(storage, { retain: { bytes: 1, ms: 1e9 } });
  again.read(61, () => {});
  again.start();
  again.truncateBelow(61);
  t.is(again.files.length, 2);
  again.truncateBelow(61, null);
  t.is(again.files.length, 1, 'for want of room');
  t.is(again.keptBytes, 0);
});

test('a gap in what is kept is told, not passed over', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage, 1, { retain: { bytes: 1e9, ms: 1e9 } });
  for (let round = 0; round < 3; round++) {
    commitStamps(log, numbered(10, 10 * round + 1));
    log.rotate();
  }
  storage.remove(join(DIRECTORY, log.files[1]));
  const follower = follow(storage, 1);
  t.is(
    codeOf(() => readTo(follower, 30)),
    'OMEN_LSN_GONE',
  );
  t.is(follower.nextLsn, 11);
});

test('damage is told with file and offset', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  for (let lsn = 1; lsn <= 9; lsn++) commitStamps(log, [lsn]);
  const path = join(DIRECTORY, log.files[0]);
  damage(storage, path, (content) => {
    content[4096 * 5 + 60] ^= 1;
  });
  const follower = follow(storage, 1);
  const error = t.throws(() => readTo(follower, 9), { code: 'OMEN_CORRUPT' });
  t.regex(error?.message ?? '', /wal-0000000001\.log is damaged at offset 20480/);
});

test('a group that was taken back is not read, though its bytes once were', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  commitStamps(log, [1]);
  commitStamps(log, [2]);
  const follower = follow(storage, 1);
  // It is written, and then finds no room for what is to be prewritten behind it.
  const large = [13, 63, 113, 163];
  storage.failAt(storage.operations + 1, { error: 'ENOSPC', lasting: false });
  t.is(
    codeOf(() => commitStamps(log, large)),
    'OMEN_DISK_FULL',
  );
  // Amid it, somebody reads what comes before, and with it what lies behind.
  t.is(follower.next(1)?.firstLsn, 1);
  log.discard();
  t.false(log.failed);
  commitStamps(log, [3]);
  t.deepEqual(readTo(follower, log.durableLsn), pairs(2, 2));
});

test('at any interleaving of commits, rotations and readings every record is read once', (t) => {
  const step = fc.oneof(
    fc.record({ op: fc.constant('commit' as const), count: fc.integer({ min: 1, max: 60 }) }),
    fc.record({ op: fc.constantFrom('rotate', 'read', 'truncate', 'recover') }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const storage = emptyDisk();
      let { log } = recovered(storage);
      const follower = follow(storage, 1);
      const found: [number, number][] = [];
      for (const one of steps) {
        if (one.op === 'commit') commitStamps(log, numbered(one.count, log.lastLsn + 1));
        else if (one.op === 'rotate') log.rotate();
        else if (one.op === 'read') found.push(...readTo(follower, log.durableLsn));
        else if (one.op === 'truncate') log.truncateBelow(log.lastLsn + 1, follower.nextLsn);
        else {
          const first = log.files.length > 0 ? (log.firstLsn ?? 1) : 1;
          log = recovered(storage, first).log;
        }
      }
      found.push(...readTo(follower, log.durableLsn));
      t.deepEqual(found, pairs(log.durableLsn));
    }),
    { numRuns: 150 },
  );
});
