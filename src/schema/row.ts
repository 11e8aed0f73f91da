/**
 * Rows as bytes: the form in which a row crosses a ring, stands in the WAL and lies in a memtable.
 *
 * Layout, at an 8-byte boundary: one null bit a column (only when some column is nullable, padded to
 * 8 bytes; set = null), then the fixed-width slots, widest first so that each is aligned, with a
 * 4-byte length for every utf8 or binary column, then the bytes of those columns in order. A row of
 * fixed-width columns therefore always has the same length. Offsets follow from the schema alone.
 *
 * A RowEncoder belongs to one thread; it encodes into its own scratch buffer, since the length of a
 * row is known only after its strings are encoded.
 */
import assert from 'node:assert';
import { OmenError } from '../errors.ts';
import { type Column, type ColumnType, ownColumns, type Schema } from './schema.ts';
import { show } from './show.ts';

/** The longest row, encoded. It has to fit a WAL group and a memtable. */
export const ROW_BYTES_MAX = 16 * 2 ** 20;

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const TWO_32 = 4294967296;

const WIDTH: Readonly<Record<ColumnType, number>> = {
  float64: 8,
  int64: 8,
  timestamp: 8,
  float32: 4,
  int32: 4,
  utf8: 4,
  binary: 4,
  bool: 1,
};

export interface RowLayout {
  /** Bytes of null bits at the start, a multiple of 8; 0 when no column is nullable. */
  readonly nullBytes: number;
  /** Byte offset of each column's slot, in schema order. */
  readonly offsets: readonly number[];
  /** Bytes before the variable-length part; the whole row when there is none. */
  readonly fixedBytes: number;
}

export function layoutRow(schema: Schema): RowLayout {
  const columns = schema.columns;
  const nullable = columns.some((column) => column.nullable);
  const nullBytes = nullable ? Math.ceil(columns.length / 64) * 8 : 0;
  const offsets = new Array<number>(columns.length);
  let at = nullBytes;
  for (const width of [8, 4, 1]) {
    columns.forEach((column, i) => {
      if (WIDTH[column.type] !== width) return;
      offsets[i] = at;
      at += width;
    });
  }
  return { nullBytes, offsets, fixedBytes: at };
}

/** Typed views of one buffer. */
export interface Views {
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
}

export function viewsOf(buffer: ArrayBufferLike, byteOffset = 0, bytes?: number): Views {
  const length = bytes ?? buffer.byteLength - byteOffset;
  return {
    u8: new Uint8Array(buffer, byteOffset, length),
    i32: new Int32Array(buffer, byteOffset, length >>> 2),
    u32: new Uint32Array(buffer, byteOffset, length >>> 2),
    f32: new Float32Array(buffer, byteOffset, length >>> 2),
    f64: new Float64Array(buffer, byteOffset, length >>> 3),
  };
}

function wrongType(column: Column, value: unknown, expected: string): never {
  throw new OmenError(
    'OMEN_INVALID_ROW',
    `Column "${column.name}" (${column.type}) takes ${expected}, not ${typeof value} ${show(value)}.`,
  );
}

export class RowEncoder {
  readonly schema: Schema;
  /** The encoded row after `encode`; replaced when it grows. */
  views: Views = viewsOf(new ArrayBuffer(4096));
  readonly #layout: RowLayout;
  readonly #columns: readonly Column[];
  readonly #names: ReadonlySet<string>;
  #bytes = 0;

  /** For a schema whose rows may expire: `ExpiringRowEncoder`. */
  constructor(schema: Schema) {
    assert.ok(schema.ttl === undefined || new.target !== RowEncoder);
    this.schema = schema;
    this.#layout = layoutRow(schema);
    this.#columns = ownColumns(schema);
    this.#names = new Set(this.#columns.map((column) => column.name));
    this.#grow(this.#layout.fixedBytes);
  }

