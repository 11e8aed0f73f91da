/** Runs made by flushing memtables of random rows, and a look at what is in them. */
import { type Key, KeyCodec } from '../../src/schema/key.ts';
import { isVariable, type Schema } from '../../src/schema/schema.ts';
import type { ExpiryJob } from '../../src/shard-worker/expired-rows.ts';
import { flushMemtable } from '../../src/shard-worker/flush.ts';
import { MemtableWriter } from '../../src/shard-worker/memtable-writer.ts';
import type { SegmentPlace } from '../../src/shard-worker/model-files.ts';
import {
  readSegmentFiles,
  type WrittenSegmentFiles,
} from '../../src/shard-worker/segment-files.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { CommitTable } from '../../src/view/commit-table.ts';
import { layoutMemtable, type MemtableHandle } from '../../src/view/memtable.ts';
import { Run, RunCursor, Segment } from '../../src/view/segment.ts';
import { compileReaders } from '../../src/view/shard-view.ts';
import { encodeRow, encoderOf, storedOf } from '../view/support.ts';
import { DATABASE_ID, directoryOf } from './shards.ts';

const SHAPE = { entriesMax: 4096, arenaBytes: 2 ** 20 };

/** A row, null for a delete, undefined for an operation of an aborted batch. */
export type Change = readonly [key: Key, row: unknown];

export function placeOf(schema: Schema): SegmentPlace {
  return { directory: directoryOf(0), schema, databaseId: DATABASE_ID, shard: 0 };
}

/** A memtable with these changes published; the ones of `aborted` batches flagged. */
export function memtableOf(
  schema: Schema,
  changes: readonly Change[],
  aborted: readonly Change[] = [],
): MemtableHandle {
  const handle = {
    id: 1,
    memory: new SharedArrayBuffer(layoutMemtable(SHAPE).bytes),
    shape: SHAPE,
    storesKeys: isVariable(schema.key),
  };
  const writer = new MemtableWriter(handle, CommitTable.empty());
  const key = new KeyCodec(schema.key, true);
  const encoder = encoderOf(schema);
  for (const change of changes) {
    const [at, row] = change;
    key.encode(at);
    const bytes = row === null ? 0 : encodeRow(encoder, row);
    const stored = storedOf(key);
    const to = writer.append(key.hi, key.lo, row === null ? 1 : 0, 0, stored.length + bytes);
    writer.reader.arena.u8.set(stored, to);
    writer.reader.arena.u8.set(encoder.views.u8.subarray(0, bytes), to + stored.length);
    if (aborted.includes(change)) writer.flagAborted(writer.entryOfRow(to));
  }
  writer.publish();
  return handle;
}

export function flushed(
  storage: Storage,
  schema: Schema,
  changes: readonly Change[],
  firstId: number,
  keepTombstones = true,
  aborted: readonly Change[] = [],
  expiry: ExpiryJob | null = null,
): WrittenSegmentFiles[] {
  const memtable = memtableOf(schema, changes, aborted);
  const place = placeOf(schema);
  const span = { firstLsn: firstId, lastLsn: firstId };
  const job = { place, memtable, keepTombstones, expiry, firstId, span };
  return flushMemtable(storage, { kind: 'flush', ...job });
}

/** Everything in a run, read back from its files, as [key, row], the row of a tombstone being null. */
export function contentOf(
  storage: Storage,
  schema: Schema,
  written: readonly WrittenSegmentFiles[],
): [Key, unknown][] {
  const place = placeOf(schema);
  const handles = written.map(({ record }) => readSegmentFiles(storage, place, record).handle);
  const run = new Run(handles.map((handle) => new Segment(handle, schema.key)));
  const readers = compileReaders(schema, true);
  const key = new KeyCodec(schema.key, true);
  const content: [Key, unknown][] = [];
  const cursor = new RunCursor(run, schema);
  for (cursor.seekCeil(0, 0); !cursor.done; cursor.next()) {
    const { segment, position, deleted } = cursor;
    const row = deleted ? null : readers.segment(segment.columns, position);
    const given = key.decode(cursor.hi, cursor.lo, cursor.bytes);
    content.push([given, row]);
    key.encode(given);
    const found =
      key.bytes === null
        ? segment.find(cursor.hi, cursor.lo, key.number)
        : segment.findBytes(key.bytes, key.hash());
    if (found !== position) throw new Error(`find gives ${found}, not ${position}`);
  }
  return content;
}

/** The same of a Map: newest change last. */
export function newestOf(changes: readonly Change[], keepTombstones: boolean): [Key, unknown][] {
  const nameOf = (key: Key) => (key instanceof Uint8Array ? Buffer.from(key).toString('hex') : key);
  const rows = new Map<unknown, [Key, unknown]>();
  for (const [key, row] of changes) rows.set(nameOf(key), [key, row]);
  return [...rows.values()]
    .filter(([, row]) => keepTombstones || row !== null)
    .sort(([a], [b]) => (nameOf(a) < nameOf(b) ? -1 : 1));
}
