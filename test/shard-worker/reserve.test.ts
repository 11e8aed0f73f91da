import test from 'ava';
import { Reserve } from '../../src/shard-worker/reserve.ts';
import { CrashStorage } from '../../src/storage/crash.ts';

const PIECE_BYTES = 16 * 1024;

function onDisk() {
  const storage = new CrashStorage();
  storage.makeDirectory('/shard');
  return { storage, reserve: new Reserve(storage, '/shard', PIECE_BYTES) };
}

test('a reserve takes what it says, gives all of it back, and is found by the next process', (t) => {
  const { storage, reserve } = onDisk();
  storage.setRoom({ bytes: 2 * reserve.bytes, files: 4 });
  t.false(reserve.release(), 'there is none yet');
  t.true(reserve.make());
  t.is(storage.freeBytes(), reserve.bytes);
  t.true(reserve.make(), 'a second time it does nothing');
  t.is(storage.freeBytes(), reserve.bytes);
  const next = new Reserve(storage, '/shard', PIECE_BYTES);
  t.false(next.isHeld);
  next.find();
  t.true(next.isHeld);
  t.true(next.release());
  t.is(storage.freeBytes(), 2 * reserve.bytes);
  t.deepEqual(storage.list('/shard'), []);
  next.find();
  t.false(next.isHeld);
});

test('a reserve that finds no room leaves nothing of itself', (t) => {
  for (const room of [
    { bytes: 8 * PIECE_BYTES - 1, files: 9 },
    { bytes: 2 ** 30, files: 3 },
  ]) {
    const { storage, reserve } = onDisk();
    storage.setRoom(room);
    t.false(reserve.make());
    t.deepEqual(storage.list('/shard'), []);
  }
});

test('what a crash left of a reserve is no reserve, and in nobody’s way', (t) => {
  const { storage, reserve } = onDisk();
  storage.failAt(4, { kill: 'torn' });
  t.throws(() => reserve.make(), { name: 'CrashError' });
  const disk = storage.restart();
  const again = new Reserve(disk, '/shard', PIECE_BYTES);
  again.find();
  t.false(again.isHeld);
  t.true(again.make());
  t.is(disk.list('/shard').length, 4);
});

test('a device that fails is no disk that is full', (t) => {
  const { storage, reserve } = onDisk();
  storage.failAt(storage.operations + 1, { error: 'EIO', lasting: false });
  t.throws(() => reserve.make(), { code: 'OMEN_IO' });
  t.deepEqual(storage.list('/shard'), []);
});
