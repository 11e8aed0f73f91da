import test from 'ava';
import { CrashError, CrashStorage, type Fault } from '../../src/storage/crash.ts';
import { bytes, codeOf, contentOf } from './support.ts';

/** A disk with one synced file of 2000 bytes. */
function prepared(seed = 1): CrashStorage {
  const storage = new CrashStorage(seed);
  const file = storage.open('/a', 'create-new');
  file.write(bytes(2000), 0);
  file.sync();
  file.close();
  storage.syncDirectory('/');
  return storage;
}

function overwrite(storage: CrashStorage, first: number): void {
  const file = storage.open('/a', 'read-write');
  file.write(bytes(2000, first), 0);
  file.datasync();
  file.close();
}

test('operations are logged in order, with their paths and bytes', (t) => {
  const storage = prepared();
  t.deepEqual(storage.log, [
    { kind: 'create', path: '/a', bytes: 0 },
    { kind: 'write', path: '/a', bytes: 2000 },
    { kind: 'sync', path: '/a', bytes: 0 },
    { kind: 'syncDirectory', path: '/', bytes: 0 },
  ]);
  t.is(storage.operations, 4);
});

test('a kill ends the process before, in the middle of or after the operation', (t) => {
  const found = new Map<string, number>();
  for (const kill of ['before', 'torn', 'after'] as const) {
    const storage = prepared(5);
    storage.failAt(5, { kill });
    t.throws(() => overwrite(storage, 9), { instanceOf: CrashError });
    t.throws(() => storage.list('/'), { instanceOf: CrashError });
    t.throws(() => storage.exists('/a'), { instanceOf: CrashError });
    const content = contentOf(storage.restart(), '/a');
    const expected = bytes(2000, 9);
    found.set(kill, content.filter((byte, i) => byte === expected[i]).length);
  }
  t.is(found.get('before'), 0);
  t.is(found.get('after'), 2000);
  const torn = found.get('torn') ?? 0;
  t.true(torn > 0 && torn < 2000);
});

test('closing is allowed to the dead, so that finally blocks do not hide the kill', (t) => {
  const storage = prepared();
  const file = storage.open('/a', 'read-write');
  storage.failAt(storage.operations, { kill: 'before' });
  t.throws(() => file.sync(), { instanceOf: CrashError });
  t.notThrows(() => file.close());
  t.throws(() => file.size(), { instanceOf: CrashError });
});

test('a system error once leaves the next operation alone, a lasting one does not', (t) => {
  for (const lasting of [false, true]) {
    const storage = prepared();
    const file = storage.open('/a', 'read-write');
    storage.failAt(storage.operations, { error: 'EIO', lasting });
    const attempt = () => codeOf(() => file.write(bytes(10), 0));
    t.is(attempt(), 'OMEN_IO');
    t.is(attempt(), lasting ? 'OMEN_IO' : '');
    t.is(
      codeOf(() => storage.remove('/a')),
      lasting ? 'OMEN_IO' : '',
    );
    t.is(
      codeOf(() => storage.list('/')),
      '',
      'reading goes on',
    );
  }
});

test('a full disk fails what takes space, and writes what still fits', (t) => {
  const storage = prepared(5);
  const file = storage.open('/a', 'read-write');
  storage.failAt(storage.operations, { error: 'ENOSPC', lasting: true });
  t.is(file.read(new Uint8Array(10), 0), 10);
  file.sync();
  t.is(
    codeOf(() => file.write(bytes(5000), 2000)),
    'OMEN_DISK_FULL',
  );
  t.true(file.size() > 2000 && file.size() < 7000);
  t.is(
    codeOf(() => storage.open('/b', 'create-new')),
    'OMEN_DISK_FULL',
  );
  storage.remove('/a');
});

test('reading can fail too', (t) => {
  const storage = prepared();
  storage.failAt(storage.operations, { error: 'EIO', lasting: true });
  t.is(
    codeOf(() => contentOf(storage, '/a')),
    'OMEN_IO',
  );
  t.is(
    codeOf(() => storage.list('/')),
    'OMEN_IO',
  );
  storage.makeDirectory('/d');
});

