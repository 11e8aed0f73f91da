/** What `omendb load` is told, as options of `open` and of `bulkLoad`. */
import { type Command, Option } from 'commander';
import {
  type InferredSchema,
  type LoadFormat,
  type LoadOptions,
  OmenError,
  type OpenOptions,
} from '../index.ts';
import { bytesArgument, countArgument, type Field, numbered } from './arguments.ts';
import { keyOf } from './key-text.ts';

/** As commander gives them. */
export interface LoadArguments {
  readonly db: string;
  readonly key?: Field;
  readonly column?: readonly Field[];
  readonly type?: readonly Field[];
  readonly shards?: number;
  /** Keys where the shards behind the first begin, as text. */
  readonly split?: readonly string[];
  /** Whether these are to be told from what is loaded. */
  readonly byRange?: boolean;
  readonly ttl?: number;
  readonly format?: LoadFormat;
  readonly delimiter?: string;
  /** False: there is none; else the names of the fields, with commas between them. */
  readonly header?: string | false;
  readonly null?: readonly string[];
  /** A format of all times, or of those of a column. */
  readonly timestamps?: readonly (string | readonly [column: string, format: string])[];
  readonly map?: readonly (readonly [column: string, field: string | number])[];
  readonly onDuplicate?: 'last' | 'first' | 'error';
  readonly onExisting?: 'replace' | 'keep' | 'error';
  readonly maxErrors?: number;
  readonly rejects?: string;
  readonly memory?: number;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Adds the options that every command has which loads rows. */
export function addLoadOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--on-duplicate <which>', 'of rows with one key, the one to load').choices([
        'last',
        'first',
        'error',
      ]),
    )
    .addOption(
      new Option('--on-existing <what>', 'what a row does whose key is there already').choices([
        'replace',
        'keep',
        'error',
      ]),
    )
    .option('--max-errors <n>', 'bad rows to pass over, or "all" (default: 0)', countArgument)
    .option('--rejects <file>', 'a file to be made, of bad rows and what is wrong with them')
    .option('--memory <size>', 'what rows may take on their way, such as 512MB', bytesArgument)
    .option('--dry-run', 'read and check everything, load nothing')
    .option('--json', 'report as JSON on stdout')
    .option('--quiet', 'no progress and no report, errors alone');
}

/** How the source is to be read. */
export function loadOptionsOf(given: LoadArguments): LoadOptions {
  const { format, delimiter, header, onDuplicate, onExisting } = given;
  const { maxErrors, rejects, memory, dryRun } = given;
  return {
    ...{ format, delimiter, onDuplicate, onExisting, maxErrors, rejects, memory, dryRun },
    ...(header !== undefined && { header: header === false ? false : header.split(',') }),
    nulls: given.null,
    timestamps: timesOf(given),
    ...mappingOf(given),
  };
}

/** @throws OMEN_INVALID_OPTIONS for a format of all times beside those of columns */
function timesOf({ timestamps = [] }: LoadArguments): LoadOptions['timestamps'] {
  const [first] = timestamps;
  if (typeof first === 'string' && timestamps.length === 1) return first;
  const pairs = timestamps.map((one) => {
    if (typeof one !== 'string') return one;
    const message = `--timestamps ${one} is for all times: it stands alone.`;
    throw new OmenError('OMEN_INVALID_OPTIONS', message);
  });
  return pairs.length > 0 ? Object.fromEntries(pairs) : undefined;
}

/** Columns that are named, by --column or --map, are the only ones that are loaded. */
function mappingOf({ key, column = [], map = [] }: LoadArguments): LoadOptions {
  const columns = Object.fromEntries([...column.map(({ name }) => [name, name]), ...map]);
  const { key: mapped, ...others } = columns;
  const field = mapped ?? (key === undefined ? undefined : numbered(key.name));
  const isNamed = Object.keys(others).length > 0;
  return { key: field, ...(isNamed && { columns: others }) };
}

/** A database that is to be created, where all of its types were told; else undefined. */
export function schemaOf({ key, column = [], type = [] }: LoadArguments): OpenOptions | undefined {
  const types = new Map(type.map((field) => [field.name, field.type]));
  const columns = column.map(({ name, type }) => [name, type ?? types.get(name)] as const);
  const isWhole = columns.length > 0 && columns.every(([, type]) => type !== undefined);
  if (key?.type === undefined || !isWhole) return undefined;
  return { key: key.type, columns: Object.fromEntries(columns) as Record<string, string> };
}

/** The same, with the types that a sample has where none were told. */
export function completedSchema(given: LoadArguments, inferred: InferredSchema): OpenOptions {
  const { key, column = [], type = [] } = given;
  const { ttl } = inferred;
  const told = [...column, ...type].flatMap(({ name, type }) => (type ? [[name, type]] : []));
  const columns = { ...inferred.columns, ...Object.fromEntries(told) };
  return { key: key?.type ?? inferred.key, columns, ...(ttl !== undefined && { ttl }) };
}

/**
 * What a new database is beside its types.
 * @param key the type of its keys
 * @throws OMEN_INVALID_KEY; OMEN_INVALID_OPTIONS for splits that are given, and to be told
 */
export function shapeOf(
  { shards, split, byRange, ttl }: LoadArguments,
  key: OpenOptions['key'],
): OpenOptions {
  if (split !== undefined && byRange === true) {
    throw new OmenError(
      'OMEN_INVALID_OPTIONS',
      '--by-range finds the keys that --split gives: use one.',
    );
  }
  const splits = split?.map((text) => keyOf(key, text, '--split'));
  return {
    ...(splits !== undefined && { shards: splits.length + 1, partition: { splits } }),
    ...(byRange === true && { partition: 'range' }),
    // One that contradicts the splits is refused.
    ...(shards !== undefined && { shards }),
    ...(ttl !== undefined && { ttl }),
  };
}
