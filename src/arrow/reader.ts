/**
 * Reads a segment file into shared memory. Each page is checked before anything in it is believed;
 * then head and footer are read strictly (decode-metadata.ts), and the buffers must lie exactly where
 * the layout of the schema puts them. For any bytes at all: either a segment that is safe to read, or an
 * OmenError; memory is bounded by the file's length plus a few megabytes.
 */

import assert from 'node:assert';
import type { Schema } from '../schema/schema.ts';
import type { Storage, StorageFile } from '../storage/storage.ts';
import { checkTail, decodeHead, type Head, sameFields } from './decode-metadata.ts';
import {
  type FieldType,
  isVariableField,
  listBuffers,
  placeSegment,
  type SegmentLayout,
  segmentBatch,
  segmentFields,
} from './layout.ts';
import { countPages, findDamagedPage, noteChecksums, PAGE_BYTES } from './pages.ts';
import { allocateShared, checkSize, corruptFile, readExactly } from './read-file.ts';

/** Bytes read at once; whole pages. */
const READ_BYTES_MAX = 64 * PAGE_BYTES;

export interface ReadSegment {
  readonly layout: SegmentLayout;
  /** Where the body starts in the file. */
  readonly bodyOffset: number;
  /** Exactly the body, in a SharedArrayBuffer of its own. */
  readonly body: Uint8Array<SharedArrayBuffer>;
  /** The schema's custom metadata. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Nulls of each column, in the order of the schema. */
  readonly nullCounts: readonly number[];
  /** Of every page: what it should have, or, where that was not known, what it has. */
  readonly pageCrcs: Uint32Array;
}

interface Source {
  readonly path: string;
  readonly file: StorageFile;
  readonly fileBytes: number;
  readonly pageCrcs: Uint32Array;
  /** Whether pages are held to the checksums, or these are only noted. */
  readonly isKnown: boolean;
}

/** Fills `target` from `position`, a page's start; `target` ends with a page or with the file. */
function readPages(source: Source, position: number, target: Uint8Array): void {
  const { path, file, pageCrcs, isKnown } = source;
  for (let at = 0; at < target.length; at += READ_BYTES_MAX) {
    const chunk = target.subarray(at, at + READ_BYTES_MAX);
    readExactly(path, file, position + at, chunk);
    const firstPage = (position + at) / PAGE_BYTES;
    const page = isKnown ? findDamagedPage(chunk, firstPage, pageCrcs) : -1;
    if (page !== -1)
      throw corruptFile(path, page * PAGE_BYTES, 'the checksum of this page is wrong');
    if (!isKnown) noteChecksums(chunk, firstPage, pageCrcs);
  }
}

/**
 * Some pages of a segment file that `readSegment` has accepted, checked.
 * @throws OMEN_CORRUPT naming the file and the page's first byte; what the storage throws
 */
export function readPagesOf(
  path: string,
  file: StorageFile,
  { fileBytes, pageCrcs }: { readonly fileBytes: number; readonly pageCrcs: Uint32Array },
  firstPage: number,
  pages: number,
): Uint8Array<ArrayBuffer> {
  const position = firstPage * PAGE_BYTES;
  const bytes = new Uint8Array(Math.min(pages * PAGE_BYTES, fileBytes - position));
  readPages({ path, file, fileBytes, pageCrcs, isKnown: true }, position, bytes);
  return bytes;
}

/** The start of the file, as far as decodeHead() asks for it: whole pages, each read once. */
function growingHead(source: Source): (end: number) => Uint8Array {
  let bytes = new Uint8Array(0);
  return (end) => {
    if (end > bytes.length) {
      const grown = new Uint8Array(Math.min(countPages(end) * PAGE_BYTES, source.fileBytes));
      grown.set(bytes);
      readPages(source, bytes.length, grown.subarray(bytes.length));
      bytes = grown;
    }
    return bytes;
  };
}

/**
 * Reads the body straight to where it stays, and the rest of the file.
 * @param isDeferred the body is left for later, whoever reads it then
 */
function readBody(source: Source, head: Head, start: Uint8Array, isDeferred: boolean) {
  const { bodyOffset, bodyBytes } = head;
  const bodyEnd = bodyOffset + bodyBytes;
  const tailPage = Math.floor(bodyEnd / PAGE_BYTES) * PAGE_BYTES;
  const body = allocateShared(source.path, bodyBytes);
  const rest = new Uint8Array(source.fileBytes - tailPage);
  readPages(source, tailPage, rest);
  const tail = rest.subarray(bodyEnd - tailPage);
  if (isDeferred) return { body, tail };
  // The pages that hold the last of the head, those of the body alone, those that hold its end.
  body.set(start.subarray(bodyOffset, bodyEnd));
  if (tailPage > start.length) {
    readPages(
      source,
      start.length,
      body.subarray(start.length - bodyOffset, tailPage - bodyOffset),
    );
  }
  const restFrom = Math.max(tailPage, bodyOffset);
  body.set(rest.subarray(restFrom - tailPage, bodyEnd - tailPage), restFrom - bodyOffset);
  return { body, tail };
}

