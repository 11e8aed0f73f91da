/**
 * Chunks of one shard become a sorted run: rows in the order of their keys, one of each key. Stable, so that
 * of equal keys the first and the last in the order of the source are known. What is in order already is
 * noticed, and stays where it is.
 *
 * Keys of variable length are sorted by the eight bytes behind what all of them share, and where these are
 * equal by comparing. A stateless job over shared memory: it runs in any thread, and the chunks are its own.
 */
import { layoutSegment } from '../arrow/layout.ts';
import { sortableToNumber } from '../schema/key.ts';
import { compareStretches, wordOfBytes } from '../schema/key-bytes.ts';
import { isVariable, type Schema } from '../schema/schema.ts';
import { sharedMemory } from '../shared-memory.ts';
import { ColumnWriter } from '../view/column-writer.ts';
import { KeyWriter } from '../view/key-writer.ts';
import { radixSort, type SortedKeys, sortBuffers } from '../view/radix-sort.ts';
import { keyForm, Segment, type SegmentHandle } from '../view/segment.ts';
import { type PlainKey, plainKeyOf } from '../view/spilled-run.ts';
import { unindexed } from '../view/unindexed.ts';
import { CHUNK_ROWS_MAX } from './chunk.ts';

/** Of rows with the same key, the one that stays. */
export type OnDuplicate = 'last' | 'first' | 'error';

export interface SortTask {
  readonly schema: Schema;
  readonly chunks: readonly SegmentHandle[];
  readonly onDuplicate: OnDuplicate;
}

export interface SortedRun {
  /** In key order. */
  readonly segments: readonly SegmentHandle[];
  readonly duplicates: number;
  /** The least key that came twice; null where none did. */
  readonly duplicate: PlainKey | null;
  /** Whether the rows were in order, and no key came twice. */
  readonly wasSorted: boolean;
}

const ROW_BITS = Math.log2(CHUNK_ROWS_MAX);
const ROW_MASK = CHUNK_ROWS_MAX - 1;
/** More chunks than this are not told apart in the word of a row. */
export const CHUNKS_MAX = 2 ** (32 - ROW_BITS);
const BLOCK_ROWS = 16_384;

export function sortChunks({ schema, chunks, onDuplicate }: SortTask): SortedRun {
  const segments = chunks.map((handle) => new Segment(handle, schema.key));
  const count = segments.reduce((sum, { rows }) => sum + rows, 0);
  const keys = isVariable(schema.key) ? new TextKeys(segments) : new NumberKeys(segments);
  if (keys.areAscending()) {
    const inPlace = chunks.map((chunk) => asNumbers(schema, chunk));
    return { segments: inPlace, duplicates: 0, duplicate: null, wasSorted: true };
  }
  const order = sorted(keys, count);
  const { kept, duplicate: found } = dropDuplicates(keys, order, count, onDuplicate === 'first');
  const duplicate = found < 0 ? null : plainKeyOf(segments[found >>> ROW_BITS], found & ROW_MASK);
  const run = gather(schema, segments, order, kept);
  return { segments: [run], duplicates: count - kept, duplicate, wasSorted: false };
}

/** The same sorted chunk, its keys turned in place into numbers where these are exact. */
function asNumbers({ key }: Schema, chunk: SegmentHandle): SegmentHandle {
  const { layout, body } = chunk;
  const { rows } = layout;
  if (isVariable(key)) return chunk;
  const words = new Uint32Array(body, layout.key.data.offset, 2 * rows);
  const wordsAt = (row: number) => ({ hi: words[2 * row + 1], lo: words[2 * row] });
  if (keyForm(key, wordsAt(0), wordsAt(rows - 1)) !== 'f64') return chunk;
  const numbers = new Float64Array(body, layout.key.data.offset, rows);
  for (let row = 0; row < rows; row++) {
    numbers[row] = sortableToNumber(key, words[2 * row + 1], words[2 * row]);
  }
  return unindexed('f64', layout, body);
}

