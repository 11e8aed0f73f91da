import test from 'ava';
import { isShortage } from '../../src/errors.ts';
import type { CrashStorage } from '../../src/storage/crash.ts';
import { realStorage } from '../../src/storage/real.ts';
import { openLocalLog } from '../../src/wal/log.ts';
import { WalWriter } from '../../src/wal/writer.ts';
import { codeOf, temporaryDirectory } from '../storage/support.ts';
import {
  commitStamps,
  DIRECTORY,
  damage,
  emptyDisk,
  IDENTITY,
  numbered,
  openSmall,
  pairs,
  putRecord,
  recovered,
  stampOf,
} from './support.ts';

const FIRST = 'wal-0000000001.log';

test('a new log is empty and begins with LSN 1', (t) => {
  const { log, found, report } = recovered(emptyDisk());
  t.deepEqual(found, []);
  t.like(report, { lastLsn: 0, records: 0, frames: 0, tail: null });
  t.deepEqual([log.lastLsn, log.durableLsn, log.nextLsn], [0, 0, 1]);
  t.deepEqual(log.files, [FIRST]);
});

test('what was committed comes back in order, byte for byte, from any LSN', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  for (let first = 1; first <= 301; first += 30) commitStamps(log, numbered(30, first));
  log.close();
  t.deepEqual(recovered(storage.restart()).found, pairs(330));
  t.deepEqual(recovered(storage.restart(), 17).found, pairs(314, 17));
  const { found, report } = recovered(storage.restart(), 331);
  t.deepEqual(found, []);
  t.is(report.lastLsn, 330);
});

test('the same holds on the real file system', (t) => {
  const directory = temporaryDirectory(t);
  let stamp = 0;
  for (let round = 0; round < 4; round++) {
    const log = openLocalLog(realStorage, directory, IDENTITY);
    t.teardown(() => log.close());
    const found: [number, number][] = [];
    const report = log.read(1, (views, offset, bytes, lsn) => {
      found.push([lsn, stampOf(views, offset, bytes)]);
    });
    t.deepEqual(found, pairs(stamp));
    t.is(report.tail, null);
    log.start();
    for (let group = 0; group < 40; group++) {
      for (let i = 0; i < 20; i++) putRecord(log, ++stamp);
      t.is(log.commit(group % 4 === 0), stamp);
      if (group === 25) log.rotate();
    }
    if (round % 2 === 0) log.close();
  }
});

test('a group is told by its size, and the LSN of the next record is known beforehand', (t) => {
  const { log } = recovered(emptyDisk());
  t.is(log.groupRecords, 0);
  const empty = log.groupBytes;
  t.is(log.reserve(16), empty);
  t.is(log.groupBytes, empty + 16);
  t.is(log.u32[empty >> 2], 16);
  log.f64[(empty >> 3) + 1] = Math.PI;
  t.is(log.nextLsn, 2);
  log.reserve(20);
  t.is(log.nextLsn, 3);
  t.is(log.groupRecords, 2);
  t.is(log.commit(false), 2);
  t.is(log.groupRecords, 0);
  log.read(1, (views, offset, _bytes, lsn) => {
    if (lsn === 1) t.is(views.f64[(offset >> 3) + 1], Math.PI);
  });
  t.true(log.fileBytes > 0);
  t.is(log.durableLsn, 0);
  log.sync();
  t.is(log.durableLsn, 2);
});

test('rotation goes on in a new file, and truncation takes whole files only', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  const files = () => storage.list(DIRECTORY).filter((name) => name.endsWith('.log'));
  commitStamps(log, numbered(10), false);
  log.rotate();
  t.is(log.durableLsn, 10);
  commitStamps(log, numbered(10, 11));
  log.rotate();
  log.rotate(); // the new file is empty: nothing to do
  commitStamps(log, numbered(10, 21));
  t.is(files().length, 3);
  t.deepEqual(files(), log.files);
  log.truncateBelow(10);
  t.is(files().length, 3, 'record 10 is still needed');
  log.truncateBelow(11);
  t.is(files().length, 2);
  log.truncateBelow(31);
  t.is(files().length, 1, 'the file being written stays');
  log.close();
  t.deepEqual(recovered(storage.restart(), 21).found, pairs(10, 21));
});

