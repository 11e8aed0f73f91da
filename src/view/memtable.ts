/**
 * The memtable as every thread sees it: an append-only arena of entries, a hash index over it, and
 * sorted chunks for ordered reads, all in one SharedArrayBuffer.
 *
 * - One writer, the shard's owner (`shard-worker/memtable-writer.ts`); any number of readers.
 * - An entry is linked into the hash index only after its commit group is durable, so whatever the
 *   index reaches may be shown. Everything in an entry but `next` is written before it is linked.
 * - The watermark is the arena offset up to which entries may be read. It is stored last, after a
 *   whole group is linked: a reader that loads it once sees all of a group or none of it.
 * - Versions of a key form a chain, newest first. Bucket chains hold one entry a key: a new version
 *   takes the place of the one before, which stays reachable as its `prev`. `skip` leads further back,
 *   by steps of lengths such (Myers 1983) that a reader behind a million newer versions takes 45
 *   steps at most, 32 on average.
 * - Every CHUNK_ENTRIES entries the owner sorts what it linked since into the next chunk, and merges
 *   every CHUNKS_MERGED chunks into arrays of their own. What the word SEALED counts is complete, and
 *   never changes. Readers order only the tail behind the last chunk.
 * - A memtable may begin with ranges that were deleted (`cleared.ts`): of older memtables and of runs,
 *   of nothing in itself. They are entries in the arena, with a ticket where they are of a batch across
 *   shards, but in no chain, chunk or count.
 * - All offsets are bytes from the start of the arena; 0 means none.
 * - Before its row an entry has its key in stored form where keys differ in length; the key words of
 *   its header are the prefix then (`schema/key-bytes.ts`). A tombstone has no row, but its key.
 */
import assert from 'node:assert';
import {
  compareStretches,
  isSameStored,
  type KeyBytes,
  type KeyMemory,
  keyMemory,
  STORED_KEY_AT,
  storedBytes,
} from '../schema/key-bytes.ts';
import { type Views, viewsOf } from '../schema/row.ts';
import { type ClearedRange, decodeRange, isCleared } from './cleared.ts';
import type { CommitTable } from './commit-table.ts';

export const CHUNK_ENTRIES = 65_536;
/** So many chunks that follow each other are merged, so that readers have few pieces to search. */
export const CHUNKS_MERGED = 4;

/** Words of an entry's header. */
export const NEXT = 0;
export const PREV = 1;
export const SKIP = 2;
/** Flags in the lowest 8 bits, the version's ordinal within the memtable in the other 24. */
export const META = 3;
export const KEY_LO = 4;
export const KEY_HI = 5;
/** Bytes behind the header: the key where it is stored, and the row. */
export const ROW_BYTES = 6;
/** The batch across shards that this entry is part of; 0: none. Kept for ever. */
export const TICKET = 7;
export const ENTRY_HEADER_BYTES = 32;
/** The word at which a stored key begins. */
export const STORED_KEY = ENTRY_HEADER_BYTES / 4;

export const TOMBSTONE = 1;
export const ABORTED_ENTRY = 2;
/** No version of a key, but a range that was deleted of what is older than the memtable. */
export const RANGE_ENTRY = 8;

/** Words of the control block at the start of the memory. */
export const WATERMARK = 0;
/** Chunks sealed in the lower 16 bits, groups of them that are merged in the upper. */
export const SEALED = 1;
export const ENTRIES = 2;
/** The arena offset behind the ranges, which come before all other entries; 0 where there are none. */
export const RANGES_END = 3;
export const CONTROL_BYTES = 256;

/** The first entry's offset: 0 must stay free to mean "none". */
export const ARENA_START = 64;

// The same for look-ups: V8 folds a module's constants only where they are not exported.
const WATERMARK_WORD = WATERMARK;
const EMPTY_WATERMARK = ARENA_START;
const NEXT_WORD = NEXT;
const PREV_WORD = PREV;
const SKIP_WORD = SKIP;
const META_WORD = META;
const KEY_LO_WORD = KEY_LO;
const KEY_HI_WORD = KEY_HI;
const TICKET_WORD = TICKET;
const TOMBSTONE_BIT = TOMBSTONE;
const RANGES_WORD = RANGES_END;
const ABORTED_BIT = ABORTED_ENTRY;

export interface MemtableShape {
  readonly entriesMax: number;
  readonly arenaBytes: number;
}

/** Where the parts lie in the memory, in bytes. */
export interface MemtableLayout extends MemtableShape {
  readonly buckets: number;
  readonly bucketsAt: number;
  readonly chunksAt: number;
  readonly orderKeysAt: number;
  readonly orderOffsetsAt: number;
  readonly mergedKeysAt: number;
  readonly mergedOffsetsAt: number;
  readonly arenaAt: number;
  readonly bytes: number;
}

