/** What is particular to keys of variable length, beyond the conformance suite. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import test from 'ava';
import { checksumOf } from '../../src/coordinator/identity.ts';
import { type Database, open } from '../../src/index.ts';
import { KEY_BYTES_MAX } from '../../src/schema/key-bytes.ts';
import { codeOfAsync, openNew, temporaryDirectory } from './support.ts';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

const WRONG = {
  utf8: [
    '\ud800',
    'x'.repeat(KEY_BYTES_MAX + 1),
    'é'.repeat(KEY_BYTES_MAX / 2 + 1),
    1,
    null,
    bytes('a'),
  ],
  binary: [new Uint8Array(KEY_BYTES_MAX + 1), 'a', 1, null, new Uint16Array(2), [1]],
};

for (const [key, wrong] of Object.entries(WRONG)) {
  test(`a ${key} key that is wrong is refused by whatever takes a key`, async (t) => {
    const db: Database = await openNew(t, { key, value: 'utf8', shards: 2 });
    const good = key === 'utf8' ? 'good' : bytes('good');
    await db.put(good, 'row');
    for (const bad of wrong) {
      const refused = { code: 'OMEN_INVALID_KEY' };
      await t.throwsAsync(db.put(bad, 'x'), refused);
      await t.throwsAsync(db.del(bad), refused);
      const batch = [
        { type: 'del', key: good },
        { type: 'del', key: bad },
      ] as const;
      await t.throwsAsync(db.batch(batch), refused);
      for (const read of ['get', 'has', 'floor', 'ceil'] as const) {
        t.throws(() => db[read](bad), refused);
      }
      t.throws(() => db.getMany([good, bad]), refused);
      for (const bound of ['gt', 'gte', 'lt', 'lte']) {
        t.throws(() => db.count({ [bound]: bad }), refused);
        t.throws(() => db.entries({ [bound]: bad }), refused);
      }
    }
    t.deepEqual([...db.entries()], [[good, 'row']]);
  });
}

test('a key that no memtable of this database can hold is refused, to be deleted as well', async (t) => {
  const memtable = { entriesMax: 64, arenaBytes: 2 ** 16 };
  const db = await openNew(t, { key: 'utf8', value: 'utf8', shards: 2, memtable });
  const long = 'x'.repeat(KEY_BYTES_MAX);
  t.is(await codeOfAsync(db.put(long, '')), 'OMEN_ROW_TOO_LARGE');
  t.is(await codeOfAsync(db.del(long)), 'OMEN_ROW_TOO_LARGE');
  t.is(await codeOfAsync(db.batch([{ type: 'del', key: long }])), 'OMEN_ROW_TOO_LARGE');
  await db.put(long.slice(0, 1000), 'short');
  t.deepEqual([...db.values()], ['short']);
});

const SPLITS = {
  utf8: { splits: ['a\0', 'https://www.example.com/a', 'é'], others: ['a', 'b', 'c'] },
  binary: {
    splits: [bytes('a\0'), bytes('https://www.example.com/a'), Uint8Array.of(0xff, 0)],
    others: [bytes('a'), bytes('b'), bytes('c')],
  },
} as const;

for (const key of ['utf8', 'binary'] as const) {
  const { splits, others } = SPLITS[key];
  const written = splits.map((split) =>
    typeof split === 'string' ? split : Buffer.from(split).toString('base64'),
  );

  test(`${key} splits stand in omendb.json, and others contradict them`, async (t) => {
    const directory = temporaryDirectory(t);
    const options = { key, value: 'json', shards: 4, partition: { splits } } as const;
    const db = await open(directory, options);
    await db.close();
    const { checksum: _, ...identity } = JSON.parse(
      readFileSync(join(directory, 'omendb.json'), 'utf8'),
    );
    t.deepEqual(identity.partitioning, { kind: 'range', splits: written });
    const again = await open(directory, options);
    await again.close();
    const contradiction = open(directory, { partition: { splits: others } });
    await t.throwsAsync(contradiction, { code: 'OMEN_OPTIONS_MISMATCH' });
    const damages: unknown[] = [
      written.toReversed(),
      written.slice(1),
      [
        [0, 1],
        [0, 2],
        [0, 3],
      ],
      [written[0], written[0], written[2]],
      [...written.slice(0, 2), 'x'.repeat(2 * KEY_BYTES_MAX)],
    ];
    for (const damage of damages) {
      const changed = { ...identity, partitioning: { kind: 'range', splits: damage } };
      const text = JSON.stringify({ ...changed, checksum: checksumOf(changed) });
      writeFileSync(join(directory, 'omendb.json'), text);
      await t.throwsAsync(open(directory), { code: 'OMEN_CORRUPT' });
    }
  });

  test(`${key} keys go to the shard between the splits they stand between`, async (t) => {
    const options = { key, value: 'json', shards: 4, partition: { splits } } as const;
    const db: Database = await openNew(t, options);
    const near: (string | Uint8Array)[] = [];
    for (const split of splits) {
      if (typeof split === 'string') near.push(split, `${split}\0`);
      else near.push(split, Uint8Array.of(...split, 0), split.subarray(0, -1));
    }
    for (const each of near) await db.put(each, null);
    await db.flush();
    const expected = [0, 0, 0, 0];
    for (const each of near) {
      const isBehind = (split: string | Uint8Array) =>
        Buffer.compare(Buffer.from(each as string), Buffer.from(split as string)) >= 0;
      expected[splits.filter(isBehind).length]++;
    }
    t.deepEqual(
      db.stats().shards.map(({ rows }) => rows),
      expected,
    );
    const sorted = near.toSorted((a, b) =>
      Buffer.compare(Buffer.from(a as string), Buffer.from(b as string)),
    );
    t.deepEqual(
      [...db.keys()],
      sorted.map((each) => (typeof each === 'string' ? each : new Uint8Array(each))),
    );
  });
}

test('apache-arrow opens the segments, whose keys are a column of theirs', async (t) => {
  const directory = temporaryDirectory(t);
  for (const key of ['utf8', 'binary'] as const) {
    const path = join(directory, key);
    const db: Database = await open(path, { key, columns: { n: 'int32' }, shards: 1 });
    const texts = Array.from({ length: 300 }, (_, i) => `https://www.example.com/${i}/grün`);
    await db.batch(
      texts.map((text, n) => ({
        type: 'put',
        key: key === 'utf8' ? text : bytes(text),
        value: { n },
      })),
    );
    await db.flush();
    await db.close();
    const shard = join(path, 'shard-0000');
    const name = readdirSync(shard).find((each) => /^segment-\d+\.arrow$/.test(each));
    const table = tableFromIPC(readFileSync(join(shard, String(name))));
    t.is(String(table.schema.fields[0]), `key: ${key === 'utf8' ? 'Utf8' : 'Binary'}`);
    const keys = Array.from(table.getChild('key') ?? [], (each) =>
      each instanceof Uint8Array ? Buffer.from(each).toString() : each,
    );
    t.deepEqual(keys, texts.toSorted());
    t.is(texts[table.getChild('n')?.get(7)], keys[7]);
  }
});

test('many keys are looked up at once, in memtables and in segments, as rows and as columns', async (t) => {
  const columns = { n: 'float64', big: 'int64', text: 'utf8' } as const;
  const db = await openNew(t, { key: 'utf8', columns, shards: 3 });
  const keyOf = (i: number) => `https://www.example.com/${i}`;
  const rowOf = (n: number) => ({ n: n / 2, big: n, text: `${n}` });
  for (let i = 0; i < 60; i++) {
    if (i === 30) await db.flush();
    await db.put(keyOf(i), rowOf(i));
  }
  await db.del(keyOf(3));
  const wanted = Array.from({ length: 70 }, (_, i) => (i * 7) % 70);
  const isThere = (i: number) => i < 60 && i !== 3;
  t.deepEqual(
    db.getMany(wanted.map(keyOf)),
    wanted.map((i) => (isThere(i) ? rowOf(i) : undefined)),
  );
  const found = db.getMany(wanted.map(keyOf), { columns: ['n', 'big', 'text'] });
  t.deepEqual(
    [...found.found],
    wanted.map((i) => Number(isThere(i))),
  );
  for (const [at, i] of wanted.entries()) {
    if (!isThere(i)) continue;
    const { n, big, text } = found.columns;
    t.deepEqual({ n: n[at], big: big[at], text: text[at] }, rowOf(i));
  }
});

test('binary keys come back as copies', async (t) => {
  const db = await openNew(t, { key: 'binary', value: 'json', shards: 1 });
  await db.put(Buffer.from('abc'), 1);
  for (const where of ['a memtable', 'a segment']) {
    const [key] = db.keys();
    t.false(Buffer.isBuffer(key), where);
    key.fill(0);
    t.deepEqual(db.first()?.[0], bytes('abc'), where);
    await db.flush();
  }
});

test('a look-up is explained, in memtables and in segments', async (t) => {
  const db = await openNew(t, { key: 'utf8', value: 'json', shards: 1 });
  const keys = Array.from({ length: 500 }, (_, i) => `https://www.example.com/${i}`);
  await db.batch(keys.map((key) => ({ type: 'put', key, value: null })));
  const inMemory = db.explain(keys[7]);
  t.deepEqual([inMemory.found, inMemory.memtables.length, inMemory.runs.length], ['row', 1, 0]);
  await db.compact();
  const sorted = keys.toSorted();
  for (const [position, key] of sorted.entries()) {
    const { found, runs, comparisons } = db.explain(key);
    t.is(found, 'row');
    t.is(runs[0].segment?.form, 'bytes');
    t.is(runs[0].segment?.position, position);
    t.true(comparisons > 0 && comparisons < 20);
  }
  t.is(db.explain('https://www.example.com/x').found, 'nothing');
});
