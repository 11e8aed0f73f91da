import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import fc from 'fast-check';
import { layoutSegment, type SegmentLayout } from '../../src/arrow/layout.ts';
import { trainF64 } from '../../src/rmi/index.ts';
import { type ResidentColumn, segmentRowReader } from '../../src/schema/decode.ts';
import { COLUMN_TYPES, isVariable, parseSchema, type Schema } from '../../src/schema/schema.ts';
import {
  ColumnWriter,
  copyBytes,
  type Selection,
  variableBytes,
} from '../../src/view/column-writer.ts';
import { CommitTable } from '../../src/view/commit-table.ts';
import { Segment } from '../../src/view/segment.ts';
import { columns, rowsOf } from '../schema/arbitraries.ts';
import { type Entry, newHandle, segmentOf, TestMemtable } from './support.ts';

type Row = Record<string, unknown> | undefined;

const ALL = parseSchema({
  key: 'int64',
  columns: Object.fromEntries(
    COLUMN_TYPES.flatMap((type) => [
      [type, type],
      [`${type}OrNull`, `${type}?`],
    ]),
  ),
});

/** What a deleted row holds: nulls where they may stand, zeros and nothing elsewhere. */
function emptyRow(schema: Schema): Record<string, unknown> {
  const zeros = {
    int32: 0,
    int64: 0n,
    float32: 0,
    float64: 0,
    bool: false,
    timestamp: 0,
    utf8: '',
    binary: new Uint8Array(0),
  };
  return Object.fromEntries(
    schema.columns.map(({ name, type, nullable }) => [name, nullable ? null : zeros[type]]),
  );
}

function nullCountsOf(schema: Schema, rows: readonly Row[]): number[] {
  return schema.columns.map(({ name, nullable }) =>
    nullable ? rows.filter((row) => row === undefined || row[name] === null).length : 0,
  );
}

function memtableOf(schema: Schema, rows: readonly Row[]): [TestMemtable, number[]] {
  const shape = { entriesMax: Math.max(64, rows.length), arenaBytes: 1 << 20 };
  const memtable = new TestMemtable(schema, CommitTable.empty(), newHandle(shape));
  const entries = rows.map((row, i) => memtable.append(i, row));
  memtable.publish();
  return [memtable, entries];
}

/** The columns that were written to a body, which is given the keys 0, 1, 2 and so on. */
function columnsOf(layout: SegmentLayout, body: SharedArrayBuffer): readonly ResidentColumn[] {
  const { rows } = layout;
  const keys = new Float64Array(body, layout.key.data.offset, rows).map((_, i) => i);
  new Float64Array(body, layout.key.data.offset, rows).set(keys);
  const model = trainF64(keys, rows);
  const known = { model, statistics: new Float64Array(0), fileBytes: 0, modelBytes: 0 };
  const handle = { id: 1, body, layout, form: 'f64', ...known } as const;
  return new Segment(handle, 'int64').columns;
}

function readRows(schema: Schema, layout: SegmentLayout, body: SharedArrayBuffer): unknown[] {
  const columns = columnsOf(layout, body);
  const read = segmentRowReader(schema, true);
  return Array.from({ length: layout.rows }, (_, row) => read(columns, row));
}

/** Whether the rows that were written are read back, and their nulls were counted. */
function holds(
  schema: Schema,
  layout: SegmentLayout,
  body: SharedArrayBuffer,
  { nullCounts }: ColumnWriter,
  rows: readonly Row[],
): boolean {
  const expected = rows.map((row) => (row === undefined ? emptyRow(schema) : { ...row }));
  return (
    isDeepStrictEqual(nullCounts, nullCountsOf(schema, rows)) &&
    isDeepStrictEqual(readRows(schema, layout, body), expected)
  );
}

/** A schema, and rows of it; undefined is a tombstone. */
const drawn: fc.Arbitrary<[Schema, Row[]]> = columns.chain((of) => {
  const schema: Schema = { key: 'int64', columns: of, value: null };
  const rows = fc.array(fc.option(rowsOf(of), { nil: undefined, freq: 6 }), {
    minLength: 1,
    maxLength: 30,
  });
  return fc.tuple(fc.constant(schema), rows);
});

test('rows of a memtable become columns, batch by batch', (t) => {
  fc.assert(
    fc.property(drawn, fc.integer({ min: 1, max: 11 }), ([schema, rows], batch) => {
      const [{ reader }, entries] = memtableOf(schema, rows);
      const bytes = variableBytes(schema, reader, entries);
      const layout = layoutSegment(schema, rows.length, bytes, { flags: false });
      const body = new SharedArrayBuffer(layout.bodyBytes);
      const writer = new ColumnWriter(schema, layout, body);
      for (let start = 0; start < rows.length; start += batch) {
        const part = entries.slice(start, start + batch);
        writer.fromMemtable(reader, part, part.length, start);
      }
      // Every byte of the texts is accounted for.
      const areFull = layout.columns.every(({ offsets, data }) => {
        if (offsets === null) return true;
        return new Int32Array(body, offsets.offset, rows.length + 1)[rows.length] === data.length;
      });
      return areFull && holds(schema, layout, body, writer, rows);
    }),
    { numRuns: 80 },
  );
  t.pass();
});

