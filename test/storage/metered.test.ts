import test from 'ava';
import { CrashStorage } from '../../src/storage/crash.ts';
import { meteredStorage } from '../../src/storage/metered.ts';

function metered() {
  const told: string[] = [];
  const meter = {
    wrote: (bytes: number) => told.push(`wrote ${bytes}`),
    synced: (ms: number) => told.push(ms >= 0 ? 'synced' : 'before its time'),
  };
  const storage = new CrashStorage();
  return { storage, told, through: meteredStorage(storage, meter) };
}

test('everything goes through to the storage below', (t) => {
  const { storage, through } = metered();
  through.makeDirectory('/d');
  const file = through.open('/d/a', 'create-new');
  file.write(Uint8Array.of(1, 2, 3, 4), 0);
  file.truncate(3);
  file.datasync();
  file.sync();
  t.is(file.size(), 3);
  const target = new Uint8Array(8);
  t.is(file.read(target, 1), 2);
  t.deepEqual([...target.subarray(0, 2)], [2, 3]);
  file.close();
  through.rename('/d/a', '/d/b');
  through.syncDirectory('/d');
  t.deepEqual(through.list('/d'), ['b']);
  t.deepEqual(storage.list('/d'), ['b']);
  t.deepEqual([through.exists('/d/b'), through.exists('/d/a')], [true, false]);
  t.is(through.freeBytes('/d'), storage.freeBytes());
  through.remove('/d/b');
  t.deepEqual(storage.list('/d'), []);
});

test('writes and syncs of contents are told once they have succeeded, and nothing else is', (t) => {
  const { storage, told, through } = metered();
  through.makeDirectory('/d');
  const file = through.open('/d/a', 'create-new');
  file.write(new Uint8Array(700), 0);
  file.write(new Uint8Array(41), 700);
  file.datasync();
  file.sync();
  through.syncDirectory('/d');
  t.deepEqual(told, ['wrote 700', 'wrote 41', 'synced', 'synced']);
  for (const fail of [() => file.write(new Uint8Array(5), 0), () => file.datasync()]) {
    storage.failAt(storage.operations, { error: 'EIO', lasting: false });
    t.throws(fail, { code: 'OMEN_IO' });
  }
  t.is(told.length, 4);
});
