/** How the numbers that scenarios speak of become keys of a database, and are told from them. */

import type { Instant } from '../../src/schema/decode.ts';
import { type DecodedKey, KeyCodec } from '../../src/schema/key.ts';
import { storedBytes } from '../../src/schema/key-bytes.ts';
import type { RowEncoder } from '../../src/schema/row.ts';
import { parseSchema, type Schema } from '../../src/schema/schema.ts';
import { compileReaders, type RowReaders } from '../../src/view/shard-view.ts';
import { encoderOf } from '../view/support.ts';

export interface KeyKind {
  readonly schema: Schema;
  readonly codec: KeyCodec;
  /** Rows that have expired by `instant` are read as undefined. */
  readonly readers: RowReaders;
  readonly instant: Instant;
  readonly row: RowEncoder;
  keyOf(at: number): unknown;
  numberOf(key: DecodedKey): number;
}

function kindOf(
  key: string,
  keyOf: KeyKind['keyOf'],
  numberOf: KeyKind['numberOf'],
  ttl = false,
): KeyKind {
  const schema = parseSchema({ key, columns: { stamp: 'float64', note: 'utf8?' }, ttl });
  const codec = new KeyCodec(schema.key, false);
  const instant = { nowMs: 0 };
  const readers = compileReaders(schema, false, ttl ? instant : null);
  return { schema, codec, readers, instant, row: encoderOf(schema), keyOf, numberOf };
}

const HEAD = 'https://www.example.com/';
/** Beyond every number that a scenario speaks of, so that all have as many digits. */
const BASE = 5e8;

export const KEY_KINDS = {
  numbers: kindOf('int64', (at) => at, Number),
  /** In the order of the numbers; they share their first 24 bytes, and some of them end in zeros. */
  texts: kindOf(
    'utf8',
    (at) => `${HEAD}${BASE + at}${'\0'.repeat(Math.abs(at) % 3)}`,
    (key) => Number.parseInt(String(key).slice(HEAD.length), 10) - BASE,
  ),
  /** Numbers, whose rows may expire. */
  expiring: kindOf('int64', (at) => at, Number, true),
} as const;

export type KeyKindName = keyof typeof KEY_KINDS;

/**
 * The key that a codec encoded last, if it has a stored form, then a row's bytes: as words, and how
 * many bytes they are.
 */
export function payloadOf(
  { bytes }: KeyCodec,
  row: Uint8Array,
): { words: Uint32Array; bytes: number } {
  const keyBytes = bytes === null ? 0 : storedBytes(bytes.end - bytes.start);
  const payload = new Uint8Array((keyBytes + row.length + 7) & ~7);
  if (bytes !== null) payload.set(bytes.memory.buffer.subarray(0, keyBytes));
  payload.set(row, keyBytes);
  return { words: new Uint32Array(payload.buffer), bytes: keyBytes + row.length };
}
