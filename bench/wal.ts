/**
 * What a durable commit costs: the log against the bare system calls it is made of, and how large
 * the pieces should be that a file is prewritten by.
 *
 * All variants of a line take turns in one run, so that what else the machine does hits them alike.
 * Medians; p99 where a stall matters more than the sum.
 */

import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { realStorage } from '../src/storage/real.ts';
import { type LocalLog, openLocalLog } from '../src/wal/log.ts';

export interface WalBenchOptions {
  /** Where to write; a directory on the disk to be measured. */
  readonly directory?: string;
  /** Bytes of the frames to be committed. */
  readonly frameBytes?: readonly number[];
  /** Bytes to be committed by each variant and size, at most. */
  readonly bytesMax?: number;
  /** Commits of each variant and size, at most. */
  readonly commitsMax?: number;
}

const IDENTITY = { databaseId: new Uint8Array(16).fill(1), shard: 0 };
const BLOCK = 4096;
const APPENDING = { prewritten: false, sealed: false };
const OVERWRITING = { prewritten: true, sealed: false };
const SEALED = { prewritten: true, sealed: true };

/** Commits one frame each time it is called. */
interface Variant {
  readonly name: string;
  commit(): void;
  close(): void;
}

/**
 * Bare calls, position after position: at the end of the file, or over what was written before;
 * `sealed` with what a log cannot do without, the record copied into the frame and a checksum.
 */
function bare(
  name: string,
  path: string,
  frameBytes: number,
  commits: number,
  { prewritten, sealed }: { prewritten: boolean; sealed: boolean },
): Variant {
  const descriptor = openSync(path, 'wx');
  const row = new Uint8Array(frameBytes).fill(7);
  const frame = row.slice();
  if (prewritten) {
    for (let i = 0; i <= commits; i++) writeSync(descriptor, frame, 0, frameBytes, i * frameBytes);
    fsyncSync(descriptor);
  }
  let position = 0;
  return {
    name,
    commit() {
      if (sealed) {
        frame.set(row);
        new DataView(frame.buffer).setUint32(0, crc32(frame));
      }
      writeSync(descriptor, frame, 0, frameBytes, position);
      fdatasyncSync(descriptor);
      position += frameBytes;
    },
    close: () => closeSync(descriptor),
  };
}

function openLog(directory: string, pieceBytes?: number): LocalLog {
  mkdirSync(directory);
  const log = openLocalLog(realStorage, directory, IDENTITY, { pieceBytes });
  log.read(1, () => {});
  log.start();
  return log;
}

/**
 * The log with one record a frame; the frame's header and the padding make up the rest of its
 * bytes.
 */
function logged(name: string, log: LocalLog, frameBytes: number): Variant {
  const bytes = frameBytes - 40;
  const row = new Uint8Array(bytes).fill(7);
  return {
    name,
    commit() {
      const offset = log.reserve(bytes);
      log.u8.set(row.subarray(4), offset + 4);
      log.commit(true);
    },
    close: () => log.close(),
  };
}

/** A log whose current file is a recycled one, large enough for `bytes`. */
function recycledLog(directory: string, bytes: number): LocalLog {
  const log = openLog(directory, BLOCK);
  for (let written = 0; written < bytes + 2 ** 20; written += 2 ** 20) {
    log.reserve(2 ** 20 - 40);
    log.commit(false);
  }
  log.rotate();
  log.truncateBelow(log.lastLsn + 1);
  log.reserve(8);
  log.commit(true);
  log.rotate();
  return log;
}

function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}

function milliseconds(run: () => void): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

