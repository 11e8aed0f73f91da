/** How a soak goes, on stderr: a line that redraws itself on a terminal, a line a minute elsewhere. */
import type { Sampled, Soaked } from './record.ts';

const LINE_MS = 60_000;
const CLEAR_LINE = '\r\x1b[2K';
const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** "1:02:03" */
export function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

export function lineOf({ state, faults, broken }: Soaked, sample: Sampled): string {
  const { atMs, cycle, phase, values, p999, operationsPerSecond } = sample;
  return [
    `${clock(atMs)} of ${clock(state.options.durationMs)}`,
    `cycle ${cycle} ${phase}`,
    `${whole.format(operationsPerSecond)} op/s`,
    `p99.9 get ${p999[0] || '–'} put ${p999[1] || '–'} ms`,
    `${whole.format(sample.rows)} rows`,
    `${whole.format(values.rss / 2 ** 20)} MiB`,
    `${faults.length} faults`,
    broken.length === 0 ? 'no promise broken' : `${broken.length} PROMISES BROKEN`,
  ].join(' · ');
}

export class StatusLine {
  #drawnMs = Number.NEGATIVE_INFINITY;

  at(soaked: Soaked, sample: Sampled): void {
    const { stderr } = process;
    const now = performance.now();
    if (!stderr.isTTY && now - this.#drawnMs < LINE_MS) return;
    this.#drawnMs = now;
    const line = lineOf(soaked, sample);
    stderr.write(stderr.isTTY ? CLEAR_LINE + line.slice(0, stderr.columns - 1) : `${line}\n`);
  }

  /** Leaves the terminal's line to others. */
  end(): void {
    if (process.stderr.isTTY) process.stderr.write(CLEAR_LINE);
  }
}
