/**
 * Look-ups of many keys at once, in stages over all of them: predict every key, then ask memory for
 * every key's line and row, then search. A stage is a short loop whose turns do not
 * depend on each other, so that the processor waits for many lines at the same time; one look-up after
 * the other waits for each of its own.
 *
 * Keys are moved about so that those which are looked up in one place lie side by side, in *slots*;
 * what was found in one place is a stretch of slots, too, to be read by a loop of its own.
 *
 * A KeyBatch belongs to one thread, and is used over and over: nothing is allocated a key.
 */
import { hashKey, type KeyCodec, shardOfHash } from '../schema/key.ts';
import {
  type EncodedKey,
  hashStored,
  type KeyBytes,
  type KeyMemory,
  keyMemory,
  STORED_KEY_AT,
  storedBytes,
} from '../schema/key-bytes.ts';
import type { Bound } from './bounds.ts';
import type { Memtable, Visibility } from './memtable.ts';
import { type Run, Segment } from './segment.ts';
import { type RowReaders, rowOf, type ShardSnapshot, type ShardView } from './shard-view.ts';

/** Positions of keys that were not found: not yet, or once and for all. */
const UNKNOWN = -1;
const DELETED = -2;

/** What a key may be found in. */
export type Source = Segment | Memtable;

/** The keys of the slots [from, to) were found in `source`. */
export interface Stretch {
  readonly source: Source;
  readonly from: number;
  readonly to: number;
}

export class KeyBatch {
  /** How many keys there are; the arrays may be longer. */
  count = 0;
  /** By key, in the order given: hashes, and sortable keys where `#hasWords`. */
  hash = new Uint32Array(0);
  hi = new Uint32Array(0);
  lo = new Uint32Array(0);
  /** And, of keys of variable length, where their bytes lie in the memory of all stored forms. */
  start = new Int32Array(0);
  end = new Int32Array(0);
  stored = new Uint32Array(256);
  memory: KeyMemory = keyMemory(this.stored.buffer);
  /** By slot: which key it is, as a number (`KeyCodec.number`), and its position in its source. */
  order = new Uint32Array(0);
  number = new Float64Array(0);
  position = new Int32Array(0);
  /** And the window of fingerprints that may have it, and which of them match. */
  window = new Int32Array(0);
  matches = new Int32Array(0);
  /** What was found. A key in none of them was not. */
  readonly found: Stretch[] = [];
  #codec: KeyCodec | null = null;
  /** Whether keys are of variable length. */
  #storesKeys = false;
  #hasWords = false;
  readonly #key: KeyBytes = { memory: this.memory, start: 0, end: 0 };
  readonly #spare = { order: new Uint32Array(0), number: new Float64Array(0) };
  #group = new Uint32Array(0);

  /** Takes the keys. @throws what the codec throws: then the batch holds nothing of use */
  encode(codec: KeyCodec, keys: ArrayLike<unknown>): void {
    this.#start(codec, keys.length);
    if (codec.bytes !== null) {
      this.#encodeStored(codec, codec.bytes, keys);
      return;
    }
    if (codec.takesIntegers && this.#encodeIntegers(codec, keys)) return;
    const { hash, hi, lo, number, count } = this;
    for (let key = 0; key < count; key++) {
      codec.encode(keys[key]);
      hi[key] = codec.hi;
      lo[key] = codec.lo;
      number[key] = codec.number;
      hash[key] = hashKey(codec.hi, codec.lo);
    }
    this.#hasWords = true;
  }

  #start(codec: KeyCodec, count: number): void {
    this.#reserve(count);
    this.count = count;
    this.found.length = 0;
    this.#codec = codec;
    this.#storesKeys = codec.bytes !== null;
    const { order } = this;
    for (let key = 0; key < count; key++) order[key] = key;
  }

