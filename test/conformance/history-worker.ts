/** A thread that attaches and makes its part of a history, with all others at once. */
import { parentPort, workerData } from 'node:worker_threads';
import { attach, type Handle } from '../../src/index.ts';
import { runHistory, type Stamps, type Task } from './history.ts';

export interface HistoryData {
  readonly handle: Handle;
  readonly task: Task;
  /** How many threads are ready: each waits for all. */
  readonly latch: SharedArrayBuffer;
}

const { handle, task, latch }: HistoryData = workerData;
const db = (await attach(handle)) as Stamps;
const ready = new Int32Array(latch);
Atomics.add(ready, 0, 1);
Atomics.notify(ready, 0);
for (;;) {
  const count = Atomics.load(ready, 0);
  if (count >= task.threads) break;
  Atomics.wait(ready, 0, count, 1000);
}
parentPort?.postMessage(await runHistory(db, task));
await db.close();
