/**
 * The owner's side of a memtable (`view/memtable.ts` says what readers may rely on).
 *
 * Entries are appended behind the watermark, where only the owner sees them, while their commit group
 * is written and synced; `publish` then links them into the hash index and raises the watermark.
 * `discard` forgets what was appended since: a group whose write failed was never shown.
 */
import assert from 'node:assert';
import { hashKey } from '../schema/key.ts';
import { hashStored, isSameStored, type KeyBytes } from '../schema/key-bytes.ts';
import { isCleared } from '../view/cleared.ts';
import type { CommitTable } from '../view/commit-table.ts';
import {
  ABORTED_ENTRY,
  ARENA_START,
  CHUNK_ENTRIES,
  CHUNKS_MERGED,
  CONTROL_BYTES,
  ENTRIES,
  ENTRY_HEADER_BYTES,
  KEY_HI,
  KEY_LO,
  layoutMemtable,
  META,
  Memtable,
  type MemtableHandle,
  NEXT,
  NOTHING_HIDDEN,
  PREV,
  RANGE_ENTRY,
  RANGES_END,
  ROW_BYTES,
  SEALED,
  SKIP,
  STORED_KEY,
  TICKET,
  TOMBSTONE,
  WATERMARK,
} from '../view/memtable.ts';
import { radixSort, sortBuffers } from '../view/radix-sort.ts';
import { sortTies } from '../view/tie-sort.ts';
import { DEL, PUT } from './records.ts';

const ORDINAL_ONE = 256;

/** Entries that are linked together, and how many it takes for that to be quicker than one by one. */
const STAGE_ENTRIES = 256;
const STAGED_MIN = 64;

/** Bytes of an arena that holds one entry of `rowBytes` row bytes, by the measure of `fits`. */
export function arenaBytesFor(rowBytes: number): number {
  return ARENA_START + ENTRY_HEADER_BYTES + 8 + ((rowBytes + 7) & ~7);
}

/** The flags of the entry that an operation becomes. */
export function entryFlags(type: number): number {
  if (type === PUT) return 0;
  return type === DEL ? TOMBSTONE : RANGE_ENTRY;
}

export class MemtableWriter {
  readonly handle: MemtableHandle;
  readonly reader: Memtable;
  readonly #control: Uint32Array;
  readonly #buckets: Uint32Array;
  readonly #chunks: Uint32Array;
  readonly #words: Uint32Array;
  readonly #mask: number;
  /** Behind the last entry appended, and behind the last one published. */
  #end = ARENA_START;
  #published = ARENA_START;
  #entries = 0;
  #pendingEntries = 0;
  /**
   * The newest pending entry of each hash, up to #indexed, made where somebody asks. Their `next` words
   * lead to older ones of the same hash until `publish` has a use for them.
   */
  readonly #pending = new Map<number, number>();
  #indexed = ARENA_START;
  #pendingRanges: number[] = [];

