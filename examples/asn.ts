/**
 * The main job of `npm start`: real data in, questions answered, then a crash survived.
 *
 * 1. The 411,961 IPv4 ranges of the package `@ip-location-db/asn` go into a database keyed by the first
 *    address of each; `floor` finds who announces an address.
 * 2. A process writes a time series, durably, from several threads. It is killed in the middle. The
 *    database is opened again, and every acknowledged row has to be there; then the rest is written.
 * 3. What that took is shown as a table, or as JSON.
 *
 * Everything is timed as a user would see it. A lost or wrong row ends it with exit code 1.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { OmenError } from '../src/index.ts';
import { readOptions } from './asn/options.ts';
import {
  CREDIT,
  createRanges,
  loadRanges,
  RANGES,
  RANGES_FILE,
  whoAnnounces,
} from './asn/ranges.ts';
import { type Report, show } from './asn/report.ts';
import { count, progress } from './terminal.ts';
import { demandIntact, rowsOfRun, verify, writeUntilKilled } from './time-series/crash.ts';
import { measureReads } from './time-series/measure.ts';
import { openSeries } from './time-series/series.ts';
import { RUN_ROWS, writeSeries } from './time-series/write.ts';

/** Threads that attach and write beside the main thread. */
const WRITING_THREADS = 2;

const options = readOptions();
const directory = resolve(options.directory ?? mkdtempSync(join(tmpdir(), 'omendb-example-')));
if (options.directory === undefined) {
  process.on('exit', () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
}
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));

try {
  const begun = performance.now();
  const ranges = await answerQuestions();
  const series = await surviveCrash();
  const report: Report = {
    machine: { node: process.version, cores: availableParallelism() },
    ranges,
    series,
    memoryBytes: process.memoryUsage().rss,
    seconds: (performance.now() - begun) / 1000,
  };
  console.log(options.json ? JSON.stringify(report, null, 2) : show(report));
  if (options.directory !== undefined) console.error(`The data is kept in ${directory}.`);
} catch (error) {
  console.error(error instanceof OmenError ? `${error.code}: ${error.message}` : error);
  process.exitCode = 1;
}

async function answerQuestions(): Promise<Report['ranges']> {
  await using db = await createRanges(join(directory, 'ranges'));
  const loading = progress('Loading address ranges', RANGES);
  const rows = await loadRanges(db, loading.at);
  if (db.count() !== RANGES) throw new Error(`${db.count()} ranges stored instead of ${RANGES}.`);
  const took = loading.end(`${count(rows)} rows`);
  await db.compact();
  const { segmentBytes, indexBytes, windowMax } = db.stats().total;
  return {
    rows,
    seconds: took,
    csvBytes: statSync(RANGES_FILE).size,
    segmentBytes,
    indexBytes,
    windowMax,
    answers: options.addresses.map((address) => whoAnnounces(db, address)),
    credit: CREDIT,
  };
}

async function surviveCrash(): Promise<Report['series']> {
  const { rows } = options;
  const path = join(directory, 'series');

  const writing = progress('Writing until killed', rows);
  const acknowledged = await writeUntilKilled(path, rows, WRITING_THREADS, writing.at);
  const writeSeconds = writing.end('SIGKILL in the middle');

  const opening = progress('Opening again', rows);
  await using db = await openSeries(path);
  const openSeconds = opening.end(`${count(db.count())} rows are there`);

  const verifying = progress('Verifying', 2 * db.count());
  const findings = await verify(db, rows, acknowledged, verifying.at);
  demandIntact(findings);
  const verifySeconds = verifying.end(
    `${count(findings.acknowledged)} acknowledged rows, none lost`,
  );

  // Runs are handed out in order: before the first that was not acknowledged, nothing is missing.
  const firstRun = acknowledged.includes(0) ? acknowledged.indexOf(0) : acknowledged.length;
  const finishing = progress('Writing the rest', rows - RUN_ROWS * firstRun);
  let written = 0;
  await writeSeries(db, { rows, firstRun, threads: WRITING_THREADS }, (run) => {
    written += rowsOfRun(run, rows);
    void finishing.at(written);
  });
  const restSeconds = finishing.end(`${count(written)} rows`);
  if (db.count() !== rows) throw new Error(`${db.count()} rows stored instead of ${rows}.`);

  const compacting = progress('Compacting', rows);
  await db.compact();
  const compactSeconds = compacting.end(`${count(rows)} rows`);

  const reading = progress('Reading', rows);
  const reads = await measureReads(db, rows);
  reading.end(`${count(reads.reduce((sum, read) => sum + read.rows, 0))} rows`);

  const { segmentBytes, indexBytes, windowMax } = db.stats().total;
  return {
    rows,
    segmentBytes,
    indexBytes,
    windowMax,
    writers: 1 + WRITING_THREADS,
    crash: { ...findings, seconds: writeSeconds, openSeconds, verifySeconds },
    rest: { rows: written, seconds: restSeconds },
    compactSeconds,
    reads,
  };
}
