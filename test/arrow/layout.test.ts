import test from 'ava';
import fc from 'fast-check';
import {
  ALIGNMENT,
  BODY_BYTES_MAX,
  type Extent,
  layoutSegment,
  listBuffers,
  segmentBatch,
  segmentFields,
} from '../../src/arrow/layout.ts';
import { COLUMN_TYPES, FIXED_KEY_TYPES, type Schema } from '../../src/schema/schema.ts';

const columns = fc.array(
  fc.record({ type: fc.constantFrom(...COLUMN_TYPES), nullable: fc.boolean() }),
  { minLength: 1, maxLength: 12 },
);

function schemaOf(
  key: Schema['key'],
  types: readonly { type: Schema['columns'][number]['type']; nullable: boolean }[],
): Schema {
  return { key, columns: types.map((column, i) => ({ name: `c${i}`, ...column })), value: null };
}

test('buffers start on multiples of 64, follow each other without gaps and end with the body', (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom(...FIXED_KEY_TYPES),
      columns,
      fc.integer({ min: 0, max: 1000 }),
      fc.integer({ min: 0, max: 5000 }),
      fc.boolean(),
      (key, types, rows, bytes, flags) => {
        const schema = schemaOf(key, types);
        const varBytes = types.map(({ type }, i) =>
          type === 'utf8' || type === 'binary' ? bytes + i : 0,
        );
        const layout = layoutSegment(schema, rows, varBytes, { flags });
        let end = 0;
        for (const { offset, length } of listBuffers(segmentBatch(layout))) {
          if (offset % ALIGNMENT !== 0 || offset !== end) return false;
          end = offset + Math.ceil(length / ALIGNMENT) * ALIGNMENT;
        }
        return end === layout.bodyBytes && (layout.flags !== null) === flags;
      },
    ),
  );
  t.pass();
});

test('each type takes the room that Arrow gives it', (t) => {
  const rows = 100;
  const length = (extent: Extent | null) => extent?.length ?? null;
  const expected = {
    int32: [null, 400],
    int64: [null, 800],
    float32: [null, 400],
    float64: [null, 800],
    bool: [null, 13],
    timestamp: [null, 800],
    utf8: [404, 77],
    binary: [404, 77],
  };
  for (const type of COLUMN_TYPES) {
    for (const nullable of [false, true]) {
      const schema = schemaOf('int64', [{ type, nullable }]);
      const varBytes = type === 'utf8' || type === 'binary' ? 77 : 0;
      const layout = layoutSegment(schema, rows, [varBytes], { flags: true });
      const [column] = layout.columns;
      t.deepEqual([length(column.offsets), length(column.data)], expected[type], type);
      t.is(length(column.validity), nullable ? 13 : null);
      t.is(layout.key.data.length, 800);
      t.is(length(layout.flags), 100);
    }
  }
});

test('the fields are the key, the columns in their order, and the flags last', (t) => {
  const schema = schemaOf('timestamp', [{ type: 'utf8', nullable: true }]);
  t.deepEqual(segmentFields(schema, true), [
    { name: 'key', type: 'timestamp', nullable: false },
    { name: 'c0', type: 'utf8', nullable: true },
    { name: '_omen_flags', type: 'uint8', nullable: false },
  ]);
  t.is(segmentFields(schema, false).length, 2);
});

test('a layout is asserted to be one that the format can hold', (t) => {
  const schema = schemaOf('int64', [{ type: 'utf8', nullable: false }]);
  const fixed = schemaOf('int64', [{ type: 'int32', nullable: false }]);
  const refused: [Schema, number, number[]][] = [
    [schema, 1, [BODY_BYTES_MAX]],
    [schema, -1, [0]],
    [schema, 1.5, [0]],
    [schema, 1, [-1]],
    [schema, 1, [0, 0]],
    [fixed, 1, [1]],
  ];
  for (const [of, rows, varBytes] of refused) {
    t.throws(() => layoutSegment(of, rows, varBytes, { flags: false }), { code: 'ERR_ASSERTION' });
  }
});
