/**
 * One frame per commit group, each beginning on a block of 4 KiB. All numbers are little-endian.
 *
 *     0  u32  CRC-32 of bytes 4 to length − 1, begun with the CRC of the file's header (and so its salt)
 *     4  u32  length: this header and the records, without the padding up to the next block
 *     8  u32  salt, low word, as in the file's header
 *    12  u32  offset of the frame in the file, in blocks
 *    16  f64  LSN of the first record; the others follow without gaps
 *    24  f64  durable LSN: every record up to here was known to be on disk when this frame was written.
 *             It tells an acknowledged frame that was damaged from the torn tail of a crash
 *    32  u32  number of records; none in a frame that only carries the durable LSN
 *    36  u32  zero
 *    40  the records, each a multiple of 8 bytes: u32 length in bytes (of all but the padding, itself
 *        included), the bytes, zeros
 */

import { crc32 } from 'node:zlib';
import { BLOCK_BYTES, type WalHeader } from './header.ts';

export const FRAME_HEADER_BYTES = 40;

/** A frame's length is held in 32 bits; no group comes near this. */
export const FRAME_BYTES_MAX = 2 ** 30;

/**
 * Three views of one buffer. Offsets are in bytes, of `u8`: `u32[offset >> 2]`, `f64[offset >> 3]`.
 */
export interface Views {
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
}

export function viewsOf(buffer: ArrayBuffer): Views {
  return {
    u8: new Uint8Array(buffer),
    u32: new Uint32Array(buffer),
    f64: new Float64Array(buffer),
  };
}

/** Bytes rounded up to whole blocks. */
export function wholeBlocks(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

/** Bytes a record of `bytes` takes: the next record begins on a multiple of 8. */
export function recordStride(bytes: number): number {
  return (bytes + 7) & ~7;
}

/** Fills in the header of the frame that begins `views`; its records are there already. */
export function sealFrame(
  views: Views,
  header: WalHeader,
  frame: {
    length: number;
    position: number;
    firstLsn: number;
    durableLsn: number;
    records: number;
  },
): void {
  const { u8, u32, f64 } = views;
  u32[1] = frame.length;
  u32[2] = header.salt;
  u32[3] = frame.position / BLOCK_BYTES;
  f64[2] = frame.firstLsn;
  f64[3] = frame.durableLsn;
  u32[8] = frame.records;
  u32[9] = 0;
  u32[0] = crc32(u8.subarray(4, frame.length), header.seed);
}

/**
 * Length of what calls itself a frame of this file at `position`, whose header is at `at` in
 * `views`; 0 where nothing does. Not yet to be trusted: verifyFrame() is to follow.
 */
export function claimedLength(
  views: Views,
  at: number,
  header: WalHeader,
  position: number,
): number {
  const word = at >> 2;
  if (views.u32[word + 2] !== header.salt) return 0;
  if (views.u32[word + 3] !== position / BLOCK_BYTES) return 0;
  return views.u32[word + 1];
}

/** What is wrong with the frame of `length` bytes at `at`, or null when it is as it was written. */
export function verifyFrame(
  views: Views,
  at: number,
  length: number,
  header: WalHeader,
): string | null {
  const { u8, u32, f64 } = views;
  const word = at >> 2;
  if (u32[word] !== crc32(u8.subarray(at + 4, at + length), header.seed)) {
    return 'its checksum does not match';
  }
  // From here on only a writer's error or an intruder can be the reason; a reader must be safe from both.
  const firstLsn = f64[(at >> 3) + 2];
  const durableLsn = f64[(at >> 3) + 3];
  const records = u32[word + 8];
  if (!Number.isSafeInteger(firstLsn + records) || firstLsn < 1) return `${firstLsn} is no LSN`;
  if (!Number.isSafeInteger(durableLsn) || durableLsn < 0 || durableLsn >= firstLsn) {
    return `${durableLsn} is no durable LSN`;
  }
  let offset = at + FRAME_HEADER_BYTES;
  const end = at + length;
  for (let i = 0; i < records; i++) {
    const bytes = offset < end ? u32[offset >> 2] : 0;
    if (bytes < 4 || bytes > end - offset) return 'the lengths of its records are wrong';
    offset += recordStride(bytes);
  }
  return offset === end ? null : 'the lengths of its records are wrong';
}
