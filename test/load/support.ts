/** What tests of loads share. */
import { InFlight } from '../../src/load/in-flight.ts';
import type { LoadBudget } from '../../src/load/load-budget.ts';
import { LoadPool } from '../../src/load/pool.ts';
import type { LoadShared } from '../../src/load/shard-rows.ts';
import type { OnDuplicate } from '../../src/load/sort.ts';
import type { Schema } from '../../src/schema/schema.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { OnExisting } from '../../src/view/run-slice.ts';

export interface SharedOptions {
  readonly schema: Schema;
  readonly onDuplicate?: OnDuplicate;
  readonly onExisting?: OnExisting;
  readonly writesAhead?: boolean;
  readonly budget?: Partial<LoadBudget>;
}

/** Every chunk is a run of its own, and all are kept in memory, unless told otherwise. */
export function sharedOf(
  storage: Storage,
  {
    schema,
    onDuplicate = 'last',
    onExisting = 'replace',
    writesAhead = true,
    budget = {},
  }: SharedOptions,
): LoadShared {
  return {
    ...{ schema, onDuplicate, onExisting, writesAhead, kept: 0 },
    // What is little is done in this thread.
    pool: new LoadPool(storage),
    inFlight: new InFlight(),
    retired: { add: () => {} },
    budget: {
      ...{ chunkBytes: 1, runBytes: 1, pieceBytes: 2 ** 20, keptBytes: 2 ** 30 },
      ...{ sliceBytes: 2 ** 20, blockBytes: 2 ** 12, joinRuns: 100, ...budget },
    },
  };
}
