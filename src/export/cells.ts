/**
 * Values of a record batch as text, read where they lie: no value becomes an object, and most no string.
 *
 *   int32 int64 uint64   digits; in JSON a string where a number would not be exact
 *   float32 float64      the shortest text that means it; NaN, Infinity: by name, in JSON as strings
 *   bool                 true, false
 *   timestamp            ISO 8601 in UTC, milliseconds before the year 0 and after 9999
 *   utf8                 itself, in quotes where it has to be; an empty one in quotes, to be no null
 *   binary               Base64
 *   null                 nothing, in JSON null
 */
import type { Data } from 'apache-arrow';
import { columnOf, type SourceColumn } from '../load/batch-columns.ts';
import type { ExportField } from './field.ts';
import {
  isIso,
  NUMBER_BYTES_MAX,
  writeDouble,
  writeFloat,
  writeInt64,
  writeInteger,
  writeIso,
  writeUint64,
} from './number-text.ts';
import type { TextOutput } from './text-output.ts';

/** How values stand in a record. */
export type TextStyle =
  | { readonly kind: 'csv'; readonly delimiter: number }
  | { readonly kind: 'json' };

/** Writes the value of a row of the batch. */
export type WriteCell = (row: number, output: TextOutput) => void;

const QUOTE = 34;
const BACKSLASH = 92;
const NEWLINE = 10;
const RETURN = 13;
const SPACE = 32;
/** The first byte of a byte order mark: at the beginning of a text, it would be taken for one. */
const MARK = 0xef;
const TWO_32 = 4294967296;
/** The longest word, and quotes. */
const CELL_BYTES_MAX = NUMBER_BYTES_MAX + 2;

const ascii = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const TRUE = ascii('true');
const FALSE = ascii('false');
const NULL = ascii('null');
const HEX = ascii('0123456789abcdef');
/** What JSON writes behind a backslash; 0: it takes \u. */
const SHORT_ESCAPES = new Uint8Array(32);
for (const [byte, letter] of [
  [8, 'b'],
  [9, 't'],
  [10, 'n'],
  [12, 'f'],
  [13, 'r'],
] as const) {
  SHORT_ESCAPES[byte] = letter.charCodeAt(0);
}

function writeWord(word: Uint8Array, output: TextOutput): void {
  const { bytes } = output;
  for (let i = 0; i < word.length; i++) bytes[output.at++] = word[i];
}

/** The writer of a field of a batch. */
export function cellWriter(field: ExportField, style: TextStyle, data: Data): WriteCell {
  const { type } = field;
  const column = columnOf(type, data);
  const write = presentWriter(field, style, column);
  const { validity, bit } = column;
  if (validity === null)
    return (row, output) => {
      output.room(CELL_BYTES_MAX);
      write(row, output);
    };
  const isJson = style.kind === 'json';
  return (row, output) => {
    output.room(CELL_BYTES_MAX);
    const place = bit + row;
    if ((validity[place >>> 3] & (1 << (place & 7))) !== 0) write(row, output);
    else if (isJson) writeWord(NULL, output);
  };
}

/** The same where nothing is null, and room for CELL_BYTES_MAX has been made. */
function presentWriter(field: ExportField, style: TextStyle, column: SourceColumn): WriteCell {
  const { u32, u8, bit } = column;
  const isJson = style.kind === 'json';
  switch (field.type) {
    case 'int32': {
      const values = new Int32Array(u32.buffer, u32.byteOffset, u32.length);
      return (row, output) => {
        output.at = writeInteger(output.bytes, output.at, values[row]);
      };
    }
    case 'int64':
    case 'uint64':
      return integerWriter(column, field.type === 'int64', isJson);
    case 'float32':
    case 'float64':
      return floatWriter(column, field.type === 'float32', isJson);
    case 'timestamp':
      return timeWriter(column, isJson);
    case 'bool':
      return (row, output) => {
        const place = bit + row;
        writeWord((u8[place >>> 3] & (1 << (place & 7))) !== 0 ? TRUE : FALSE, output);
      };
    case 'binary':
      return base64Writer(column, isJson);
    default:
      if (!isJson) return csvTextWriter(column, style.delimiter);
      return field.isJson ? jsonWriter(column) : jsonTextWriter(column);
  }
}

function integerWriter({ u32 }: SourceColumn, isSigned: boolean, isJson: boolean): WriteCell {
  const write = isSigned ? writeInt64 : writeUint64;
  return (row, output) => {
    const lo = u32[2 * row];
    const hi = u32[2 * row + 1];
    const value = (isSigned ? hi | 0 : hi) * TWO_32 + lo;
    if (!isJson || Number.isSafeInteger(value)) output.at = write(output.bytes, output.at, lo, hi);
    else inQuotes(output, write(output.bytes, output.at + 1, lo, hi));
  };
}

