/** A worker thread that attaches to a database and does there what it is told, one thing at a time. */
import { parentPort, workerData } from 'node:worker_threads';
import { attach, type Handle, OmenError } from '../../src/index.ts';
import type { Answer } from './faces.ts';
import { type Form, type Operation, perform } from './operations.ts';

const port = parentPort;
if (port === null) throw new Error('This is the entry of a worker thread.');
const { handle, form } = workerData as { handle: Handle; form: Form };
const db = await attach(handle);

async function answer(message: Operation | 'close'): Promise<Answer> {
  try {
    return { answer: await (message === 'close' ? db.close() : perform(db, form, message)) };
  } catch (error) {
    if (!(error instanceof OmenError)) throw error;
    return { code: error.code, message: error.message };
  }
}

port.on('message', async (message: Operation | 'close') => {
  port.postMessage(await answer(message));
  if (message === 'close') port.close();
});
