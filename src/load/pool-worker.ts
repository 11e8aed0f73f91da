/** A thread of the pool that a bulk load prepares its rows in. */
import { collectGarbage } from '../view/collect-garbage.ts';
import { type Parsed, type ParseTask, parseBlock } from './parse.ts';
import { type SortedRun, type SortTask, sortChunks } from './sort.ts';

/** What a thread is given to do. */
export type LoadTask = { readonly sort: SortTask } | { readonly parse: ParseTask };

let isDue = false;

export default function run(task: LoadTask): SortedRun | Parsed {
  if (!isDue) {
    isDue = true;
    // What tasks read may be hundreds of megabytes of shared memory, of which V8 counts nothing.
    setImmediate(() => {
      isDue = false;
      collectGarbage();
    });
  }
  return 'sort' in task ? sortChunks(task.sort) : parseBlock(task.parse);
}
