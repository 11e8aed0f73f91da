import test from 'ava';
import { Builder } from 'flatbuffers';
import {
  type FlatTable,
  flatBytes,
  hasField,
  int16Field,
  int32Field,
  naturalField,
  naturalOf,
  rootTable,
  tableField,
  tableOf,
  textField,
  uint8Field,
  vectorField,
} from '../../src/arrow/flat-table.ts';
import { OmenError } from '../../src/errors.ts';
import { seededRandom } from './helpers.ts';

const damaged = (offset: number, what: string) =>
  new OmenError('OMEN_CORRUPT', `byte ${offset}: ${what}`);

/** A table with a field of each kind: 0 uint8, 1 int16, 2 int32, 3 int64, 4 text, 5 table, 6 tables, 7 int64s. */
function sample(text: string, long: bigint): Uint8Array {
  const builder = new Builder();
  const name = builder.createString(text);
  builder.startObject(1);
  builder.addFieldInt32(0, 77, 0);
  const child = builder.endObject();
  builder.startVector(4, 2, 4);
  builder.addOffset(child);
  builder.addOffset(child);
  const children = builder.endVector();
  builder.startVector(8, 2, 8);
  builder.addInt64(12n);
  builder.addInt64(11n);
  const longs = builder.endVector();
  builder.startObject(9);
  builder.addFieldInt8(0, 200, 0);
  builder.addFieldInt16(1, -5, 0);
  builder.addFieldInt32(2, 123_456, 0);
  builder.addFieldInt64(3, long, 0n);
  builder.addFieldOffset(4, name, 0);
  builder.addFieldOffset(5, child, 0);
  builder.addFieldOffset(6, children, 0);
  builder.addFieldOffset(7, longs, 0);
  builder.finish(builder.endObject());
  return builder.asUint8Array().slice();
}

function readAll(table: FlatTable): unknown[] {
  const child = tableField(table, 5);
  const children = vectorField(table, 6, 4, 10);
  const longs = vectorField(table, 7, 8, 10);
  return [
    uint8Field(table, 0),
    int16Field(table, 1),
    int32Field(table, 2),
    naturalField(table, 3),
    textField(table, 4),
    child && int32Field(child, 0),
    Array.from({ length: children.length }, (_, i) => int32Field(tableOf(children, i), 0)),
    Array.from({ length: longs.length }, (_, i) => naturalOf(longs, 8 * i)),
  ];
}

test('what a builder wrote is read back', (t) => {
  const table = rootTable(flatBytes(sample('grün 🌊', 2n ** 52n), damaged));
  t.deepEqual(readAll(table), [200, -5, 123_456, 2 ** 52, 'grün 🌊', 77, [77, 77], [11, 12]]);
});

test('fields that a table leaves out read as zero, empty or null', (t) => {
  const builder = new Builder();
  builder.startObject(8);
  builder.finish(builder.endObject());
  const table = rootTable(flatBytes(builder.asUint8Array(), damaged));
  t.deepEqual(readAll(table), [0, 0, 0, 0, '', null, [], []]);
  t.false(hasField(table, 0));
});

test('an int64 that no length can be is refused', (t) => {
  for (const long of [2n ** 53n, -1n, -(2n ** 63n)]) {
    const table = rootTable(flatBytes(sample('', long), damaged));
    t.throws(() => naturalField(table, 3), { code: 'OMEN_CORRUPT' });
  }
});

test('a list longer than allowed is refused before it is read', (t) => {
  const table = rootTable(flatBytes(sample('', 1n), damaged));
  t.throws(() => vectorField(table, 6, 4, 1), { code: 'OMEN_CORRUPT' });
});

test('a text that is not UTF-8 is refused', (t) => {
  const bytes = sample('abcdefgh', 1n);
  bytes[Buffer.from(bytes).indexOf('abcdefgh') + 3] = 0xff;
  const table = rootTable(flatBytes(bytes, damaged));
  t.throws(() => textField(table, 4), { code: 'OMEN_CORRUPT' });
});

test('a vtable of an impossible length is refused', (t) => {
  const clean = sample('', 1n);
  const view = new DataView(clean.buffer);
  const table = view.getUint32(0, true);
  const vtable = table - view.getInt32(table, true);
  for (const [at, bytes] of [
    [vtable, 2],
    [vtable, 5],
    [vtable + 2, 3],
  ]) {
    const before = view.getUint16(at, true);
    view.setUint16(at, bytes, true);
    const error = t.throws(() => rootTable(flatBytes(clean, damaged)), { code: 'OMEN_CORRUPT' });
    t.regex(error.message, /a table of the metadata is malformed/);
    view.setUint16(at, before, true);
  }
});

test('the same text pointed at again and again is refused once it exceeds the bytes there are', (t) => {
  const bytes = sample('x'.repeat(1000), 1n);
  const table = rootTable(flatBytes(bytes, damaged));
  t.is(textField(table, 4).length, 1000);
  t.throws(() => textField(table, 4), { code: 'OMEN_CORRUPT' });
});

test('whatever stands in the bytes, reading ends with values or with the caller’s error', (t) => {
  const clean = sample('some text', 5n);
  for (let at = 0; at < clean.length; at++) {
    for (let value = 0; value < 256; value += 5) {
      const bytes = clean.slice();
      bytes[at] = value;
      try {
        readAll(rootTable(flatBytes(bytes, damaged)));
      } catch (error) {
        if (!(error instanceof OmenError)) throw error;
      }
    }
  }
  // The text stands last; behind it is padding only.
  const end = Buffer.from(clean).indexOf('some text') + 'some text'.length;
  for (let length = 0; length < end; length++) {
    const short = clean.subarray(0, length);
    t.throws(() => readAll(rootTable(flatBytes(short, damaged))), { instanceOf: OmenError });
  }
});

test('noise is read as values or refused', (t) => {
  const random = seededRandom(11);
  for (let run = 0; run < 20_000; run++) {
    const bytes = Uint8Array.from({ length: 4 + random() * 60 }, () =>
      random() < 0.6 ? random() * 8 : random() * 256,
    );
    try {
      readAll(rootTable(flatBytes(bytes, damaged)));
    } catch (error) {
      t.true(error instanceof OmenError, `run ${run} of seed 11: ${String(error)}`);
    }
  }
});
