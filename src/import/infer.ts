/** A schema for rows of which some are known. */
import { OmenError, type SchemaOptions } from '../index.ts';

/** What is known of columns beyond their values. */
export interface Hints {
  /** Types as the columns are declared; a name that is missing is judged by its values. */
  readonly types: Readonly<Record<string, string>>;
  readonly key?: string;
  /** Columns that cannot be null. */
  readonly required: readonly string[];
}

const INT64_MAX = 2n ** 63n - 1n;

/**
 * The type of values that all are of one; undefined where there is none for all of them.
 * @param isKey whether the values are keys: others are no unsigned integers, and may be bool
 */
function typeOf(values: readonly unknown[], isKey: boolean): string | undefined {
  const kinds = new Set(values.map(kindOf));
  const [kind] = kinds;
  const isMixed = kinds.size > 1;
  if (isMixed && [...kinds].some((one) => one !== 'integer' && one !== 'float')) return undefined;
  if (isMixed) return values.some((value) => typeof value === 'bigint') ? undefined : 'float64';
  switch (kind) {
    case 'integer': {
      const isUnsigned = values.some((value) => typeof value === 'bigint' && value > INT64_MAX);
      if (!isUnsigned) return 'int64';
      return isKey && values.every((value) => Number(value) >= 0) ? 'uint64' : undefined;
    }
    case 'float':
      return 'float64';
    case 'boolean':
      return isKey ? undefined : 'bool';
    case 'date':
      return 'timestamp';
    case 'text':
      return 'utf8';
    case 'bytes':
      return 'binary';
    default:
      return undefined;
  }
}

function kindOf(value: unknown): string {
  if (typeof value === 'bigint') return 'integer';
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'integer' : 'float';
  if (typeof value === 'string') return 'text';
  if (value instanceof Uint8Array) return 'bytes';
  return value instanceof Date ? 'date' : typeof value;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && !(value instanceof Uint8Array) && !(value instanceof Date);
}

/** @throws OMEN_INVALID_SOURCE */
export function inferSchema(
  sample: readonly (readonly [key: unknown, row: unknown])[],
  hints: Hints = { types: {}, required: [] },
): SchemaOptions {
  const fail = (message: string): never => {
    throw new OmenError('OMEN_INVALID_SOURCE', message);
  };
  const rows = sample.map(([, row]) => row);
  if (sample.length === 0 && Object.keys(hints.types).length === 0) {
    return fail('There are no rows to tell types from: give the options of the database yourself.');
  }
  const keys = sample.map(([key]) => key);
  const key =
    hints.key ??
    (sample.length === 0 ? undefined : typeOf(keys, true)) ??
    fail('The keys have no one type that a database takes: make it with the option "map".');
  if (rows.every(isRecord)) {
    const columns = columnsOf(rows, hints);
    if (columns !== null) return { key, columns };
  }
  const type = typeOf(rows, false);
  if (type === 'utf8' || type === 'binary') return { key, value: type };
  if (rows.every(isJson)) return { key, value: 'json' };
  return fail('The values have no one type that a database takes: make it with the option "map".');
}

/** Types of the columns by their names; null where values fit into no column. */
function columnsOf(
  rows: readonly Readonly<Record<string, unknown>>[],
  { types, required }: Hints,
): Readonly<Record<string, string>> | null {
  const names = new Set([...Object.keys(types), ...rows.flatMap((row) => Object.keys(row))]);
  const columns: [string, string][] = [];
  for (const name of names) {
    const values = rows
      .map((row) => row[name])
      .filter((value) => value !== null && value !== undefined);
    // Of a column that has nothing yet, text is what takes most.
    const type = types[name] ?? (values.length === 0 ? 'utf8' : typeOf(values, false));
    if (type === undefined) return null;
    columns.push([name, required.includes(name) ? type : `${type}?`]);
  }
  return columns.length === 0 ? null : Object.fromEntries(columns);
}

/** Whether JSON has all of it. */
function isJson(value: unknown): boolean {
  if (value === null || ['string', 'boolean', 'number'].includes(typeof value)) return true;
  if (Array.isArray(value)) return value.every(isJson);
  return isRecord(value) && Object.values(value).every((one) => one === undefined || isJson(one));
}
