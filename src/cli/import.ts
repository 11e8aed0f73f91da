/** `omendb import`: rows of another database into one of ours, all of them or none. */
import { type Command, Option } from 'commander';
import type { ImportSource } from '../import.ts';
import {
  type Database,
  type LoadOptions,
  type LoadReport,
  OmenError,
  open,
  type SchemaOptions,
} from '../index.ts';
import { wholeArgument } from './arguments.ts';
import type { Context } from './context.ts';
import { makeTemporary, type Trace, traceOf } from './directories.ts';
import { inJson } from './key-text.ts';
import { summary } from './load.ts';
import { addLoadOptions } from './load-arguments.ts';
import { ProgressLine, progressLine } from './progress.ts';

const EXAMPLES = `
A database that is not there yet is created, with types that are told from the rows:

  omendb import --db ./users --from sqlite --table users app.sqlite
  omendb import --db ./logs --from lmdb --name logs ./lmdb
  omendb import --db ./texts --from level --values json ./level

LMDB needs the package lmdb, LevelDB the package classic-level: npm install lmdb.`;

/** As commander gives them. */
interface ImportArguments
  extends Pick<LoadOptions, 'onDuplicate' | 'onExisting' | 'maxErrors' | 'rejects' | 'memory'> {
  readonly db: string;
  readonly from: 'lmdb' | 'level' | 'sqlite';
  readonly name?: string;
  readonly table?: string;
  readonly sql?: string;
  readonly key?: string;
  readonly keys?: string;
  readonly values?: string;
  readonly shards?: number;
  readonly ttl?: number;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export function addImport(program: Command, context: Context): void {
  const command = program
    .command('import')
    .summary('load rows of LMDB, LevelDB or SQLite into a database')
    .description('Loads all rows of a database of another kind, as they are at one instant.')
    .argument('<path>', 'the directory or file of the other database')
    .requiredOption('--db <directory>', 'the database')
    .addOption(
      new Option('--from <kind>', 'what the other database is')
        .choices(['lmdb', 'level', 'sqlite'])
        .makeOptionMandatory(),
    )
    .option('--table <name>', 'of SQLite, the table or view (default: the one that there is)')
    .option('--sql <query>', 'of SQLite, a query instead')
    .option('--key <column>', 'of SQLite, the column that is the key (default: the primary key)')
    .option('--name <name>', 'of LMDB, the database within that has this name')
    .option('--keys <encoding>', 'of LMDB and LevelDB, how keys are written')
    .option('--values <encoding>', 'and values: say json, utf8 or binary')
    .option('--shards <n>', 'shards of a new database (default: one a processor)', wholeArgument)
    .option('--ttl <ms>', 'rows of a new database expire after so long', wholeArgument);
  addLoadOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((path: string, given: ImportArguments) => importFrom(path, given, context));
}

/** Options of `import` that are of one kind of database, or of two. */
const KINDS = {
  ...{ table: ['sqlite'], sql: ['sqlite'], key: ['sqlite'], name: ['lmdb'] },
  ...{ keys: ['lmdb', 'level'], values: ['lmdb', 'level'] },
} as const;

/** @throws OMEN_INVALID_OPTIONS */
async function sourceOf(path: string, given: ImportArguments): Promise<ImportSource> {
  for (const [name, kinds] of Object.entries(KINDS)) {
    const isGiven = given[name as keyof typeof KINDS] !== undefined;
    if (!isGiven || (kinds as readonly string[]).includes(given.from)) continue;
    const message = `--${name} is of ${kinds.join(' and ')}, not of ${given.from}.`;
    throw new OmenError('OMEN_INVALID_OPTIONS', message);
  }
  const { table, sql, key, name, keys, values } = given;
  const { fromLevel, fromLmdb, fromSqlite } = await import('../import.ts');
  const told = (options: object) =>
    Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const encodings = told({ keyEncoding: keys, valueEncoding: values });
  if (given.from === 'sqlite') return fromSqlite(path, told({ table, sql, key }));
  if (given.from === 'level') return fromLevel(path, encodings);
  return fromLmdb(path, told({ name, keyEncoding: keys, encoding: values }));
}

interface Target {
  readonly db: Database;
  /** How it was created; null where it was there. */
  readonly created: SchemaOptions | null;
  /** Removes what this run has made. */
  readonly undo: Trace | null;
}

async function openTarget(source: ImportSource, given: ImportArguments): Promise<Target> {
  const isTrial = given.dryRun === true;
  try {
    const db = await open(given.db, { createIfMissing: false, readOnly: isTrial });
    return { db, created: null, undo: null };
  } catch (error) {
    if (!(error instanceof OmenError) || error.code !== 'OMEN_NOT_FOUND') throw error;
  }
  const { shards, ttl } = given;
  const created = { ...(await source.schema()), ...(ttl !== undefined && { ttl }) };
  const undo = isTrial ? makeTemporary() : { ...traceOf(given.db), path: given.db };
  try {
    const options = { ...created, ...(shards !== undefined && { shards }) };
    return { db: await open(undo.path, options), created, undo };
  } catch (error) {
    undo.remove();
    throw error;
  }
}

async function importFrom(path: string, given: ImportArguments, context: Context): Promise<void> {
  const { signal, stderr, stdout } = context;
  const say = (text: string): void => {
    if (given.quiet !== true) stderr.write(`${text}\n`);
  };
  const source = await sourceOf(path, given);
  const { db, created, undo } = await openTarget(source, given);
  const { onDuplicate, onExisting, maxErrors, rejects, memory, dryRun } = given;
  let isDone = false;
  try {
    if (created !== null) say(described(given, created));
    const progress = given.quiet === true ? null : new ProgressLine(context, progressLine);
    let report: LoadReport;
    try {
      report = await db.bulkLoad(source, {
        ...{ onDuplicate, onExisting, maxErrors, rejects, memory, dryRun, signal },
        onProgress: (step) => progress?.at(step),
      });
    } finally {
      progress?.end();
    }
    say(summary(report, given));
    isDone = dryRun !== true;
    if (given.json === true) {
      const schema = created === null ? {} : { created };
      stdout.write(`${JSON.stringify({ db: given.db, ...schema, ...report }, inJson)}\n`);
    }
  } finally {
    await db.close();
    if (!isDone) undo?.remove();
  }
}

function described({ db, dryRun }: ImportArguments, schema: SchemaOptions): string {
  const { key, columns, value } = schema;
  const does = dryRun === true ? 'Would create' : 'Creating';
  const fields = Object.entries(columns ?? { value }).map(([name, type]) => `  ${name}: ${type}`);
  return [`${does} ${db}`, `  key: ${key}`, ...fields].join('\n');
}
