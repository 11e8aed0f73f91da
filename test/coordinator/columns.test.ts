import test from 'ava';
import { codeOf } from '../storage/support.ts';
import { openNew } from './support.ts';

const COLUMNS = {
  a: 'float64',
  b: 'float32',
  c: 'int32',
  d: 'int64',
  e: 'timestamp',
  f: 'bool',
  g: 'utf8',
  h: 'binary',
  i: 'float64?',
  j: 'int64?',
} as const;
const NAMES = Object.keys(COLUMNS) as (keyof typeof COLUMNS)[];

function rowOf(key: number) {
  return {
    a: key / 3,
    b: key / 2,
    c: -key,
    d: key * 2 ** 40,
    e: 1_700_000_000_000 + key,
    f: key % 3 === 0,
    g: `é${key}`,
    h: Uint8Array.of(key, 1),
    i: key % 2 === 0 ? null : key / 7,
    j: key % 5 === 0 ? null : key,
  };
}

test('columns have, key by key, what get has: from segments, memtables and both', async (t) => {
  for (const bigints of [false, true]) {
    const options = { key: 'int64', columns: COLUMNS, shards: 2, bigints } as const;
    const db = await openNew(t, options);
    const keys = Array.from({ length: 100 }, (_, i) => (37 * i) % 120);
    const check = () => {
      const rows = keys.map((key) => db.get(key));
      const { found, columns } = db.getMany(keys, { columns: NAMES });
      t.deepEqual(
        Array.from(found),
        rows.map((row) => (row === undefined ? 0 : 1)),
      );
      for (const [i, row] of rows.entries()) {
        if (row === undefined) continue;
        for (const name of NAMES) t.deepEqual(columns[name][i], row[name], `${name} of ${keys[i]}`);
      }
      t.deepEqual(db.getMany(keys), rows);
    };
    check();
    await db.batch(keys.map((key) => ({ type: 'put', key, value: rowOf(key) }) as const));
    check();
    await db.flush();
    await db.batch(keys.slice(0, 30).map((key) => ({ type: 'del', key }) as const));
    await db.batch(
      keys.slice(10, 20).map((key) => ({ type: 'put', key, value: rowOf(key + 1) }) as const),
    );
    check();
    await db.compact();
    check();
  }
});

test('numbers that cannot be null come in typed arrays', async (t) => {
  const db = await openNew(t, { key: 'int64', columns: COLUMNS, shards: 1 });
  await db.put(5, rowOf(5));
  const { columns } = db.getMany([5], { columns: NAMES });
  const types = NAMES.map((name) => columns[name].constructor.name);
  const [f64, f32, i32] = ['Float64Array', 'Float32Array', 'Int32Array'];
  t.deepEqual(types, [f64, f32, i32, f64, f64, 'Array', 'Array', 'Array', 'Array', 'Array']);
});

test('the bare value of a key-value database is its column "value"', async (t) => {
  const db = await openNew(t, { key: 'uint64', value: 'json', shards: 1 });
  await db.put(1, { deep: [1] });
  const { found, columns } = db.getMany([1, 2], { columns: ['value'] });
  t.deepEqual(Array.from(found), [1, 0]);
  t.deepEqual(columns.value[0], { deep: [1] });
});

test('keys come from any iterable: arrays, typed arrays, generators', async (t) => {
  const db = await openNew(t, { key: 'int64', value: 'json', shards: 2 });
  const keys = Array.from({ length: 40 }, (_, i) => i);
  await db.batch(keys.map((key) => ({ type: 'put', key, value: key }) as const));
  const expected = keys.map((key) => key);
  t.deepEqual(db.getMany(keys), expected);
  t.deepEqual(db.getMany(Float64Array.from(keys)), expected);
  t.deepEqual(db.getMany(Int32Array.from(keys)), expected);
  t.deepEqual(db.getMany(BigInt64Array.from(keys, BigInt)), expected);
  t.deepEqual(db.getMany(new Set(keys)), expected);
  t.deepEqual(db.getMany([]), []);
});

test('a column that is not there, a bad key and an unsafe integer are refused', async (t) => {
  const db = await openNew(t, { key: 'int64', columns: { d: 'int64' }, shards: 1 });
  await db.put(1, { d: 2n ** 60n });
  const get = (columns: readonly string[], key: unknown = 1) =>
    codeOf(() => db.getMany([key as number], { columns }));
  t.is(get(['x']), 'OMEN_UNKNOWN_COLUMN');
  t.is(get(['d']), 'OMEN_UNSAFE_INTEGER');
  t.is(get(['d'], 2 ** 53), 'OMEN_UNSAFE_INTEGER');
  t.is(get(['d'], Number.NaN), 'OMEN_INVALID_KEY');
  await db.flush();
  t.is(get(['d']), 'OMEN_UNSAFE_INTEGER');
  t.is(get([]), '');
});
