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

/** A 64-bit integer in the making, as two 32-bit words: a bigint a key would take minutes at 50 M. */
interface Word {
  hi: number;
  lo: number;
}

/** So many random bits. */
function setRandom(key: Word, random: Random, bits = 64): void {
  key.hi = bits > 32 ? Math.floor(random() * 2 ** (bits - 32)) : 0;
  key.lo = Math.floor(random() * 2 ** Math.min(bits, 32));
}

/** A whole number in [0, 2^64). */
function setNumber(key: Word, value: number): void {
  key.hi = Math.floor(value / TWO_32);
  key.lo = value >>> 0;
}

type Generate = (count: number, random: Random) => Float64Array | BigUint64Array;

function numbers(count: number, at: (i: number) => number): Float64Array {
  const keys = new Float64Array(count);
  for (let i = 0; i < count; i++) keys[i] = at(i);
  return keys;
}

/** Sortable keys: unsigned 64-bit integers, as words of which only the low 32 bits count. */
function integers(count: number, set: (key: Word, i: number) => void): BigUint64Array {
  const words = new Uint32Array(2 * count);
  const key = { hi: 0, lo: 0 };
  for (let i = 0; i < count; i++) {
    set(key, i);
    words[2 * i] = key.lo;
    words[2 * i + 1] = key.hi;
  }
  return new BigUint64Array(words.buffer);
}

/** Running sums of whole gaps. */
function walk(count: number, from: number, gap: (i: number) => number): Float64Array {
  let key = from;
  return numbers(count, (i) => {
    key += Math.floor(gap(i));
    return key;
  });
}

const TWO_32 = 4294967296;
/** The bit that int64 keys are flipped by to become sortable, in the high word. */
const SIGN = 0x80000000;
const YEAR_2024 = 1704067200000;

