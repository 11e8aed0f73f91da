import test from 'ava';
import { CrashStorage } from '../../src/storage/crash.ts';
import { RecordGroup } from '../../src/wal/group.ts';
import { BLOCK_BYTES } from '../../src/wal/header.ts';
import { type Frame, readHeader, readWal } from '../../src/wal/reader.ts';
import { type NewWalFile, WalWriter } from '../../src/wal/writer.ts';
import { codeOf } from '../storage/support.ts';
import { IDENTITY } from './support.ts';

const PATH = '/wal-0000000001.log';
const NEW: NewWalFile = { identity: IDENTITY, sequence: 1, firstLsn: 1, pieceBytes: 16384 };

function published(storage: CrashStorage, file: NewWalFile = NEW): WalWriter {
  const writer = new WalWriter(storage, PATH, file);
  writer.publish();
  return writer;
}

function groupOf(...sizes: number[]): RecordGroup {
  const group = new RecordGroup();
  for (const bytes of sizes) group.reserve(bytes);
  return group;
}

function framesOf(storage: CrashStorage): Pick<Frame, 'firstLsn' | 'records'>[] {
  const frames: Pick<Frame, 'firstLsn' | 'records'>[] = [];
  const header = readHeader(storage, PATH, IDENTITY, 1);
  readWal(storage, PATH, header, { nextFirstLsn: null, salvage: false }, (frame) => {
    frames.push({ firstLsn: frame.firstLsn, records: frame.records });
  });
  return frames;
}

function kinds(storage: CrashStorage, from: number): string[] {
  return storage.log.slice(from).map((operation) => operation.kind);
}

test('a file is written and synced before it gets its name, and that before the directory is synced', (t) => {
  const storage = new CrashStorage();
  published(storage);
  t.deepEqual(kinds(storage, 0), [
    'create',
    'write',
    'write',
    'sync',
    'rename',
    'syncDirectory',
    'open',
  ]);
  t.deepEqual(storage.list('/'), ['wal-0000000001.log']);
});

test('LSNs count on from the first, and a commit returns the last of its group', (t) => {
  const storage = new CrashStorage();
  const writer = published(storage, { ...NEW, firstLsn: 41 });
  t.is(writer.lastLsn, 40);
  t.is(writer.append(groupOf(8, 8, 8), true), 43);
  t.is(writer.append(groupOf(8), false), 44);
  t.is(writer.lastLsn, 44);
  t.is(writer.durableLsn, 43);
  writer.sync();
  t.is(writer.durableLsn, 44);
  t.deepEqual(framesOf(storage), [
    { firstLsn: 41, records: 3 },
    { firstLsn: 44, records: 1 },
  ]);
});

test('a durable commit is one write and one datasync, each frame on blocks of its own', (t) => {
  const storage = new CrashStorage();
  const writer = published(storage);
  const from = storage.operations;
  writer.append(groupOf(100), true);
  writer.append(groupOf(100), false);
  t.deepEqual(kinds(storage, from), ['write', 'datasync', 'write']);
  t.is(writer.fileBytes, 3 * BLOCK_BYTES);
});

test('behind a frame its last block is filled with zeros', (t) => {
  const storage = new CrashStorage();
  const writer = published(storage);
  const group = groupOf(4000);
  group.views.u8.fill(9, 48, 4040);
  writer.append(group, true);
  group.reserve(8);
  writer.append(group, true);
  const block = new Uint8Array(BLOCK_BYTES);
  storage.open(PATH, 'read').read(block, 2 * BLOCK_BYTES);
  t.true(block.subarray(48).every((byte) => byte === 0));
});

test('what has nothing to do does nothing', (t) => {
  const storage = new CrashStorage();
  const writer = published(storage);
  const from = storage.operations;
  t.is(writer.append(groupOf(), true), 0);
  writer.sync();
  writer.mark();
  t.is(storage.operations, from);
  writer.append(groupOf(8), false);
  writer.append(groupOf(), true);
  t.is(writer.durableLsn, 1, 'an empty group makes durable what came before');
  writer.mark();
  const marked = storage.operations;
  writer.mark();
  t.is(storage.operations, marked);
});

test('a file grows by prewritten pieces, in front of the frames', (t) => {
  const storage = new CrashStorage();
  const writer = published(storage);
  const size = () => {
    const file = storage.open(PATH, 'read');
    return file.size();
  };
  t.is(size(), BLOCK_BYTES + 16384);
  let grown = 0;
  for (let i = 0; i < 100; i++) {
    const before = size();
    writer.append(groupOf(5000), i % 2 === 0);
    if (size() > before) grown++;
    t.true(size() >= writer.fileBytes);
    t.is(size() % BLOCK_BYTES, 0);
  }
  t.true(grown > 40 && grown <= 50, `${grown}`);
  t.is(framesOf(storage).length, 100);
});

test('a frame larger than any piece is written', (t) => {
  const storage = new CrashStorage();
  const writer = published(storage);
  writer.append(groupOf(10_000_000), true);
  writer.append(groupOf(8), true);
  t.deepEqual(
    framesOf(storage).map((frame) => frame.firstLsn),
    [1, 2],
  );
});

