/** Parquet of every physical type, encoding and codec that is read, and files that are damaged. */
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import type { CompressionCodec, SchemaElement } from 'hyparquet';
import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer';
import { OmenError } from '../../src/errors.ts';
import { parquetFields, parquetGroups } from '../../src/load/parquet.ts';
import { batchOfGroup } from '../../src/load/parquet-group.ts';
import type { Schema } from '../../src/schema/schema.ts';
import { FIXTURES } from './parquet-fixtures.ts';

const COMPRESSORS = {
  GZIP: (page: Uint8Array) => gzipSync(page),
  ZSTD: (page: Uint8Array) => zstdCompressSync(page),
  BROTLI: (page: Uint8Array) => brotliCompressSync(page),
};

interface Written {
  readonly codec?: CompressionCodec;
  readonly rowGroupSize?: number;
  readonly pageSize?: number;
}

function write(
  elements: readonly SchemaElement[],
  data: Readonly<Record<string, unknown[]>>,
  options: Written = {},
): Uint8Array {
  const columnData = Object.entries(data).map(
    ([name, values]) => ({ name, data: values }) as ColumnSource,
  );
  const root: SchemaElement = { name: 'root', num_children: columnData.length };
  const schema = [root, ...elements];
  return new Uint8Array(
    parquetWriteBuffer({ columnData, schema, compressors: COMPRESSORS, ...options }),
  );
}

const fileOf = (bytes: Uint8Array) => ({
  size: () => bytes.length,
  read: (target: Uint8Array, position: number) => {
    const part = bytes.subarray(position, position + target.length);
    target.set(part);
    return part.length;
  },
});

/** A schema whose key is the first field, and that has a column for each of the others. */
const schemaOf = (names: readonly string[]): Schema => ({
  key: 'int64',
  columns: names.map((name) => ({ name, type: 'utf8', nullable: true })),
  value: null,
});

async function read(
  bytes: Uint8Array,
  key: string,
  names: readonly string[],
): Promise<unknown[][]> {
  const mapping = { key, columns: Object.fromEntries(names.map((name) => [name, name])) };
  const rows: unknown[][] = [];
  for await (const group of parquetGroups(fileOf(bytes), 'x.parquet', schemaOf(names), mapping)) {
    const batch = await batchOfGroup(group);
    for (let row = 0; row < batch.numRows; row++) {
      rows.push(batch.schema.fields.map((_, i) => batch.getChildAt(i)?.get(row)));
    }
  }
  return rows;
}

const required = 'REQUIRED' as const;
const fixed = (length: number) => ({ type: 'FIXED_LEN_BYTE_ARRAY', type_length: length }) as const;

