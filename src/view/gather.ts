/**
 * Columns of a block as Arrow has them, gathered into memory of their own: source by source, so that
 * each loop reads one typed array and writes another.
 */
import { layoutRow } from '../schema/row.ts';
import { isVariable, type Schema } from '../schema/schema.ts';
import { copyBytes } from './column-writer.ts';
import type { Memtable } from './memtable.ts';
import type { Block, Source } from './row-blocks.ts';
import { Segment } from './segment.ts';

/** The field of the key, where fields are named by their column's number. */
export const KEY = -1;

/** Values of one field, in the form of the Arrow file. */
export interface FieldValues {
  /** Values of fixed width, or the bytes of others. */
  readonly data: Uint8Array<ArrayBuffer>;
  readonly validity: Uint8Array | null;
  /** rows + 1 of a utf8 or binary field. */
  readonly offsets: Int32Array | null;
  readonly nulls: number;
}

/** The rows of one source. */
export interface Group {
  readonly source: Source;
  readonly count: number;
  /** Which rows of the batch they are, ascending. */
  readonly at: Uint32Array;
  /** Their numbers in the segment, or the offsets of their entries. */
  readonly rows: Uint32Array;
  /** The same numbers, or where the bytes of their rows start. */
  readonly places: Uint32Array;
}

/** Rows [from, to) of a block, by source. */
export function groupsOf(block: Block, from = 0, to = block.count): Group[] {
  if (block.segment !== null) {
    const rows = new Uint32Array(to - from);
    const at = new Uint32Array(to - from);
    for (let i = 0; i < rows.length; i++) {
      rows[i] = block.start + from + i;
      at[i] = i;
    }
    return [{ source: block.segment, count: rows.length, at, rows, places: rows }];
  }
  const { sources, source, row } = block;
  const ends = new Uint32Array(sources.length + 1);
  for (let i = from; i < to; i++) ends[source[i] + 1]++;
  for (let s = 0; s < sources.length; s++) ends[s + 1] += ends[s];
  const starts = ends.slice();
  const at = new Uint32Array(to - from);
  const rows = new Uint32Array(to - from);
  for (let i = from; i < to; i++) {
    const slot = starts[source[i]]++;
    at[slot] = i - from;
    rows[slot] = row[i];
  }
  return sources.flatMap((one, s) => {
    const [start, end] = [ends[s], ends[s + 1]];
    if (start === end) return [];
    const own = rows.subarray(start, end);
    const places = one instanceof Segment ? own : placesOf(one, own);
    return [{ source: one, count: end - start, at: at.subarray(start, end), rows: own, places }];
  });
}

function placesOf(memtable: Memtable, entries: Uint32Array): Uint32Array {
  const places = new Uint32Array(entries.length);
  for (let i = 0; i < places.length; i++) places[i] = memtable.rowAt(entries[i]);
  return places;
}

/** Bytes of variable length that each of rows [0, count) of a block takes in the given fields. */
export function textLengths(
  schema: Schema,
  fields: readonly number[],
  groups: readonly Group[],
  count: number,
): Float64Array {
  const sums = new Float64Array(count);
  for (const field of fields) {
    if (!isText(schema, field)) continue;
    const lengths = new Int32Array(count + 1);
    readLengths(schema, field, groups, lengths);
    for (let i = 0; i < count; i++) sums[i] += lengths[i + 1];
  }
  return sums;
}

export function isText(schema: Schema, field: number): boolean {
  return isVariable(field === KEY ? schema.key : schema.columns[field].type);
}

/** One field of the groups' rows, `count` of them in all. */
export function gatherField(
  schema: Schema,
  field: number,
  groups: readonly Group[],
  count: number,
): FieldValues {
  if (field === KEY) {
    return isVariable(schema.key)
      ? gatherText(schema, field, groups, count, null)
      : bare(gatherKeys(schema, groups, count));
  }
  const { type, nullable } = schema.columns[field];
  const validity = nullable ? gatherValidity(field, groups, count) : null;
  switch (type) {
    case 'utf8':
    case 'binary':
      return gatherText(schema, field, groups, count, validity);
    case 'bool':
      return { ...bare(gatherBits(schema, field, groups, count)), ...validity };
    case 'int32':
    case 'float32':
      return { ...bare(gatherNarrow(schema, field, groups, count)), ...validity };
    case 'float64':
      return { ...bare(gatherNumbers(schema, field, groups, count)), ...validity };
    default:
      return { ...bare(gatherWords(schema, field, groups, count)), ...validity };
  }
}

