/**
 * The process that is killed: writes the lanes of lanes.ts and says on stdout, at once, what was
 * acknowledged. Its one argument is a Life as JSON.
 */
import { writeSync } from 'node:fs';
import { type Database, type Durability, open } from '../src/index.ts';
import { LANES, stepOf } from './lanes.ts';

export interface Life {
  readonly directory: string;
  readonly seed: number;
  readonly durability: Durability;
  /** Steps that each lane has behind it. */
  readonly done: readonly number[];
}

export const OPTIONS = {
  key: 'int64',
  columns: { version: 'float64', note: 'utf8?' },
  shards: 3,
} as const;

/** Small memtables and two threads: flushes, merges and batches across threads all the time. */
const SETTINGS = { threads: 2, memtable: { entriesMax: 512, arenaBytes: 2 ** 18 } };
const STEPS_PER_COMPACTION = 700;

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Written at once, and whole, as so short a line is; a pipe that is full is waited for. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

async function writeLane(db: Database, { seed, done }: Life, lane: number): Promise<void> {
  for (let step = done[lane] + 1; ; step++) {
    const operations = stepOf(seed, lane, step);
    const [first] = operations;
    if (operations.length > 1) await db.batch(operations);
    else if (first.type === 'put') await db.put(first.key, first.value);
    else await db.del(first.key);
    say(`${lane} ${step}`);
    if (lane === 0 && step % STEPS_PER_COMPACTION === 0) await db.compact();
  }
}

if (process.argv[1] === import.meta.filename) {
  const life = JSON.parse(process.argv[2]) as Life;
  const { directory, durability } = life;
  const db: Database = await open(directory, { ...OPTIONS, ...SETTINGS, durability });
  say('open');
  await Promise.all(Array.from({ length: LANES }, (_, lane) => writeLane(db, life, lane)));
}
