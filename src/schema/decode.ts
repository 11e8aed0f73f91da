/**
 * Rows as objects: decoders for the two places a row is read from, a memtable (row bytes, `row.ts`)
 * and a segment (columns). Each decoder is compiled once per schema, so that every row of a database
 * is an object literal of one shape; several times the speed of assigning named
 * properties in a loop (`bench/row-object.ts`). Names reach the code as JSON strings only.
 */
import { OmenError } from '../errors.ts';
import { layoutRow, type Views } from './row.ts';
import { type Column, expiresColumn, isVariable, ownColumns, type Schema } from './schema.ts';
import { textOf } from './text.ts';

/** One column of a segment as it lies in memory; the arrays a type does not use are empty. */
export interface ResidentColumn extends Views {
  /** Arrow's validity bits (set = present), or an empty array when no row can be null. */
  readonly validity: Uint8Array;
  /** Arrow's offsets of a utf8 or binary column: rows + 1 of them. */
  readonly offsets: Int32Array;
  /** The same bytes as `u8`, as a Buffer, which slices strings fastest. */
  readonly bytes: Buffer;
}

/** Reads the row whose bytes start at `at` (a multiple of 8) of `views`; `bytes` is the same memory. */
export type MemtableRowReader = (views: Views, bytes: Buffer, at: number) => unknown;
/** The time by which rows are judged, in milliseconds since 1970: whoever reads sets it beforehand. */
export interface Instant {
  nowMs: number;
}

/** Reads row `i` of a segment. */
export type SegmentRowReader = (columns: readonly ResidentColumn[], i: number) => unknown;

const TWO_32 = 4294967296;

/**
 * An int64 or timestamp as a number. `name` is its column's.
 * @throws OMEN_UNSAFE_INTEGER beyond ±(2^53 − 1)
 */
export function safeInteger(name: string, lo: number, hi: number): number {
  const value = hi * TWO_32 + lo;
  if (!Number.isSafeInteger(value)) {
    throw new OmenError(
      'OMEN_UNSAFE_INTEGER',
      `Column "${name}" holds an integer beyond ±(2^53 − 1). Open with bigints: true.`,
    );
  }
  return value;
}

/** The helpers that the expressions below call. */
const HELPERS = {
  int64: safeInteger,
  bigint(lo: number, hi: number): bigint {
    return (BigInt(hi) << 32n) | BigInt(lo);
  },
  utf8(bytes: Buffer, start: number, end: number): string {
    return textOf(bytes, start, end);
  },
  binary(bytes: Buffer, start: number, end: number): Uint8Array {
    return new Uint8Array(bytes.subarray(start, end));
  },
  json(bytes: Buffer, start: number, end: number): unknown {
    return JSON.parse(textOf(bytes, start, end));
  },
};

interface Place {
  /** What the typed views, and the same memory as a Buffer, are called there. */
  readonly views: string;
  readonly bytes: string;
  /** Index expressions into the views for elements of 8 and 4 bytes. */
  readonly at8: string;
  readonly at4: string;
  /** For a utf8 or binary column: where its bytes start and end. */
  readonly start: string;
  readonly end: string;
  readonly bool: string;
}

function expression(column: Column, schema: Schema, bigints: boolean, place: Place): string {
  const { views: v, bytes: b, at8, at4, start, end, bool } = place;
  const words = `${v}.u32[2 * (${at8})], ${v}.i32[2 * (${at8}) + 1]`;
  switch (column.type) {
    case 'float64':
      return `${v}.f64[${at8}]`;
    case 'float32':
      return `${v}.f32[${at4}]`;
    case 'int32':
      return `${v}.i32[${at4}]`;
    case 'bool':
      return bool;
    case 'int64':
      if (bigints) return `h.bigint(${words})`;
      break;
    case 'utf8':
      return `h.${schema.value === 'json' ? 'json' : 'utf8'}(${b}, ${start}, ${end})`;
    case 'binary':
      return `h.binary(${b}, ${start}, ${end})`;
    default:
  }
  const name = JSON.stringify(column.name);
  return `h.int64(${name}, ${words})`;
}

