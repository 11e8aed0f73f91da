import { availableParallelism } from 'node:os';
import test from 'ava';
import { ClientPool } from '../../src/load/client-pool.ts';

test('a pool does tasks, passes errors on, and begins anew after it was closed', async (t) => {
  const pool = new ClientPool(new URL('./doubling-worker.ts', import.meta.url));
  t.is(pool.threads, availableParallelism());
  await pool.close();
  for (let round = 0; round < 2; round++) {
    t.deepEqual(await Promise.all([1, 2, 3].map((task) => pool.run(task))), [2, 4, 6]);
    await t.throwsAsync(pool.run(-1), { instanceOf: RangeError, message: 'negative' });
    await pool.close();
  }
});
