import test from 'ava';
import { OmenError, open } from '../../src/index.ts';
import { NUMBERS, openNew, shardThreads, temporaryDirectory } from './support.ts';

test('shard threads that are ended while writes are in flight come back, and nothing acknowledged is lost', async (t) => {
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
});
