/** `omendb load`: files, or the standard input, into a database, all of it or nothing. */
import { type Command, Option } from 'commander';
import { type Database, type LoadReport, OmenError, type OpenOptions, open } from '../index.ts';
import {
  bytesArgument,
  countArgument,
  delimiterArgument,
  fieldArgument,
  mapArgument,
  several,
  wholeArgument,
} from './arguments.ts';
import type { Context } from './context.ts';
import { makeTemporary, type Trace, traceOf } from './directories.ts';
import { bytes, count, counted, duration, short } from './figures.ts';
import { type LoadArguments, loadOptionsOf, schemaOf } from './load-arguments.ts';
import { ProgressLine, progressLine } from './progress.ts';

const EXAMPLES = `
A database that is not there yet is created, with the types that are given:

  omendb load --db ./weather --key time:timestamp --column celsius:float64 2025/*.csv
  zcat log.gz | omendb load --db ./log --format ndjson -

It is all there once the command has succeeded; before, or where it fails, nothing is.
Types of keys: int64 uint64 float64 timestamp utf8 binary; of columns, with "?" behind
where they may be null: int32 int64 float32 float64 bool timestamp utf8 binary.`;

export function addLoad(program: Command, context: Context): void {
  program
    .command('load')
    .summary('load files into a database')
    .description('Loads CSV, TSV, lines of JSON or Arrow into a database, all of it or nothing.')
    .argument('<files...>', 'files or patterns; text may be compressed by gzip or zstd; "-": stdin')
    .requiredOption('--db <directory>', 'the database')
    .option('--key <name:type>', 'the field that is the key, and its type', fieldArgument)
    .option(
      '--column <name:type>',
      'a column to load, and its type; again and again',
      several(fieldArgument),
    )
    .option('--shards <n>', 'shards of a new database (default: one a processor)', wholeArgument)
    .option('--ttl <ms>', 'rows of a new database expire after so long', wholeArgument)
    .addOption(
      new Option('--format <name>', 'what the files are (default: by their names)').choices([
        'arrow',
        'csv',
        'tsv',
        'ndjson',
      ]),
    )
    .option('--delimiter <char>', 'between two values of CSV', delimiterArgument)
    .option('--header <names>', 'names of the fields, where the file has none: a,b,c')
    .option('--no-header', 'the file names no fields: they are the key and the columns in order')
    .option(
      '--null <text>',
      'a value of CSV that is null; again and again (default: "")',
      several((text) => text),
    )
    .option(
      '--map <column=field>',
      'where a column, or "key", comes from; again and again',
      several(mapArgument),
    )
    .addOption(
      new Option('--on-duplicate <which>', 'of rows with one key, the one to load').choices([
        'last',
        'first',
        'error',
      ]),
    )
    .option('--max-errors <n>', 'bad rows to pass over, or "all" (default: 0)', countArgument)
    .option('--rejects <file>', 'a file to be made, of bad rows and what is wrong with them')
    .option('--memory <size>', 'what rows may take on their way, such as 512MB', bytesArgument)
    .option('--dry-run', 'read and check everything, load nothing')
    .option('--json', 'report as JSON on stdout')
    .option('--quiet', 'no progress and no report, errors alone')
    .addHelpText('after', EXAMPLES)
    .action((files: string[], given: LoadArguments) => load(files, given, context));
}

/** An open database, and what is to be done about it in the end. */
interface Target {
  readonly db: Database;
  /** How it was created; null where it was there. */
  readonly created: OpenOptions | null;
  /** Removes what this run has made. */
  readonly undo: Trace | null;
}

async function load(
  files: readonly string[],
  given: LoadArguments,
  context: Context,
): Promise<void> {
  const { signal, stderr } = context;
  const say = (text: string): void => {
    if (given.quiet !== true) stderr.write(`${text}\n`);
  };
  const target = await openTarget(given);
  let isDone = false;
  try {
    const { db, created } = target;
    if (created !== null) say(described(given, created));
    const progress = given.quiet === true ? null : new ProgressLine(context, progressLine);
    let report: LoadReport;
    try {
      report = await db.bulkLoad(sourceOf(files, context), {
        ...loadOptionsOf(given),
        onProgress: (step) => progress?.at(step),
        signal,
      });
    } finally {
      progress?.end();
    }
    say(summary(report, given));
    isDone = given.dryRun !== true;
    if (given.json === true) {
      const schema = created === null ? {} : { created };
      context.stdout.write(`${JSON.stringify({ db: given.db, ...schema, ...report })}\n`);
    }
  } finally {
    await target.db.close();
    if (!isDone) target.undo?.remove();
  }
}

/** @throws OMEN_INVALID_OPTIONS */
function sourceOf(
  files: readonly string[],
  { stdin }: Context,
): Parameters<Database['bulkLoad']>[0] {
  if (!files.includes('-')) return files;
  if (files.length === 1) return stdin();
  throw new OmenError('OMEN_INVALID_OPTIONS', '"-", the standard input, stands alone.');
}

async function openTarget(given: LoadArguments): Promise<Target> {
  const isTrial = given.dryRun === true;
  const schema = schemaOf(given);
  const existing = schema.columns !== undefined && schema.key !== undefined ? schema : {};
  try {
    const options = { ...existing, createIfMissing: false, readOnly: isTrial };
    return { db: await open(given.db, options), created: null, undo: null };
  } catch (error) {
    if (!(error instanceof OmenError) || error.code !== 'OMEN_NOT_FOUND') throw error;
  }
  if (schema.key === undefined || schema.columns === undefined) {
    const message = `There is no database in ${given.db}. To create one, give the types: --key NAME:TYPE --column NAME:TYPE …`;
    throw new OmenError('OMEN_INVALID_OPTIONS', message);
  }
  const undo = isTrial ? makeTemporary() : { ...traceOf(given.db), path: given.db };
  try {
    return { db: await open(undo.path, schema), created: schema, undo };
  } catch (error) {
    undo.remove();
    throw error;
  }
}

function described({ db, dryRun }: LoadArguments, { key, columns = {} }: OpenOptions): string {
  const fields = Object.entries(columns).map(([name, type]) => `  ${name}: ${type}`);
  const does = dryRun === true ? 'Would create' : 'Creating';
  return [`${does} ${db}`, `  key: ${key}`, ...fields].join('\n');
}

function summary(report: LoadReport, { db, dryRun }: LoadArguments): string {
  const { rows, duplicates, rejected, ms } = report;
  const notes = [
    ...(duplicates > 0 ? [`${count(duplicates)} replaced by rows of the same key`] : []),
    ...(rejected > 0 ? [`${counted(rejected, 'bad row')} passed over`] : []),
  ];
  const rest = notes.length > 0 ? `; ${notes.join(', ')}` : '';
  const rate = `${short((1000 * rows) / Math.max(1, ms.total))} rows/s`;
  if (dryRun === true) {
    return `${counted(rows, 'row')} would be loaded${rest}. ${duration(ms.total)}, ${rate}. Nothing was changed.`;
  }
  const files = `${bytes(report.bytes)} on disk`;
  return `${counted(rows, 'row')} loaded into ${db}${rest}. ${duration(ms.total)}, ${rate}, ${files}.`;
}