/** The layout that the schema gives to what the head counts; the head's buffers must be the same. */
function checkLayout(path: string, schema: Schema, head: Head): SegmentLayout {
  const flags = head.fields.length > schema.columns.length + 1;
  if (!sameFields(head.fields, segmentFields(schema, flags))) {
    throw corruptFile(path, 0, 'its fields are not those of the database');
  }
  // Per field: validity, offsets where the type has them, data.
  let next = 0;
  const varBytesOf = ({ type }: { readonly type: FieldType }): number => {
    const variable = isVariableField(type);
    next += variable ? 3 : 2;
    return variable ? head.buffers[next - 1].length : 0;
  };
  const keyBytes = varBytesOf({ type: schema.key });
  const varBytes = schema.columns.map(varBytesOf);
  const misplaced = () =>
    corruptFile(path, head.batchOffset, 'its buffers are not where they belong');
  const layout = placeSegment(schema, head.rows, varBytes, flags, keyBytes);
  const buffers = listBuffers(segmentBatch(layout));
  const same = buffers.every(
    ({ offset, length }, i) =>
      offset === head.buffers[i].offset && length === head.buffers[i].length,
  );
  if (!same || layout.bodyBytes !== head.bodyBytes) throw misplaced();
  return layout;
}

/** Without checksums, at least nothing may point outside: offsets ascend from 0 to the data's length. */
function checkOffsets(path: string, head: Head, layout: SegmentLayout, body: Uint8Array): void {
  for (const { offsets, data } of [layout.key, ...layout.columns]) {
    if (offsets === null) continue;
    const values = new Int32Array(body.buffer, offsets.offset, layout.rows + 1);
    let wrong = values[0] === 0 ? -1 : 0;
    for (let i = 1; i < values.length && wrong < 0; i++) if (values[i] < values[i - 1]) wrong = i;
    if (wrong < 0 && values[layout.rows] !== data.length) wrong = layout.rows;
    if (wrong >= 0) {
      const at = head.bodyOffset + offsets.offset + 4 * wrong;
      throw corruptFile(path, at, 'the offset of a value is wrong');
    }
  }
}

/**
 * Reads the segment file `path` of a database with `schema`.
 *
 * @param expected what writeSegment() returned. Without checksums (null: the model file is lost) only
 *                 the structure is checked here: keys and values may then be damaged, offsets may not,
 *                 and the caller has to check the list of checksums that comes back. `isDeferred`, with
 *                 checksums only: the body that comes back is zeros, to be filled by `readPagesOf`
 * @throws OMEN_CORRUPT naming the file and the byte; OMEN_MEMORY_FULL when there is no room for the body;
 *         what the storage throws (OMEN_IO, …)
 */
export function readSegment(
  storage: Storage,
  path: string,
  schema: Schema,
  expected: {
    readonly fileBytes: number;
    readonly pageCrcs: Uint32Array | null;
    readonly isDeferred?: boolean;
  },
): ReadSegment {
  const { fileBytes, isDeferred = false } = expected;
  const isKnown = expected.pageCrcs !== null;
  assert.ok(isKnown || !isDeferred, 'nothing would check what is read later');
  const file = storage.open(path, 'read');
  try {
    checkSize(path, file, fileBytes);
    const pageCrcs = expected.pageCrcs ?? new Uint32Array(countPages(fileBytes));
    if (pageCrcs.length !== countPages(fileBytes)) {
      throw corruptFile(path, 0, `there are checksums of ${pageCrcs.length} pages`);
    }
    const source = { path, file, fileBytes, pageCrcs, isKnown };
    const need = growingHead(source);
    const head = decodeHead(path, fileBytes, need);
    const layout = checkLayout(path, schema, head);
    const { body, tail } = readBody(source, head, need(0), isDeferred);
    checkTail(path, head, tail);
    if (!isKnown) checkOffsets(path, head, layout, body);
    const nullCounts = head.nullCounts.slice(1, schema.columns.length + 1);
    const { metadata, bodyOffset } = head;
    return { layout, bodyOffset, body, metadata, nullCounts, pageCrcs };
  } finally {
    file.close();
  }
}
