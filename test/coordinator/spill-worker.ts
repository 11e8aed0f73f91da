/** A worker of the tests of loads that spill: it loads rows, then begins another load that it never ends. */
import { readdirSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { attach } from '../../src/index.ts';

interface Work {
  readonly handle: Parameters<typeof attach>[0];
  readonly rows: number;
  readonly memory: number;
}

const { handle, rows, memory } = workerData as Work;
const db = await attach<{ key: 'int64'; columns: { value: 'float64' } }>(handle);

function* shuffled() {
  for (let i = 0; i < rows; i++) {
    const key = (i * 7919) % rows;
    yield [key, { value: key }] as const;
  }
}

const files = () => readdirSync(db.path).filter((name) => name.startsWith('load-'));
const report = await db.bulkLoad(shuffled(), { memory });
parentPort?.postMessage([report.rows, files().length]);

async function* hanging() {
  yield* shuffled();
  while (files().length === 0) await new Promise((resolve) => setImmediate(resolve));
  // It is alive until it is ended.
  parentPort?.on('message', () => {});
  parentPort?.postMessage('spilled');
  await new Promise(() => {});
}
await db.bulkLoad(hanging(), { memory });