  /** Integers, of which only a look-up in memtables asks for the words. False for any other key. */
  #encodeIntegers(codec: KeyCodec, keys: ArrayLike<unknown>): boolean {
    const { hash, number, count } = this;
    for (let i = 0; i < count; i++) {
      const key = keys[i];
      if (typeof key !== 'number' || !Number.isSafeInteger(key)) return false;
      number[i] = key;
      hash[i] = codec.hashInteger(key);
    }
    this.#hasWords = false;
    return true;
  }

  #encodeStored(codec: KeyCodec, bytes: EncodedKey, keys: ArrayLike<unknown>): void {
    const { hash, hi, lo, start, end } = this;
    let at = 0;
    for (let key = 0; key < this.count; key++) {
      codec.encode(keys[key]);
      hi[key] = codec.hi;
      lo[key] = codec.lo;
      const length = bytes.end - bytes.start;
      const words = storedBytes(length) >>> 2;
      if (at + words > this.stored.length) this.#growStored(at + words);
      const { stored } = this;
      const own = bytes.stored;
      for (let word = 0; word < words; word++) stored[(at + word) | 0] = own[word];
      hash[key] = hashStored(own, 0);
      start[key] = 4 * at + STORED_KEY_AT;
      end[key] = start[key] + length;
      at += words;
    }
    this.#hasWords = true;
    this.#key.memory = this.memory;
  }

  #growStored(words: number): void {
    const larger = new Uint32Array(2 * words);
    larger.set(this.stored);
    this.stored = larger;
    this.memory = keyMemory(larger.buffer);
  }

  /** A key by its place in the order given, its bytes in an object that is reused. */
  boundOf(key: number): Bound {
    return { hi: this.hi[key], lo: this.lo[key], bytes: this.#bytesOf(key) };
  }

  /** The bytes of a key; null where keys are of fixed width. */
  #bytesOf(key: number): KeyBytes | null {
    if (!this.#storesKeys) return null;
    const bytes = this.#key;
    bytes.start = this.start[key];
    bytes.end = this.end[key];
    return bytes;
  }

  /** Before any key has moved. */
  #completeWords(): void {
    const codec = this.#codec;
    if (this.#hasWords || codec === null) return;
    const { hi, lo, number, count } = this;
    for (let key = 0; key < count; key++) {
      codec.encode(number[key]);
      hi[key] = codec.hi;
      lo[key] = codec.lo;
    }
    this.#hasWords = true;
  }

  /** Takes back what was found where this is not so of it. */
  keep(holds: (source: Source, position: number) => boolean): void {
    const { position } = this;
    const found = this.found.splice(0);
    for (const { source, from, to } of found) {
      for (let i = from; i < to; i++) if (!holds(source, position[i])) position[i] = DELETED;
      const end = this.#bringForward(from, to, 0);
      if (from < end) this.found.push({ source, from, to: end });
    }
  }

  /** The rows that were found, in the order of the keys; undefined where there is none. */
  rows(readers: RowReaders): unknown[] {
    const { order, position } = this;
    const rows = new Array<unknown>(this.count).fill(undefined);
    for (const { source, from, to } of this.found) {
      if (source instanceof Segment) {
        const { columns } = source;
        for (let i = from; i < to; i++) rows[order[i]] = readers.segment(columns, position[i]);
      } else {
        for (let i = from; i < to; i++) rows[order[i]] = rowOf(readers, source, position[i]);
      }
    }
    return rows;
  }

  #reserve(count: number): void {
    if (count <= this.hash.length) return;
    const size = 2 ** Math.ceil(Math.log2(Math.max(count, 64)));
    this.hash = new Uint32Array(size);
    this.hi = new Uint32Array(size);
    this.lo = new Uint32Array(size);
    this.start = new Int32Array(size);
    this.end = new Int32Array(size);
    this.window = new Int32Array(size);
    this.matches = new Int32Array(size);
    this.order = new Uint32Array(size);
    this.number = new Float64Array(size);
    this.position = new Int32Array(size);
    this.#spare.order = new Uint32Array(size);
    this.#spare.number = new Float64Array(size);
    this.#group = new Uint32Array(size);
  }

  /**
   * Finds every key, in the view of its shard.
   * @param shardOf of a key by its place in the order given; where there is none, by its hash
   * @param captured what may be seen of each view; where there is none, all there is now
   */
  find(
    views: readonly ShardView[],
    shardOf: ((key: number) => number) | null,
    captured: readonly ShardSnapshot[] | null = null,
  ): void {
    // Asked once: what is written from now on is written after this look-up.
    const areOfNumbers = views.map((view) => view.isOfNumbers);
    if (shardOf !== null || areOfNumbers.includes(false)) this.#completeWords();
    const { hash, order } = this;
    const shards = views.length;
    const starts =
      shardOf === null
        ? this.#regroup(0, this.count, shards, (slot) => shardOfHash(hash[slot], shards))
        : this.#regroup(0, this.count, shards, (slot) => shardOf(order[slot]));
    for (const [shard, view] of views.entries()) {
      const [from, to] = [starts[shard], starts[shard + 1]];
      if (areOfNumbers[shard]) this.#findInRuns(view.runs, 0, from, to);
      else {
        const visible = captured === null ? null : captured[shard].visible;
        if (view.hasRanges) this.#findOneByOne(view, from, to, visible);
        else this.#findInShard(view, from, to, visible);
      }
    }
  }

  /**
   * Sorts the slots [from, to) by the number of their group, without changing their order within one.
   * Returns where each group starts, and the end.
   */
  #regroup(
    from: number,
    to: number,
    groups: number,
    groupOf: (slot: number) => number,
  ): readonly number[] {
    if (groups === 1) return [from, to];
    const starts = new Array<number>(groups + 1).fill(from);
    const { order, number } = this;
    const group = this.#group;
    for (let i = from; i < to; i++) {
      const g = groupOf(i);
      group[i] = g;
      starts[g + 1]++;
    }
    for (let g = 1; g <= groups; g++) starts[g] += starts[g - 1] - from;
    const next = Uint32Array.from(starts);
    const spare = this.#spare;
    for (let i = from; i < to; i++) {
      const slot = next[group[i]]++;
      spare.order[slot] = order[i];
      spare.number[slot] = number[i];
    }
    order.set(spare.order.subarray(from, to), from);
    number.set(spare.number.subarray(from, to), from);
    return starts;
  }

  /** Where ranges were cleared lately: keys in them are nowhere, whatever is older. */
  #findOneByOne(
    view: ShardView,
    from: number,
    to: number,
    captured: readonly Visibility[] | null,
  ): void {
    const { order, hash, hi, lo } = this;
    for (let i = from; i < to; i++) {
      const key = order[i];
      const bytes = this.#encodedKey(key);
      const source = view.locate(hash[key], hi[key], lo[key], this.number[i], bytes, captured);
      if (source === null) continue;
      this.position[i] = view.located;
      this.found.push({ source, from: i, to: i + 1 });
    }
  }

  #encodedKey(key: number): EncodedKey | null {
    if (!this.#storesKeys) return null;
    const stored = this.stored.slice(
      (this.start[key] - STORED_KEY_AT) >>> 2,
      (this.end[key] + 7) >>> 2,
    );
    const end = STORED_KEY_AT + this.end[key] - this.start[key];
    return { stored, memory: keyMemory(stored.buffer), start: STORED_KEY_AT, end };
  }

  #findInShard(
    { memtables, runs }: ShardView,
    from: number,
    to: number,
    captured: readonly Visibility[] | null,
  ): void {
    const { order, position, hash, hi, lo, stored } = this;
    const storesKeys = this.#storesKeys;
    let start = from;
    let end = to;
    for (let m = 0; m < memtables.length; m++) {
      const { memtable, visible: live } = memtables[m];
      if (memtable.isEmpty) continue;
      live.watermark = memtable.watermark;
      const visible = captured === null ? live : captured[m];
      for (let i = start; i < end; i++) {
        const key = order[i];
        const entry = storesKeys
          ? memtable.findStored(hash[key], stored, (this.start[key] - STORED_KEY_AT) >>> 2, visible)
          : memtable.find(hash[key], hi[key], lo[key], visible);
        position[i] =
          entry === 0 ? UNKNOWN : memtable.isTombstone(entry) ? DELETED : memtable.rowAt(entry);
      }
      [start, end] = this.#take(memtable, start, end);
    }
    this.#findInRuns(runs, 0, start, end);
  }

  /** Finds the keys of the slots [from, to) in the runs from number `at` on, the newest first. */
  #findInRuns(runs: readonly Run[], at: number, from: number, to: number): void {
    if (at === runs.length || from === to) return;
    const run = runs[at];
    const { segments } = run;
    const starts = this.#groupBySegment(run, from, to);
    for (let s = 0; s <= segments.length; s++) {
      let [start, end] = [starts[s], starts[s + 1]];
      if (s < segments.length && start < end) {
        [start, end] = this.#findInSegment(segments[s], start, end);
      }
      this.#findInRuns(runs, at + 1, start, end);
    }
  }

  /** Where the keys of each segment start; then, of those behind the last segment, and the end. */
  #groupBySegment(run: Run, from: number, to: number): readonly number[] {
    const { number, order, hi, lo } = this;
    const count = run.segments.length;
    if (run.only !== null) return [from, to, to];
    if (run.isF64) {
      const starts = this.#regroup(from, to, count, (slot) => run.indexForNumber(number[slot]));
      return [...starts, to];
    }
    return this.#regroup(from, to, count + 1, (slot) => {
      const key = order[slot];
      return run.indexFor(hi[key], lo[key], this.#bytesOf(key));
    });
  }

  #findInSegment(segment: Segment, from: number, to: number): readonly [number, number] {
    const { position } = this;
    segment.findMany(this, from, to);
    if (segment.flags !== null) {
      for (let i = from; i < to; i++) {
        if (position[i] >= 0 && segment.isDeleted(position[i])) position[i] = DELETED;
      }
    }
    return this.#take(segment, from, to);
  }

  /**
   * Keeps those of the slots [from, to) whose position in the source is known, and returns where those
   * lie then that are to be looked for elsewhere.
   */
  #take(source: Source, from: number, to: number): readonly [number, number] {
    const unknown = this.#bringForward(from, to, 0);
    if (from < unknown) this.found.push({ source, from, to: unknown });
    return [unknown, this.#bringForward(unknown, to, UNKNOWN)];
  }

  /** Moves the slots whose positions are not below `least` to the front; returns where they end. */
  #bringForward(from: number, to: number, least: number): number {
    const { order, number, position } = this;
    let end = from;
    while (end < to && position[end] >= least) end++;
    for (let i = end + 1; i < to; i++) {
      if (position[i] < least) continue;
      const [key, value, at] = [order[i], number[i], position[i]];
      order[i] = order[end];
      number[i] = number[end];
      position[i] = position[end];
      order[end] = key;
      number[end] = value;
      position[end] = at;
      end++;
    }
    return end;
  }
}
