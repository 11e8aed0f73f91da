/**
 * The process that is killed. It writes, and says on stdout which runs were acknowledged, one number a
 * line. Usage: node writer-process.ts <directory> <rows> <threads>
 *
 * It ends when its stdin does, so it never outlives the process that started it, and never ends before
 * that one has had the time to kill it.
 */
import { openSeries } from './series.ts';
import { writeSeries } from './write.ts';

process.stdin.resume().on('end', () => process.exit());

const [directory, rows, threads] = process.argv.slice(2);
const db = await openSeries(directory);
const work = { rows: Number(rows), firstRun: 0, threads: Number(threads) };
// A pipe is written to at once, and what is in it survives the process.
await writeSeries(db, work, (run) => process.stdout.write(`${run}\n`));
