/**
 * The commit group being built: records are written straight into the frame that will go to disk.
 *
 * - One owner thread fills it; nothing of it is shared or published.
 * - `views` always begins with room for the frame's header; records follow from FRAME_HEADER_BYTES
 *   on, up to `bytes`, which is a multiple of 8.
 * - Reserving allocates nothing, unless the buffer must grow; it grows by doubling and is reused by
 *   every group, but one grown beyond KEPT_BYTES is given back after its commit.
 */

import assert from 'node:assert/strict';
import { OmenError } from '../errors.ts';
import { FRAME_BYTES_MAX, FRAME_HEADER_BYTES, recordStride, type Views, viewsOf } from './frame.ts';

/** A multiple of the block, as every capacity is: a frame is written with its padding. */
const INITIAL_BYTES = 16 * 1024;
const KEPT_BYTES = 8 * 2 ** 20;

export class RecordGroup {
  views: Views;
  /** Length of the frame so far, its header included. */
  bytes = FRAME_HEADER_BYTES;
  records = 0;

  /** `bytes`, whole blocks, is what the group holds before it grows. */
  constructor(bytes = INITIAL_BYTES) {
    this.views = viewsOf(new ArrayBuffer(bytes));
  }

  /**
   * Adds a record of `bytes` (at least 4: its length, which is written here) and returns its byte
   * offset in `views`, a multiple of 8. The caller fills in the bytes from offset + 4 on. `views`
   * may be replaced by this call: read it afterwards. Throws OMEN_ROW_TOO_LARGE beyond a group of 1
   * GiB.
   */
  reserve(bytes: number): number {
    assert(bytes >= 4, 'a record holds at least its length');
    if (bytes > FRAME_BYTES_MAX) throw tooLarge();
    const offset = this.bytes;
    const end = offset + recordStride(bytes);
    if (end > this.views.u8.byteLength) this.#grow(end);
    const { u32, f64 } = this.views;
    f64[(end >> 3) - 1] = 0; // the padding
    u32[offset >> 2] = bytes;
    this.bytes = end;
    this.records++;
    return offset;
  }

  /** Adds records copied from elsewhere, already in their form on disk. */
  append(source: Uint8Array, records: number): void {
    const end = this.bytes + source.byteLength;
    if (end > this.views.u8.byteLength) this.#grow(end);
    this.views.u8.set(source, this.bytes);
    this.bytes = end;
    this.records += records;
  }

  /** Empties the group. */
  clear(): void {
    this.bytes = FRAME_HEADER_BYTES;
    this.records = 0;
    if (this.views.u8.byteLength > KEPT_BYTES) {
      this.views = viewsOf(new ArrayBuffer(INITIAL_BYTES));
    }
  }

  #grow(bytes: number): void {
    if (bytes > FRAME_BYTES_MAX) throw tooLarge();
    let capacity = this.views.u8.byteLength;
    while (capacity < bytes) capacity *= 2;
    const grown = viewsOf(new ArrayBuffer(capacity));
    grown.u8.set(this.views.u8.subarray(0, this.bytes));
    this.views = grown;
  }
}

function tooLarge(): OmenError {
  return new OmenError('OMEN_ROW_TOO_LARGE', 'a group of writes is larger than 1 GiB');
}