test('a live log can be read, up to what was committed last', (t) => {
  const { log } = recovered(emptyDisk());
  commitStamps(log, numbered(10));
  log.rotate();
  commitStamps(log, numbered(10, 11), false);
  putRecord(log, 999);
  const found: [number, number][] = [];
  const report = log.read(5, (views, offset, bytes, lsn) => {
    found.push([lsn, stampOf(views, offset, bytes)]);
  });
  t.deepEqual(found, pairs(16, 5));
  t.is(report.files.length, 2);
  t.is(log.commit(true), 21);
});

test('an obsolete file is recycled, and what it held never comes back', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  let lsn = 0;
  let reused = 0;
  for (let round = 0; round < 6; round++) {
    for (let group = 0; group < 20 - round; group++) {
      commitStamps(log, numbered(5, lsn + 1));
      lsn += 5;
    }
    const from = storage.operations;
    log.rotate();
    const rotation = storage.log.slice(from);
    if (!rotation.some((operation) => operation.kind === 'create')) reused++;
    log.truncateBelow(lsn + 1);
    const { found } = recovered(storage.restart(), lsn + 1);
    t.deepEqual(found, []);
  }
  t.is(reused, 5);
  commitStamps(log, [lsn + 1]);
  t.deepEqual(recovered(storage.restart(), lsn + 1).found, pairs(1, lsn + 1));
});

test('a very large file is not kept for recycling', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  log.reserve(257 * 2 ** 20);
  log.commit(true);
  log.rotate();
  log.truncateBelow(2);
  t.deepEqual(storage.list(DIRECTORY), log.files);
});

test('a log is never continued in an old file', (t) => {
  const storage = emptyDisk();
  let disk = storage;
  for (let round = 1; round <= 4; round++) {
    const { log } = recovered(disk);
    t.is(log.files.length, round);
    commitStamps(log, numbered(3, 3 * round - 2));
    disk = disk.restart();
  }
  t.deepEqual(recovered(disk).found, pairs(12));
});

test('what recovery read is durable once it started, even if a failed sync had lost it', (t) => {
  for (let seed = 0; seed < 40; seed++) {
    const storage = emptyDisk();
    const { log } = recovered(storage);
    commitStamps(log, numbered(5));
    storage.failAt(storage.operations + 1, { error: 'EIO', lasting: false });
    t.is(
      codeOf(() => commitStamps(log, numbered(5, 6))),
      'OMEN_IO',
    );
    const second = storage.restart(); // the page cache still has the group
    t.deepEqual(recovered(second).found, pairs(10));
    t.deepEqual(recovered(second.crash(seed)).found, pairs(10), `seed ${seed}`);
  }
});

test('after a rotation that failed, the log has failed', (t) => {
  const count = () => {
    const storage = emptyDisk();
    const { log } = recovered(storage);
    commitStamps(log, numbered(5), false);
    return { storage, log, from: storage.operations };
  };
  const clean = count();
  clean.log.rotate();
  for (let operation = clean.from; operation < clean.storage.operations; operation++) {
    const { storage, log } = count();
    storage.failAt(operation, { error: 'EIO', lasting: false });
    t.is(
      codeOf(() => log.rotate()),
      'OMEN_IO',
    );
    const refusal = t.throws(() => commitStamps(log, [6]), { code: 'OMEN_SHARD_FAILED' });
    t.like(refusal, { cause: { code: 'OMEN_IO' } });
    t.is(
      codeOf(() => log.rotate()),
      'OMEN_SHARD_FAILED',
    );
    log.close();
    t.deepEqual(recovered(storage.restart()).found, pairs(5));
  }
});

test('closing makes everything durable and says so in the file', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  commitStamps(log, numbered(5), false);
  log.close();
  log.close();
  for (let seed = 0; seed < 20; seed++) {
    t.deepEqual(recovered(storage.crash(seed)).found, pairs(5));
  }
  t.is(
    codeOf(() => log.commit(true)),
    'OMEN_SHARD_FAILED',
  );
});

test('closing what was never started does nothing', (t) => {
  const storage = emptyDisk();
  const log = openSmall(storage);
  const { operations } = storage;
  log.close();
  t.is(storage.operations, operations);
});

test('reading changes nothing on disk', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  commitStamps(log, numbered(5));
  const again = storage.restart();
  openSmall(again).read(1, () => {});
  t.true(again.log.every(({ kind }) => ['list', 'open', 'read'].includes(kind)));
});