function bytesOf(array: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function bare(array: ArrayBufferView<ArrayBuffer>): FieldValues {
  return { data: bytesOf(array), validity: null, offsets: null, nulls: 0 };
}

interface Validity {
  readonly validity: Uint8Array;
  readonly nulls: number;
}

function gatherValidity(field: number, groups: readonly Group[], count: number): Validity {
  const validity = new Uint8Array((count + 7) >>> 3);
  let present = 0;
  for (const { source, at, rows, places } of groups) {
    if (source instanceof Segment) {
      const bits = source.columns[field].validity;
      for (let i = 0; i < at.length; i++) {
        const bit = (bits[rows[i] >>> 3] >>> (rows[i] & 7)) & 1;
        validity[at[i] >>> 3] |= bit << (at[i] & 7);
        present += bit;
      }
    } else {
      const { u8 } = source.arena;
      for (let i = 0; i < at.length; i++) {
        const bit = ((u8[places[i] + (field >>> 3)] >>> (field & 7)) & 1) ^ 1;
        validity[at[i] >>> 3] |= bit << (at[i] & 7);
        present += bit;
      }
    }
  }
  return { validity, nulls: count - present };
}

function gatherBits(schema: Schema, field: number, groups: readonly Group[], count: number) {
  const bits = new Uint8Array((count + 7) >>> 3);
  const slot = layoutRow(schema).offsets[field];
  for (const { source, at, rows, places } of groups) {
    if (source instanceof Segment) {
      const { u8 } = source.columns[field];
      for (let i = 0; i < at.length; i++) {
        const bit = (u8[rows[i] >>> 3] >>> (rows[i] & 7)) & 1;
        bits[at[i] >>> 3] |= bit << (at[i] & 7);
      }
    } else {
      const { u8 } = source.arena;
      for (let i = 0; i < at.length; i++) {
        bits[at[i] >>> 3] |= (u8[places[i] + slot] & 1) << (at[i] & 7);
      }
    }
  }
  return bits;
}

function gatherNarrow(schema: Schema, field: number, groups: readonly Group[], count: number) {
  const words = new Uint32Array(count);
  const slot = layoutRow(schema).offsets[field] >>> 2;
  for (const { source, at, places } of groups) {
    const isSegment = source instanceof Segment;
    const { u32 } = isSegment ? source.columns[field] : source.arena;
    const shift = isSegment ? 0 : 2;
    const add = isSegment ? 0 : slot;
    for (let i = 0; i < at.length; i++) words[at[i]] = u32[(places[i] >>> shift) + add];
  }
  return words;
}

function gatherNumbers(schema: Schema, field: number, groups: readonly Group[], count: number) {
  const numbers = new Float64Array(count);
  const slot = layoutRow(schema).offsets[field] >>> 3;
  for (const { source, at, places } of groups) {
    const isSegment = source instanceof Segment;
    const { f64 } = isSegment ? source.columns[field] : source.arena;
    const shift = isSegment ? 0 : 3;
    const add = isSegment ? 0 : slot;
    for (let i = 0; i < at.length; i++) numbers[at[i]] = f64[(places[i] >>> shift) + add];
  }
  return numbers;
}

function gatherWords(schema: Schema, field: number, groups: readonly Group[], count: number) {
  const words = new Uint32Array(2 * count);
  const slot = layoutRow(schema).offsets[field] >>> 2;
  for (const { source, at, places } of groups) {
    const isSegment = source instanceof Segment;
    const { u32 } = isSegment ? source.columns[field] : source.arena;
    for (let i = 0; i < at.length; i++) {
      const from = isSegment ? 2 * places[i] : (places[i] >>> 2) + slot;
      words[2 * at[i]] = u32[from];
      words[2 * at[i] + 1] = u32[from + 1];
    }
  }
  return words;
}

function gatherKeys({ key }: Schema, groups: readonly Group[], count: number) {
  const words = new Uint32Array(2 * count);
  const numbers = new Float64Array(words.buffer);
  for (const { source, at, rows } of groups) {
    if (source instanceof Segment && source.form === 'f64') {
      const { keysF64 } = source;
      if (key === 'float64') {
        for (let i = 0; i < at.length; i++) numbers[at[i]] = keysF64[rows[i]];
      } else {
        for (let i = 0; i < at.length; i++) putInteger(words, at[i], keysF64[rows[i]]);
      }
    } else {
      for (let i = 0; i < at.length; i++) {
        putSortable(key, words, at[i], source.hi(rows[i]), source.lo(rows[i]));
      }
    }
  }
  return words;
}

const TWO_32 = 4294967296;
const SIGN = 0x80000000;

function putInteger(words: Uint32Array, at: number, key: number): void {
  words[2 * at] = key;
  words[2 * at + 1] = Math.floor(key / TWO_32);
}

function putSortable(
  type: Schema['key'],
  words: Uint32Array,
  at: number,
  hi: number,
  lo: number,
): void {
  const isFlipped = type === 'float64' && hi < SIGN;
  words[2 * at] = isFlipped ? ~lo : lo;
  words[2 * at + 1] = isFlipped ? ~hi : type === 'uint64' ? hi : hi ^ SIGN;
}

/** Keys of a segment in their `f64` form, rows [start, start + count), as Arrow has them. */
export function integerKeys(keys: Float64Array, start: number, count: number): BigInt64Array {
  const words = new Uint32Array(2 * count);
  for (let i = 0; i < count; i++) putInteger(words, i, keys[start + i]);
  return new BigInt64Array(words.buffer);
}

/** Keys of a segment in their `words` form, as Arrow has them. */
export function wordKeys(
  type: Schema['key'],
  keys: Uint32Array,
  start: number,
  count: number,
): BigInt64Array {
  const words = new Uint32Array(2 * count);
  for (let i = 0; i < count; i++) {
    putSortable(type, words, i, keys[2 * (start + i) + 1], keys[2 * (start + i)]);
  }
  return new BigInt64Array(words.buffer);
}

/** The length of a value is written behind its place, where the offset of its end comes to stand. */
function readLengths(
  schema: Schema,
  field: number,
  groups: readonly Group[],
  lengths: Int32Array,
): void {
  const slot = field === KEY ? 0 : layoutRow(schema).offsets[field];
  for (const { source, at, rows, places } of groups) {
    if (source instanceof Segment) {
      const offsets = field === KEY ? source.keyOffsets : source.columns[field].offsets;
      for (let i = 0; i < at.length; i++) {
        lengths[at[i] + 1] = offsets[rows[i] + 1] - offsets[rows[i]];
      }
    } else if (field === KEY) {
      for (let i = 0; i < at.length; i++) lengths[at[i] + 1] = source.keyBytes(rows[i]);
    } else {
      const { u32 } = source.arena;
      // Of a null the length is zero.
      for (let i = 0; i < at.length; i++) lengths[at[i] + 1] = u32[(places[i] + slot) >>> 2];
    }
  }
}

function gatherText(
  schema: Schema,
  field: number,
  groups: readonly Group[],
  count: number,
  validity: Validity | null,
): FieldValues {
  const offsets = new Int32Array(count + 1);
  readLengths(schema, field, groups, offsets);
  for (let i = 0; i < count; i++) offsets[i + 1] += offsets[i];
  const data = new Uint8Array(offsets[count]);
  for (const { source, at, rows, places } of groups) {
    if (source instanceof Segment) {
      const from = field === KEY ? source.keyOffsets : source.columns[field].offsets;
      const bytes = field === KEY ? source.keys.buffer : source.columns[field].u8;
      for (let i = 0; i < at.length; i++) {
        const start = from[rows[i]];
        copyBytes(bytes, start, data, offsets[at[i]], from[rows[i] + 1] - start);
      }
    } else {
      const starts =
        field === KEY ? keyStarts(source, rows) : textStarts(schema, field, source, places);
      for (let i = 0; i < at.length; i++) {
        const to = offsets[at[i]];
        copyBytes(source.arena.u8, starts[i], data, to, offsets[at[i] + 1] - to);
      }
    }
  }
  return { data, offsets, validity: validity?.validity ?? null, nulls: validity?.nulls ?? 0 };
}

function keyStarts(memtable: Memtable, entries: Uint32Array): Uint32Array {
  return entries.map((entry) => memtable.keyAt(entry));
}

/** Where values of variable length start, in rows whose bytes start at `places`. */
export function textStarts(
  schema: Schema,
  field: number,
  memtable: Memtable,
  places: Uint32Array,
): Uint32Array {
  const { offsets, fixedBytes } = layoutRow(schema);
  const { u32 } = memtable.arena;
  const before = schema.columns
    .slice(0, field)
    .flatMap(({ type }, i) => (isVariable(type) ? [offsets[i]] : []));
  return places.map((place) => {
    let start = place + fixedBytes;
    for (const slot of before) start += u32[(place + slot) >>> 2];
    return start;
  });
}
