/**
 * Writing through the durable path: many threads, each with about a thousand puts on their way.
 *
 * Rows are handed out in runs of 256, numbered, from a counter that all threads share. A run is
 * reported when each of its puts has resolved, never before: it is on disk then.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { rowOf, type Series, timeOf } from './series.ts';

export const RUN_ROWS = 256;
const RUNS_IN_FLIGHT = 4;

/** What remains to be written, for all threads: the number of the next run, and of rows in all. */
export interface Work {
  readonly next: Int32Array<SharedArrayBuffer>;
  readonly rows: number;
}

export function runsIn(rows: number): number {
  return Math.ceil(rows / RUN_ROWS);
}

/** Writes runs, several at a time, until none is left. */
export async function writeRuns(
  db: Series,
  { next, rows }: Work,
  onRun: (run: number) => void,
): Promise<void> {
  const runs = runsIn(rows);
  const writeOneAfterAnother = async (): Promise<void> => {
    for (let run = Atomics.add(next, 0, 1); run < runs; run = Atomics.add(next, 0, 1)) {
      const puts: Promise<void>[] = [];
      const end = Math.min(rows, RUN_ROWS * (run + 1));
      for (let n = RUN_ROWS * run; n < end; n++) puts.push(db.put(timeOf(n), rowOf(n)));
      await Promise.all(puts);
      onRun(run);
    }
  };
  await Promise.all(Array.from({ length: RUNS_IN_FLIGHT }, writeOneAfterAnother));
}

/** Writes rows from run `firstRun` on, from this thread and from `threads` more that attach. */
export async function writeSeries(
  db: Series,
  { rows, firstRun, threads }: { rows: number; firstRun: number; threads: number },
  onRun: (run: number) => void,
): Promise<void> {
  const next = new Int32Array(new SharedArrayBuffer(4));
  next[0] = firstRun;
  const work: Work = { next, rows };
  const attached = Array.from({ length: threads }, async () => {
    const thread = new Worker(new URL('./writer-thread.ts', import.meta.url), {
      workerData: { handle: db.handle(), work },
    });
    thread.on('message', onRun);
    const [exitCode] = await once(thread, 'exit');
    if (exitCode !== 0) throw new Error(`A writing thread ended with exit code ${exitCode}.`);
  });
  await Promise.all([writeRuns(db, work, onRun), ...attached]);
}