test('rows chosen from segments become columns, whichever they come from', (t) => {
  const choices = fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(
      drawn,
      choices,
      fc.integer({ min: 1, max: 13 }),
      ([schema, rows], chosen, batch) => {
        const third = Math.ceil(rows.length / 3);
        const parts = [0, 1, 2]
          .map((i) => rows.slice(i * third, (i + 1) * third))
          .filter(({ length }) => length > 0);
        const sources = parts.map((part) => {
          const entries = part.map((row, i): Entry => [i, row]);
          return new Segment(segmentOf(schema, entries), 'int64').columns;
        });
        const picks = chosen.map(([a, b]) => {
          const source = a % parts.length;
          return { source, row: b % parts[source].length };
        });
        const wanted = picks.map(({ source, row }) => parts[source][row]);
        const [{ reader }, entries] = memtableOf(schema, wanted);
        const bytes = variableBytes(schema, reader, entries);
        const layout = layoutSegment(schema, wanted.length, bytes, { flags: false });
        const body = new SharedArrayBuffer(layout.bodyBytes);
        const writer = new ColumnWriter(schema, layout, body);
        for (let start = 0; start < picks.length; start += batch) {
          const part = picks.slice(start, start + batch);
          const selection: Selection = {
            source: Uint16Array.from(part, ({ source }) => source),
            row: Uint32Array.from(part, ({ row }) => row),
          };
          writer.fromSegments(sources, selection, part.length, start);
        }
        return holds(schema, layout, body, writer, wanted);
      },
    ),
    { numRuns: 80 },
  );
  t.pass();
});

test('bits are set one by one across the borders of bytes, from both sources', (t) => {
  const schema = parseSchema({ key: 'int64', columns: { a: 'bool', b: 'bool?' } });
  const rows = Array.from({ length: 70 }, (_, i) => ({
    a: i % 3 === 0,
    b: i % 5 === 0 ? null : i % 7 === 0,
  }));
  const [{ reader }, entries] = memtableOf(schema, rows);
  const whole = new Segment(
    segmentOf(
      schema,
      rows.map((row, i): Entry => [i, row]),
    ),
    'int64',
  );
  for (const cut of [1, 7, 8, 9, 63, 64, 65]) {
    const layout = layoutSegment(schema, rows.length, [0, 0], { flags: false });
    const body = new SharedArrayBuffer(layout.bodyBytes);
    const writer = new ColumnWriter(schema, layout, body);
    writer.fromMemtable(reader, entries, cut, 0);
    const rest = rows.length - cut;
    const selection: Selection = {
      source: new Uint16Array(rest),
      row: Uint32Array.from({ length: rest }, (_, i) => cut + i),
    };
    writer.fromSegments([whole.columns], selection, rest, cut);
    t.deepEqual(readRows(schema, layout, body), rows, `cut at ${cut}`);
    t.deepEqual(writer.nullCounts, [0, 14]);
  }
});

test('bits of a NaN are carried over as they are', (t) => {
  const schema = parseSchema({ key: 'int64', columns: { d: 'float64', f: 'float32' } });
  const [{ reader }, entries] = memtableOf(schema, [{ d: 1, f: 1 }]);
  const { u32 } = reader.arena;
  const row = reader.rowAt(entries[0]) >>> 2;
  u32.set([0x00000001, 0x7ff00000, 0x7f800001], row);
  const written = (write: (writer: ColumnWriter) => void) => {
    const layout = layoutSegment(schema, 1, [0, 0], { flags: false });
    const body = new SharedArrayBuffer(layout.bodyBytes);
    write(new ColumnWriter(schema, layout, body));
    return columnsOf(layout, body);
  };
  const first = written((writer) => writer.fromMemtable(reader, entries, 1, 0));
  const selection = { source: new Uint16Array(1), row: new Uint32Array(1) };
  const second = written((writer) => writer.fromSegments([first], selection, 1, 0));
  for (const [d, f] of [first, second]) {
    t.deepEqual([d.u32[0], d.u32[1], f.u32[0]], [0x00000001, 0x7ff00000, 0x7f800001]);
  }
});

test('short stretches of bytes and long ones are copied alike', (t) => {
  const from = Uint8Array.from({ length: 400 }, (_, i) => i);
  for (const length of [0, 1, 63, 64, 65, 66, 300]) {
    const to = new Uint8Array(400);
    copyBytes(from, 5, to, 9, length);
    const expected = new Uint8Array(400);
    for (let i = 0; i < length; i++) expected[9 + i] = from[5 + i];
    t.deepEqual(to, expected);
  }
});

test('the bytes of texts are summed for columns that have some, tombstones left out', (t) => {
  const long = 'x'.repeat(100);
  const row = { ...emptyRow(ALL), utf8: 'ß', utf8OrNull: null, binaryOrNull: new Uint8Array(9) };
  const [{ reader }, entries] = memtableOf(ALL, [row, undefined, { ...row, utf8: long }]);
  const bytes = variableBytes(ALL, reader, entries);
  const named = Object.fromEntries(ALL.columns.map(({ name }, i) => [name, bytes[i]]));
  t.deepEqual([named.utf8, named.utf8OrNull, named.binary, named.binaryOrNull], [102, 0, 0, 18]);
  ALL.columns.forEach(({ type }, i) => {
    if (!isVariable(type)) t.is(bytes[i], 0);
  });
});
