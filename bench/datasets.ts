/**
 * Key distributions, seeded, for measurements and for tests. Each is what some index was seen to
 * fail on, or what users store. Keys come sorted and distinct, in either resident form: numbers
 * (`f64`), and sortable keys as [lo, hi] pairs of 32-bit words (`words`).
 */

/** Numbers in [0, 1) with 53 random bits (sfc32, by Chris Doty-Humphrey). */
export type Random = () => number;

export function randomFrom(seed: number): Random {
  let a = 0x9e3779b9;
  let b = 0x243f6a88;
  let c = seed | 0;
  let counter = 1;
  const next = (): number => {
    const t = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) next();
  return () => (next() * 2097152 + (next() >>> 11)) / 9007199254740992;
}

/** Standard normal (Box-Muller). */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** 64 random bits, the top `bits` of them cut off. */
function random64(random: Random, bits = 64): bigint {
  const high = BigInt(Math.floor(random() * 4294967296));
  const low = BigInt(Math.floor(random() * 4294967296));
  return ((high << 32n) | low) >> BigInt(64 - bits);
}

type Generate = (count: number, random: Random) => Float64Array | BigUint64Array;

function numbers(count: number, at: (i: number) => number): Float64Array {
  const keys = new Float64Array(count);
  for (let i = 0; i < count; i++) keys[i] = at(i);
  return keys;
}

/** Signed or unsigned 64-bit integers; a sum beyond 64 bits wraps. */
function integers(count: number, at: (i: number) => bigint): BigUint64Array {
  const keys = new BigUint64Array(count);
  for (let i = 0; i < count; i++) keys[i] = at(i);
  return keys;
}

/** Running sums of whole gaps. */
function walk(count: number, from: number, gap: (i: number) => number): Float64Array {
  let key = from;
  return numbers(count, (i) => {
    key += Math.floor(gap(i));
    return key;
  });
}

const SIGN = 2n ** 63n;
const YEAR_2024 = 1704067200000;

/** Every number is a key as it is; a bigint is a sortable key. */
const GENERATORS = {
  uniform: (count, random) => numbers(count, () => Math.floor((random() - 0.5) * 2 ** 53)),
  sequential: (count) => numbers(count, (i) => 1_000_000 + i),
  /** Measurements each ~10 ms, with pauses of hours and bursts within a millisecond or two. */
  timestamps: (count, random) =>
    walk(count, YEAR_2024, () => {
      const kind = random();
      if (kind < 0.00005) return 3600_000 * (1 + 20 * random());
      return kind < 0.3 ? 1 : 5 + 10 * random();
    }),
  lognormal: (count, random) =>
    numbers(count, () => Math.floor(Math.exp(2 * normal(random)) * 1e11)),
  /** Gaps of probability ~ 1/g², up to 10^9. */
  'zipf gaps': (count, random) => walk(count, 0, () => Math.min(1 / (1 - random()), 1e9 / 8)),
  /** A thousand dense stretches, 10^12 and more apart. */
  clusters: (count, random) => {
    const each = Math.ceil(count / 1000);
    return walk(count, -(2 ** 52), (i) =>
      i % each === 0 ? 1e12 * (1 + random()) : 1 + 3 * random(),
    );
  },
  outliers: (count, random) =>
    numbers(count, (i) => {
      if (i === 0) return Number.MIN_SAFE_INTEGER;
      if (i === 1) return Number.MAX_SAFE_INTEGER;
      return Math.floor(random() * 100 * count);
    }),
  holes: (count, random) => walk(count, 0, () => (random() < 0.1 ? 2 : 1)),
  /** Every power of two that a double can be, both signs: few, and nothing is as uneven. */
  'powers of two': (count) =>
    numbers(Math.min(count, 4196), (i) => (i % 2 === 0 ? 1 : -1) * 2 ** ((i >>> 1) - 1074)),
  /** A few keys above and below every power of two. */
  binades: (count, random) =>
    integers(
      count,
      (i) => (1n << BigInt(i % 64)) ^ random64(random, 1 + Math.floor(random() * (i % 64))),
    ),
  'lowest bits': (count) => integers(count, (i) => SIGN + 2n ** 62n + BigInt(i)),
  'highest bits': (count) => {
    const shift = BigInt(64 - Math.ceil(Math.log2(count + 1)));
    return integers(count, (i) => BigInt(i) << shift);
  },
  /** The ends of int64, the middle, and everything between. */
  extremes: (count, random) => {
    const near = [0n, 2n ** 64n - 1n, SIGN];
    return integers(count, (i) => {
      if (i < 3) return near[i];
      const offset = random64(random, 24);
      if (i % 4 === 3) return random64(random);
      return i % 2 === 0 ? near[i % 3] + offset : near[i % 3] - offset;
    });
  },
  /** Milliseconds, 5 machines, a counter each that starts again every millisecond. */
  snowflake: (count, random) => {
    let ms = 200_000_000_000n;
    let counter = 0n;
    return integers(count, () => {
      if (random() < 0.2) {
        ms += BigInt(1 + Math.floor(8 * random() ** 4));
        counter = 0n;
      }
      return SIGN + ((ms << 22n) | (BigInt(Math.floor(5 * random())) << 17n) | counter++);
    });
  },
  /** Like SOSD's books: dense at the low end, thinning out smoothly over the range. */
  books: (count, random) =>
    integers(count, () => SIGN + BigInt(Math.floor(Math.exp(21 + 1.2 * normal(random)) * 2e8))),
  /** Like SOSD's fb: nearly uniform, but for a handful of keys a million times larger. */
  fb: (count, random) =>
    integers(count, (i) =>
      i < 21 ? random64(random) | SIGN : random64(random, 38 + (i % 8 === 0 ? 1 : 0)),
    ),
  /** Like SOSD's osm: places on a map, crowded in towns, numbered along a Morton curve. */
  osm: (count, random) => {
    const towns = numbers(3000, random);
    return integers(count, () => {
      const town = 3 * Math.floor(1000 * random() ** 2);
      const spread = 0.03 * towns[town + 2] ** 4 + 1e-5;
      const x = towns[town] + spread * normal(random) * random();
      const y = towns[town + 1] + spread * normal(random) * random();
      return spread32(x) | (spread32(y) << 1n);
    });
  },
  /** Like SOSD's wiki: times of edits in seconds, more by day than by night and from year to year. */
  wiki: (count, random) =>
    walk(count, 1e9, (i) => {
      const rate = (0.05 + (0.9 * i) / count) * (1.1 + Math.sin(i / 5000));
      return 1 - Math.log(1 - random()) / rate;
    }),
  /** Nested sixteen deep: at each level a 16th of the keys, the others in one cell out of 16. */
  nest: (count, random) =>
    integers(count, () => {
      const level = Math.floor(16 * random());
      const bits = 64 - 4 * level;
      return (0x7777777777777777n & ~(2n ** BigInt(bits) - 1n)) | random64(random, bits);
    }),
} satisfies Record<string, Generate>;

