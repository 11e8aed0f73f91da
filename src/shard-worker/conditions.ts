/**
 * Conditions of writes: whether a shard's newest state, pending writes included, is as a write asks.
 * For the owner's thread alone: nobody else may look behind a watermark.
 *
 * They are asked of a key only while no part of an undecided batch has it, so that what is found is
 * certain as soon as the group under way is.
 */
import { isDeepStrictEqual } from 'node:util';
import { hashKey, sortableToNumber } from '../schema/key.ts';
import {
  type EncodedKey,
  hashStored,
  keyMemory,
  STORED_KEY_AT,
  storedBytes,
} from '../schema/key-bytes.ts';
import { viewsOf } from '../schema/row.ts';
import { isVariable, type Schema } from '../schema/schema.ts';
import { Expiry } from '../view/expiry.ts';
import type { Memtable } from '../view/memtable.ts';
import type { Run, Segment } from '../view/segment.ts';
import { compileReaders, type RowReaders, rowOf } from '../view/shard-view.ts';
import type { MemtableWriter } from './memtable-writer.ts';
import { IF_ABSENT, IF_EQUALS, IF_EQUALS_UNTIL, IF_PRESENT } from './protocol.ts';
import { KEY_HI, KEY_LO, OPERATION_BYTES } from './records.ts';

/** The word of an operation that has the length of what follows its header. */
const BYTES = 1;

/** What a shard has, newest first. */
export interface NewestFirst {
  readonly memtables: readonly MemtableWriter[];
  readonly runs: readonly Run[];
}

/** Where a row is: where its bytes start in a memtable, or its number in a segment. */
interface Place {
  readonly source: Memtable | Segment;
  readonly position: number;
}

export function isCondition(type: number): boolean {
  return type >= IF_ABSENT && type <= IF_EQUALS_UNTIL;
}

export class Conditions {
  readonly #schema: Schema;
  readonly #expiry: Expiry | null;
  /** Compiled for the first row that is compared. */
  #readers: RowReaders | null = null;

  constructor(schema: Schema) {
    this.#schema = schema;
    this.#expiry = Expiry.of(schema);
  }

  /** Whether the condition that stands in `words` at `at` (see `protocol.ts`) holds at that time. */
  hold(words: Uint32Array, at: number, newest: NewestFirst, nowMs: number): boolean {
    const type = words[at] & 0xff;
    const found = this.#find(words, at, newest);
    const expiresMs = found === null ? null : this.#expiresMs(found);
    if (found === null || expiresMs === null || expiresMs <= nowMs) return type === IF_ABSENT;
    if (type === IF_PRESENT) return true;
    if (type !== IF_EQUALS && type !== IF_EQUALS_UNTIL) return false;
    return this.#isRow(found, words, at, type === IF_EQUALS_UNTIL ? expiresMs : null);
  }

  #expiresMs({ source, position }: Place): number {
    return this.#expiry?.at(source, position) ?? Number.POSITIVE_INFINITY;
  }

  #find(words: Uint32Array, at: number, { memtables, runs }: NewestFirst): Place | null {
    const lo = words[at + KEY_LO];
    const hi = words[at + KEY_HI];
    const storedAt = at + OPERATION_BYTES / 4;
    const storesKeys = isVariable(this.#schema.key);
    const hash = storesKeys ? hashStored(words, storedAt) : hashKey(hi, lo);
    const key = storesKeys ? keyAt(words, storedAt) : null;
    for (const memtable of memtables) {
      const entry = memtable.newest(hash, hi, lo, words, storedAt);
      if (entry === 0) {
        if (memtable.clears(hi, lo, key)) return null;
        continue;
      }
      const { reader } = memtable;
      if (reader.isTombstone(entry)) return null;
      return { source: reader, position: reader.rowAt(entry) };
    }
    const number = storesKeys ? 0 : sortableToNumber(this.#schema.key, hi, lo);
    for (const run of runs) {
      const source = run.only ?? run.segmentFor(hi, lo, key);
      if (source === null) continue;
      const position = key === null ? source.locate(hi, lo, number) : source.findBytes(key, hash);
      if (position < 0) continue;
      if (run.clears(hi, lo, key)) return null;
      return source.isDeleted(position) ? null : { source, position };
    }
    return null;
  }

  /**
   * Whether a row is the one that a condition has behind its key. Compared as a caller sees them.
   * @param expiresMs when the row expires, where the other has to expire then too
   */
  #isRow(
    { source, position }: Place,
    words: Uint32Array,
    at: number,
    expiresMs: number | null,
  ): boolean {
    this.#readers ??= compileReaders(this.#schema, true);
    const payload = at + OPERATION_BYTES / 4;
    const keyBytes = isVariable(this.#schema.key) ? storedBytes(words[payload]) : 0;
    // A copy, as columns of 8 bytes lie at multiples of 8.
    const row = words.slice(payload + (keyBytes >>> 2), payload + ((words[at + BYTES] + 7) >>> 2));
    const bytes = Buffer.from(row.buffer);
    const views = viewsOf(row.buffer);
    if (expiresMs !== null && this.#expiry?.inRow(views, 0) !== expiresMs) return false;
    const wanted = this.#readers.memtable(views, bytes, 0);
    return isDeepStrictEqual(rowOf(this.#readers, source, position), wanted);
  }
}

/** A key in its stored form at a word, copied out of a message. */
function keyAt(words: Uint32Array, at: number): EncodedKey {
  const length = words[at];
  const stored = words.slice(at, at + (storedBytes(length) >>> 2));
  const memory = keyMemory(stored.buffer);
  return { stored, memory, start: STORED_KEY_AT, end: STORED_KEY_AT + length };
}