/** Commits in turn; returns the times of each variant in milliseconds, sorted, and their sum. */
function takeTurns(variants: readonly Variant[], commits: number) {
  const times = variants.map(() => new Float64Array(commits));
  for (let i = 0; i < commits; i++) {
    for (let k = 0; k < variants.length; k++) {
      const v = (k + i) % variants.length;
      times[v][i] = milliseconds(() => variants[v].commit());
    }
  }
  for (const variant of variants) variant.close();
  return variants.map(({ name }, v) => {
    const sum = times[v].reduce((a, b) => a + b, 0);
    const sorted = times[v].sort();
    return { name, sum, median: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
  });
}

export interface CommitResult {
  readonly frameBytes: number;
  readonly variant: string;
  /** Milliseconds. */
  readonly median: number;
  readonly p99: number;
  /** Median, as a multiple of that of bare overwriting. */
  readonly ratio: number;
  readonly mebibytesPerSecond: number;
}

export interface WalBenchResult {
  readonly commits: readonly CommitResult[];
  /** Milliseconds, medians. */
  readonly files: {
    readonly openAndStart: number;
    readonly rotate: number;
    readonly recycle: number;
  };
}

export async function run(options: WalBenchOptions = {}): Promise<WalBenchResult> {
  const directory = mkdtempSync(join(options.directory ?? tmpdir(), 'omendb-bench-wal-'));
  let next = 0;
  const fresh = () => join(directory, String(next++));
  const sizes = options.frameBytes ?? [4096, 16384, 65536, 262144, 1048576];
  const bytesMax = options.bytesMax ?? 64 * 2 ** 20;
  const commitsMax = options.commitsMax ?? 2000;
  try {
    const commits = sizes.flatMap((frameBytes) =>
      measureCommits(
        fresh,
        frameBytes,
        Math.max(2, Math.min(commitsMax, Math.floor(bytesMax / frameBytes))),
      ),
    );
    return { commits, files: measureFiles(fresh, Math.min(20, commitsMax)) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function measureCommits(fresh: () => string, frameBytes: number, commits: number): CommitResult[] {
  const bytes = commits * frameBytes;
  const results = takeTurns(
    [
      bare('bare, overwriting', fresh(), frameBytes, commits, OVERWRITING),
      bare('the same, sealed', fresh(), frameBytes, commits, SEALED),
      bare('bare, appending', fresh(), frameBytes, commits, APPENDING),
      logged('log, prewritten', openLog(fresh(), bytes + BLOCK), frameBytes),
      logged('log, recycled', recycledLog(fresh(), bytes), frameBytes),
      logged('log, growing', openLog(fresh()), frameBytes),
    ],
    commits,
  );
  return results.map(({ name, median, p99, sum }) => ({
    frameBytes,
    variant: name,
    median,
    p99,
    ratio: median / results[0].median,
    mebibytesPerSecond: bytes / 2 ** 20 / (sum / 1000),
  }));
}

function measureFiles(fresh: () => string, rounds: number): WalBenchResult['files'] {
  const times = { openAndStart: [] as number[], rotate: [] as number[], recycle: [] as number[] };
  for (let i = 0; i < rounds; i++) {
    const start = performance.now();
    const log = openLog(fresh());
    times.openAndStart.push(performance.now() - start);
    for (const list of [times.rotate, times.recycle]) {
      log.reserve(8);
      log.commit(true);
      list.push(milliseconds(() => log.rotate()));
      log.truncateBelow(log.lastLsn + 1);
    }
    log.close();
  }
  const median = (list: number[]) => quantile(Float64Array.from(list).sort(), 0.5);
  return {
    openAndStart: median(times.openAndStart),
    rotate: median(times.rotate),
    recycle: median(times.recycle),
  };
}

/** The results as a table of text. */
export function show({ commits, files }: WalBenchResult): string {
  const head = 'frame KiB  variant              median µs   p99 µs  to overwriting  MiB/s';
  const lines = commits.map(({ frameBytes, variant, median, p99, ratio, mebibytesPerSecond }) =>
    [
      String(frameBytes / 1024).padStart(9),
      ` ${variant.padEnd(18)}`,
      (median * 1000).toFixed(0).padStart(11),
      (p99 * 1000).toFixed(0).padStart(8),
      ratio.toFixed(2).padStart(15),
      mebibytesPerSecond.toFixed(0).padStart(6),
    ].join(' '),
  );
  const [start, rotate, recycle] = [files.openAndStart, files.rotate, files.recycle].map((time) =>
    time.toFixed(1),
  );
  const last = `open and start ${start} ms, rotate ${rotate} ms, recycling ${recycle} ms`;
  return [head, ...lines, last].join('\n');
}

if (import.meta.main) console.log(show(await run()));
