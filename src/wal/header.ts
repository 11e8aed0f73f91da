/**
 * The first 4 KiB block of a WAL file. Everything in it is written before the file gets its name,
 * and never again. All numbers are little-endian.
 *
 *     0  8 bytes  magic "OMENWAL" and a zero
 *     8  u32      format version
 *    12  u32      shard
 *    16  16 bytes database id
 *    32  u32 × 2  salt, random for every file (also where an old file is recycled)
 *    40  f64      first LSN: of the first record of this file. All below it was durable elsewhere
 *                 before this file got its name, so that a log that does not reach it is damaged
 *    48  f64      bytes the file had when it got its name; a file that is shorter was cut
 *    56  u32      sequence number, as in the file's name
 *    60  u32      1 where the file is recycled and holds frames of its former life, else 0
 *    64  zeros
 *  4092  u32      CRC-32 of bytes 0 to 4091. Keeps its place in every version
 *
 * That CRC is where the CRC of every frame of the file begins (frame.ts), so that a frame verifies
 * in the file it was written to, and in no other, be it of another shard or the same file before it
 * was recycled.
 */

import { randomFillSync } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { CORRUPT_ADVICE, OmenError } from '../errors.ts';

/**
 * Frames begin at multiples of this, so that no sync rewrites a block that holds an older frame.
 */
export const BLOCK_BYTES = 4096;

export const WAL_VERSION = 1;
const MAGIC = 'OMENWAL\0';
const CRC_OFFSET = BLOCK_BYTES - 4;

/** Which log a file belongs to. `databaseId` has 16 bytes. */
export interface WalIdentity {
  readonly databaseId: Uint8Array;
  readonly shard: number;
}

export interface WalHeader {
  readonly sequence: number;
  readonly firstLsn: number;
  readonly createdBytes: number;
  readonly recycled: boolean;
  /** Low word of the salt, repeated in each frame: tells at a glance whose frame it is. */
  readonly salt: number;
  /** What the CRC of each frame begins with. */
  readonly seed: number;
}

/** Makes the header block of a new file, with a new salt. */
export function encodeHeader(
  identity: WalIdentity,
  file: { sequence: number; firstLsn: number; createdBytes: number; recycled: boolean },
): { block: Uint8Array; header: WalHeader } {
  const block = new Uint8Array(BLOCK_BYTES);
  const view = new DataView(block.buffer);
  for (let i = 0; i < MAGIC.length; i++) block[i] = MAGIC.charCodeAt(i);
  view.setUint32(8, WAL_VERSION, true);
  view.setUint32(12, identity.shard, true);
  block.set(identity.databaseId, 16);
  randomFillSync(block, 32, 8);
  view.setFloat64(40, file.firstLsn, true);
  view.setFloat64(48, file.createdBytes, true);
  view.setUint32(56, file.sequence, true);
  view.setUint32(60, file.recycled ? 1 : 0, true);
  const seed = crc32(block.subarray(0, CRC_OFFSET));
  view.setUint32(CRC_OFFSET, seed, true);
  return { block, header: { ...file, salt: view.getUint32(32, true), seed } };
}

/**
 * The headers that a damaged block may have been, of which at most one is right: by the checksum that it
 * has, and by the one that it should have. None where it was damaged in what tells whose log it is.
 */
export function guessHeaders(
  block: Uint8Array,
  identity: WalIdentity,
  sequence: number,
): Omit<WalHeader, 'salt' | 'firstLsn'>[] {
  const view = new DataView(block.buffer, block.byteOffset, BLOCK_BYTES);
  const isOurs =
    view.getUint32(12, true) === identity.shard &&
    identity.databaseId.every((byte, i) => block[16 + i] === byte);
  if (!isOurs) return [];
  const seeds = [view.getUint32(CRC_OFFSET, true), crc32(block.subarray(0, CRC_OFFSET))];
  return seeds.map((seed) => ({ sequence, createdBytes: 0, recycled: true, seed }));
}

/**
 * Reads a header block. Throws OMEN_CORRUPT where it is damaged or of another database, shard or
 * file, and OMEN_NEWER_FORMAT where a later version wrote it. `fileBytes` is the file's length now.
 */
export function decodeHeader(
  block: Uint8Array,
  fileBytes: number,
  path: string,
  identity: WalIdentity,
  sequence: number,
): WalHeader {
  const corrupt = (offset: number, what: string) =>
    new OmenError(
      'OMEN_CORRUPT',
      `${path} is damaged at offset ${offset}: ${what}. ${CORRUPT_ADVICE}`,
    );
  if (block.byteLength < BLOCK_BYTES) throw corrupt(block.byteLength, 'its header is cut off');
  const view = new DataView(block.buffer, block.byteOffset, BLOCK_BYTES);
  for (let i = 0; i < MAGIC.length; i++) {
    if (block[i] !== MAGIC.charCodeAt(i)) throw corrupt(i, 'it does not begin as a log does');
  }
  const seed = crc32(block.subarray(0, CRC_OFFSET));
  if (view.getUint32(CRC_OFFSET, true) !== seed) {
    throw corrupt(0, 'the checksum of its header does not match');
  }
  const version = view.getUint32(8, true);
  if (version > WAL_VERSION) {
    throw new OmenError(
      'OMEN_NEWER_FORMAT',
      `${path} has format version ${version}, this release reads up to ${WAL_VERSION}`,
    );
  }
  for (let i = 0; i < 16; i++) {
    if (block[16 + i] !== identity.databaseId[i]) {
      throw corrupt(16, 'it belongs to another database');
    }
  }
  if (view.getUint32(12, true) !== identity.shard) {
    throw corrupt(12, `it belongs to shard ${view.getUint32(12, true)}, not ${identity.shard}`);
  }
  const header = {
    sequence: view.getUint32(56, true),
    firstLsn: view.getFloat64(40, true),
    createdBytes: view.getFloat64(48, true),
    recycled: view.getUint32(60, true) === 1,
    salt: view.getUint32(32, true),
    seed,
  };
  if (header.sequence !== sequence) {
    throw corrupt(56, `it is file ${header.sequence} of the log, under another's name`);
  }
  if (!Number.isSafeInteger(header.firstLsn) || header.firstLsn < 1) {
    throw corrupt(40, `${header.firstLsn} is no LSN`);
  }
  if (!(fileBytes >= header.createdBytes)) {
    throw corrupt(fileBytes, `it was cut: it had ${header.createdBytes} bytes from its first day`);
  }
  return header;
}