test('after a failed sync the page cache still shows what a power cut then takes away', (t) => {
  const storage = prepared();
  storage.failAt(6, { error: 'EIO', lasting: false });
  t.is(
    codeOf(() => overwrite(storage, 9)),
    'OMEN_IO',
  );
  const again = storage.restart();
  const file = again.open('/a', 'read-write');
  file.sync(); // succeeds, and means nothing
  t.deepEqual(contentOf(again, '/a'), bytes(2000, 9));
  const left = new Set<boolean>();
  for (let seed = 0; seed < 50; seed++) {
    left.add(Buffer.from(contentOf(again.crash(seed), '/a')).equals(bytes(2000, 9)));
  }
  t.is(left.size, 2);
});

test('a failed directory sync leaves the names undecided', (t) => {
  const storage = prepared();
  storage.open('/b', 'create-new').close();
  storage.failAt(storage.operations, { error: 'EIO', lasting: false });
  t.is(
    codeOf(() => storage.syncDirectory('/')),
    'OMEN_IO',
  );
  storage.syncDirectory('/');
  const left = new Set<boolean>();
  for (let seed = 0; seed < 50; seed++) left.add(storage.crash(seed).exists('/b'));
  t.is(left.size, 2);
});

test('a sync that lies succeeds and makes nothing durable', (t) => {
  for (const lie of ['once', 'lasting'] as const) {
    const storage = prepared();
    storage.failAt(storage.operations, { lie });
    overwrite(storage, 9);
    t.true(storage.hasLied);
    t.deepEqual(contentOf(storage.restart(), '/a'), bytes(2000, 9), 'the page cache has it');
    const whole = (seed: number) =>
      Buffer.from(contentOf(storage.crash(seed), '/a')).equals(bytes(2000, 9));
    const seeds = Array.from({ length: 50 }, (_, seed) => seed);
    t.true(seeds.some((seed) => !whole(seed)));
    const file = storage.open('/a', 'read-write');
    file.datasync();
    t.is(seeds.every(whole), lie === 'once', 'the next sync of the file is honest, or not');
  }
});

test('a directory sync can lie, and what is no sync cannot', (t) => {
  const storage = prepared();
  storage.failAt(storage.operations, { lie: 'once' });
  storage.open('/b', 'create-new').close();
  t.false(storage.hasLied);
  storage.syncDirectory('/');
  t.true(storage.hasLied);
  const left = new Set(Array.from({ length: 50 }, (_, seed) => storage.crash(seed).exists('/b')));
  t.is(left.size, 2);
});

test('the same seed gives the same crash, byte for byte', (t) => {
  const state = (seed: number) => {
    const storage = prepared(3);
    storage.failAt(5, { kill: 'torn' });
    t.throws(() => overwrite(storage, 9));
    return Buffer.from(contentOf(storage.crash(seed), '/a')).toString('hex');
  };
  const states = Array.from({ length: 30 }, (_, seed) => state(seed));
  t.deepEqual(
    states,
    Array.from({ length: 30 }, (_, seed) => state(seed)),
  );
  t.true(new Set(states).size > 5);
});

test('every operation can be made to fail in every way', (t) => {
  const faults: Fault[] = [
    { kill: 'before' },
    { kill: 'torn' },
    { kill: 'after' },
    { error: 'EIO', lasting: false },
    { error: 'EIO', lasting: true },
  ];
  const run = (storage: CrashStorage) => {
    storage.makeDirectory('/d');
    const file = storage.open('/d/a', 'create-new');
    file.write(bytes(100), 0);
    file.truncate(50);
    file.sync();
    file.datasync();
    file.read(new Uint8Array(10), 0);
    storage.rename('/d/a', '/d/b');
    storage.syncDirectory('/d');
    storage.list('/d');
    storage.open('/d/b', 'read').close();
    storage.remove('/d/b');
  };
  const clean = new CrashStorage();
  run(clean);
  t.is(new Set(clean.log.map((operation) => operation.kind)).size, 12);
  for (let operation = 0; operation < clean.operations; operation++) {
    for (const fault of faults) {
      const storage = new CrashStorage();
      storage.failAt(operation, fault);
      t.throws(() => run(storage), { name: 'kill' in fault ? 'CrashError' : 'OmenError' });
      t.is(storage.operations, operation + 1);
    }
  }
});
