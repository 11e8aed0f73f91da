import test from 'ava';
import fc from 'fast-check';
import {
  createRing,
  FRAME_CHUNK,
  FRAME_HEADER_BYTES,
  FRAME_WHOLE,
  frameBytes,
  frameBytesMax,
  guaranteedBytes,
  RingConsumer,
  RingProducer,
} from '../../src/ring/ring.ts';
import { HEAD_WORD, ringAt, TAIL_WORD } from './memory.ts';

const CAPACITY = 4096;
const LARGEST = frameBytesMax(CAPACITY);

/** A frame's content, from its number: no two frames that can meet in a ring look alike. */
function fill(u8: Uint8Array, at: number, bytes: number, id: number): void {
  for (let i = 0; i < bytes; i++) u8[at + i] = (id * 31 + i * 7 + (i >> 8)) & 255;
}

function holds(u8: Uint8Array, at: number, bytes: number, id: number): boolean {
  for (let i = 0; i < bytes; i++)
    if (u8[at + i] !== ((id * 31 + i * 7 + (i >> 8)) & 255)) return false;
  return true;
}

function put(ring: RingProducer, bytes: number, id: number): boolean {
  const at = ring.reserve(bytes);
  if (at < 0) return false;
  fill(ring.u8, at, bytes, id);
  return true;
}

type Step = { do: 'reserve'; bytes: number } | { do: 'publish' | 'next' | 'release' | 'reattach' };

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('reserve' as const), bytes: sizes() }) },
    {
      weight: 8,
      arbitrary: fc.record({ do: fc.constantFrom('publish', 'next', 'next', 'release') }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('reattach' as const) }) },
  ),
  { minLength: 1, maxLength: 300 },
) as fc.Arbitrary<Step[]>;

function sizes(): fc.Arbitrary<number> {
  return fc.oneof(
    fc.integer({ min: 0, max: 64 }),
    fc.integer({ min: 0, max: LARGEST }),
    fc.constantFrom(LARGEST, LARGEST - 1, LARGEST - 8, 0, 1, 8),
  );
}

/** Where the counters begin: at zero, just before the sign changes, just before they wrap. */
const starts = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 2 * CAPACITY }).map((bytes) => 2 ** 31 - 8 * (bytes >> 3)),
  fc.integer({ min: 0, max: 2 * CAPACITY }).map((bytes) => 2 ** 32 - 8 * (bytes >> 3)),
);

