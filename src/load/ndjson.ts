/**
 * Lines of JSON as rows: each an object with the key and the columns among its members. What JSON has no
 * type for is text: dates (ISO 8601), integers beyond ±(2^53 − 1), bytes (Base64), NaN and infinities.
 */
import { OmenError } from '../errors.ts';
import { type ColumnType, type KeyType, ownColumns, type Schema } from '../schema/schema.ts';
import { show } from '../schema/show.ts';
import type { Mapping } from './record-batch.ts';
import { timeOfText } from './text-number.ts';

const INTEGER = /^[+-]?\d{1,20}$/;
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;

const NO_NUMBERS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

/** Texts that stand for values of other types. What is no such text is left to be refused. */
function converted(type: ColumnType | KeyType, value: unknown): unknown {
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
export type ReadJson = (line: string) => readonly [key: unknown, row: unknown];

/** What is returned throws OMEN_INVALID_ROW; a member too many is the encoder's to refuse. */
export function jsonReader(schema: Schema, { key = 'key', columns }: Mapping): ReadJson {
  const members = new Map(
    ownColumns(schema).map(({ name }) => [name, columns === undefined ? name : columns[name]]),
  );
  const known = new Set<unknown>([key, ...members.values()]);
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
    const rowKey = converted(schema.key, member(key));
    if (schema.value !== null) {
      const [{ name, type }] = schema.columns;
      const value = member(members.get(name));
      return [rowKey, schema.value === 'json' ? value : converted(type, value)];
    }
    const row: Record<string, unknown> = {};
    for (const { name, type } of ownColumns(schema)) {
      const value = member(members.get(name));
      if (value !== undefined) row[name] = converted(type, value);
    }
    return [rowKey, row];
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
