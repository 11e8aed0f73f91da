import test from 'ava';
import fc from 'fast-check';
import { KeyCodec } from '../../src/schema/key.ts';
import {
  compareBytes,
  copyOf,
  hashBytes,
  hashStored,
  isSameBytes,
  isSameStored,
  KEY_BYTES_MAX,
  type KeyBytes,
  STORED_KEY_AT,
  storedBytes,
  wordOfBytes,
} from '../../src/schema/key-bytes.ts';

const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ unit: fc.constantFrom('a', 'b', '\0'), maxLength: 20 }),
  fc.string({ unit: 'grapheme', maxLength: 200 }),
);
const arrays = fc.oneof(
  fc.uint8Array({ maxLength: 30 }),
  fc.array(fc.constantFrom(0, 1, 255), { maxLength: 200 }).map((some) => Uint8Array.from(some)),
);

/** A key and its bytes, of either type. */
const keys = fc.oneof(
  texts.map((key) => ({ type: 'utf8' as const, key, bytes: Buffer.from(key) })),
  arrays.map((key) => ({ type: 'binary' as const, key, bytes: Buffer.from(key) })),
);

function encoded(type: 'utf8' | 'binary', key: unknown): KeyCodec {
  const codec = new KeyCodec(type, false);
  codec.encode(key);
  return codec;
}

function bytesOf({ bytes }: KeyCodec): KeyBytes & { stored: Uint32Array } {
  if (bytes === null) throw new Error('a key of variable length has bytes');
  return bytes;
}

test('a key is its bytes, its words are the first eight, and decoding gives a copy', (t) => {
  fc.assert(
    fc.property(keys, ({ type, key, bytes }) => {
      const codec = encoded(type, key);
      const { memory, start, end, stored } = bytesOf(codec);
      const { buffer } = memory;
      t.deepEqual(Buffer.from(buffer.subarray(start, end)), bytes);
      const prefix = Buffer.concat([bytes, Buffer.alloc(8)]);
      t.deepEqual([codec.hi, codec.lo], [prefix.readUInt32BE(0), prefix.readUInt32BE(4)]);
      t.deepEqual([stored[0], stored[1]], [bytes.length, 0]);
      const whole = Buffer.from(stored.buffer, 0, storedBytes(bytes.length));
      t.true(whole.subarray(STORED_KEY_AT + bytes.length).every((byte) => byte === 0));
      const given = codec.decode(codec.hi, codec.lo, bytesOf(codec));
      buffer.fill(1, start, end);
      t.deepEqual(given, key);
    }),
    { numRuns: 500 },
  );
});

test('a codec is none the worse for the longer keys it encoded before', (t) => {
  const codec = new KeyCodec('utf8', false);
  for (const key of ['x'.repeat(KEY_BYTES_MAX), 'é'.repeat(KEY_BYTES_MAX / 2), 'abc', '']) {
    codec.encode(key);
    t.is(codec.decode(codec.hi, codec.lo, codec.bytes), key);
    const { stored } = bytesOf(codec);
    t.is(hashStored(stored, 0), encoded('utf8', key).hash());
  }
});

test('keys are ordered by words, then bytes, as their bytes are', (t) => {
  fc.assert(
    fc.property(arrays, arrays, fc.nat({ max: 100 }), (a, b, shared) => {
      const start = new Uint8Array(shared).fill(7);
      const [x, y] = [a, b].map((end) => Buffer.concat([start, end]));
      const [one, other] = [encoded('binary', x), encoded('binary', y)];
      const order = one.hi - other.hi || one.lo - other.lo || compareBytes(one.bytes, other.bytes);
      t.is(Math.sign(order), Buffer.compare(x, y));
      const [{ stored }, { stored: otherStored }] = [bytesOf(one), bytesOf(other)];
      t.is(isSameStored(stored, 0, otherStored, 0), order === 0);
    }),
    { numRuns: 1000 },
  );
});