test('every physical type, and what it stands for', async (t) => {
  const elements: [SchemaElement, unknown[], string | null, unknown[]][] = [
    [
      { name: 'i64', type: 'INT64', repetition_type: required },
      [1n, -(2n ** 63n)],
      'int64',
      [1n, -(2n ** 63n)],
    ],
    [{ name: 'i32', type: 'INT32' }, [7, null], 'int32?', [7, null]],
    [{ name: 'i8', type: 'INT32', converted_type: 'INT_8' }, [-5, 5], 'int32?', [-5, 5]],
    [
      { name: 'u32', type: 'INT32', converted_type: 'UINT_32' },
      [4294967295, 1],
      'int64?',
      [4294967295n, 1n],
    ],
    [
      { name: 'u64', type: 'INT64', converted_type: 'UINT_64', repetition_type: required },
      [2n ** 64n - 1n, 0n],
      'int64',
      [2n ** 64n - 1n, 0n],
    ],
    [{ name: 'f32', type: 'FLOAT', repetition_type: required }, [0.5, -1], 'float32', [0.5, -1]],
    [{ name: 'f64', type: 'DOUBLE' }, [null, -0], 'float64?', [null, -0]],
    [{ name: 'bool', type: 'BOOLEAN' }, [true, null], 'bool?', [true, null]],
    [
      { name: 'ms', type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
      [new Date(5), new Date(-5)],
      'timestamp?',
      [5, -5],
    ],
    [
      {
        name: 'us',
        type: 'INT64',
        logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
      },
      [1999n, -1n],
      'timestamp?',
      [1, -1],
    ],
    [
      {
        name: 'ns',
        type: 'INT64',
        logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'NANOS' },
      },
      [1_999_999n, -1n],
      'timestamp?',
      [1, -1],
    ],
    [
      { name: 'day', type: 'INT32', converted_type: 'DATE' },
      [new Date('2026-01-02'), new Date('1969-12-31')],
      'timestamp?',
      [Date.UTC(2026, 0, 2), -86_400_000],
    ],
    [
      { name: 'text', type: 'BYTE_ARRAY', converted_type: 'UTF8' },
      ['ä€😀', null],
      'utf8?',
      ['ä€😀', null],
    ],
    [
      { name: 'raw', type: 'BYTE_ARRAY', repetition_type: required },
      [Uint8Array.of(0, 255), new Uint8Array(0)],
      'binary',
      [Uint8Array.of(0, 255), new Uint8Array(0)],
    ],
    [
      { name: 'four', ...fixed(4), repetition_type: required },
      [Uint8Array.of(1, 2, 3, 4), Uint8Array.of(5, 6, 7, 8)],
      'binary',
      [Uint8Array.of(1, 2, 3, 4), Uint8Array.of(5, 6, 7, 8)],
    ],
    [
      { name: 'half', ...fixed(2), logical_type: { type: 'FLOAT16' } },
      [1.5, null],
      'float32?',
      [1.5, null],
    ],
    [
      { name: 'uuid', ...fixed(16), logical_type: { type: 'UUID' } },
      ['00112233-4455-6677-8899-aabbccddeeff', null],
      'utf8?',
      ['00112233-4455-6677-8899-aabbccddeeff', null],
    ],
    // 1.15 as 115 hundredths: times 0.01 it would be 1.1500000000000001.
    [
      { name: 'money', type: 'INT32', converted_type: 'DECIMAL', scale: 2, precision: 9 },
      [1.15, -0.07],
      'float64?',
      [1.15, -0.07],
    ],
  ];
  const names = elements.map(([{ name }]) => name);
  const bytes = write(
    elements.map(([element]) => ({ repetition_type: 'OPTIONAL', ...element })),
    Object.fromEntries(elements.map(([{ name }, values]) => [name, values])),
  );
  const fields = await parquetFields(fileOf(bytes), 'x.parquet');
  t.deepEqual(
    fields.map(({ name, type, nullable }) => `${name}: ${type}${nullable ? '?' : ''}`),
    elements.map(([{ name }, , type]) => `${name}: ${type}`),
  );
  const rows = await read(bytes, 'i64', names.slice(1));
  t.deepEqual(
    rows,
    [0, 1].map((row) => elements.map(([, , , wanted]) => wanted[row])),
  );
});

test('values come back through every codec and page size, over any number of row groups', async (t) => {
  const value = fc.record({
    n: fc.option(fc.double()),
    i: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    s: fc.option(fc.string({ unit: 'grapheme', maxLength: 8 })),
    b: fc.option(fc.boolean()),
  });
  const codecs = fc.constantFrom<CompressionCodec>(
    'UNCOMPRESSED',
    'SNAPPY',
    'GZIP',
    'ZSTD',
    'BROTLI',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(value, { minLength: 1, maxLength: 60 }),
      codecs,
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 8, max: 400 }),
      async (rows, codec, rowGroupSize, pageSize) => {
        const column = (name: keyof (typeof rows)[0]) => rows.map((row) => row[name]);
        const bytes = write(
          [
            { name: 'i', type: 'INT64', repetition_type: required },
            { name: 'n', type: 'DOUBLE', repetition_type: 'OPTIONAL' },
            { name: 's', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
            { name: 'b', type: 'BOOLEAN', repetition_type: 'OPTIONAL' },
          ],
          { i: column('i'), n: column('n'), s: column('s'), b: column('b') },
          { codec, rowGroupSize, pageSize },
        );
        // −0 and 0 are one word to the writer's dictionaries.
        const plain = (x: unknown) => (x === 0 ? 0 : x);
        const found = await read(bytes, 'i', ['n', 's', 'b']);
        t.deepEqual(
          found.map((row) => row.map(plain)),
          rows.map(({ n, i, s, b }) => [i, plain(n), s, b]),
        );
      },
    ),
    { numRuns: 60 },
  );
});

