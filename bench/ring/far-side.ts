/** The worker of pair.ts: runs the far side it is asked for, and stays for the next. */
import { parentPort } from 'node:worker_threads';
import type { FarOrder, Suite } from './pair.ts';

parentPort?.on('message', async ({ suite, name, shared, count }: FarOrder) => {
  const { pairs }: { pairs: Suite } = await import(suite);
  parentPort?.postMessage('ready');
  const result = await pairs[name].far(shared, count);
  shared.port.close();
  parentPort?.postMessage(result);
});
