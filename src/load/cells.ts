/**
 * Values of a CSV record become a key and an encoded row, as the types of the database have it.
 *
 *   int32 int64 uint64   digits, with a sign
 *   float32 float64      as JavaScript reads them; NaN, inf and infinity
 *   bool                 true, false, t, f, yes, no, y, n, 1, 0
 *   timestamp            milliseconds since 1970, or a date and time as ISO 8601 has them, or as was said
 *   utf8                 as it is; JSON has to be JSON
 *   binary               Base64
 *
 * A value without quotes that is one of the null markers is null where the column may be.
 */
import { isUtf8 } from 'node:buffer';
import { OmenError } from '../errors.ts';
import type { KeyCodec } from '../schema/key.ts';
import { layoutRow, ROW_BYTES_MAX, type RowLayout, type Views, viewsOf } from '../schema/row.ts';
import {
  type Column,
  type ColumnType,
  expiresColumn,
  type KeyType,
  type Schema,
} from '../schema/schema.ts';
import { show } from '../schema/show.ts';
import { BARE, type CsvRecords, DOUBLED } from './csv.ts';
import type { Times } from './parse.ts';
import type { Places } from './record-batch.ts';
import { integerOf, numberOf, timeOf } from './text-number.ts';
import { type ReadTime, readTime } from './time-format.ts';

const BOOLS: Readonly<Record<string, boolean>> = {
  ...{ true: true, t: true, yes: true, y: true, 1: true },
  ...{ false: false, f: false, no: false, n: false, 0: false },
};
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;
const TWO_32 = 4294967296;

const EXPECTED: Readonly<Record<ColumnType | KeyType, string>> = {
  int32: 'an integer within ±2^31',
  int64: 'an integer of 64 bits',
  uint64: 'a non-negative integer of 64 bits',
  float32: 'a number',
  float64: 'a number',
  bool: 'true or false',
  timestamp: 'milliseconds or an ISO 8601 date',
  utf8: 'UTF-8',
  binary: 'Base64',
};

/** A value that is not what its column takes. */
function refuse(
  name: string,
  type: ColumnType | KeyType,
  value: Buffer,
  what = EXPECTED[type],
): never {
  const shown = show(value.toString('utf8', 0, Math.min(value.length, 64)));
  throw new OmenError(
    'OMEN_INVALID_ROW',
    `column ${JSON.stringify(name)} (${type}) takes ${what}, not ${shown}`,
  );
}

export class CellEncoder {
  /** The row after `encode`. */
  views: Views = viewsOf(new ArrayBuffer(4096));
  readonly #schema: Schema;
  readonly #layout: RowLayout;
  readonly #key: KeyCodec;
  readonly #places: Places;
  readonly #nulls: readonly Buffer[];
  /** When all rows expire; null: as they say themselves, or never. */
  readonly #expiresMs: number | null;
  /** How times of the key and of the columns are read; null: as is usual. */
  readonly #formats: Times;
  readonly #keyTime: ReadTime | null;
  readonly #times: readonly (ReadTime | null)[];
  #end = 0;

  /**
   * @param key is left with each row's key
   * @param nowMs rows that live for as long as the database says count from then on
   */
  constructor(
    schema: Schema,
    key: KeyCodec,
    places: Places,
    nulls: readonly string[],
    nowMs: number,
    times: Times,
  ) {
    const readerOf = (name: string) => (Object.hasOwn(times, name) ? readTime(times[name]) : null);
    this.#formats = times;
    this.#keyTime = readerOf('key');
    this.#times = schema.columns.map(({ name }) => readerOf(name));
    const isGiven = places.columns[expiresColumn(schema)] >= 0;
    this.#expiresMs = typeof schema.ttl === 'number' && !isGiven ? nowMs + schema.ttl : null;
    this.#schema = schema;
    this.#layout = layoutRow(schema);
    this.#key = key;
    this.#places = places;
    this.#nulls = nulls.map((text) => Buffer.from(text));
    this.#room(this.#layout.fixedBytes);
  }

  /** @throws OMEN_INVALID_ROW, OMEN_INVALID_KEY, OMEN_ROW_TOO_LARGE */
  encode(record: CsvRecords): void {
    this.#encodeKey(record, this.#places.key);
    const { columns } = this.#schema;
    const { nullBytes, offsets, fixedBytes } = this.#layout;
    this.#end = fixedBytes;
    if (nullBytes > 0) this.views.u8.fill(0, 0, nullBytes);
    for (let i = 0; i < columns.length; i++) {
      const place = this.#places.columns[i];
      if (place < 0 || (columns[i].nullable && this.#isNull(record, place))) this.#setNull(i);
      else this.#encodeCell(columns[i], offsets[i], record, place, this.#times[i]);
    }
    if (this.#expiresMs !== null) this.#setExpiry(columns.length - 1, this.#expiresMs);
  }

  #isNull(record: CsvRecords, place: number): boolean {
    if (record.kinds[place] !== BARE) return false;
    const length = record.ends[place] - record.starts[place];
    for (const marker of this.#nulls) {
      if (marker.length === length && (length === 0 || marker.equals(record.value(place))))
        return true;
    }
    return false;
  }

  #setNull(index: number): void {
    this.views.u8[index >>> 3] |= 1 << (index & 7);
    const at = this.#layout.offsets[index];
    const { type } = this.#schema.columns[index];
    if (type === 'bool') this.views.u8[at] = 0;
    else this.views.u32[at >>> 2] = 0;
    const isWide = type === 'int64' || type === 'float64' || type === 'timestamp';
    if (isWide) this.views.u32[(at >>> 2) + 1] = 0;
  }

  #setExpiry(index: number, ms: number): void {
    this.views.u8[index >>> 3] &= ~(1 << (index & 7));
    const at = this.#layout.offsets[index] >>> 2;
    this.views.u32[at] = ms;
    this.views.u32[at + 1] = Math.floor(ms / TWO_32);
  }

