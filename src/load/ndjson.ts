/**
 * Lines of JSON as rows: each an object with the key and the columns among its members. What JSON has no
 * type for is text: dates (ISO 8601), integers beyond ±(2^53 − 1), bytes (Base64), NaN and infinities.
 */
import { OmenError } from '../errors.ts';
import {
  type ColumnType,
  EXPIRES_COLUMN,
  type KeyType,
  ownColumns,
  type Schema,
} from '../schema/schema.ts';
import { show } from '../schema/show.ts';
import type { Times } from './parse.ts';
import { expiryTimeOf, type Mapping } from './record-batch.ts';
import { timeOfText } from './text-number.ts';
import { type ReadTime, readTime } from './time-format.ts';

const INTEGER = /^[+-]?\d{1,20}$/;
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

const NO_NUMBERS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

/**
 * Texts that stand for values of other types, and times as they are written. What is no such text is left to
 * be refused.
 */
function converted(type: ColumnType | KeyType, value: unknown, time: ReadTime | null): unknown {
  if (
    type === 'timestamp' &&
    time !== null &&
    (typeof value === 'string' || typeof value === 'number')
  ) {
    return time(String(value)) ?? String(value);
  }
  if (typeof value !== 'string') return value;
  switch (type) {
    case 'timestamp':
      return timeOfText(value) ?? value;
    case 'int64':
    case 'uint64':
      return INTEGER.test(value) ? BigInt(value) : value;
    case 'float32':
    case 'float64':
      return Object.hasOwn(NO_NUMBERS, value) ? NO_NUMBERS[value] : value;
    case 'binary':
      return BASE64.test(value) ? new Uint8Array(Buffer.from(value, 'base64')) : value;
    default:
      return value;
  }
}

/** The members of an object that are the key and the columns. */
export type ReadJson = (
  line: string,
) => readonly [key: unknown, row: unknown, expiresMs: number | null | undefined];

/** What is returned throws OMEN_INVALID_ROW, OMEN_INVALID_EXPIRY; a member too many is refused. */
export function jsonReader(
  schema: Schema,
  { key = 'key', columns }: Mapping,
  times: Times,
): ReadJson {
  const memberOf = (name: string) => (columns === undefined ? name : columns[name]);
  const readerOf = (name: string) => (Object.hasOwn(times, name) ? readTime(times[name]) : null);
  const fields = ownColumns(schema).map(({ name, type }) => {
    return { name, type, field: memberOf(name), time: readerOf(name) };
  });
  const keyTime = readerOf('key');
  const expires = schema.ttl === undefined ? undefined : memberOf(EXPIRES_COLUMN);
  const known = new Set<unknown>([key, expires, ...fields.map(({ field }) => field)]);
  return (line) => {
    const object = parsed(line);
    const member = (name: string | number | undefined): unknown =>
      name !== undefined && Object.hasOwn(object, name) ? object[name] : undefined;
    if (columns === undefined) {
      for (const name in object) {
        if (known.has(name)) continue;
        throw new OmenError('OMEN_UNKNOWN_COLUMN', `there is no column ${JSON.stringify(name)}`);
      }
    }
    const rowKey = converted(schema.key, member(key), keyTime);
    const end = member(expires);
    const expiresMs =
      end === undefined ? undefined : expiryTimeOf(converted('timestamp', end, null));
    if (schema.value !== null) {
      const [{ type, field }] = fields;
      const value = member(field);
      return [rowKey, schema.value === 'json' ? value : converted(type, value, null), expiresMs];
    }
    const row: Record<string, unknown> = {};
    for (const { name, type, field, time } of fields) {
      const value = member(field);
      if (value !== undefined) row[name] = converted(type, value, time);
    }
    return [rowKey, row, expiresMs];
  };
}

function parsed(line: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new OmenError('OMEN_INVALID_ROW', `it is not JSON: ${text}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new OmenError('OMEN_INVALID_ROW', `it is no object, but ${show(value)}`);
  }
  return value as Readonly<Record<string, unknown>>;
}
