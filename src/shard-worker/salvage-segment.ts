/**
 * The rows of a damaged segment that lie in pages which are as they were written. Its model file has the
 * checksums of the pages and says where each buffer lies, so that the segment's own head is not needed; a
 * segment that lost both has nothing that could be believed.
 */
import { join } from 'node:path';
import type { ColumnLayout, Extent, SegmentLayout } from '../arrow/layout.ts';
import { countPages, findDamagedPage, PAGE_BYTES } from '../arrow/pages.ts';
import { isDamage } from '../errors.ts';
import type { Storage, StorageFile } from '../storage/storage.ts';
import { fileKeysToResident, Segment } from '../view/segment.ts';
import { type SegmentRecord, segmentName } from './manifest.ts';
import { addTo, BLOCK_ROWS, emptyPart, newBlock, writePart } from './merge.ts';
import { type ModelFile, readModelFile, type SegmentPlace } from './model-files.ts';
import { layoutOf } from './segment-shape.ts';

/** Pages that follow each other, damaged, and the rows that were lost with them. */
export interface DamagedPages {
  readonly offset: number;
  readonly bytes: number;
  readonly rows: number;
}

export interface SalvagedSegment {
  readonly damage: readonly DamagedPages[];
  /** Writes and syncs the rows that are left as segment `id`; null where none are. */
  readonly write: ((id: number) => SegmentRecord) | null;
}

/** Only reads. @throws what the storage throws but OMEN_IO */
export function salvageSegment(
  storage: Storage,
  place: SegmentPlace,
  record: SegmentRecord,
): SalvagedSegment {
  const path = join(place.directory, segmentName(record.id));
  const known = readModelFile(storage, place, record);
  if (known === null || !storage.exists(path)) {
    const bytes = storage.exists(path) ? record.fileBytes : 0;
    return { damage: [{ offset: 0, bytes, rows: record.rows }], write: null };
  }
  const layout = layoutOf(place.schema, known.shape);
  const body = new SharedArrayBuffer(layout.bodyBytes);
  const damaged = readSoundPages(storage, path, known, new Uint8Array(body));
  const lost = new LostRows(layout, body);
  const damage = damaged.map((pages) => {
    const from = pages.offset - known.shape.bodyOffset;
    return { ...pages, rows: lost.markFixed(from, from + pages.bytes) };
  });
  lost.repairOffsets();
  for (const [i, { offset, bytes, rows }] of damage.entries()) {
    const from = offset - known.shape.bodyOffset;
    damage[i] = { offset, bytes, rows: rows + lost.markValues(from, from + bytes) };
  }
  const isEmpty = lost.count === layout.rows;
  const write = (id: number) => writeRest(storage, place, record, known, layout, body, lost, id);
  return { damage, write: isEmpty ? null : write };
}

/** Fills `body` with what can be believed; the other pages stay zeros, and are returned. */
function readSoundPages(
  storage: Storage,
  path: string,
  { shape, pageCrcs }: ModelFile,
  body: Uint8Array,
): { offset: number; bytes: number }[] {
  const { fileBytes, bodyOffset } = shape;
  const damaged: { offset: number; bytes: number }[] = [];
  const page = new Uint8Array(PAGE_BYTES);
  const file = storage.open(path, 'read');
  try {
    for (let i = 0; i < countPages(fileBytes); i++) {
      const offset = i * PAGE_BYTES;
      const bytes = page.subarray(0, Math.min(PAGE_BYTES, fileBytes - offset));
      if (isSound(file, offset, bytes, i, pageCrcs)) {
        const from = Math.max(0, bodyOffset - offset);
        const to = Math.min(bytes.length, bodyOffset + body.length - offset);
        if (from < to) body.set(bytes.subarray(from, to), offset + from - bodyOffset);
        continue;
      }
      const last = damaged.at(-1);
      if (last !== undefined && last.offset + last.bytes === offset) last.bytes += bytes.length;
      else damaged.push({ offset, bytes: bytes.length });
    }
    // What is behind the end belongs to nobody, but it is no longer the file that was written.
    if (file.size() > fileBytes)
      damaged.push({ offset: fileBytes, bytes: file.size() - fileBytes });
  } finally {
    file.close();
  }
  return damaged;
}

function isSound(
  file: StorageFile,
  offset: number,
  bytes: Uint8Array,
  page: number,
  pageCrcs: Uint32Array,
): boolean {
  try {
    return file.read(bytes, offset) === bytes.length && findDamagedPage(bytes, page, pageCrcs) < 0;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return false;
  }
}

