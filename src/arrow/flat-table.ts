/**
 * Reads flatbuffers that nobody vouches for. The flatbuffers package checks no bounds (beyond the end it
 * reads zeros), so every position, length and table is checked here before it is used, and what
 * does not fit throws what `FlatBytes.damaged` makes. Nothing is read twice without being counted: the
 * texts of one FlatBytes together may be no longer than its bytes, however often they are pointed at.
 */

/** The bytes of one flatbuffer, and how to report damage at an offset into them. */
export interface FlatBytes {
  readonly view: DataView;
  readonly damaged: (offset: number, what: string) => Error;
  /** Bytes of text that may still be decoded. */
  textBytesLeft: number;
}

/** A table: where it starts and ends, and its vtable. */
export interface FlatTable {
  readonly flat: FlatBytes;
  readonly start: number;
  readonly bytes: number;
  readonly vtable: number;
  readonly vtableBytes: number;
}

/** A vector: where its first element starts, and how many there are. */
export interface FlatVector {
  readonly flat: FlatBytes;
  readonly start: number;
  readonly length: number;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function flatBytes(
  bytes: Uint8Array,
  damaged: (offset: number, what: string) => Error,
): FlatBytes {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { view, damaged, textBytesLeft: bytes.byteLength };
}

function requireBytes(flat: FlatBytes, at: number, bytes: number): void {
  if (at < 0 || at + bytes > flat.view.byteLength) {
    throw flat.damaged(Math.max(0, Math.min(at, flat.view.byteLength)), 'metadata points outside');
  }
}

/** Follows the unsigned offset that stands at `at`. */
function follow(flat: FlatBytes, at: number): number {
  requireBytes(flat, at, 4);
  const target = at + flat.view.getUint32(at, true);
  requireBytes(flat, target, 4);
  return target;
}

function tableAt(flat: FlatBytes, start: number): FlatTable {
  requireBytes(flat, start, 4);
  const vtable = start - flat.view.getInt32(start, true);
  requireBytes(flat, vtable, 4);
  const vtableBytes = flat.view.getUint16(vtable, true);
  const bytes = flat.view.getUint16(vtable + 2, true);
  if (vtableBytes < 4 || vtableBytes % 2 !== 0 || bytes < 4) {
    throw flat.damaged(vtable, 'a table of the metadata is malformed');
  }
  requireBytes(flat, vtable, vtableBytes);
  requireBytes(flat, start, bytes);
  return { flat, start, bytes, vtable, vtableBytes };
}

/** The table that the flatbuffer is. */
export function rootTable(flat: FlatBytes): FlatTable {
  return tableAt(flat, follow(flat, 0));
}

/** Position of the field in `slot`, which takes `bytes` bytes; 0 where the table leaves it out. */
function fieldAt(table: FlatTable, slot: number, bytes: number): number {
  const entry = 4 + 2 * slot;
  if (entry + 2 > table.vtableBytes) return 0;
  const offset = table.flat.view.getUint16(table.vtable + entry, true);
  if (offset === 0) return 0;
  if (offset < 4 || offset + bytes > table.bytes) {
    throw table.flat.damaged(
      table.vtable + entry,
      'a field of the metadata lies outside its table',
    );
  }
  return table.start + offset;
}

export function uint8Field(table: FlatTable, slot: number): number {
  const at = fieldAt(table, slot, 1);
  return at === 0 ? 0 : table.flat.view.getUint8(at);
}

export function int16Field(table: FlatTable, slot: number): number {
  const at = fieldAt(table, slot, 2);
  return at === 0 ? 0 : table.flat.view.getInt16(at, true);
}

export function int32Field(table: FlatTable, slot: number): number {
  const at = fieldAt(table, slot, 4);
  return at === 0 ? 0 : table.flat.view.getInt32(at, true);
}

/** An int64 that must be a length, count or offset: from 0 to 2^53 − 1. */
function naturalAt(flat: FlatBytes, at: number): number {
  const high = flat.view.getUint32(at + 4, true);
  if (high >= 2 ** 21) throw flat.damaged(at, 'a length in the metadata is out of range');
  return high * 2 ** 32 + flat.view.getUint32(at, true);
}

export function naturalField(table: FlatTable, slot: number): number {
  const at = fieldAt(table, slot, 8);
  return at === 0 ? 0 : naturalAt(table.flat, at);
}

/** The table in `slot`, or null. */
export function tableField(table: FlatTable, slot: number): FlatTable | null {
  const at = fieldAt(table, slot, 4);
  return at === 0 ? null : tableAt(table.flat, follow(table.flat, at));
}

/** Whether `slot` is there at all. */
export function hasField(table: FlatTable, slot: number): boolean {
  return fieldAt(table, slot, 0) !== 0;
}

/** The vector in `slot` with elements of `elementBytes`; empty where the table leaves it out. */
export function vectorField(
  table: FlatTable,
  slot: number,
  elementBytes: number,
  lengthMax: number,
): FlatVector {
  const { flat } = table;
  const at = fieldAt(table, slot, 4);
  if (at === 0) return { flat, start: 0, length: 0 };
  const counted = follow(flat, at);
  const length = flat.view.getUint32(counted, true);
  if (length > lengthMax) throw flat.damaged(counted, `a list of ${length} in the metadata`);
  requireBytes(flat, counted + 4, length * elementBytes);
  return { flat, start: counted + 4, length };
}

/** The `i`-th table of a vector of tables. */
export function tableOf(vector: FlatVector, i: number): FlatTable {
  return tableAt(vector.flat, follow(vector.flat, vector.start + 4 * i));
}

/** The int64 at `offset` of a vector's bytes, from 0 to 2^53 − 1. */
export function naturalOf(vector: FlatVector, offset: number): number {
  return naturalAt(vector.flat, vector.start + offset);
}

/** The int32 at `offset` of a vector's bytes. */
export function int32Of(vector: FlatVector, offset: number): number {
  return vector.flat.view.getInt32(vector.start + offset, true);
}

/** The text in `slot`; empty where the table leaves it out. */
export function textField(table: FlatTable, slot: number): string {
  const { flat } = table;
  const { start, length } = vectorField(table, slot, 1, flat.textBytesLeft);
  flat.textBytesLeft -= length;
  try {
    return decoder.decode(new Uint8Array(flat.view.buffer, flat.view.byteOffset + start, length));
  } catch {
    throw flat.damaged(start, 'a text in the metadata is not UTF-8');
  }
}
