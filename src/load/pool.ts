/** The pool in which the rows of a bulk load are prepared, one a load. */
import { extname } from 'node:path';
import { OmenError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { partBytes, type SpilledRun } from '../view/spilled-run.ts';
import { ClientPool } from './client-pool.ts';
import { type GroupTask, type Parsed, type ParseTask, parseBlock, parseGroup } from './parse.ts';
import type { Failed, LoadTask, SpillOutcome } from './pool-worker.ts';
import { type SortedRun, type SortTask, sortChunks } from './sort.ts';
import { type JoinTask, joinRuns, type SpillTask, spillRun } from './spill.ts';

/** So little is done at once in this thread: to start another takes longer. */
const SMALL_BYTES = 2 ** 18;

export class LoadPool {
  readonly #storage: Storage;
  readonly #pool = new ClientPool(
    new URL(`./pool-worker${extname(import.meta.url)}`, import.meta.url),
    // So that threads collect what tasks left.
    true,
  );
  #isClosed = false;

  /** @param storage what this thread writes small runs to; the pool's threads have the real one */
  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** Tasks that run at once. */
  get threads(): number {
    return this.#pool.threads;
  }

  async sort(sort: SortTask): Promise<SortedRun> {
    const bytes = sort.chunks.reduce((sum, { layout }) => sum + layout.bodyBytes, 0);
    if (bytes < SMALL_BYTES) return sortChunks(sort);
    return (await this.#run({ sort })) as SortedRun;
  }

  async parse(parse: ParseTask): Promise<Parsed> {
    if (parse.bytes.length < SMALL_BYTES) return parseBlock(parse);
    return (await this.#run({ parse })) as Parsed;
  }

  /** @throws OMEN_INVALID_SOURCE, OMEN_UNKNOWN_COLUMN, OMEN_MISSING_COLUMN */
  async group(group: GroupTask): Promise<Parsed> {
    if (group.group.bytes.length < SMALL_BYTES) return parseGroup(group);
    const outcome = (await this.#run({ group })) as Parsed | Failed;
    if (!('failed' in outcome)) return outcome;
    throw new OmenError(outcome.failed.code, outcome.failed.message);
  }

  /** @throws what the storage throws; then there is no file */
  async spill(spill: SpillTask): Promise<SpilledRun> {
    this.#throwIfClosed();
    const bytes = spill.segments.reduce((sum, part) => sum + partBytes(part), 0);
    if (bytes < SMALL_BYTES) return spillRun(this.#storage, spill);
    return runOf((await this.#run({ spill })) as SpillOutcome);
  }

  /** @throws OMEN_CORRUPT, what the storage throws; then there is no file of the joined run */
  async join(join: JoinTask): Promise<SpilledRun> {
    this.#throwIfClosed();
    const bytes = join.runs.reduce((sum, run) => sum + partBytes(run), 0);
    if (bytes < SMALL_BYTES) return joinRuns(this.#storage, join);
    return runOf((await this.#run({ join })) as SpillOutcome);
  }

  #run(task: LoadTask): Promise<unknown> {
    this.#throwIfClosed();
    return this.#pool.run(task);
  }

  #throwIfClosed(): void {
    if (this.#isClosed) throw new OmenError('OMEN_ABORTED', 'The load has ended.');
  }

  /** Ends what is under way: nothing is written any more. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.#pool.close();
  }
}

function runOf(outcome: SpillOutcome): SpilledRun {
  if ('run' in outcome) return outcome.run;
  throw new OmenError(outcome.failed.code, outcome.failed.message);
}
