/**
 * Keys, from what a caller passes to what the engine compares.
 *
 * Inside the engine a fixed-width key is its *sortable key*: an unsigned 64-bit integer, as two
 * 32-bit words, whose unsigned order is the order of the keys. int64 and timestamp: two's complement
 * with the sign bit flipped. uint64: itself. float64: the IEEE bits, all flipped for a negative
 * number, the sign bit flipped otherwise; −0 becomes +0 first, NaN is refused. A key of variable
 * length is its bytes, of which the two words are the first eight (`key-bytes.ts`).
 *
 * A KeyCodec belongs to one thread. `encode` leaves its result in `hi`, `lo` and `number`, or `hi`,
 * `lo` and `bytes`, and allocates nothing: a look-up is too short to pay for an object.
 */
import { OmenError } from '../errors.ts';
import {
  type EncodedKey,
  hashStored,
  KEY_BYTES_MAX,
  type KeyBytes,
  keyMemory,
  STORED_KEY_AT,
} from './key-bytes.ts';
import { murmurFinish } from './murmur.ts';
import { isVariable, type KeyType } from './schema.ts';
import { show } from './show.ts';
import { textOf } from './text.ts';

export type Key = number | bigint | string | Date | Uint8Array;

/** A key as a caller gets it back. */
export type DecodedKey = number | bigint | string | Uint8Array;

/** A constant of this module: see `key-bytes.ts`. */
const finished = murmurFinish;

const TWO_32 = 4294967296;
const SIGN = 0x80000000;
const scratchF64 = new Float64Array(1);
const scratchU32 = new Uint32Array(scratchF64.buffer);
const scratchU64 = new BigUint64Array(scratchF64.buffer);
const scratchI64 = new BigInt64Array(scratchF64.buffer);

/** @throws OMEN_INVALID_KEY or OMEN_UNSAFE_INTEGER, whichever tells the caller more. */
function refuse(key: unknown, type: KeyType): never {
  const isIntegral = type !== 'float64' && !isVariable(type);
  if (typeof key === 'number' && Number.isInteger(key) && isIntegral) {
    if (key < 0 && type === 'uint64') {
      throw new OmenError('OMEN_INVALID_KEY', `The uint64 key ${key} is negative.`);
    }
    throw new OmenError(
      'OMEN_UNSAFE_INTEGER',
      `The key ${key} is beyond ±(2^53 − 1), where a number is no longer exact. Pass a bigint.`,
    );
  }
  const expected = {
    int64: 'an integer (number or bigint)',
    uint64: 'a non-negative integer (number or bigint)',
    float64: 'a number other than NaN',
    timestamp: 'integer milliseconds or a valid Date',
    utf8: 'a string without lone surrogates',
    binary: 'a Uint8Array',
  }[type];
  throw new OmenError(
    'OMEN_INVALID_KEY',
    `A ${type} key is ${expected}, not ${typeof key} ${show(key)}.`,
  );
}

function refuseLength(bytes: number): never {
  throw new OmenError(
    'OMEN_INVALID_KEY',
    `The key takes at least ${bytes} bytes; the most is ${KEY_BYTES_MAX}. Shorten or hash it.`,
  );
}

/** Zeros behind the last byte of a key: as many as a key's prefix has bytes. */
const PADDING = 8;
/** A string this long is encoded a character at a time where it is ASCII, a longer one in one call. */
const SHORT_TEXT = 12;
const SHORT_BINARY = 32;

function newEncodedKey(bytes: number): EncodedKey {
  const memory = new ArrayBuffer(bytes);
  return {
    memory: keyMemory(memory),
    start: STORED_KEY_AT,
    end: STORED_KEY_AT,
    stored: new Uint32Array(memory),
  };
}

export class KeyCodec {
  readonly type: KeyType;
  readonly bigints: boolean;
  /** The sortable key of the last `encode`. */
  hi = 0;
  lo = 0;
  /** The key of the last `encode` as a number; exact within ±(2^53 − 1), in order beyond. */
  number = 0;
  /** The bytes of the last `encode`; null for keys of fixed width. */
  readonly bytes: EncodedKey | null;
  /** Whether keys are int64 or timestamp: what `hashInteger` takes. */
  readonly takesIntegers: boolean;

  /** Whether keys may be given as bytes. */
  readonly #takesBytes: boolean;

  /**
   * @param bigints whether 64-bit integer keys are given back as bigint (always, never a mix)
   * @param takesBytes whether keys may be given as bytes, be they utf8
   */
  constructor(type: KeyType, bigints: boolean, takesBytes = type === 'binary') {
    this.type = type;
    this.bigints = bigints;
    this.#takesBytes = takesBytes;
    this.bytes = isVariable(type) ? newEncodedKey(1024) : null;
    this.takesIntegers = type === 'int64' || type === 'timestamp';
  }

