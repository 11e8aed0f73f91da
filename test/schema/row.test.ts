import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { ErrorCode } from '../../src/errors.ts';
import { memtableRowReader } from '../../src/schema/decode.ts';
import { layoutRow, ROW_BYTES_MAX, RowEncoder, viewsOf } from '../../src/schema/row.ts';
import { parseSchema, type Schema } from '../../src/schema/schema.ts';
import { columns, INT64_MAX, INT64_MIN, rowsOf } from './arbitraries.ts';

function schemaOf(declared: Record<string, string>): Schema {
  return parseSchema({ key: 'int64', columns: declared });
}

/** Encodes a row, puts its bytes at `at` of an arena full of other bytes, and reads it there. */
function throughArena(encoder: RowEncoder, row: unknown, bigints = true, at = 64): unknown {
  const bytes = encoder.encode(row);
  const arena = new SharedArrayBuffer(at + ((bytes + 15) & ~7));
  const views = viewsOf(arena);
  views.u8.fill(0xa5);
  views.u8.set(encoder.views.u8.subarray(0, bytes), at);
  return memtableRowReader(encoder.schema, bigints)(views, Buffer.from(arena), at);
}

function refused(t: ExecutionContext, schema: Schema, row: unknown, code: ErrorCode): void {
  t.throws(() => new RowEncoder(schema).encode(row), { name: 'OmenError', code });
}

test('every row is read back as it was written', (t) => {
  const schemas = columns.map((drawn): Schema => ({ key: 'int64', columns: drawn, value: null }));
  const drawnRows = schemas.chain((schema) =>
    fc.tuple(fc.constant(schema), fc.array(rowsOf(schema.columns), { minLength: 1, maxLength: 4 })),
  );
  fc.assert(
    fc.property(drawnRows, ([schema, rows]) => {
      const encoder = new RowEncoder(schema);
      for (const row of rows) t.deepEqual(throughArena(encoder, row), row);
    }),
    { numRuns: 150 },
  );
});

test('slots lie aligned, apart from each other and behind the null bits', (t) => {
  const width = {
    float64: 8,
    int64: 8,
    timestamp: 8,
    float32: 4,
    int32: 4,
    utf8: 4,
    binary: 4,
    bool: 1,
  };
  fc.assert(
    fc.property(columns, (drawn) => {
      const { nullBytes, offsets, fixedBytes } = layoutRow({
        key: 'int64',
        columns: drawn,
        value: null,
      });
      const nullable = drawn.some((column) => column.nullable);
      const used = new Set<number>();
      drawn.forEach(({ type }, i) => {
        if (offsets[i] % width[type] !== 0) throw new Error(`${type} at ${offsets[i]}`);
        for (let b = 0; b < width[type]; b++) used.add(offsets[i] + b);
      });
      const sum = drawn.reduce((bytes, { type }) => bytes + width[type], 0);
      return (
        nullBytes % 8 === 0 &&
        8 * nullBytes >= (nullable ? drawn.length : 0) &&
        nullable === nullBytes > 0 &&
        used.size === sum &&
        Math.min(...used) === nullBytes &&
        fixedBytes === nullBytes + sum
      );
    }),
  );
  t.pass();
});

test('the bytes of a row are what they were when the format was fixed', (t) => {
  const encoder = new RowEncoder(
    schemaOf({ b: 'bool', s: 'utf8?', n: 'int64', f: 'float32?', x: 'binary' }),
  );
  const bytes = encoder.encode({ b: true, s: 'zß', n: -2n, x: Uint8Array.of(1, 2) });
  const hex = Buffer.from(encoder.views.u8.subarray(0, bytes)).toString('hex');
  const nulls = '0800000000000000';
  const slots = `feffffffffffffff${'03000000'}${'00000000'}${'02000000'}01`;
  t.is(hex, `${nulls}${slots}7ac39f0102`);
});

