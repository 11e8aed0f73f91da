/** What every storage must do, held against the real one and the model. */

import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { OmenError } from '../../src/errors.ts';
import { CrashStorage } from '../../src/storage/crash.ts';
import { realStorage } from '../../src/storage/real.ts';
import { publishFile, type Storage, TEMPORARY_SUFFIX } from '../../src/storage/storage.ts';
import { bytes, codeOf, contentOf, temporaryDirectory } from './support.ts';

const faces: Record<string, (t: ExecutionContext) => { storage: Storage; directory: string }> = {
  'real storage': (t) => ({ storage: realStorage, directory: temporaryDirectory(t) }),
  'crash storage': () => {
    const storage = new CrashStorage();
    storage.makeDirectory('/data');
    return { storage, directory: '/data' };
  },
};

for (const [face, make] of Object.entries(faces)) {
  test(`${face}: what was written is read back, at any position`, (t) => {
    const { storage, directory } = make(t);
    const file = storage.open(join(directory, 'a'), 'create-new');
    file.write(bytes(1000), 0);
    file.write(bytes(700, 5), 500);
    file.write(bytes(10), 5000);
    t.is(file.size(), 5010);
    t.true(file.modifiedMs() > 0);
    const expected = new Uint8Array(5010);
    expected.set(bytes(1000));
    expected.set(bytes(700, 5), 500);
    expected.set(bytes(10), 5000);
    const target = new Uint8Array(5010);
    t.is(file.read(target, 0), 5010);
    t.deepEqual(target, expected);
    t.is(file.read(target.subarray(0, 300), 450), 300);
    t.deepEqual(target.subarray(0, 300), expected.subarray(450, 750));
    file.sync();
    file.datasync();
    file.close();
    t.deepEqual(contentOf(storage, join(directory, 'a')), expected);
  });

  test(`${face}: a read is short at the end of the file only`, (t) => {
    const { storage, directory } = make(t);
    const file = storage.open(join(directory, 'a'), 'create-new');
    file.write(bytes(100), 0);
    const target = new Uint8Array(64);
    t.is(file.read(target, 36), 64);
    t.is(file.read(target, 90), 10);
    t.is(file.read(target, 100), 0);
    t.is(file.read(target, 1000), 0);
    t.is(file.read(new Uint8Array(0), 0), 0);
    file.close();
  });

  test(`${face}: shared memory is written and read in place`, (t) => {
    const { storage, directory } = make(t);
    const file = storage.open(join(directory, 'a'), 'create-new');
    const source = new Uint8Array(new SharedArrayBuffer(4096), 96, 1000);
    source.set(bytes(1000));
    file.write(source, 10);
    const target = new Uint8Array(new SharedArrayBuffer(2048), 8, 1000);
    t.is(file.read(target, 10), 1000);
    t.deepEqual([...target], [...source]);
    file.close();
  });

  test(`${face}: truncate cuts, and extends with zeros`, (t) => {
    const { storage, directory } = make(t);
    const path = join(directory, 'a');
    const file = storage.open(path, 'create-new');
    file.write(bytes(2000), 0);
    file.truncate(700);
    t.is(file.size(), 700);
    file.truncate(1500);
    file.close();
    const expected = new Uint8Array(1500);
    expected.set(bytes(700));
    t.deepEqual(contentOf(storage, path), expected);
  });

  test(`${face}: names are created, listed in order, renamed over others and removed`, (t) => {
    const { storage, directory } = make(t);
    const path = (name: string) => join(directory, name);
    for (const name of ['b', 'a', 'c']) {
      const file = storage.open(path(name), 'create-new');
      file.write(new TextEncoder().encode(name), 0);
      file.close();
    }
    t.deepEqual(storage.list(directory), ['a', 'b', 'c']);
    storage.rename(path('a'), path('c'));
    t.deepEqual(storage.list(directory), ['b', 'c']);
    t.is(new TextDecoder().decode(contentOf(storage, path('c'))), 'a');
    storage.remove(path('b'));
    t.false(storage.exists(path('b')));
    t.true(storage.exists(path('c')));
    storage.syncDirectory(directory);
    t.deepEqual(storage.list(directory), ['c']);
  });

  test(`${face}: a renamed or removed file stays usable where it is open`, (t) => {
    const { storage, directory } = make(t);
    const file = storage.open(join(directory, 'a'), 'create-new');
    storage.rename(join(directory, 'a'), join(directory, 'b'));
    file.write(bytes(5), 0);
    t.deepEqual(contentOf(storage, join(directory, 'b')), bytes(5));
    storage.remove(join(directory, 'b'));
    file.write(bytes(5), 5);
    t.is(file.size(), 10);
    file.close();
    file.close();
  });

  test(`${face}: a directory is made once, and making it again does nothing`, (t) => {
    const { storage, directory } = make(t);
    const inner = join(directory, 'shard-0000');
    storage.makeDirectory(inner);
    storage.open(join(inner, 'a'), 'create-new').close();
    storage.makeDirectory(inner);
    t.deepEqual(storage.list(directory), ['shard-0000']);
    t.deepEqual(storage.list(inner), ['a']);
  });

  test(`${face}: what cannot be done is refused with a coded error naming the file`, (t) => {
    const { storage, directory } = make(t);
    const path = join(directory, 'file');
    const missing = join(directory, 'missing');
    storage.open(path, 'create-new').close();
    t.is(
      codeOf(() => storage.open(path, 'create-new')),
      'OMEN_IO',
    );
    for (const run of [
      () => storage.open(missing, 'read'),
      () => storage.open(missing, 'read-write'),
      () => storage.open(join(missing, 'a'), 'create-new'),
      () => storage.list(missing),
      () => storage.remove(missing),
      () => storage.rename(missing, path),
      () => storage.syncDirectory(missing),
      () => storage.makeDirectory(join(missing, 'a')),
    ]) {
      const error = t.throws(run, { instanceOf: OmenError, code: 'OMEN_IO' }) as OmenError;
      t.true(error.message.includes(missing), error.message);
      t.is((error.cause as NodeJS.ErrnoException).code, 'ENOENT');
    }
    t.is(
      codeOf(() => storage.makeDirectory(path)),
      'OMEN_IO',
    );
    t.false(storage.exists(missing));
    t.false(storage.exists(join(path, 'below a file')));
  });

  test(`${face}: there is free space`, (t) => {
    const { storage, directory } = make(t);
    t.true(storage.freeBytes(directory) > 0);
  });

  test(`${face}: publishing replaces a file, and whatever an interrupted attempt left`, (t) => {
    const { storage, directory } = make(t);
    const path = join(directory, 'omendb.json');
    const left = storage.open(path + TEMPORARY_SUFFIX, 'create-new');
    left.write(bytes(100), 0);
    left.close();
    publishFile(storage, path, bytes(20));
    t.deepEqual(contentOf(storage, path), bytes(20));
    publishFile(storage, path, bytes(10, 9));
    t.deepEqual(contentOf(storage, path), bytes(10, 9));
    t.deepEqual(storage.list(directory), ['omendb.json']);
  });
}

test('publishing: at any crash the file holds what it held or what was published, and afterwards that', (t) => {
  const path = '/data/manifest';
  const [before, after] = [bytes(900), bytes(1500, 3)];
  const prepared = () => {
    const storage = new CrashStorage();
    storage.makeDirectory('/data');
    storage.syncDirectory('/');
    publishFile(storage, path, before);
    return storage;
  };
  const clean = prepared();
  const first = clean.operations;
  publishFile(clean, path, after);
  let cases = 0;
  for (let operation = first; operation <= clean.operations; operation++) {
    for (const kill of ['before', 'torn', 'after'] as const) {
      const storage = prepared();
      storage.failAt(operation, { kill });
      let published = false;
      try {
        publishFile(storage, path, after);
        published = true;
      } catch (error) {
        t.is((error as Error).name, 'CrashError');
      }
      for (let seed = 0; seed < 20; seed++) {
        const found = Buffer.from(contentOf(storage.crash(seed), path));
        const whole = found.equals(after) || (!published && found.equals(before));
        if (!whole) t.fail(`${kill} ${operation}, seed ${seed}`);
        cases++;
      }
    }
  }
  t.true(cases > 300);
});
