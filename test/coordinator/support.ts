/** What the tests of the public API share. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { ExecutionContext } from 'ava';
import { Supervisor } from '../../src/coordinator/supervisor.ts';
import { OmenError } from '../../src/errors.ts';
import {
  Database,
  type KeyInputOf,
  type KeyOf,
  type OpenOptions,
  open,
  type RowInputOf,
  type RowOf,
} from '../../src/index.ts';
import { temporaryDirectory } from '../storage/support.ts';

export { temporaryDirectory };

/** Memtables so small that a few hundred rows fill several. */
export const SMALL = { entriesMax: 128, arenaBytes: 2 ** 17 };

/** A plain number for a key, a number for a row. */
export const NUMBERS = { key: 'int64', columns: { value: 'float64' } } as const;

/** A database of this test's own, closed when it is over. */
export async function openNew<const O extends OpenOptions>(
  t: ExecutionContext,
  options: O,
  directory = temporaryDirectory(t),
) {
  const db = await open(directory, options);
  t.teardown(() => db.close());
  return db;
}

/** The same, and how many snapshots of shards are held. */
export async function openWithPins<const O extends OpenOptions>(t: ExecutionContext, options: O) {
  const supervisor = await Supervisor.open(temporaryDirectory(t), options);
  const client = await supervisor.firstClient();
  const db = new Database<KeyOf<O>, RowOf<O>, KeyInputOf<O>, RowInputOf<O>>(client, {
    flush: () => supervisor.flush(),
    compact: () => supervisor.compact(),
    loads: supervisor.loads.callsOf(client.membership.client),
    handle: () => ({ omendb: 1, ...supervisor.handle }),
    close: () => supervisor.close(),
  });
  t.teardown(() => db.close());
  return { db, pinned: () => client.reader.pinned };
}

/** The code a promise is rejected with, '' when it resolves; other errors pass through. */
export async function codeOfAsync(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof OmenError) return error.code;
    throw error;
  }
  return '';
}

/** The error of a promise, which must be one of ours. */
export async function errorOf(t: ExecutionContext, promise: Promise<unknown>): Promise<OmenError> {
  const error = await t.throwsAsync(promise, { instanceOf: OmenError });
  if (error === undefined) throw new Error('Nothing was thrown.');
  return error;
}

const workers: Worker[] = [];
process.on('worker', (worker) => {
  workers.push(worker);
  worker.once('exit', () => workers.splice(workers.indexOf(worker), 1));
});

/** The shard threads started in this process that live, oldest first. */
export function shardThreads(): Worker[] {
  return workers.filter(({ threadName }) => threadName?.startsWith('omendb-shards-'));
}

/** Waits until `holds`, a turn of the event loop at a time. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** A worker of the tests; its errors are thrown in `finished`. */
export function startWorker(t: ExecutionContext, file: string, workerData: unknown) {
  const worker = new Worker(new URL(file, import.meta.url), { workerData });
  t.teardown(() => worker.terminate());
  const finished = once(worker, 'exit').then(([code]) => code as number);
  finished.catch(() => {});
  return { worker, finished };
}

/** The next message of a worker; rejects with the error that ends it first. */
export async function messageOf<T>(worker: Worker): Promise<T> {
  const [message] = await once(worker, 'message');
  return message as T;
}

/** Every key and value there is, by every way to them; they must agree. */
export function contentOf(t: ExecutionContext, db: Database<number, { value: number }>) {
  const entries = [...db.entries()].map(([key, { value }]) => [key, value] as const);
  t.deepEqual(
    [...db.keys()],
    entries.map(([key]) => key),
  );
  t.is(db.count(), entries.length);
  for (const [key, value] of entries) t.deepEqual(db.get(key), { value });
  return new Map(entries);
}
