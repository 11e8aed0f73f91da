/**
 * Named sections of bytes in one Arrow IPC file: what goes with a segment but is not rows (the arrays of
 * its learned index, filter bits, page checksums). One row per section, in the order given:
 *
 *   name   Utf8
 *   bytes  Int32    the section's length
 *   data   Binary   the section, padded with zeros to a multiple of 64, so that each starts on one
 *
 * The last row, CHECKSUM, is the CRC-32 (4 bytes) of the whole file with those four bytes taken as zero:
 * it lets the file be checked without what the manifest knows of it.
 */
import assert from 'node:assert';
import { crc32 } from 'node:zlib';
import type { Storage } from '../storage/storage.ts';
import { checkTail, decodeHead, type Head, sameFields } from './decode-metadata.ts';
import { type Batch, encodeHead, encodeTail } from './encode-metadata.ts';
import {
  align,
  type BatchLayout,
  BODY_BYTES_MAX,
  type Field,
  layoutFields,
  listBuffers,
} from './layout.ts';
import { allocateShared, checkSize, corruptFile, readExactly } from './read-file.ts';
import { type Pace, writePieces } from './writer.ts';

const FIELDS: readonly Field[] = [
  { name: 'name', type: 'utf8', nullable: false },
  { name: 'bytes', type: 'int32', nullable: false },
  { name: 'data', type: 'binary', nullable: false },
];
/** Name of the last row; no section may have it. */
export const CHECKSUM = 'checksum';
/** What the checksum's four bytes take of the body: its end, since every section is padded. */
const CHECKSUM_BYTES = 64;
/** Sections a file may have, and what their names may take: bounds for reading, far above any need. */
const SECTIONS_MAX = 1024;
const NAMES_BYTES_MAX = 65536;

/** What the manifest keeps of the file. */
export interface WrittenSections {
  readonly fileBytes: number;
  /** CRC-32 of the whole file. */
  readonly crc: number;
}

const zeros = new Uint8Array(CHECKSUM_BYTES);
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Offsets of values that follow each other: as many as `lengths`, and the end. */
function offsetsOf(lengths: readonly number[]): Int32Array {
  const offsets = new Int32Array(lengths.length + 1);
  for (const [i, length] of lengths.entries()) offsets[i + 1] = offsets[i] + length;
  return offsets;
}

/** The body up to its data: names, lengths, offsets. */
function encodeTable(
  layout: BatchLayout,
  names: readonly Uint8Array[],
  lengths: readonly number[],
): Uint8Array {
  const [name, bytes, data] = layout.fields;
  const table = new Uint8Array(data.data.offset);
  const put = (values: Int32Array, offset: number): void =>
    table.set(new Uint8Array(values.buffer), offset);
  assert(name.offsets !== null && data.offsets !== null);
  put(offsetsOf(names.map((text) => text.length)), name.offsets.offset);
  let at = name.data.offset;
  for (const text of names) {
    table.set(text, at);
    at += text.length;
  }
  put(Int32Array.from(lengths), bytes.data.offset);
  put(offsetsOf(lengths.map(align)), data.offsets.offset);
  return table;
}

/**
 * Writes and syncs the file `path`, which must not exist. The caller syncs the directory. When it throws,
 * a partial file may be left behind.
 *
 * @param sections in the order they are to stand; lengths of any kind, in all below 2 GiB
 * @param metadata the schema's custom metadata
 * @throws what the storage throws (OMEN_DISK_FULL, OMEN_IO, …)
 */
export function writeSections(
  storage: Storage,
  path: string,
  sections: Readonly<Record<string, Uint8Array>>,
  metadata: Readonly<Record<string, string>>,
  pace?: Pace,
): WrittenSections {
  assert(!Object.hasOwn(sections, CHECKSUM), `a section is named ${CHECKSUM}`);
  const values = Object.values(sections);
  const names = [...Object.keys(sections), CHECKSUM].map((name) => new TextEncoder().encode(name));
  const namesBytes = names.reduce((sum, name) => sum + name.length, 0);
  assert(values.length <= SECTIONS_MAX && namesBytes <= NAMES_BYTES_MAX, 'too many sections');
  const lengths = [...values.map((value) => value.length), 4];
  const dataBytes = lengths.reduce((sum, length) => sum + align(length), 0);
  const layout = layoutFields(FIELDS, lengths.length, [namesBytes, 0, dataBytes]);
  assert(layout.bodyBytes <= BODY_BYTES_MAX, `a body of ${layout.bodyBytes} bytes`);

  const batch: Batch = { fields: FIELDS, layout, nullCounts: [0, 0, 0], metadata };
  const start = encodeHead(batch);
  const tail = encodeTail(batch, start);
  const pieces = [start.head, encodeTable(layout, names, lengths)];
  for (const value of values) {
    pieces.push(value, zeros.subarray(0, align(value.length) - value.length));
  }
  const checksum = new Uint8Array(CHECKSUM_BYTES);
  pieces.push(checksum, tail);
  const ownCrc = pieces.reduce((crc, piece) => crc32(piece, crc), 0);
  new DataView(checksum.buffer).setUint32(0, ownCrc, true);

  let crc = 0;
  const file = storage.open(path, 'create-new');
  try {
    const seen = (chunk: Uint8Array): void => {
      crc = crc32(chunk, crc);
    };
    writePieces(file, pieces, seen, pace);
  } finally {
    file.close();
  }
  return { fileBytes: start.head.length + layout.bodyBytes + tail.length, crc };
}

