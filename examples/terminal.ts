/**
 * What the examples show on a terminal. Progress goes to stderr, so that stdout holds results alone: a
 * bar that redraws itself where stderr is a terminal, a line every few seconds where it is not.
 * Colours respect NO_COLOR (`styleText` looks at the stream).
 */
import { setImmediate } from 'node:timers/promises';
import { styleText } from 'node:util';

const LABEL_CELLS = 22;
const BAR_CELLS = 28;
const DRAW_MS = 100;
const LINE_MS = 3000;
const CLEAR_LINE = '\r\x1b[2K';

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

export function count(value: number): string {
  return whole.format(value);
}

export function seconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} s`;
}

/** Binary units, as memory is counted. */
export function bytes(value: number): string {
  if (value < 1024) return `${whole.format(value)} B`;
  const step = Math.min(Math.floor(Math.log2(value) / 10), 4);
  return `${(value / 2 ** (10 * step)).toFixed(1)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][step]}`;
}

export const bold = (text: string): string => styleText('bold', text, { stream: process.stdout });
export const dim = (text: string): string => styleText('dim', text, { stream: process.stdout });
export const green = (text: string): string => styleText('green', text, { stream: process.stdout });

/** The columns of a table are as wide as their widest cell; all but the first are aligned right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows
    .map((row) => {
      const cells = row.map((cell, i) =>
        i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]),
      );
      return `  ${cells.join('   ')}`.trimEnd();
    })
    .join('\n');
}

/** One step of the work, on its way. */
export interface Progress {
  /** So much is done. Draws now and then, and lets the event loop turn when it does. */
  at(done: number): Promise<void>;
  /** Replaces the bar by what came of it. Returns how many seconds it took. */
  end(outcome: string): number;
}

export function progress(label: string, total: number): Progress {
  const { stderr } = process;
  const begun = performance.now();
  let drawn = begun;
  const elapsed = (): number => (performance.now() - begun) / 1000;

  const describe = (done: number): string => {
    const share = Math.min(1, done / Math.max(1, total));
    const rate = count(done / Math.max(elapsed(), 1e-3));
    const figures = `${String(Math.floor(100 * share)).padStart(3)} %  ${count(done)} rows, ${rate}/s`;
    if (!stderr.isTTY) return `${label}: ${figures}\n`;
    const filled = Math.round(BAR_CELLS * share);
    const bar =
      styleText('green', '━'.repeat(filled), { stream: stderr }) +
      styleText('dim', '━'.repeat(BAR_CELLS - filled), { stream: stderr });
    const room = Math.max(0, stderr.columns - LABEL_CELLS - BAR_CELLS - 6);
    return `${CLEAR_LINE}  ${label.padEnd(LABEL_CELLS)} ${bar} ${figures.slice(0, room)}`;
  };

  if (stderr.isTTY) stderr.write(`${CLEAR_LINE}  ${label} …`);
  return {
    async at(done) {
      const now = performance.now();
      if (now - drawn < (stderr.isTTY ? DRAW_MS : LINE_MS)) return;
      drawn = now;
      stderr.write(describe(done));
      await setImmediate();
    },
    end(outcome) {
      const took = elapsed();
      if (stderr.isTTY) stderr.write(CLEAR_LINE);
      const tick = styleText('green', '✓', { stream: stderr });
      stderr.write(
        `${tick} ${label.padEnd(LABEL_CELLS)} ${seconds(took).padStart(7)}  ${outcome}\n`,
      );
      return took;
    },
  };
}
