import test from 'ava';
import { type Database, type OpenOptions, open } from '../../src/index.ts';
import { codeOf } from '../storage/support.ts';
import { codeOfAsync, NUMBERS, openNew, temporaryDirectory } from './support.ts';

/** Everything a caller may get wrong in a write, and the code it is told. */
const COLUMNS = {
  a: 'int32',
  b: 'int64?',
  c: 'utf8?',
  d: 'binary?',
  e: 'bool?',
  f: 'timestamp?',
  g: 'float64?',
} as const;
const BAD_ROWS: readonly (readonly [string, unknown])[] = [
  ['OMEN_INVALID_ROW', 5],
  ['OMEN_INVALID_ROW', null],
  ['OMEN_INVALID_ROW', [1]],
  ['OMEN_INVALID_ROW', { a: '1' }],
  ['OMEN_INVALID_ROW', { a: 1.5 }],
  ['OMEN_INVALID_ROW', { a: 2 ** 31 }],
  ['OMEN_INVALID_ROW', { a: null }],
  ['OMEN_INVALID_ROW', { a: 1, b: 'x' }],
  ['OMEN_INVALID_ROW', { a: 1, b: 2n ** 63n }],
  ['OMEN_INVALID_ROW', { a: 1, b: 0.5 }],
  ['OMEN_UNSAFE_INTEGER', { a: 1, b: 2 ** 53 }],
  ['OMEN_INVALID_ROW', { a: 1, c: 5 }],
  ['OMEN_INVALID_ROW', { a: 1, c: '\ud800' }],
  ['OMEN_INVALID_ROW', { a: 1, d: 'text' }],
  ['OMEN_INVALID_ROW', { a: 1, e: 1 }],
  ['OMEN_INVALID_ROW', { a: 1, f: new Date(Number.NaN) }],
  ['OMEN_INVALID_ROW', { a: 1, f: 'today' }],
  ['OMEN_INVALID_ROW', { a: 1, g: 1n }],
  ['OMEN_MISSING_COLUMN', {}],
  ['OMEN_UNKNOWN_COLUMN', { a: 1, z: 1 }],
  ['OMEN_UNKNOWN_COLUMN', { a: 1, key: 1 }],
  ['OMEN_ROW_TOO_LARGE', { a: 1, d: new Uint8Array(17 * 2 ** 20) }],
  ['OMEN_ROW_TOO_LARGE', { a: 1, c: 'ä'.repeat(9 * 2 ** 20) }],
];

test('a row that is wrong is refused with its code, and everything written stays', async (t) => {
  const directory = temporaryDirectory(t);
  const db: Database = await open(directory, { key: 'int64', columns: COLUMNS, shards: 2 });
  await db.put(1, { a: 1 });
  for (const [code, row] of BAD_ROWS) {
    t.is(await codeOfAsync(db.put(2, row)), code);
    const batch = [
      { type: 'put', key: 3, value: { a: 3 } },
      { type: 'put', key: 4, value: row },
      { type: 'del', key: 1 },
    ] as const;
    t.is(await codeOfAsync(db.batch(batch)), code);
  }
  await db.put(5, { a: 5 });
  t.deepEqual([...db.keys()], [1, 5]);
  await db.close();
  const again = await openNew(t, {}, directory);
  t.deepEqual([...again.keys()], [1, 5]);
});

const BAD_KEYS: Readonly<Record<string, readonly (readonly [string, unknown])[]>> = {
  int64: [
    ['OMEN_INVALID_KEY', '1'],
    ['OMEN_INVALID_KEY', undefined],
    ['OMEN_INVALID_KEY', null],
    ['OMEN_INVALID_KEY', {}],
    ['OMEN_INVALID_KEY', new Date()],
    ['OMEN_INVALID_KEY', Number.NaN],
    ['OMEN_INVALID_KEY', 1.5],
    ['OMEN_INVALID_KEY', Number.POSITIVE_INFINITY],
    ['OMEN_INVALID_KEY', 2n ** 63n],
    ['OMEN_INVALID_KEY', -(2n ** 63n) - 1n],
    ['OMEN_UNSAFE_INTEGER', 2 ** 53],
    ['OMEN_UNSAFE_INTEGER', -(2 ** 53)],
  ],
  uint64: [
    ['OMEN_INVALID_KEY', -1],
    ['OMEN_INVALID_KEY', -1n],
    ['OMEN_INVALID_KEY', 2n ** 64n],
    ['OMEN_UNSAFE_INTEGER', 2 ** 53],
  ],
  float64: [
    ['OMEN_INVALID_KEY', Number.NaN],
    ['OMEN_INVALID_KEY', 1n],
    ['OMEN_INVALID_KEY', '1'],
  ],
  timestamp: [
    ['OMEN_INVALID_KEY', new Date(Number.NaN)],
    ['OMEN_INVALID_KEY', 1n],
    ['OMEN_INVALID_KEY', 0.5],
    ['OMEN_UNSAFE_INTEGER', 2 ** 60],
  ],
};

