/** A worker thread that attaches to the database its process has open, and writes with the others. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Handle } from '../../src/index.ts';
import { attachSeries } from './series.ts';
import { type Work, writeRuns } from './write.ts';

const { handle, work }: { handle: Handle; work: Work } = workerData;

await using db = await attachSeries(handle);
await writeRuns(db, work, (run) => parentPort?.postMessage(run));