const align = (bytes: number): number => Math.ceil(bytes / 128) * 128;

export function layoutMemtable(shape: MemtableShape): MemtableLayout {
  const { entriesMax, arenaBytes } = shape;
  assert.ok(entriesMax < 2 ** 24, 'ordinals of versions have 24 bits');
  assert.ok(arenaBytes < 2 ** 31 && arenaBytes % 8 === 0, 'arena offsets are 32-bit, 8-aligned');
  const buckets = 2 ** Math.ceil(Math.log2(Math.max(64, entriesMax * 1.5)));
  const bucketsAt = CONTROL_BYTES;
  const chunksAt = bucketsAt + 4 * buckets;
  const orderKeysAt = align(chunksAt + 8 * (Math.ceil(entriesMax / CHUNK_ENTRIES) + 1));
  const orderOffsetsAt = align(orderKeysAt + 8 * entriesMax);
  const mergedKeysAt = align(orderOffsetsAt + 4 * entriesMax);
  const mergedOffsetsAt = align(mergedKeysAt + 8 * entriesMax);
  const arenaAt = align(mergedOffsetsAt + 4 * entriesMax);
  const bytes = arenaAt + arenaBytes;
  return {
    entriesMax,
    arenaBytes,
    buckets,
    bucketsAt,
    chunksAt,
    orderKeysAt,
    orderOffsetsAt,
    mergedKeysAt,
    mergedOffsetsAt,
    arenaAt,
    bytes,
  };
}

/** Of no batch in particular: whatever is undecided is hidden by its own state. */
export const NOTHING_HIDDEN: ReadonlySet<number> = new Set();

/** What a reader may see: entries before the watermark whose batch is not hidden from it. */
export interface Visibility {
  readonly watermark: number;
  /** Batches that were undecided when a snapshot was taken: hidden from it for ever. */
  readonly undecided: ReadonlySet<number>;
}

/** How a memtable crosses threads. `id` tells its incarnations apart when its memory is reused. */
export interface MemtableHandle {
  readonly id: number;
  readonly memory: SharedArrayBuffer;
  readonly shape: MemtableShape;
  /** Whether entries hold keys in stored form. */
  readonly storesKeys: boolean;
}

export class Memtable {
  readonly id: number;
  readonly layout: MemtableLayout;
  readonly storesKeys: boolean;
  /** Views of the arena; `bytes` is the same memory as a Buffer, which decodes strings fastest. */
  readonly arena: Views;
  readonly bytes: Buffer;
  /** And as what keys are compared in. */
  readonly keys: KeyMemory;
  /** Sorted chunks: sortable keys as [lo, hi] pairs, and the entries' offsets. */
  readonly orderKeys: Uint32Array;
  readonly orderOffsets: Uint32Array;
  /** The same for merged groups of chunks, at the same places. */
  readonly mergedKeys: Uint32Array;
  readonly mergedOffsets: Uint32Array;
  readonly #control: Uint32Array;
  readonly #buckets: Uint32Array;
  readonly #chunks: Uint32Array;
  readonly #words: Uint32Array;
  readonly #mask: number;
  readonly #table: CommitTable;
  /** Ranges by their entries. */
  readonly #ranges = new Map<number, ClearedRange>();

