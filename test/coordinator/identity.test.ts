import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import test from 'ava';
import {
  checksumOf,
  IDENTITY_NAME,
  makePath,
  openIdentity,
} from '../../src/coordinator/identity.ts';
import { parseSettings } from '../../src/coordinator/options.ts';
import { type Database, type OmenError, type OpenOptions, open } from '../../src/index.ts';
import { CrashError, CrashStorage } from '../../src/storage/crash.ts';
import { realStorage } from '../../src/storage/real.ts';
import { codeOfAsync, errorOf, NUMBERS, openNew, temporaryDirectory } from './support.ts';

/** A closed database with one row. */
async function databaseWith(directory: string, options: OpenOptions): Promise<void> {
  const db: Database = await open(directory, options);
  await db.put(1, { value: 1 });
  await db.close();
}

test('an existing database opens without options', async (t) => {
  const directory = temporaryDirectory(t);
  await databaseWith(directory, { ...NUMBERS, shards: 3, partition: { splits: [0, 5] } });
  const db = await openNew(t, {}, directory);
  t.deepEqual([...db.entries()], [[1, { value: 1 }]]);
  t.is(db.stats().shards.length, 3);
});

test('an existing database opens with the options it was made with', async (t) => {
  const directory = temporaryDirectory(t);
  const options = { ...NUMBERS, shards: 3, partition: { splits: [0, 5] } } as const;
  await databaseWith(directory, options);
  const db = await openNew(t, options, directory);
  t.deepEqual(db.get(1), { value: 1 });
});

test('options that contradict the data are refused, and the message says which', async (t) => {
  const directory = temporaryDirectory(t);
  await databaseWith(directory, { ...NUMBERS, shards: 2, partition: 'hash' });
  const contradictions: Readonly<Record<string, readonly unknown[]>> = {
    key: ['uint64', 'float64', 'timestamp', 'int8'],
    columns: [
      { value: 'float32' },
      { value: 'float64?' },
      { value: 'float64', more: 'int32' },
      { other: 'float64' },
      {},
    ],
    value: ['json', 'utf8', 'binary'],
    shards: [1, 3, 2.5],
    partition: [{ splits: [7] }],
  };
  for (const [name, values] of Object.entries(contradictions)) {
    for (const value of values) {
      const { code, message } = await errorOf(t, open(directory, { [name]: value }));
      t.is(code, 'OMEN_OPTIONS_MISMATCH', `${name}: ${JSON.stringify(value)}`);
      t.true(message.includes(`"${name}"`), message);
    }
  }
  const db = await openNew(t, {}, directory);
  t.is(db.count(), 1);
});

test('other split keys, or none, contradict a database of ranges', async (t) => {
  const directory = temporaryDirectory(t);
  await databaseWith(directory, { ...NUMBERS, shards: 2, partition: { splits: [5] } });
  for (const partition of ['hash', { splits: [6] }] as const) {
    t.is(await codeOfAsync(open(directory, { partition })), 'OMEN_OPTIONS_MISMATCH');
  }
});

test('columns in another order are a contradiction: the order is part of the data', async (t) => {
  const directory = temporaryDirectory(t);
  const db = await open(directory, {
    key: 'int64',
    columns: { a: 'int32', b: 'int32' },
    shards: 1,
  });
  await db.close();
  const code = await codeOfAsync(open(directory, { columns: { b: 'int32', a: 'int32' } }));
  t.is(code, 'OMEN_OPTIONS_MISMATCH');
});

test('createIfMissing and errorIfExists say which directories will do', async (t) => {
  const directory = temporaryDirectory(t);
  const missing = join(directory, 'missing');
  for (const path of [directory, missing]) {
    for (const option of [{ createIfMissing: false }, { readOnly: true }]) {
      t.is(await codeOfAsync(open(path, { ...NUMBERS, ...option })), 'OMEN_NOT_FOUND');
    }
  }
  t.false(existsSync(missing));
  t.deepEqual(readdirSync(directory), []);
  await databaseWith(directory, { ...NUMBERS, shards: 1, errorIfExists: true });
  t.is(await codeOfAsync(open(directory, { ...NUMBERS, errorIfExists: true })), 'OMEN_EXISTS');
  const db = await openNew(t, { createIfMissing: false }, directory);
  t.is(db.count(), 1);
});

