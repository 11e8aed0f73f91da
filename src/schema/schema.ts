/**
 * What a database holds: the type of its keys, and either named columns or one bare value.
 * A schema is fixed for the life of the data. It is plain data: it crosses threads and stands in
 * `omendb.json` as it is.
 */
import { OmenError } from '../errors.ts';
import { show } from './show.ts';

export const FIXED_KEY_TYPES = ['int64', 'uint64', 'float64', 'timestamp'] as const;
export const KEY_TYPES = [...FIXED_KEY_TYPES, 'utf8', 'binary'] as const;
export const COLUMN_TYPES = [
  'int32',
  'int64',
  'float32',
  'float64',
  'bool',
  'timestamp',
  'utf8',
  'binary',
] as const;
export const VALUE_TYPES = ['json', 'utf8', 'binary'] as const;

export type FixedKeyType = (typeof FIXED_KEY_TYPES)[number];
export type KeyType = (typeof KEY_TYPES)[number];
export type ColumnType = (typeof COLUMN_TYPES)[number];
export type ValueType = (typeof VALUE_TYPES)[number];

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
}

/**
 * In key-value mode `value` names the type of the bare value, and `columns` is its one column. Where rows
 * may expire, EXPIRES_COLUMN comes last among the columns (`ownColumns` are those before it).
 */
export interface Schema {
  readonly key: KeyType;
  readonly columns: readonly Column[];
  readonly value: ValueType | null;
  /**
   * Only where rows may expire: how many milliseconds after its write a row does, unless the write says
   * otherwise; true: it does not, unless the write says so.
   */
  readonly ttl?: number | true;
}

/** The column that says when a row expires, in milliseconds since 1970; null: it does not. */
export const EXPIRES_COLUMN = '_omen_expires';
/** So long may rows live: from today on that is always a time which a Date can hold. */
export const TTL_MS_MAX = 2 ** 52;

/** The part of `open`'s options that describes the data: `columns: { name: 'type' | 'type?' }`. */
export interface SchemaOptions {
  readonly key?: string;
  readonly columns?: Readonly<Record<string, string>>;
  readonly value?: string;
  readonly ttl?: boolean | number;
}

const COLUMNS_MAX = 1024;
/** The key's field in Arrow files, the prefix of ours, and a name that no plain object can carry. */
const isReserved = (name: string): boolean =>
  name === 'key' || name.startsWith('_omen_') || name === '__proto__';

function invalid(message: string): OmenError {
  return new OmenError('OMEN_INVALID_OPTIONS', message);
}

function oneOf<T extends string>(list: readonly T[], text: unknown, what: string): T {
  const found = list.find((entry) => entry === text);
  if (found === undefined) {
    throw invalid(`${what} is ${show(text)}; use one of ${list.join(', ')}.`);
  }
  return found;
}

function parseColumn(name: string, declared: unknown): Column {
  if (name === '' || !name.isWellFormed() || isReserved(name)) {
    throw invalid(
      `The column name ${JSON.stringify(name)} is not available: "key" is the key's own, ` +
        '"_omen_…" is reserved, and a name is a non-empty well-formed string.',
    );
  }
  const nullable = typeof declared === 'string' && declared.endsWith('?');
  const bare = nullable ? declared.slice(0, -1) : declared;
  const type = oneOf(COLUMN_TYPES, bare, `The type of column "${name}"`);
  return { name, type, nullable };
}

function parseTtl(ttl: unknown): number | true | null {
  if (ttl === undefined || ttl === false) return null;
  if (ttl === true || isTtl(ttl)) return ttl;
  throw invalid(
    `The option "ttl" is true (rows may expire) or whole milliseconds from 1 on, not ${show(ttl)}.`,
  );
}

/** Whether rows may live so long: whole milliseconds, one at least. */
export function isTtl(ttl: unknown): ttl is number {
  return typeof ttl === 'number' && Number.isInteger(ttl) && ttl >= 1 && ttl <= TTL_MS_MAX;
}

/**
 * Reads a schema from the options of `open`.
 * @throws OMEN_INVALID_OPTIONS for an unknown type, a reserved name, both `columns` and `value`, or a
 *   `ttl` that is no time.
 */
export function parseSchema(options: SchemaOptions): Schema {
  const schema = parseOwn(options);
  const ttl = parseTtl(options.ttl);
  if (ttl === null) return schema;
  const expires: Column = { name: EXPIRES_COLUMN, type: 'timestamp', nullable: true };
  return { ...schema, columns: [...schema.columns, expires], ttl };
}

/** The columns that a row's writer gives, without the one that says when it expires. */
export function ownColumns({ columns, ttl }: Schema): readonly Column[] {
  return ttl === undefined ? columns : columns.slice(0, -1);
}

/** The number of the column that says when rows expire, or −1. */
export function expiresColumn({ columns, ttl }: Schema): number {
  return ttl === undefined ? -1 : columns.length - 1;
}

function parseOwn(options: SchemaOptions): Schema {
  const key = oneOf(KEY_TYPES, options.key, 'The option "key"');
  if ((options.columns === undefined) === (options.value === undefined)) {
    throw invalid('Give either "columns" (named, typed columns) or "value" (a bare value a key).');
  }
  if (options.value !== undefined) {
    const value = oneOf(VALUE_TYPES, options.value, 'The option "value"');
    const type = value === 'binary' ? 'binary' : 'utf8';
    return { key, columns: [{ name: 'value', type, nullable: false }], value };
  }
  if (
    options.columns === null ||
    typeof options.columns !== 'object' ||
    Array.isArray(options.columns)
  ) {
    throw invalid('The option "columns" is an object of names and types.');
  }
  const entries = Object.entries(options.columns);
  if (entries.length === 0 || entries.length > COLUMNS_MAX) {
    throw invalid(`A database has 1 to ${COLUMNS_MAX} columns; ${entries.length} were given.`);
  }
  return { key, columns: entries.map(([name, type]) => parseColumn(name, type)), value: null };
}

/** The options that `parseSchema` turns back into an equal schema; what `omendb.json` holds. */
export function schemaOptions(schema: Schema): SchemaOptions {
  const { key, value, ttl } = schema;
  const ending = ttl === undefined ? {} : { ttl };
  if (value !== null) return { key, value, ...ending };
  const columns: Record<string, string> = {};
  for (const column of ownColumns(schema)) {
    columns[column.name] = column.nullable ? `${column.type}?` : column.type;
  }
  return { key, columns, ...ending };
}

/** Whether values of a column, or keys, differ in length. */
export function isVariable(type: ColumnType | KeyType): boolean {
  return type === 'utf8' || type === 'binary';
}