  /**
   * @throws OMEN_INVALID_KEY for a wrong type, NaN, a lone surrogate or too many bytes,
   *   OMEN_UNSAFE_INTEGER for an inexact number
   */
  encode(key: unknown): void {
    if (typeof key === 'number') {
      if (this.type === 'float64') this.#encodeFloat(key);
      else if (this.bytes === null) this.#encodeInteger(key);
      else refuse(key, this.type);
    } else if (typeof key === 'bigint' && (this.type === 'int64' || this.type === 'uint64')) {
      this.#encodeBigint(key);
    } else if (typeof key === 'string' && this.type === 'utf8' && this.bytes !== null) {
      this.#encodeText(key, this.bytes);
    } else if (this.#takesBytes && key instanceof Uint8Array && this.bytes !== null) {
      this.#encodeBinary(key, this.bytes);
    } else if (this.type === 'timestamp' && key instanceof Date) {
      this.#encodeInteger(key.getTime());
    } else {
      refuse(key, this.type);
    }
  }

  #encodeInteger(key: number): void {
    if (!Number.isSafeInteger(key)) refuse(key, this.type);
    if (this.type === 'uint64') {
      if (key < 0) refuse(key, this.type);
      this.hi = Math.floor(key / TWO_32) >>> 0;
    } else {
      this.hi = (Math.floor(key / TWO_32) ^ SIGN) >>> 0;
    }
    this.lo = key >>> 0;
    this.number = key + 0;
  }

  #encodeFloat(key: number): void {
    if (Number.isNaN(key)) refuse(key, this.type);
    this.number = key + 0;
    scratchF64[0] = key + 0;
    const bits = scratchU32[1];
    if (bits >= SIGN) {
      this.hi = ~bits >>> 0;
      this.lo = ~scratchU32[0] >>> 0;
    } else {
      this.hi = (bits ^ SIGN) >>> 0;
      this.lo = scratchU32[0];
    }
  }

  #encodeBigint(key: bigint): void {
    const isSigned = this.type === 'int64';
    scratchI64[0] = key; // its lowest 64 bits
    if ((isSigned ? scratchI64[0] : scratchU64[0]) !== key) {
      throw new OmenError(
        'OMEN_INVALID_KEY',
        `The key ${key}n is out of the range of ${this.type}.`,
      );
    }
    this.lo = scratchU32[0];
    this.hi = isSigned ? (scratchU32[1] ^ SIGN) >>> 0 : scratchU32[1];
    // What Number(key) is, in a tenth of the time.
    this.number = sortableToNumber(this.type, this.hi, this.lo);
  }

  #encodeText(key: string, encoded: EncodedKey): void {
    const { length } = key;
    if (length > KEY_BYTES_MAX) refuseLength(length);
    this.#room(3 * length, encoded);
    const { buffer } = encoded.memory;
    let written = 0;
    if (length <= SHORT_TEXT) {
      while (written < length) {
        const code = key.charCodeAt(written);
        if (code > 127) break;
        buffer[(STORED_KEY_AT + written++) | 0] = code;
      }
    }
    if (written < length) {
      written = buffer.write(key, STORED_KEY_AT);
      // A lone surrogate, which becomes another character, takes more bytes than one.
      if (written !== length && !key.isWellFormed()) refuse(key, this.type);
      if (written > KEY_BYTES_MAX) refuseLength(written);
    }
    this.#finish(written, encoded);
  }

  #encodeBinary(key: Uint8Array, encoded: EncodedKey): void {
    const { length } = key;
    if (length > KEY_BYTES_MAX) refuseLength(length);
    this.#room(length, encoded);
    const { buffer } = encoded.memory;
    if (length > SHORT_BINARY) buffer.set(key, STORED_KEY_AT);
    else for (let i = 0; i < length; i++) buffer[(STORED_KEY_AT + i) | 0] = key[i];
    this.#finish(length, encoded);
  }

  /** Makes room for a key of so many bytes, and the zeros behind it. */
  #room(length: number, encoded: EncodedKey): void {
    const bytes = STORED_KEY_AT + length + PADDING;
    if (bytes <= encoded.memory.buffer.length) return;
    Object.assign(encoded, newEncodedKey(2 ** Math.ceil(Math.log2(bytes))));
  }

  /** Completes the stored form, and takes the prefix from it. */
  #finish(length: number, encoded: EncodedKey): void {
    const { stored } = encoded;
    const { view } = encoded.memory;
    const end = (STORED_KEY_AT + length) | 0;
    encoded.end = end;
    stored[0] = length;
    stored[1] = 0;
    view.setInt32(end, 0);
    view.setInt32((end + 4) | 0, 0);
    this.hi = view.getUint32(STORED_KEY_AT);
    this.lo = view.getUint32(STORED_KEY_AT + 4);
  }

  /**
   * The hash of an int64 or timestamp key that is a safe integer, as a signed word; takes no `encode`.
   * Its bits are those of `hashKey`.
   */
  hashInteger(key: number): number {
    return mix(Math.floor(key / TWO_32) ^ SIGN, key);
  }

  /** The hash of the last `encode`, by which its shard is chosen and a memtable finds it. */
  hash(): number {
    return this.bytes === null ? hashKey(this.hi, this.lo) : hashStored(this.bytes.stored, 0);
  }

  /**
   * @param bytes those of a key of variable length, of which the result is a copy
   * @throws OMEN_UNSAFE_INTEGER for an integer key beyond ±(2^53 − 1) without `bigints`
   */
  decode(hi: number, lo: number, bytes: KeyBytes | null = null): DecodedKey {
    if (bytes !== null) {
      const { memory, start, end } = bytes;
      const { buffer } = memory;
      if (this.type === 'utf8') return textOf(buffer, start, end);
      return new Uint8Array(buffer.subarray(start, end));
    }
    if (this.bigints && (this.type === 'int64' || this.type === 'uint64')) {
      scratchU32[0] = lo;
      scratchU32[1] = hi;
      const bits = scratchU64[0];
      return this.type === 'int64' ? BigInt.asIntN(64, bits ^ (1n << 63n)) : bits;
    }
    const number = sortableToNumber(this.type, hi, lo);
    if (this.type !== 'float64' && !Number.isSafeInteger(number)) {
      throw new OmenError(
        'OMEN_UNSAFE_INTEGER',
        `A key near ${number} is beyond ±(2^53 − 1). Open the database with bigints: true.`,
      );
    }
    return number;
  }

  /** What a caller is given for a key held as a number (a segment's `f64` form). */
  fromNumber(key: number): number | bigint {
    return this.bigints && (this.type === 'int64' || this.type === 'uint64') ? BigInt(key) : key;
  }
}

