/**
 * Flush: a sealed memtable becomes segments, one version a key. A stateless job: it reads the
 * memtable from shared memory and runs in any thread.
 */

import { layoutSegment, ROW_DELETED, type SegmentLayout } from '../arrow/layout.ts';
import { sortableToNumber } from '../schema/key.ts';
import type { Schema } from '../schema/schema.ts';
import { sharedMemory } from '../shared-memory.ts';
import type { Storage } from '../storage/storage.ts';
import { ColumnWriter, variableBytes } from '../view/column-writer.ts';
import { CommitTable } from '../view/commit-table.ts';
import { KeyWriter, storedKeyBytes } from '../view/key-writer.ts';
import { Memtable, type MemtableHandle, NOTHING_HIDDEN } from '../view/memtable.ts';
import { radixSort, sortBuffers } from '../view/radix-sort.ts';
import { type KeyForm, keyForm } from '../view/segment.ts';
import { sortTies } from '../view/tie-sort.ts';
import { ExpiredRows, type ExpiryJob } from './expired-rows.ts';
import type { SegmentPlace } from './model-files.ts';
import { type WrittenSegmentFiles, writeSegmentFiles } from './segment-files.ts';
import { segmentLimit } from './segment-limit.ts';
import type { Span } from './segment-shape.ts';

/** Every batch of a sealed memtable is decided, and its entries say so: this gives the answers of the real table. */
const DECIDED = CommitTable.empty();

export interface FlushJob {
  readonly kind: 'flush';
  readonly place: SegmentPlace;
  readonly memtable: MemtableHandle;
  /** Whether older versions may exist: without them a tombstone has nothing to hide. */
  readonly keepTombstones: boolean;
  /** Null where rows do not expire. */
  readonly expiry: ExpiryJob | null;
  readonly firstId: number;
  /** The records of the log that the memtable holds. */
  readonly span: Span;
}

/** The newest version of every key, in key order. All batches of a sealed memtable are decided. */
function newestEntries(memtable: Memtable, { keepTombstones, expiry, place }: FlushJob): number[] {
  const expired = ExpiredRows.of(place.schema, expiry);
  const isDropped = (entry: number): boolean => {
    if (memtable.isTombstone(entry)) return !keepTombstones;
    if (expired === null || !expired.has(memtable, memtable.rowAt(entry))) return false;
    return !expired.isHiding(memtable.hi(entry), memtable.lo(entry), memtable.bytesOf(entry));
  };
  const visible = { watermark: memtable.watermark, undecided: NOTHING_HIDDEN };
  const count = memtable.entries;
  if (count === 0) return [];
  const unsorted = sortBuffers(count);
  let entry = memtable.offsetAfter(0);
  for (let i = 0; i < count; i++) {
    unsorted.hi[i] = memtable.hi(entry);
    unsorted.lo[i] = memtable.lo(entry);
    unsorted.payload[i] = entry;
    entry = memtable.following(entry);
  }
  const sorted = radixSort(unsorted, sortBuffers(count), count);
  if (memtable.storesKeys) sortTies(memtable, sorted, count);
  const { hi, lo, payload } = sorted;
  const newest: number[] = [];
  for (let i = 0; i < count; i++) {
    if (i + 1 < count && lo[i] === lo[i + 1] && hi[i] === hi[i + 1]) {
      if (memtable.compareStored(payload[i], payload[i + 1]) === 0) continue;
    }
    const version = memtable.visibleVersion(payload[i], visible);
    if (version === 0 || isDropped(version)) continue;
    newest.push(version);
  }
  return newest;
}

/** Writes and syncs the segments; the caller syncs the directory. May return none. */
export function flushMemtable(storage: Storage, job: FlushJob): WrittenSegmentFiles[] {
  const memtable = new Memtable(job.memtable, DECIDED);
  const entries = newestEntries(memtable, job);
  const written: WrittenSegmentFiles[] = [];
  const rowsMax = segmentLimit(job.place.schema).rows;
  const parts = Math.ceil(entries.length / rowsMax);
  for (let part = 0; part < parts; part++) {
    const rows = entries.slice(part * rowsMax, (part + 1) * rowsMax);
    written.push(writePart(storage, job, memtable, rows, part, parts));
  }
  return written;
}

function writePart(
  storage: Storage,
  job: FlushJob,
  memtable: Memtable,
  entries: number[],
  part: number,
  parts: number,
): WrittenSegmentFiles {
  const { schema } = job.place;
  const rows = entries.length;
  const hasTombstones = entries.some((entry) => memtable.isTombstone(entry));
  const layout = layoutSegment(schema, rows, variableBytes(schema, memtable, entries), {
    flags: hasTombstones,
    keyBytes: storedKeyBytes(memtable, entries),
  });
  const body = sharedMemory(layout.bodyBytes);
  const keyOf = (entry: number) => ({ hi: memtable.hi(entry), lo: memtable.lo(entry) });
  const form = keyForm(schema.key, keyOf(entries[0]), keyOf(entries[rows - 1]));
  writeKeys(form, layout, body, schema, memtable, entries);
  const writer = new ColumnWriter(schema, layout, body);
  writer.fromMemtable(memtable, entries, rows, 0);
  if (layout.flags !== null) {
    const flags = new Uint8Array(body, layout.flags.offset, rows);
    for (let i = 0; i < rows; i++) if (memtable.isTombstone(entries[i])) flags[i] = ROW_DELETED;
  }
  const { place, firstId, span } = job;
  const lineage = { ...span, run: firstId, part, parts };
  const id = firstId + part;
  return writeSegmentFiles(storage, place, id, layout, form, body, writer.nullCounts, lineage);
}

function writeKeys(
  form: KeyForm,
  layout: SegmentLayout,
  body: SharedArrayBuffer,
  schema: Schema,
  memtable: Memtable,
  entries: readonly number[],
): void {
  const { rows, key } = layout;
  if (form === 'bytes') {
    new KeyWriter(layout, body).fromMemtable(memtable, entries, rows, 0);
  } else if (form === 'f64') {
    const keys = new Float64Array(body, key.data.offset, rows);
    for (let i = 0; i < rows; i++) {
      keys[i] = sortableToNumber(schema.key, memtable.hi(entries[i]), memtable.lo(entries[i]));
    }
  } else {
    const keys = new Uint32Array(body, key.data.offset, 2 * rows);
    for (let i = 0; i < rows; i++) {
      keys[2 * i] = memtable.lo(entries[i]);
      keys[2 * i + 1] = memtable.hi(entries[i]);
    }
  }
}