/** The keys of all chunks; a row is named by the number of its chunk and its own in one word. */
interface Keys {
  areAscending(): boolean;
  /** Fills in words whose order is that of the keys but where they are equal. */
  load(into: SortedKeys): void;
  /** How two rows compare whose words are equal. */
  compare(a: number, b: number): number;
}

class NumberKeys implements Keys {
  readonly #segments: readonly Segment[];

  constructor(segments: readonly Segment[]) {
    this.#segments = segments;
  }

  areAscending(): boolean {
    let [hi, lo] = [-1, 0];
    for (const { keysU32, rows } of this.#segments) {
      for (let i = 0; i < 2 * rows; i += 2) {
        const [nextLo, nextHi] = [keysU32[i], keysU32[i + 1]];
        if (nextHi < hi || (nextHi === hi && nextLo <= lo)) return false;
        hi = nextHi;
        lo = nextLo;
      }
    }
    return true;
  }

  load({ hi, lo, payload }: SortedKeys): void {
    let to = 0;
    for (const [chunk, { keysU32, rows }] of this.#segments.entries()) {
      for (let row = 0; row < rows; row++) {
        lo[to] = keysU32[2 * row];
        hi[to] = keysU32[2 * row + 1];
        payload[to++] = (chunk << ROW_BITS) | row;
      }
    }
  }

  compare(): number {
    return 0;
  }
}

class TextKeys implements Keys {
  readonly #segments: readonly Segment[];
  readonly #shared: number;

  constructor(segments: readonly Segment[]) {
    this.#segments = segments;
    this.#shared = sharedBytes(segments);
  }

  areAscending(): boolean {
    let before: Segment | null = null;
    for (const segment of this.#segments) {
      const { rows } = segment;
      if (before !== null && before.compareRows(before.rows - 1, segment, 0) >= 0) return false;
      for (let row = 1; row < rows; row++) {
        if (segment.compareRows(row - 1, segment, row) >= 0) return false;
      }
      before = segment;
    }
    return true;
  }

  load({ hi, lo, payload }: SortedKeys): void {
    let to = 0;
    for (const [chunk, { keys, keyOffsets, rows }] of this.#segments.entries()) {
      for (let row = 0; row < rows; row++) {
        const at = keyOffsets[row] + this.#shared;
        const end = keyOffsets[row + 1];
        hi[to] = wordOfBytes(keys, at, end);
        lo[to] = wordOfBytes(keys, at + 4, end);
        payload[to++] = (chunk << ROW_BITS) | row;
      }
    }
  }

  compare(a: number, b: number): number {
    const one = this.#segments[a >>> ROW_BITS];
    const other = this.#segments[b >>> ROW_BITS];
    const [i, j] = [a & ROW_MASK, b & ROW_MASK];
    return compareStretches(
      one.keys,
      one.keyOffsets[i] + this.#shared,
      one.keyOffsets[i + 1],
      other.keys,
      other.keyOffsets[j] + this.#shared,
      other.keyOffsets[j + 1],
    );
  }
}

/** How many bytes all keys begin with alike. */
function sharedBytes(segments: readonly Segment[]): number {
  const [{ keys: first, keyOffsets }] = segments;
  const start = keyOffsets[0];
  let shared = keyOffsets[1] - start;
  for (const { keys, keyOffsets: offsets, rows } of segments) {
    for (let row = 0; row < rows && shared > 0; row++) {
      const key = offsets[row];
      const most = Math.min(shared, offsets[row + 1] - key);
      let at = 0;
      while (at < most && keys.buffer[key + at] === first.buffer[start + at]) at++;
      shared = at;
    }
  }
  return shared;
}

