/** Our files as others see them, and others' files as we see them; apache-arrow stands for the others. */
import { zstdCompressSync } from 'node:zlib';
import {
  Schema as ArrowSchema,
  Bool,
  CompressionType,
  compressionRegistry,
  type DataType,
  Decimal,
  Dictionary,
  Field,
  Float64,
  Int16,
  Int32,
  Int64,
  RecordBatchReader,
  RecordBatchStreamWriter,
  Struct,
  Table,
  TimestampMicrosecond,
  TimestampMillisecond,
  tableFromIPC,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import test from 'ava';
import { readSegment } from '../../src/arrow/reader.ts';
import type { KeyType, Schema } from '../../src/schema/schema.ts';
import {
  EVERY_TYPE,
  randomRows,
  seededRandom,
  segmentFile,
  storageOf,
  type Value,
} from './helpers.ts';

const METADATA = { 'omendb.version': '1', 'omendb.file': 'segment-000007' };

/** A value as apache-arrow gives it: an int64 is a bigint, a timestamp a number. */
function asArrow(value: Value, type: string): unknown {
  if (value === null) return null;
  return type === 'int64' || type === 'uint64' ? BigInt(value as number | bigint) : value;
}

for (const rows of [0, 1, 500]) {
  for (const flags of [false, true]) {
    test(`apache-arrow reads every value of ${rows} rows ${flags ? 'with' : 'without'} flags`, (t) => {
      const from = randomRows(EVERY_TYPE, rows, seededRandom(rows), flags);
      const table = tableFromIPC(segmentFile(from, METADATA).bytes);
      t.is(table.numRows, rows);
      t.deepEqual(Object.fromEntries(table.schema.metadata), METADATA);
      const names = ['key', ...EVERY_TYPE.columns.map(({ name }) => name)];
      t.deepEqual(
        table.schema.fields.map(({ name }) => name),
        flags ? [...names, '_omen_flags'] : names,
      );
      t.deepEqual(
        Array.from(table.getChild('key') ?? []),
        from.keys.map((key) => BigInt(Number(key))),
      );
      for (const [c, { name, type, nullable }] of EVERY_TYPE.columns.entries()) {
        const values = from.columns[c].map((value) => asArrow(value, type));
        t.deepEqual(Array.from(table.getChild(name) ?? []), values, name);
        t.is(table.schema.fields[c + 1].nullable, nullable);
      }
      if (from.deleted !== null) {
        const bits = from.deleted.map((deleted) => (deleted ? 1 : 0));
        t.deepEqual(Array.from(table.getChild('_omen_flags') ?? []), bits);
      }
    });
  }
}

test('keys of every type arrive with their type and their value', (t) => {
  const long = 'x'.repeat(65_536);
  const cases: [KeyType, string, (number | bigint | string | Uint8Array)[]][] = [
    ['int64', 'Int64', [-(2n ** 63n), -1n, 0n, 2n ** 63n - 1n]],
    ['uint64', 'Uint64', [0n, 1n, 2n ** 64n - 1n]],
    ['float64', 'Float64', [-Infinity, -1.5, 0, 5e-324, Infinity]],
    ['timestamp', 'Timestamp<MILLISECOND>', [-8.64e15, 0, 1_700_000_000_000]],
    ['utf8', 'Utf8', ['', 'a', 'a\0', 'grün', long, '🌊']],
    [
      'binary',
      'Binary',
      [new Uint8Array(0), Uint8Array.of(0), Uint8Array.of(0, 0), Buffer.from(long)],
    ],
  ];
  for (const [key, type, keys] of cases) {
    const schema: Schema = {
      key,
      columns: [{ name: 'value', type: 'utf8', nullable: false }],
      value: 'json',
    };
    const columns = [keys.map((_, i) => JSON.stringify({ i }))];
    const { bytes } = segmentFile({ schema, keys, columns, deleted: null });
    const table = tableFromIPC(bytes);
    t.is(String(table.schema.fields[0].type), type);
    const given = Array.from(table.getChild('key') ?? [], (each) =>
      each instanceof Uint8Array ? Buffer.from(each) : each,
    );
    t.deepEqual(
      given,
      keys.map((each) => (each instanceof Uint8Array ? Buffer.from(each) : each)),
    );
    t.deepEqual(Array.from(table.getChild('value') ?? []), columns[0]);
  }
});

test('every buffer of the body starts on a multiple of 64 in the file', (t) => {
  const file = segmentFile(randomRows(EVERY_TYPE, 77, seededRandom(1), true));
  // In place: apache-arrow's views tell where in the file they lie.
  const place = file.bytes.buffer as ArrayBuffer;
  const [batch] = RecordBatchReader.from(new Uint8Array(place)).readAll() as Iterable<{
    data: { children: { buffers: (Uint8Array | undefined)[] }[] };
  }>;
  let buffers = 0;
  for (const { buffers: views } of batch.data.children) {
    for (const view of Object.values(views)) {
      if (view === undefined || view.byteLength === 0) continue;
      t.is(view.buffer, place);
      t.is(view.byteOffset % 64, 0);
      buffers += 1;
    }
  }
  // The key, 16 columns, the validity of half of them, the offsets of four, the flags.
  t.is(buffers, 1 + 16 + 8 + 4 + 1);
});

test('the footer leads to the batch, and what stands before it is a stream', (t) => {
  const { bytes } = segmentFile(randomRows(EVERY_TYPE, 7, seededRandom(1), false));
  const reader = RecordBatchReader.from(bytes);
  t.true(reader.isFile());
  const stream = tableFromIPC(bytes.subarray(8));
  t.deepEqual(stream.toArray().map(String), tableFromIPC(bytes).toArray().map(String));
});

const SCHEMA: Schema = {
  key: 'int64',
  columns: [{ name: 'v', type: 'int32', nullable: true }],
  value: null,
};

function foreignTable(type: DataType, values: unknown[]): Table {
  return new Table({
    key: vectorFromArray([1n, 2n, 3n].slice(0, values.length), new Int64()),
    v: vectorFromArray(values, type),
  });
}

const bool = new Field('b', new Bool());
/** A file as others write it: the schema and the batches of a stream. (apache-arrow leaves the schema to the footer.) */
const inFile = (stream: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from('ARROW1\0\0'), stream]);

