/** The faces: the ways in which a database can be laid out, reached and disturbed. */
import { Worker } from 'node:worker_threads';
import {
  type Database,
  type ErrorCode,
  OmenError,
  type OpenOptions,
  open,
} from '../../src/index.ts';
import { BEGINNING, setTime, timeOf } from './clock.ts';
import { type Form, type Operation, perform } from './operations.ts';
import type { Face, Session } from './suite.ts';

/** Small, so that a few hundred rows fill several; a batch may be of the longest keys. */
function memtableOf({ key }: Form): OpenOptions['memtable'] {
  const isVariable = key === 'utf8' || key === 'binary';
  return { entriesMax: 128, arenaBytes: isVariable ? 2 ** 23 : 2 ** 17 };
}

const isWrite = ({ op }: Operation): boolean =>
  op === 'put' || op === 'del' || op === 'batch' || op === 'clear';

/** Called after every write, with the means to disturb the database. */
type Disturbance = (db: Database, reopen: () => Promise<void>) => Promise<void>;

export const flush: Disturbance = (db) => db.flush();
export const compact: Disturbance = (db) => db.compact();
export const reopen: Disturbance = (_, again) => again();

/** A client in the thread that opens the database. */
export function opened(
  layout: (splits: readonly unknown[]) => OpenOptions,
  afterWrite: Disturbance = async () => {},
): Face {
  return async (directory, { form, splits }) => {
    const each = { bigints: form.bigints, memtable: memtableOf(form) };
    let db: Database = await open(directory, { ...form, ...each, ...layout(splits) });
    setTime(db, BEGINNING);
    const again = async (): Promise<void> => {
      const time = timeOf(db);
      await db.close();
      db = await open(directory, each);
      setTime(db, time);
    };
    return {
      async perform(operation) {
        if (operation.op === 'reopen') return again();
        const answer = await perform(db, form, operation);
        if (isWrite(operation)) await afterWrite(db, again);
        return answer;
      },
      close: () => db.close(),
    };
  };
}

/** What the worker of `attached` answers. */
export type Answer =
  | { readonly answer: unknown }
  | { readonly code: ErrorCode; readonly message: string };

/** A client in a worker thread that attached; this thread opened the database and does nothing. */
export function attached(layout: OpenOptions): Face {
  return async (directory, { form }) => {
    const each = { bigints: form.bigints, memtable: memtableOf(form) };
    let db: Database = await open(directory, { ...form, ...each, ...layout });
    setTime(db, BEGINNING);
    let remote = await attachWorker(db, form);
    return {
      async perform(operation) {
        if (operation.op !== 'reopen') return remote.perform(operation);
        const time = timeOf(db);
        await remote.close();
        await db.close();
        db = await open(directory, each);
        setTime(db, time);
        remote = await attachWorker(db, form);
      },
      async close() {
        await remote.close();
        await db.close();
      },
    };
  };
}

async function attachWorker(db: Database, form: Form): Promise<Session> {
  const workerData = { handle: db.handle(), form };
  const worker = new Worker(new URL('./attached-worker.ts', import.meta.url), { workerData });
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  const ask = (operation: Operation | 'close'): Promise<unknown> =>
    new Promise((resolve, reject) => {
      worker.once('error', reject);
      worker.once('message', (message: Answer) => {
        worker.off('error', reject);
        if ('answer' in message) resolve(message.answer);
        else reject(new OmenError(message.code, message.message));
      });
      worker.postMessage(operation);
    });
  return {
    perform: ask,
    async close() {
      await ask('close');
      await exited;
    },
  };
}
