/**
 * Arrow record batches of anybody as rows of a database: which field is the key and which are the columns,
 * and how a value of one Arrow type is given to a column of another.
 */
import type { Schema as ArrowSchema, DataType, RecordBatch, Vector } from 'apache-arrow';
import { OmenError } from '../errors.ts';
import {
  type ColumnType,
  expiresColumn,
  type KeyType,
  ownColumns,
  type Schema,
} from '../schema/schema.ts';
import { show } from '../schema/show.ts';
import { DECIMAL, TIMESTAMP } from './batch-columns.ts';

/** Which fields of a source are the key and the columns of the database: by name, or by number from 0. */
export interface Mapping {
  /** Default: the field named "key". */
  readonly key?: string | number | undefined;
  /** Column by column. Default: the field of the same name, and no others; with it, others are passed over. */
  readonly columns?: Readonly<Record<string, string | number>> | undefined;
}

/** Where in a row of a source the key and the columns are; −1: a column that is left out, and is null. */
export interface Places {
  readonly key: number;
  readonly columns: readonly number[];
}

/**
 * @param names of the fields of the source, in their order
 * @throws OMEN_UNKNOWN_COLUMN, OMEN_MISSING_COLUMN
 */
export function placesOf(schema: Schema, names: readonly string[], mapping: Mapping): Places {
  const has = `The source has ${names.map((name) => JSON.stringify(name)).join(', ') || 'no fields'}.`;
  const placeOf = (field: string | number): number => {
    if (typeof field === 'string') return names.indexOf(field);
    return field < names.length ? field : -1;
  };
  for (const name of Object.keys(mapping.columns ?? {})) {
    if (schema.columns.some((column) => column.name === name)) continue;
    throw new OmenError('OMEN_UNKNOWN_COLUMN', `There is no column ${JSON.stringify(name)}.`);
  }
  const keyField = mapping.key ?? 'key';
  const key = placeOf(keyField);
  if (key < 0) {
    const message = `No field ${JSON.stringify(keyField)} for the key. ${has} Name it with the option "key".`;
    throw new OmenError('OMEN_MISSING_COLUMN', message);
  }
  const columns = schema.columns.map(({ name, type, nullable }) => {
    const field = mapping.columns === undefined ? name : mapping.columns[name];
    const place = field === undefined ? -1 : placeOf(field);
    if (place >= 0 || (nullable && (field === undefined || field === name))) return place;
    const hint = field === undefined || nullable ? '' : ` Declare it "${type}?" to leave it out.`;
    const message = `No field ${JSON.stringify(field ?? name)} for the column ${JSON.stringify(name)}. ${has}${hint}`;
    throw new OmenError('OMEN_MISSING_COLUMN', message);
  });
  const strangers = names.filter((_, i) => i !== key && !columns.includes(i));
  if (mapping.columns === undefined && strangers.length > 0) {
    const message =
      `There is no column ${JSON.stringify(strangers[0])}. ` +
      'Name the fields to load with the option "columns", to pass over the others.';
    throw new OmenError('OMEN_UNKNOWN_COLUMN', message);
  }
  return { key, columns };
}

/** How rows of batches with one schema are read. */
export interface BatchFields {
  readonly schema: ArrowSchema;
  readonly places: Places;
  rowsOf(batch: RecordBatch): {
    key(row: number): unknown;
    row(row: number): unknown;
    expiresMs(row: number): number | null | undefined;
  };
}

/** @throws as `placesOf` */
export function fieldsOf(schema: Schema, source: ArrowSchema, mapping: Mapping): BatchFields {
  const places = placesOf(
    schema,
    source.fields.map(({ name }) => name),
    mapping,
  );
  return {
    schema: source,
    places,
    rowsOf: (batch) => {
      const key = batch.getChildAt(places.key);
      const columns = places.columns.map((place) => (place < 0 ? null : batch.getChildAt(place)));
      const expires = expiresColumn(schema);
      const readers = schema.columns.map(({ type }, i) => readerOf(type, columns[i]));
      const cell = (column: number, row: number): unknown =>
        readers[column](columns[column]?.get(row) ?? null);
      const keyOf = readerOf(schema.key, key);
      return {
        key: (row) => keyOf(key?.get(row)),
        row: (row) => {
          if (schema.value !== null) {
            const value = cell(0, row);
            return schema.value === 'json' ? parsed(value) : value;
          }
          const fields: Record<string, unknown> = {};
          for (const [i, { name }] of ownColumns(schema).entries()) fields[name] = cell(i, row);
          return fields;
        },
        expiresMs: (row) =>
          expires < 0 || places.columns[expires] < 0 ? undefined : expiryTimeOf(cell(expires, row)),
      };
    },
  };
}

/** How a value of a vector is given to a column of a type: times are whole milliseconds, decimals numbers. */
function readerOf(type: ColumnType | KeyType, vector: Vector | null): (value: unknown) => unknown {
  const arrow = vector?.type as (DataType & { readonly scale?: number }) | undefined;
  if (arrow?.typeId === TIMESTAMP && type === 'timestamp') {
    return (value) => (typeof value === 'number' ? Math.floor(value) : value);
  }
  if (arrow?.typeId === DECIMAL && (type === 'float64' || type === 'float32')) {
    return (value) => (value === null ? null : Number(`${value}e-${arrow.scale ?? 0}`));
  }
  return (value) => converted(type, value);
}

/** Arrow's integers of 64 bits are bigints, also where they go into a column of numbers. */
function converted(type: ColumnType | KeyType, value: unknown): unknown {
  if (typeof value !== 'bigint' || type === 'int64' || type === 'uint64') return value;
  const number = Number(value);
  return BigInt(number) === value ? number : value;
}

/** When a row expires, as a source says it; null: never. @throws OMEN_INVALID_EXPIRY */
export function expiryTimeOf(value: unknown): number | null {
  if (value === null || Number.isSafeInteger(value)) return value as number | null;
  throw new OmenError('OMEN_INVALID_EXPIRY', `A row expires at a time, not at ${show(value)}.`);
}

function parsed(value: unknown): unknown {
  try {
    return JSON.parse(String(value));
  } catch (error) {
    throw new OmenError('OMEN_INVALID_ROW', 'The value is not JSON.', { cause: error });
  }
}
