import test from 'ava';
import { codeOfAsync, errorOf, NUMBERS, openNew } from './support.ts';

test('a conditional write applies where its condition holds, and else writes nothing', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  await db.put(1, { value: 1 }, { if: 'absent' });
  t.is(await codeOfAsync(db.put(1, { value: 2 }, { if: 'absent' })), 'OMEN_CONDITION_FAILED');
  t.is(await codeOfAsync(db.put(2, { value: 2 }, { if: 'present' })), 'OMEN_CONDITION_FAILED');
  t.deepEqual([db.get(1), db.get(2)], [{ value: 1 }, undefined]);
  await db.put(1, { value: 3 }, { if: { equals: { value: 1 } } });
  const stale = db.put(1, { value: 4 }, { if: { equals: { value: 1 } } });
  t.is(await codeOfAsync(stale), 'OMEN_CONDITION_FAILED');
  t.is(await codeOfAsync(db.del(1, { if: { equals: { value: 1 } } })), 'OMEN_CONDITION_FAILED');
  t.deepEqual(db.get(1), { value: 3 });
  await db.del(1, { if: { equals: { value: 3 } } });
  t.is(db.get(1), undefined);
  t.is(await codeOfAsync(db.del(1, { if: 'present' })), 'OMEN_CONDITION_FAILED');
  await db.put(1, { value: 5 }, { if: 'absent' });
  t.deepEqual(db.get(1), { value: 5 });
});

test('of writes that ask for an absent row at once, one succeeds, and the others see its row', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const codes = await Promise.all(
    Array.from({ length: 100 }, async (_, i) => {
      const code = await codeOfAsync(db.put(7, { value: i }, { if: 'absent' }));
      t.deepEqual(db.get(7), { value: 0 });
      return code;
    }),
  );
  t.deepEqual(codes, ['', ...new Array(99).fill('OMEN_CONDITION_FAILED')]);
});

test('a batch one of whose conditions fails is absent in every shard, and says which failed', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 4 });
  await db.put(3, { value: 3 });
  const keys = Array.from({ length: 40 }, (_, i) => i);
  const operations = keys.map((key) => ({
    type: 'put' as const,
    key,
    value: { value: -1 },
    if: 'absent' as const,
  }));
  const { code, message } = await errorOf(t, db.batch(operations));
  t.is(code, 'OMEN_CONDITION_FAILED');
  t.regex(message, /operation 3 /);
  t.deepEqual([...db.entries()], [[3, { value: 3 }]]);
  await db.batch([...operations.toSpliced(3, 1), { type: 'del', key: 3, if: 'present' }]);
  t.deepEqual([...db.keys()], keys.toSpliced(3, 1));
});

test('the conditions of a batch are judged by what was there before it', async (t) => {
  for (const shards of [1, 3]) {
    const db = await openNew(t, { ...NUMBERS, shards });
    await db.batch([
      { type: 'put', key: 1, value: { value: 1 }, if: 'absent' },
      { type: 'del', key: 1, if: 'absent' },
      { type: 'put', key: 2, value: { value: 2 } },
      { type: 'put', key: 1, value: { value: 3 }, if: 'absent' },
    ]);
    t.deepEqual(
      [...db.entries()],
      [
        [1, { value: 3 }],
        [2, { value: 2 }],
      ],
    );
  }
});

test('rows equal what a caller sees of them, whether in a memtable or in a segment', async (t) => {
  const json = await openNew(t, { key: 'utf8', value: 'json', shards: 1 });
  const rows = await openNew(t, {
    key: 'binary',
    columns: { f: 'float64', g: 'float32?', n: 'int64', s: 'utf8?', b: 'binary', is: 'bool' },
    shards: 1,
  });
  const row = { f: Number.NaN, g: 0.1, n: 2n ** 60n, s: 'ü', b: Uint8Array.of(1, 2), is: true };
  const key = new Uint8Array(40).fill(3);
  await json.put('a', { x: 1, y: [1, null] });
  await rows.put(key, row);
  for (const isFlushed of [false, true]) {
    if (isFlushed) await Promise.all([json.flush(), rows.flush()]);
    for (const other of [{ x: 1 }, { x: 1, y: [1, 0] }, null]) {
      const code = await codeOfAsync(json.put('a', 1, { if: { equals: other } }));
      t.is(code, 'OMEN_CONDITION_FAILED');
    }
    await json.put('a', { y: [1, null], x: 1 }, { if: { equals: { y: [1, null], x: 1 } } });
    for (const other of [{ f: 0 }, { g: null }, { n: 2n ** 60n + 1n }, { s: null }]) {
      const code = await codeOfAsync(rows.del(key, { if: { equals: { ...row, ...other } } }));
      t.is(code, 'OMEN_CONDITION_FAILED');
    }
    if (!isFlushed) await rows.put(key, row, { if: { equals: { ...row } } });
  }
  await rows.del(key, { if: { equals: row } });
  t.false(rows.has(key));
});

test('what is no condition is refused, and nothing is sent', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  for (const condition of ['there', null, {}, { equals: { value: 1 }, not: 1 }, 7]) {
    // @ts-expect-error: no such condition
    const put = db.put(1, { value: 1 }, { if: condition });
    t.is(await codeOfAsync(put), 'OMEN_INVALID_CONDITION');
    // @ts-expect-error: no such condition
    const batch = db.batch([{ type: 'del', key: 1, if: condition }]);
    t.is(await codeOfAsync(batch), 'OMEN_INVALID_CONDITION');
  }
  // @ts-expect-error: no such option
  t.is(await codeOfAsync(db.put(1, { value: 1 }, { iff: 'absent' })), 'OMEN_INVALID_CONDITION');
  // @ts-expect-error: no row
  const put = db.put(1, { value: 1 }, { if: { equals: { values: 1 } } });
  t.is(await codeOfAsync(put), 'OMEN_UNKNOWN_COLUMN');
  await db.put(1, { value: 1 }, {});
  t.is(db.count(), 1);
});

test('a delete that depends on a condition is taken when memory is full', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1, memory: 2 ** 20 });
  const isFull = async (i: number): Promise<boolean> =>
    (await codeOfAsync(db.put(i, { value: i }))) === 'OMEN_MEMORY_FULL';
  const puts = Array.from({ length: 60_000 }, (_, i) => isFull(i));
  t.true((await Promise.all(puts)).includes(true));
  t.is(await codeOfAsync(db.put(0, { value: 1 }, { if: 'present' })), 'OMEN_MEMORY_FULL');
  await db.del(0, { if: 'present' });
  t.false(db.has(0));
});
