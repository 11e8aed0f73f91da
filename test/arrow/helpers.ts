/** Segments made from plain values, for the tests of this folder. */
import assert from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import {
  type ColumnLayout,
  layoutSegment,
  ROW_DELETED,
  type SegmentLayout,
} from '../../src/arrow/layout.ts';
import { type WrittenSegment, writeSegment } from '../../src/arrow/writer.ts';
import { OmenError } from '../../src/errors.ts';
import { type ColumnType, isVariable, type KeyType, type Schema } from '../../src/schema/schema.ts';
import type { Storage, StorageFile } from '../../src/storage/storage.ts';

export type Value = number | bigint | boolean | string | Uint8Array | null;

export interface Rows {
  readonly schema: Schema;
  readonly keys: readonly (number | bigint | string | Uint8Array)[];
  /** Per column of the schema, a value per row. */
  readonly columns: readonly (readonly Value[])[];
  /** Which rows are tombstones; null: the segment has no flags. */
  readonly deleted: readonly boolean[] | null;
}

export interface Segment {
  readonly layout: SegmentLayout;
  readonly body: Uint8Array;
  readonly nullCounts: number[];
}

/** A directory of the test's own, gone when it ends. */
export function temporaryDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-arrow-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const bytesOf = (value: Value): Uint8Array => {
  if (typeof value === 'string') return new TextEncoder().encode(value);
  return value instanceof Uint8Array ? value : new Uint8Array(0);
};

type FixedType = 'int32' | 'int64' | 'uint64' | 'float32' | 'float64' | 'timestamp';

/** Writes a fixed-width value at element `i` of the buffer at `offset`. */
function putFixed(view: DataView, type: FixedType, offset: number, i: number, value: Value): void {
  if (type === 'int32') view.setInt32(offset + 4 * i, Number(value), true);
  else if (type === 'float32') view.setFloat32(offset + 4 * i, Number(value), true);
  else if (type === 'float64') view.setFloat64(offset + 8 * i, Number(value), true);
  else if (type === 'uint64') view.setBigUint64(offset + 8 * i, BigInt(Number(value)), true);
  else view.setBigInt64(offset + 8 * i, BigInt(Number(value)), true);
}

function putBigInt(view: DataView, at: number, value: bigint): void {
  view.setBigUint64(at, BigInt.asUintN(64, value), true);
}

function fillColumn(
  body: Uint8Array,
  column: ColumnLayout,
  type: ColumnType | KeyType,
  values: readonly Value[],
): void {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let end = 0;
  for (const [i, value] of values.entries()) {
    if (column.validity !== null && value !== null) {
      body[column.validity.offset + (i >> 3)] |= 1 << (i & 7);
    }
    if (column.offsets !== null) {
      const bytes = bytesOf(value);
      body.set(bytes, column.data.offset + end);
      end += bytes.length;
      view.setInt32(column.offsets.offset + 4 * (i + 1), end, true);
    } else if (value === null) {
      // Stays zero.
    } else if (type === 'bool') {
      if (value === true) body[column.data.offset + (i >> 3)] |= 1 << (i & 7);
    } else if (typeof value === 'bigint') {
      putBigInt(view, column.data.offset + 8 * i, value);
    } else if (type !== 'utf8' && type !== 'binary') {
      putFixed(view, type, column.data.offset, i, value);
    }
  }
}

/** Lays out and fills a segment. */
export function buildSegment({ schema, keys, columns, deleted }: Rows): Segment {
  const varBytes = schema.columns.map(({ type }, c) =>
    isVariable(type)
      ? columns[c].reduce<number>((sum, value) => sum + bytesOf(value).length, 0)
      : 0,
  );
  const keyBytes = keys.reduce<number>((sum, key) => sum + bytesOf(key).length, 0);
  const flags = deleted !== null;
  const layout = layoutSegment(schema, keys.length, varBytes, { flags, keyBytes });
  const body = new Uint8Array(new SharedArrayBuffer(layout.bodyBytes));
  fillColumn(body, layout.key, schema.key, keys);
  for (const [c, { type }] of schema.columns.entries()) {
    fillColumn(body, layout.columns[c], type, columns[c]);
  }
  if (layout.flags !== null) {
    for (const [i, dead] of (deleted ?? []).entries()) {
      if (dead) body[layout.flags.offset + i] = ROW_DELETED;
    }
  }
  const nullCounts = schema.columns.map(({ nullable }, c) =>
    nullable ? columns[c].filter((value) => value === null).length : 0,
  );
  return { layout, body, nullCounts };
}

