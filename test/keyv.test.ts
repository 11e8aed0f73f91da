/** What OmenKeyv does beyond what the published suite asks of every store. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import Keyv from 'keyv';
import { open } from '../src/index.ts';
import { KEYV_LAYOUT, OmenKeyv } from '../src/keyv.ts';
import { setTime } from './conformance/clock.ts';
import { codeOfAsync, openNew, SMALL } from './coordinator/support.ts';
import { codeOf, temporaryDirectory } from './storage/support.ts';

async function openStore(t: ExecutionContext) {
  const db = await openNew(t, { ...KEYV_LAYOUT, shards: 2, threads: 1, memtable: SMALL });
  return { db, store: new OmenKeyv(db) };
}

/** A time to live that is over. */
const OVER = -2;

test('a directory is opened at the first use, and closed by disconnect', async (t) => {
  const directory = join(temporaryDirectory(t), 'cache');
  const store = new OmenKeyv(directory, { shards: 1 });
  await store.disconnect();
  t.false(existsSync(directory));
  const users = new Keyv({ store, namespace: 'users' });
  await users.set('42', { name: 'Ada' });
  t.is(await codeOfAsync(open(directory)), 'OMEN_LOCKED');
  await users.disconnect();
  t.is(await codeOfAsync(store.get('users:42')), 'OMEN_CLOSED');
  await using again = new OmenKeyv(directory);
  t.deepEqual(await new Keyv({ store: again, namespace: 'users' }).get('42'), { name: 'Ada' });
});

test('an open that fails is tried again at the next use', async (t) => {
  const directory = temporaryDirectory(t);
  const holder = await open(directory, { ...KEYV_LAYOUT, shards: 1 });
  const store = new OmenKeyv(directory);
  t.is(await codeOfAsync(store.get('a')), 'OMEN_LOCKED');
  await holder.close();
  t.is(await store.get('a'), undefined);
  await store.disconnect();
});

test('what is neither a directory nor a database is refused, and so is another layout', async (t) => {
  for (const where of ['', undefined, null, 5, {}]) {
    t.is(
      codeOf(() => new OmenKeyv(where as string)),
      'OMEN_INVALID_OPTIONS',
    );
  }
  const directory = temporaryDirectory(t);
  const other = await open(directory, { key: 'int64', value: 'json', shards: 1 });
  await other.close();
  t.is(await codeOfAsync(new OmenKeyv(directory).get('a')), 'OMEN_OPTIONS_MISMATCH');
});

test('values that are no text, and a ttl that is no number, are refused', async (t) => {
  const { store } = await openStore(t);
  for (const value of [{ a: 1 }, undefined, 5, Buffer.from('a')]) {
    t.is(await codeOfAsync(store.set('a', value as never)), 'OMEN_INVALID_ROW');
  }
  t.is(await codeOfAsync(store.set('a', 'b', Number.NaN)), 'OMEN_INVALID_EXPIRY');
  const entries = [
    { key: 'a', value: 'b' },
    { key: 'c', value: 5 as never },
  ];
  t.is(await codeOfAsync(store.setMany(entries)), 'OMEN_INVALID_ROW');
  t.false(await store.has('a'), 'setMany sets all or none');
});

test('what has expired is not there for any read, and gives back its space', async (t) => {
  const { db, store } = await openStore(t);
  const keys = ['a', 'b', 'c', 'd', 'e'];
  await store.setMany(keys.map((key) => ({ key, value: key, ttl: OVER })));
  await store.set('long', 'life', 1e9);
  await store.set('ever', 'lasting');
  const there: string[] = [];
  for await (const [key] of store.iterator()) there.push(key);
  t.deepEqual(there, ['ever', 'long']);
  t.is(await store.get('a'), undefined);
  t.false(await store.has('b'));
  t.deepEqual(await store.getMany(['c', 'long']), [undefined, 'life']);
  t.false(await store.delete('d'));
  t.false(await store.deleteMany(['e', 'f']));
  await db.compact();
  t.is(db.stats().total.rows, 2);
  t.true(await store.deleteMany(['e', 'long']));
  t.deepEqual([...db.keys()], ['ever']);
  t.is(db.stats().snapshots, 0);
});

