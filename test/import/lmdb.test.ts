import { join } from 'node:path';
import test from 'ava';
import { open as openLmdb } from 'lmdb';
import { fromLmdb } from '../../src/import/lmdb.ts';
import { openNew, temporaryDirectory } from '../coordinator/support.ts';

const AT = new Date(Date.UTC(2026, 0, 1));

test('LMDB: members are columns, keys what they were, and the types are told', async (t) => {
  const path = join(temporaryDirectory(t), 'lmdb');
  const lmdb = openLmdb({ path });
  for (let key = 0; key < 3000; key++) {
    void lmdb.put(key - 5, {
      ...{
        n: key,
        x: key / 2,
        text: `t${key}`,
        is: key % 2 === 0,
        at: AT,
        bytes: Buffer.from([key & 255]),
      },
      ...(key % 3 === 0 && { maybe: 2n ** 60n }),
    });
  }
  await lmdb.flushed;
  await lmdb.close();
  const source = fromLmdb(path);
  const schema = await source.schema();
  t.deepEqual(schema, {
    key: 'int64',
    columns: {
      ...{ n: 'int64?', x: 'float64?', text: 'utf8?', is: 'bool?', at: 'timestamp?' },
      ...{ bytes: 'binary?', maybe: 'int64?' },
    },
  });
  const db = await openNew(t, { ...schema, shards: 2, bigints: true });
  t.is((await db.bulkLoad(source)).rows, 3000);
  t.deepEqual(db.get(-2), {
    ...{ n: 3n, x: 1.5, text: 't3', is: false, at: AT.getTime() },
    ...{ bytes: Uint8Array.of(3), maybe: 2n ** 60n },
  });
  t.is((await db.bulkLoad(source)).rows, 3000, 'it can be read again');
});

test('LMDB: a database within, keys of text and bare values, mapped and passed over', async (t) => {
  const path = join(temporaryDirectory(t), 'lmdb');
  const lmdb = openLmdb({ path });
  const users = lmdb.openDB<string, string>('users', {});
  const raw = lmdb.openDB<Buffer, Buffer>('raw', { encoding: 'binary', keyEncoding: 'binary' });
  for (const name of ['ada', 'grace', 'alan']) await users.put(name, `born ${name.length}`);
  for (const byte of [1, 2, 3]) await raw.put(Buffer.from([byte]), Buffer.from([byte, 255]));
  // One that is open is read as well, and stays open.
  t.deepEqual(await Array.fromAsync(fromLmdb(users)), [
    ...[
      ['ada', 'born 3'],
      ['alan', 'born 4'],
      ['grace', 'born 5'],
    ],
  ] as never);
  await users.put('edsger', 'born 6');
  await lmdb.close();

  const source = fromLmdb(path, {
    name: 'users',
    map(key: string, value: string) {
      return key === 'alan' ? undefined : ([`user/${key}`, { length: value.length }] as const);
    },
  });
  t.deepEqual(await source.schema(), { key: 'utf8', columns: { length: 'int64?' } });
  const db = await openNew(t, { key: 'utf8', columns: { length: 'int32' }, shards: 1 });
  await db.bulkLoad(source);
  t.deepEqual([...db.keys()], ['user/ada', 'user/edsger', 'user/grace']);

  const bytes = fromLmdb(path, { name: 'raw', encoding: 'binary', keyEncoding: 'binary' });
  const schema = await bytes.schema();
  t.deepEqual(schema, { key: 'binary', value: 'binary' });
  const copy = await openNew(t, { ...schema, shards: 1 });
  await copy.bulkLoad(bytes);
  t.deepEqual(copy.get(Uint8Array.of(2)), Uint8Array.of(2, 255));

  const root = await t.throwsAsync(fromLmdb(path).schema(), { code: 'OMEN_INVALID_SOURCE' });
  t.regex(root?.message ?? '', /option "name"/);
  const none = await t.throwsAsync(fromLmdb(path, { name: 'none' }).schema(), {
    code: 'OMEN_INVALID_SOURCE',
  });
  t.regex(none?.message ?? '', /no database "none" within.*"raw", "users"/);
});
