/**
 * Keys and values between abstract-level, which has them as strings, Buffers or other views, and a
 * database whose keys and values are bytes.
 */
import { Buffer } from 'node:buffer';
import type { Database, IterateOptions, Snapshot, TextReads } from '../index.ts';

/** Encoded by abstract-level, in one of the formats that the manifest declares. */
export type Data = string | Uint8Array;
export type Format = 'utf8' | 'buffer' | 'view';

export type BytesDatabase = Database<Uint8Array, Uint8Array, Uint8Array, Uint8Array>;
export type BytesSnapshot = Snapshot<Uint8Array, Uint8Array, Uint8Array, Uint8Array>;

/** Reads with strings for bytes; keys may be given as either. */
export type TextOfBytes = TextReads<string, string, string | Uint8Array, string>;

/** A key for such reads. What is no Unicode becomes what it was stored as. */
export function textOrBytes(data: Data): string | Uint8Array {
  return typeof data === 'string' ? data.toWellFormed() : bytesOf(data);
}

/** A copy of a string only; what is no data at all is left to the engine to refuse. */
export function bytesOf(data: Data): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data);
  if (data instanceof Uint8Array || !ArrayBuffer.isView(data)) return data;
  const { buffer, byteOffset, byteLength }: ArrayBufferView = data;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** @param bytes memory of its own, that nobody else writes to */
export function dataOf(bytes: Uint8Array, format: Format): Data {
  if (format === 'view') return bytes;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return format === 'buffer' ? buffer : buffer.toString();
}

/** Bounds as abstract-level gives them. Of two lower or two upper ones, the inclusive one counts. */
export interface DataRange {
  readonly gt?: Data;
  readonly gte?: Data;
  readonly lt?: Data;
  readonly lte?: Data;
}

export interface BytesRange extends Omit<IterateOptions, 'where'> {
  readonly gt?: Uint8Array;
  readonly gte?: Uint8Array;
  readonly lt?: Uint8Array;
  readonly lte?: Uint8Array;
}

export function rangeOf({ gt, gte, lt, lte }: DataRange): BytesRange {
  return {
    ...(gte !== undefined ? { gte: bytesOf(gte) } : gt !== undefined && { gt: bytesOf(gt) }),
    ...(lte !== undefined ? { lte: bytesOf(lte) } : lt !== undefined && { lt: bytesOf(lt) }),
  };
}

/**
 * What is left of a range, read in its direction from `target` on: null where that lies outside of the
 * range, which is as good as behind its end.
 */
export function rangeFrom(
  { gt, gte, lt, lte }: BytesRange,
  target: Uint8Array,
  reverse: boolean,
): BytesRange | null {
  const isOutside =
    (gte !== undefined && Buffer.compare(target, gte) < 0) ||
    (gt !== undefined && Buffer.compare(target, gt) <= 0) ||
    (lte !== undefined && Buffer.compare(target, lte) > 0) ||
    (lt !== undefined && Buffer.compare(target, lt) >= 0);
  if (isOutside) return null;
  return reverse ? { gt, gte, lte: target } : { gte: target, lt, lte };
}