test('a value is there in the last millisecond of its time, and no longer', async (t) => {
  const { db, store } = await openStore(t);
  const before = Date.now();
  await store.set('a', 'b', 60_000.5);
  const after = Date.now();
  const expiresAt = db.expiresAt('a') ?? 0;
  t.true(expiresAt >= before + 60_002 && expiresAt <= after + 60_002);
  setTime(db, expiresAt - 1);
  t.is(await store.get('a'), 'b');
  setTime(db, expiresAt);
  t.is(await store.get('a'), undefined);
  await store.set('a', 'new');
  t.deepEqual([await store.get('a'), db.expiresAt('a')], ['new', null]);
});

test('where nothing may be written, what has expired is hidden all the same', async (t) => {
  const directory = temporaryDirectory(t);
  const writing = new OmenKeyv(directory, { shards: 1 });
  await writing.set('a', 'b', OVER);
  await writing.disconnect();
  const reading = new OmenKeyv(directory, { readOnly: true });
  t.is(await reading.get('a'), undefined);
  t.is(await codeOfAsync(reading.set('a', 'b')), 'OMEN_READ_ONLY');
  await reading.disconnect();
});

test('a namespace is cleared to its last key, and no other with it', async (t) => {
  const { db } = await openStore(t);
  const names = ['a', 'ab', 'a:b', 'b', '', 'ä'];
  const keyvs = names.map((namespace) => new Keyv({ store: new OmenKeyv(db), namespace }));
  const keys = ['', 'x', '\u{10ffff}', ':'];
  for (const keyv of keyvs) for (const key of keys) await keyv.set(key, key);
  await keyvs[1].clear();
  t.deepEqual(
    await keyvs[1].get(keys),
    keys.map(() => undefined),
  );
  for (const i of [0, 2, 3, 4, 5]) t.deepEqual(await keyvs[i].get(keys), keys, names[i]);
  await new OmenKeyv(db).clear();
  t.is(db.count(), 0);
});

test('many sets that are not awaited all find their way', async (t) => {
  const { db, store } = await openStore(t);
  const sets = Array.from({ length: 5000 }, (_, i) => store.set(`k${i}`, 'v'));
  await Promise.all(sets);
  t.is(db.count(), 5000);
});

const KEY = fc.constantFrom('a', 'b', 'c', 'a:b');
const VALUE = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.constant(null),
  fc.dictionary(fc.string(), fc.double()),
);
const OPERATION = fc.oneof(
  fc.record({ what: fc.constant('set' as const), key: KEY, value: VALUE }),
  fc.record({ what: fc.constantFrom('delete' as const, 'get' as const, 'has' as const), key: KEY }),
  fc.record({ what: fc.constantFrom('clear' as const, 'list' as const) }),
  fc.record({
    what: fc.constantFrom('deleteMany' as const, 'getMany' as const),
    keys: fc.array(KEY),
  }),
);

test('two namespaces over one database answer as two Keyvs over Maps', async (t) => {
  const { db } = await openStore(t);
  const namespaces = ['one', 'two'];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(1), OPERATION), { maxLength: 30 }), async (steps) => {
      await db.clear();
      const pairs = namespaces.map((namespace) => ({
        ours: new Keyv({ store: new OmenKeyv(db), namespace }),
        map: new Keyv({ namespace }),
      }));
      for (const [which, operation] of steps) {
        const { ours, map } = pairs[which];
        t.deepEqual(await applied(ours, operation), await applied(map, operation));
      }
    }),
    { numRuns: 100 },
  );
  t.is(db.stats().snapshots, 0);
});

type Operation = typeof OPERATION extends fc.Arbitrary<infer O> ? O : never;

async function applied(keyv: Keyv, operation: Operation): Promise<unknown> {
  switch (operation.what) {
    case 'set':
      return keyv.set(operation.key, operation.value);
    case 'delete':
      return keyv.delete(operation.key);
    case 'get':
      return keyv.get(operation.key);
    case 'has':
      return keyv.has(operation.key);
    case 'getMany':
      return keyv.get(operation.keys);
    case 'deleteMany':
      await keyv.delete(operation.keys); // of many, stores differ in what counts as a success
      return null;
    case 'clear':
      return keyv.clear();
    case 'list': {
      const entries: unknown[] = [];
      for await (const entry of keyv.iterator?.(undefined) ?? []) entries.push(entry);
      return entries.sort((a, b) => (String(a) < String(b) ? -1 : 1));
    }
  }
}