/** Numbers are keys as they are; 64-bit integers are sortable keys. */
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
    integers(count, (key, i) => {
      const power = i % 64;
      setRandom(key, random, 1 + Math.floor(random() * power));
      if (power < 32) key.lo ^= 1 << power;
      else key.hi ^= 1 << (power - 32);
    }),
  'lowest bits': (count) =>
    integers(count, (key, i) => {
      setNumber(key, i);
      key.hi += SIGN + 2 ** 30;
    }),
  'highest bits': (count) => {
    const step = 2 ** (32 - Math.ceil(Math.log2(count + 1)));
    return integers(count, (key, i) => {
      key.hi = i * step;
    });
  },
  /** The ends of int64, the middle, and everything between. */
  extremes: (count, random) => {
    const near: readonly Word[] = [
      { hi: 0, lo: 0 },
      { hi: 0xffffffff, lo: 0xffffffff },
      { hi: SIGN, lo: 0 },
    ];
    return integers(count, (key, i) => {
      if (i >= 3 && i % 4 === 3) return setRandom(key, random);
      const { hi, lo } = near[i % 3];
      const offset = i < 3 ? 0 : Math.floor(random() * 2 ** 24) * (i % 2 === 0 ? 1 : -1);
      key.lo = lo + offset;
      key.hi = hi + Math.floor(key.lo / TWO_32);
    });
  },
  /** Milliseconds, 5 machines, a counter each that starts again every millisecond. */
  snowflake: (count, random) => {
    let ms = 200_000_000_000;
    let counter = 0;
    return integers(count, (key) => {
      if (random() < 0.2) {
        ms += 1 + Math.floor(8 * random() ** 4);
        counter = 0;
      }
      key.hi = SIGN + Math.floor(ms / 1024);
      key.lo = (ms << 22) | (Math.floor(5 * random()) << 17) | counter++;
    });
  },
  /** Like SOSD's books: dense at the low end, thinning out smoothly over the range. */
  books: (count, random) =>
    integers(count, (key) => {
      setNumber(key, Math.min(Math.exp(21 + 1.2 * normal(random)) * 1e7, 2 ** 63 - 1024));
      key.hi += SIGN;
    }),
  /** Like SOSD's fb: nearly uniform, but for a handful of keys a million times larger. */
  fb: (count, random) =>
    integers(count, (key, i) => {
      setRandom(key, random, i < 21 ? 63 : 38 + Number(i % 8 === 0));
      if (i < 21) key.hi += SIGN;
    }),
  /** Like SOSD's osm: places on a map, crowded in towns, numbered along a Morton curve. */
  osm: (count, random) => {
    const towns = numbers(3000, random);
    return integers(count, (key) => {
      const town = 3 * Math.floor(1000 * random() ** 2);
      const spread = 0.03 * towns[town + 2] ** 4 + 1e-5;
      const x = onMap(towns[town] + spread * normal(random) * random());
      const y = onMap(towns[town + 1] + spread * normal(random) * random());
      key.hi = spread16(x >>> 16) | (spread16(y >>> 16) << 1);
      key.lo = spread16(x & 0xffff) | (spread16(y & 0xffff) << 1);
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
    integers(count, (key) => {
      const bits = 64 - 4 * Math.floor(16 * random());
      setRandom(key, random, bits);
      key.hi |= 0x77777777 & ~(2 ** Math.max(bits - 32, 0) - 1);
      if (bits < 32) key.lo |= 0x77777777 & ~(2 ** bits - 1);
    }),
} satisfies Record<string, Generate>;

/** A place in [0, 1) in 32 bits. */
function onMap(place: number): number {
  return Math.floor(Math.min(Math.max(place, 0), 1 - 2 ** -32) * TWO_32);
}

/** Sixteen bits, spread to every other one. */
function spread16(word: number): number {
  let bits = word;
  bits = (bits | (bits << 8)) & 0x00ff00ff;
  bits = (bits | (bits << 4)) & 0x0f0f0f0f;
  bits = (bits | (bits << 2)) & 0x33333333;
  return (bits | (bits << 1)) & 0x55555555;
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
  const rounded = keys instanceof Float64Array ? keys : numbersOf(keys);
  return distinct(rounded, sharedNumbers(rounded.length));
}

/** The same as sortable keys. Numbers that are integers are taken as int64, others as float64. */
export function wordKeys(name: DataSetName, count: number, seed = 1): Uint32Array {
  const keys = GENERATORS[name](count, randomFrom(seed));
  return sortedWords(keys instanceof BigUint64Array ? keys : sortableOf(keys));
}

/** The same in the form in which the engine would hold them: numbers where those are exact. */
export function residentKeys(
  name: DataSetName,
  count: number,
  seed = 1,
): Float64Array | Uint32Array {
  const keys = GENERATORS[name](count, randomFrom(seed));
  if (keys instanceof BigUint64Array) return sortedWords(keys);
  return distinct(keys, sharedNumbers(keys.length));
}

function sortedWords(keys: BigUint64Array): Uint32Array {
  const into = new BigUint64Array(new SharedArrayBuffer(8 * keys.length));
  const { buffer, length } = distinct(keys, into);
  return new Uint32Array(buffer, 0, 2 * length);
}

/** int64 keys, rounded. */
function numbersOf(sortable: BigUint64Array): Float64Array {
  const words = new Uint32Array(sortable.buffer, sortable.byteOffset, 2 * sortable.length);
  return numbers(sortable.length, (i) => (words[2 * i + 1] ^ SIGN) * TWO_32 + words[2 * i]);
}

function sortableOf(keys: Float64Array): BigUint64Array {
  const areIntegers = keys.every(Number.isSafeInteger);
  const bits = new Uint32Array(keys.buffer, keys.byteOffset, 2 * keys.length);
  return integers(keys.length, (key, i) => {
    if (areIntegers) {
      key.hi = Math.floor(keys[i] / TWO_32) + SIGN;
      key.lo = keys[i] >>> 0;
      return;
    }
    const isNegative = bits[2 * i + 1] >= SIGN;
    key.hi = isNegative ? ~bits[2 * i + 1] : bits[2 * i + 1] + SIGN;
    key.lo = isNegative ? ~bits[2 * i] : bits[2 * i];
  });
}
