/** A worker of the tests of bulk loads: it loads rows itself, or watches whether it sees a load by half. */
import { parentPort, workerData } from 'node:worker_threads';
import { attach, OmenError } from '../../src/index.ts';

interface Work {
  readonly handle: Parameters<typeof attach>[0];
  readonly load?: number;
  /** Whether it leaves the database while a load of its own waits for rows. */
  readonly leaves?: boolean;
  readonly stop?: Int32Array;
  readonly keys?: readonly number[];
}

const { handle, load, leaves, stop, keys = [] } = workerData as Work;
const db = await attach<{ key: 'int64'; columns: { value: 'float64' } }>(handle);
if (load !== undefined) {
  const rows = Array.from({ length: load }, (_, key) => [key, { value: key }] as const);
  const report = await db.bulkLoad(rows);
  let code = '';
  try {
    await db.bulkLoad([['x', { value: 1 }]] as never);
  } catch (error) {
    if (error instanceof OmenError) code = error.code;
  }
  parentPort?.postMessage([report.rows, code]);
} else if (leaves === true) {
  const begun = Promise.withResolvers<void>();
  const loading = db.bulkLoad(
    (async function* () {
      begun.resolve();
      await new Promise(() => {});
      yield [1, { value: 1 }] as const;
    })(),
  );
  const code = loading.then(
    () => '',
    (error: unknown) => (error instanceof OmenError ? error.code : String(error)),
  );
  await begun.promise;
  await db.close();
  parentPort?.postMessage(await code);
} else if (stop !== undefined) {
  parentPort?.postMessage('ready');
  const problems: string[] = [];
  let newest = 0;
  let rounds = 0;
  while (Atomics.load(stop, 0) === 0) {
    // Key after key: what one shard shows, the next one must, too.
    for (const key of keys) {
      const value = db.get(key)?.value ?? -1;
      if (value < newest) problems.push(`key ${key}: ${value} after ${newest}`);
      newest = Math.max(newest, value);
    }
    const values = new Set([...db.values()].map(({ value }) => value));
    if (values.size !== 1) problems.push(`an iterator sees ${[...values]}`);
    rounds++;
  }
  parentPort?.postMessage([problems.slice(0, 5), rounds]);
}
await db.close();