test('an error of the visitor ends the reading and passes through', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  commitStamps(log, numbered(5));
  const reason = new RangeError('enough');
  const thrown = t.throws(() =>
    openSmall(storage.restart()).read(1, (_views, _offset, _bytes, lsn) => {
      if (lsn === 3) throw reason;
    }),
  );
  t.is(thrown, reason as Error);
});

test('a missing file is damage, whichever it is', (t) => {
  const make = () => {
    const storage = emptyDisk();
    const { log } = recovered(storage);
    for (let file = 0; file < 4; file++) {
      commitStamps(log, numbered(5, 5 * file + 1));
      if (file < 3) log.rotate();
    }
    return { storage, required: log.files };
  };
  const { required } = make();
  for (const name of required) {
    const { storage } = make();
    storage.remove(`${DIRECTORY}/${name}`);
    t.throws(() => openSmall(storage.restart(), { required }), {
      code: 'OMEN_CORRUPT',
      message: new RegExp(name),
    });
    if (name === required[3]) continue; // without a list, nothing speaks of the newest
    t.is(
      codeOf(() => recovered(storage.restart())),
      'OMEN_CORRUPT',
    );
  }
  const { storage } = make();
  for (const name of required) storage.remove(`${DIRECTORY}/${name}`);
  t.is(
    codeOf(() => recovered(storage, 9)),
    'OMEN_CORRUPT',
  );
});

test('files that a power cut brought back are not looked into, and go with the next truncation', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  for (let file = 0; file < 4; file++) {
    commitStamps(log, numbered(5, 5 * file + 1));
    log.rotate();
  }
  const before = storage.restart();
  before.remove(`${DIRECTORY}/${log.files[1]}`); // of the removals of two files, one was undone
  const { log: again, found } = recovered(before, 11);
  t.deepEqual(found, pairs(10, 11));
  t.true(again.files.includes(FIRST));
  again.truncateBelow(11);
  t.false(before.exists(`${DIRECTORY}/${FIRST}`));
  commitStamps(again, [21]);
  t.deepEqual(recovered(before.restart(), 11).found, pairs(11, 11));
});

test('leftovers of interrupted work are removed, strangers are not', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  commitStamps(log, numbered(5));
  for (const name of ['wal-0000000002.log.tmp', 'wal-recycled', 'notes.txt', 'wal-1.log']) {
    storage.open(`${DIRECTORY}/${name}`, 'create-new').close();
  }
  const { found } = recovered(storage);
  t.deepEqual(found, pairs(5));
  t.deepEqual(
    storage.list(DIRECTORY),
    [FIRST, 'wal-0000000002.log', 'notes.txt', 'wal-1.log'].sort(),
  );
});

test('after a shortage, wherever it was, a log starts at the next try', (t) => {
  const disk = emptyDisk();
  commitStamps(recovered(disk).log, numbered(3), false);
  disk.open(`${DIRECTORY}/wal-recycled`, 'create-new').close();
  let failures = 0;
  for (const error of ['EMFILE', 'ENOSPC']) {
    for (let skipped = 0; ; skipped++) {
      const storage = disk.restart();
      const log = openSmall(storage);
      log.read(1, () => {});
      storage.failAt(storage.operations + skipped, { error, lasting: false });
      try {
        log.start();
        t.throws(() => log.start());
        break;
      } catch (error) {
        t.true(isShortage(error));
      }
      failures++;
      log.start();
      commitStamps(log, [4]);
      t.deepEqual(recovered(storage.restart()).found, pairs(4));
      t.false(storage.exists(`${DIRECTORY}/wal-recycled`));
    }
  }
  t.true(failures > 4);
});

test('a log of another database or shard is refused', (t) => {
  const storage = emptyDisk();
  recovered(storage).log.close();
  for (const identity of [
    { ...IDENTITY, shard: 4 },
    { ...IDENTITY, databaseId: new Uint8Array(16) },
  ]) {
    t.is(
      codeOf(() => openLocalLog(storage.restart(), DIRECTORY, identity)),
      'OMEN_CORRUPT',
    );
  }
});

