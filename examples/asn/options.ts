/** The command line of the main job. */
import { parseArgs } from 'node:util';
import { parseAddress } from './address.ts';

const HELP = `Usage: npm start -- [options] [address ...]

Loads the IPv4 ranges of the internet and tells who announces an address; then writes
a time series, kills the writing process in the middle, and proves that no row is lost.

Options:
  --ip <address>    an IPv4 address to ask for; may be repeated
  --rows <number>   rows of the time series (default: 4000000)
  --dir <path>      a new directory to keep the data in (default: a temporary one)
  --json            print the result as JSON
  --help            print this and end

Results go to stdout, progress to stderr. Exit codes: 0 all is well, 1 something is lost
or failed, 2 the options are wrong.`;

const ROWS_DEFAULT = 4_000_000;
const ROWS_MAX = 1_000_000_000;
/** Cloudflare's and Google's resolvers, and a private address, which nobody may announce. */
const ADDRESSES = ['1.1.1.1', '8.8.8.8', '10.0.0.1'];

export interface Options {
  readonly addresses: readonly string[];
  readonly rows: number;
  /** Undefined: a temporary one. */
  readonly directory: string | undefined;
  readonly json: boolean;
}

function parse(): Options | null {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ip: { type: 'string', multiple: true, default: [] },
      rows: { type: 'string', default: String(ROWS_DEFAULT) },
      dir: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return null;
  const rows = Number(values.rows);
  if (!Number.isInteger(rows) || rows < 1 || rows > ROWS_MAX) {
    throw new TypeError(`--rows takes a whole number from 1 to ${ROWS_MAX}, not "${values.rows}".`);
  }
  const asked = [...values.ip, ...positionals];
  for (const address of asked) parseAddress(address);
  return { addresses: [...ADDRESSES, ...asked], rows, directory: values.dir, json: values.json };
}

/** Reads the command line; ends the process after `--help` and after a mistake. */
export function readOptions(): Options {
  try {
    const options = parse();
    if (options !== null) return options;
    console.log(HELP);
    process.exit(0);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\nTry npm start -- --help`);
    process.exit(2);
  }
}