/** The rows in the order of their keys, those of equal keys in that of the source; and their words. */
function sorted(keys: Keys, count: number): SortedKeys {
  const unsorted = sortBuffers(count);
  keys.load(unsorted);
  const order = radixSort(unsorted, sortBuffers(count), count);
  if (keys instanceof NumberKeys) return order;
  const { hi, lo, payload } = order;
  for (let start = 0; start < count; ) {
    let end = start + 1;
    while (end < count && hi[end] === hi[start] && lo[end] === lo[start]) end++;
    // A row's word grows with its place in the source.
    if (end - start > 1) {
      payload.subarray(start, end).sort((a, b) => keys.compare(a, b) || a - b);
    }
    start = end;
  }
  return order;
}

/** Moves the rows that stay to the front of `order`; finds one of a key that came before, or −1. */
function dropDuplicates(
  keys: Keys,
  { hi, lo, payload }: SortedKeys,
  count: number,
  keepsFirst: boolean,
): { kept: number; duplicate: number } {
  let kept = 0;
  let duplicate = -1;
  for (let i = 0; i < count; i++) {
    const last = kept - 1;
    const isSame =
      kept > 0 &&
      lo[last] === lo[i] &&
      hi[last] === hi[i] &&
      keys.compare(payload[last], payload[i]) === 0;
    if (isSame) {
      if (duplicate < 0) duplicate = payload[i];
      if (!keepsFirst) payload[last] = payload[i];
      continue;
    }
    hi[kept] = hi[i];
    lo[kept] = lo[i];
    payload[kept++] = payload[i];
  }
  return { kept, duplicate };
}

/** The rows in the order given, as one sorted segment. */
function gather(
  schema: Schema,
  segments: readonly Segment[],
  { hi, lo, payload: order }: SortedKeys,
  rows: number,
): SegmentHandle {
  const selection = { source: new Uint16Array(BLOCK_ROWS), row: new Uint32Array(BLOCK_ROWS) };
  const select = (start: number): number => {
    const count = Math.min(BLOCK_ROWS, rows - start);
    for (let i = 0; i < count; i++) {
      selection.source[i] = order[start + i] >>> ROW_BITS;
      selection.row[i] = order[start + i] & ROW_MASK;
    }
    return count;
  };
  const lengthOf = (offsets: readonly Int32Array[]): number => {
    let sum = 0;
    for (let i = 0; i < rows; i++) {
      const own = offsets[order[i] >>> ROW_BITS];
      const row = order[i] & ROW_MASK;
      sum += own[row + 1] - own[row];
    }
    return sum;
  };
  const isText = isVariable(schema.key);
  const keyBytes = isText ? lengthOf(segments.map(({ keyOffsets }) => keyOffsets)) : 0;
  const varBytes = schema.columns.map(({ type }, i) =>
    isVariable(type) ? lengthOf(segments.map(({ columns }) => columns[i].offsets)) : 0,
  );
  const layout = layoutSegment(schema, rows, varBytes, { flags: false, keyBytes });
  const body = sharedMemory(layout.bodyBytes);
  const writer = new ColumnWriter(schema, layout, body);
  const columns = segments.map((segment) => segment.columns);
  const keyWriter = isText ? new KeyWriter(layout, body) : null;
  const words = (at: number) => ({ hi: hi[at], lo: lo[at] });
  const form = isText ? 'bytes' : keyForm(schema.key, words(0), words(rows - 1));
  const numbers = new Float64Array(body, layout.key.data.offset, form === 'f64' ? rows : 0);
  const wide = new Uint32Array(body, layout.key.data.offset, form === 'words' ? 2 * rows : 0);
  for (let start = 0; start < rows; start += BLOCK_ROWS) {
    const count = select(start);
    writer.fromSegments(columns, selection, count, start);
    if (keyWriter !== null) {
      keyWriter.fromSegments(segments, selection, count, start);
      continue;
    }
    for (let i = start; i < start + count; i++) {
      if (form === 'f64') {
        numbers[i] = sortableToNumber(schema.key, hi[i], lo[i]);
      } else {
        wide[2 * i] = lo[i];
        wide[2 * i + 1] = hi[i];
      }
    }
  }
  return unindexed(form, layout, body);
}