function literal(schema: Schema, fields: readonly string[]): string {
  if (schema.value !== null) return fields[0];
  const named = ownColumns(schema).map(
    (column, i) => `${JSON.stringify(column.name)}: ${fields[i]}`,
  );
  return `({ ${named.join(', ')} })`;
}

/** A statement that returns undefined for a row that has expired by then; nothing where none can. */
function unlessExpired(isThere: string, words: string, at: string): string {
  const ms = `${words}.i32[${at} + 1] * ${TWO_32} + ${words}.u32[${at}]`;
  return `if (${isThere} && ${ms} <= instant.nowMs) return undefined;`;
}

/**
 * @param bigints whether an int64 column is read as bigint
 * @param instant where it is given, rows that have expired by then are read as undefined
 */
export function memtableRowReader(
  schema: Schema,
  bigints: boolean,
  instant: Instant | null = null,
): MemtableRowReader {
  const { offsets, fixedBytes } = layoutRow(schema);
  // The bytes of a variable column start where those of the columns before it end: `e0`, `e1`, ….
  const ends = [`const e0 = at + ${fixedBytes};`];
  const fields = ownColumns(schema).map((column, i) => {
    const offset = offsets[i];
    const start = `e${ends.length - 1}`;
    if (isVariable(column.type)) {
      ends.push(`const e${ends.length} = ${start} + v.u32[(at >>> 2) + ${offset >>> 2}];`);
    }
    const end = `e${ends.length - 1}`;
    const value = expression(column, schema, bigints, {
      views: 'v',
      bytes: 'b',
      at8: `(at >>> 3) + ${offset >>> 3}`,
      at4: `(at >>> 2) + ${offset >>> 2}`,
      bool: `v.u8[at + ${offset}] !== 0`,
      start,
      end,
    });
    if (!column.nullable) return value;
    return `(v.u8[at + ${i >>> 3}] & ${1 << (i & 7)}) !== 0 ? null : ${value}`;
  });
  if (instant !== null) {
    const column = expiresColumn(schema);
    const isThere = `(v.u8[at + ${column >>> 3}] & ${1 << (column & 7)}) === 0`;
    ends.unshift(unlessExpired(isThere, 'v', `(at >>> 2) + ${offsets[column] >>> 2}`));
  }
  const body = `return (v, b, at) => { ${ends.join(' ')} return ${literal(schema, fields)}; };`;
  return new Function('h', 'instant', body)(HELPERS, instant) as MemtableRowReader;
}

/** The parameters are those of `memtableRowReader`. */
export function segmentRowReader(
  schema: Schema,
  bigints: boolean,
  instant: Instant | null = null,
): SegmentRowReader {
  const fields = ownColumns(schema).map((column, i) => {
    const value = expression(column, schema, bigints, {
      views: `c[${i}]`,
      bytes: `c[${i}].bytes`,
      at8: 'i',
      at4: 'i',
      bool: `(c[${i}].u8[i >>> 3] & (1 << (i & 7))) !== 0`,
      start: `c[${i}].offsets[i]`,
      end: `c[${i}].offsets[i + 1]`,
    });
    if (!column.nullable) return value;
    return `(c[${i}].validity[i >>> 3] & (1 << (i & 7))) === 0 ? null : ${value}`;
  });
  const row = literal(schema, fields);
  let body = `return (c, i) => ${row};`;
  if (instant !== null) {
    const column = `c[${expiresColumn(schema)}]`;
    const isThere = `(${column}.validity[i >>> 3] & (1 << (i & 7))) !== 0`;
    body = `return (c, i) => { ${unlessExpired(isThere, column, '2 * i')} return ${row}; };`;
  }
  return new Function('h', 'instant', body)(HELPERS, instant) as SegmentRowReader;
}