/** The low 32 bits of a place in [0, 1), spread to every other bit. */
function spread32(place: number): bigint {
  let bits = BigInt(Math.floor(Math.min(Math.max(place, 0), 1 - 2 ** -32) * 4294967296));
  bits = (bits | (bits << 16n)) & 0x0000ffff0000ffffn;
  bits = (bits | (bits << 8n)) & 0x00ff00ff00ff00ffn;
  bits = (bits | (bits << 4n)) & 0x0f0f0f0f0f0f0f0fn;
  bits = (bits | (bits << 2n)) & 0x3333333333333333n;
  return (bits | (bits << 1n)) & 0x5555555555555555n;
}

export type DataSetName = keyof typeof GENERATORS;

export const DATA_SETS = Object.keys(GENERATORS) as DataSetName[];

/** Sorted and distinct, in fresh shared memory. */
function distinct<T extends Float64Array | BigUint64Array>(keys: T, into: T): T {
  keys.sort();
  let count = 0;
  for (let i = 0; i < keys.length; i++) {
    if (i === 0 || keys[i] !== keys[i - 1]) into[count++] = keys[i];
  }
  return into.subarray(0, count) as T;
}

function sharedNumbers(count: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(8 * count));
}

/**
 * At most `count` keys (fewer where the set repeats itself or ends), as numbers. 64-bit integers are
 * rounded to the nearest double, and counted once.
 */
export function numberKeys(name: DataSetName, count: number, seed = 1): Float64Array {
  const keys = GENERATORS[name](count, randomFrom(seed));
  const rounded =
    keys instanceof Float64Array
      ? keys
      : numbers(count, (i) => Number(BigInt.asIntN(64, keys[i] ^ SIGN)));
  return distinct(rounded, sharedNumbers(rounded.length));
}

/** The same as sortable keys. Numbers that are integers are taken as int64, others as float64. */
export function wordKeys(name: DataSetName, count: number, seed = 1): Uint32Array {
  const keys = GENERATORS[name](count, randomFrom(seed));
  const sortable = keys instanceof BigUint64Array ? keys : sortableOf(keys);
  const into = new BigUint64Array(new SharedArrayBuffer(8 * sortable.length));
  const { buffer, length } = distinct(sortable, into);
  return new Uint32Array(buffer, 0, 2 * length);
}

function sortableOf(keys: Float64Array): BigUint64Array {
  const sortable = new BigUint64Array(keys.length);
  const areIntegers = keys.every(Number.isSafeInteger);
  const bits = new BigUint64Array(keys.buffer, keys.byteOffset, keys.length);
  for (let i = 0; i < keys.length; i++) {
    if (areIntegers) sortable[i] = BigInt(keys[i]) ^ SIGN;
    else sortable[i] = bits[i] >= SIGN ? ~bits[i] : bits[i] ^ SIGN;
  }
  return sortable;
}
