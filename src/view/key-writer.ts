/**
 * Fills the key column of a new batch where keys differ in length, as `ColumnWriter` fills the others:
 * in ascending order of rows, from entries of a memtable and from rows of segments.
 */
import type { SegmentLayout } from '../arrow/layout.ts';
import { copyBytes, copyText, type Selection, type Text } from './column-writer.ts';
import type { Memtable } from './memtable.ts';
import type { Segment } from './segment.ts';

export class KeyWriter {
  readonly #target: Text;

  /** @param body zeros, `layout.bodyBytes` long */
  constructor({ rows, key }: SegmentLayout, body: SharedArrayBuffer) {
    const offsets = new Int32Array(body, key.offsets?.offset, rows + 1);
    this.#target = { offsets, u8: new Uint8Array(body, key.data.offset, key.data.length) };
  }

  /** Rows `start` and on, from the first `count` entries. */
  fromMemtable(memtable: Memtable, entries: ArrayLike<number>, count: number, start: number): void {
    const { offsets, u8 } = this.#target;
    let end = offsets[start];
    for (let i = 0; i < count; i++) {
      const length = memtable.keyBytes(entries[i]);
      copyBytes(memtable.bytes, memtable.keyAt(entries[i]), u8, end, length);
      end += length;
      offsets[start + i + 1] = end;
    }
  }

  /** Rows `start` and on: for each of `count` rows of `chosen`, the key of that row of that source. */
  fromSegments(sources: readonly Segment[], chosen: Selection, count: number, start: number): void {
    const texts = sources.map(({ keyOffsets, keys }) => ({ offsets: keyOffsets, u8: keys.buffer }));
    copyText(this.#target, texts, chosen, count, start);
  }
}

/** Bytes that the keys of entries of a memtable take; 0 where it stores none. */
export function storedKeyBytes(memtable: Memtable, entries: ArrayLike<number>): number {
  if (!memtable.storesKeys) return 0;
  let sum = 0;
  for (let i = 0; i < entries.length; i++) sum += memtable.keyBytes(entries[i]);
  return sum;
}