test('a recycled file keeps its length, and nothing of its former life counts', (t) => {
  const storage = new CrashStorage();
  const writer = published(storage);
  for (let i = 0; i < 20; i++) writer.append(groupOf(5000), true);
  writer.close();
  storage.rename(PATH, '/old');
  const again = published(storage, { ...NEW, recycle: '/old' });
  t.deepEqual(storage.list('/'), ['wal-0000000001.log']);
  t.deepEqual(framesOf(storage), []);
  const from = storage.operations;
  again.append(groupOf(5000), true);
  t.deepEqual(kinds(storage, from), ['write', 'datasync']);
  t.deepEqual(framesOf(storage), [{ firstLsn: 1, records: 1 }]);
  again.close();
});

test('after a failed write or sync nothing is accepted, and no sync is tried again', (t) => {
  for (const [kind, error, code] of [
    ['write', 'EIO', 'OMEN_IO'],
    ['datasync', 'EIO', 'OMEN_IO'],
  ] as const) {
    const storage = new CrashStorage();
    const writer = published(storage);
    writer.append(groupOf(8), true);
    storage.failAt(storage.operations + (kind === 'write' ? 0 : 1), { error, lasting: false });
    t.is(
      codeOf(() => writer.append(groupOf(8), true)),
      code,
    );
    t.is(storage.log.at(-1)?.kind, kind);
    t.true(writer.failed);
    const from = storage.operations;
    for (const attempt of [
      () => writer.append(groupOf(8), true),
      () => writer.append(groupOf(), true),
      () => writer.sync(),
      () => writer.mark(),
      () => writer.publish(),
    ]) {
      const refusal = t.throws(attempt, { code: 'OMEN_SHARD_FAILED' });
      t.is((refusal?.cause as { code?: string } | undefined)?.code, code);
    }
    writer.close();
    t.is(storage.operations, from, 'it does not touch the disk again');
    t.is(writer.durableLsn, 1);
  }
});

/** How a frame can find no room: from its first byte on, in its middle, or behind it, for what is prewritten. */
const NO_ROOM: readonly (readonly [string, records: number, roomBytes: number])[] = [
  ['in the middle of the frame', 20_000, 1000],
  ['right behind the frame', 12_000, 0],
  ['in the piece behind the frame', 12_000, 9000],
];

for (const [where, bytes, roomBytes] of NO_ROOM) {
  test(`a group that finds no room ${where} is taken back, durably, and the writer goes on`, (t) => {
    const storage = new CrashStorage();
    const writer = published(storage);
    writer.append(groupOf(8), true);
    writer.append(groupOf(8), false);
    writer.append(groupOf(3000), false);
    const size = () => storage.open(PATH, 'read').size();
    const before = size();
    storage.setRoom({ bytes: roomBytes, files: 9 });
    for (const sync of [true, false]) {
      t.is(
        codeOf(() => writer.append(groupOf(bytes), sync)),
        'OMEN_DISK_FULL',
      );
      writer.takeBack();
      t.false(writer.failed);
      t.is(size(), before);
      t.is(writer.durableLsn, 3, 'what was not synced before it is');
      for (let seed = 0; seed < 20; seed++) t.is(framesOf(storage.crash(seed)).length, 3);
    }
    t.is(writer.append(groupOf(100), true), 4, 'what fits is taken');
    storage.setRoom(undefined);
    t.is(writer.append(groupOf(bytes), true), 5);
    for (let seed = 0; seed < 20; seed++) t.is(framesOf(storage.crash(seed)).length, 5);
  });
}

test('where a group that found no room cannot be taken back, the writer has failed', (t) => {
  for (const cut of ['write', 'truncate', 'sync'] as const) {
    const storage = new CrashStorage();
    const writer = published(storage);
    storage.setRoom({ bytes: 0, files: 9 });
    const at = { write: 1, truncate: 2, sync: 3 }[cut];
    storage.failAt(storage.operations + at, { error: 'EIO', lasting: false });
    t.is(
      codeOf(() => writer.append(groupOf(20_000), true)),
      'OMEN_DISK_FULL',
    );
    writer.takeBack();
    t.is(storage.log.at(-1)?.kind, cut);
    t.true(writer.failed);
    t.is(
      codeOf(() => writer.append(groupOf(8), true)),
      'OMEN_SHARD_FAILED',
    );
  }
});

test('a new file that finds no room or no descriptor leaves nothing behind', (t) => {
  const clean = new CrashStorage();
  clean.open('/old', 'create-new').close();
  new WalWriter(clean, PATH, { ...NEW, recycle: '/old' });
  let cases = 0;
  for (let operation = 1; operation < clean.operations; operation++) {
    for (const error of ['ENOSPC', 'EMFILE']) {
      const storage = new CrashStorage();
      storage.open('/old', 'create-new').close();
      storage.failAt(operation, { error, lasting: false });
      const code = codeOf(() => new WalWriter(storage, PATH, { ...NEW, recycle: '/old' }));
      if (code === '') continue;
      cases++;
      t.true(['OMEN_DISK_FULL', 'OMEN_TOO_MANY_FILES'].includes(code));
      t.false(storage.exists(`${PATH}.tmp`), `${operation} ${error}`);
    }
  }
  t.true(cases >= 4, `${cases} cases`);
});

test('a file that could not be made leaves nothing open and no name', (t) => {
  const clean = new CrashStorage();
  published(clean);
  for (let operation = 0; operation < clean.operations - 1; operation++) {
    const storage = new CrashStorage();
    storage.failAt(operation, { error: 'EIO', lasting: false });
    t.is(
      codeOf(() => published(storage)),
      'OMEN_IO',
    );
    const renamed = storage.log.findIndex((entry) => entry.kind === 'rename');
    if (renamed < 0 || renamed === operation) t.false(storage.list('/').includes(PATH.slice(1)));
  }
});
