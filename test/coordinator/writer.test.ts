import test from 'ava';
import { ClientMeter } from '../../src/coordinator/client-meter.ts';
import type { Membership } from '../../src/coordinator/membership.ts';
import { Writer } from '../../src/coordinator/writer.ts';
import { createRing } from '../../src/ring/ring.ts';
import { parseSchema } from '../../src/schema/schema.ts';
import { REQUEST_RING_BYTES, RESPONSE_RING_BYTES } from '../../src/shard-worker/protocol.ts';
import { Control, createControl } from '../../src/view/control.ts';
import { NUMBERS, openNew, until } from './support.ts';

test('rows and batches many times as large as a ring are written, one after the other', async (t) => {
  const db = await openNew(t, { key: 'int64', value: 'binary', shards: 2, threads: 2 });
  const rowOf = (bytes: number, fill: number) => new Uint8Array(bytes).fill(fill);
  for (let round = 0; round < 3; round++) {
    await db.put(round, rowOf(12e6 + round, round));
    await db.batch(
      Array.from({ length: 20 }, (_, i) => {
        return { type: 'put', key: 100 * (round + 1) + i, value: rowOf(200_000 + i, i) } as const;
      }),
    );
  }
  t.is(db.count(), 63);
  for (const [key, row] of db.entries()) {
    const bytes = key < 100 ? 12e6 + key : 200_000 + (key % 100);
    t.deepEqual([row.length, row[0], row.at(-1)], [bytes, key % 100, key % 100]);
  }
});

/** A writer over two shards of a thread that is not there: what it sends stays in its ring. */
function lonelyWriter(): { writer: Writer; control: Control } {
  const control = new Control(createControl());
  const schema = parseSchema(NUMBERS);
  const membership: Membership = {
    control,
    schema,
    client: 0,
    path: '',
    epoch: { lo: 1, hi: 2 },
    databaseId: '',
    bigints: false,
    readOnly: false,
    shards: 2,
    salvaged: [],
    partitioning: { kind: 'hash' },
    splits: [],
    threadOf: [0, 0],
    memoryBytes: 2 ** 30,
    slowMs: Number.POSITIVE_INFINITY,
    operationsMax: 1000,
    batchBytesMax: 2 ** 20,
  };
  const writer = new Writer(membership, new ClientMeter(membership));
  const memory = {
    requests: createRing(REQUEST_RING_BYTES),
    responses: createRing(RESPONSE_RING_BYTES),
    completed: new SharedArrayBuffer(128),
  };
  writer.setLink(writer.newLink(0, memory));
  return { writer, control };
}

test('a batch that finds the commit table full is sent once a slot is free, though nobody wakes it', async (t) => {
  const { writer, control } = lonelyWriter();
  const { table } = control;
  let last = 0;
  for (let ticket = table.take([0, 1], 1, 1); ticket !== 0; ticket = table.take([0, 1], 1, 1)) {
    last = ticket;
  }
  const keys = Array.from({ length: 20 }, (_, key) => key);
  const batch = writer.batch(keys.map((key) => ({ type: 'put', key, value: { value: key } })));
  await new Promise((resolve) => setImmediate(resolve));
  t.is(table.next, last + 1, 'it waits');
  t.true(table.abort(1));
  table.settle(1, 0);
  table.settle(1, 1);
  await until(() => table.next !== last + 1);
  t.deepEqual(table.owner(last + 1), { client: 0, request: 1 });
  writer.abandonAll('The test is over.');
  await t.throwsAsync(batch, { code: 'OMEN_OUTCOME_UNKNOWN' });
});
