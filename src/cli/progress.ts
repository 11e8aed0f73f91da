/**
 * How far a load or an export is, on stderr: on a terminal one line that is written over again and again, as wide as
 * the terminal at most; elsewhere, as in the log of a job, a line every ten seconds.
 */
import { styleText } from 'node:util';
import type { ExportProgress, LoadProgress } from '../index.ts';
import { type Context, hasColors } from './context.ts';
import { bytes, counted, duration, short } from './figures.ts';

const LINE_MS = 10_000;
const CLEAR = '\r\x1b[2K';
const BAR_CELLS_MIN = 10;
const BAR_CELLS_MAX = 30;
const PHASE_CELLS = 8;
/** Share, rows, rate and time left. */
const FIGURES_MIN = 4;

const PHASES: Readonly<Record<string, string>> = {
  read: 'Reading',
  write: 'Writing',
  publish: 'Publishing',
};

/** A line about how far something is, as wide as the terminal at most. */
type Render<Progress> = (progress: Progress, columns: number, colors: boolean) => string;

export class ProgressLine<Progress> {
  readonly #context: Context;
  readonly #render: Render<Progress>;
  #lastMs: number;
  #isDrawn = false;

  constructor(context: Context, render: Render<Progress>) {
    this.#context = context;
    this.#render = render;
    this.#lastMs = context.now();
  }

  at(progress: Progress): void {
    const { stderr, now, env } = this.#context;
    if (stderr.isTTY === true) {
      const line = this.#render(progress, stderr.columns ?? 80, hasColors(stderr, env));
      stderr.write(`${CLEAR}${line}`);
      this.#isDrawn = true;
    } else if (now() - this.#lastMs >= LINE_MS) {
      this.#lastMs = now();
      stderr.write(`${this.#render(progress, Number.POSITIVE_INFINITY, false)}\n`);
    }
  }

  /** Takes the line away. */
  end(): void {
    if (this.#isDrawn) this.#context.stderr.write(CLEAR);
    this.#isDrawn = false;
  }
}

/** @param columns what the line may take; figures that find no room in it are left out, the last first */
export function progressLine(progress: LoadProgress, columns: number, colors: boolean): string {
  const { phase, rows, rowsPerSecond, bytesRead, bytesTotal, msLeft, sources } = progress;
  const label = (PHASES[phase] ?? phase).padEnd(PHASE_CELLS);
  const share = shareOf(progress);
  const isReading = phase === 'read';
  const figures = [
    counted(rows, 'row'),
    ...(isReading ? [`${short(rowsPerSecond)} rows/s`] : []),
    ...(msLeft === null ? [] : [`${duration(msLeft)} left`]),
    ...(isReading && bytesTotal !== null ? [`${bytes(bytesRead)} of ${bytes(bytesTotal)}`] : []),
    ...(isReading && sources > 1 ? [`file ${progress.sourceNumber} of ${sources}`] : []),
  ];
  return lineOf(label, share, figures, columns, colors);
}

export function exportLine(progress: ExportProgress, columns: number, colors: boolean): string {
  const { rows, rowsTotal, rowsPerSecond, msLeft } = progress;
  const share = rowsTotal === null || rowsTotal === 0 ? null : Math.min(1, rows / rowsTotal);
  const figures = [
    ...[counted(rows, 'row'), `${short(rowsPerSecond)} rows/s`],
    ...(msLeft === null ? [] : [`${duration(msLeft)} left`]),
    bytes(progress.bytes),
  ];
  return lineOf('Exporting', share, figures, columns, colors);
}

/** @param share of the whole; null: not known */
function lineOf(
  label: string,
  share: number | null,
  behind: readonly string[],
  columns: number,
  colors: boolean,
): string {
  const figures = [
    ...(share === null ? [] : [`${String(Math.floor(100 * share)).padStart(3)} %`]),
    ...behind,
  ];
  // A terminal that is filled to its last column may begin a new line.
  const room = columns - 1 - label.length;
  const width = (texts: readonly string[]) => texts.reduce((sum, text) => sum + 2 + text.length, 0);
  // The bar is worth more than the last figures, and less than the first.
  const reserved = share === null ? 0 : BAR_CELLS_MIN + 1;
  while (figures.length > FIGURES_MIN && width(figures) + reserved > room) figures.pop();
  while (figures.length > 1 && width(figures) > room) figures.pop();
  const left = room - width(figures) - 1;
  const bar = share === null || left < BAR_CELLS_MIN ? '' : ` ${barOf(share, left, colors)}`;
  return `${label}${bar}  ${figures.join('  ')}`;
}

/** How much of its phase is done; null: not known. */
function shareOf({ phase, ...progress }: LoadProgress): number | null {
  const { bytesRead, bytesTotal, rows, rowsWritten } = progress;
  if (phase === 'write') return rows === 0 ? null : Math.min(1, rowsWritten / rows);
  return phase !== 'read' || bytesTotal === null ? null : Math.min(1, bytesRead / bytesTotal);
}

function barOf(share: number, room: number, colors: boolean): string {
  const cells = Math.min(BAR_CELLS_MAX, room);
  const filled = Math.round(cells * share);
  const [done, open] = ['━'.repeat(filled), '─'.repeat(cells - filled)];
  if (!colors) return done + open;
  const style = { validateStream: false } as const;
  return styleText('green', done, style) + styleText('dim', open, style);
}
