/** What keeps writers waiting must end: shards that failed, tickets that a thread took as it ended. */
import { closeSync, readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { open } from '../../src/index.ts';
import { codeOfAsync, NUMBERS, openNew, startWorker, temporaryDirectory } from './support.ts';

/** Descriptors are those of all threads: without one, the shard cannot write its log any more. */
function descriptorOf(beginning: string): number | null {
  try {
    const name = readdirSync('/proc/self/fd').find((fd) => {
      try {
        return readlinkSync(join('/proc/self/fd', fd)).startsWith(beginning);
      } catch {
        return false; // That of the listing itself.
      }
    });
    return name === undefined ? null : Number(name);
  } catch {
    return null;
  }
}

// One after the other: a descriptor that the first one closes is not to become that of a file of the second.

test.serial(
  'batches over several shards are refused, not kept waiting, also once no ticket is free',
  async (t) => {
    const directory = temporaryDirectory(t);
    const db = await open(directory, { ...NUMBERS, shards: 2, threads: 2 });
    const kept = new Map<number, number>();
    const codes = new Set<string>();
    let key = 0;
    /** Two keys, of different shards often enough. */
    const batch = async (): Promise<void> => {
      const keys = [key++, key++, key++, key++];
      const put = keys.map((one) => ({ type: 'put', key: one, value: { value: -one } }) as const);
      const code = await codeOfAsync(db.batch(put));
      if (code === '') for (const one of keys) kept.set(one, -one);
      else codes.add(code);
    };
    while (kept.size < 400) await batch();
    const log = descriptorOf(join(realpathSync(directory), 'shard-0000', 'wal-'));
    if (log === null) {
      t.log('SKIPPED: this system does not list the descriptors of a process');
      t.pass();
      return db.close();
    }
    closeSync(log);
    for (let round = 0; round < 60; round++) await Promise.all(Array.from({ length: 64 }, batch));
    t.true(codes.has('OMEN_SHARD_FAILED'));
    t.deepEqual(
      [...codes].filter((code) => !/SHARD_FAILED|OUTCOME_UNKNOWN/.test(code)),
      [],
    );
    t.is(db.health().status, 'failed');
    t.is(await codeOfAsync(db.clear()), 'OMEN_SHARD_FAILED');
    t.is(await codeOfAsync(db.bulkLoad([[1, { value: 1 }]])), 'OMEN_SHARD_FAILED');
    for (const [one, value] of kept) t.is(db.get(one)?.value, value);
    t.not(await codeOfAsync(db.close()), '');
    const again = await openNew(t, {}, directory);
    for (const [one, value] of kept) t.deepEqual(again.get(one), { value });
  },
);

test.serial(
  'a thread that ends with a ticket that nobody knows of keeps nobody waiting',
  async (t) => {
    const db = await openNew(t, { ...NUMBERS, shards: 2, threads: 2 });
    for (let round = 1; round <= 3; round++) {
      const { worker, finished } = startWorker(t, './ticket-taker.ts', { handle: db.handle() });
      worker.on('error', (error) => t.fail(String(error)));
      t.is(await finished, 7);
      const keys = [0, 1, 2, 3, 4, 5, 6, 7];
      await db.batch(keys.map((key) => ({ type: 'put', key, value: { value: round } }) as const));
      t.deepEqual(new Set(db.getMany(keys).map((row) => row?.value)), new Set([round]));
      await db.flush();
    }
  },
);
