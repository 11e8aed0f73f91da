/** Parquet as it is exported, read by hyparquet. */

import { Writable } from 'node:stream';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import test from 'ava';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { ParquetEncoder } from '../../src/export/parquet.ts';
import { type OpenOptions, open } from '../../src/index.ts';
import { temporaryDirectory } from '../storage/support.ts';

const COLUMNS = {
  a: 'int32',
  b: 'int64?',
  c: 'float32?',
  d: 'float64',
  e: 'bool?',
  f: 'timestamp?',
  g: 'utf8?',
  h: 'binary?',
} as const;

async function parquetOf(
  t: Parameters<typeof temporaryDirectory>[0],
  options: OpenOptions,
  rows: readonly (readonly [number | bigint, unknown])[],
  compress?: 'gzip' | 'zstd',
): Promise<ArrayBuffer> {
  await using db = await open(temporaryDirectory(t), { ...options, shards: 2 });
  await db.bulkLoad(rows);
  const pieces: Buffer[] = [];
  const target = new Writable({
    write(chunk, _, done) {
      pieces.push(chunk);
      done();
    },
  });
  await db.export(target, { format: 'parquet', compress });
  const all = Buffer.concat(pieces);
  return all.buffer.slice(all.byteOffset, all.byteOffset + all.length);
}

const compressors = {
  GZIP: (input: Uint8Array) => gunzipSync(input),
  ZSTD: (input: Uint8Array) => zstdDecompressSync(input),
};

test('every type is what it was, nulls and the ends of ranges among them', async (t) => {
  const rows = [
    [
      0,
      {
        ...{
          a: -(2 ** 31),
          b: -(2n ** 63n),
          c: -0,
          d: -0,
          e: true,
          f: -1,
          g: '',
          h: new Uint8Array(0),
        },
      },
    ],
    [1, { a: 0, b: null, c: null, d: 0, e: null, f: null, g: null, h: null }],
    [
      2n ** 64n - 1n,
      {
        ...{
          a: 2 ** 31 - 1,
          b: 2n ** 63n - 1n,
          c: Number.NaN,
          d: Number.NEGATIVE_INFINITY,
          e: false,
        },
        ...{ f: Date.UTC(2026, 0, 1), g: 'ä€😀', h: Uint8Array.of(0, 255) },
      },
    ],
  ] as const;
  for (const compress of [undefined, 'gzip', 'zstd'] as const) {
    const file = await parquetOf(t, { key: 'uint64', columns: COLUMNS }, rows, compress);
    const found = await parquetReadObjects({ file, compressors, utf8: false });
    t.deepEqual(
      found.map(({ key, f, h, ...row }) => [
        BigInt.asUintN(64, key),
        { ...row, f: f instanceof Date ? f.getTime() : f, h: h && Uint8Array.from(h) },
      ]),
      rows.map(([key, { f, h, ...row }]) => [BigInt(key), { ...row, f, h }]),
    );
    const { row_groups, schema } = parquetMetadata(file);
    const codec = { none: 'SNAPPY', gzip: 'GZIP', zstd: 'ZSTD' }[compress ?? 'none'];
    t.is(String(row_groups[0].columns[1].meta_data?.codec), codec);
    t.deepEqual(
      schema.slice(1).map(({ name, repetition_type }) => [name, repetition_type]),
      [
        ['key', 'REQUIRED'],
        ...Object.entries(COLUMNS).map(([name, type]) => [
          name,
          type.endsWith('?') ? 'OPTIONAL' : 'REQUIRED',
        ]),
      ],
    );
  }
});

test('rows come in groups, and values that repeat come back in their places', async (t) => {
  const rows = Array.from(
    { length: 300_000 },
    (_, i) =>
      [i, { n: i % 7 === 0 ? null : i % 3, text: `text ${i % 11}`, zero: i % 2 ? -0 : 0 }] as const,
  );
  const columns = { n: 'int64?', text: 'utf8', zero: 'float64' } as const;
  const file = await parquetOf(t, { key: 'int64', columns }, rows);
  const { row_groups } = parquetMetadata(file);
  t.true(row_groups.length > 1);
  const found = await parquetReadObjects({ file });
  t.is(found.length, rows.length);
  const wrong = found.findIndex(({ key, n, text, zero }, i) => {
    const [, row] = rows[i];
    const same = n === (row.n === null ? null : BigInt(row.n)) && text === row.text;
    return key !== BigInt(i) || !same || !Object.is(zero, row.zero);
  });
  t.is(wrong, -1);
});

test('without rows it is a file all the same', async (t) => {
  const encoder = new ParquetEncoder(
    [{ name: 'key', type: 'int64', nullable: false, isJson: false }],
    undefined,
  );
  const bytes = encoder.finish();
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  t.is(parquetMetadata(file).num_rows, 0n);
  t.deepEqual(await parquetReadObjects({ file }), []);
});
