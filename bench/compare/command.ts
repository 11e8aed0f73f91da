/** The comparison on the command line: an interrupt ends it, and what was measured by then is shown. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BadOption, type CompareRun, ROWS, run, show } from '../compare.ts';
import { changesSince, mismatch, parseRun, showChanges, verdictOf } from './against.ts';
import { Disqualified } from './remote.ts';
import { reportOf } from './report/page.ts';

export interface CommandOptions {
  readonly rows: number | undefined;
  readonly rounds: number | undefined;
  readonly tiny: boolean;
  /** Whether to write the page, and where. */
  readonly report: boolean;
  readonly reportFile?: string;
  readonly engines: readonly string[] | undefined;
  readonly keys: readonly string[] | undefined;
  readonly only: readonly string[] | undefined;
  /** Path of what an earlier run wrote. */
  readonly against: string | undefined;
  /** Where progress is told; stderr unless said otherwise. */
  readonly say?: (line: string) => void;
}

const TINY = { rows: 2000, rounds: 1, scale: 0.01 } as const;
const INTERRUPTED = 130;
const REPORT = fileURLToPath(new URL('../results/compare.html', import.meta.url));

export async function command(options: CommandOptions) {
  const { rounds, engines, keys, only, tiny, against } = options;
  const { say = (line) => process.stderr.write(line) } = options;
  const stop = new AbortController();
  const onInterrupt = (): void => {
    if (stop.signal.aborted) process.exit(INTERRUPTED);
    say('\nEnding; what was measured follows.\n');
    stop.abort();
  };
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onInterrupt);
  try {
    const base = against === undefined ? null : readBase(against);
    const size = tiny ? TINY : { rows: options.rows ?? base?.rows ?? ROWS, rounds, scale: 1 };
    const why = base === null ? null : mismatch(base, size);
    if (why !== null) throw new BadOption(`The run to compare with is of another kind. ${why}`);
    const result = await run({
      ...size,
      ...{ engines, keys, only, signal: stop.signal },
      say,
      isTerminal: process.stderr.isTTY && options.say === undefined,
    });
    if (options.report) {
      const path = options.reportFile ?? REPORT;
      writeReport(path, result);
      say(`The page is ${path}\n`);
    }
    const judged = base === null ? null : judge(base, result);
    const text = [show(result), ...(judged === null ? [] : ['', judged.text])].join('\n');
    const exitCode = result.interrupted ? INTERRUPTED : (judged?.exitCode ?? 0);
    return { result, text, exitCode };
  } catch (error) {
    if (error instanceof BadOption) return { result: null, text: error.message, exitCode: 2 };
    if (!(error instanceof Disqualified)) throw error;
    return { result: null, text: `This run is void. ${error.message}`, exitCode: 1 };
  } finally {
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onInterrupt);
  }
}

function writeReport(path: string, result: CompareRun): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, reportOf(result));
}

/** @throws BadOption */
function readBase(path: string): CompareRun {
  try {
    return parseRun(readFileSync(path, 'utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new BadOption(`--against ${path}: ${why}`);
  }
}

function judge(base: CompareRun, run: CompareRun): { text: string; exitCode: number } {
  const changes = changesSince(base, run);
  const isWorse = changes.some((change) => verdictOf(change) === 'worse');
  return { text: showChanges(changes, base), exitCode: isWorse ? 1 : 0 };
}
