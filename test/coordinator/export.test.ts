/** Exports, and that what they write is loaded again as what it was. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { tableFromIPC } from 'apache-arrow';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import {
  type Database,
  type ExportOptions,
  type ExportProgress,
  type OpenOptions,
  open,
} from '../../src/index.ts';
import type { Column, KeyType } from '../../src/schema/schema.ts';
import { columns, keysOf, rowsOf } from '../schema/arbitraries.ts';
import type { AttachedTask } from './attached-tasks.ts';
import {
  codeOfAsync,
  messageOf,
  NUMBERS,
  openNew,
  openWithPins,
  startWorker,
  temporaryDirectory,
} from './support.ts';

/** A stream, and what was written to it. */
function collector(): { readonly stream: PassThrough; readonly text: Promise<string> } {
  const stream = new PassThrough();
  const all = text(stream);
  all.catch(() => {});
  return { stream, text: all };
}

async function textOf(db: Pick<Database, 'export'>, options: ExportOptions): Promise<string> {
  const { stream, text } = collector();
  await db.export(stream, options);
  return text;
}

const FILES = [
  'rows.csv',
  'rows.tsv.gz',
  'rows.ndjson',
  'rows.jsonl.zst',
  'rows.arrow',
  'rows.arrows',
  'rows.parquet',
];

/** Exports a database to files, and loads each into another one, which has to become its equal. */
async function roundTrips(
  t: ExecutionContext,
  names: readonly string[],
  options: OpenOptions,
  put: (db: Database) => Promise<void>,
) {
  const directory = temporaryDirectory(t);
  const given = { ...options, shards: 1, bigints: true };
  await using db = await open(join(directory, 'data'), given);
  await put(db as Database);
  const wanted = [...db.entries()];
  const expiry = wanted.map(([key]) => db.expiresAt(key));
  await using copy = await open(join(directory, 'copy'), given);
  for (const name of names) {
    const path = join(directory, name);
    const exported = await db.export(path);
    t.is(exported.rows, wanted.length, name);
    t.is(exported.bytes, readFileSync(path).length, name);
    await copy.clear();
    t.is((await copy.bulkLoad(path)).rows, wanted.length, name);
    const found = [...copy.entries()];
    t.deepEqual(found, wanted, name);
    t.deepEqual(
      found.map(([key]) => copy.expiresAt(key)),
      expiry,
      name,
    );
  }
}

interface Drawn {
  readonly key: KeyType;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly [unknown, unknown])[];
}

const keyTypes = fc.constantFrom<KeyType>(
  'int64',
  'uint64',
  'float64',
  'timestamp',
  'utf8',
  'binary',
);
const allKeys = (key: KeyType): fc.Arbitrary<unknown> => {
  if (key === 'utf8') return fc.string({ unit: 'binary', maxLength: 20 });
  return key === 'binary' ? fc.uint8Array({ maxLength: 20 }) : keysOf(key);
};
const databases: fc.Arbitrary<Drawn> = fc
  .tuple(keyTypes, columns)
  .chain(([key, of]) =>
    fc
      .array(fc.tuple(allKeys(key), rowsOf(of)), { minLength: 1, maxLength: 40 })
      .map((rows) => ({ key, columns: of, rows })),
  );

/** Each run opens two databases and starts a pool. */
const RUNS = 2;

for (const name of FILES) {
  test.serial(`a database of any schema is loaded again from ${name} as what it was`, async (t) => {
    const property = fc.asyncProperty(databases, async ({ key, columns: of, rows }) => {
      const types = of.map(({ name, type, nullable }) => [name, nullable ? `${type}?` : type]);
      const options = { key, columns: Object.fromEntries(types) } as OpenOptions;
      await roundTrips(t, [name], options, async (db) => {
        for (const [one, row] of rows) await db.put(one as number, row);
      });
    });
    await fc.assert(property, { numRuns: RUNS, endOnFailure: true });
  });
}

test.serial('bare values of every type are loaded again as what they were', async (t) => {
  const values = {
    json: [null, 0, -1.5, 'a\n"b"', [1, { a: null }], {}, 'key', true],
    utf8: ['', 'a', 'null', '"', 'a,b\r\n', ' ', '\uFEFFx', '😀'],
    binary: [new Uint8Array(0), Uint8Array.of(0, 10, 34, 44, 255)],
  } as const;
  for (const [value, some] of Object.entries(values)) {
    const options = { key: 'utf8', value } as OpenOptions;
    await roundTrips(t, ['rows.csv', 'rows.ndjson', 'rows.parquet'], options, async (db) => {
      for (const [i, one] of some.entries()) await db.put(`key ${i}`, one);
    });
  }
});