  /**
   * Encodes `row` (an object of columns, or the bare value) into `views` and returns its length in
   * bytes. On an error nothing outside the scratch buffer has changed.
   * @throws OMEN_INVALID_ROW, OMEN_UNKNOWN_COLUMN, OMEN_MISSING_COLUMN, OMEN_UNSAFE_INTEGER,
   *   OMEN_ROW_TOO_LARGE
   */
  encode(row: unknown): number {
    const { schema } = this;
    const { nullBytes, offsets, fixedBytes } = this.#layout;
    this.#bytes = fixedBytes;
    if (schema.value !== null) {
      this.#encodeValue(schema.columns[0], this.#bareValue(row), offsets[0]);
      return this.#bytes;
    }
    if (row === null || typeof row !== 'object' || Array.isArray(row)) {
      throw new OmenError('OMEN_INVALID_ROW', `A row is an object of columns, not ${typeof row}.`);
    }
    const fields = row as Readonly<Record<string, unknown>>;
    for (const name in fields) if (!this.#names.has(name)) this.#unknownColumn(name);
    if (nullBytes !== 0) this.views.u8.fill(0, 0, nullBytes);
    const columns = this.#columns;
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i];
      const value = Object.hasOwn(fields, column.name) ? fields[column.name] : undefined;
      if (value === null || value === undefined) this.#encodeNull(column, i, value);
      else this.#encodeValue(column, value, offsets[i]);
    }
    return this.#bytes;
  }

  #unknownColumn(name: string): never {
    const known = this.#columns.map((column) => column.name).join(', ');
    throw new OmenError('OMEN_UNKNOWN_COLUMN', `There is no column "${name}"; there is ${known}.`);
  }

  #bareValue(value: unknown): unknown {
    if (this.schema.value !== 'json') return value;
    let text: string | undefined;
    try {
      text = JSON.stringify(value);
    } catch (error) {
      throw new OmenError('OMEN_INVALID_ROW', 'The value cannot be written as JSON.', {
        cause: error,
      });
    }
    if (text === undefined) {
      throw new OmenError('OMEN_INVALID_ROW', `A value of type ${typeof value} is not JSON.`);
    }
    return text;
  }

  #encodeNull(column: Column, index: number, value: null | undefined): void {
    if (!column.nullable) {
      if (value === null) wrongType(column, value, 'a value: it is not nullable');
      throw new OmenError(
        'OMEN_MISSING_COLUMN',
        `Column "${column.name}" is missing. Declare it "${column.type}?" to leave it out.`,
      );
    }
    const { u8, u32, f64 } = this.views;
    u8[index >>> 3] |= 1 << (index & 7);
    const at = this.#layout.offsets[index];
    const width = WIDTH[column.type];
    if (width === 8) f64[at >>> 3] = 0;
    else if (width === 4) u32[at >>> 2] = 0;
    else u8[at] = 0;
  }

  #encodeValue(column: Column, value: unknown, at: number): void {
    const { u8, i32, f32, f64 } = this.views;
    switch (column.type) {
      case 'float64':
        if (typeof value !== 'number') wrongType(column, value, 'a number');
        f64[at >>> 3] = value;
        break;
      case 'float32':
        if (typeof value !== 'number') wrongType(column, value, 'a number');
        f32[at >>> 2] = value;
        break;
      case 'int32':
        if (typeof value !== 'number' || (value | 0) !== value) {
          wrongType(column, value, 'an integer within ±2^31');
        }
        i32[at >>> 2] = value;
        break;
      case 'bool':
        if (typeof value !== 'boolean') wrongType(column, value, 'true or false');
        u8[at] = value ? 1 : 0;
        break;
      case 'int64':
        this.#encodeInt64(column, value, at);
        break;
      case 'timestamp':
        this.#encodeInt64(column, value instanceof Date ? value.getTime() : value, at);
        break;
      case 'utf8':
        if (typeof value !== 'string') wrongType(column, value, 'a string');
        if (!value.isWellFormed()) wrongType(column, value, 'a string without lone surrogates');
        this.#encodeText(value, at);
        break;
      case 'binary':
        if (!(value instanceof Uint8Array)) wrongType(column, value, 'a Uint8Array');
        this.#room(value.length);
        this.views.u8.set(value, this.#bytes);
        this.views.u32[at >>> 2] = value.length;
        this.#bytes += value.length;
        break;
    }
  }

  #encodeInt64(column: Column, value: unknown, at: number): void {
    const { u32 } = this.views;
    if (typeof value === 'bigint' && column.type === 'int64') {
      if (value < INT64_MIN || value > INT64_MAX) wrongType(column, value, 'a 64-bit integer');
      u32[at >>> 2] = Number(BigInt.asUintN(32, value));
      u32[(at >>> 2) + 1] = Number(BigInt.asUintN(32, value >> 32n));
      return;
    }
    if (typeof value !== 'number' || !Number.isInteger(value)) {
      wrongType(column, value, column.type === 'int64' ? 'an integer' : 'integer milliseconds');
    }
    if (!Number.isSafeInteger(value)) {
      throw new OmenError(
        'OMEN_UNSAFE_INTEGER',
        `Column "${column.name}": ${value} is beyond ±(2^53 − 1). Pass a bigint.`,
      );
    }
    u32[at >>> 2] = value;
    u32[(at >>> 2) + 1] = Math.floor(value / TWO_32);
  }

  #encodeText(text: string, at: number): void {
    if (text.length > ROW_BYTES_MAX) this.#tooLarge(text.length);
    this.#grow(this.#bytes + 3 * text.length);
    const buffer = this.views.u8;
    const written = encoder.encodeInto(text, buffer.subarray(this.#bytes)).written;
    if (this.#bytes + written > ROW_BYTES_MAX) this.#tooLarge(this.#bytes + written);
    this.views.u32[at >>> 2] = written;
    this.#bytes += written;
  }

  #room(bytes: number): void {
    if (this.#bytes + bytes > ROW_BYTES_MAX) this.#tooLarge(this.#bytes + bytes);
    this.#grow(this.#bytes + bytes);
  }

  #tooLarge(bytes: number): never {
    throw new OmenError(
      'OMEN_ROW_TOO_LARGE',
      `The row takes at least ${bytes} bytes; the most is ${ROW_BYTES_MAX}. Split it.`,
    );
  }

  #grow(bytes: number): void {
    if (bytes <= this.views.u8.length) return;
    const grown = viewsOf(new ArrayBuffer(2 ** Math.ceil(Math.log2(bytes))));
    grown.u8.set(this.views.u8.subarray(0, this.#bytes));
    this.views = grown;
  }
}

const encoder = new TextEncoder();
