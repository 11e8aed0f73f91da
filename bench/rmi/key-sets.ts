/**
 * The sets of keys by name, each in the form in which the engine holds it: numbers (`f64`), 64-bit
 * integers as two words (`words`), or bytes.
 */
import { DATA_SETS, type DataSetName, residentKeys } from '../datasets.ts';
import { type ByteSet, byteKey } from './byte-set.ts';
import {
  dictionaryWords,
  englishWords,
  hasDictionary,
  ipv4Starts,
  ipv6Starts,
} from './real-sets.ts';
import { composites, urls, uuids } from './text-sets.ts';

export interface NumberSet {
  readonly form: 'f64';
  readonly type: 'int64' | 'timestamp' | 'float64';
  readonly count: number;
  readonly keys: Float64Array;
}

export interface WordSet {
  readonly form: 'words';
  readonly type: 'int64';
  readonly count: number;
  /** Sortable keys as [lo, hi] pairs. */
  readonly keys: Uint32Array;
}

export type FixedSet = NumberSet | WordSet;
export type KeySet = FixedSet | ByteSet;
export type Key = number | bigint | string | Buffer;

interface Entry {
  readonly about: string;
  readonly make: (count: number) => KeySet;
}

const ABOUT: Readonly<Record<DataSetName, string>> = {
  uniform: 'random integers all over ±2^52',
  sequential: 'consecutive integers',
  timestamps: 'milliseconds some 10 apart, with bursts and with pauses of hours',
  lognormal: 'exp(2 × normal): half of the keys in a thousandth of the range',
  'zipf gaps': 'gaps g with probability ~ 1/g², up to 10^8',
  clusters: 'a thousand dense stretches, 10^12 and more apart',
  outliers: 'random integers, and one key at either end of ±(2^53 − 1)',
  holes: 'consecutive integers, one in ten missing',
  'powers of two': 'every power of two that a double can be, both signs',
  binades: 'keys above and below every power of two of 64 bits',
  'lowest bits': '64-bit integers that differ in their lowest bits alone',
  'highest bits': '64-bit integers that differ in their highest bits alone',
  extremes: 'crowds at both ends of int64 and in its middle, some between',
  snowflake: 'milliseconds, machine and counter in one integer',
  books: "like SOSD's books: dense at the low end, thinning out",
  fb: "like SOSD's fb: even, but for 21 keys a million times larger",
  osm: "like SOSD's osm: places crowded in towns, along a Morton curve",
  wiki: "like SOSD's wiki: seconds of edits, by day and night and over the years",
  nest: 'clusters in clusters, sixteen deep',
};

const SETS: Readonly<Record<string, Entry>> = {
  ...Object.fromEntries(
    DATA_SETS.map((name) => [
      slug(name),
      { about: ABOUT[name], make: (count: number) => fixed(name, count) },
    ]),
  ),
  ipv4: {
    about: 'real: first addresses of the announced IPv4 ranges',
    make(count) {
      const keys = ipv4Starts(count);
      return { form: 'f64', type: 'int64', count: keys.length, keys };
    },
  },
  ipv6: { about: 'real: those of IPv6, 16 bytes each', make: ipv6Starts },
  words: { about: 'real: English words', make: englishWords },
  ...(hasDictionary() && {
    dictionary: { about: "real: the words of this machine's dictionary", make: dictionaryWords },
  }),
  urls: { about: 'URLs, sixty bytes alike at the front', make: urls },
  uuids: { about: 'UUIDs of version 4, as text', make: uuids },
  composite: { about: 'tenant/000042/2026-01-01T00:00:11.872Z/sensor-7', make: composites },
};

export const SET_NAMES = Object.keys(SETS);

export function aboutSet(name: string): string {
  return SETS[name].about;
}

/** @param count at most so many keys: sets that end, or repeat themselves, have fewer */
export function makeSet(name: string, count: number): KeySet {
  return SETS[name].make(count);
}

function slug(name: string): string {
  return name.replaceAll(' ', '-');
}

function fixed(name: DataSetName, count: number): FixedSet {
  const keys = residentKeys(name, count);
  if (keys instanceof Uint32Array) {
    return { form: 'words', type: 'int64', count: keys.length / 2, keys };
  }
  const type = name === 'timestamps' ? 'timestamp' : name === 'powers of two' ? 'float64' : 'int64';
  return { form: 'f64', type, count: keys.length, keys };
}

/** Key i as a user would pass it. */
export function keyAt(set: KeySet, i: number): Key {
  if (set.form === 'f64') return set.keys[i];
  if (set.form === 'bytes') return byteKey(set, i);
  const sortable = (BigInt(set.keys[2 * i + 1]) << 32n) | BigInt(set.keys[2 * i]);
  return BigInt.asIntN(64, sortable ^ (1n << 63n));
}