test('an absent nullable column is null, and so is an undefined one', (t) => {
  const encoder = new RowEncoder(schemaOf({ a: 'int32?', s: 'utf8?', x: 'binary?', b: 'bool?' }));
  const nothing = { a: null, s: null, x: null, b: null };
  throughArena(encoder, { a: -1, s: 'before', x: Uint8Array.of(9), b: true });
  t.deepEqual(throughArena(encoder, {}), nothing);
  t.deepEqual(throughArena(encoder, { a: undefined, s: undefined, x: null }), nothing);
});

test('null bits are told apart beyond the first word of them', (t) => {
  const names = Array.from({ length: 130 }, (_, i) => `c${i}`);
  const schema = schemaOf(Object.fromEntries(names.map((name) => [name, 'int32?'])));
  const encoder = new RowEncoder(schema);
  for (const present of [0, 7, 8, 63, 64, 65, 127, 128, 129]) {
    const expected = Object.fromEntries(names.map((name, i) => [name, i === present ? i : null]));
    t.deepEqual(throughArena(encoder, { [`c${present}`]: present }), expected);
  }
});

test('1,024 columns of text are read back', (t) => {
  const names = Array.from({ length: 1024 }, (_, i) => `c${i}`);
  const schema = schemaOf(Object.fromEntries(names.map((name) => [name, 'utf8?'])));
  const row = Object.fromEntries(names.map((name, i) => [name, i % 3 === 0 ? null : `text ${i}`]));
  t.deepEqual(throughArena(new RowEncoder(schema), row), row);
});

test('empty texts and bytes are neither null nor their neighbours', (t) => {
  const encoder = new RowEncoder(schemaOf({ a: 'utf8', b: 'binary', c: 'utf8?', d: 'utf8' }));
  const row = { a: '', b: new Uint8Array(0), c: '', d: 'd' };
  t.deepEqual(throughArena(encoder, row), row);
  const bare = new RowEncoder(parseSchema({ key: 'int64', value: 'utf8' }));
  t.is(throughArena(bare, ''), '');
});

test('names that plain objects have already are columns like others', (t) => {
  const names = ['constructor', 'toString', 'hasOwnProperty', 'a"b\\c\n', '\u2028', '0', '`'];
  const schema = schemaOf(Object.fromEntries(names.map((name) => [name, 'int32'])));
  const row = Object.fromEntries(names.map((name, i) => [name, i]));
  t.deepEqual(throughArena(new RowEncoder(schema), row), row);
  refused(t, schemaOf({ constructor: 'int32' }), {}, 'OMEN_MISSING_COLUMN');
});

test('64-bit integers keep every bit', (t) => {
  const encoder = new RowEncoder(schemaOf({ n: 'int64' }));
  for (const n of [INT64_MIN, INT64_MAX, -1n, 0n, 2n ** 32n, -(2n ** 32n), 2n ** 53n + 1n]) {
    t.deepEqual(throughArena(encoder, { n }), { n });
  }
});

test('without bigints a 64-bit integer comes back as a number, or not at all', (t) => {
  const encoder = new RowEncoder(schemaOf({ n: 'int64' }));
  for (const n of [
    0,
    -1,
    2 ** 32,
    -(2 ** 32) - 1,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
  ]) {
    t.deepEqual(throughArena(encoder, { n }, false), { n });
    t.deepEqual(throughArena(encoder, { n: BigInt(n) }, false), { n });
    t.deepEqual(throughArena(encoder, { n }, true), { n: BigInt(n) });
  }
  t.deepEqual(throughArena(encoder, { n: -0 }, false), { n: 0 });
  for (const n of [2n ** 53n, -(2n ** 53n), INT64_MIN, INT64_MAX]) {
    const error = t.throws(() => throughArena(encoder, { n }, false), {
      code: 'OMEN_UNSAFE_INTEGER',
    });
    t.true(error?.message.includes('"n"'));
  }
});

test('timestamps take dates and give numbers', (t) => {
  const encoder = new RowEncoder(schemaOf({ at: 'timestamp' }));
  for (const time of [0, -1, 8.64e15, -8.64e15]) {
    t.deepEqual(throughArena(encoder, { at: new Date(time) }), { at: time });
    t.deepEqual(throughArena(encoder, { at: time }), { at: time });
  }
});