test('an error of the disk while reading is no end of the log', (t) => {
  const make = () => {
    const storage = emptyDisk();
    const { log } = recovered(storage);
    for (let group = 0; group < 5; group++) commitStamps(log, numbered(5, 5 * group + 1));
    return storage.restart();
  };
  const clean = make();
  openSmall(clean).read(1, () => {});
  for (let operation = 0; operation < clean.operations; operation++) {
    const storage = make();
    storage.failAt(operation, { error: 'EIO', lasting: false });
    t.is(
      codeOf(() => recovered(storage)),
      'OMEN_IO',
      `operation ${operation}`,
    );
    t.deepEqual(recovered(storage).found, pairs(25));
  }
});

test('two files that changed their names are noticed', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  commitStamps(log, numbered(5));
  log.rotate();
  commitStamps(log, numbered(5, 6));
  const [first, second] = log.files.map((name) => `${DIRECTORY}/${name}`);
  storage.rename(first, '/shard/x');
  storage.rename(second, first);
  storage.rename('/shard/x', second);
  t.is(
    codeOf(() => recovered(storage.restart())),
    'OMEN_CORRUPT',
  );
});

test('a file that begins before the one that precedes it is noticed', (t) => {
  const storage = emptyDisk();
  for (const [sequence, firstLsn] of [
    [1, 5],
    [2, 4],
  ]) {
    const path = `${DIRECTORY}/wal-000000000${sequence}.log`;
    new WalWriter(storage, path, { identity: IDENTITY, sequence, firstLsn }).publish();
  }
  t.throws(() => openSmall(storage), { code: 'OMEN_CORRUPT', message: /0002.log .*begins before/ });
});

test('a file that was cut is noticed', (t) => {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  commitStamps(log, numbered(5));
  const path = `${DIRECTORY}/${FIRST}`;
  const file = storage.open(path, 'read-write');
  for (let bytes = file.size() - 1; bytes > 0; bytes -= 999) {
    file.truncate(bytes);
    t.is(
      codeOf(() => recovered(storage.restart())),
      'OMEN_CORRUPT',
    );
  }
});

/** Three files of five records each, the header of the second damaged at a byte. */
function withDamagedHeader(at: number) {
  const storage = emptyDisk();
  const { log } = recovered(storage);
  for (let file = 0; file < 3; file++) {
    commitStamps(log, numbered(5, 5 * file + 1));
    if (file < 2) log.rotate();
  }
  const name = log.files[1];
  damage(storage, `${DIRECTORY}/${name}`, (content) => {
    content[at] ^= 1;
  });
  mustBeRefused(storage);
  return { storage, name };
}

function mustBeRefused(storage: CrashStorage): void {
  const code = codeOf(() => openSmall(storage.restart()));
  if (code !== 'OMEN_CORRUPT') throw new Error(`It is ${code || 'believed'}.`);
}

test('salvage goes on without a file of which nothing says whose it is; put aside, it is no matter', (t) => {
  const { storage, name } = withDamagedHeader(20);
  const { log, found, report } = recovered(storage, 1, { salvage: true });
  t.deepEqual(found, [...pairs(5), ...pairs(5, 11)]);
  t.deepEqual(
    report.dropped.map((entry) => [entry.firstLsn, entry.lastLsn]),
    [
      [null, null],
      [6, 10],
    ],
  );
  log.close();
  t.deepEqual(recovered(storage, 16, { setAside: [name] }).found, []);
  t.true(storage.exists(`${DIRECTORY}/${name}`), 'renaming it is for the owner of the directory');
});

test('salvage reads all records of a file whose header is damaged elsewhere, or its checksum is', (t) => {
  for (const at of [0, 9, 41, 50, 57, 700, 4093]) {
    const { storage, name } = withDamagedHeader(at);
    const { found, report } = recovered(storage, 1, { salvage: true });
    t.deepEqual(found, pairs(15), `byte ${at}`);
    t.like(report.dropped, [{ path: `${DIRECTORY}/${name}`, offset: 0, bytes: 4096 }]);
    t.true((report.dropped[0].firstLsn ?? 0) > (report.dropped[0].lastLsn ?? 0));
  }
});

test('after salvage the log begins anew behind everything that was ever written', (t) => {
  const { storage } = withDamagedHeader(20);
  const log = openSmall(storage, { salvage: true });
  log.read(1, () => {});
  log.start(40);
  t.is(commitStamps(log, [41]), 41);
  t.is(log.firstLsn, 1);
  log.close();
});
