/** What is inferred of a source is a database that takes it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import {
  Decimal,
  Int64,
  makeData,
  Table,
  TimestampMicrosecond,
  tableToIPC,
  Vector,
  vectorFromArray,
} from 'apache-arrow';
import test from 'ava';
import { inferSchema, type LoadOptions, type LoadSource } from '../../src/index.ts';
import { codeOfAsync, errorOf, NUMBERS, openNew, temporaryDirectory } from './support.ts';

const TEXT = 'id,at,on,x,name\n1,2026-01-01,true,1,a\n2,2026-01-02,false,2.5,\n';

test('a database made of what is inferred takes the source, whatever it is written in', async (t) => {
  const directory = temporaryDirectory(t);
  const table = new Table({
    id: vectorFromArray([1n, 2n], new Int64()),
    at: new Vector([
      makeData({ type: new TimestampMicrosecond(), data: BigInt64Array.of(1001n, 2_999_999n) }),
    ]),
    cost: new Vector([
      makeData({
        type: new Decimal(2, 10, 128),
        length: 2,
        data: Uint32Array.of(125, 0, 0, 0, 7, 0, 0, 0),
      }),
    ]),
  });
  const objects = '{"id":1,"x":"a"}\n{"id":2,"x":null}\n';
  const files: Record<string, [bytes: string | Uint8Array, key: string, columns: object]> = {
    'a.csv': [TEXT, 'int64', { at: 'timestamp', on: 'bool', x: 'float64', name: 'utf8?' }],
    'b.txt': [
      TEXT.replaceAll(',', ';'),
      'int64',
      { at: 'timestamp', on: 'bool', x: 'float64', name: 'utf8?' },
    ],
    'c.tsv': [
      TEXT.replaceAll(',', '\t'),
      'int64',
      { at: 'timestamp', on: 'bool', x: 'float64', name: 'utf8?' },
    ],
    'd.gz': [gzipSync(objects), 'int64', { x: 'utf8?' }],
    'e.zst': [zstdCompressSync(objects), 'int64', { x: 'utf8?' }],
    'f.arrow': [tableToIPC(table, 'file'), 'int64', { at: 'timestamp?', cost: 'float64?' }],
    'g.bin': [tableToIPC(table, 'stream'), 'int64', { at: 'timestamp?', cost: 'float64?' }],
  };
  for (const [name, [bytes, key, columns]] of Object.entries(files)) {
    const path = join(directory, name);
    writeFileSync(path, bytes);
    const inferred = await inferSchema(path, { key: 'id' });
    t.deepEqual({ key: inferred.key, columns: inferred.columns }, { key, columns } as never, name);
    const options = { key: inferred.key, columns: inferred.columns, shards: 1 };
    const db = await openNew(t, options);
    const { format, delimiter } = inferred;
    const report = await db.bulkLoad(path, {
      key: 'id',
      ...(format === 'csv' && { format, delimiter }),
    });
    t.is(report.rows, 2, name);
    if (name === 'g.bin')
      t.deepEqual(
        [...db.values()],
        [
          { at: 1, cost: 1.25 },
          { at: 2999, cost: 0.07 },
        ],
      );
    // A stream of the same, from its beginning.
    const streamed = await inferSchema(Readable.from([bytes].map((all) => Buffer.from(all))), {
      key: 'id',
    });
    t.deepEqual(streamed, inferred, name);
  }
});

test('a stream of Arrow is loaded as it comes, compressed or not; one that is cut short is refused', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const keys = Array.from({ length: 20_000 }, (_, i) => i);
  const table = new Table({
    key: vectorFromArray(keys.map(BigInt), new Int64()),
    value: vectorFromArray(keys.map((key) => key / 2)),
  });
  const bytes = tableToIPC(table, 'stream');
  const pieces = (all: Uint8Array) =>
    Readable.from(
      Array.from({ length: 100 }, (_, i) =>
        all.subarray((i * all.length) / 100, ((i + 1) * all.length) / 100),
      ),
    );
  for (const all of [bytes, tableToIPC(table, 'file'), gzipSync(bytes)]) {
    await db.clear();
    t.is((await db.bulkLoad(pieces(all), { format: 'arrow' })).rows, 20_000);
    t.deepEqual(db.get(9), { value: 4.5 });
  }
  await db.clear();
  const cut = bytes.subarray(0, bytes.length - 1000);
  t.is(await codeOfAsync(db.bulkLoad(pieces(cut), { format: 'arrow' })), 'OMEN_INVALID_SOURCE');
  t.is(db.count(), 0);
});

test('columns are chosen as a load chooses them', async (t) => {
  const of = (text: string, options: LoadOptions) =>
    inferSchema(Readable.from([text]), { format: 'csv', ...options });
  t.deepEqual((await of('a,b,key\n1,2,x\n', {})).columns, { a: 'int64', b: 'int64' });
  t.like(await of('1,2,x\n', { header: false }), {
    key: 'int64',
    columns: { field1: 'int64', field2: 'utf8' },
  });
  t.like(await of('1,2,x\n', { header: false, key: 2, columns: { p: 0 } }), {
    key: 'utf8',
    columns: { p: 'int64' },
  });
  t.like(await of('key,a,_omen_expires\n1,2,5\n', {}), { columns: { a: 'int64' }, ttl: true });
  t.deepEqual(Object.keys((await of('key,a,_omen_expires\n1,2,5\n', {})).columns), ['a']);
  const json = Readable.from(['{"key":1,"x":[],"y":2}']);
  t.like(await inferSchema(json, { columns: { z: 'y' } }), { columns: { z: 'int64' } });
});

test('what cannot be inferred is refused with a code', async (t) => {
  const stream = (text: string) => Readable.from([text]);
  const refused: [LoadSource, LoadOptions, string][] = [
    [stream('a,b\n1,2\n'), {}, 'OMEN_MISSING_COLUMN'],
    [stream(''), {}, 'OMEN_INVALID_SOURCE'],
    [stream('key\ntrue\n'), {}, 'OMEN_INVALID_SOURCE'],
    [stream('{"key":1,"x":[]}'), {}, 'OMEN_INVALID_SOURCE'],
    [stream('{"key":[1],"x":1}'), {}, 'OMEN_INVALID_SOURCE'],
    [[[1, { value: 1 }]], {}, 'OMEN_INVALID_SOURCE'],
    ['/no/such/file.csv', {}, 'OMEN_INVALID_SOURCE'],
    ['a.csv', { header: 1 as never }, 'OMEN_INVALID_OPTIONS'],
  ];
  for (const [source, options, code] of refused) {
    t.is(await codeOfAsync(inferSchema(source, options)), code);
  }
  const { message } = await errorOf(t, inferSchema(stream('a,b\n1,2\n')));
  t.regex(message, /no field "key"; the source has "a", "b"/);
});
