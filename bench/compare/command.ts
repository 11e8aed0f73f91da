/** The comparison on the command line: an interrupt ends it, and what was measured by then is shown. */
import { BadOption, run, show } from '../compare.ts';
import { Disqualified } from './remote.ts';

export interface CommandOptions {
  readonly rows: number | undefined;
  readonly rounds: number | undefined;
  readonly tiny: boolean;
  readonly engines: readonly string[] | undefined;
  readonly keys: readonly string[] | undefined;
  readonly only: readonly string[] | undefined;
}

const TINY = { rows: 2000, rounds: 1, scale: 0.01 } as const;
const INTERRUPTED = 130;

export async function command(options: CommandOptions) {
  const { rows, rounds, engines, keys, only, tiny } = options;
  const stop = new AbortController();
  const onInterrupt = (): void => {
    if (stop.signal.aborted) process.exit(INTERRUPTED);
    process.stderr.write('\nEnding; what was measured follows.\n');
    stop.abort();
  };
  process.on('SIGINT', onInterrupt);
  try {
    const result = await run({
      ...(tiny ? TINY : { rows, rounds }),
      ...{ engines, keys, only, signal: stop.signal },
      say: (line) => process.stderr.write(line),
      isTerminal: process.stderr.isTTY,
    });
    return { result, text: show(result), exitCode: result.interrupted ? INTERRUPTED : 0 };
  } catch (error) {
    if (error instanceof BadOption) return { result: null, text: error.message, exitCode: 2 };
    if (!(error instanceof Disqualified)) throw error;
    return { result: null, text: `This run is void. ${error.message}`, exitCode: 1 };
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}
