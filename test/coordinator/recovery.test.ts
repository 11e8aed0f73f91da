import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { OmenError, open } from '../../src/index.ts';
import { contentOf, NUMBERS, openNew, SMALL, shardThreads, temporaryDirectory } from './support.ts';

test.serial(
  'shard threads that are ended while writes are in flight come back, and nothing acknowledged is lost',
  async (t) => {
    const directory = temporaryDirectory(t);
    const db = await openNew(t, { ...NUMBERS, shards: 2, threads: 2 }, directory);
    const acknowledged: number[] = [];
    const codes = new Set<string>();
    let next = 0;
    const write = async (until: () => boolean): Promise<void> => {
      while (!until()) {
        const key = next++;
        try {
          await db.put(key, { value: key });
          acknowledged.push(key);
        } catch (error) {
          codes.add(error instanceof OmenError ? error.code : String(error));
        }
      }
    };
    for (let round = 1; round <= 3; round++) {
      const goal = 200 * round;
      const writers = Array.from({ length: 16 }, () => write(() => acknowledged.length >= goal));
      await shardThreads()[round % 2].terminate();
      await Promise.all(writers);
    }
    t.deepEqual(
      [...codes].filter((code) => code !== 'OMEN_OUTCOME_UNKNOWN'),
      [],
    );
    t.true(acknowledged.every((key) => db.get(key)?.value === key));
    await db.close();
    await using again = await open(directory, NUMBERS);
    t.true(acknowledged.every((key) => again.get(key)?.value === key));
  },
);

test.serial(
  'a log that holds more than memtables do by now is recovered in memtables and segments',
  async (t) => {
    const directory = temporaryDirectory(t);
    const large = { entriesMax: 2 ** 14, arenaBytes: 2 ** 22 };
    const db = await open(directory, { ...NUMBERS, shards: 2, memtable: large });
    const expected = new Map<number, number>();
    for (let round = 0; round < 3; round++) {
      const keys = Array.from({ length: 1000 }, (_, i) => 500 * round + i);
      await Promise.all(keys.map((key) => db.put(key, { value: key + round })));
      await db.batch(keys.slice(0, 50).map((key) => ({ type: 'del', key })));
      for (const key of keys) expected.set(key, key + round);
      for (const key of keys.slice(0, 50)) expected.delete(key);
    }
    t.is(db.stats().total.segments, 0);
    await db.close();
    for (let again = 0; again < 2; again++) {
      await using small = await open(directory, { ...NUMBERS, memtable: SMALL });
      const { shards } = small.stats();
      t.true(
        shards.every(({ segments, memtableBytes }) => segments > 0 && memtableBytes <= 2 ** 17),
      );
      t.deepEqual(contentOf(t, small), expected);
    }
  },
);

test.serial('a group that a crash tore is cut off and counted, once', async (t) => {
  const directory = temporaryDirectory(t);
  const db = await open(directory, { ...NUMBERS, shards: 1 });
  for (let key = 0; key < 4; key++) await db.put(key, { value: key });
  t.like(db.stats().total, { tornTails: 0, tornBytes: 0 });
  // As the power leaves it: the last group is there by half, and nothing says that it was synced.
  const torn = temporaryDirectory(t);
  cpSync(directory, torn, { recursive: true, filter: (path) => !path.endsWith('LOCK') });
  await db.close();
  const log = join(torn, 'shard-0000', 'wal-0000000001.log');
  const content = readFileSync(log);
  content.fill(0, 4 * 4096 + 50, 5 * 4096);
  writeFileSync(log, content);
  {
    await using again = await open(torn);
    t.like(again.stats().total, { tornTails: 1, tornBytes: 4096 });
    const [repair] = await new Promise<OmenError[]>((resolve) => {
      again.once('repaired', (...repairs) => resolve(repairs));
    });
    t.is(repair.code, 'OMEN_TAIL_CUT');
    t.true(repair.message.includes(log), repair.message);
    t.deepEqual([...again.keys()], [0, 1, 2]);
  }
  await using sound = await open(torn);
  t.like(sound.stats().total, { tornTails: 0, tornBytes: 0 });
});
