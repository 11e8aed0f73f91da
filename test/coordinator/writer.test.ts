import test from 'ava';
import { ClientMeter } from '../../src/coordinator/client-meter.ts';
import type { Membership } from '../../src/coordinator/membership.ts';
import { Writer } from '../../src/coordinator/writer.ts';
import { OmenError } from '../../src/errors.ts';
import { ChunkReceiver } from '../../src/ring/chunks.ts';
import { createRing, RingConsumer } from '../../src/ring/ring.ts';
import { KeyCodec, shardOfHash } from '../../src/schema/key.ts';
import { parseSchema } from '../../src/schema/schema.ts';
import {
  MESSAGE_BYTES_MAX,
  REQUEST_RING_BYTES,
  RESPONSE_RING_BYTES,
  WRITE_BATCH,
} from '../../src/shard-worker/protocol.ts';
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

/** A writer over two shards of threads that are not there: what it sends stays in its rings. */
function lonelyWriter(threadOf = [0, 0]) {
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
    threadOf,
    memoryBytes: 2 ** 30,
    slowMs: Number.POSITIVE_INFINITY,
    operationsMax: 100_000,
    batchBytesMax: 2 ** 22,
  };
  const writer = new Writer(membership, new ClientMeter(membership));
  const rings = [...new Set(threadOf)].map((thread) => {
    const requests = createRing(REQUEST_RING_BYTES);
    const responses = createRing(RESPONSE_RING_BYTES);
    const completed = new SharedArrayBuffer(128);
    writer.setLink(writer.newLink(thread, { requests, responses, completed }));
    return requests;
  });
  return { writer, control, rings };
}

function puts(count: number, isMeant: (key: number) => boolean = () => true) {
  const keys = Array.from({ length: count }, (_, key) => key).filter(isMeant);
  return keys.map((key) => ({ type: 'put', key, value: { value: key } }) as const);
}

/** Takes what is in a ring, of which the writer is told as of room, until a message in chunks is whole. */
function receiveChunks(writer: Writer, ring: SharedArrayBuffer): Uint8Array {
  const consumer = new RingConsumer(ring);
  const receiver = new ChunkReceiver(consumer, MESSAGE_BYTES_MAX);
  for (let rounds = 0; rounds < 100; rounds++) {
    for (let length = consumer.next(); length >= 0; length = consumer.next()) {
      const message = receiver.accept(length);
      if (message !== undefined) return message;
    }
    consumer.release();
    writer.receive();
  }
  throw new Error('The message is never whole.');
}

test('a batch that finds the commit table full is sent once a slot is free, though nobody wakes it', async (t) => {
  const { writer, control } = lonelyWriter();
  const { table } = control;
  let last = 0;
  for (let ticket = table.take([0, 1], 1, 1); ticket !== 0; ticket = table.take([0, 1], 1, 1)) {
    last = ticket;
  }
  const batch = writer.batch(puts(20));
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

test('a batch that is refused with a part half sent does not get in the way of the next large one', async (t) => {
  const { writer, rings } = lonelyWriter([0, 1]);
  const refused = writer.batch(puts(60_000));
  writer.refuse(1, new OmenError('OMEN_SHARD_FAILED', 'Its thread did not come back.'));
  await t.throwsAsync(refused, { code: 'OMEN_SHARD_FAILED' });
  const key = new KeyCodec('int64', false);
  const next = puts(60_000, (one) => {
    key.encode(one);
    return shardOfHash(key.hash(), 2) === 0;
  });
  const sent = writer.batch(next);
  const message = receiveChunks(writer, rings[0]);
  t.deepEqual([...new Uint32Array(message.buffer, 0, 2)], [WRITE_BATCH, next.length]);
  writer.abandonAll('The test is over.');
  await t.throwsAsync(sent, { code: 'OMEN_OUTCOME_UNKNOWN' });
});
