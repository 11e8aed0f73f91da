/** A thread of the pool that a bulk load prepares its rows in. */
import { type ErrorCode, OmenError } from '../errors.ts';
import { realStorage } from '../storage/real.ts';
import type { Storage } from '../storage/storage.ts';
import { Retired } from '../view/retired.ts';
import type { SpilledRun } from '../view/spilled-run.ts';
import { type GroupTask, type Parsed, type ParseTask, parseBlock, parseGroup } from './parse.ts';
import { type SortedRun, type SortTask, sortChunks } from './sort.ts';
import { type JoinTask, joinRuns, type SpillTask, spillRun } from './spill.ts';

/** What a thread is given to do. */
export type LoadTask =
  | { readonly sort: SortTask }
  | { readonly parse: ParseTask }
  | { readonly group: GroupTask }
  | { readonly spill: SpillTask }
  | { readonly join: JoinTask };

/** How a task failed: an error that was thrown would arrive in another thread without its code. */
export interface Failed {
  readonly failed: { readonly code: ErrorCode; readonly message: string };
}

/** How writing ended. */
export type SpillOutcome = { readonly run: SpilledRun } | Failed;

/** What tasks read and make is shared memory, of which V8 counts nothing; more of it is not left about. */
const retired = new Retired(16 * 2 ** 20);

export default function run(
  task: LoadTask,
): SortedRun | Parsed | SpillOutcome | Promise<Parsed | Failed> {
  retired.add(2 * bytesOf(task));
  if ('sort' in task) return sortChunks(task.sort);
  if ('parse' in task) return parseBlock(task.parse);
  if ('group' in task) return parseGroup(task.group).catch(failure);
  return outcomeOf(realStorage, task);
}

function bytesOf(task: LoadTask): number {
  if ('parse' in task) return task.parse.bytes.length;
  if ('group' in task) return task.group.group.bytes.length;
  if ('join' in task) return 0;
  const segments = 'sort' in task ? task.sort.chunks : task.spill.segments;
  return segments.reduce((sum, { layout }) => sum + layout.bodyBytes, 0);
}

function failure(error: unknown): Failed {
  if (!(error instanceof OmenError)) throw error;
  return { failed: { code: error.code, message: error.message } };
}

function outcomeOf(
  storage: Storage,
  task: Extract<LoadTask, { spill: unknown } | { join: unknown }>,
): SpillOutcome {
  try {
    return { run: 'spill' in task ? spillRun(storage, task.spill) : joinRuns(storage, task.join) };
  } catch (error) {
    return failure(error);
  }
}
