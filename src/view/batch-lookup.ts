/**
 * Look-ups of many keys at once, of fixed width in stages over all of them: predict every key, then
 * ask memory for every key's line and row, then search. A stage is a short loop whose turns do not
 * depend on each other, so that the processor waits for many lines at the same time; one look-up after
 * the other waits for each of its own.
 *
 * Keys are moved about so that those which are looked up in one place lie side by side, in *slots*;
 * what was found in one place is a stretch of slots, too, to be read by a loop of its own.
 *
 * A KeyBatch belongs to one thread, and is used over and over: nothing is allocated a key.
 */
import { hashKey, type KeyCodec } from '../schema/key.ts';
import type { Memtable } from './memtable.ts';
import { type Run, Segment } from './segment.ts';
import { type RowReaders, rowOf, type ShardView } from './shard-view.ts';

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
  /** By slot: which key it is, as a number (`KeyCodec.number`), and its position in its source. */
  order = new Uint32Array(0);
  number = new Float64Array(0);
  position = new Int32Array(0);
  /** What was found. A key in none of them was not. */
  readonly found: Stretch[] = [];
  #codec: KeyCodec | null = null;
  #hasWords = false;
  readonly #spare = { order: new Uint32Array(0), number: new Float64Array(0) };
  #group = new Uint32Array(0);

  /** Takes the keys. @throws what the codec throws: then the batch holds nothing of use */
  encode(codec: KeyCodec, keys: ArrayLike<unknown>): void {
    this.#start(codec, keys.length);
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

  /**
   * Takes keys of variable length, whose bytes have no place here, and finds them one by one.
   * @param viewOf the view of the shard of the key that the codec encoded last, whose hash it gets
   */
  findEach(codec: KeyCodec, keys: ArrayLike<unknown>, viewOf: (hash: number) => ShardView): void {
    this.#start(codec, keys.length);
    const { position, order, count } = this;
    const sources: (Source | null)[] = [null];
    const numbers = new Map<Source | null, number>([[null, 0]]);
    const sourceOf = new Uint32Array(count);
    const located = new Int32Array(count);
    for (let key = 0; key < count; key++) {
      codec.encode(keys[key]);
      const hash = codec.hash();
      const view = viewOf(hash);
      const source = view.locate(hash, codec.hi, codec.lo, codec.number, codec.bytes);
      located[key] = view.located;
      let number = numbers.get(source);
      if (number === undefined) {
        number = sources.push(source) - 1;
        numbers.set(source, number);
      }
      sourceOf[key] = number;
    }
    const starts = this.#regroup(0, count, sources.length, (slot) => sourceOf[order[slot]]);
    for (let slot = 0; slot < count; slot++) position[slot] = located[order[slot]];
    for (const [number, source] of sources.entries()) {
      if (source !== null) this.#keep(source, starts[number], starts[number + 1]);
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
   */
  find(views: readonly ShardView[], shardOf: ((key: number) => number) | null): void {
    // Asked once: what is written from now on is written after this look-up.
    const areOfNumbers = views.map((view) => view.isOfNumbers);
    if (shardOf !== null || areOfNumbers.includes(false)) this.#completeWords();
    const shardsPerHash = views.length / 2 ** 32;
    const { hash, order } = this;
    const starts =
      shardOf === null
        ? this.#regroup(0, this.count, views.length, (slot) => (hash[slot] * shardsPerHash) | 0)
        : this.#regroup(0, this.count, views.length, (slot) => shardOf(order[slot]));
    for (const [shard, view] of views.entries()) {
      const [from, to] = [starts[shard], starts[shard + 1]];
      if (areOfNumbers[shard]) this.#findInRuns(view.runs, 0, from, to);
      else this.#findInShard(view, from, to);
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

  #findInShard({ memtables, runs }: ShardView, from: number, to: number): void {
    const { order, position, hash, hi, lo } = this;
    let start = from;
    let end = to;
    for (const { memtable, visible } of memtables) {
      if (memtable.isEmpty) continue;
      visible.watermark = memtable.watermark;
      for (let i = start; i < end; i++) {
        const key = order[i];
        const entry = memtable.find(hash[key], hi[key], lo[key], visible);
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
      return run.indexFor(hi[order[slot]], lo[order[slot]]);
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
    this.#keep(source, from, unknown);
    return [unknown, this.#bringForward(unknown, to, UNKNOWN)];
  }

  #keep(source: Source, from: number, to: number): void {
    if (from < to) this.found.push({ source, from, to });
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