test('floats keep infinities, NaN and minus zero; float32 rounds', (t) => {
  const encoder = new RowEncoder(schemaOf({ d: 'float64', f: 'float32' }));
  for (const d of [Infinity, -Infinity, NaN, -0, Number.MIN_VALUE, 0.1]) {
    t.deepEqual(throughArena(encoder, { d, f: d }), { d, f: Math.fround(d) });
  }
});

test('binary values are copies', (t) => {
  const encoder = new RowEncoder(parseSchema({ key: 'int64', value: 'binary' }));
  const bytes = encoder.encode(Buffer.from('abc'));
  const arena = new SharedArrayBuffer(64);
  const views = viewsOf(arena);
  views.u8.set(encoder.views.u8.subarray(0, bytes));
  const value = memtableRowReader(encoder.schema, false)(views, Buffer.from(arena), 0);
  views.u8.fill(0);
  t.deepEqual(value, Uint8Array.from(Buffer.from('abc')));
});

test('json values are read back as JSON has them', (t) => {
  const encoder = new RowEncoder(parseSchema({ key: 'int64', value: 'json' }));
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      t.deepEqual(throughArena(encoder, value), JSON.parse(JSON.stringify(value)));
    }),
  );
  t.is(throughArena(encoder, null), null);
  t.is(throughArena(encoder, '\ud800'), '\ud800', 'JSON escapes a lone surrogate');
  t.is(throughArena(encoder, new Date(0)), '1970-01-01T00:00:00.000Z');
});

test('values that are not JSON are refused', (t) => {
  const schema = parseSchema({ key: 'int64', value: 'json' });
  const circle: { self?: unknown } = {};
  circle.self = circle;
  for (const value of [undefined, () => 1, Symbol('s'), 5n, { a: 5n }, circle]) {
    refused(t, schema, value, 'OMEN_INVALID_ROW');
  }
});

test('a value of the wrong type is refused', (t) => {
  const odd = [true, {}, [], Symbol('s'), () => 1, Object.create(null)];
  const wrong: Record<string, readonly unknown[]> = {
    int32: [...odd, '1', 1n, 0.5, NaN, Infinity, 2 ** 31, -(2 ** 31) - 1],
    int64: [...odd, '1', 0.5, NaN, Infinity, INT64_MAX + 1n, INT64_MIN - 1n, new Date(0)],
    float32: [...odd, '1', 1n, new Date(0)],
    float64: [...odd, '1', 1n, new Date(0)],
    bool: [...odd.slice(1), 0, 1, 'true', 1n],
    timestamp: [...odd, '1', 1n, 0.5, NaN, Infinity, new Date(Number.NaN)],
    utf8: [...odd, 1, 1n, Buffer.from('x'), '\ud800', 'a\udc00', '\udc00\ud800'],
    binary: [
      ...odd,
      'x',
      1,
      new ArrayBuffer(1),
      new Uint16Array(1),
      new DataView(new ArrayBuffer(1)),
    ],
  };
  for (const [type, values] of Object.entries(wrong)) {
    for (const value of values) {
      refused(t, schemaOf({ a: type }), { a: value }, 'OMEN_INVALID_ROW');
      refused(t, schemaOf({ a: `${type}?` }), { a: value }, 'OMEN_INVALID_ROW');
    }
    refused(t, schemaOf({ a: type }), { a: null }, 'OMEN_INVALID_ROW');
    refused(t, schemaOf({ a: type }), { a: undefined }, 'OMEN_MISSING_COLUMN');
    refused(t, schemaOf({ a: type }), {}, 'OMEN_MISSING_COLUMN');
    t.notThrows(() => new RowEncoder(schemaOf({ a: `${type}?` })).encode({ a: null }));
  }
});