test('directories are made as deep as asked for', async (t) => {
  const directory = join(temporaryDirectory(t), 'a', 'b', 'c');
  const db = await openNew(t, { ...NUMBERS, shards: 1 }, directory);
  t.is(db.path, directory);
});

test('a directory of somebody else is refused and left alone', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'letter.txt'), 'Dear Ada');
  mkdirSync(join(directory, 'photos'));
  t.is(await codeOfAsync(open(directory, NUMBERS)), 'OMEN_FOREIGN_DIRECTORY');
  t.deepEqual(readdirSync(directory).sort(), ['letter.txt', 'photos']);
});

test('a path that is a file is refused', async (t) => {
  const path = join(temporaryDirectory(t), 'file');
  writeFileSync(path, 'content');
  const { code } = await errorOf(t, open(path, NUMBERS));
  t.true(['OMEN_IO', 'OMEN_FOREIGN_DIRECTORY'].includes(code), code);
  t.is(readFileSync(path, 'utf8'), 'content');
});

test('a creation that a crash cut short is done again', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'shard-0000'));
  writeFileSync(join(directory, `${IDENTITY_NAME}.tmp`), '{');
  const db = await openNew(t, { ...NUMBERS, shards: 2 }, directory);
  await db.put(1, { value: 1 });
  t.is(db.count(), 1);
});

test('a database once created survives a power cut, wherever earlier creations were killed', (t) => {
  const path = '/srv/deep/data';
  const settings = parseSettings({});
  const create = (storage: CrashStorage) => {
    makePath(storage, path);
    return openIdentity(storage, path, { ...NUMBERS, shards: 2 }, settings);
  };
  for (let operation = 0; ; operation++) {
    const storage = new CrashStorage();
    storage.failAt(operation, { kill: 'after' });
    try {
      create(storage);
      t.true(operation > 10, `${operation} operations`);
      return;
    } catch (error) {
      if (!(error instanceof CrashError)) throw error;
    }
    const again = storage.restart();
    const created = create(again);
    for (let seed = 0; seed < 20; seed++) {
      const found = openIdentity(again.crash(seed), path, {}, settings);
      t.deepEqual(found, created, `operation ${operation}, seed ${seed}`);
    }
  }
});

test('a database is created where the directory above may not be read', (t) => {
  const storage = new CrashStorage();
  makePath(storage, '/srv/data');
  const settings = parseSettings({});
  const list = storage.operations;
  storage.failAt(list + 1, { error: 'EACCES', lasting: false });
  openIdentity(storage, '/srv/data', { ...NUMBERS, shards: 1 }, settings);
  t.like(storage.log[list + 1], { kind: 'syncDirectory', path: '/srv' });
  const failing = new CrashStorage();
  makePath(failing, '/srv/data');
  failing.failAt(failing.operations + 1, { error: 'EIO', lasting: false });
  t.throws(() => openIdentity(failing, '/srv/data', { ...NUMBERS, shards: 1 }, settings), {
    code: 'OMEN_IO',
  });
});

/** Changes `omendb.json` by hand, its checksum too. */
function change(directory: string, changes: object): void {
  const path = join(directory, IDENTITY_NAME);
  const { checksum: _, ...identity } = JSON.parse(readFileSync(path, 'utf8'));
  const changed = JSON.parse(JSON.stringify({ ...identity, ...changes }));
  writeFileSync(path, JSON.stringify({ ...changed, checksum: checksumOf(changed) }));
}

