/** What a soak is told on its command line. */
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { KEYS_MIN } from './layout.ts';

export const USAGE = `Usage: npm run soak -- [options]

  --hours N --minutes N --seconds N   how long (default: one minute)
  --keys N       keys that are written (default: 200,000)
  --threads N    threads that read and write (default: 2)
  --rate N       operations a second; default: six tenths of what the first cycle does as fast as it can
  --seed N       of everything that is drawn (default: from the clock)
  --dir DIR      where it keeps everything (default: a directory of its own below the system's for
                 temporary files, removed after a soak that passed)
  --resume       goes on with the soak in --dir, which was broken off
  --live [PORT]  a page that shows what goes on, at the loopback address (default: port 7400)
  --report FILE  the report, as a page; beside it, with .json, as data (default: report.html in --dir)
  --json         the report as data on stdout
  --planted NAME with a bug planted into a copy of the sources, which has to be found: leak,
                 lost-write, stale-read
`;

export interface SoakOptions {
  readonly durationMs: number;
  readonly keys: number;
  readonly lanes: number;
  /** Operations a second; null: by calibration. */
  readonly rate: number | null;
  readonly seed: number;
  readonly directory: string;
  /** Whether the directory is one of its own, which goes with it. */
  readonly isTemporary: boolean;
  readonly resume: boolean;
  readonly livePort: number | null;
  readonly report: string | null;
  readonly json: boolean;
  readonly planted: string | null;
}

const LIVE_PORT = 7400;

function numberOf(name: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!Number.isFinite(number) || number < least) {
    throw new TypeError(`--${name} is a number from ${least} on, not ${text}`);
  }
  return number;
}

/** "--live" may stand alone. */
function withPort(args: readonly string[]): string[] {
  return args.flatMap((arg, i) => {
    if (arg !== '--live') return [arg];
    return /^\d+$/.test(args[i + 1] ?? '') ? [arg] : [arg, String(LIVE_PORT)];
  });
}

/** Null: help is asked for. @throws TypeError for what makes no sense */
export function parseSoak(args: readonly string[]): SoakOptions | null {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: withPort(args),
    options: {
      hours: text,
      minutes: text,
      seconds: text,
      keys: text,
      threads: text,
      rate: text,
      seed: text,
      dir: text,
      live: text,
      report: text,
      planted: text,
      resume: flag,
      json: flag,
      help: flag,
    },
  });
  if (values.help) return null;
  const seconds =
    (numberOf('hours', values.hours, 0) ?? 0) * 3600 +
    (numberOf('minutes', values.minutes, 0) ?? 0) * 60 +
    (numberOf('seconds', values.seconds, 0) ?? 0);
  if (values.resume && values.dir === undefined) throw new TypeError('--resume needs --dir');
  const seed = Math.floor(numberOf('seed', values.seed, 0) ?? Date.now() % 1_000_000);
  return {
    durationMs: 1000 * (seconds || 60),
    keys: Math.floor(numberOf('keys', values.keys, KEYS_MIN) ?? 200_000),
    lanes: Math.floor(
      numberOf('threads', values.threads, 1) ?? Math.min(2, availableParallelism()),
    ),
    rate: numberOf('rate', values.rate, 1) ?? null,
    seed,
    directory: resolve(values.dir ?? join(tmpdir(), `omendb-soak-${process.pid}`)),
    isTemporary: values.dir === undefined,
    resume: values.resume,
    livePort: numberOf('live', values.live, 0) ?? null,
    report: values.report === undefined ? null : resolve(values.report),
    json: values.json,
    planted: values.planted ?? null,
  };
}
