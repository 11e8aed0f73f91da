/**
 * The proof of durability: a process is killed with SIGKILL in the middle of writing, the database is
 * opened again, and every row that the process was told is safe has to be there, exactly.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { numberAt, rowOf, type Series, timeOf } from './series.ts';
import { RUN_ROWS, runsIn } from './write.ts';

const WRITER = fileURLToPath(new URL('./writer-process.ts', import.meta.url));

/** Which runs were acknowledged: a flag for each. */
export type Acknowledged = Uint8Array;

/** How many rows run `run` has: all as many, but the last. */
export function rowsOfRun(run: number, rows: number): number {
  return Math.min(RUN_ROWS, rows - RUN_ROWS * run);
}

/** Starts a process that writes `rows` rows, and kills it once half of them are acknowledged. */
export async function writeUntilKilled(
  directory: string,
  rows: number,
  threads: number,
  onProgress: (rowsAcknowledged: number) => Promise<void>,
): Promise<Acknowledged> {
  const acknowledged = new Uint8Array(runsIn(rows));
  const writer = spawn(process.execPath, [WRITER, directory, String(rows), String(threads)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exit = once(writer, 'exit');
  process.prependOnceListener('exit', () => writer.kill('SIGKILL'));
  let rowsAcknowledged = 0;
  // What was in the pipe when the process died still arrives, and counts.
  for await (const line of createInterface({ input: writer.stdout })) {
    const run = Number(line);
    acknowledged[run] = 1;
    rowsAcknowledged += rowsOfRun(run, rows);
    if (rowsAcknowledged >= rows / 2) writer.kill('SIGKILL');
    await onProgress(rowsAcknowledged);
  }
  const [exitCode, signal] = await exit;
  if (signal !== 'SIGKILL') {
    throw new Error(`The writing process ended by itself (${signal ?? `exit code ${exitCode}`}).`);
  }
  return acknowledged;
}

/** What is in the database, compared with what must be and what may be. */
export interface Findings {
  /** Rows that were acknowledged. */
  readonly acknowledged: number;
  /** Rows that are there: those, and some that were on their way when the process died. */
  readonly found: number;
  /** Acknowledged rows that are missing. */
  readonly lost: number;
  /** Rows that nobody wrote so. */
  readonly wrong: number;
}

/** Looks up every acknowledged row, then reads every row there is. */
export async function verify(
  db: Series,
  rows: number,
  acknowledged: Acknowledged,
  onProgress: (rowsVerified: number) => Promise<void>,
): Promise<Findings> {
  let expected = 0;
  let lost = 0;
  for (const run of acknowledged.keys()) {
    if (acknowledged[run] === 0) continue;
    const count = rowsOfRun(run, rows);
    for (let n = RUN_ROWS * run; n < RUN_ROWS * run + count; n++) {
      if (!isRow(n, db.get(timeOf(n)))) lost++;
    }
    expected += count;
    await onProgress(expected);
  }
  let found = 0;
  let wrong = 0;
  for (const [time, row] of db.entries()) {
    const n = numberAt(time);
    if (n < 0 || n >= rows || timeOf(n) !== time || !isRow(n, row)) wrong++;
    found++;
    if (found % RUN_ROWS === 0) await onProgress(expected + found);
  }
  return { acknowledged: expected, found, lost, wrong };
}

function isRow(n: number, row: ReturnType<Series['get']>): boolean {
  const wanted = rowOf(n);
  return row !== undefined && row.sensor === wanted.sensor && row.value === wanted.value;
}

/** @throws Error with all figures, when anything acknowledged is lost or anything at all is wrong */
export function demandIntact({ acknowledged, found, lost, wrong }: Findings): void {
  if (lost === 0 && wrong === 0) return;
  throw new Error(
    `DATA LOSS: of ${acknowledged} acknowledged rows ${lost} are lost or changed; ` +
      `of ${found} rows found ${wrong} are wrong.`,
  );
}
