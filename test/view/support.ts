/** Memtables and segments as tests need them, made in memory and without a shard around them. */
import { layoutSegment, ROW_DELETED } from '../../src/arrow/layout.ts';
import { trainBytes, trainF64, trainWords } from '../../src/rmi/index.ts';
import { ExpiringRowEncoder, rowEncoderOf } from '../../src/schema/expiring-row.ts';
import { type Key, KeyCodec, sortableToNumber } from '../../src/schema/key.ts';
import { keyMemory, storedBytes } from '../../src/schema/key-bytes.ts';
import type { RowEncoder } from '../../src/schema/row.ts';
import { isVariable, parseSchema, type Schema } from '../../src/schema/schema.ts';
import { MemtableWriter } from '../../src/shard-worker/memtable-writer.ts';
import { ColumnWriter, variableBytes } from '../../src/view/column-writer.ts';
import { CommitTable } from '../../src/view/commit-table.ts';
import type { Cursor } from '../../src/view/cursor.ts';
import { KeyWriter, storedKeyBytes } from '../../src/view/key-writer.ts';
import {
  layoutMemtable,
  type Memtable,
  type MemtableHandle,
  type MemtableShape,
  TOMBSTONE,
  type Visibility,
} from '../../src/view/memtable.ts';
import { type KeyForm, keyForm, type SegmentHandle } from '../../src/view/segment.ts';
import { statisticsOf } from '../../src/view/statistics.ts';

const NOTHING: ReadonlySet<number> = new Set();

/** Numbers from 0 to 1 from a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** What a test with a seed runs with, another one each time; it stands in the test's messages. */
export function newSeed(): number {
  return (Math.random() * 2 ** 32) >>> 0;
}

export const SMALL: MemtableShape = { entriesMax: 4096, arenaBytes: 512 * 1024 };

let nextId = 1;

export function newHandle(shape: MemtableShape = SMALL, storesKeys = false): MemtableHandle {
  const memory = new SharedArrayBuffer(layoutMemtable(shape).bytes);
  return { id: nextId++, memory, shape, storesKeys };
}

/** One value of any column suffices where a test is not about values. */
export const NUMBERS = parseSchema({ key: 'int64', columns: { n: 'float64' } });

/** A row, and when it expires: to stand where rows do. */
export class Until {
  readonly expiresMs: number;
  readonly row: unknown;

  constructor(expiresMs: number, row: unknown) {
    this.expiresMs = expiresMs;
    this.row = row;
  }
}

/** An encoder for `encodeRow`. What expires by the schema's `ttl` was written at 0. */
export function encoderOf(schema: Schema): RowEncoder {
  return rowEncoderOf(schema, () => 0);
}

export function encodeRow(encoder: RowEncoder, row: unknown): number {
  const isUntil = row instanceof Until && encoder instanceof ExpiringRowEncoder;
  return isUntil ? encoder.encodeUntil(row.row, row.expiresMs) : encoder.encode(row);
}

/** A memtable that takes keys and rows. A group is what is put between two calls of `publish`. */
export class TestMemtable {
  readonly schema: Schema;
  readonly writer: MemtableWriter;
  readonly reader: Memtable;
  readonly #key: KeyCodec;
  readonly #row: RowEncoder;

  constructor(
    schema = NUMBERS,
    table = CommitTable.empty(),
    handle = newHandle(SMALL, isVariable(schema.key)),
  ) {
    this.schema = schema;
    this.writer = new MemtableWriter(handle, table);
    this.reader = this.writer.reader;
    this.#key = new KeyCodec(schema.key, true);
    this.#row = encoderOf(schema);
  }

