import test from 'ava';
import { inferSchema } from '../../src/import/infer.ts';
import { codeOf } from '../storage/support.ts';

const ofKeys = (...keys: unknown[]) => inferSchema(keys.map((key) => [key, 'x'])).key;
const ofValues = (...values: unknown[]) => {
  const { columns } = inferSchema(values.map((a, i) => [i, { a, b: 1 }]));
  return columns?.a;
};

test('keys have the narrowest type that takes all of them', (t) => {
  t.is(ofKeys(1, -2), 'int64');
  t.is(ofKeys(1, 2n ** 60n), 'int64');
  t.is(ofKeys(1, 2n ** 63n), 'uint64');
  t.is(ofKeys(1, 0.5), 'float64');
  t.is(ofKeys(1e300), 'float64');
  t.is(ofKeys('a', ''), 'utf8');
  t.is(ofKeys(new Uint8Array(1), Buffer.from('a')), 'binary');
  t.is(ofKeys(new Date()), 'timestamp');
  for (const keys of [[1, 'a'], [true], [-1, 2n ** 63n], [0.5, 2n ** 60n], [null], [['a', 1]]]) {
    t.is(
      codeOf(() => ofKeys(...keys)),
      'OMEN_INVALID_SOURCE',
      String(keys),
    );
  }
});

test('columns are what their values are, and may be null', (t) => {
  t.is(ofValues(1, null, -5), 'int64?');
  t.is(ofValues(1, 0.5, undefined), 'float64?');
  t.is(ofValues(true, false), 'bool?');
  t.is(ofValues(new Date(0)), 'timestamp?');
  t.is(ofValues('a'), 'utf8?');
  t.is(ofValues(new Uint8Array(0)), 'binary?');
  t.is(ofValues(null, undefined), 'utf8?');
  t.deepEqual(
    inferSchema([
      ['k', { a: 1 }],
      ['l', { b: 'x' }],
    ]),
    {
      key: 'utf8',
      columns: { a: 'int64?', b: 'utf8?' },
    },
  );
  const hints = { types: { a: 'float64', c: 'bool' }, required: ['a'], key: 'timestamp' };
  t.deepEqual(inferSchema([[1, { a: 1, b: 2 }]], hints), {
    key: 'timestamp',
    columns: { a: 'float64', c: 'bool?', b: 'int64?' },
  });
});

test('what fits into no columns is a bare value, JSON where it is nothing simpler', (t) => {
  const value = (...values: unknown[]) => inferSchema(values.map((one, i) => [i, one])).value;
  t.is(value('a', ''), 'utf8');
  t.is(value(new Uint8Array(1)), 'binary');
  t.is(value(1, 'a', null, [true]), 'json');
  t.is(value({ a: 1 }, { a: 'x' }), 'json');
  t.is(value({ a: { b: 1 } }), 'json');
  t.is(value({}), 'json');
  for (const values of [[5n, 'a'], [{ a: [1n] }], [new Date(), 'a'], [new Uint8Array(1), 'a']]) {
    t.is(
      codeOf(() => value(...values)),
      'OMEN_INVALID_SOURCE',
      String(values),
    );
  }
  t.is(
    codeOf(() => inferSchema([])),
    'OMEN_INVALID_SOURCE',
  );
});
