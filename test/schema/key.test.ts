import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { ErrorCode } from '../../src/errors.ts';
import {
  hashKey,
  isExactNumber,
  KeyCodec,
  shardOfHash,
  shardOfInteger,
  sortableToNumber,
} from '../../src/schema/key.ts';
import { FIXED_KEY_TYPES, type KeyType } from '../../src/schema/schema.ts';
import { INT64_MAX, INT64_MIN, keysOf, UINT64_MAX } from './arbitraries.ts';

/** The sortable key as one integer. */
function sortableOf(codec: KeyCodec, key: unknown): bigint {
  codec.encode(key);
  return (BigInt(codec.hi) << 32n) | BigInt(codec.lo);
}

function order<T extends bigint | number>(a: T, b: T): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function refused(t: ExecutionContext, type: KeyType, key: unknown, code: ErrorCode): void {
  const error = t.throws(() => new KeyCodec(type, true).encode(key), { name: 'OmenError', code });
  t.true((error?.message.length ?? 0) > 20);
}

for (const type of FIXED_KEY_TYPES) {
  test(`the sortable form of ${type} keys has their order`, (t) => {
    const codec = new KeyCodec(type, true);
    fc.assert(
      fc.property(keysOf(type), keysOf(type), (a, b) => {
        const sortable = order(sortableOf(codec, a), sortableOf(codec, b));
        return sortable === order(a, b);
      }),
      { numRuns: 2000 },
    );
    t.pass();
  });

  test(`decoding a ${type} key inverts its encoding`, (t) => {
    const codec = new KeyCodec(type, true);
    const numbers = new KeyCodec(type, false);
    fc.assert(
      fc.property(keysOf(type), (key) => {
        codec.encode(key);
        const { hi, lo, number } = codec;
        const isWord = (word: number) => word >>> 0 === word && !Object.is(word, -0);
        if (!isWord(hi) || !isWord(lo) || number !== Number(key)) return false;
        if (codec.decode(hi, lo) !== (Object.is(key, -0) ? 0 : key)) return false;
        if (sortableToNumber(type, hi, lo) !== number) return false;
        const isExact = type === 'float64' || Number.isSafeInteger(number);
        if (isExactNumber(type, hi, lo) !== isExact) return false;
        if (!isExact) return true;
        return (
          numbers.decode(hi, lo) === number && codec.fromNumber(number) === codec.decode(hi, lo)
        );
      }),
      { numRuns: 2000 },
    );
    t.pass();
  });
}

test('the ends of every type are the ends of its sortable form', (t) => {
  const ends: [KeyType, bigint | number, bigint][] = [
    ['int64', INT64_MIN, 0n],
    ['int64', -1n, 2n ** 63n - 1n],
    ['int64', 0n, 2n ** 63n],
    ['int64', INT64_MAX, UINT64_MAX],
    ['uint64', 0n, 0n],
    ['uint64', UINT64_MAX, UINT64_MAX],
    ['timestamp', 0, 2n ** 63n],
    ['float64', -Infinity, 0x000fffffffffffffn],
    ['float64', -Number.MIN_VALUE, 0x7ffffffffffffffen],
    ['float64', 0, 0x8000000000000000n],
    ['float64', Number.MIN_VALUE, 0x8000000000000001n],
    ['float64', Infinity, 0xfff0000000000000n],
  ];
  for (const [type, key, sortable] of ends)
    t.is(sortableOf(new KeyCodec(type, true), key), sortable);
});

test('a number and the bigint of equal value are the same key', (t) => {
  for (const type of ['int64', 'uint64'] as const) {
    const codec = new KeyCodec(type, false);
    const keys = [0, 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];
    if (type === 'int64') keys.push(-1, -(2 ** 32), -(2 ** 32) - 1, Number.MIN_SAFE_INTEGER);
    for (const key of keys)
      t.is(sortableOf(codec, key), sortableOf(codec, BigInt(key)), String(key));
  }
});