/** The layout of a file of sections; the head's buffers must be the same. */
function checkLayout(path: string, head: Head): BatchLayout {
  const misplaced = (what: string) => corruptFile(path, head.batchOffset, what);
  if (!sameFields(head.fields, FIELDS)) throw corruptFile(path, 0, 'it is no file of sections');
  const [, , names, , , , , data] = head.buffers;
  if (head.rows < 1 || head.rows > SECTIONS_MAX + 1 || names.length > NAMES_BYTES_MAX) {
    throw misplaced(`it has ${head.rows} sections`);
  }
  const layout = layoutFields(FIELDS, head.rows, [names.length, 0, data.length]);
  const same = listBuffers(layout).every(
    ({ offset, length }, i) =>
      offset === head.buffers[i].offset && length === head.buffers[i].length,
  );
  if (!same || layout.bodyBytes !== head.bodyBytes) {
    throw misplaced('its buffers are not where they belong');
  }
  return layout;
}

interface Row {
  readonly name: string;
  readonly bytes: number;
}

/** The rows of `table`, the body up to its data; every section must be where its length puts it. */
function decodeTable(path: string, head: Head, layout: BatchLayout, table: Uint8Array): Row[] {
  const [name, bytes, data] = layout.fields;
  assert(name.offsets !== null && data.offsets !== null);
  const damaged = (offset: number, what: string) =>
    corruptFile(path, head.bodyOffset + offset, what);
  const int32s = (offset: number, length: number) => new Int32Array(table.buffer, offset, length);
  const { rows } = layout;
  const ends = int32s(name.offsets.offset, rows + 1);
  const lengths = int32s(bytes.data.offset, rows);
  const offsets = int32s(data.offsets.offset, rows + 1);
  if (ends[0] !== 0 || ends[rows] !== name.data.length) {
    throw damaged(name.offsets.offset, 'the offsets of the names are wrong');
  }
  const found: Row[] = [];
  let at = 0;
  for (let i = 0; i < rows; i++) {
    const length = lengths[i];
    if (offsets[i] !== at || length < 0 || length > data.data.length) {
      throw damaged(data.offsets.offset + 4 * i, `the place of section ${i} is wrong`);
    }
    at += align(length);
    if (ends[i] > ends[i + 1]) throw damaged(name.offsets.offset, 'the names are out of order');
    const text = table.subarray(name.data.offset + ends[i], name.data.offset + ends[i + 1]);
    try {
      found.push({ name: decoder.decode(text), bytes: length });
    } catch {
      throw damaged(name.data.offset + ends[i], 'the name of a section is not UTF-8');
    }
  }
  const last = found[rows - 1];
  if (
    offsets[rows] !== at ||
    at !== data.data.length ||
    last.name !== CHECKSUM ||
    last.bytes !== 4
  ) {
    throw damaged(data.offsets.offset, 'the last section is not the checksum');
  }
  return found;
}

/**
 * Reads the sections of a file that writeSections() wrote, without the checksum, each into a
 * SharedArrayBuffer of its own.
 *
 * @param expected what writeSections() returned, or null to go by the file's own checksum
 * @param metadata entries that the file must carry: it may be sound and yet another's
 * @throws OMEN_CORRUPT naming the file and the byte; OMEN_MEMORY_FULL when there is no room for a section;
 *         what the storage throws (OMEN_IO, …)
 */
export function readSections(
  storage: Storage,
  path: string,
  expected: WrittenSections | null,
  metadata: Readonly<Record<string, string>> = {},
): Map<string, Uint8Array<SharedArrayBuffer>> {
  const file = storage.open(path, 'read');
  try {
    const fileBytes = checkSize(path, file, expected?.fileBytes ?? null);
    let start = new Uint8Array(0);
    const head = decodeHead(path, fileBytes, (end) => {
      if (end > start.length) {
        const grown = new Uint8Array(end);
        grown.set(start);
        readExactly(path, file, start.length, grown.subarray(start.length));
        start = grown;
      }
      return start;
    });
    const layout = checkLayout(path, head);
    const { bodyOffset } = head;
    const table = new Uint8Array(layout.fields[2].data.offset);
    readExactly(path, file, bodyOffset, table);
    const rows = decodeTable(path, head, layout, table);

    let crc = crc32(table, crc32(start));
    let position = bodyOffset + table.length;
    const next = <T extends Uint8Array>(target: T): T => {
      readExactly(path, file, position, target);
      crc = crc32(target, crc);
      position += target.length;
      return target;
    };
    const sections = new Map<string, Uint8Array<SharedArrayBuffer>>();
    for (const { name, bytes } of rows.slice(0, -1)) {
      sections.set(name, next(allocateShared(path, bytes)));
      next(new Uint8Array(align(bytes) - bytes));
    }
    const checksumAt = position;
    let ownCrc = crc32(zeros, crc);
    const checksum = next(new Uint8Array(CHECKSUM_BYTES));
    const tail = next(new Uint8Array(fileBytes - position));
    ownCrc = crc32(tail, ownCrc);
    const kept = new DataView(checksum.buffer).getUint32(0, true);
    // Zeros behind the checksum are not in it: they must be zeros.
    const padded = checksum.subarray(4).every((byte) => byte === 0);
    if (kept !== ownCrc || !padded || (expected !== null && crc !== expected.crc)) {
      throw corruptFile(path, checksumAt, 'the checksum of the file is wrong');
    }
    if (sections.size !== rows.length - 1)
      throw corruptFile(path, bodyOffset, 'a name stands twice');
    checkTail(path, head, tail);
    for (const [key, value] of Object.entries(metadata)) {
      if (head.metadata.get(key) !== value) {
        throw corruptFile(path, 0, `it belongs elsewhere: its ${key} is ${head.metadata.get(key)}`);
      }
    }
    return sections;
  } finally {
    file.close();
  }
}
