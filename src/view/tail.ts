/**
 * Order for the tail of a memtable: the entries that its owner has not sorted into a chunk yet.
 *
 * Each thread keeps its own. New entries become a sorted run, and runs of like size are merged (the
 * logarithmic method of Bentley and Saxe, 1980), so that reads that alternate with writes pay
 * O(log n) amortised for each new entry and never sort the whole tail again. Runs are never changed
 * once made: an iterator keeps those it started with.
 */

import { CHUNKS_MERGED, type Memtable } from './memtable.ts';
import { radixSort, sortBuffers } from './radix-sort.ts';
import { sortTies } from './tie-sort.ts';

/** A run this many times as large as the next newer one is left alone. */
const RUN_RATIO = 4;

/** Entries sorted by key, versions of a key oldest first. `keys` are [lo, hi] pairs. */
export interface SortedPiece {
  readonly keys: Uint32Array;
  readonly offsets: Uint32Array;
  readonly start: number;
  readonly end: number;
}

export class Tail {
  readonly #memtable: Memtable;
  #runs: SortedPiece[] = [];
  #chunks = 0;
  #end: number;

  constructor(memtable: Memtable) {
    this.#memtable = memtable;
    this.#end = memtable.offsetAfter(0);
  }

  /**
   * All entries below `watermark`, and perhaps some above, as sorted pieces, newest piece first:
   * an entry of a piece is newer than every entry of the pieces after it.
   */
  pieces(watermark: number): SortedPiece[] {
    const memtable = this.#memtable;
    const merged = memtable.mergedGroups;
    const { chunks } = memtable;
    if (chunks !== this.#chunks) {
      this.#chunks = chunks;
      this.#runs = [];
      this.#end = memtable.offsetAfter(chunks);
    }
    if (watermark > this.#end) this.#append(watermark);
    const pieces = this.#runs.toReversed();
    for (let chunk = chunks - 1; chunk >= CHUNKS_MERGED * merged; chunk--) {
      const { orderKeys: keys, orderOffsets: offsets } = memtable;
      const start = memtable.entriesIn(chunk);
      pieces.push({ keys, offsets, start, end: memtable.entriesIn(chunk + 1) });
    }
    for (let group = merged - 1; group >= 0; group--) {
      const { mergedKeys: keys, mergedOffsets: offsets } = memtable;
      const start = memtable.entriesIn(CHUNKS_MERGED * group);
      pieces.push({ keys, offsets, start, end: memtable.entriesIn(CHUNKS_MERGED * (group + 1)) });
    }
    return pieces;
  }

  #append(watermark: number): void {
    const offsets: number[] = [];
    // Ranges come first, perhaps after this was made, and have no place in the order of keys.
    const start = Math.max(this.#end, this.#memtable.offsetAfter(0));
    for (let at = start; at < watermark; at = this.#memtable.following(at)) offsets.push(at);
    this.#end = watermark;
    if (offsets.length === 0) return;
    this.#runs.push(sortEntries(this.#memtable, offsets));
    for (let n = this.#runs.length; n > 1; n--) {
      const older = this.#runs[n - 2];
      const newer = this.#runs[n - 1];
      if (older.end > RUN_RATIO * newer.end) break;
      this.#runs.splice(n - 2, 2, mergePieces(this.#memtable, older, newer));
    }
  }
}

/** Sorts entries, given in the order in which they were appended. */
export function sortEntries(memtable: Memtable, offsets: ArrayLike<number>): SortedPiece {
  const count = offsets.length;
  const buffers = sortBuffers(count);
  for (let i = 0; i < count; i++) {
    buffers.hi[i] = memtable.hi(offsets[i]);
    buffers.lo[i] = memtable.lo(offsets[i]);
    buffers.payload[i] = offsets[i];
  }
  const sorted = count < 2 ? buffers : radixSort(buffers, sortBuffers(count), count);
  if (memtable.storesKeys) sortTies(memtable, sorted, count);
  const keys = new Uint32Array(2 * count);
  for (let i = 0; i < count; i++) {
    keys[2 * i] = sorted.lo[i];
    keys[2 * i + 1] = sorted.hi[i];
  }
  return { keys, offsets: sorted.payload, start: 0, end: count };
}

/** Merges two whole runs; of equal keys, the older run's entries come first. */
function mergePieces(memtable: Memtable, older: SortedPiece, newer: SortedPiece): SortedPiece {
  const end = older.end + newer.end;
  const keys = new Uint32Array(2 * end);
  const offsets = new Uint32Array(end);
  let a = 0;
  let b = 0;
  for (let i = 0; i < end; i++) {
    const takeOlder = b === newer.end || (a < older.end && !isAfter(memtable, older, a, newer, b));
    const source = takeOlder ? older : newer;
    const at = takeOlder ? a++ : b++;
    keys[2 * i] = source.keys[2 * at];
    keys[2 * i + 1] = source.keys[2 * at + 1];
    offsets[i] = source.offsets[at];
  }
  return { keys, offsets, start: 0, end };
}

function isAfter(
  memtable: Memtable,
  a: SortedPiece,
  i: number,
  b: SortedPiece,
  j: number,
): boolean {
  const hi = a.keys[2 * i + 1];
  const lo = a.keys[2 * i];
  const otherHi = b.keys[2 * j + 1];
  const otherLo = b.keys[2 * j];
  if (hi !== otherHi || lo !== otherLo) return hi > otherHi || (hi === otherHi && lo > otherLo);
  return memtable.compareStored(a.offsets[i], b.offsets[j]) > 0;
}
