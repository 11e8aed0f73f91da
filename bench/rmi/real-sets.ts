/** Keys out of the world: address ranges of the internet, and words. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type ByteSet, collect } from './byte-set.ts';

const require = createRequire(import.meta.url);
const DICTIONARY = '/usr/share/dict/words';

/** The first addresses of the IPv4 ranges that somebody announces. */
export function ipv4Starts(count: number): Float64Array {
  const starts = Float64Array.from(firstColumn('@ip-location-db/asn/asn-ipv4-num.csv'), Number);
  const keys = new Float64Array(new SharedArrayBuffer(8 * starts.length));
  let found = 0;
  for (const start of starts.sort()) {
    if (found === 0 || start !== keys[found - 1]) keys[found++] = start;
  }
  return keys.subarray(0, Math.min(count, found));
}

/** Those of IPv6, as 16 bytes each. */
export function ipv6Starts(count: number): ByteSet {
  const starts = firstColumn('@ip-location-db/asn/asn-ipv6-num.csv').map((text) =>
    Buffer.from(BigInt(text).toString(16).padStart(32, '0'), 'hex'),
  );
  return collect('binary', Math.min(count, starts.length), distinct(starts));
}

/** English words. @throws MODULE_NOT_FOUND where the peers are not installed */
export function englishWords(count: number): ByteSet {
  const words: string[] = require('an-array-of-english-words');
  return wordSet(words, count);
}

export function hasDictionary(): boolean {
  return existsSync(DICTIONARY);
}

/** The words of this machine's own dictionary. */
export function dictionaryWords(count: number): ByteSet {
  return wordSet(readFileSync(DICTIONARY, 'utf8').split('\n'), count);
}

function wordSet(words: readonly string[], count: number): ByteSet {
  const keys = distinct(words.filter((word) => word !== '').map((word) => Buffer.from(word)));
  return collect('utf8', Math.min(count, keys.length), keys);
}

function distinct(keys: Buffer[]): Buffer[] {
  keys.sort(Buffer.compare);
  return keys.filter((key, i) => i === 0 || !key.equals(keys[i - 1]));
}

function firstColumn(file: string): string[] {
  const lines = readFileSync(require.resolve(file), 'latin1').split('\n');
  return lines.filter((line) => line !== '').map((line) => line.slice(0, line.indexOf(',')));
}
