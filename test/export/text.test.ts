/** Record batches as CSV and lines of JSON: read back by others' readers, and by ours in test/coordinator. */
import {
  Binary,
  Bool,
  Field,
  Float32,
  Float64,
  Int32,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  TimestampMillisecond,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import test from 'ava';
import fc from 'fast-check';
import { type EncoderOptions, encoderFor } from '../../src/export/encoder.ts';
import type { ExportField } from '../../src/export/field.ts';
import { CsvRecords } from '../../src/load/csv.ts';

const TYPES = {
  ...{ int32: Int32, float32: Float32, float64: Float64, bool: Bool },
  ...{ timestamp: TimestampMillisecond, utf8: Utf8, binary: Binary },
};

type Type = keyof typeof TYPES;

const field = (name: string, type: Type, isJson = false): ExportField => ({
  ...{ name, type, nullable: true, isJson },
});

/** A batch of columns, given as arrays of equal length. */
function batchOf(fields: readonly ExportField[], columns: readonly (readonly unknown[])[]) {
  const children = fields.map(({ type }, i) => {
    const vector = vectorFromArray(columns[i], new TYPES[type as Type]());
    return vector.data[0] ?? makeData({ type: vector.type });
  });
  const schema = new Schema(fields.map(({ name }, i) => new Field(name, children[i].type, true)));
  const { length } = columns[0];
  return new RecordBatch(
    schema,
    makeData({ type: new Struct(schema.fields), length, nullCount: 0, children }),
  );
}

const CSV: EncoderOptions = { format: 'csv', delimiter: 44, header: true, compress: undefined };

async function textOf(
  fields: readonly ExportField[],
  batches: readonly RecordBatch[],
  options: EncoderOptions,
): Promise<string> {
  const encoder = await encoderFor(fields, options);
  const pieces = batches.map((batch) => encoder.encode(batch));
  return Buffer.concat([...pieces, encoder.finish()]).toString();
}

const FIELDS = [
  ...[field('i', 'int32'), field('x', 'float64'), field('is, on', 'bool'), field('t', 'timestamp')],
  ...[field('text', 'utf8'), field('bytes', 'binary')],
];
const COLUMNS = [
  [1, -2147483648, null],
  [0.5, Number.NaN, null],
  [true, false, null],
  [Date.UTC(2026, 0, 1, 12), -1, null],
  ['a "b", ä\r\n\t\u0001\u2028', '', null],
  [Uint8Array.of(1, 2), new Uint8Array(0), null],
];

test('CSV has a header, quotes where they are needed, and tells nothing from an empty text', async (t) => {
  t.is(
    await textOf(FIELDS, [batchOf(FIELDS, COLUMNS)], CSV),
    'i,x,"is, on",t,text,bytes\n' +
      '1,0.5,true,2026-01-01T12:00:00Z,"a ""b"", ä\r\n\t\u0001\u2028",AQI=\n' +
      '-2147483648,NaN,false,1969-12-31T23:59:59.999Z,"",""\n' +
      ',,,,,\n',
  );
});

test('lines of JSON have every field, and names for what JSON has no number for', async (t) => {
  const text = await textOf(FIELDS, [batchOf(FIELDS, COLUMNS)], { ...CSV, format: 'ndjson' });
  const [first, second, third, end] = text.split('\n');
  t.deepEqual(JSON.parse(first), {
    ...{ i: 1, x: 0.5, 'is, on': true, t: '2026-01-01T12:00:00Z' },
    ...{ text: 'a "b", ä\r\n\t\u0001\u2028', bytes: 'AQI=' },
  });
  t.deepEqual(JSON.parse(second), {
    ...{ i: -2147483648, x: 'NaN', 'is, on': false, t: '1969-12-31T23:59:59.999Z' },
    ...{ text: '', bytes: '' },
  });
  t.is(third, '{"i":null,"x":null,"is, on":null,"t":null,"text":null,"bytes":null}');
  t.is(end, '');
});

test('what is JSON stands in a line of JSON as it is, and in one line', async (t) => {
  const fields = [field('value', 'utf8', true)];
  const batch = batchOf(fields, [['{\n\t"a": [1, "x\\n"]\r\n}', 'null']]);
  t.is(
    await textOf(fields, [batch], { ...CSV, format: 'ndjson' }),
    '{"value":{  "a": [1, "x\\n"]  }}\n{"value":null}\n',
  );
  t.is(
    await textOf(fields, [batch], { ...CSV, header: false }),
    '"{\n\t""a"": [1, ""x\\n""]\r\n}"\nnull\n',
  );
});

test('every record is a line of its own, be it without anything in it', async (t) => {
  const fields = [field('text', 'utf8')];
  const batch = batchOf(fields, [[null, 'a', '']]);
  t.is(await textOf(fields, [batch], { ...CSV, header: false }), '""\na\n""\n');
});

test('without rows there is a header, or nothing', async (t) => {
  t.is(await textOf([field('a', 'utf8')], [], CSV), 'a\n');
  t.is(await textOf([field('a', 'utf8')], [], { ...CSV, header: false }), '');
  t.is(await textOf([field('a', 'utf8')], [], { ...CSV, format: 'ndjson' }), '');
});

const texts = fc.array(
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.string({
      unit: fc.constantFrom('"', ',', ';', '\n', '\r', 'a', ' ', '\uFEFF'),
      maxLength: 9,
    }),
  ),
  { minLength: 1, maxLength: 20 },
);

test('any text is what it was when it is read, whatever delimits it', async (t) => {
  const property = fc.asyncProperty(
    texts,
    fc.constantFrom(',', ';', '\t', 'a', ' '),
    async (some, by) => {
      const fields = [field('text', 'utf8'), field('again', 'utf8')];
      // Two batches: the second one is a slice, whose offsets begin elsewhere.
      const whole = batchOf(fields, [some, some.toReversed()]);
      const from = Math.floor(some.length / 2);
      const batches = [whole, whole.slice(from)];
      const pairs = some.map((text, i) => [text, some[some.length - 1 - i]]);
      const expected = [...pairs, ...pairs.slice(from)];

      const options = { ...CSV, header: false, delimiter: by.charCodeAt(0) };
      const csv = Buffer.from(await textOf(fields, batches, options));
      const records = new CsvRecords(csv, options.delimiter);
      const found: string[][] = [];
      while (records.next()) {
        t.is(records.fault, null);
        found.push(Array.from({ length: records.count }, (_, i) => records.text(i)));
      }
      t.deepEqual(found, expected);
      t.false(csv.subarray(0, 3).equals(Buffer.from('\uFEFF')));

      const lines = (await textOf(fields, batches, { ...CSV, format: 'ndjson' }))
        .trimEnd()
        .split('\n');
      t.deepEqual(
        lines.map((line) => Object.values(JSON.parse(line))),
        expected,
      );
    },
  );
  await fc.assert(property, { numRuns: 300 });
});
