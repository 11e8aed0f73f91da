/** `omendb export`: rows of a database, to a file or the standard output. */
import { type Command, Option } from 'commander';
import { type Database, type ExportOptions, type ExportReport, OmenError, open } from '../index.ts';
import { delimiterArgument, wholeArgument } from './arguments.ts';
import type { Context } from './context.ts';
import { bytes, counted, duration, short } from './figures.ts';
import { keyOf } from './key-text.ts';
import { exportLine, ProgressLine } from './progress.ts';

const EXAMPLES = `
The name of the file tells its format, .gz or .zst behind it how it is compressed:

  omendb export --db ./weather --gte 2026-01-01 --lt 2026-02-01 january.parquet
  omendb export --db ./weather --columns key,celsius --format csv - | head

Rows are as they are at one instant, in the order of their keys. The file is there when it is whole.
Keys are digits, dates (ISO 8601, or milliseconds), texts, or bytes as Base64.`;

/** As commander gives them. */
interface ExportArguments {
  readonly db: string;
  readonly gt?: string;
  readonly gte?: string;
  readonly lt?: string;
  readonly lte?: string;
  readonly limit?: number;
  readonly reverse?: boolean;
  readonly columns?: string;
  readonly format?: ExportOptions['format'];
  readonly compress?: ExportOptions['compress'];
  readonly delimiter?: string;
  /** False where that was asked for, else true. */
  readonly header: boolean;
  readonly expires: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

const STDOUT = '-';

export function addExport(program: Command, context: Context): void {
  program
    .command('export')
    .summary('write rows of a database to a file')
    .description('Writes rows of a database as CSV, TSV, lines of JSON, Arrow or Parquet.')
    .argument('<file>', 'the file to be made; "-": stdout')
    .requiredOption('--db <directory>', 'the database')
    .option('--gt <key>', 'rows behind this key')
    .option('--gte <key>', 'rows from this key on')
    .option('--lt <key>', 'rows before this key')
    .option('--lte <key>', 'rows up to this key')
    .option('--limit <n>', 'so many rows at most', wholeArgument)
    .option('--reverse', 'from the last key to the first')
    .option('--columns <names>', 'which fields, "key" among them, in this order: key,a,b')
    .addOption(
      new Option('--format <name>', 'what to write (default: by the name)').choices([
        'csv',
        'tsv',
        'ndjson',
        'arrow',
        'arrows',
        'parquet',
      ]),
    )
    .addOption(
      new Option('--compress <name>', 'compress text, or the pages of Parquet').choices([
        'gzip',
        'zstd',
      ]),
    )
    .option('--delimiter <char>', 'between two values of CSV', delimiterArgument)
    .option('--no-header', 'no names of fields in CSV')
    .option('--no-expires', 'leave out when rows expire')
    .option('--force', 'replace a file that is there')
    .option('--json', 'report as JSON on stdout')
    .option('--quiet', 'no progress and no report, errors alone')
    .addHelpText('after', EXAMPLES)
    .action((file: string, given: ExportArguments) => exportTo(file, given, context));
}

async function exportTo(file: string, given: ExportArguments, context: Context): Promise<void> {
  const { stderr, stdout, signal } = context;
  if (file === STDOUT && given.json === true) {
    const message = 'With "-" the rows go to stdout, where --json would put its report.';
    throw new OmenError('OMEN_INVALID_OPTIONS', message);
  }
  await using db: Database = await open(given.db, { createIfMissing: false, readOnly: true });
  const progress = given.quiet === true ? null : new ProgressLine(context, exportLine);
  let report: ExportReport;
  try {
    report = await db.export(file === STDOUT ? context.binary() : file, {
      ...exportOptionsOf(db, given),
      ...(progress !== null && { onProgress: (step) => progress.at(step) }),
      signal,
    });
  } finally {
    progress?.end();
  }
  if (given.quiet !== true) {
    const { rows, ms } = report;
    const rate = `${short((1000 * rows) / Math.max(1, ms))} rows/s`;
    const where = file === STDOUT ? '' : ` to ${file}`;
    const figures = `${duration(ms)}, ${rate}, ${bytes(report.bytes)}`;
    stderr.write(`${counted(rows, 'row')} exported${where}. ${figures}.\n`);
  }
  if (given.json === true) {
    stdout.write(`${JSON.stringify({ db: given.db, file, ...report })}\n`);
  }
}

function exportOptionsOf(db: Database, given: ExportArguments): ExportOptions {
  const { format, compress, delimiter, limit, reverse, columns } = given;
  const { key } = db.schema;
  const bounds = (['gt', 'gte', 'lt', 'lte'] as const).flatMap((name) => {
    const text = given[name];
    return text === undefined ? [] : [[name, keyOf(key, text, `--${name}`)]];
  });
  return {
    ...Object.fromEntries(bounds),
    ...{ format, compress, delimiter, limit, reverse },
    overwrite: given.force,
    ...(columns !== undefined && { columns: columns.split(',') }),
    ...(!given.header && { header: false }),
    ...(!given.expires && columns === undefined && { expires: false }),
  };
}