for (const [key, wrong] of Object.entries(BAD_KEYS)) {
  test(`a ${key} key that is wrong is refused by whatever takes a key`, async (t) => {
    const db: Database = await openNew(t, { key, value: 'utf8', shards: 2 });
    await db.put(1, 'one');
    for (const [code, bad] of wrong) {
      t.is(await codeOfAsync(db.put(bad, 'x')), code);
      t.is(await codeOfAsync(db.del(bad)), code);
      t.is(await codeOfAsync(db.batch([{ type: 'del', key: bad }])), code);
      for (const read of ['get', 'has', 'floor', 'ceil'] as const) {
        t.is(
          codeOf(() => db[read](bad)),
          code,
        );
      }
      t.is(
        codeOf(() => db.getMany([1, bad])),
        code,
      );
      if (bad === undefined) continue;
      for (const bound of ['gt', 'gte', 'lt', 'lte']) {
        t.is(
          codeOf(() => db.entries({ [bound]: bad })),
          code,
        );
        t.is(
          codeOf(() => db.count({ [bound]: bad })),
          code,
        );
        t.is(
          codeOf(() => db.scan({ [bound]: bad })),
          code,
        );
      }
    }
    t.deepEqual([...db.entries()], [[1, 'one']]);
    for (let at = 2; at < 40; at++) await db.put(at, 'more');
    await db.compact();
    for (const [code, bad] of wrong) {
      t.is(
        codeOf(() => db.get(bad)),
        code,
        'nor are they taken for keys that are not there, where a look-up goes the shortest way',
      );
    }
    t.is(db.get(2), 'more');
    t.is(db.get(40), undefined);
  });
}

test('bare values of the wrong type are refused', async (t) => {
  const json: Database = await openNew(t, { key: 'int64', value: 'json', shards: 1 });
  const circular: unknown[] = [];
  circular.push(circular);
  for (const value of [undefined, () => {}, Symbol('x'), 1n, circular]) {
    t.is(await codeOfAsync(json.put(1, value)), 'OMEN_INVALID_ROW');
  }
  const utf8: Database = await openNew(t, { key: 'int64', value: 'utf8', shards: 1 });
  for (const value of [1, null, undefined, '\udfff', new Uint8Array(1)]) {
    t.is(await codeOfAsync(utf8.put(1, value)), 'OMEN_INVALID_ROW');
  }
  const binary: Database = await openNew(t, { key: 'int64', value: 'binary', shards: 1 });
  for (const value of ['x', null, undefined, [1], new ArrayBuffer(1), new Uint16Array(1)]) {
    t.is(await codeOfAsync(binary.put(1, value)), 'OMEN_INVALID_ROW');
  }
  for (const db of [json, utf8, binary]) t.is(db.count(), 0);
});

test('a batch that is none is refused whole', async (t) => {
  const db: Database = await openNew(t, { ...NUMBERS, shards: 2 });
  const wrong: readonly unknown[] = [
    undefined,
    null,
    5,
    'del',
    { type: 'del', key: 1 },
    [null],
    [undefined],
    [1],
    [{ type: 'get', key: 1 }],
    [{ type: 'put', key: 1, value: { value: 1 } }, {}],
  ];
  for (const batch of wrong) {
    t.is(await codeOfAsync(db.batch(batch as [])), 'OMEN_INVALID_BATCH');
  }
  t.is(db.count(), 0);
  await db.batch([]);
  await db.put(1, { value: 1 });
  t.is(db.count(), 1);
});