test('a ring behaves as a bounded queue of frames, whatever is done to it in whatever order', (t) => {
  fc.assert(
    fc.property(starts, steps, (start, script) => {
      const memory = ringAt(CAPACITY, start);
      let producer = new RingProducer(memory);
      let consumer = new RingConsumer(memory);
      let id = 0;
      let reserved: { id: number; bytes: number }[] = [];
      let visible: { id: number; bytes: number }[] = [];
      let taken: { id: number; bytes: number }[] = [];
      const occupied = () =>
        [...taken, ...visible, ...reserved].reduce((sum, { bytes }) => sum + frameBytes(bytes), 0);
      for (const step of script) {
        if (step.do === 'reserve') {
          const free = producer.freeBytes();
          const at = producer.reserve(step.bytes);
          if (at < 0) {
            // Refused: then it would not have fitted with the largest pad that can precede it.
            if (free >= 2 * frameBytes(step.bytes) - 8) return false;
            if (free !== producer.freeBytes()) return false;
          } else {
            if (at % 8 !== 0 || at + step.bytes > CAPACITY) return false;
            fill(producer.u8, at, step.bytes, id);
            reserved.push({ id: id++, bytes: step.bytes });
            if (CAPACITY - producer.freeBytes() < occupied()) return false;
          }
        } else if (step.do === 'publish') {
          producer.publish();
          visible.push(...reserved);
          reserved = [];
        } else if (step.do === 'next') {
          const length = consumer.next();
          const frame = visible.shift();
          if (frame === undefined) {
            if (length !== -1) return false;
          } else {
            if (length !== frame.bytes || consumer.kind !== FRAME_WHOLE) return false;
            if (!holds(consumer.u8, consumer.offset, length, frame.id)) return false;
            taken.push(frame);
          }
        } else if (step.do === 'release') {
          consumer.release();
          taken = [];
        } else {
          // Both ends made anew: what was not published is gone, what was not released comes again.
          producer = new RingProducer(memory);
          consumer = new RingConsumer(memory);
          visible = [...taken, ...visible];
          taken = [];
          reserved = [];
        }
      }
      return true;
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

test('frames within the guaranteed bytes always find room', (t) => {
  fc.assert(
    fc.property(
      starts,
      fc.integer({ min: 0, max: LARGEST }),
      fc.array(fc.nat({ max: 2 ** 30 }), { minLength: 1, maxLength: 200 }),
      fc.infiniteStream(fc.boolean()),
      (start, largest, draws, releases) => {
        const memory = ringAt(CAPACITY, start);
        const producer = new RingProducer(memory);
        const consumer = new RingConsumer(memory);
        const credit = guaranteedBytes(CAPACITY, largest);
        let inUse = 0;
        for (const draw of draws) {
          const bytes = draw % (largest + 1);
          while (inUse + frameBytes(bytes) > credit || (inUse > 0 && releases.next().value)) {
            const length = consumer.next();
            consumer.release();
            inUse -= frameBytes(length);
          }
          if (!put(producer, bytes, 0)) return false;
          producer.publish();
          inUse += frameBytes(bytes);
        }
        return true;
      },
    ),
    { numRuns: 2000 },
  );
  t.pass();
});

test('the largest frame fits into an empty ring wherever its position is', (t) => {
  for (let start = 0; start < CAPACITY; start += 8) {
    const memory = ringAt(CAPACITY, start);
    const producer = new RingProducer(memory);
    const consumer = new RingConsumer(memory);
    t.true(put(producer, LARGEST, start));
    producer.publish();
    t.is(consumer.next(), LARGEST);
    t.true(holds(consumer.u8, consumer.offset, LARGEST, start));
    t.is(consumer.next(), -1);
    consumer.release();
    t.is(producer.freeBytes(), CAPACITY);
  }
});

test('a full ring refuses, and takes again what was given back, to the byte', (t) => {
  const memory = createRing(CAPACITY);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  const frames = CAPACITY / frameBytes(8);
  for (let id = 0; id < frames; id++) t.true(put(producer, 8, id));
  t.is(producer.freeBytes(), 0);
  t.is(producer.reserve(0), -1);
  t.is(consumer.next(), -1, 'nothing is visible before it is published');
  producer.publish();
  t.is(consumer.next(), 8);
  t.is(producer.reserve(0), -1, 'consumed is not yet released');
  consumer.release();
  t.is(producer.freeBytes(), frameBytes(8));
  t.is(producer.reserve(9), -1);
  t.true(put(producer, 8, frames));
  producer.publish();
  for (let id = 1; id <= frames; id++) {
    t.is(consumer.next(), 8);
    t.true(holds(consumer.u8, consumer.offset, 8, id));
  }
  t.is(consumer.next(), -1);
});

test('a frame that ends exactly at the end needs no pad, one word more does', (t) => {
  for (const [last, padded] of [
    [CAPACITY / 4 - FRAME_HEADER_BYTES, false],
    [CAPACITY / 4 - FRAME_HEADER_BYTES + 1, true],
  ] as const) {
    const memory = ringAt(CAPACITY, CAPACITY * 0.75);
    const producer = new RingProducer(memory);
    const at = producer.reserve(last);
    t.is(at, padded ? FRAME_HEADER_BYTES : CAPACITY * 0.75 + FRAME_HEADER_BYTES);
    t.is(CAPACITY - producer.freeBytes(), frameBytes(last) + (padded ? CAPACITY / 4 : 0));
    producer.publish();
    const consumer = new RingConsumer(memory);
    t.is(consumer.next(), last);
    t.is(consumer.offset, at);
    consumer.release();
    t.is(producer.freeBytes(), CAPACITY);
  }
});

test('a frame refused for want of room for its pad changes nothing', (t) => {
  const memory = ringAt(CAPACITY, CAPACITY - 64);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  t.true(put(producer, 48, 1)); // up to 8 bytes before the end, rest is a pad's header
  t.true(put(producer, LARGEST, 2));
  const free = producer.freeBytes();
  t.is(producer.reserve(LARGEST), -1);
  t.is(producer.freeBytes(), free);
  producer.publish();
  t.is(consumer.next(), 48);
  t.is(consumer.next(), LARGEST);
  t.true(holds(consumer.u8, consumer.offset, LARGEST, 2));
  t.is(consumer.next(), -1);
});

test('publishing tells whether the consumer may have found nothing before', (t) => {
  const memory = createRing(CAPACITY);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  t.false(producer.publish(), 'nothing was reserved');
  producer.reserve(8);
  t.true(producer.publish());
  producer.reserve(8);
  t.false(producer.publish(), 'the first is still there');
  consumer.next();
  consumer.next();
  producer.reserve(8);
  t.false(producer.publish(), 'nothing was released');
  consumer.release();
  producer.reserve(8);
  t.false(producer.publish(), 'the third is still there');
  consumer.next();
  consumer.next();
  consumer.release();
  producer.reserve(8);
  t.true(producer.publish());
});

test('the kind of a frame arrives with it', (t) => {
  const memory = createRing(CAPACITY);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  producer.reserve(16, FRAME_CHUNK);
  producer.reserve(0);
  producer.publish();
  t.is(consumer.next(), 16);
  t.is(consumer.kind, FRAME_CHUNK);
  t.is(consumer.next(), 0);
  t.is(consumer.kind, FRAME_WHOLE);
});

test('the three views of both ends show the same bytes', (t) => {
  const memory = createRing(CAPACITY);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  const at = producer.reserve(16);
  producer.f64[at >>> 3] = Math.PI;
  producer.u32[(at + 8) >>> 2] = 0xdeadbeef;
  producer.u8[at + 15] = 7;
  producer.publish();
  consumer.next();
  t.is(consumer.f64[consumer.offset >>> 3], Math.PI);
  t.is(consumer.u32[(consumer.offset + 8) >>> 2], 0xdeadbeef);
  t.is(consumer.u8[consumer.offset + 15], 7);
});

test('what cannot be a ring or a frame of it is refused as a programming error', (t) => {
  const refused = { name: 'AssertionError' };
  for (const bytes of [0, 2048, 5000, 4096.5, 2 ** 31, Number.NaN])
    t.throws(() => createRing(bytes), refused);
  t.throws(() => new RingProducer(new SharedArrayBuffer(4096)), refused);
  t.throws(() => new RingConsumer(new SharedArrayBuffer(0)), refused);
  const producer = new RingProducer(createRing(CAPACITY));
  for (const bytes of [-1, LARGEST + 1, Number.NaN, 2 ** 32])
    t.throws(() => producer.reserve(bytes), refused);
  t.is(producer.freeBytes(), CAPACITY);
});

test('a consumer believes no header that cannot be', (t) => {
  const refused = { name: 'AssertionError', message: /impossible frame/ };
  const publish = (start: number, bytes: readonly number[], spoil: (u32: Uint32Array) => void) => {
    const memory = ringAt(CAPACITY, start);
    const producer = new RingProducer(memory);
    for (const size of bytes) producer.reserve(size);
    producer.publish();
    spoil(producer.u32);
    return new RingConsumer(memory);
  };
  const set = (word: number, value: number) => (u32: Uint32Array) => {
    u32[word] = value;
  };
  for (const length of [25, 33, CAPACITY, 2 ** 31, 2 ** 32 - 1, 2 ** 32 - 8])
    t.throws(() => publish(0, [24], set(0, length)).next(), refused);
  for (const kind of [0, 4, 2 ** 31, 2 ** 32 - 1])
    t.throws(() => publish(0, [24], set(1, kind)).next(), refused);
  // A pad where none can be: not up to the end, or with nothing behind it, or at the very beginning.
  t.throws(() => publish(0, [24], set(1, 1)).next(), refused);
  const tail = CAPACITY - 32;
  t.throws(() => publish(tail, [24], set(tail / 4 + 1, 1)).next(), refused);
  t.throws(() => publish(tail, [40], set(tail / 4, 16)).next(), refused);
  t.throws(() => publish(tail, [40], set(1, 1)).next(), refused);
});

test('an end refuses indices that cannot be', (t) => {
  const refused = { name: 'AssertionError', message: /impossible indices/ };
  for (const [tail, head] of [
    [CAPACITY + 8, 0],
    [0, 8],
    [12, 0],
    [-1, 0],
  ]) {
    const memory = createRing(CAPACITY);
    const control = new Int32Array(memory);
    const consumer = new RingConsumer(memory);
    control[TAIL_WORD] = tail;
    control[HEAD_WORD] = head;
    t.throws(() => new RingProducer(memory), refused);
    t.throws(() => new RingConsumer(memory), refused);
    if (head === 0) t.throws(() => consumer.next(), refused);
  }
});
