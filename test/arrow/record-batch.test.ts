import { Table, tableFromIPC, tableToIPC } from 'apache-arrow';
import test from 'ava';
import {
  placedData,
  StreamEncoder,
  toArrowSchema,
  toRecordBatch,
} from '../../src/arrow/record-batch.ts';
import type { Schema } from '../../src/schema/schema.ts';
import { buildSegment, EVERY_TYPE, type Rows, randomRows, seededRandom } from './helpers.ts';

function arrowSchemaOf({ key, columns }: Schema) {
  return toArrowSchema([{ name: 'key', type: key, nullable: false }, ...columns]);
}

/** A batch over a body, which is returned too. */
function batchOf(from: Rows) {
  const { schema } = from;
  const { layout, body } = buildSegment(from);
  const { rows } = layout;
  const fields = [placedData(schema.key, layout.key, rows, body.buffer)];
  for (const [i, { type }] of schema.columns.entries()) {
    fields.push(placedData(type, layout.columns[i], rows, body.buffer));
  }
  return { batch: toRecordBatch(arrowSchemaOf(schema), rows, fields), body };
}

for (const rows of [0, 1, 9, 500]) {
  for (const key of ['int64', 'uint64', 'float64', 'timestamp'] as const) {
    test(`a batch of ${rows} rows by ${key} has the values of the body, and goes through IPC`, (t) => {
      const schema: Schema = { ...EVERY_TYPE, key };
      const from = randomRows(schema, rows, seededRandom(rows), false);
      const { batch } = batchOf(from);
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
  const { batch, body } = batchOf(randomRows(EVERY_TYPE, 50, seededRandom(1), false));
  for (const { values, valueOffsets } of batch.data.children) {
    for (const view of [values, valueOffsets])
      if (view !== undefined) t.is(view.buffer, body.buffer);
  }
});

test('the bytes of a stream are those of its schema, each batch and its end', (t) => {
  const all = [3, 0, 40].map((rows) =>
    batchOf(randomRows(EVERY_TYPE, rows, seededRandom(2), false)),
  );
  const encoder = new StreamEncoder(arrowSchemaOf(EVERY_TYPE));
  const chunks = all.map(({ batch }) => encoder.encode(batch));
  const table = tableFromIPC(Buffer.concat([...chunks, encoder.finish()]));
  t.is(table.numRows, 43);
  const rows = all.flatMap(({ batch }) => batch.toArray().map((row) => row.toJSON()));
  t.deepEqual(
    table.toArray().map((row) => row.toJSON()),
    rows,
  );
});

test('a stream of no batches still has its schema', (t) => {
  const bytes = new StreamEncoder(arrowSchemaOf(EVERY_TYPE)).finish();
  const table = tableFromIPC(bytes);
  t.is(table.numRows, 0);
  t.deepEqual(
    table.schema.fields.map(({ name }) => name),
    ['key', ...EVERY_TYPE.columns.map(({ name }) => name)],
  );
});
