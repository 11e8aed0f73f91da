/**
 * The command line: which commands there are, and how each run of one ends.
 *
 *   0    done
 *   1    the command failed; what it was to do is undone, or was never begun
 *   2    the arguments make no sense; nothing was begun
 *   130  interrupted (128 and the number of the signal)
 */
import { Command, CommanderError } from 'commander';
import type { Context } from './context.ts';
import { addExport } from './export.ts';
import { tellFailure } from './failure.ts';
import { addImport } from './import.ts';
import { addLoad } from './load.ts';

/** One file a command, in the order of the help. */
const COMMANDS: readonly ((program: Command, context: Context) => void)[] = [
  addLoad,
  addImport,
  addExport,
];

const USAGE = 2;

/** Runs a command. Never throws: what goes wrong is told on stderr. @returns the exit code */
export async function run(argv: readonly string[], context: Context): Promise<number> {
  const { stdout, stderr } = context;
  const program = new Command('omendb')
    .description('Databases of OmenDB: embedded, durable, ordered.')
    .version(await version(), '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .showHelpAfterError('(omendb --help shows what there is)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      getOutHelpWidth: () => stdout.columns ?? 80,
      getErrHelpWidth: () => stderr.columns ?? 80,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const add of COMMANDS) add(program, context);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    return tellFailure(error, context);
  }
}

/** That of the package. Its manifest lies two folders up, in the sources as in what is published. */
async function version(): Promise<string> {
  const { href } = new URL(['..', '..', 'package.json'].join('/'), import.meta.url);
  const manifest: { default: { version: string } } = await import(href, { with: { type: 'json' } });
  return manifest.default.version;
}
