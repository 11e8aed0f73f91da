/** `omendb load`: files, or the standard input, into a database, all of it or nothing. */
import { type Command, Option } from 'commander';
import {
  type Database,
  type InferredSchema,
  inferSchema,
  type LoadOptions,
  type LoadReport,
  OmenError,
  type OpenOptions,
  open,
} from '../index.ts';
import {
  delimiterArgument,
  fieldArgument,
  mapArgument,
  several,
  timesArgument,
  wholeArgument,
} from './arguments.ts';
import type { Context } from './context.ts';
import { makeTemporary, type Trace, traceOf } from './directories.ts';
import { bytes, count, counted, duration, short } from './figures.ts';
import { inJson } from './key-text.ts';
import {
  addLoadOptions,
  completedSchema,
  type LoadArguments,
  loadOptionsOf,
  schemaOf,
  shapeOf,
} from './load-arguments.ts';
import { ProgressLine, progressLine } from './progress.ts';
import { Replay } from './replay.ts';

const EXAMPLES = `
A database that is not there yet is created, with the types that are given, or that the first
megabytes of the first file suggest:

  omendb load --db ./weather --key time 2025/*.csv
  omendb load --db ./weather --key time:timestamp --column celsius:float64 2025/*.csv
  zcat log.gz | omendb load --db ./log --key id --type zip:utf8 -

It is all there once the command has succeeded; before, or where it fails, nothing is.
Types of keys: int64 uint64 float64 timestamp utf8 binary; of columns, with "?" behind
where they may be null: int32 int64 float32 float64 bool timestamp utf8 binary.`;

