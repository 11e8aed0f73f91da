/** What `omendb load` is told, as options of `open` and of `bulkLoad`. */
import type { LoadFormat, LoadOptions, OpenOptions } from '../index.ts';
import { type Field, numbered } from './arguments.ts';

/** As commander gives them. */
export interface LoadArguments {
  readonly db: string;
  readonly key?: Field;
  readonly column?: readonly Field[];
  readonly shards?: number;
  readonly ttl?: number;
  readonly format?: LoadFormat;
  readonly delimiter?: string;
  /** False: there is none; else the names of the fields, with commas between them. */
  readonly header?: string | false;
  readonly null?: readonly string[];
  readonly map?: readonly (readonly [column: string, field: string | number])[];
  readonly onDuplicate?: 'last' | 'first' | 'error';
  readonly maxErrors?: number;
  readonly rejects?: string;
  readonly memory?: number;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** How the source is to be read. */
export function loadOptionsOf(given: LoadArguments): LoadOptions {
  const { format, delimiter, header, onDuplicate, maxErrors, rejects, memory, dryRun } = given;
  return {
    ...{ format, delimiter, onDuplicate, maxErrors, rejects, memory, dryRun },
    ...(header !== undefined && { header: header === false ? false : header.split(',') }),
    nulls: given.null,
    ...mappingOf(given),
  };
}

/** Columns that are named, by --column or --map, are the only ones that are loaded. */
function mappingOf({ key, column = [], map = [] }: LoadArguments): LoadOptions {
  const columns = Object.fromEntries([...column.map(({ name }) => [name, name]), ...map]);
  const { key: mapped, ...others } = columns;
  const field = mapped ?? (key === undefined ? undefined : numbered(key.name));
  const isNamed = Object.keys(others).length > 0;
  return { key: field, ...(isNamed && { columns: others }) };
}

/** What describes a database that is to be created, as far as it was told. */
export function schemaOf({ key, column, shards, ttl }: LoadArguments): OpenOptions {
  const types = column?.map(({ name, type }) => [name, type]) ?? [];
  const isWhole = types.length > 0 && types.every(([, type]) => type !== undefined);
  return {
    key: key?.type,
    ...(isWhole && { columns: Object.fromEntries(types) }),
    ...(shards !== undefined && { shards }),
    ...(ttl !== undefined && { ttl }),
  };
}
