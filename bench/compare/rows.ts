/**
 * The rows that every engine gets, as functions of a row's number: its key, and its value at each version.
 * Nothing has to be kept to know what an answer must be.
 *
 * - Numbers from 0 to the count of rows are loaded; those behind are inserted later; misses are the keys of
 *   numbers that never are.
 * - A value holds its row's tag in the low 12 bits, and its version above: 24 bits, so that 50 M of them add
 *   up exactly in a float64, and a value of another row is noticed.
 */
import { random } from '../engine/report.ts';

export const KEY_KINDS = ['uniform', 'sequential', 'strings'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

/** int64 keys are safe integers; those of strings are texts. */
export type Key = number | string;
/** A float64, or 100 characters. */
export type Value = number | string;

/** Rows in the order in which they come. */
export interface Rows {
  readonly keys: Float64Array | readonly string[];
  readonly values: Float64Array | readonly string[];
}

export type Order = 'sorted' | 'shuffled';

export const ABOUT_KEYS: Readonly<Record<KeyKind, string>> = {
  uniform: 'int64, random in 52 bits; a row is a float64',
  sequential: 'int64, every other number from 0; a row is a float64',
  strings: 'utf8, user: and 16 digits in random order; a row is a text of 100 characters',
};

const HALF_BITS = 26;
const HALF = 2 ** HALF_BITS;
const NEVER = 2 ** 40;
const TAG_BITS = 12;
const TAGS = 2 ** TAG_BITS;
const VERSIONS = 4096;

/** A good mix of 32 bits (the finalizer of MurmurHash3). */
export function mix(word: number): number {
  let bits = word ^ (word >>> 16);
  bits = Math.imul(bits, 0x85ebca6b);
  bits ^= bits >>> 13;
  bits = Math.imul(bits, 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/** A permutation of [0, 2^52): four rounds of a Feistel network, so no two numbers share a key. */
export function permuted(number: number): number {
  let left = Math.floor(number / HALF);
  let right = number % HALF;
  for (let round = 1; round <= 4; round++) {
    const next = left ^ (mix(right + round * 0x9e3779b1) >>> (32 - HALF_BITS));
    left = right;
    right = next;
  }
  return left * HALF + right;
}

export function keyOf(kind: KeyKind, number: number): Key {
  if (kind === 'sequential') return 2 * number;
  return kind === 'uniform' ? permuted(number) : textKey(number);
}

function textKey(number: number): string {
  return `user:${String(permuted(number)).padStart(16, '0')}`;
}

/** A key that is never there, among those that are. */
export function missOf(kind: KeyKind, number: number): Key {
  return kind === 'sequential' ? 2 * number + 1 : keyOf(kind, NEVER + number);
}

export function tagOf(number: number): number {
  return mix(number) % TAGS;
}

/** What the value of a row comes to, as a number. */
export function amountOf(number: number, version: number): number {
  return (version % VERSIONS) * TAGS + tagOf(number);
}

export function tagIn(amount: number): number {
  return amount % TAGS;
}

export function valueAt(kind: KeyKind, number: number, version: number): Value {
  const amount = amountOf(number, version);
  return kind === 'strings' ? textOf(number, amount) : amount;
}

const TEXT_LENGTH = 100;
const DIGIT_BITS = 6;
const FIRST_DIGIT = 48;
const DIGITS = 24 / DIGIT_BITS;

/** Text that no compressor makes much of: six random bits a character, and no two rows near each other alike. */
const FILLER = filler(2 ** 20);

function filler(length: number): string {
  const next = random(7);
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = FIRST_DIGIT + Math.floor(64 * next());
  return bytes.toString('latin1');
}

/** Four digits of six bits, then what fills it up. */
function textOf(number: number, amount: number): string {
  const from = mix(number + amount) % (FILLER.length - TEXT_LENGTH);
  return String.fromCharCode(
    FIRST_DIGIT + (amount >>> 18),
    FIRST_DIGIT + ((amount >>> 12) & 63),
    FIRST_DIGIT + ((amount >>> 6) & 63),
    FIRST_DIGIT + (amount & 63),
  ).concat(FILLER.slice(from, from + TEXT_LENGTH - DIGITS));
}

/** The number that a value stands for. In a process with values of one type it is compiled for that one. */
export function amountIn(value: Value): number {
  if (typeof value === 'number') return value;
  if (value.length !== TEXT_LENGTH) return Number.NaN;
  return (
    ((value.charCodeAt(0) - FIRST_DIGIT) << 18) |
    ((value.charCodeAt(1) - FIRST_DIGIT) << 12) |
    ((value.charCodeAt(2) - FIRST_DIGIT) << 6) |
    (value.charCodeAt(3) - FIRST_DIGIT)
  );
}

/** The rows of some numbers, at some version each. */
export function rowsOf(
  kind: KeyKind,
  numbers: ArrayLike<number>,
  versionOf: (number: number) => number,
): Rows {
  const values = Array.from(numbers, (number) => valueAt(kind, number, versionOf(number)));
  if (kind === 'strings') {
    return { keys: keysOf(kind, numbers) as string[], values: values as string[] };
  }
  return {
    keys: keysOf(kind, numbers) as Float64Array,
    values: Float64Array.from(values as number[]),
  };
}

export function keysOf(kind: KeyKind, numbers: ArrayLike<number>): Float64Array | string[] {
  if (kind === 'strings') return Array.from(numbers, textKey);
  return Float64Array.from(numbers, (number) => keyOf(kind, number) as number);
}

/** Rows 0 to `count` at version 0, to be loaded. */
export function rowsToLoad(kind: KeyKind, count: number, order: Order): Rows {
  const numbers = numbersInOrder(kind, count, order);
  if (kind === 'strings') return rowsOf(kind, numbers, () => 0);
  // Of numbers there may be 50 M: one array each, and nothing in between.
  const keys = new Float64Array(count);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    keys[i] = keyOf(kind, numbers[i]) as number;
    values[i] = amountOf(numbers[i], 0);
  }
  return { keys, values };
}

/** Numbers of rows in the order of their keys, or in a random one. By loops: there may be 50 M of them. */
export function numbersInOrder(kind: KeyKind, count: number, order: Order): Uint32Array {
  const numbers = new Uint32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = i;
  if (kind === 'sequential') return order === 'sorted' ? numbers : shuffle(numbers);
  return order === 'shuffled' ? numbers : sortByKey(numbers);
}

function shuffle(numbers: Uint32Array): Uint32Array {
  const next = random(11);
  for (let i = numbers.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [numbers[i], numbers[j]] = [numbers[j], numbers[i]];
  }
  return numbers;
}

/** By what they are permuted to, which is permuted back. */
function sortByKey(numbers: Uint32Array): Uint32Array {
  const places = new Float64Array(numbers.length);
  for (let i = 0; i < places.length; i++) places[i] = permuted(i);
  places.sort();
  for (let i = 0; i < places.length; i++) numbers[i] = numberOf(places[i]);
  return numbers;
}

/** The inverse of `permuted`. */
export function numberOf(place: number): number {
  let left = Math.floor(place / HALF);
  let right = place % HALF;
  for (let round = 4; round >= 1; round--) {
    const before = right ^ (mix(left + round * 0x9e3779b1) >>> (32 - HALF_BITS));
    right = left;
    left = before;
  }
  return left * HALF + right;
}

/** Integer keys as 64-bit integers, by words: making a bigint of each would take longer than all the rest. */
export function int64s(keys: Float64Array): BigInt64Array<ArrayBuffer> {
  const words = new Int32Array(2 * keys.length);
  for (let i = 0; i < keys.length; i++) {
    words[2 * i] = keys[i];
    words[2 * i + 1] = Math.floor(keys[i] / 2 ** 32);
  }
  return new BigInt64Array(words.buffer);
}

/** The rows there are of some keys, and the sum of what they stand for, where an engine looks keys up one by one. */
export function addedUp(
  keys: Rows['keys'],
  get: (key: Key) => Value | undefined,
): { readonly rows: number; readonly sum: number } {
  let [rows, sum] = [0, 0];
  for (const key of keys) {
    const value = get(key);
    if (value === undefined) continue;
    sum += amountIn(value);
    rows++;
  }
  return { rows, sum };
}
