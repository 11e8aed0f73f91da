import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { ChunkReceiver, ChunkSender } from '../../src/ring/chunks.ts';
import {
  createRing,
  FRAME_CHUNK,
  FRAME_WHOLE,
  RingConsumer,
  RingProducer,
} from '../../src/ring/ring.ts';
import { ringAt } from './memory.ts';

const CAPACITY = 4096;
const LIMIT = 64 * 1024;
const refused = { name: 'AssertionError' };

function bytesOf(length: number, id = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = id * 31 + i * 7 + (i >> 8);
  return bytes;
}

function same(received: Uint8Array | undefined, sent: Uint8Array): boolean {
  return received !== undefined && Buffer.compare(received, sent) === 0;
}

function pair(start = 0, limit = LIMIT) {
  const memory = ringAt(CAPACITY, start);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  const sender = new ChunkSender(producer, limit);
  const receiver = new ChunkReceiver(consumer, limit);
  return { memory, producer, consumer, sender, receiver };
}

/** Sends and receives in turns until the message is there. Returns it and how often the ring was full. */
function transfer(
  { sender, receiver, consumer }: ReturnType<typeof pair>,
  message: Uint8Array,
): { received: Uint8Array | undefined; waits: number } {
  for (let waits = 0; ; waits++) {
    const done = sender.send(message);
    let received: Uint8Array | undefined;
    for (let length = consumer.next(); length >= 0; length = consumer.next())
      received = receiver.accept(length);
    consumer.release();
    if (done || received !== undefined) return { received: done ? received : undefined, waits };
  }
}

test('a message of any size around every limit arrives as it was, from any position', (t) => {
  const half = CAPACITY / 2;
  const sizes = [0, 1, 7, 8, 9];
  for (const limit of [half / 2, half, 2 * half, 3 * half, 8 * half, LIMIT])
    for (let near = -24; near <= 24; near++) if (limit + near <= LIMIT) sizes.push(limit + near);
  for (const start of [0, 8, CAPACITY - 8, 2 ** 32 - 2 * CAPACITY, 2 ** 31 - 1024]) {
    const ends = pair(start);
    for (const size of sizes) {
      const message = bytesOf(size, size);
      const { received } = transfer(ends, message);
      if (!same(received, message)) t.fail(`${size} from ${start}`);
      if (received?.byteOffset !== 0 || received.buffer.byteLength % 8 !== 0) t.fail('unaligned');
      if (ends.producer.freeBytes() !== CAPACITY) t.fail('the ring is not empty');
    }
  }
  t.pass();
});

test('a message larger than the ring waits for room and goes on where it stopped', (t) => {
  const { received, waits } = transfer(pair(), bytesOf(10 * CAPACITY));
  t.true(same(received, bytesOf(10 * CAPACITY)));
  t.true(waits >= 9);
});

test('a sender that is called again while the ring is full adds nothing', (t) => {
  const ends = pair();
  const message = bytesOf(3 * CAPACITY);
  t.false(ends.sender.send(message));
  const free = ends.producer.freeBytes();
  t.false(ends.sender.send(message));
  t.is(ends.producer.freeBytes(), free);
  t.true(same(transfer(ends, message).received, message));
});

test('whole frames and messages of any sizes keep their order', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ whole: fc.boolean(), size: fc.integer({ min: 0, max: 9000 }) }), {
        maxLength: 30,
      }),
      fc.infiniteStream(fc.integer({ min: 1, max: 5 })),
      (items, turns) => {
        const { producer, consumer, sender, receiver } = pair();
        const arrived: number[] = [];
        const drain = (frames: number) => {
          for (let i = 0; i < frames; i++) {
            const length = consumer.next();
            if (length < 0) break;
            if (consumer.kind === FRAME_WHOLE) arrived.push(length);
            else {
              const message = receiver.accept(length);
              if (message === undefined) continue;
              if (!same(message, bytesOf(message.length, arrived.length)))
                throw new Error('spoiled');
              arrived.push(message.length);
            }
          }
          consumer.release();
        };
        const sizes = items.map(({ whole, size }) =>
          whole ? size % producer.maxFrameBytes : size,
        );
        for (const [i, { whole }] of items.entries()) {
          const message = bytesOf(sizes[i], i);
          while (whole ? producer.reserve(sizes[i]) < 0 : !sender.send(message))
            drain(turns.next().value);
          producer.publish();
        }
        drain(Number.POSITIVE_INFINITY);
        return arrived.length === sizes.length && arrived.every((size, i) => size === sizes[i]);
      },
    ),
    { numRuns: 500 },
  );
  t.pass();
});

