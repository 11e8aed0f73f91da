import test from 'ava';
import fc from 'fast-check';
import {
  COLUMN_TYPES,
  type Column,
  EXPIRES_COLUMN,
  expiresColumn,
  isVariable,
  KEY_TYPES,
  ownColumns,
  parseSchema,
  type Schema,
  type SchemaOptions,
  schemaOptions,
  VALUE_TYPES,
} from '../../src/schema/schema.ts';
import { show } from '../../src/schema/show.ts';
import { columns } from './arbitraries.ts';

const INVALID = { name: 'OmenError', code: 'OMEN_INVALID_OPTIONS' };

test('every type is understood, with and without a question mark', (t) => {
  for (const key of KEY_TYPES) {
    for (const type of COLUMN_TYPES) {
      t.deepEqual(parseSchema({ key, columns: { a: type, b: `${type}?` } }), {
        key,
        columns: [
          { name: 'a', type, nullable: false },
          { name: 'b', type, nullable: true },
        ],
        value: null,
      });
    }
  }
});

test('a bare value is one column that is never null', (t) => {
  const types = VALUE_TYPES.map((value) => {
    const schema = parseSchema({ key: 'int64', value });
    t.is(schema.value, value);
    t.is(schema.columns.length, 1);
    t.false(schema.columns[0].nullable);
    return schema.columns[0].type;
  });
  t.deepEqual(types, ['utf8', 'utf8', 'binary']);
});

test('a schema survives being written as options and read again', (t) => {
  fc.assert(
    fc.property(fc.constantFrom(...KEY_TYPES), columns, (key, drawn) => {
      const schema: Schema = { key, columns: drawn, value: null };
      const text = JSON.stringify(schemaOptions(schema));
      t.deepEqual(parseSchema(JSON.parse(text) as SchemaOptions), schema);
    }),
  );
  for (const value of VALUE_TYPES) {
    const schema = parseSchema({ key: 'uint64', value });
    t.deepEqual(parseSchema(schemaOptions(schema)), schema);
  }
});

test('where rows may expire there is one column more, which options do not name', (t) => {
  const expires = { name: EXPIRES_COLUMN, type: 'timestamp', nullable: true };
  for (const ttl of [true, 1, 60_000, 2 ** 52]) {
    for (const what of [{ value: 'json' }, { columns: { a: 'int32', b: 'utf8?' } }]) {
      const schema = parseSchema({ key: 'utf8', ...what, ttl });
      const plain = parseSchema({ key: 'utf8', ...what });
      t.deepEqual(schema, { ...plain, columns: [...plain.columns, expires] as Column[], ttl });
      t.deepEqual(ownColumns(schema), plain.columns);
      t.is(expiresColumn(schema), plain.columns.length);
      t.deepEqual(parseSchema(schemaOptions(schema)), schema);
    }
  }
  for (const ttl of [undefined, false]) {
    const schema = parseSchema({ key: 'utf8', value: 'json', ttl });
    t.deepEqual(schema, parseSchema({ key: 'utf8', value: 'json' }));
    t.deepEqual([ownColumns(schema), expiresColumn(schema)], [schema.columns, -1]);
  }
});

test('columns keep the order they were given in', (t) => {
  const names = ['z', 'a', 'ä', 'constructor', 'toString', 'hasOwnProperty', 'with "quotes"\n'];
  const options = { key: 'int64', columns: Object.fromEntries(names.map((n) => [n, 'int32'])) };
  t.deepEqual(
    parseSchema(options).columns.map(({ name }) => name),
    names,
  );
});

test('options that are no schema are refused, whatever they hold', (t) => {
  const bare = { key: 'int64', value: 'json' };
  const wrong: unknown[] = [
    {},
    { key: 'int64' },
    { value: 'json' },
    { ...bare, columns: { a: 'int32' } },
    ...['Int64', '', 'int32', 5, 5n, null, [], Object.create(null), Symbol('k')].map((key) => ({
      ...bare,
      key,
    })),
    ...['JSON', 'utf8?', '', 5n, null].map((value) => ({ ...bare, value })),
    ...[0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 52 + 1, '60', 5n, null, {}].map(
      (ttl) => ({ ...bare, ttl }),
    ),
    ...[null, {}, 'int32', 5n, ['int32']].map((columns) => ({ key: 'int64', columns })),
    ...['int', 'int32??', '?', '', null, undefined, 5n, ['int32'], Object.create(null)].map(
      (a) => ({
        key: 'int64',
        columns: { a },
      }),
    ),
  ];
  for (const options of wrong) t.throws(() => parseSchema(options as SchemaOptions), INVALID);
});

test('names that are taken, empty or no text are refused as columns', (t) => {
  for (const name of ['', 'key', '_omen_flags', '_omen_', '\ud800', 'a\udc00b']) {
    t.throws(() => parseSchema({ key: 'int64', columns: { [name]: 'int32' } }), INVALID, name);
  }
  const columns = JSON.parse('{"__proto__": "int32"}') as Record<string, string>;
  t.throws(() => parseSchema({ key: 'int64', columns }), INVALID);
});

test('a database has 1,024 columns at most', (t) => {
  const of = (count: number) => ({
    key: 'int64',
    columns: Object.fromEntries(Array.from({ length: count }, (_, i) => [`c${i}`, 'bool'])),
  });
  t.is(parseSchema(of(1024)).columns.length, 1024);
  t.throws(() => parseSchema(of(1025)), INVALID);
});

test('text and bytes vary in length, nothing else does', (t) => {
  t.deepEqual(COLUMN_TYPES.filter(isVariable), ['utf8', 'binary']);
});

test('any value has a short text, and none is asked for its own', (t) => {
  const hostile = {
    toString: () => t.fail(),
    toJSON: () => t.fail(),
    get [Symbol.toPrimitive]() {
      return t.fail();
    },
    [Symbol.for('nodejs.util.inspect.custom')]: () => t.fail(),
  };
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const long = [Array(1e5).fill(1), 'x'.repeat(1e6)];
  for (const value of [hostile, revoked.proxy, Symbol('s'), 5n, Object.create(null), ...long]) {
    t.true(show(value).length < 200);
  }
  t.is(show('it'), "'it'");
});
