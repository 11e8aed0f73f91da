/** Reads as text against the same reads as bytes. */
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { codeOf } from '../storage/support.ts';
import { openNew, SMALL } from './support.ts';

const COLUMNS = { name: 'binary', n: 'int32', note: 'binary?' } as const;
const KEYS = ['', 'a', 'ab', 'b', 'zebra', 'é', '日本', '\u{1f404}', 'long '.repeat(40)];

const bytes = (text: string) => new TextEncoder().encode(text);
const noteOf = (n: number) => (n % 2 === 0 ? `no ${n}` : null);
const rowOf = (key: string) => {
  const n = KEYS.indexOf(key);
  return { name: key, n, note: noteOf(n) };
};
/** In the order of their bytes. */
const SORTED = KEYS.toSorted((a, b) => Buffer.compare(bytes(a), bytes(b)));
const ENTRIES = SORTED.map((key) => [key, rowOf(key)] as const);

async function filled(t: ExecutionContext, options: object = {}) {
  const db = await openNew(t, {
    key: 'binary',
    columns: COLUMNS,
    shards: 3,
    threads: 1,
    memtable: SMALL,
    ...options,
  });
  for (const [n, key] of KEYS.entries()) {
    const note = noteOf(n);
    await db.put(bytes(key), { name: bytes(key), n, note: note === null ? null : bytes(note) });
  }
  return db;
}

const PARTITIONS = { hash: 'hash', range: { splits: [bytes('b'), bytes('é')] } };

for (const [name, partition] of Object.entries(PARTITIONS)) {
  test(`every read gives strings for bytes, shards by ${name}`, async (t) => {
    const db = await filled(t, { partition });
    for (const step of [() => {}, () => db.flush(), () => db.compact()]) {
      await step();
      using snapshot = db.snapshot();
      for (const text of [db.text(), snapshot.text()]) {
        t.deepEqual([...text.entries()], ENTRIES);
        t.deepEqual([...text.keys({ reverse: true, limit: 2 })], SORTED.slice(-2).reverse());
        t.deepEqual([...text.values({ gt: 'a', lte: 'b' })], [rowOf('ab'), rowOf('b')]);
        t.deepEqual(text.getMany([...KEYS, 'nobody']), [...KEYS.map(rowOf), undefined]);
        t.deepEqual(text.getMany(['a', 'c'], { columns: ['name'] }).columns.name, ['a', undefined]);
        t.deepEqual([text.get('日本'), text.get('c')], [rowOf('日本'), undefined]);
        t.deepEqual([text.has(''), text.has('c')], [true, false]);
        t.deepEqual(text.first(), ENTRIES[0]);
        t.deepEqual(text.last(), ENTRIES[ENTRIES.length - 1]);
        t.deepEqual(text.floor('aa'), ['a', rowOf('a')]);
        t.deepEqual(text.ceil('aa'), ['ab', rowOf('ab')]);
        t.deepEqual([text.rank('b'), text.count({ gte: 'b' })], [3, KEYS.length - 3]);
        t.deepEqual(text.at(3), ['b', rowOf('b')]);
        const where = { note: { gte: 'no 4' } };
        t.deepEqual(
          [...text.keys({ where })].sort(),
          KEYS.filter((_, n) => n % 2 === 0 && n >= 4).sort(),
        );
        const table = await text.scan({ columns: ['key', 'name'] }).toTable();
        t.deepEqual(table.getChild('key')?.toJSON(), SORTED);
        t.deepEqual(table.getChild('name')?.toJSON(), SORTED);
        t.deepEqual(await text.aggregate({}, { names: ['distinct', 'name'] }), {
          names: KEYS.length,
        });
      }
    }
  });
}

test('keys that are no text may be given as bytes, and come back as what can be read of them', async (t) => {
  const db = await openNew(t, { key: 'binary', value: 'binary', shards: 2, threads: 1 });
  const odd = Uint8Array.of(0xff, 0x61);
  await db.put(odd, odd);
  const text = db.text();
  t.is(text.get(odd), '\uFFFDa');
  t.true(text.has(odd));
  t.is(text.get('\uFFFDa'), undefined, 'that is another key');
  t.deepEqual([...text.entries({ gte: odd })], [['\uFFFDa', '\uFFFDa']]);
  t.deepEqual(text.getMany([odd, 'a']), ['\uFFFDa', undefined]);
  t.deepEqual([...db.keys()], [odd], 'as bytes they are what they were');
});

test('what is no bytes is what it was', async (t) => {
  const db = await openNew(t, { key: 'int64', value: 'json', shards: 1 });
  await db.put(1, { a: ['b'] });
  t.deepEqual([...db.text().entries()], [[1, { a: ['b'] }]]);
  t.is(
    codeOf(() => db.text().get('1' as never)),
    'OMEN_INVALID_KEY',
  );
});

test('keys are checked, and nothing is read of what was closed', async (t) => {
  const db = await filled(t);
  const text = db.text();
  for (const key of ['\ud800', 5, null, 'k'.repeat(70_000)]) {
    t.is(
      codeOf(() => text.get(key as string)),
      'OMEN_INVALID_KEY',
    );
    t.is(
      codeOf(() => text.has(key as string)),
      'OMEN_INVALID_KEY',
    );
    t.is(
      codeOf(() => text.entries({ gte: key })),
      'OMEN_INVALID_KEY',
    );
  }
  const snapshot = db.snapshot();
  const ofSnapshot = snapshot.text();
  const rows = ofSnapshot.keys();
  rows.next();
  snapshot.close();
  for (const run of [() => ofSnapshot.get('a'), () => ofSnapshot.has('a'), () => rows.next()]) {
    t.is(codeOf(run), 'OMEN_CLOSED');
  }
  t.is(db.stats().snapshots, 0);
  await db.close();
  for (const run of [() => text.get('a'), () => text.has('a'), () => text.getMany(['a'])]) {
    t.is(codeOf(run), 'OMEN_CLOSED');
  }
});

test('any strings come back in the order of their bytes, and are found', async (t) => {
  const db = await openNew(t, {
    key: 'binary',
    value: 'binary',
    shards: 2,
    threads: 1,
    durability: 'os',
    memtable: SMALL,
  });
  const texts = fc.uniqueArray(fc.string({ unit: 'grapheme', maxLength: 12 }), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(texts, async (keys) => {
      await db.clear();
      await db.batch(keys.map((key) => ({ type: 'put', key: bytes(key), value: bytes(key) })));
      const text = db.text();
      t.deepEqual(text.getMany(keys), keys);
      const sorted = keys.toSorted((a, b) => Buffer.compare(bytes(a), bytes(b)));
      t.deepEqual([...text.keys()], sorted);
    }),
    { numRuns: 50 },
  );
});