/** A seeded generator of numbers from 0 to 1 (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Every column type, nullable and not. */
export const EVERY_TYPE: Schema = {
  key: 'int64',
  columns: (
    ['int32', 'int64', 'float32', 'float64', 'bool', 'timestamp', 'utf8', 'binary'] as const
  ).flatMap((type) => [
    { name: type, type, nullable: false },
    { name: `${type}?`, type, nullable: true },
  ]),
  value: null,
};

function randomValue(type: ColumnType, random: () => number): Value {
  switch (type) {
    case 'int32':
      return Math.floor((random() - 0.5) * 2 ** 32);
    case 'int64':
      return BigInt.asIntN(
        64,
        BigInt(Math.floor(random() * 2 ** 53)) << BigInt(Math.floor(random() * 11)),
      );
    case 'timestamp':
      return Math.floor((random() - 0.5) * 4e12);
    case 'float32':
      return Math.fround((random() - 0.5) * 1e6);
    case 'float64':
      return (random() - 0.5) * 1e300;
    case 'bool':
      return random() < 0.5;
    case 'utf8':
      return ['', 'a', 'grün', '🌊', 'x'.repeat(Math.floor(random() * 40))][
        Math.floor(random() * 5)
      ];
    case 'binary':
      return Uint8Array.from({ length: Math.floor(random() * 20) }, () => random() * 256);
  }
}

/** `count` rows of `schema` with ascending keys. */
export function randomRows(
  schema: Schema,
  count: number,
  random: () => number,
  withFlags: boolean,
): Rows {
  return {
    schema,
    keys: Array.from({ length: count }, (_, i) => 3 * i),
    columns: schema.columns.map(({ type, nullable }) =>
      Array.from({ length: count }, () =>
        nullable && random() < 0.3 ? null : randomValue(type, random),
      ),
    ),
    deleted: withFlags ? Array.from({ length: count }, () => random() < 0.2) : null,
  };
}

/** A file kept in memory, and what was done to it. */
export interface MemoryFile {
  bytes: Uint8Array;
  /** Calls in their order: 'write 4096', 'sync', 'close'. */
  readonly calls: string[];
  bytesRead: number;
}

/** Just enough of a storage for one folder's tests: files in memory, and a record of the calls. */
export function memoryStorage(
  files: Map<string, MemoryFile> = new Map(),
): Storage & { readonly files: Map<string, MemoryFile> } {
  const refuse = (): never => {
    throw new Error('segment files are opened, nothing else');
  };
  return {
    files,
    open(path, mode): StorageFile {
      if (mode === 'create-new') {
        if (files.has(path)) throw new OmenError('OMEN_IO', `${path} exists`);
        files.set(path, { bytes: new Uint8Array(0), calls: [], bytesRead: 0 });
      }
      const file = files.get(path);
      if (file === undefined) throw new OmenError('OMEN_IO', `${path} is not there`);
      return {
        size: () => file.bytes.length,
        modifiedMs: () => file.calls.length,
        read(target, position) {
          const found = file.bytes.subarray(position, position + target.length);
          target.set(found);
          file.bytesRead += found.length;
          return found.length;
        },
        write(source, position) {
          file.calls.push(`write ${source.length}`);
          const grown = new Uint8Array(Math.max(file.bytes.length, position + source.length));
          grown.set(file.bytes);
          grown.set(source, position);
          file.bytes = grown;
        },
        sync: () => void file.calls.push('sync'),
        datasync: () => void file.calls.push('datasync'),
        truncate: refuse,
        close: () => void file.calls.push('close'),
      };
    },
    exists: refuse,
    list: refuse,
    makeDirectory: refuse,
    rename: refuse,
    remove: refuse,
    syncDirectory: refuse,
    freeBytes: refuse,
  };
}

/** A storage with one file, `name`, of these bytes. */
export function storageOf(name: string, bytes: Uint8Array): ReturnType<typeof memoryStorage> {
  return memoryStorage(new Map([[name, { bytes, calls: [], bytesRead: 0 }]]));
}

export interface SegmentFile extends Segment, WrittenSegment {
  readonly bytes: Uint8Array;
}

/** A segment and the bytes of its file. */
export function segmentFile(rows: Rows, metadata: Record<string, string> = {}): SegmentFile {
  const storage = memoryStorage();
  const segment = buildSegment(rows);
  const { layout, body, nullCounts } = segment;
  const written = writeSegment(storage, 's', rows.schema, layout, body, metadata, nullCounts);
  const file = storage.files.get('s');
  assert(file !== undefined);
  return { ...segment, ...written, bytes: file.bytes };
}
