import test from 'ava';
import { NUMBERS, openNew } from './support.ts';

const KEYS = Array.from({ length: 500 }, (_, i) => i * i - 1000);

for (const [name, layout] of Object.entries({
  'one shard': { shards: 1 },
  'five shards by hash': { shards: 5 },
  'three ranges': { shards: 3, partition: { splits: [0, 40_000] } },
  'three ranges, one of them empty': { shards: 3, partition: { splits: [7, 8] } },
} as const)) {
  test(`${name}: rank and at are each other's inverse, settled or not`, async (t) => {
    const db = await openNew(t, { ...NUMBERS, ...layout, threads: 1 });
    const check = (live: readonly number[]): void => {
      live.forEach((key, rank) => {
        t.is(db.rank(key), rank);
        t.is(db.rank(key + 1), rank + 1);
        t.deepEqual(db.at(rank), [key, { value: 2 * key }]);
      });
      t.is(db.at(live.length), undefined);
      t.is(db.at(Number.MAX_SAFE_INTEGER), undefined);
      t.is(db.rank(Number.MAX_SAFE_INTEGER), live.length);
      t.is(db.rank(Number.MIN_SAFE_INTEGER), 0);
      t.deepEqual([db.at(0), db.at(Math.max(0, live.length - 1))], [db.first(), db.last()]);
    };
    check([]);
    await db.batch(KEYS.map((key) => ({ type: 'put', key, value: { value: 2 * key } })));
    check(KEYS);
    await db.compact();
    check(KEYS);
    await db.batch([
      { type: 'put', key: -7, value: { value: -14 } },
      { type: 'put', key: KEYS[9], value: { value: 2 * KEYS[9] } },
      { type: 'put', key: 10 ** 6, value: { value: 2 * 10 ** 6 } },
      { type: 'del', key: KEYS[0] },
      { type: 'del', key: KEYS[77] },
      { type: 'del', key: 5 },
    ]);
    const changed = [...KEYS.slice(1).filter((key) => key !== KEYS[77]), -7, 10 ** 6];
    check(changed.sort((a, b) => a - b));
    await db.batch([-7, 10 ** 6].map((key) => ({ type: 'del', key })));
    await db.batch(KEYS.slice(0, 499).map((key) => ({ type: 'del', key })));
    check([KEYS[499]]);
    await db.flush();
    check([KEYS[499]]);
    await db.del(KEYS[499]);
    await db.compact();
    check([]);
  });
}

test('a rank is a whole number, not negative', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  for (const rank of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '0', 0n, null]) {
    t.throws(() => db.at(rank as number), { code: 'OMEN_INVALID_RANGE' });
  }
  t.throws(() => db.rank('0' as never), { code: 'OMEN_INVALID_KEY' });
});

test('no ordered read counts half of a batch, while shards apply it one after the other', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 4, threads: 2, durability: 'os' });
  const BATCHES = 3000;
  const written: Promise<void>[] = [];
  let isDone = false;
  const write = async (): Promise<void> => {
    for (let first = 0; first < 10 * BATCHES; first += 10) {
      const keys = Array.from({ length: 10 }, (_, i) => first + i);
      await db.ready();
      written.push(db.batch(keys.map((key) => ({ type: 'put', key, value: { value: key } }))));
    }
    await Promise.all(written);
    isDone = true;
  };
  const done = write();
  const counts = new Set<number>();
  while (!isDone) {
    // The shards go on while this thread reads.
    const count = db.count();
    counts.add(count);
    t.is(count % 10, 0);
    t.is(db.rank(Number.MAX_SAFE_INTEGER) % 10, 0);
    t.is((db.last()?.[0] ?? 9) % 10, 9);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await done;
  t.is(db.count(), 10 * BATCHES);
  t.log(`${counts.size} different counts on the way`);
});
