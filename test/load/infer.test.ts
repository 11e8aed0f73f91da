import test from 'ava';
import fc from 'fast-check';
import { inferCsv, inferJson, kindOfText } from '../../src/load/infer.ts';

const csv = (text: string, header: boolean | readonly string[] = true) =>
  inferCsv(Buffer.from(text), 0, 44, header, ['', 'NA']);

const types = (text: string) =>
  csv(text).fields.map(({ type, nullable }) => `${type}${nullable ? '?' : ''}`);

test('a text is as narrow a type as it can be read back from', (t) => {
  const kinds: Record<string, string[]> = {
    bool: ['true', 'FALSE', 'yes', 'No'],
    int64: ['0', '-1', '9223372036854775807', '-9223372036854775808'],
    float64: ['1.5', '-0.5', '1e3', '.5', 'nan', '-inf', '0.0'],
    timestamp: ['2026-01-02', '2026-01-02 03:04:05', '2026-01-02T03:04:05.678+01:00'],
    utf8: [
      '',
      'a',
      '007',
      '-01',
      '+49',
      '9223372036854775808',
      '2026-13-01',
      '1,5',
      ' 1',
      'y',
      '0x1',
    ],
  };
  for (const [kind, texts] of Object.entries(kinds)) {
    for (const text of texts) t.is(kindOfText(text), kind as never, text);
  }
});

test('types widen by what comes later, and absent values make them nullable', (t) => {
  t.deepEqual(types('a,b,c,d,e,f\n1,1,2026-01-01,true,,x\n2,1.5,5,1,"",\n'), [
    ...['int64', 'float64', 'utf8', 'utf8', 'utf8?', 'utf8?'],
  ]);
  t.deepEqual(types('a,b\nNA,\n3,""\n'), ['int64?', 'utf8?']);
  t.deepEqual(types('a,b\n"1","2"\n'), ['int64', 'int64']);
  // Records that are none are passed over: they are told when they are loaded.
  t.deepEqual(types('a,b\n1\nx,"y"z\n1,2\n'), ['int64', 'int64']);
  t.deepEqual(csv('').fields, []);
  t.deepEqual(types('a\n'), ['utf8']);
});

test('fields have the names that they are given, or numbers', (t) => {
  const names = (header: boolean | readonly string[]) =>
    csv('x,y\n1,2\n', header).fields.map(({ name }) => name);
  t.deepEqual(names(true), ['x', 'y']);
  t.deepEqual(names(false), ['field0', 'field1']);
  t.deepEqual(names(['p', 'q']), ['p', 'q']);
  t.is(csv('1,2\n', false).rows, 1);
});

test('lines of JSON: every member of any line, nested ones are of no type', (t) => {
  const lines = ['{"a":1,"b":true}', '', 'no', '[1]', '{"a":2.5,"c":"2026-01-01","d":null,"e":{}}'];
  t.deepEqual(inferJson(lines.join('\n')), {
    rows: 2,
    fields: [
      { name: 'a', type: 'float64', nullable: false },
      { name: 'b', type: 'bool', nullable: true },
      { name: 'c', type: 'timestamp', nullable: true },
      { name: 'd', type: 'utf8', nullable: true },
      { name: 'e', type: null, nullable: true },
    ],
  });
  t.is(inferJson('{"a":1}\n{"a":"x"}').fields[0].type, 'utf8');
  t.is(inferJson('{"a":1}\n{"a":[]}').fields[0].type, null);
});

test('numbers of any size are told as what reads them back exactly', (t) => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (value) => {
      const isIn = BigInt.asIntN(64, value) === value;
      t.is(kindOfText(String(value)), isIn ? 'int64' : 'utf8');
    }),
  );
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      t.true(['int64', 'float64', 'utf8'].includes(kindOfText(String(value))));
    }),
  );
});
