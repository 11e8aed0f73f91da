import { Table, tableFromIPC, tableToIPC } from 'apache-arrow';
import test from 'ava';
import { toRecordBatch } from '../../src/arrow/record-batch.ts';
import type { Schema } from '../../src/schema/schema.ts';
import { buildSegment, EVERY_TYPE, randomRows, seededRandom } from './helpers.ts';

for (const rows of [0, 1, 9, 500]) {
  for (const key of ['int64', 'uint64', 'float64', 'timestamp'] as const) {
    test(`a batch of ${rows} rows by ${key} has the values of the body, and goes through IPC`, (t) => {
      const schema: Schema = { ...EVERY_TYPE, key };
      const from = randomRows(schema, rows, seededRandom(rows), false);
      const { layout, body, nullCounts } = buildSegment(from);
      const batch = toRecordBatch(schema, layout, body.buffer, nullCounts);
      t.is(batch.numRows, rows);
      for (const table of [new Table(batch), tableFromIPC(tableToIPC(new Table(batch)))]) {
        const wide = key === 'int64' || key === 'uint64';
        const keys = from.keys.map((value) => (wide ? BigInt(Number(value)) : Number(value)));
        t.deepEqual(Array.from(table.getChild('key') ?? []), keys);
        for (const [c, { name, type, nullable }] of schema.columns.entries()) {
          const values = from.columns[c].map((value) =>
            type === 'int64' && value !== null ? BigInt(value as bigint) : value,
          );
          t.deepEqual(Array.from(table.getChild(name) ?? []), values, name);
          t.is(table.schema.fields[c + 1].nullable, nullable);
        }
      }
    });
  }
}

test('a batch stands over the memory of the body: nothing is copied', (t) => {
  const { layout, body, nullCounts } = buildSegment(
    randomRows(EVERY_TYPE, 50, seededRandom(1), false),
  );
  const batch = toRecordBatch(EVERY_TYPE, layout, body.buffer, nullCounts);
  for (const { values, valueOffsets } of batch.data.children) {
    for (const view of [values, valueOffsets])
      if (view !== undefined) t.is(view.buffer, body.buffer);
  }
});
