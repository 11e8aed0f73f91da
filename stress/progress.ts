/** How far a campaign is, on stderr: a line that redraws itself on a terminal, a line a minute elsewhere. */

const LINE_MS = 60_000;
const CLEAR_LINE = '\r\x1b[2K';

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

export interface Progress {
  /** So many cases are done in all, so many of them failed. */
  at(done: number, failed: number): void;
  /** Leaves the terminal's line to others. */
  end(): void;
}

/** Two units at most: "2 h 5 min", "12 s". */
function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes === 0) return `${Math.ceil(seconds)} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** @param total cases that are to be run; infinite: until there are no more */
export function progress(run: string, total: number): Progress {
  const { stderr } = process;
  const begun = performance.now();
  let drawn = begun;
  return {
    at(done, failed) {
      const now = performance.now();
      if (!stderr.isTTY && now - drawn < LINE_MS) return;
      drawn = now;
      const rate = done / ((now - begun) / 1000);
      const isBounded = Number.isFinite(total);
      const figures = [
        isBounded ? `${whole.format(done)} of ${whole.format(total)}` : whole.format(done),
        `${rate < 10 ? rate.toFixed(1) : whole.format(rate)} cases/s`,
        `${failed} failed`,
      ];
      if (isBounded) figures.push(`${duration((total - done) / rate)} left`);
      const line = `${run}: ${figures.join(', ')}`;
      stderr.write(stderr.isTTY ? CLEAR_LINE + line.slice(0, stderr.columns - 1) : `${line}\n`);
    },
    end() {
      if (stderr.isTTY) stderr.write(CLEAR_LINE);
    },
  };
}