  constructor(handle: MemtableHandle, table: CommitTable) {
    const layout = layoutMemtable(handle.shape);
    const memory = handle.memory;
    assert.ok(memory.byteLength >= layout.bytes);
    this.id = handle.id;
    this.layout = layout;
    this.storesKeys = handle.storesKeys;
    this.arena = viewsOf(memory, layout.arenaAt, layout.arenaBytes);
    this.bytes = Buffer.from(memory, layout.arenaAt, layout.arenaBytes);
    this.keys = keyMemory(memory, layout.arenaAt, layout.arenaBytes);
    this.orderKeys = new Uint32Array(memory, layout.orderKeysAt, 2 * layout.entriesMax);
    this.orderOffsets = new Uint32Array(memory, layout.orderOffsetsAt, layout.entriesMax);
    this.mergedKeys = new Uint32Array(memory, layout.mergedKeysAt, 2 * layout.entriesMax);
    this.mergedOffsets = new Uint32Array(memory, layout.mergedOffsetsAt, layout.entriesMax);
    this.#control = new Uint32Array(memory, 0, CONTROL_BYTES / 4);
    this.#buckets = new Uint32Array(memory, layout.bucketsAt, layout.buckets);
    this.#chunks = new Uint32Array(
      memory,
      layout.chunksAt,
      (layout.orderKeysAt - layout.chunksAt) >>> 2,
    );
    this.#words = this.arena.u32;
    this.#mask = layout.buckets - 1;
    this.#table = table;
  }

  /** Whether there is nothing to be seen. A plain read: see `ShardView`. */
  get isEmpty(): boolean {
    return this.#control[WATERMARK_WORD] === EMPTY_WATERMARK;
  }

  get watermark(): number {
    return Atomics.load(this.#control, WATERMARK);
  }

  /** Whether there are entries below a watermark. */
  holdsBelow(watermark: number): boolean {
    return watermark > EMPTY_WATERMARK;
  }

  /** Number of entries linked, versions included. */
  get entries(): number {
    return Atomics.load(this.#control, ENTRIES);
  }

  /** Chunks sealed. Read after `mergedGroups`, it is at least CHUNKS_MERGED times that. */
  get chunks(): number {
    return Atomics.load(this.#control, SEALED) & 0xffff;
  }

  /** Groups of CHUNKS_MERGED chunks that are merged. */
  get mergedGroups(): number {
    return Atomics.load(this.#control, SEALED) >>> 16;
  }

  /** Whether ranges may have been deleted of what is older. A plain read: see `ShardView`. */
  get hasRanges(): boolean {
    return this.#control[RANGES_WORD] !== 0;
  }

  /** Whether what is older than the memtable has no such key any more: it was cleared of its range. */
  clears(hi: number, lo: number, bytes: KeyBytes | null, visible: Visibility): boolean {
    return isCleared(this.rangesSeen(visible), hi, lo, bytes);
  }

  /** The ranges that may be seen. */
  rangesSeen(visible: Visibility): ClearedRange[] {
    const end = Math.min(this.offsetAfter(0), visible.watermark);
    const seen: ClearedRange[] = [];
    for (let entry = ARENA_START; entry < end; entry = this.following(entry)) {
      if (this.isVisible(entry, visible)) seen.push(this.#knownRange(entry));
    }
    return seen;
  }

  /** All ranges, where every batch is decided: as in a memtable that is flushed. */
  get ranges(): ClearedRange[] {
    return this.rangesSeen({ watermark: this.watermark, undecided: NOTHING_HIDDEN });
  }

  /** Below a watermark an entry stays what it is: its range is decoded once. */
  #knownRange(entry: number): ClearedRange {
    const range = this.#ranges.get(entry) ?? this.rangeAt(entry);
    this.#ranges.set(entry, range);
    return range;
  }

  /** The range of an entry that is one; a pending one may be discarded, and another take its place. */
  rangeAt(entry: number): ClearedRange {
    const words = this.#words;
    const at = entry >>> 2;
    const from = at + ENTRY_HEADER_BYTES / 4;
    const payload = words.slice(from, from + (words[at + ROW_BYTES] >>> 2));
    const all = Uint32Array.of(words[at + KEY_LO], words[at + KEY_HI], ...payload);
    // Of the type only whether keys differ in length matters here.
    return decodeRange(all, this.storesKeys ? 'binary' : 'uint64');
  }

  /** Number of entries in the first `chunks` chunks. */
  entriesIn(chunks: number): number {
    return chunks === 0 ? 0 : this.#chunks[2 * (chunks - 1)];
  }

  /** The arena offset behind the entries of the first `chunks` chunks: where the tail starts. */
  offsetAfter(chunks: number): number {
    if (chunks > 0) return this.#chunks[2 * (chunks - 1) + 1];
    return Atomics.load(this.#control, RANGES_END) || ARENA_START;
  }

  /** The offset of the entry behind `entry`. */
  following(entry: number): number {
    const bytes = this.#words[(entry >>> 2) + ROW_BYTES];
    return entry + ENTRY_HEADER_BYTES + ((bytes + 7) & ~7);
  }

  /**
   * The newest entry of a key of fixed width that may be seen, a tombstone included, or 0.
   *
   * Links are plain loads that follow the atomic one of the watermark: entries below it were linked
   * before it was raised, and what a link leads to was written before the link.
   * @param hash `hashKey` of the key
   */
  find(hash: number, hi: number, lo: number, visible: Visibility): number {
    const words = this.#words;
    let entry = this.#buckets[hash & this.#mask];
    while (entry !== 0) {
      const at = entry >>> 2;
      if (words[at + KEY_LO_WORD] === lo && words[at + KEY_HI_WORD] === hi) break;
      entry = words[at + NEXT_WORD];
    }
    return entry === 0 ? 0 : this.visibleVersion(entry, visible);
  }

  /**
   * The same of a key of variable length.
   * @param hash `hashStored` of the key
   * @param stored its stored form, at word `at`
   */
  findStored(hash: number, stored: Uint32Array, at: number, visible: Visibility): number {
    const words = this.#words;
    let entry = this.#buckets[hash & this.#mask];
    while (entry !== 0) {
      if (isSameStored(stored, at, words, (entry >>> 2) + STORED_KEY)) break;
      entry = words[(entry >>> 2) + NEXT_WORD];
    }
    return entry === 0 ? 0 : this.visibleVersion(entry, visible);
  }

  /** How many keys `find` compares: those in the bucket, newest first, up to the key itself. */
  comparisons(hash: number, hi: number, lo: number, stored: Uint32Array | null = null): number {
    const words = this.#words;
    let count = 0;
    let entry = Atomics.load(this.#buckets, hash & this.#mask);
    while (entry !== 0) {
      count++;
      const isSame =
        stored === null
          ? this.lo(entry) === lo && this.hi(entry) === hi
          : isSameStored(stored, 0, words, (entry >>> 2) + STORED_KEY);
      if (isSame) break;
      entry = Atomics.load(this.#words, (entry >>> 2) + NEXT);
    }
    return count;
  }

  /** The newest version at or behind `entry` in its chain that may be seen, or 0. */
  visibleVersion(newest: number, visible: Visibility): number {
    const words = this.#words;
    let entry = newest;
    while (entry !== 0) {
      const at = entry >>> 2;
      if (entry < visible.watermark) {
        if (this.isVisible(entry, visible)) return entry;
        entry = words[at + PREV_WORD];
      } else {
        const skip = words[at + SKIP_WORD];
        entry = skip >= visible.watermark ? skip : words[at + PREV_WORD];
      }
    }
    return 0;
  }

  /** Whether an entry below the watermark may be seen, going by its batch. */
  isVisible(entry: number, visible: Visibility): boolean {
    const at = entry >>> 2;
    const words = this.#words;
    const ticket = words[at + TICKET_WORD];
    // Without a ticket it is of no batch, or of one that recovery decided before anybody read.
    if (ticket === 0) return (words[at + META_WORD] & ABORTED_BIT) === 0;
    if (visible.undecided.has(ticket) || this.#table.hides(ticket)) return false;
    // Asked last: an owner flags its entries before it lets go of an aborted batch's slot.
    return (Atomics.load(words, at + META_WORD) & ABORTED_BIT) === 0;
  }

  isTombstone(entry: number): boolean {
    return (this.#words[(entry >>> 2) + META_WORD] & TOMBSTONE_BIT) !== 0;
  }

  hi(entry: number): number {
    return this.#words[(entry >>> 2) + KEY_HI];
  }

  lo(entry: number): number {
    return this.#words[(entry >>> 2) + KEY_LO];
  }

  /** Where the row bytes of an entry start. */
  rowAt(entry: number): number {
    const row = entry + ENTRY_HEADER_BYTES;
    return this.storesKeys ? row + storedBytes(this.#words[row >>> 2]) : row;
  }

  /** Points `key` at the stored key of an entry. */
  readKey(entry: number, key: KeyBytes): void {
    key.memory = this.keys;
    key.start = this.keyAt(entry);
    key.end = key.start + this.keyBytes(entry);
  }

  /** The bytes of the key of an entry; null where keys are of fixed width. */
  bytesOf(entry: number): KeyBytes | null {
    if (!this.storesKeys) return null;
    const start = this.keyAt(entry);
    return { memory: this.keys, start, end: start + this.keyBytes(entry) };
  }

  /** Where the bytes of the stored key of an entry start. */
  keyAt(entry: number): number {
    return entry + ENTRY_HEADER_BYTES + STORED_KEY_AT;
  }

  /** The length of the stored key of an entry. */
  keyBytes(entry: number): number {
    return this.#words[(entry >>> 2) + STORED_KEY];
  }

  /** How the keys of two entries with equal prefixes compare; 0 where the prefix is the key. */
  compareStored(a: number, b: number): number {
    if (!this.storesKeys) return 0;
    const aStart = this.keyAt(a);
    const bStart = this.keyAt(b);
    const aEnd = aStart + this.keyBytes(a);
    const bEnd = bStart + this.keyBytes(b);
    return compareStretches(this.keys, aStart, aEnd, this.keys, bStart, bEnd);
  }

  /** How the stored key of an entry compares with a key of the same prefix; 0 where there is none. */
  compareWith(entry: number, key: KeyBytes | null): number {
    if (key === null) return 0;
    const start = this.keyAt(entry);
    const end = start + this.keyBytes(entry);
    return compareStretches(this.keys, start, end, key.memory, key.start, key.end);
  }
}
