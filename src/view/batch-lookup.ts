/**
 * Look-ups of many keys at once, of fixed width in stages over all of them: predict every key, then ask memory for
 * every key's line and row, then search. A stage is a short loop whose turns do not depend on each
 * other, so that the processor waits for many lines at the same time; one look-up after the other
 * waits for each of its own.
 *
 * A KeyBatch belongs to one thread, and is used over and over: nothing is allocated a key.
 */
import { hashKey, type KeyCodec } from '../schema/key.ts';
import { ARENA_START, type Memtable } from './memtable.ts';
import type { Run, Segment } from './segment.ts';
import { type RowReaders, rowOf, type ShardView } from './shard-view.ts';

/** Where a key was found: the number of one of the batch's sources, or one of these. */
const UNKNOWN = -1;
const ABSENT = -2;

/** What a key may be found in. */
export type Source = Segment | Memtable;

export class KeyBatch {
  /** How many keys there are; the arrays may be longer. */
  count = 0;
  hash = new Uint32Array(0);
  hi = new Uint32Array(0);
  lo = new Uint32Array(0);
  /** The keys as numbers (`KeyCodec.number`). */
  number = new Float64Array(0);
  /** The index into `sources` of where each key's row is; negative where there is none. */
  source = new Int32Array(0);
  /** The row's number in its segment, or where its bytes start in its memtable. */
  position = new Int32Array(0);
  readonly sources: Source[] = [];
  /** Numbers of keys, in groups that are looked up together; two arrays that change places. */
  #order = new Uint32Array(0);
  #regrouped = new Uint32Array(0);
  #group = new Uint32Array(0);

  /** Takes the keys. @throws what the codec throws: then the batch holds nothing of use */
  encode(codec: KeyCodec, keys: ArrayLike<unknown>): void {
    const { length } = keys;
    this.#reserve(length);
    this.count = length;
    this.sources.length = 0;
    const { hash, hi, lo, number } = this;
    for (let i = 0; i < length; i++) {
      codec.encode(keys[i]);
      hi[i] = codec.hi;
      lo[i] = codec.lo;
      number[i] = codec.number;
      hash[i] = hashKey(codec.hi, codec.lo);
    }
    this.source.fill(UNKNOWN, 0, length);
  }

  /**
   * Takes keys of variable length, whose bytes have no place here, and finds them one by one.
   * @param viewOf the view of the shard of the key that the codec encoded last, whose hash it gets
   */
  findEach(codec: KeyCodec, keys: ArrayLike<unknown>, viewOf: (hash: number) => ShardView): void {
    const { length } = keys;
    this.#reserve(length);
    this.count = length;
    this.sources.length = 0;
    const numbers = new Map<Source, number>();
    for (let i = 0; i < length; i++) {
      codec.encode(keys[i]);
      const hash = codec.hash();
      const view = viewOf(hash);
      const source = view.locate(hash, codec.hi, codec.lo, codec.number, codec.bytes);
      this.position[i] = view.located;
      if (source === null) {
        this.source[i] = ABSENT;
        continue;
      }
      let number = numbers.get(source);
      if (number === undefined) {
        number = this.sources.push(source) - 1;
        numbers.set(source, number);
      }
      this.source[i] = number;
    }
  }

  /** The rows that `find` found, in the order of the keys; undefined where there is none. */
  rows(readers: RowReaders): unknown[] {
    const { count, source, position, sources } = this;
    const rows = new Array<unknown>(count);
    for (let key = 0; key < count; key++) {
      const number = source[key];
      rows[key] = number < 0 ? undefined : rowOf(readers, sources[number], position[key]);
    }
    return rows;
  }

  #reserve(count: number): void {
    if (count <= this.hash.length) return;
    const size = 2 ** Math.ceil(Math.log2(Math.max(count, 64)));
    this.hash = new Uint32Array(size);
    this.hi = new Uint32Array(size);
    this.lo = new Uint32Array(size);
    this.number = new Float64Array(size);
    this.source = new Int32Array(size);
    this.position = new Int32Array(size);
    this.#order = new Uint32Array(size);
    this.#regrouped = new Uint32Array(size);
    this.#group = new Uint32Array(size);
  }

  /** Finds every key, in the view of its shard. */
  find(views: readonly ShardView[], shardOf: (key: number) => number): void {
    const order = this.#order;
    for (let i = 0; i < this.count; i++) order[i] = i;
    const starts = this.#regroup(0, this.count, views.length, shardOf);
    for (let shard = 0; shard < views.length; shard++) {
      this.#findInShard(views[shard], starts[shard], starts[shard + 1]);
    }
  }

  /**
   * Sorts the keys order[from, to) by the number of their group, without changing their order within
   * one. Returns where each group starts, and the end.
   */
  #regroup(
    from: number,
    to: number,
    groups: number,
    groupOf: (key: number) => number,
  ): readonly number[] {
    const starts = new Array<number>(groups + 1).fill(0);
    starts[0] = from;
    starts[groups] = to;
    if (groups === 1) return starts;
    const order = this.#order;
    const group = this.#group;
    const next = new Array<number>(groups).fill(0);
    for (let i = from; i < to; i++) {
      group[i] = groupOf(order[i]);
      next[group[i]]++;
    }
    let start = from;
    for (let g = 0; g < groups; g++) {
      starts[g] = start;
      start += next[g];
      next[g] = starts[g];
    }
    const regrouped = this.#regrouped;
    for (let i = from; i < to; i++) regrouped[next[group[i]]++] = order[i];
    order.set(regrouped.subarray(from, to), from);
    return starts;
  }

  #findInShard({ memtables, runs }: ShardView, from: number, to: number): void {
    let end = to;
    for (const { memtable, visible } of memtables) {
      visible.watermark = memtable.watermark;
      if (visible.watermark === ARENA_START) continue;
      const source = this.sources.push(memtable) - 1;
      for (let i = from; i < end; i++) {
        const key = this.#order[i];
        const entry = memtable.find(this.hash[key], this.hi[key], this.lo[key], visible);
        if (entry === 0) continue;
        this.source[key] = memtable.isTombstone(entry) ? ABSENT : source;
        this.position[key] = memtable.rowAt(entry);
      }
      end = this.#unknown(from, end);
    }
    for (const run of runs) {
      if (from === end) return;
      this.#findInRun(run, from, end);
      end = this.#unknown(from, end);
    }
  }

  /** Moves the keys that are not found yet to the front of [from, to); returns where they end. */
  #unknown(from: number, to: number): number {
    const order = this.#order;
    let end = from;
    for (let i = from; i < to; i++) {
      const key = order[i];
      if (this.source[key] === UNKNOWN) order[end++] = key;
    }
    return end;
  }

  #findInRun(run: Run, from: number, to: number): void {
    const { segments } = run;
    // One more: of the keys behind the last segment.
    const starts =
      run.only === null
        ? this.#regroup(from, to, segments.length + 1, (key) =>
            run.indexFor(this.hi[key], this.lo[key]),
          )
        : [from, to];
    for (let s = 0; s < segments.length; s++) {
      if (starts[s] < starts[s + 1]) this.#findInSegment(segments[s], starts[s], starts[s + 1]);
    }
  }

  #findInSegment(segment: Segment, from: number, to: number): void {
    const { position } = this;
    const order = this.#order;
    segment.findMany(this, order, from, to);
    const source = this.sources.push(segment) - 1;
    for (let i = from; i < to; i++) {
      const key = order[i];
      const row = position[key];
      if (row >= 0) this.source[key] = segment.isDeleted(row) ? ABSENT : source;
    }
  }
}