test('a database of a newer release is refused and left alone', async (t) => {
  const directory = temporaryDirectory(t);
  await databaseWith(directory, { ...NUMBERS, shards: 1 });
  change(directory, { format: 2 });
  const before = readdirSync(directory);
  t.is(await codeOfAsync(open(directory)), 'OMEN_NEWER_FORMAT');
  t.deepEqual(readdirSync(directory), before);
  change(directory, { format: 1 });
  const db = await openNew(t, {}, directory);
  t.is(db.count(), 1);
});

test('a manifest of a newer release is refused', async (t) => {
  const directory = temporaryDirectory(t);
  const db = await open(directory, { ...NUMBERS, shards: 1 });
  await db.put(1, { value: 1 });
  await db.flush();
  await db.close();
  const shard = join(directory, 'shard-0000');
  const manifests = readdirSync(shard).filter((name) => name.startsWith('manifest-'));
  t.is(manifests.length, 1);
  const path = join(shard, manifests[0]);
  const [line] = readFileSync(path, 'utf8').split('\n');
  const newer = JSON.stringify({ ...JSON.parse(line), format: 2 });
  writeFileSync(path, `${newer}\n${crc32(newer).toString(16).padStart(8, '0')}\n`);
  t.is(await codeOfAsync(open(directory)), 'OMEN_NEWER_FORMAT');
  writeFileSync(path, `${line}\n${crc32(line).toString(16).padStart(8, '0')}\n`);
  const again = await openNew(t, {}, directory);
  t.is(again.count(), 1);
});

test('whichever byte of omendb.json is flipped, it is refused or says the same', async (t) => {
  const directory = temporaryDirectory(t);
  const options = { ...NUMBERS, shards: 2, partition: { splits: [10] } };
  await databaseWith(directory, options);
  const path = join(directory, IDENTITY_NAME);
  const whole = readFileSync(path);
  const settings = parseSettings({});
  const identity = openIdentity(realStorage, directory, {}, settings);
  let same = 0;
  for (let at = 0; at < 8 * whole.length; at++) {
    const flipped = Uint8Array.from(whole);
    flipped[at >> 3] ^= 1 << (at & 7);
    writeFileSync(path, flipped);
    try {
      t.deepEqual(openIdentity(realStorage, directory, {}, settings), identity, `bit ${at}`);
      same++;
    } catch (error) {
      const { code, message } = error as OmenError;
      t.is(code, 'OMEN_CORRUPT', `bit ${at}`);
      t.true(message.startsWith(`${path} is damaged at offset 0: `));
    }
  }
  t.true(same < whole.length, 'some spaces may be another kind of space');
});

test('a damaged omendb.json is refused, naming the file, whatever the damage', async (t) => {
  const directory = temporaryDirectory(t);
  await databaseWith(directory, { ...NUMBERS, shards: 2 });
  const path = join(directory, IDENTITY_NAME);
  const whole = readFileSync(path, 'utf8');
  const refused = async (what: string): Promise<void> => {
    const { code, message } = await errorOf(t, open(directory));
    t.is(code, 'OMEN_CORRUPT', what);
    t.true(message.includes(path), message);
  };
  for (const text of ['', '{', 'null', '5', '[]', whole.slice(0, -10)]) {
    writeFileSync(path, text);
    await refused(text);
  }
  const changes: readonly object[] = [
    { format: undefined },
    { format: 0 },
    { databaseId: undefined },
    { databaseId: 'x' },
    { key: 'int8' },
    { columns: undefined },
    { shards: undefined },
    { shards: 0 },
    { partitioning: undefined },
    { partitioning: null },
    { partitioning: { kind: 'other' } },
    { partitioning: { kind: 'range', splits: [[1]] } },
  ];
  for (const changed of changes) {
    writeFileSync(path, whole);
    change(directory, changed);
    await refused(JSON.stringify(changed));
  }
  writeFileSync(path, whole);
  const db = await openNew(t, {}, directory);
  t.is(db.count(), 1);
});
