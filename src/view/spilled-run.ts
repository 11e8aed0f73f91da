/**
 * Sorted rows of a bulk load that lie in a file of their own for as long as it lasts: blocks one after the
 * other, each the body of a segment of few rows. What is known of the blocks, where each begins, its checksum
 * and its first key, stays in memory: no header is read, and a file without it is waste, which the next open
 * removes. Never synced: after a crash nobody wants it.
 */
import { crc32 } from 'node:zlib';
import { type ColumnLayout, placeSegment, type SegmentLayout } from '../arrow/layout.ts';
import { OmenError } from '../errors.ts';
import { copyOf } from '../schema/key-bytes.ts';
import type { Schema } from '../schema/schema.ts';
import type { Storage, StorageFile } from '../storage/storage.ts';
import type { Bound } from './bounds.ts';
import type { KeyForm, Segment, SegmentHandle } from './segment.ts';
import { unindexed } from './unindexed.ts';

/** A key that crosses threads: its sortable words and, where keys are of variable length, its bytes. */
export interface PlainKey {
  readonly hi: number;
  readonly lo: number;
  readonly bytes: Uint8Array | null;
}

/** Where a block is in its file, and what it holds. */
export interface BlockPlace {
  readonly offset: number;
  readonly bodyBytes: number;
  readonly crc: number;
  readonly rows: number;
  readonly form: KeyForm;
  readonly keyBytes: number;
  readonly varBytes: readonly number[];
}

/** Blocks that follow each other in a file. Crosses threads. */
export interface SpilledBlocks {
  readonly path: string;
  readonly blocks: readonly BlockPlace[];
}

export interface SpilledRun extends SpilledBlocks {
  /** The first key of each block, and the last of all. */
  readonly firsts: readonly PlainKey[];
  readonly last: PlainKey;
}

/** Rows in key order, in memory or not. A run is such parts, in key order too. */
export type RunPart = SegmentHandle | SpilledBlocks;

export function isSpilled<Part extends RunPart>(part: Part): part is Extract<Part, SpilledBlocks> {
  return 'path' in part;
}

export function partBytes(part: RunPart): number {
  if (!isSpilled(part)) return part.layout.bodyBytes;
  return part.blocks.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
}

/** The key of a row, in memory of its own. */
export function plainKeyOf(segment: Segment, row: number): PlainKey {
  return plainKey({ hi: segment.hi(row), lo: segment.lo(row), bytes: segment.bytesOf(row) });
}

export function plainKey({ hi, lo, bytes }: Bound): PlainKey {
  const own = bytes && Uint8Array.from(bytes.memory.buffer.subarray(bytes.start, bytes.end));
  return { hi, lo, bytes: own };
}

export function boundOf({ hi, lo, bytes }: PlainKey): Bound {
  return { hi, lo, bytes: bytes && copyOf(bytes) };
}

/**
 * Reads the blocks, every byte checked, into memory from `to` on.
 * @throws OMEN_CORRUPT naming file and offset, what the storage throws
 */
export function readBlocks(
  storage: Storage,
  schema: Schema,
  spilled: SpilledBlocks,
  body: SharedArrayBuffer,
  to: number,
): SegmentHandle[] {
  const { path, blocks } = spilled;
  const start = blocks[0].offset;
  const file = storage.open(path, 'read');
  try {
    readWhole(file, path, new Uint8Array(body, to, partBytes(spilled)), start);
    return blocks.map((block) => {
      const at = to + block.offset - start;
      if (crc32(new Uint8Array(body, at, block.bodyBytes)) !== block.crc) {
        throw damaged(path, block.offset, 'its checksum is wrong');
      }
      const { rows, varBytes, keyBytes } = block;
      const layout = placeSegment(schema, rows, varBytes, false, keyBytes);
      return unindexed(block.form, shifted(layout, at), body);
    });
  } finally {
    file.close();
  }
}

function readWhole(file: StorageFile, path: string, target: Uint8Array, start: number): void {
  const count = file.read(target, start);
  if (count < target.length) throw damaged(path, start + count, 'it ends there');
}

function damaged(path: string, offset: number, what: string): OmenError {
  const message = `${path} is damaged at offset ${offset}: ${what}. Rows of a bulk load were in it: load again.`;
  return new OmenError('OMEN_CORRUPT', message);
}

/** The same layout in a body that begins so many bytes before. */
function shifted(layout: SegmentLayout, by: number): SegmentLayout {
  const move = <Place extends { readonly offset: number }>(place: Place | null) =>
    place && { ...place, offset: place.offset + by };
  const moveColumn = ({ validity, offsets, data }: ColumnLayout): ColumnLayout => ({
    validity: move(validity),
    offsets: move(offsets),
    data: { ...data, offset: data.offset + by },
  });
  return {
    ...layout,
    key: moveColumn(layout.key),
    columns: layout.columns.map(moveColumn),
    flags: move(layout.flags),
  };
}
