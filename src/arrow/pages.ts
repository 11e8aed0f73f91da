/**
 * Checksums of a file, page by page: the CRC-32 of every 64 KiB, so that a page can be trusted without
 * reading its file. Page i is the bytes from 65,536 i; the last may be short.
 */
import assert from 'node:assert';
import { crc32 } from 'node:zlib';

export const PAGE_BYTES = 65536;

export function countPages(fileBytes: number): number {
  return Math.ceil(fileBytes / PAGE_BYTES);
}

/** Checksums a file that is fed front to back, in pieces of any length. */
export interface PageSummer {
  add(bytes: Uint8Array): void;
  /** The checksums, once all `fileBytes` were added. */
  finish(): Uint32Array;
}

export function summarizePages(fileBytes: number): PageSummer {
  const crcs = new Uint32Array(countPages(fileBytes));
  let done = 0;
  return {
    add(bytes) {
      let at = 0;
      while (at < bytes.length) {
        const room = PAGE_BYTES - (done % PAGE_BYTES);
        const piece = bytes.subarray(at, at + room);
        const page = Math.floor(done / PAGE_BYTES);
        crcs[page] = crc32(piece, crcs[page]);
        at += piece.length;
        done += piece.length;
      }
    },
    finish() {
      assert.equal(done, fileBytes, 'all of the file, and no more');
      return crcs;
    },
  };
}

/** Notes the checksums of the pages among `bytes`, which are as for `findDamagedPage`. */
export function noteChecksums(bytes: Uint8Array, firstPage: number, crcs: Uint32Array): void {
  for (let at = 0, page = firstPage; at < bytes.length; at += PAGE_BYTES, page++) {
    crcs[page] = crc32(bytes.subarray(at, at + PAGE_BYTES));
  }
}

/**
 * The first page among `bytes`, which start at page `firstPage` of the file and end with a page or with
 * the file, that does not have its checksum; −1 when all do.
 */
export function findDamagedPage(bytes: Uint8Array, firstPage: number, crcs: Uint32Array): number {
  for (let at = 0, page = firstPage; at < bytes.length; at += PAGE_BYTES, page++) {
    if (crc32(bytes.subarray(at, at + PAGE_BYTES)) !== crcs[page]) return page;
  }
  return -1;
}
