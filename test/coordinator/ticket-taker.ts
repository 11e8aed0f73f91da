/** A worker whose thread ends amid a batch: once it has taken a ticket, before anybody knows whose that is. */
import { workerData } from 'node:worker_threads';
import { attach } from '../../src/index.ts';
import { COMMIT_TABLE_BYTES } from '../../src/view/commit-table.ts';

const NEXT = 0;

const db = await attach<{ key: 'int64'; columns: { value: 'float64' } }>(workerData.handle);
const exchange = Atomics.compareExchange;
Atomics.compareExchange = ((words: Int32Array, at: number, expected: number, value: number) => {
  const found = exchange(words, at, expected, value);
  const isTicket = words.byteLength === COMMIT_TABLE_BYTES && at === NEXT && found === expected;
  if (isTicket) process.exit(7);
  return found;
}) as typeof Atomics.compareExchange;
const keys = [0, 1, 2, 3, 4, 5, 6, 7];
await db.batch(keys.map((key) => ({ type: 'put', key, value: { value: -1 } }) as const));