test('minus zero is zero, whatever the type', (t) => {
  for (const type of FIXED_KEY_TYPES) {
    const codec = new KeyCodec(type, false);
    const zero = sortableOf(codec, 0);
    t.is(sortableOf(codec, -0), zero);
    t.is(codec.number, 0);
    t.is(codec.decode(codec.hi, codec.lo), 0);
  }
});

test('a Date is a timestamp, and comes back as a number', (t) => {
  const codec = new KeyCodec('timestamp', true);
  for (const time of [0, -1, Date.UTC(2026, 1, 3), 8.64e15, -8.64e15]) {
    t.is(sortableOf(codec, new Date(time)), sortableOf(codec, time));
    t.is(codec.decode(codec.hi, codec.lo), time);
    t.is(codec.fromNumber(time), time);
  }
});

test('with bigints, 64-bit integer keys are always given back as bigints, others never', (t) => {
  const types = FIXED_KEY_TYPES.map((type) => {
    const codec = new KeyCodec(type, true);
    codec.encode(5);
    return [typeof codec.decode(codec.hi, codec.lo), typeof codec.fromNumber(5)];
  });
  const [big, number] = [
    ['bigint', 'bigint'],
    ['number', 'number'],
  ];
  t.deepEqual(types, [big, big, number, number]);
  t.is(new KeyCodec('int64', false).fromNumber(5), 5);
});

test('a key of the wrong type is refused', (t) => {
  const nothings = [
    undefined,
    null,
    '5',
    true,
    {},
    [],
    [1],
    Symbol('k'),
    () => 1,
    Object.create(null),
  ];
  for (const type of FIXED_KEY_TYPES) {
    for (const key of [...nothings, NaN, new Date(Number.NaN)])
      refused(t, type, key, 'OMEN_INVALID_KEY');
    if (type !== 'float64') {
      for (const key of [0.5, -0.5, Infinity, -Infinity, 1e-300]) {
        refused(t, type, key, 'OMEN_INVALID_KEY');
      }
    }
    if (type !== 'timestamp') refused(t, type, new Date(0), 'OMEN_INVALID_KEY');
  }
  refused(t, 'timestamp', 5n, 'OMEN_INVALID_KEY');
  refused(t, 'float64', 5n, 'OMEN_INVALID_KEY');
});

test('a key out of the range of its type is refused', (t) => {
  refused(t, 'uint64', -1, 'OMEN_INVALID_KEY');
  refused(t, 'uint64', -(2 ** 60), 'OMEN_INVALID_KEY');
  refused(t, 'uint64', -1n, 'OMEN_INVALID_KEY');
  refused(t, 'uint64', UINT64_MAX + 1n, 'OMEN_INVALID_KEY');
  refused(t, 'int64', INT64_MAX + 1n, 'OMEN_INVALID_KEY');
  refused(t, 'int64', INT64_MIN - 1n, 'OMEN_INVALID_KEY');
  refused(t, 'int64', 10n ** 1000n, 'OMEN_INVALID_KEY');
});

test('a number that may have been rounded is refused as an integer key', (t) => {
  for (const type of ['int64', 'uint64', 'timestamp'] as const) {
    for (const key of [2 ** 53, 2 ** 63, 1e300]) {
      refused(t, type, key, 'OMEN_UNSAFE_INTEGER');
      if (type !== 'uint64') refused(t, type, -key, 'OMEN_UNSAFE_INTEGER');
    }
  }
});

test('a refused key leaves the codec as it was', (t) => {
  const codec = new KeyCodec('uint64', true);
  codec.encode(7n);
  for (const key of [-1, -1n, 2 ** 53, 'x']) t.throws(() => codec.encode(key));
  t.deepEqual([codec.hi, codec.lo, codec.number], [0, 7, 7]);
});

