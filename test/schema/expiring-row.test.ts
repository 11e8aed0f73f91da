import test from 'ava';
import fc from 'fast-check';
import { memtableRowReader } from '../../src/schema/decode.ts';
import { ExpiringRowEncoder } from '../../src/schema/expiring-row.ts';
import { RowEncoder, viewsOf } from '../../src/schema/row.ts';
import { EXPIRES_COLUMN, parseSchema, type Schema } from '../../src/schema/schema.ts';
import { Expiry } from '../../src/view/expiry.ts';
import { columns, rowsOf } from './arbitraries.ts';

const EXPIRES = { name: EXPIRES_COLUMN, type: 'timestamp', nullable: true } as const;
const times = fc.oneof(
  fc.constant(null),
  fc.constantFrom(0, 1, -1, 2 ** 32, -(2 ** 32), 8.64e15, -8.64e15),
  fc.integer({ min: -8.64e15, max: 8.64e15 }),
);

/** Puts encoded bytes at an offset of an arena full of other bytes. */
function inArena(encoder: RowEncoder, bytes: number, at: number) {
  const memory = new SharedArrayBuffer(at + ((bytes + 15) & ~7));
  const views = viewsOf(memory);
  views.u8.fill(0xa5);
  views.u8.set(encoder.views.u8.subarray(0, bytes), at);
  return { views, buffer: Buffer.from(memory) };
}

test('a row has its values and its time, whatever row was encoded before', (t) => {
  const drawn = columns.chain((own) =>
    fc.tuple(
      fc.constant(own),
      fc.array(fc.tuple(rowsOf(own), times), { minLength: 1, maxLength: 4 }),
    ),
  );
  fc.assert(
    fc.property(drawn, ([own, rows]) => {
      const schema: Schema = { key: 'int64', columns: [...own, EXPIRES], value: null, ttl: true };
      const encoder = new ExpiringRowEncoder(schema, () => 0);
      const read = memtableRowReader(schema, true);
      for (const [row, time] of rows) {
        const { views, buffer } = inArena(encoder, encoder.encodeUntil(row, time), 64);
        t.deepEqual(read(views, buffer, 64), row);
        t.is(Expiry.of(schema)?.inRow(views, 64), time ?? Number.POSITIVE_INFINITY);
      }
    }),
    { numRuns: 100 },
  );
});

test('without a time of its own a row lives as long as the schema says', (t) => {
  let now = 1000;
  const timeOf = (ttl: number | true) => {
    const schema = parseSchema({ key: 'int64', value: 'json', ttl });
    const encoder = new ExpiringRowEncoder(schema, () => now);
    const { views } = inArena(encoder, encoder.encode({ a: 1 }), 8);
    return Expiry.of(schema)?.inRow(views, 8);
  };
  t.deepEqual([timeOf(50), timeOf(true)], [1050, Number.POSITIVE_INFINITY]);
  now = 2 ** 41;
  t.is(timeOf(2 ** 52), 2 ** 41 + 2 ** 52);
});

test('a decoder that is given the time reads a row that has expired by then as undefined', (t) => {
  const schema = parseSchema({ key: 'int64', value: 'utf8', ttl: true });
  const encoder = new ExpiringRowEncoder(schema, () => 0);
  const instant = { nowMs: 0 };
  const read = memtableRowReader(schema, true, instant);
  const { views, buffer } = inArena(encoder, encoder.encodeUntil('text', 2 ** 40), 16);
  const at = (nowMs: number) => {
    instant.nowMs = nowMs;
    return read(views, buffer, 16);
  };
  t.deepEqual([0, 2 ** 40 - 1, 2 ** 40, 2 ** 41].map(at), ['text', 'text', undefined, undefined]);
  const never = inArena(encoder, encoder.encodeUntil('text', null), 16);
  t.is(read(never.views, never.buffer, 16), 'text');
});

test('the column that says when a row expires is no column of a row', (t) => {
  const schema = parseSchema({ key: 'int64', columns: { a: 'int32' }, ttl: true });
  const encoder = new ExpiringRowEncoder(schema, () => 0);
  t.throws(() => encoder.encode({ a: 1, [EXPIRES_COLUMN]: 5 }), { code: 'OMEN_UNKNOWN_COLUMN' });
  t.throws(() => new RowEncoder(schema), { name: 'AssertionError' });
});