export function addLoad(program: Command, context: Context): void {
  const command = program
    .command('load')
    .summary('load files into a database')
    .description(
      'Loads CSV, TSV, lines of JSON, Arrow or Parquet into a database, all of it or nothing.',
    )
    .argument('<files...>', 'files or patterns; text may be compressed by gzip or zstd; "-": stdin')
    .requiredOption('--db <directory>', 'the database')
    .option('--key <name:type>', 'the field that is the key, and its type', fieldArgument)
    .option(
      '--column <name:type>',
      'a column to load, and its type; again and again',
      several(fieldArgument),
    )
    .option(
      '--type <name:type>',
      'the type of a column of a new database, instead of the inferred one; again and again',
      several(fieldArgument),
    )
    .option('--shards <n>', 'shards of a new database (default: one a processor)', wholeArgument)
    .option(
      '--split <key>',
      'by range instead of by hash: where the next shard begins; again and again',
      several((text) => text),
    )
    .option('--by-range', 'by range, each shard with as much of what is loaded as any other')
    .option('--ttl <ms>', 'rows of a new database expire after so long', wholeArgument)
    .addOption(
      new Option('--format <name>', 'what the files are (default: by their names)').choices([
        'arrow',
        'csv',
        'tsv',
        'ndjson',
        'parquet',
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
      '--timestamps <[column=]format>',
      "how times are written, all or those of a column: s, ms, us, ns, iso, 'DD/MM/YYYY HH:mm:ss[.fff]'",
      several(timesArgument),
    )
    .option(
      '--map <column=field>',
      'where a column, or "key", comes from; again and again',
      several(mapArgument),
    );
  addLoadOptions(command)
    .addHelpText('after', EXAMPLES)
    .action((files: string[], given: LoadArguments) => load(files, given, context));
}

/** What is to be loaded: paths, or the standard input, which can be looked at first. */
type Source = readonly string[] | Replay;

/** An open database, and what is to be done about it in the end. */
interface Target {
  readonly db: Database;
  /** How it was created; null where it was there. */
  readonly created: OpenOptions | null;
  readonly inferred: InferredSchema | null;
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
  const source = sourceOf(files, context);
  const target = await openTarget(source, given, signal);
  let isDone = false;
  try {
    const { db, created } = target;
    if (created !== null) say(described(given, target, created));
    const progress = given.quiet === true ? null : new ProgressLine(context, progressLine);
    let report: LoadReport;
    try {
      report = await db.bulkLoad(source, {
        ...(await optionsOf(source, given, signal, target.inferred)),
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
      context.stdout.write(`${JSON.stringify({ db: given.db, ...schema, ...report }, inJson)}\n`);
    }
  } finally {
    await target.db.close();
    if (!isDone) target.undo?.remove();
  }
}

/** @throws OMEN_INVALID_OPTIONS */
function sourceOf(files: readonly string[], { stdin }: Context): Source {
  if (!files.includes('-')) return files;
  if (files.length === 1) return new Replay(stdin());
  throw new OmenError('OMEN_INVALID_OPTIONS', '"-", the standard input, stands alone.');
}

/** What the beginning of a source tells. @throws as `inferSchema` */
function infer(source: Source, given: LoadArguments, signal: AbortSignal): Promise<InferredSchema> {
  const { dryRun, rejects, ...options } = loadOptionsOf(given);
  const from = source instanceof Replay ? source.beginning() : source;
  return inferSchema(from, { ...options, signal });
}

/** How the source is to be read: as was told, else as its beginning suggests. */
async function optionsOf(
  source: Source,
  given: LoadArguments,
  signal: AbortSignal,
  before: InferredSchema | null,
): Promise<LoadOptions> {
  const options = loadOptionsOf(given);
  const isUnknown = source instanceof Replay && options.format === undefined;
  const inferred = before ?? (isUnknown ? await infer(source, given, signal) : null);
  if (inferred === null) return options;
  const { format, delimiter } = inferred;
  return {
    ...options,
    ...(isUnknown && { format }),
    ...(options.delimiter === undefined && format === 'csv' && { delimiter }),
  };
}

async function openTarget(
  source: Source,
  given: LoadArguments,
  signal: AbortSignal,
): Promise<Target> {
  const isTrial = given.dryRun === true;
  const told = schemaOf(given);
  try {
    const options = { ...told, createIfMissing: false, readOnly: isTrial };
    const db = await open(given.db, options);
    return { db, created: null, inferred: null, undo: null };
  } catch (error) {
    if (!(error instanceof OmenError) || error.code !== 'OMEN_NOT_FOUND') throw error;
  }
  const inferred = told === undefined ? await infer(source, given, signal) : null;
  const types = inferred === null ? told : completedSchema(given, inferred);
  const created = { ...types, ...shapeOf(given, types?.key) };
  const undo = isTrial ? makeTemporary() : { ...traceOf(given.db), path: given.db };
  try {
    return { db: await open(undo.path, created), created, inferred, undo };
  } catch (error) {
    undo.remove();
    throw error;
  }
}

function described(
  { db, dryRun }: LoadArguments,
  { inferred }: Target,
  { key, columns = {}, ttl }: OpenOptions,
): string {
  const does = dryRun === true ? 'Would create' : 'Creating';
  const from =
    inferred === null
      ? ''
      : inferred.rows > 0
        ? `, with types inferred from ${counted(inferred.rows, 'row')}`
        : ', with the types that the file says';
  const fields = Object.entries(columns).map(([name, type]) => `  ${name}: ${type}`);
  const ending = ttl === undefined ? [] : ['  rows may expire'];
  return [`${does} ${db}${from}`, `  key: ${key}`, ...fields, ...ending].join('\n');
}

function keyText(key: unknown): string {
  return typeof key === 'bigint' ? String(key) : JSON.stringify(inJson('', key));
}

/** What came of a load, for people. */
export function summary(
  report: LoadReport,
  { db, dryRun }: Pick<LoadArguments, 'db' | 'dryRun'>,
): string {
  const { rows, duplicates, existing, splits, rejected, ms } = report;
  const notes = [
    ...(duplicates > 0 ? [`${count(duplicates)} replaced by rows of the same key`] : []),
    ...(existing > 0
      ? [
          `${count(existing)} left out, as ${existing === 1 ? 'its key is' : 'their keys are'} there`,
        ]
      : []),
    ...(rejected > 0 ? [`${counted(rejected, 'bad row')} passed over`] : []),
  ];
  const rest = notes.length > 0 ? `; ${notes.join(', ')}` : '';
  const rate = `${short((1000 * rows) / Math.max(1, ms.total))} rows/s`;
  if (dryRun === true) {
    return `${counted(rows, 'row')} would be loaded${rest}. ${duration(ms.total)}, ${rate}. Nothing was changed.`;
  }
  const files = `${bytes(report.bytes)} on disk`;
  const divided = splits === null ? '' : ` Shards begin at ${splits.map(keyText).join(', ')}.`;
  return `${counted(rows, 'row')} loaded into ${db}${rest}. ${duration(ms.total)}, ${rate}, ${files}.${divided}`;
}