const withColumn = (type: DataType, values: unknown[]): Uint8Array =>
  inFile(tableToIPC(foreignTable(type, values), 'stream'));

const withoutRows = (type: DataType): Uint8Array =>
  inFile(tableToIPC(new Table(new ArrowSchema([new Field('key', type)])), 'stream'));

function compressed(): Uint8Array {
  compressionRegistry.set(CompressionType.ZSTD, {
    encode: (data) => zstdCompressSync(data),
    decode: (data) => data,
  });
  const writer = new RecordBatchStreamWriter({ compressionType: CompressionType.ZSTD });
  return inFile(writer.writeAll(foreignTable(new Int32(), [1, 2, 3])).toUint8Array(true));
}

const FOREIGN: Record<string, [write: () => Uint8Array, refusal: RegExp]> = {
  'of eight-byte frames': [
    () => withColumn(new Int32(), [1, 2, null]),
    /a body of \d+ bytes cannot be at|its fields are not/,
  ],
  'with a dictionary': [
    () => withColumn(new Dictionary(new Utf8(), new Int32()), ['a', 'b', 'a']),
    /a field has a dictionary/,
  ],
  'with small integers': [() => withColumn(new Int16(), [1, 2]), /a type that is none of ours/],
  'with a nested type': [
    () => withColumn(new Struct([bool]), [{ b: true }, { b: false }]),
    /a list of 1 in the metadata/,
  ],
  'with a time zone': [
    () => withColumn(new TimestampMillisecond('UTC'), [1, 2]),
    /a timestamp has a time zone/,
  ],
  'with microseconds': [
    () => withColumn(new TimestampMicrosecond(), [1, 2]),
    /a type that is none of ours/,
  ],
  'with decimals': [() => withoutRows(new Decimal(1, 2)), /a type that is none of ours/],
  'without a batch': [() => withoutRows(new Float64()), /metadata points outside/],
  'with a compressed body': [compressed, /a compressed body/],
  'without the schema up front': [
    () => tableToIPC(foreignTable(new Int32(), [1, 2]), 'file'),
    /a message is not of the expected kind/,
  ],
  'that is a stream': [
    () => tableToIPC(foreignTable(new Int32(), [1, 2]), 'stream'),
    /does not start as an Arrow file/,
  ],
};

for (const [what, [write, refusal]] of Object.entries(FOREIGN)) {
  test(`an Arrow file ${what} is no segment`, (t) => {
    const bytes = write();
    const expected = { fileBytes: bytes.length, pageCrcs: null };
    t.throws(() => readSegment(storageOf('s', bytes), 's', SCHEMA, expected), {
      code: 'OMEN_CORRUPT',
      message: refusal,
    });
  });
}
