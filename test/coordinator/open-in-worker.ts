/** A worker thread that opens a database by itself, writes to it and closes it. */
import { workerData } from 'node:worker_threads';
import { open } from '../../src/index.ts';
import { NUMBERS } from './support.ts';

const { directory } = workerData as { directory: string };
await using db = await open(directory, { ...NUMBERS, shards: 2 });
await db.put(1, { value: 1 });
await db.batch([2, 3].map((key) => ({ type: 'put', key, value: { value: key } })));