  /** Takes over `handle.memory`, whose hash index and control block are cleared here. */
  constructor(handle: MemtableHandle, table: CommitTable) {
    const layout = layoutMemtable(handle.shape);
    const { memory } = handle;
    this.handle = handle;
    this.#control = new Uint32Array(memory, 0, CONTROL_BYTES / 4);
    this.#buckets = new Uint32Array(memory, layout.bucketsAt, layout.buckets);
    this.#chunks = new Uint32Array(
      memory,
      layout.chunksAt,
      (layout.orderKeysAt - layout.chunksAt) >>> 2,
    );
    if (Atomics.load(this.#control, WATERMARK) !== 0) {
      this.#control.fill(0);
      this.#buckets.fill(0);
    }
    Atomics.store(this.#control, WATERMARK, ARENA_START);
    this.reader = new Memtable(handle, table);
    this.#words = this.reader.arena.u32;
    this.#mask = layout.buckets - 1;
  }

  get isEmpty(): boolean {
    return this.#end === ARENA_START;
  }

  /** Whether it has no version of any key, nor a pending one: then ranges may be added. */
  get hasNoVersions(): boolean {
    return this.#entries + this.#pendingEntries === 0;
  }

  /** Whether what is older has no such key any more, by a range that may be pending. Given as in `newest`. */
  clears(hi: number, lo: number, bytes: KeyBytes | null): boolean {
    if (this.reader.hasRanges) {
      const visible = { watermark: this.#published, undecided: NOTHING_HIDDEN };
      if (this.reader.clears(hi, lo, bytes, visible)) return true;
    }
    return this.#pendingRanges.some((entry) =>
      isCleared([this.reader.rangeAt(entry)], hi, lo, bytes),
    );
  }

  get hasPending(): boolean {
    return this.#end !== this.#published;
  }

  /** Entries published. */
  get entries(): number {
    return this.#entries;
  }

  /** The watermark as readers have it, but for a group that is being published. */
  get watermark(): number {
    return this.#published;
  }

  /** Bytes of the arena in use: the watermark, once what is pending is published. */
  get usedBytes(): number {
    return this.#end;
  }

  /** Whether `entries` more, of `rowBytes` row bytes in all, fit. */
  fits(entries: number, rowBytes: number): boolean {
    const { arenaBytes, entriesMax } = this.handle.shape;
    const bytes = entries * (ENTRY_HEADER_BYTES + 8) + rowBytes;
    return (
      this.#end + bytes <= arenaBytes &&
      this.#entries + this.#pendingEntries + entries <= entriesMax
    );
  }

  /**
   * Appends an entry that is not shown yet and returns the offset in the arena where the caller puts
   * its `rowBytes` row bytes, which begin with the stored key where the memtable stores keys.
   * @param flags TOMBSTONE, RANGE_ENTRY or 0
   * @param ticket the batch across shards it is part of, or 0
   */
  append(hi: number, lo: number, flags: number, ticket: number, rowBytes: number): number {
    const entry = this.#end;
    const words = this.#words;
    const at = entry >>> 2;
    words[at + NEXT] = 0;
    words[at + PREV] = 0;
    words[at + SKIP] = 0;
    words[at + META] = flags;
    words[at + KEY_LO] = lo;
    words[at + KEY_HI] = hi;
    words[at + ROW_BYTES] = rowBytes;
    words[at + TICKET] = ticket;
    this.#end = entry + ENTRY_HEADER_BYTES + ((rowBytes + 7) & ~7);
    if (flags === RANGE_ENTRY) {
      assert.ok(this.hasNoVersions, 'ranges come first');
      this.#pendingRanges.push(entry);
    } else {
      this.#pendingEntries++;
    }
    return entry + ENTRY_HEADER_BYTES;
  }

  /** Shows everything appended since the last call. */
  publish(): void {
    if (this.#end === this.#published) return;
    const ranges = this.#pendingRanges.length;
    let first = this.#published;
    for (let i = 0; i < ranges; i++) first = this.reader.following(first);
    if (this.#pendingEntries >= STAGED_MIN) this.#linkStaged(first);
    else {
      for (let entry = first; entry < this.#end; entry = this.reader.following(entry)) {
        this.#link(entry, this.#bucketOf(entry));
      }
    }
    if (ranges > 0) Atomics.store(this.#control, RANGES_END, first);
    this.#published = this.#end;
    this.#entries += this.#pendingEntries;
    this.#pendingEntries = 0;
    this.#forgetIndex();
    Atomics.store(this.#control, ENTRIES, this.#entries);
    Atomics.store(this.#control, WATERMARK, this.#end);
  }

  /** Forgets everything appended since the last `publish`. */
  discard(): void {
    this.#end = this.#published;
    this.#pendingEntries = 0;
    this.#forgetIndex();
  }

  #forgetIndex(): void {
    if (this.#pendingRanges.length > 0) this.#pendingRanges = [];
    this.#indexed = this.#published;
    if (this.#pending.size > 0) this.#pending.clear();
  }

  /**
   * The newest entry of a key, pending ones and tombstones included, or 0. Nothing of the key may be in
   * an undecided batch.
   * @param hash the key's hash
   * @param stored its stored form at word `at`, where the memtable stores keys
   */
  newest(hash: number, hi: number, lo: number, stored: Uint32Array, at: number): number {
    const pending = this.#newestPending(hash, hi, lo, stored, at);
    if (pending !== 0) return pending;
    const visible = { watermark: this.#published, undecided: NOTHING_HIDDEN };
    return this.handle.storesKeys
      ? this.reader.findStored(hash, stored, at, visible)
      : this.reader.find(hash, hi, lo, visible);
  }

  #newestPending(hash: number, hi: number, lo: number, stored: Uint32Array, at: number): number {
    const words = this.#words;
    const { storesKeys } = this.handle;
    for (; this.#indexed < this.#end; this.#indexed = this.reader.following(this.#indexed)) {
      const word = this.#indexed >>> 2;
      if ((words[word + META] & RANGE_ENTRY) !== 0) continue;
      const own = this.#hashAt(word);
      words[word + NEXT] = this.#pending.get(own) ?? 0;
      this.#pending.set(own, this.#indexed);
    }
    let entry = this.#pending.get(hash) ?? 0;
    while (entry !== 0) {
      const word = entry >>> 2;
      if (words[word + KEY_LO] === lo && words[word + KEY_HI] === hi) {
        if (!storesKeys || isSameStored(stored, at, words, word + STORED_KEY)) break;
      }
      entry = words[word + NEXT];
    }
    return entry;
  }

  /** The hash of the key of the entry at a word. */
  #hashAt(word: number): number {
    const words = this.#words;
    if (this.handle.storesKeys) return hashStored(words, word + STORED_KEY);
    return hashKey(words[word + KEY_HI], words[word + KEY_LO]);
  }

  /** Hides an entry of an aborted batch for ever. Before the batch is settled by this shard. */
  flagAborted(entry: number): void {
    Atomics.or(this.#words, (entry >>> 2) + META, ABORTED_ENTRY);
  }

  /** The entry whose row bytes `append` placed at `row`. */
  entryOfRow(row: number): number {
    return row - ENTRY_HEADER_BYTES;
  }

  #bucketOf(entry: number): number {
    return this.#hashAt(entry >>> 2) & this.#mask;
  }

  /**
   * Links many entries, as a recovery does, a stage at a time: what each has to read of the index is
   * asked for before the first is linked, so that memory is waited for once for all of a stage.
   */
  #linkStaged(first: number): void {
    const words = this.#words;
    for (let entry = first; entry < this.#end; ) {
      let count = 0;
      let behind = entry;
      for (; count < STAGE_ENTRIES && behind < this.#end; count++) {
        staged[count] = this.#bucketOf(behind);
        behind = this.reader.following(behind);
      }
      for (let i = 0; i < count; i++) heads[i] = this.#buckets[staged[i]];
      let touched = 0;
      for (let i = 0; i < count; i++) touched ^= words[(heads[i] >>> 2) + KEY_LO];
      heads[0] = touched; // a read that nobody uses may be left out
      for (let i = 0; i < count; i++) {
        this.#link(entry, staged[i]);
        entry = this.reader.following(entry);
      }
    }
  }

  #link(entry: number, bucket: number): void {
    const words = this.#words;
    const at = entry >>> 2;
    const lo = words[at + KEY_LO];
    const hi = words[at + KEY_HI];
    const { storesKeys } = this.handle;
    const head = this.#buckets[bucket];
    let before = 0;
    let older = head;
    while (older !== 0) {
      const o = older >>> 2;
      if (words[o + KEY_LO] === lo && words[o + KEY_HI] === hi) {
        if (!storesKeys || isSameStored(words, at + STORED_KEY, words, o + STORED_KEY)) break;
      }
      before = older;
      older = words[o + NEXT];
    }
    if (older === 0) {
      words[at + NEXT] = head;
      Atomics.store(this.#buckets, bucket, entry);
      return;
    }
    words[at + NEXT] = words[(older >>> 2) + NEXT];
    words[at + PREV] = older;
    words[at + META] |= (this.#ordinal(older) + 1) * ORDINAL_ONE;
    words[at + SKIP] = this.#skipBehind(older);
    if (before === 0) Atomics.store(this.#buckets, bucket, entry);
    else Atomics.store(words, (before >>> 2) + NEXT, entry);
  }

  #ordinal(entry: number): number {
    return this.#words[(entry >>> 2) + META] >>> 8;
  }

  /**
   * Where the version that follows `older` skips to: as far as two skips from `older` would lead
   * when those are equally long, else to `older` itself. (E. W. Myers, An applicative random-access
   * stack, Information Processing Letters 17, 1983.)
   */
  #skipBehind(older: number): number {
    const words = this.#words;
    const once = words[(older >>> 2) + SKIP] || older;
    const twice = words[(once >>> 2) + SKIP] || once;
    const ordinal = this.#ordinal(once);
    const isEven = this.#ordinal(older) - ordinal === ordinal - this.#ordinal(twice);
    return isEven ? twice : older;
  }

  /** Sorts what was published, chunk by chunk (some 5 ms each): after the group is answered. */
  sealChunks(): void {
    for (;;) {
      const { chunks, mergedGroups: merged } = this.reader;
      if (chunks === CHUNKS_MERGED * (merged + 1)) this.#mergeChunks(chunks, merged);
      const start = chunks * CHUNK_ENTRIES;
      if (this.#entries - start < CHUNK_ENTRIES) return;
      this.#sealChunk(chunks, start);
    }
  }

  /** Merges the chunks behind the last merged group; of equal keys the older entries come first. */
  #mergeChunks(chunks: number, merged: number): void {
    const { reader } = this;
    const { orderKeys, orderOffsets, mergedKeys, mergedOffsets } = reader;
    const first = chunks - CHUNKS_MERGED;
    const at = Array.from({ length: CHUNKS_MERGED }, (_, i) => (first + i) * CHUNK_ENTRIES);
    const end = at.map((start) => start + CHUNK_ENTRIES);
    const from = first * CHUNK_ENTRIES;
    for (let to = from; to < chunks * CHUNK_ENTRIES; to++) {
      let best = -1;
      let hi = 0;
      let lo = 0;
      for (let i = 0; i < CHUNKS_MERGED; i++) {
        if (at[i] === end[i]) continue;
        const nextHi = orderKeys[2 * at[i] + 1];
        const nextLo = orderKeys[2 * at[i]];
        if (best >= 0 && (nextHi > hi || (nextHi === hi && nextLo > lo))) continue;
        if (best >= 0 && nextHi === hi && nextLo === lo) {
          if (reader.compareStored(orderOffsets[at[i]], orderOffsets[at[best]]) >= 0) continue;
        }
        best = i;
        hi = nextHi;
        lo = nextLo;
      }
      mergedKeys[2 * to] = lo;
      mergedKeys[2 * to + 1] = hi;
      mergedOffsets[to] = orderOffsets[at[best]++];
    }
    Atomics.store(this.#control, SEALED, chunks | ((merged + 1) << 16));
  }

  #sealChunk(chunk: number, start: number): void {
    const { reader } = this;
    const words = this.#words;
    let entry = reader.offsetAfter(chunk);
    for (let i = 0; i < CHUNK_ENTRIES; i++) {
      unsorted.hi[i] = words[(entry >>> 2) + KEY_HI];
      unsorted.lo[i] = words[(entry >>> 2) + KEY_LO];
      unsorted.payload[i] = entry;
      entry = reader.following(entry);
    }
    const sorted = radixSort(unsorted, scratch, CHUNK_ENTRIES);
    if (reader.storesKeys) sortTies(reader, sorted, CHUNK_ENTRIES);
    const { hi, lo, payload } = sorted;
    const keys = reader.orderKeys;
    for (let i = 0; i < CHUNK_ENTRIES; i++) {
      keys[2 * (start + i)] = lo[i];
      keys[2 * (start + i) + 1] = hi[i];
    }
    reader.orderOffsets.set(payload, start);
    this.#chunks[2 * chunk] = start + CHUNK_ENTRIES;
    this.#chunks[2 * chunk + 1] = entry;
    assert.ok(entry <= this.#end);
    Atomics.add(this.#control, SEALED, 1);
  }
}

/** A shard's thread seals one chunk at a time: its buffers are shared by all its memtables. */
const unsorted = sortBuffers(CHUNK_ENTRIES);
const scratch = sortBuffers(CHUNK_ENTRIES);

/** Buckets of the entries of a stage, and what they lead to. */
const staged = new Uint32Array(STAGE_ENTRIES);
const heads = new Uint32Array(STAGE_ENTRIES);
