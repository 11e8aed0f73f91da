/**
 * A thread that publishes groups to a memtable while a test reads it. Each group writes its number to
 * every key of KEYS, in another order each time, and to some keys beyond.
 *
 * `stepped`: it parks before each store with which it publishes, until the test lets it take it.
 * `free`: it runs, and waits only now and then for the test to have read once more.
 */
import { workerData } from 'node:worker_threads';
import { CommitTable } from '../../src/view/commit-table.ts';
import type { MemtableHandle } from '../../src/view/memtable.ts';
import { NUMBERS, randomFrom, TestMemtable } from './support.ts';

/** Words of the gate. */
const STATE_WORD = 0;
const READS_WORD = 1;
/** What STATE_WORD says; 0: it runs. */
const PARKED = 1;
const DONE = 2;

const KEYS = [0, 1, 2, 3, 4, 5] as const;

export interface PublisherOrder {
  readonly handle: MemtableHandle;
  readonly gate: SharedArrayBuffer;
  readonly mode: 'stepped' | 'free';
  readonly groups: number;
  readonly seed: number;
}

const GROUPS_A_READ = 500;

function publishAll({ handle, gate, mode, groups, seed }: PublisherOrder): void {
  const words = new Int32Array(gate);
  const random = randomFrom(seed);
  const memtable = new TestMemtable(NUMBERS, CommitTable.empty(), handle);
  const { store, wait, notify, load } = Atomics;
  const park = (): void => {
    store(words, STATE_WORD, PARKED);
    notify(words, STATE_WORD);
    wait(words, STATE_WORD, PARKED);
  };
  if (mode === 'stepped') {
    Atomics.store = ((array: Int32Array, index: number, value: number) => {
      park();
      return store(array, index, value);
    }) as typeof Atomics.store;
  }
  for (let group = 1; group <= groups; group++) {
    const keys: number[] = [...KEYS];
    for (let extra = Math.floor(random() * 4); extra > 0; extra--) {
      keys.push(100 + Math.floor(random() * 40));
    }
    for (let i = keys.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [keys[i], keys[j]] = [keys[j], keys[i]];
    }
    for (const key of keys) memtable.append(key, { n: group });
    memtable.publish();
    memtable.writer.sealChunks();
    if (mode === 'free' && group % GROUPS_A_READ === 0) {
      wait(words, READS_WORD, load(words, READS_WORD));
    }
  }
  store(words, STATE_WORD, DONE);
  notify(words, STATE_WORD);
}

publishAll(workerData as PublisherOrder);