  /** Appends a row, or with undefined a tombstone. Returns the entry's offset. */
  append(key: Key, row: unknown, ticket = 0): number {
    const bytes = row === undefined ? 0 : encodeRow(this.#row, row);
    this.#key.encode(key);
    const { hi, lo } = this.#key;
    const flags = row === undefined ? TOMBSTONE : 0;
    const stored = storedOf(this.#key);
    const at = this.writer.append(hi, lo, flags, ticket, stored.length + bytes);
    this.reader.arena.u8.set(stored, at);
    this.reader.arena.u8.set(this.#row.views.u8.subarray(0, bytes), at + stored.length);
    return this.writer.entryOfRow(at);
  }

  publish(): void {
    this.writer.publish();
  }

  /** Appends and publishes. */
  put(key: Key, row: unknown): number {
    const entry = this.append(key, row);
    this.publish();
    return entry;
  }

  find(key: Key, visible: Visibility = this.now()): number {
    this.#key.encode(key);
    const { hi, lo, bytes } = this.#key;
    const hash = this.#key.hash();
    if (bytes === null) return this.reader.find(hash, hi, lo, visible);
    return this.reader.findStored(hash, bytes.stored, 0, visible);
  }

  now(undecided = NOTHING): Visibility {
    return { watermark: this.reader.watermark, undecided };
  }
}

/** The stored form of the key that a codec encoded last; nothing where it has none. */
export function storedOf({ bytes }: KeyCodec): Uint8Array {
  if (bytes === null) return new Uint8Array(0);
  return bytes.memory.buffer.subarray(0, storedBytes(bytes.end - bytes.start));
}

/** A key, and its row or undefined for a tombstone. */
export type Entry = readonly [key: Key, row: unknown];

/**
 * A segment of the given entries, whose keys ascend.
 * @param form the form of the keys; by default the one a flush would choose
 */
export function segmentOf(
  schema: Schema,
  entries: readonly Entry[],
  options: { form?: KeyForm; id?: number } = {},
): SegmentHandle {
  const rows = entries.length;
  const shape = {
    entriesMax: Math.max(64, rows),
    arenaBytes: 4096 + entries.length * 4096,
  };
  const storesKeys = isVariable(schema.key);
  const memtable = new TestMemtable(schema, CommitTable.empty(), newHandle(shape, storesKeys));
  const offsets = entries.map(([key, row]) => memtable.append(key, row));
  memtable.publish();
  const { reader } = memtable;
  const flags = entries.some(([, row]) => row === undefined);
  const bytes = variableBytes(schema, reader, offsets);
  const keyBytes = storedKeyBytes(reader, offsets);
  const layout = layoutSegment(schema, rows, bytes, { flags, keyBytes });
  const body = new SharedArrayBuffer(layout.bodyBytes);
  const keyOf = (i: number) => ({ hi: reader.hi(offsets[i]), lo: reader.lo(offsets[i]) });
  const form = options.form ?? keyForm(schema.key, keyOf(0), keyOf(rows - 1));
  const train = () => {
    const { offsets: ends, data } = layout.key;
    if (ends !== null) {
      new KeyWriter(layout, body).fromMemtable(reader, offsets, rows, 0);
      const keyOffsets = new Int32Array(body, ends.offset, rows + 1);
      return trainBytes(keyMemory(body, data.offset, data.length), keyOffsets, rows);
    }
    const numbers = new Float64Array(body, data.offset, rows);
    const words = new Uint32Array(body, data.offset, 2 * rows);
    for (let i = 0; i < rows; i++) {
      const { hi, lo } = keyOf(i);
      if (form === 'f64') numbers[i] = sortableToNumber(schema.key, hi, lo);
      else words.set([lo, hi], 2 * i);
    }
    return form === 'f64' ? trainF64(numbers, rows) : trainWords(words, rows);
  };
  const model = train();
  new ColumnWriter(schema, layout, body).fromMemtable(reader, offsets, rows, 0);
  if (layout.flags !== null) {
    const deleted = new Uint8Array(body, layout.flags.offset, rows);
    entries.forEach(([, row], i) => {
      if (row === undefined) deleted[i] = ROW_DELETED;
    });
  }
  const statistics = statisticsOf(schema, layout, body);
  const id = options.id ?? nextId++;
  return { id, body, layout, form, model, statistics, fileBytes: 0, modelBytes: 0 };
}

/** The keys a cursor passes from where it stands, as `decode` gives them. */
export function keysAhead(cursor: Cursor, type: Schema['key'] = 'int64', forwards = true): Key[] {
  const codec = new KeyCodec(type, true);
  const keys: Key[] = [];
  while (!cursor.done) {
    keys.push(codec.decode(cursor.hi, cursor.lo, cursor.bytes));
    if (forwards) cursor.next();
    else cursor.prev();
  }
  return keys;
}
