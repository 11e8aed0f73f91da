/**
 * The second half of sorting entries by keys of variable length: `radixSort` has put them in the order
 * of their prefixes, and each stretch of equal prefixes is put in the order of the bytes here.
 *
 * A stretch whose keys agree up to some depth is sorted by the eight bytes behind what they all
 * share, and by where a key ends within those; what then still agrees goes on eight bytes deeper.
 * (Most significant digit first, each digit least significant first: P. McIlroy, K. Bostic, M. D.
 * McIlroy, Engineering Radix Sort, Computing Systems 6, 1993.) Every byte is read a few times at
 * most, so the time is that of reading the keys, however long the prefixes they share. Versions of
 * one key stay oldest first: an entry's offset grows with its age.
 */
import { compareStretches, wordOfBytes } from '../schema/key-bytes.ts';
import { ENTRY_HEADER_BYTES, type Memtable } from './memtable.ts';
import { radixSort, type SortedKeys, sortBuffers } from './radix-sort.ts';

/** Shorter stretches are sorted by comparing. */
const RADIX_MIN = 192;
const CHUNK_BYTES = 8;
/** Of a key behind a chunk: it ends within its first 0 to 8 bytes, or goes on. */
const GOES_ON = CHUNK_BYTES + 1;

const KEY_AT = ENTRY_HEADER_BYTES + 8;

interface Stretch {
  readonly start: number;
  readonly end: number;
  /** Its keys have this many bytes at least, and agree on them. */
  readonly depth: number;
}

/** Puts the entries of equal prefixes in the order of their keys. `sorted` is in that of prefixes. */
export function sortTies(memtable: Memtable, sorted: SortedKeys, count: number): void {
  const { hi, lo, payload } = sorted;
  const stretches: Stretch[] = [];
  let largest = 0;
  for (let start = 0; start < count; ) {
    let end = start + 1;
    while (end < count && hi[end] === hi[start] && lo[end] === lo[start]) end++;
    if (end - start > 1) {
      // Only the prefix is known to agree, and zeros in it may be none of the key.
      stretches.push({ start, end, depth: 0 });
      largest = Math.max(largest, end - start);
    }
    start = end;
  }
  if (largest === 0) return;
  const sorter = new StretchSorter(memtable, payload, largest < RADIX_MIN ? 0 : largest);
  for (let next = stretches.pop(); next !== undefined; next = stretches.pop()) {
    sorter.sort(next, stretches);
  }
}

class StretchSorter {
  readonly #memtable: Memtable;
  readonly #bytes: Buffer;
  readonly #entries: Uint32Array;
  readonly #keys: SortedKeys;
  readonly #scratch: SortedKeys;
  readonly #counts = new Uint32Array(GOES_ON + 2);

  /** @param largest the longest stretch that is not sorted by comparing */
  constructor(memtable: Memtable, entries: Uint32Array, largest: number) {
    this.#memtable = memtable;
    this.#bytes = memtable.bytes;
    this.#entries = entries;
    this.#keys = sortBuffers(largest);
    this.#scratch = sortBuffers(largest);
  }

  /** Sorts a stretch by its next bytes, and adds what is left of it to `stretches`. */
  sort({ start, end, depth }: Stretch, stretches: Stretch[]): void {
    const shared = this.#sharedBytes(start, end, depth);
    if (end - start < RADIX_MIN) {
      this.#sortByComparing(start, end, shared);
      return;
    }
    const count = end - start;
    this.#load(start, count, shared);
    const { hi, lo, payload } = radixSort(this.#keys, this.#scratch, count);
    this.#entries.set(payload.subarray(0, count), start);
    for (let from = 0; from < count; ) {
      const ending = this.#ending(payload[from], shared);
      let to = from + 1;
      while (
        to < count &&
        hi[to] === hi[from] &&
        lo[to] === lo[from] &&
        this.#ending(payload[to], shared) === ending
      ) {
        to++;
      }
      if (ending === GOES_ON && to - from > 1) {
        stretches.push({ start: start + from, end: start + to, depth: shared + CHUNK_BYTES });
      }
      from = to;
    }
  }

  /** How many bytes all keys of a stretch agree on, given that they agree on `depth`. */
  #sharedBytes(start: number, end: number, depth: number): number {
    const bytes = this.#bytes;
    const entries = this.#entries;
    const first = this.#memtable.keyAt(entries[start]);
    let shared = this.#memtable.keyBytes(entries[start]);
    for (let i = start + 1; i < end && shared > depth; i++) {
      const key = this.#memtable.keyAt(entries[i]);
      const most = Math.min(shared, this.#memtable.keyBytes(entries[i]));
      let at = depth;
      while (at < most && bytes[key + at] === bytes[first + at]) at++;
      shared = at;
    }
    return shared;
  }

  #sortByComparing(start: number, end: number, depth: number): void {
    const memtable = this.#memtable;
    const { keys } = memtable;
    this.#entries.subarray(start, end).sort((a, b) => {
      const aEnd = a + KEY_AT + memtable.keyBytes(a);
      const bEnd = b + KEY_AT + memtable.keyBytes(b);
      return (
        compareStretches(keys, a + KEY_AT + depth, aEnd, keys, b + KEY_AT + depth, bEnd) || a - b
      );
    });
  }

  /** Where within the chunk at `depth` the key of an entry ends. */
  #ending(entry: number, depth: number): number {
    const left = this.#memtable.keyBytes(entry) - depth;
    return left > CHUNK_BYTES ? GOES_ON : left;
  }

  /** Entries in the order of their endings, each with the chunk at `depth`: ready to be sorted by it. */
  #load(start: number, count: number, depth: number): void {
    const entries = this.#entries;
    const { keys } = this.#memtable;
    const counts = this.#counts.fill(0);
    for (let i = start; i < start + count; i++) counts[this.#ending(entries[i], depth) + 1]++;
    for (let ending = 1; ending < counts.length; ending++) counts[ending] += counts[ending - 1];
    const { hi, lo, payload } = this.#keys;
    for (let i = start; i < start + count; i++) {
      const entry = entries[i];
      const to = counts[this.#ending(entry, depth)]++;
      const at = entry + KEY_AT + depth;
      const end = entry + KEY_AT + this.#memtable.keyBytes(entry);
      hi[to] = wordOfBytes(keys, at, end);
      lo[to] = wordOfBytes(keys, at + 4, end);
      payload[to] = entry;
    }
  }
}