test('what a dead sender left is discarded, by hand or by the next message', (t) => {
  for (const byHand of [true, false]) {
    const ends = pair();
    t.false(ends.sender.send(bytesOf(2 * CAPACITY, 1)));
    for (let length = ends.consumer.next(); length >= 0; length = ends.consumer.next())
      t.is(ends.receiver.accept(length), undefined);
    ends.consumer.release();
    t.is(ends.receiver.heldBytes, 2 * CAPACITY);
    if (byHand) {
      ends.receiver.discard();
      t.is(ends.receiver.heldBytes, 0);
    }
    const successor = { ...ends, sender: new ChunkSender(ends.producer, LIMIT) };
    const message = bytesOf(2 * CAPACITY, 2);
    t.true(same(transfer(successor, message).received, message));
    t.is(ends.receiver.heldBytes, 0);
  }
});

test('a message that is given up half sent gives way to the next one, be it just as long', (t) => {
  for (const length of [2 * CAPACITY, 3 * CAPACITY, CAPACITY / 4, 0]) {
    for (const drains of [true, false]) {
      const ends = pair();
      const { sender, consumer, receiver } = ends;
      t.false(sender.send(bytesOf(2 * CAPACITY, 1)));
      if (drains) {
        for (let got = consumer.next(); got >= 0; got = consumer.next())
          t.is(receiver.accept(got), undefined);
        consumer.release();
        t.is(receiver.heldBytes, 2 * CAPACITY);
      }
      const next = bytesOf(length, 2);
      t.true(same(transfer(ends, next).received, next), `${length}, ${drains}`);
      t.is(receiver.heldBytes, 0);
    }
  }
});

test('a sender refuses a message beyond the limit, and goes on', (t) => {
  const ends = pair(0, 2 * CAPACITY);
  const { sender, producer } = ends;
  t.throws(() => sender.send(bytesOf(2 * CAPACITY + 1)), refused);
  t.is(producer.freeBytes(), CAPACITY);
  t.true(same(transfer(ends, bytesOf(2 * CAPACITY)).received, bytesOf(2 * CAPACITY)));
  for (const limit of [0, -1, 1.5, 2 ** 32])
    t.throws(() => new ChunkSender(producer, limit), refused);
});

function refusesChunk(
  t: ExecutionContext,
  chunks: readonly (readonly [total: number, at: number, bytes: number])[],
  message: RegExp,
): void {
  const { producer, consumer, receiver } = pair(0, 1000);
  for (const [total, at, bytes] of chunks) {
    const offset = producer.reserve(8 + bytes, FRAME_CHUNK);
    producer.u32[offset / 4] = total;
    producer.u32[offset / 4 + 1] = at;
  }
  producer.publish();
  for (let i = 1; i < chunks.length; i++)
    t.is(receiver.accept(consumer.next()), undefined, String(chunks));
  t.throws(() => receiver.accept(consumer.next()), { ...refused, message }, String(chunks));
}

test('a receiver refuses chunks that do not continue the message', (t) => {
  const broken = /does not continue/;
  refusesChunk(t, [[100, 50, 50]], broken);
  refusesChunk(t, [[100, 0, 101]], broken);
  refusesChunk(t, [[100, 0, 0]], broken);
  // biome-ignore format: a table
  refusesChunk(t, [[100, 0, 50], [101, 50, 50]], broken);
  // biome-ignore format: a table
  refusesChunk(t, [[100, 0, 50], [100, 49, 50]], broken);
  // biome-ignore format: a table
  refusesChunk(t, [[100, 0, 50], [100, 51, 49]], broken);
  // biome-ignore format: a table
  refusesChunk(t, [[100, 0, 50], [100, 50, 51]], broken);
  refusesChunk(t, [[1001, 0, 100]], /at most 1000 bytes/);
  refusesChunk(t, [[2 ** 32 - 1, 0, 100]], /at most 1000 bytes/);
});

test('a receiver refuses a frame that is not a chunk', (t) => {
  const memory = createRing(CAPACITY);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  const receiver = new ChunkReceiver(consumer, LIMIT);
  producer.reserve(16);
  producer.reserve(7, FRAME_CHUNK);
  producer.publish();
  t.throws(() => receiver.accept(consumer.next()), refused);
  t.throws(() => receiver.accept(consumer.next()), refused);
});