  #encodeKey(record: CsvRecords, place: number): void {
    const codec = this.#key;
    const { type } = codec;
    const [start, end] = [record.starts[place], record.ends[place]];
    const isPlain = record.kinds[place] !== DOUBLED;
    let key: unknown;
    if (type === 'utf8') key = textOf('key', type, record.value(place));
    else if (type === 'binary') key = base64Of('key', record.value(place));
    else if (isPlain && type === 'float64') key = numberOf(record.bytes, start, end);
    else if (type === 'timestamp' && this.#keyTime !== null)
      key = this.#keyTime(record.text(place));
    else if (isPlain && type === 'timestamp') key = timeOf(record.bytes, start, end);
    else if (isPlain) key = integerOf(record.bytes, start, end);
    if (key === undefined) refuse('key', type, record.value(place), this.#expected('key', type));
    codec.encode(key);
  }

  #encodeCell(
    column: Column,
    at: number,
    record: CsvRecords,
    place: number,
    time: ReadTime | null,
  ): void {
    const { type, name } = column;
    const { bytes } = record;
    const [start, end] = [record.starts[place], record.ends[place]];
    const fail = (): never => refuse(name, type, record.value(place), this.#expected(name, type));
    const { u8, u32, i32, f32, f64 } = this.views;
    switch (type) {
      case 'float64':
      case 'float32': {
        const value = numberOf(bytes, start, end);
        if (value === undefined) fail();
        else if (type === 'float64') f64[at >>> 3] = value;
        else f32[at >>> 2] = value;
        break;
      }
      case 'int32': {
        const value = integerOf(bytes, start, end);
        if (typeof value !== 'number' || (value | 0) !== value) fail();
        else i32[at >>> 2] = value;
        break;
      }
      case 'int64': {
        const value = integerOf(bytes, start, end);
        if (typeof value === 'number') {
          u32[at >>> 2] = value;
          u32[(at >>> 2) + 1] = Math.floor(value / TWO_32);
        } else if (value === undefined || BigInt.asIntN(64, value) !== value) {
          fail();
        } else {
          u32[at >>> 2] = Number(BigInt.asUintN(32, value));
          u32[(at >>> 2) + 1] = Number(BigInt.asUintN(32, value >> 32n));
        }
        break;
      }
      case 'timestamp': {
        const value = time === null ? timeOf(bytes, start, end) : time(record.text(place));
        if (value === undefined) fail();
        else {
          u32[at >>> 2] = value;
          u32[(at >>> 2) + 1] = Math.floor(value / TWO_32);
        }
        break;
      }
      case 'bool': {
        const value = BOOLS[record.value(place).toString('latin1').toLowerCase()];
        if (value === undefined) fail();
        u8[at] = value ? 1 : 0;
        break;
      }
      case 'binary':
        this.#setText(at, base64Of(name, record.value(place)));
        break;
      default:
        this.#encodeText(column, at, record.value(place));
    }
  }

  #expected(name: string, type: ColumnType | KeyType): string {
    const isTime = type === 'timestamp' && Object.hasOwn(this.#formats, name);
    return isTime ? `a time as ${show(this.#formats[name])}` : EXPECTED[type];
  }

  #encodeText({ name, type }: Column, at: number, value: Buffer): void {
    if (!isUtf8(value)) refuse(name, type, value);
    if (this.#schema.value === 'json') {
      try {
        JSON.parse(value.toString('utf8'));
      } catch {
        refuse(name, type, value, 'JSON');
      }
    }
    this.#setText(at, value);
  }

  #setText(at: number, value: Uint8Array): void {
    const bytes = this.#end + value.length;
    if (bytes > ROW_BYTES_MAX) {
      const message = `the row takes at least ${bytes} bytes; the most is ${ROW_BYTES_MAX}`;
      throw new OmenError('OMEN_ROW_TOO_LARGE', message);
    }
    this.#room(bytes);
    this.views.u8.set(value, this.#end);
    this.views.u32[at >>> 2] = value.length;
    this.#end = bytes;
  }

  #room(bytes: number): void {
    if (bytes <= this.views.u8.length) return;
    const grown = viewsOf(new ArrayBuffer(2 ** Math.ceil(Math.log2(bytes))));
    grown.u8.set(this.views.u8.subarray(0, this.#end));
    this.views = grown;
  }
}

function textOf(name: string, type: 'utf8', value: Buffer): string {
  if (!isUtf8(value)) refuse(name, type, value);
  return value.toString('utf8');
}

function base64Of(name: string, value: Buffer): Uint8Array {
  const text = value.toString('latin1');
  if (!BASE64.test(text)) refuse(name, 'binary', value);
  return new Uint8Array(Buffer.from(text, 'base64'));
}
