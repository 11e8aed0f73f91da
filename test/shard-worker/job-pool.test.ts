import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { JobPool } from '../../src/shard-worker/job-pool.ts';
import type { Job } from '../../src/shard-worker/jobs.ts';
import { memtableOf, placeOf } from './runs.ts';
import { SCHEMA } from './shards.ts';

function jobIn(t: ExecutionContext): { job: Job; directory: string } {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const memtable = memtableOf(SCHEMA, [[1, { stamp: 1 }]]);
  const place = { ...placeOf(SCHEMA), directory };
  const span = { firstLsn: 1, lastLsn: 1 };
  const rest = { keepTombstones: true, expiry: null, firstId: 1, span };
  const job = { kind: 'flush', place, memtable, ...rest } as const;
  return { directory, job };
}

test('a job runs in another thread and gives back segments in shared memory', async (t) => {
  const { job, directory } = jobIn(t);
  const pool = new JobPool();
  t.teardown(() => pool.close());
  const { written } = await pool.run(job);
  t.deepEqual([written.length, written[0].record.rows], [1, 1]);
  t.true(written[0].handle.body instanceof SharedArrayBuffer);
  t.true(existsSync(join(directory, 'segment-0000000001.arrow')));
});

test('a job that fails says so, and the pool goes on', async (t) => {
  const { job } = jobIn(t);
  const pool = new JobPool();
  t.teardown(() => pool.close());
  const place = { ...job.place, directory: join(tmpdir(), 'omendb-no-such-directory') };
  await t.throwsAsync(pool.run({ ...job, place }), { code: 'OMEN_IO', message: /ENOENT/ });
  t.is((await pool.run(job)).written.length, 1);
});

test('a pool that never ran a job closes', async (t) => {
  await new JobPool().close();
  t.pass();
});