test('a key has one hash, in its stored form and where it lies', (t) => {
  fc.assert(
    fc.property(keys, fc.nat({ max: 9 }), ({ type, key, bytes }, before) => {
      const around = Buffer.concat([Buffer.alloc(before, 0xa5), bytes, Buffer.of(0x5a, 1, 2, 3)]);
      const { memory } = copyOf(around);
      const codec = encoded(type, key);
      t.is(hashBytes(memory, before, before + bytes.length), codec.hash());
      t.is(hashStored(bytesOf(codec).stored, 0), codec.hash());
    }),
    { numRuns: 500 },
  );
});

test('keys are the same where their bytes are, wherever those lie', (t) => {
  const lengths = fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 1200 }));
  fc.assert(
    fc.property(lengths, fc.nat({ max: 7 }), fc.nat(), (length, before, place) => {
      const bytes = Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 37) & 0xff));
      const key = copyOf(bytes);
      const other = copyOf(Buffer.concat([Buffer.alloc(before, 1), bytes, Buffer.of(9)]));
      t.true(isSameBytes(key, other.memory, before, length));
      t.false(isSameBytes(key, other.memory, before, length + 1));
      if (length === 0) return;
      t.false(isSameBytes(key, other.memory, before, length - 1));
      other.memory.buffer[before + (place % length)] ^= 0x80;
      t.false(isSameBytes(key, other.memory, before, length));
    }),
    { numRuns: 1000 },
  );
});

test('the order of strings is that of their code points', (t) => {
  const ascending = [
    '',
    '\0',
    'A',
    'a',
    'a\0',
    'aa',
    'é',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '\u{10000}',
  ];
  for (const [i, key] of ascending.entries()) {
    if (i === 0) continue;
    const [a, b] = [encoded('utf8', ascending[i - 1]), encoded('utf8', key)];
    t.true((a.hi - b.hi || a.lo - b.lo || compareBytes(a.bytes, b.bytes)) < 0, key);
  }
});

test('words of bytes are big-endian, with zeros behind the end', (t) => {
  const { memory } = copyOf(Uint8Array.of(0xff, 1, 2, 3, 4));
  const words = [0, 1, 2, 4, 5, 9].map((at) => wordOfBytes(memory, at, 5));
  t.deepEqual(words, [0xff010203, 0x01020304, 0x02030400, 0x04000000, 0, 0]);
});

test('what is no key of the type, or longer than a key, is refused', (t) => {
  const refused = (type: 'utf8' | 'binary', key: unknown): void => {
    t.throws(() => encoded(type, key), { name: 'OmenError', code: 'OMEN_INVALID_KEY' });
  };
  const nothings = [undefined, null, 5, 5.5, 5n, true, {}, [1], new Date(0), Symbol('k')];
  for (const key of [...nothings, new Uint8Array(1), '\ud800', 'a\udc00b']) refused('utf8', key);
  for (const key of [...nothings, 'a', [1], new Uint16Array(1), new ArrayBuffer(1)])
    refused('binary', key);
  refused('utf8', 'x'.repeat(KEY_BYTES_MAX + 1));
  refused('utf8', 'é'.repeat(KEY_BYTES_MAX / 2 + 1));
  refused('binary', new Uint8Array(KEY_BYTES_MAX + 1));
  t.notThrows(() => encoded('utf8', 'é'.repeat(KEY_BYTES_MAX / 2)));
  t.notThrows(() => encoded('binary', new Uint8Array(KEY_BYTES_MAX)));
});

test('the hash of every key is what it always was', (t) => {
  const pinned: [string, number][] = [
    ['', 0],
    ['a', 0x1f9db7e8],
    ['a\0', 0x2850cc12],
    ['abcdefgh', 0xee11dedc],
    ['https://www.example.com/', 0xbb88790f],
    ['é', 0xb69e3a2b],
  ];
  t.deepEqual(
    pinned.map(([key]) => [key, encoded('utf8', key).hash()]),
    pinned,
  );
});

test('the hash tells keys apart that begin alike, in its upper bits and in its lower', (t) => {
  const codec = new KeyCodec('utf8', false);
  const counts = [new Uint32Array(64), new Uint32Array(64)];
  for (let i = 0; i < 65_536; i++) {
    codec.encode(`https://www.example.com/${i}`);
    const hash = codec.hash();
    counts[0][hash >>> 26]++;
    counts[1][hash & 63]++;
  }
  for (const count of counts) t.true(Math.min(...count) > 850 && Math.max(...count) < 1200);
});