/**
 * The key as a number: exact for float64 and within ±(2^53 − 1), rounded but in order beyond. Bounds
 * need not be keys: a float64 bound beyond an infinity, whose bits are no number, is that infinity.
 */
export function sortableToNumber(type: KeyType, hi: number, lo: number): number {
  if (type === 'uint64') return hi * TWO_32 + lo;
  if (type !== 'float64') return ((hi ^ SIGN) | 0) * TWO_32 + lo;
  if (hi >= SIGN) {
    scratchU32[0] = lo;
    scratchU32[1] = (hi ^ SIGN) >>> 0;
  } else {
    scratchU32[0] = ~lo >>> 0;
    scratchU32[1] = ~hi >>> 0;
  }
  const number = scratchF64[0];
  if (Number.isNaN(number)) return hi >= SIGN ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  return number;
}

/**
 * Whether a sortable key can stand in a segment's `f64` form: always for float64, and for an
 * integer within ±(2^53 − 1).
 */
export function isExactNumber(type: KeyType, hi: number, lo: number): boolean {
  return type === 'float64' || Number.isSafeInteger(sortableToNumber(type, hi, lo));
}

/**
 * What shards of a hash-partitioned database are chosen by: a 32-bit finaliser (the one of MurmurHash3)
 * over both words. Part of the format: it may never change.
 */
export function hashKey(hi: number, lo: number): number {
  return mix(hi, lo) >>> 0;
}

/** The shard of a key with this hash, signed or not, where keys are spread by hash. Part of the format, too. */
export function shardOfHash(hash: number, shards: number): number {
  return part(hash, shards);
}

const mix = (hi: number, lo: number): number => finished(lo ^ Math.imul(hi, 0x9e3779b1));

/** `(hash >>> 0) * shards / 2^32`, in whole numbers. */
const part = (hash: number, shards: number): number =>
  (Math.imul(hash >>> 16, shards) + (Math.imul(hash & 0xffff, shards) >>> 16)) >>> 16;

/** The shard of an int64 or timestamp key; of any other number, some shard. */
export function shardOfInteger(key: number, shards: number): number {
  return part(mix(Math.floor(key / TWO_32) ^ SIGN, key), shards);
}

/** The shard of the key with these words, signed or not. */
export function shardOfWords(hi: number, lo: number, shards: number): number {
  return part(mix(hi, lo), shards);
}