const SIMPLE: SchemaElement[] = [
  { name: 'i', type: 'INT64', repetition_type: required },
  { name: 's', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
];

test('a nested column is refused by its name, and passed over where nobody wants it', async (t) => {
  const bytes = new Uint8Array(
    parquetWriteBuffer({
      schema: [
        { name: 'root', num_children: 2 },
        { name: 'i', type: 'INT64', repetition_type: required },
        { name: 'list', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        { name: 'element', type: 'INT32', repetition_type: 'OPTIONAL' },
      ],
      columnData: [
        { name: 'i', data: [1n, 2n] },
        { name: 'list', data: [[1, 2], []] },
      ],
    }),
  );
  t.deepEqual(await parquetFields(fileOf(bytes), 'x.parquet'), [
    { name: 'i', type: 'int64', nullable: false },
    { name: 'list', type: null, nullable: true },
  ]);
  const error = await t.throwsAsync(read(bytes, 'i', ['list']), { code: 'OMEN_INVALID_SOURCE' });
  t.regex(error?.message ?? '', /column "list" of x\.parquet is nested/);
  t.deepEqual(await read(bytes, 'i', []), [[1n], [2n]]);
});

test('a file that is cut short anywhere is refused with a code', async (t) => {
  const bytes = write(SIMPLE, { i: [1n, 2n, 3n], s: ['a', null, 'bb'] });
  for (let length = 0; length < bytes.length; length++) {
    await t.throwsAsync(read(bytes.subarray(0, length), 'i', ['s']), {
      code: 'OMEN_INVALID_SOURCE',
    });
  }
});

test('whatever byte is damaged, it is read or refused with a code', async (t) => {
  const bytes = write(
    SIMPLE,
    { i: [1n, 2n, 3n, 3n, 3n], s: ['a', null, 'bb', 'bb', 'bb'] },
    { codec: 'GZIP' },
  );
  let refused = 0;
  for (let at = 0; at < bytes.length; at++) {
    for (const mask of [0x01, 0x80, 0xff]) {
      const damaged = bytes.slice();
      damaged[at] ^= mask;
      try {
        await read(damaged, 'i', ['s']);
      } catch (error) {
        if (!(error instanceof OmenError)) throw error;
        t.true(
          ['OMEN_INVALID_SOURCE', 'OMEN_MISSING_COLUMN'].includes(error.code),
          `${at}: ${error.stack}`,
        );
        refused++;
      }
    }
  }
  t.true(refused > bytes.length);
});

test('pages of the first version, as another writer has them', async (t) => {
  for (const [name, text] of Object.entries(FIXTURES)) {
    const rows = await read(Buffer.from(text, 'base64'), 'id', ['x', 'name', 'money', 'ts']);
    const wanted = Array.from({ length: 40 }, (_, i) => [
      BigInt(i),
      i % 3 === 0 ? null : i / 4,
      `name ${i % 3}`,
      Number((1.15 * i).toFixed(2)),
      Date.UTC(2026, 0, 1, 0, 0, i, 123),
    ]);
    t.deepEqual(rows, wanted, name);
  }
});