test('a batch that is too large for a shard is refused whole', async (t) => {
  const memtable = { entriesMax: 64, arenaBytes: 2 ** 16 };
  const db: Database = await openNew(t, { key: 'int64', value: 'binary', shards: 1, memtable });
  const many = Array.from({ length: 33 }, (_, key) => {
    return { type: 'put', key, value: new Uint8Array(1) } as const;
  });
  t.is(await codeOfAsync(db.batch(many)), 'OMEN_ROW_TOO_LARGE');
  const long = [{ type: 'put', key: 1, value: new Uint8Array(2 ** 15) }] as const;
  t.is(await codeOfAsync(db.batch(long)), 'OMEN_ROW_TOO_LARGE');
  t.is(db.count(), 0);
  await db.batch(many.slice(1));
  t.is(db.count(), 32);
});

test('a row that no memtable of this database can hold is refused, and the next one is taken', async (t) => {
  const memtable = { entriesMax: 64, arenaBytes: 2 ** 16 };
  const db: Database = await openNew(t, { key: 'int64', value: 'binary', shards: 2, memtable });
  await db.put(1, new Uint8Array(10));
  t.is(await codeOfAsync(db.put(2, new Uint8Array(2 ** 17))), 'OMEN_ROW_TOO_LARGE');
  await db.put(2, new Uint8Array(20));
  t.deepEqual(
    [...db.entries()].map(([key, row]) => [key, (row as unknown as Uint8Array).length]),
    [
      [1, 10],
      [2, 20],
    ],
  );
});

test('a range that contradicts itself or has unknown parts is refused at once', async (t) => {
  const db: Database = await openNew(t, { ...NUMBERS, shards: 1 });
  const wrong: readonly unknown[] = [
    5,
    { from: 1 },
    { gt: 1, gte: 1 },
    { lt: 1, lte: 1 },
    { reverse: 1 },
    { limit: -1 },
    { limit: 1.5 },
    { limit: '1' },
    { limit: Number.NaN },
  ];
  for (const range of wrong) {
    for (const read of ['entries', 'keys', 'values', 'scan', 'count'] as const) {
      t.is(
        codeOf(() => db[read](range as object)),
        'OMEN_INVALID_RANGE',
        `${read} ${JSON.stringify(range)}`,
      );
    }
  }
  t.deepEqual([...db.entries({ gt: 5, lt: 1 })], []);
});

test('options that are unknown or wrong are refused, and the right ones are taken after them', async (t) => {
  const directory = `${temporaryDirectory(t)}/new`;
  const wrong: readonly object[] = [
    { key: 'int8' },
    { key: undefined },
    { columns: undefined },
    { value: 'utf8' },
    { columns: {} },
    { columns: { key: 'int32' } },
    { columns: { '': 'int32' } },
    { columns: { _omen_x: 'int32' } },
    { columns: { a: 'int' } },
    { columns: { a: 5 } },
    { columns: { a: 'int32??' } },
    { columns: null },
    { columns: 'a' },
    { columns: undefined, value: 'text' },
    { shards: 0 },
    { shards: 1.5 },
    { shards: 129 },
    { shards: '2' },
    { shards: null },
    { partition: 'random' },
    { partition: null },
    { shards: 2, partition: { splits: [] } },
    { shards: 3, partition: { splits: [2, 1] } },
    { shards: 3, partition: { splits: [1, 1] } },
    { durability: 'none' },
    { durability: null },
    { durability: { intervalMs: 0 } },
    { durability: { intervalMs: Number.NaN } },
    { memory: 1 },
    { memory: '1G' },
    { bigints: 1 },
    { threads: 0 },
    { threads: 65 },
    { createIfMissing: 'yes' },
    { errorIfExists: 0 },
    { readOnly: 'no' },
    { memtable: {} },
    { memtable: null },
    { memtable: { entriesMax: 1, arenaBytes: 2 ** 16 } },
    { colour: 'red' },
  ];
  for (const option of wrong) {
    const options: OpenOptions = { ...NUMBERS, ...option };
    t.is(
      await codeOfAsync(open(directory, options)),
      'OMEN_INVALID_OPTIONS',
      JSON.stringify(option),
    );
  }
  for (const path of ['', undefined, 5, null]) {
    t.is(await codeOfAsync(open(path as string, NUMBERS)), 'OMEN_INVALID_OPTIONS');
  }
  t.is(await codeOfAsync(open(directory, null as unknown as object)), 'OMEN_INVALID_OPTIONS');
  const db = await openNew(t, { ...NUMBERS, shards: 1 }, directory);
  await db.put(1, { value: 1 });
  t.deepEqual(db.get(1), { value: 1 });
});
