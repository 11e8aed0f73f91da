import {
  Bool,
  DateDay,
  Decimal,
  Dictionary,
  Field,
  Float16,
  Float64,
  Int8,
  Int64,
  List,
  Schema,
  TimestampNanosecond,
  Uint16,
  Uint32,
  Utf8,
} from 'apache-arrow';
import test from 'ava';
import { inferArrow } from '../../src/load/infer-arrow.ts';

test('every type of Arrow that a column takes has one, the others have none', (t) => {
  const types = {
    ...{ i8: new Int8(), u16: new Uint16(), u32: new Uint32(), i64: new Int64() },
    ...{ f16: new Float16(), f64: new Float64(), bool: new Bool(), text: new Utf8() },
    ...{ words: new Dictionary(new Utf8(), new Uint16()), day: new DateDay() },
    ...{ ns: new TimestampNanosecond(), dec: new Decimal(2, 10, 128) },
    list: new List(new Field('item', new Int8())),
  };
  const schema = new Schema(
    Object.entries(types).map(([name, type]) => new Field(name, type, name === 'f64')),
  );
  t.deepEqual(
    inferArrow(schema).map(({ name, type }) => [name, type]),
    [
      ...[
        ['i8', 'int32'],
        ['u16', 'int32'],
        ['u32', 'int64'],
        ['i64', 'int64'],
        ['f16', 'float32'],
      ],
      ...[
        ['f64', 'float64'],
        ['bool', 'bool'],
        ['text', 'utf8'],
        ['words', 'utf8'],
      ],
      ...[
        ['day', 'timestamp'],
        ['ns', 'timestamp'],
        ['dec', 'float64'],
        ['list', null],
      ],
    ],
  );
  t.deepEqual(
    inferArrow(schema)
      .filter(({ nullable }) => nullable)
      .map(({ name }) => name),
    ['f64'],
  );
});