/** Puts quotes around what was written from the second byte on. */
function inQuotes(output: TextOutput, end: number): void {
  output.bytes[output.at] = QUOTE;
  output.bytes[end] = QUOTE;
  output.at = end + 1;
}

function floatWriter({ u32 }: SourceColumn, isSingle: boolean, isJson: boolean): WriteCell {
  const values = isSingle
    ? new Float32Array(u32.buffer, u32.byteOffset, u32.length)
    : new Float64Array(u32.buffer, u32.byteOffset, u32.length >>> 1);
  const write = isSingle ? writeFloat : writeDouble;
  return (row, output) => {
    const value = values[row];
    if (!isJson || Number.isFinite(value)) output.at = write(output.bytes, output.at, value);
    else inQuotes(output, write(output.bytes, output.at + 1, value));
  };
}

function timeWriter({ u32 }: SourceColumn, isJson: boolean): WriteCell {
  return (row, output) => {
    const ms = (u32[2 * row + 1] | 0) * TWO_32 + u32[2 * row];
    if (!isIso(ms)) output.at = writeInteger(output.bytes, output.at, ms);
    else if (isJson) inQuotes(output, writeIso(output.bytes, output.at + 1, ms));
    else output.at = writeIso(output.bytes, output.at, ms);
  };
}

function base64Writer({ u8, offsets }: SourceColumn, isJson: boolean): WriteCell {
  const all = Buffer.from(u8.buffer, u8.byteOffset, u8.byteLength);
  return (row, output) => {
    const start = offsets[row];
    const end = offsets[row + 1];
    const text = all.toString('base64', start, end);
    output.room(2 + text.length);
    // In CSV an empty value without quotes is a null.
    if (isJson || start === end) {
      inQuotes(output, output.at + 1 + output.bytes.write(text, output.at + 1, 'latin1'));
    } else {
      output.at += output.bytes.write(text, output.at, 'latin1');
    }
  };
}

function csvTextWriter({ u8, offsets }: SourceColumn, delimiter: number): WriteCell {
  return (row, output) => writeCsvText(u8, offsets[row], offsets[row + 1], delimiter, output);
}

/** The bytes [start, end) of UTF-8 as a value of CSV (RFC 4180), in quotes where it has to be. */
export function writeCsvText(
  from: Uint8Array,
  start: number,
  end: number,
  delimiter: number,
  output: TextOutput,
): void {
  output.room(2 + 2 * (end - start));
  const { bytes } = output;
  const begin = output.at;
  let at = begin;
  let isPlain = end > start && from[start] !== MARK;
  for (let i = start; i < end && isPlain; i++) {
    const byte = from[i];
    bytes[at++] = byte;
    if (byte === QUOTE || byte === delimiter || byte === NEWLINE || byte === RETURN)
      isPlain = false;
  }
  if (!isPlain) {
    at = begin;
    bytes[at++] = QUOTE;
    for (let i = start; i < end; i++) {
      const byte = from[i];
      if (byte === QUOTE) bytes[at++] = QUOTE;
      bytes[at++] = byte;
    }
    bytes[at++] = QUOTE;
  }
  output.at = at;
}

function jsonTextWriter({ u8, offsets }: SourceColumn): WriteCell {
  return (row, output) => {
    const start = offsets[row];
    const end = offsets[row + 1];
    output.room(2 + 6 * (end - start));
    const { bytes } = output;
    let { at } = output;
    bytes[at++] = QUOTE;
    for (let i = start; i < end; i++) {
      const byte = u8[i];
      if (byte >= SPACE && byte !== QUOTE && byte !== BACKSLASH) {
        bytes[at++] = byte;
        continue;
      }
      bytes[at++] = BACKSLASH;
      if (byte >= SPACE) bytes[at++] = byte;
      else if (SHORT_ESCAPES[byte] > 0) bytes[at++] = SHORT_ESCAPES[byte];
      else {
        bytes[at++] = 117; // u00
        bytes[at++] = HEX[0];
        bytes[at++] = HEX[0];
        bytes[at++] = HEX[byte >>> 4];
        bytes[at++] = HEX[byte & 15];
      }
    }
    bytes[at++] = QUOTE;
    output.at = at;
  };
}

/** JSON as it is. Line ends stand between its tokens only, where a space does as well. */
function jsonWriter({ u8, offsets }: SourceColumn): WriteCell {
  return (row, output) => {
    const start = offsets[row];
    const end = offsets[row + 1];
    output.room(end - start);
    const { bytes } = output;
    let { at } = output;
    for (let i = start; i < end; i++) bytes[at++] = u8[i] < SPACE ? SPACE : u8[i];
    output.at = at;
  };
}