test('an integer key that no number can hold is only given back as a bigint', (t) => {
  for (const [type, key] of [
    ['int64', 2n ** 53n],
    ['int64', -(2n ** 53n)],
    ['int64', INT64_MIN],
    ['uint64', UINT64_MAX],
  ] as const) {
    const codec = new KeyCodec(type, false);
    codec.encode(key);
    t.throws(() => codec.decode(codec.hi, codec.lo), { code: 'OMEN_UNSAFE_INTEGER' });
  }
});

test('the hash of a key is what it was when the format was fixed', (t) => {
  const pinned: [KeyType, number | bigint, number][] = [
    ['int64', 0, 0x6d3c65a0],
    ['int64', 1, 0x8b7f7a6a],
    ['int64', -1, 0x09ffa120],
    ['int64', INT64_MAX, 0xb19fea7c],
    ['int64', INT64_MIN, 0x00000000],
    ['int64', 1234567890123, 0x111cf447],
    ['uint64', 0, 0x00000000],
    ['uint64', UINT64_MAX, 0xb19fea7c],
    ['float64', 0, 0x6d3c65a0],
    ['float64', 0.1, 0x00e4ae10],
    ['float64', -1.5, 0x7cff411d],
    ['float64', Infinity, 0xd7f7f7eb],
    ['timestamp', 1770000000000, 0x56033cf6],
  ];
  for (const [type, key, hash] of pinned) {
    const codec = new KeyCodec(type, true);
    codec.encode(key);
    t.is(hashKey(codec.hi, codec.lo), hash, `${type} ${key}`);
  }
});

test('shards have even shares of all hashes, in their order', (t) => {
  for (const shards of [1, 2, 3, 5, 64, 128]) {
    t.is(shardOfHash(0, shards), 0);
    t.is(shardOfHash(0xffffffff, shards), shards - 1);
    for (let shard = 1; shard < shards; shard++) {
      const first = Math.ceil((shard * 2 ** 32) / shards);
      t.is(shardOfHash(first, shards), shard);
      t.is(shardOfHash(first - 1, shards), shard - 1);
    }
  }
});

test('any number has a shard, whether it is a key or not', (t) => {
  fc.assert(
    fc.property(fc.double(), fc.integer({ min: 1, max: 128 }), (number, shards) => {
      const shard = shardOfInteger(number, shards);
      return Number.isInteger(shard) && shard >= 0 && shard < shards;
    }),
    {
      examples: [
        [Number.NaN, 3],
        [Number.POSITIVE_INFINITY, 128],
        [-0.5, 2],
        [1e300, 7],
      ],
    },
  );
  t.pass();
});

for (const type of ['int64', 'timestamp'] as const) {
  test(`the hash of a safe integer ${type} key is the same without encoding it`, (t) => {
    const codec = new KeyCodec(type, false);
    fc.assert(
      fc.property(fc.maxSafeInteger(), (key) => {
        codec.encode(key);
        if (codec.hashInteger(key) >>> 0 !== codec.hash()) return false;
        for (let shards = 1; shards <= 128; shards++) {
          const shard = Math.floor((codec.hash() * shards) / 2 ** 32);
          if (shardOfInteger(key, shards) !== shard) return false;
          if (shardOfHash(codec.hash(), shards) !== shard) return false;
          if (shardOfHash(codec.hash() | 0, shards) !== shard) return false;
        }
        return true;
      }),
      { examples: [[0], [-0], [-1], [2 ** 32], [-(2 ** 32)], [2 ** 53 - 1], [1 - 2 ** 53]] },
    );
    t.pass();
  });
}

test('the hash tells neighbours apart, in its upper bits and in its lower', (t) => {
  const counts = [new Uint32Array(64), new Uint32Array(64)];
  for (let high = 0; high < 64; high++) {
    for (let low = 0; low < 1024; low++) {
      const hash = hashKey(high, low * 8);
      counts[0][hash >>> 26]++;
      counts[1][hash & 63]++;
    }
  }
  for (const count of counts) t.true(Math.min(...count) > 850 && Math.max(...count) < 1200);
});