test('what is asked for is written: a range, in reverse, of some columns, where a condition holds', async (t) => {
  const db = await openNew(t, { key: 'int64', columns: { a: 'int32', b: 'utf8?' }, shards: 2 });
  const rows = Array.from(
    { length: 500 },
    (_, i) => [i, { a: i % 3, b: i % 2 ? `t${i}` : null }] as const,
  );
  await db.bulkLoad(rows);
  t.is(
    await textOf(db as Database, { format: 'csv', gte: 10, lt: 13 }),
    'key,a,b\n10,1,\n11,2,t11\n12,0,\n',
  );
  t.is(
    await textOf(db as Database, {
      format: 'tsv',
      gt: 10,
      lte: 13,
      reverse: true,
      limit: 2,
      header: false,
    }),
    '13\t1\tt13\n12\t0\t\n',
  );
  t.is(
    await textOf(db as Database, { format: 'csv', columns: ['b', 'key'], delimiter: ';', lt: 2 }),
    'b;key\n;0\nt1;1\n',
  );
  t.is(
    await textOf(db as Database, {
      format: 'ndjson',
      where: { a: 2, key: { lt: 6 } },
      columns: ['key'],
    }),
    '{"key":2}\n{"key":5}\n',
  );
  t.is(await textOf(db as Database, { format: 'csv', gt: 500 }), 'key,a,b\n');
});

test('an export is of one instant, that of a snapshot where it is a snapshot that is exported', async (t) => {
  const { db, pinned } = await openWithPins(t, { ...NUMBERS, shards: 2 });
  const rows = Array.from({ length: 200_000 }, (_, key) => [key, { value: 1 }] as const);
  await db.bulkLoad(rows);
  {
    using snapshot = db.snapshot();
    await db.put(-1, { value: 2 });
    const { stream, text } = collector();
    const report = await snapshot.export(stream, { format: 'csv', header: false, lt: 3 });
    t.is(report.rows, 3);
    t.is(await text, '0,1\n1,1\n2,1\n');
  }
  // A stream that takes nothing before everything was deleted.
  let taken = 0;
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = new Writable({
    highWaterMark: 1,
    write(chunk, _, done) {
      taken += chunk.length;
      void released.then(() => done());
    },
  });
  const exporting = db.export(slow, { format: 'ndjson' });
  while (taken === 0) await new Promise((resolve) => setImmediate(resolve));
  await db.clear();
  const before = taken;
  release();
  const report = await exporting;
  t.is(report.rows, 200_001);
  t.true(before < report.bytes / 2, 'no more was read than there was room for');
  t.is(pinned(), 0);
});

test('whatever becomes of an export, it leaves no file and holds no snapshot', async (t) => {
  const { db, pinned } = await openWithPins(t, { ...NUMBERS, shards: 2 });
  await db.bulkLoad(Array.from({ length: 200_000 }, (_, key) => [key, { value: key }] as const));
  const directory = temporaryDirectory(t);
  const files = () => readdirSync(directory);

  const path = join(directory, 'rows.csv.gz');
  const controller = new AbortController();
  const slow = new Writable({ highWaterMark: 1, write: () => {} });
  const hanging = db.export(slow, { format: 'csv', signal: controller.signal });
  await new Promise((resolve) => setImmediate(resolve));
  controller.abort();
  t.is(await codeOfAsync(hanging), 'OMEN_ABORTED');
  t.true(slow.destroyed);
  t.is(pinned(), 0, 'aborted while a stream was waited for');

  t.is(await codeOfAsync(db.export(path, { signal: controller.signal })), 'OMEN_ABORTED');
  t.deepEqual(files(), []);
  const other = new AbortController();
  const aborted = db.export(path, { signal: other.signal });
  queueMicrotask(() => other.abort());
  t.is(await codeOfAsync(aborted), 'OMEN_ABORTED');
  t.deepEqual(files(), []);
  t.is(pinned(), 0, 'aborted');

  const failing = new Writable({ write: (_, __, done) => done(new Error('no more')) });
  t.is(await codeOfAsync(db.export(failing, { format: 'csv', compress: 'zstd' })), 'OMEN_IO');
  t.is(pinned(), 0, 'failed');

  const thrown = db.export(join(directory, 'rows.parquet'), {
    onProgress: () => {
      throw new RangeError('mine');
    },
  });
  await t.throwsAsync(thrown, { instanceOf: RangeError });
  t.deepEqual(files(), []);
  t.is(pinned(), 0, 'its caller threw');

  const closing = db.export(path);
  const closed = db.close();
  t.is(await codeOfAsync(closing), 'OMEN_CLOSED');
  await closed;
  t.deepEqual(files(), []);
  t.is(await codeOfAsync(db.export(path)), 'OMEN_CLOSED');
});

test('progress tells how many rows of how many, and ends at the end', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  await db.bulkLoad(Array.from({ length: 1000 }, (_, key) => [key, { value: key }] as const));
  const seen: ExportProgress[] = [];
  const onProgress = (progress: ExportProgress) => seen.push(progress);
  const path = join(temporaryDirectory(t), 'rows.arrow');
  const report = await db.export(path, { gte: 10, limit: 500, onProgress });
  t.is(seen.at(-1)?.rows, 500);
  t.is(seen.at(-1)?.rowsTotal, 500);
  t.is(seen.at(-1)?.msLeft, 0);
  t.is(seen.at(-1)?.bytes, report.bytes);
  t.is(tableFromIPC(readFileSync(path)).numRows, 500);
  await db.export(new PassThrough().resume(), { format: 'csv', where: { value: 5 }, onProgress });
  t.is(seen.at(-1)?.rows, 1);
  t.is(seen.at(-1)?.rowsTotal, null);
});

