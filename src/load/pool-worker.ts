/** A thread of the pool that a bulk load prepares its rows in. */
import { type ErrorCode, OmenError } from '../errors.ts';
import { realStorage } from '../storage/real.ts';
import type { Storage } from '../storage/storage.ts';
import { collectGarbage } from '../view/collect-garbage.ts';
import type { SpilledRun } from '../view/spilled-run.ts';
import { type Parsed, type ParseTask, parseBlock } from './parse.ts';
import { type SortedRun, type SortTask, sortChunks } from './sort.ts';
import { type JoinTask, joinRuns, type SpillTask, spillRun } from './spill.ts';

/** What a thread is given to do. */
export type LoadTask =
  | { readonly sort: SortTask }
  | { readonly parse: ParseTask }
  | { readonly spill: SpillTask }
  | { readonly join: JoinTask };

/** How writing ended: an error that was thrown would arrive in another thread without its code. */
export type SpillOutcome =
  | { readonly run: SpilledRun }
  | { readonly failed: { readonly code: ErrorCode; readonly message: string } };

let isDue = false;

export default function run(task: LoadTask): SortedRun | Parsed | SpillOutcome {
  if (!isDue) {
    isDue = true;
    // What tasks read may be hundreds of megabytes of shared memory, of which V8 counts nothing.
    setImmediate(() => {
      isDue = false;
      collectGarbage();
    });
  }
  if ('sort' in task) return sortChunks(task.sort);
  if ('parse' in task) return parseBlock(task.parse);
  return outcomeOf(realStorage, task);
}

function outcomeOf(
  storage: Storage,
  task: Extract<LoadTask, { spill: unknown } | { join: unknown }>,
): SpillOutcome {
  try {
    return { run: 'spill' in task ? spillRun(storage, task.spill) : joinRuns(storage, task.join) };
  } catch (error) {
    if (!(error instanceof OmenError)) throw error;
    return { failed: { code: error.code, message: error.message } };
  }
}
