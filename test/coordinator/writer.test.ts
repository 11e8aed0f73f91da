import test from 'ava';
import { openNew } from './support.ts';

test('rows and batches many times as large as a ring are written, one after the other', async (t) => {
  const db = await openNew(t, { key: 'int64', value: 'binary', shards: 2, threads: 2 });
  const rowOf = (bytes: number, fill: number) => new Uint8Array(bytes).fill(fill);
  for (let round = 0; round < 3; round++) {
    await db.put(round, rowOf(12e6 + round, round));
    await db.batch(
      Array.from({ length: 20 }, (_, i) => {
        return { type: 'put', key: 100 * (round + 1) + i, value: rowOf(200_000 + i, i) } as const;
      }),
    );
  }
  t.is(db.count(), 63);
  for (const [key, row] of db.entries()) {
    const bytes = key < 100 ? 12e6 + key : 200_000 + (key % 100);
    t.deepEqual([row.length, row[0], row.at(-1)], [bytes, key % 100, key % 100]);
  }
});
