/** A worker of the tests: reads and writes a database that another thread has open, by its handle. */
import { parentPort, workerData } from 'node:worker_threads';
import { OmenLevel } from '../../src/level.ts';

const level = new OmenLevel(workerData);
const found = await level.get('greeting');
await level.put('answer', `${found} back`);
const keys = await level.keys().all();
await level.close();
parentPort?.postMessage({ found, keys });