/** Which rows are lost, as stretches of the body are found to be damaged. */
class LostRows {
  /** One byte a row: 1, lost. */
  readonly rows: Uint8Array;
  count = 0;
  readonly #layout: SegmentLayout;
  readonly #body: SharedArrayBuffer;
  /** Per field whose values differ in length, one byte an offset: 1, lost. */
  readonly #offsets = new Map<Extent, Uint8Array>();

  constructor(layout: SegmentLayout, body: SharedArrayBuffer) {
    this.#layout = layout;
    this.#body = body;
    this.rows = new Uint8Array(layout.rows);
    for (const { offsets } of this.#fields) {
      if (offsets !== null) this.#offsets.set(offsets, new Uint8Array(layout.rows + 1));
    }
  }

  get #fields(): ColumnLayout[] {
    return [this.#layout.key, ...this.#layout.columns];
  }

  /** Rows that have anything but values of their own length in bytes [from, to). Returns how many. */
  markFixed(from: number, to: number): number {
    const { rows, flags } = this.#layout;
    const before = this.count;
    for (const { validity, offsets, data } of this.#fields) {
      if (validity !== null) this.#mark(validity, 1 / 8, from, to);
      if (offsets === null)
        this.#mark(data, data.length < rows ? 1 / 8 : data.length / rows, from, to);
      else this.#markOffsets(offsets, from, to);
    }
    if (flags !== null) this.#mark(flags, 1, from, to);
    return this.count - before;
  }

  /** @param width bytes a row */
  #mark(extent: Extent, width: number, from: number, to: number): void {
    const start = Math.max(from - extent.offset, 0);
    const end = Math.min(to - extent.offset, extent.length);
    if (start >= end) return;
    this.#lose(Math.floor(start / width), Math.ceil(end / width));
  }

  #markOffsets(offsets: Extent, from: number, to: number): void {
    const start = Math.max(from - offsets.offset, 0);
    const end = Math.min(to - offsets.offset, offsets.length);
    if (start >= end) return;
    const first = start >>> 2;
    const behind = (end + 3) >>> 2;
    this.#offsets.get(offsets)?.fill(1, first, behind);
    this.#lose(Math.max(first - 1, 0), behind);
  }

  #lose(first: number, behind: number): void {
    for (let row = first; row < Math.min(behind, this.rows.length); row++) {
      if (this.rows[row] === 0) this.count++;
      this.rows[row] = 1;
    }
  }

  /** Lets offsets that are lost ascend like the others, so that whoever reads any is safe. */
  repairOffsets(): void {
    for (const { offsets, data } of this.#fields) {
      if (offsets === null) continue;
      const values = new Int32Array(this.#body, offsets.offset, this.rows.length + 1);
      const isLost = this.#offsets.get(offsets);
      for (let i = 0; i < values.length; i++) {
        if (isLost?.[i] === 1) values[i] = i === 0 ? 0 : values[i - 1];
      }
      if (isLost?.[values.length - 1] === 1) values[values.length - 1] = data.length;
    }
  }

  /** Rows that have values that differ in length in bytes [from, to). Returns how many. */
  markValues(from: number, to: number): number {
    const before = this.count;
    for (const { offsets, data } of this.#fields) {
      if (offsets === null || to <= data.offset || from >= data.offset + data.length) continue;
      const values = new Int32Array(this.#body, offsets.offset, this.rows.length + 1);
      for (let row = 0; row < this.rows.length; row++) {
        const isIn = values[row] < to - data.offset && values[row + 1] > from - data.offset;
        if (isIn && values[row + 1] > values[row]) this.#lose(row, row + 1);
      }
    }
    return this.count - before;
  }
}

function writeRest(
  storage: Storage,
  place: SegmentPlace,
  record: SegmentRecord,
  { model, statistics }: ModelFile,
  layout: SegmentLayout,
  body: SharedArrayBuffer,
  lost: LostRows,
  id: number,
): SegmentRecord {
  const { schema } = place;
  const { form, fileBytes } = record;
  fileKeysToResident(schema.key, form, body, layout.key.data.offset, layout.rows);
  const handle = { id: record.id, body, layout, form, model, statistics, fileBytes, modelBytes: 0 };
  const segments = [new Segment(handle, schema.key)];
  const block = newBlock();
  let row = 0;
  const next = (max: number): boolean => {
    block.count = 0;
    for (; row < layout.rows && block.count < Math.min(max, BLOCK_ROWS); row++) {
      if (lost.rows[row] === 0) block.row[block.count++] = row;
    }
    return block.count > 0;
  };
  const part = emptyPart(schema);
  while (next(BLOCK_ROWS)) addTo(part, schema, segments, block);
  row = 0;
  return writePart(storage, place, segments, block, next, part, id, record).record;
}