test('an integer that may have been rounded is refused, a bigint of its value is not', (t) => {
  for (const type of ['int64', 'timestamp']) {
    for (const a of [2 ** 53, -(2 ** 53), 2 ** 62, 1e300]) {
      refused(t, schemaOf({ a: type }), { a }, 'OMEN_UNSAFE_INTEGER');
    }
  }
  t.notThrows(() => new RowEncoder(schemaOf({ a: 'int64' })).encode({ a: 2n ** 62n }));
});

test('a row that is no object of the columns is refused', (t) => {
  const schema = schemaOf({ a: 'int32?' });
  for (const row of [undefined, null, 5, 'a', true, [], [1], () => 1]) {
    refused(t, schema, row, 'OMEN_INVALID_ROW');
  }
  refused(t, schema, { b: 1 }, 'OMEN_UNKNOWN_COLUMN');
  refused(t, schema, { a: 1, A: undefined }, 'OMEN_UNKNOWN_COLUMN');
  refused(t, schema, JSON.parse('{"__proto__": 1}'), 'OMEN_UNKNOWN_COLUMN');
  refused(t, schemaOf({ a: 'int32' }), Object.create({ a: 1 }), 'OMEN_MISSING_COLUMN');
});

test('bare values are refused when of the wrong type', (t) => {
  for (const [value, wrong] of [
    ['utf8', [undefined, null, 5, {}, Buffer.from('x'), '\ud800']],
    ['binary', [undefined, null, 'x', new ArrayBuffer(1)]],
  ] as const) {
    const schema = parseSchema({ key: 'int64', value });
    for (const bare of wrong) refused(t, schema, bare, 'OMEN_INVALID_ROW');
  }
});

test('an encoder goes on after a row it refused', (t) => {
  const encoder = new RowEncoder(schemaOf({ a: 'int32?', s: 'utf8?', x: 'binary?' }));
  t.throws(() => encoder.encode({ a: 1, s: 'x'.repeat(1e5), x: 5 }));
  t.throws(() => encoder.encode({ a: 'no' }));
  t.deepEqual(throughArena(encoder, { s: 'yes' }), { a: null, s: 'yes', x: null });
});

test('a row takes 16 MiB, all its bytes counted, and not one more', (t) => {
  const text = parseSchema({ key: 'int64', value: 'utf8' });
  const binary = parseSchema({ key: 'int64', value: 'binary' });
  const room = ROW_BYTES_MAX - 4;
  const code = 'OMEN_ROW_TOO_LARGE';
  const encoder = new RowEncoder(text);
  t.is(encoder.encode('x'.repeat(room)), ROW_BYTES_MAX);
  t.is(encoder.encode('€'.repeat(Math.floor(room / 3))), 4 + 3 * Math.floor(room / 3));
  t.throws(() => encoder.encode('x'.repeat(room + 1)), { code });
  t.throws(() => encoder.encode('€'.repeat(room / 2)), { code });
  t.throws(() => encoder.encode('x'.repeat(2 * ROW_BYTES_MAX)), { code });
  t.is(encoder.encode('x'), 5);

  const bytes = new RowEncoder(binary);
  t.is(bytes.encode(new Uint8Array(room)), ROW_BYTES_MAX);
  t.throws(() => bytes.encode(new Uint8Array(room + 1)), { code });
  const two = new RowEncoder(schemaOf({ a: 'binary', b: 'utf8' }));
  const half = new Uint8Array(ROW_BYTES_MAX / 2 - 8);
  t.is(two.encode({ a: half, b: 'x'.repeat(half.length + 8) }), ROW_BYTES_MAX);
  t.throws(() => two.encode({ a: half, b: 'x'.repeat(half.length + 9) }), { code });
});

test('texts are read back with their byte order mark and every kind of character', (t) => {
  const encoder = new RowEncoder(parseSchema({ key: 'int64', value: 'utf8' }));
  for (const text of ['\ufeffa', '\0', 'é', '€', '😀', '\uffff', '\ufffd', 'a\u0301']) {
    t.is(throughArena(encoder, text), text);
  }
});