test('when rows expire is exported with them, unless it is not wanted', async (t) => {
  const db = await openNew(t, { key: 'int64', value: 'utf8', ttl: true, shards: 1 });
  const at = Date.UTC(2999, 0, 1);
  await db.put(1, 'a', { expiresAt: at });
  await db.put(2, 'b');
  await db.put(3, 'c', { expiresAt: 1 });
  t.is(
    await textOf(db as Database, { format: 'csv' }),
    'key,value,_omen_expires\n1,a,2999-01-01T00:00:00Z\n2,b,\n',
  );
  t.is(await textOf(db as Database, { format: 'csv', expires: false }), 'key,value\n1,a\n2,b\n');
  const copy = await openNew(t, { key: 'int64', value: 'utf8', ttl: 1000, shards: 1 });
  const directory = temporaryDirectory(t);
  for (const name of FILES) {
    await db.export(join(directory, name));
    await copy.clear();
    await copy.bulkLoad(join(directory, name));
    t.deepEqual([copy.expiresAt(1), copy.expiresAt(2)], [at, null], name);
  }
});

test('a thread that has joined exports, too, and to a stream of the web', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  for (const key of [3, 1, 2]) await db.put(key, { value: key / 2 });
  const data: AttachedTask = { task: 'export', handle: db.handle() };
  const { worker, finished } = startWorker(t, './attached-tasks.ts', data);
  t.deepEqual(await messageOf(worker), [3, 'key,value\n1,0.5\n2,1\n3,1.5\n']);
  t.is(await finished, 0);
});

test('an export that is malformed is refused, and nothing is made', async (t) => {
  const { db, pinned } = await openWithPins(t, {
    key: 'int64',
    columns: { a: 'int32' },
    shards: 1,
  });
  const directory = temporaryDirectory(t);
  const path = join(directory, 'rows.csv');
  writeFileSync(join(directory, 'there.csv'), '');
  const wrong: readonly (readonly [string, unknown, object?])[] = [
    ['OMEN_INVALID_TARGET', join(directory, 'rows.txt')],
    ['OMEN_INVALID_TARGET', join(directory, 'rows')],
    ['OMEN_INVALID_TARGET', new PassThrough()],
    ['OMEN_INVALID_TARGET', 5, { format: 'csv' }],
    ['OMEN_INVALID_TARGET', join(directory, 'there.csv')],
    ['OMEN_INVALID_TARGET', join(directory, 'none', 'rows.csv')],
    ['OMEN_INVALID_OPTIONS', path, { format: 'xml' }],
    ['OMEN_INVALID_OPTIONS', path, { compress: 'brotli' }],
    ['OMEN_INVALID_OPTIONS', join(directory, 'rows.arrow.gz')],
    ['OMEN_INVALID_OPTIONS', join(directory, 'rows.parquet.gz')],
    ['OMEN_INVALID_OPTIONS', path, { header: 1 }],
    ['OMEN_INVALID_OPTIONS', path, { delimiter: '"' }],
    ['OMEN_INVALID_OPTIONS', path, { delimiter: '5' }],
    ['OMEN_INVALID_OPTIONS', path, { delimiter: ':' }],
    ['OMEN_INVALID_OPTIONS', join(directory, 'rows.ndjson'), { delimiter: ';' }],
    ['OMEN_INVALID_OPTIONS', path, { columns: [] }],
    ['OMEN_INVALID_OPTIONS', path, { columns: 'a' }],
    ['OMEN_INVALID_OPTIONS', path, { columns: ['a'], expires: false }],
    ['OMEN_INVALID_OPTIONS', path, { expires: true }],
    ['OMEN_INVALID_OPTIONS', path, { onProgress: 1 }],
    ['OMEN_INVALID_OPTIONS', path, { signal: 1 }],
    ['OMEN_INVALID_OPTIONS', path, { ordered: false }],
    ['OMEN_INVALID_OPTIONS', path, null as never],
    ['OMEN_UNKNOWN_COLUMN', path, { columns: ['b'] }],
    ['OMEN_INVALID_RANGE', path, { columns: ['a', 'a'] }],
    ['OMEN_INVALID_RANGE', path, { gt: 1, gte: 1 }],
    ['OMEN_INVALID_WHERE', path, { where: { a: { near: 1 } } }],
    ['OMEN_INVALID_KEY', path, { gt: 'x' }],
  ];
  for (const [code, target, options] of wrong) {
    const exporting = db.export(target as string, options);
    t.is(await codeOfAsync(exporting), code, JSON.stringify(options));
  }
  t.deepEqual(readdirSync(directory), ['there.csv']);
  t.is(pinned(), 0);
});
