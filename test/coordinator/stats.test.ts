/** What `stats()` tells, held to what was done. */
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { type Database, open, type Stats } from '../../src/index.ts';
import { OPERATIONS, type Operation } from '../../src/view/meters.ts';
import type { AttachedTask } from './attached-tasks.ts';
import {
  codeOfAsync,
  messageOf,
  NUMBERS,
  openNew,
  SMALL,
  shardThreads,
  startWorker,
  temporaryDirectory,
  until,
} from './support.ts';

type Numbers = Database<number, { value: number }, number, { value: number }>;

function callsOf({ operations }: Stats): Partial<Record<Operation, number>> {
  const called = OPERATIONS.filter((name) => operations[name].calls !== 0);
  return Object.fromEntries(called.map((name) => [name, operations[name].calls]));
}

function rowsOf({ operations }: Stats): Partial<Record<Operation, number>> {
  const called = OPERATIONS.filter((name) => operations[name].rows !== 0);
  return Object.fromEntries(called.map((name) => [name, operations[name].rows]));
}

/** Waits until the shards have counted what they did: so many records. */
async function counted(db: Numbers, puts: number, dels: number): Promise<void> {
  await until(() => db.stats().total.puts === puts && db.stats().total.dels === dels);
}

test('a new database has done nothing, and says so as plain data', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const stats = db.stats();
  t.deepEqual(structuredClone(stats), JSON.parse(JSON.stringify(stats)));
  t.deepEqual([callsOf(stats), rowsOf(stats), stats.errors], [{}, {}, {}]);
  for (const name of OPERATIONS) t.is(stats.operations[name].ns.count, 0);
  t.like(stats.writes, { backlog: 0, waits: 0, waitedNs: 0 });
  t.like(stats.total, { puts: 0, dels: 0, batches: 0, refused: 0, acceptedBytes: 0, flushRows: 0 });
  t.deepEqual(
    stats.shards.map(({ tiers }) => tiers.every((runs) => runs === 0)),
    [true, true],
  );
  const { rssBytes, heapBytes, memtableBytes, controlBytes, segmentBytes } = stats.memory;
  t.true(rssBytes > heapBytes && heapBytes > 0 && memtableBytes > 0 && controlBytes > 0);
  t.is(segmentBytes, 0);
});

/** Something that is done to a database, what it counts as, and the rows that it has to do with. */
type Step = readonly [name: Operation, rows: number, run: (db: Numbers) => unknown];

const KEYS = 100;
const key = fc.integer({ min: 0, max: KEYS - 1 });
const row = (value: number) => ({ value });
const step: fc.Arbitrary<Step> = fc.oneof(
  key.map((k): Step => ['get', 0, (db) => db.get(k)]),
  key.map((k): Step => ['get', 0, (db) => db.has(k)]),
  key.map((k): Step => ['get', 0, (db) => db.snapshot()[Symbol.dispose]() ?? db.get(k)]),
  fc
    .array(key, { maxLength: 40 })
    .map((keys): Step => ['getMany', keys.length, (db) => db.getMany(keys)]),
  key.map((k): Step => ['ordered', 0, (db) => [db.floor(k)]]),
  fc.constant<Step>(['ordered', 0, (db) => db.count()]),
  fc.constant<Step>(['ordered', 0, (db) => db.at(3)]),
  key.map((k): Step => ['put', 0, (db) => db.put(k, row(k))]),
  key.map((k): Step => ['put', 0, (db) => db.put(k, row(k), { if: 'present' })]),
  key.map((k): Step => ['del', 0, (db) => db.del(k)]),
  fc.array(key, { minLength: 1, maxLength: 20 }).map((keys): Step => {
    const operations = keys.map((k) => ({ type: 'put', key: k, value: row(k) }) as const);
    return ['batch', keys.length, (db) => db.batch(operations)];
  }),
  key.map((k): Step => ['clear', 0, (db) => db.clear({ gte: k, lt: k + 3 })]),
  fc.constant<Step>(['aggregate', 0, (db) => db.aggregate({}, { n: 'count' })]),
  fc.constant<Step>(['flush', 0, (db) => db.flush()]),
);

test('every call is counted, whatever becomes of it, and the shards count what was committed', async (t) => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
    await using db = await open(temporaryDirectory(t), { ...NUMBERS, shards: 3 });
    const calls: Partial<Record<Operation, number>> = {};
    const rows: Partial<Record<Operation, number>> = {};
    let failed = 0;
    for (const [name, touched, run] of steps) {
      calls[name] = (calls[name] ?? 0) + 1;
      if (touched > 0) rows[name] = (rows[name] ?? 0) + touched;
      const code = await codeOfAsync(Promise.resolve(run(db)));
      if (code !== '') failed++;
    }
    const stats = db.stats();
    const { snapshot: _, ...others } = callsOf(stats);
    t.deepEqual(others, calls);
    t.deepEqual(rowsOf(stats), rows);
    t.is(stats.errors.OMEN_CONDITION_FAILED ?? 0, failed);
    t.is(stats.snapshots, 0);
    await until(() => db.stats().total.refused === failed);
    const { total, commits } = db.stats();
    await until(() => db.stats().total.lsn === db.stats().commits.records.sum);
    t.true(commits.syncNs.count > 0 || total.lsn === 0);
    for (const { ns } of Object.values(stats.operations)) t.true(ns.p50 <= ns.max);
  });
  await t.notThrowsAsync(fc.assert(property, { numRuns: 8 }));
});

test('what shards are given is counted by kind, with its bytes; flushes and merges with theirs', async (t) => {
  const db: Numbers = await openNew(t, { ...NUMBERS, shards: 2, memtable: SMALL });
  await Promise.all(Array.from({ length: 1000 }, (_, i) => db.put(i, row(i))));
  for (let i = 0; i < 10; i++) await db.del(i);
  await db.batch([
    { type: 'put', key: 2000, value: row(1) },
    { type: 'put', key: 2001, value: row(1) },
    { type: 'del', key: 10 },
  ]);
  await counted(db, 1002, 11);
  await db.flush();
  await db.compact();
  const { total, shards, commits, writeAmplification, operations } = db.stats();
  t.is(total.rows, 991);
  t.true(total.batches === 1 || total.batches === 2, 'one, or a part in each shard');
  t.true(total.acceptedBytes >= 1002 * 24 + 11 * 16);
  t.true(total.logWrittenBytes >= total.acceptedBytes);
  t.true(total.flushRows >= 1002 && total.compactionRows >= 991);
  t.true(total.flushes > 0 && total.compactions > 0);
  t.true(total.flushMs > 0 && total.compactionMs > 0);
  t.true(total.flushWrittenBytes > 0 && total.compactionWrittenBytes > 0);
  const { logWrittenBytes, flushWrittenBytes, compactionWrittenBytes, acceptedBytes } = total;
  const written = logWrittenBytes + flushWrittenBytes + compactionWrittenBytes;
  t.is(writeAmplification, written / acceptedBytes);
  t.true(commits.syncNs.count >= total.commits && commits.syncNs.sum > 0);
  t.is(commits.records.count, total.commits);
  t.true(commits.ns.count > 0 && commits.ns.count <= total.commits);
  // One run a shard, of some 500 rows: 4^4 and more, not 4^5.
  for (const { tiers } of shards) t.deepEqual(tiers.slice(0, 6), [0, 0, 0, 0, 1, 0]);
  t.is(operations.put.ns.count, Math.ceil(1000 / 64));
  t.is(operations.del.ns.count, 1);
  t.true(operations.compact.ns.count === 1 && operations.compact.ns.max > 0);
  t.deepEqual([total.memtables, total.memtableEntries], [2, 0]);
});

test('with slowMs every write and every longer read is timed, and what is slow is counted', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1, slowMs: 0 });
  for (let i = 0; i < 20; i++) await db.put(i, row(i));
  db.getMany([1, 2, 3]);
  await db.scan().toTable();
  const { put, getMany, scan } = db.stats().operations;
  t.deepEqual([put.calls, put.slow, put.ns.count], [20, 20, 20]);
  t.deepEqual([getMany.calls, getMany.slow, getMany.rows], [1, 1, 3]);
  t.deepEqual([scan.calls, scan.slow, scan.rows], [1, 1, 20]);
  for (const slowMs of [-1, Number.NaN, '1']) {
    const options = { slowMs: slowMs as number };
    t.is(await codeOfAsync(open(temporaryDirectory(t), options)), 'OMEN_INVALID_OPTIONS');
  }
});

test('gets are counted exactly, and one in a thousand or so is timed; of some, what they look at', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  await db.batch(Array.from({ length: 50 }, (_, i) => ({ type: 'put', key: i, value: row(i) })));
  await db.flush();
  const gets = 100_000;
  for (let i = 0; i < gets; i++) db.get(i % 50);
  for (let i = 0; i < 10; i++) db.getMany([1, 2, 3]);
  const { operations, reads } = db.stats();
  t.is(operations.get.calls, gets);
  t.true(operations.get.ns.count > 40 && operations.get.ns.count < 400);
  t.true(reads.probes.count > 0 && reads.probes.max <= 4);
  t.true(reads.window.count > 0 && reads.window.max < 50);
  t.is(db.stats().operations.get.calls, gets, 'to ask changes nothing');
});

test('errors are counted by code, once each', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  await db.put(1, row(1));
  t.is(await codeOfAsync(db.put('x' as unknown as number, row(1))), 'OMEN_INVALID_KEY');
  t.is(await codeOfAsync(db.put(1, row(2), { if: 'absent' })), 'OMEN_CONDITION_FAILED');
  const both = [1, 2].map((k) => ({ type: 'del', key: k, if: 'present' }) as const);
  t.is(await codeOfAsync(db.batch(both)), 'OMEN_CONDITION_FAILED');
  const contended = db.update(
    1,
    (old) => {
      void db.put(1, row((old?.value ?? 0) + 1));
      return row(0);
    },
    { tries: 2 },
  );
  t.is(await codeOfAsync(contended), 'OMEN_CONTENTION');
  const signal = AbortSignal.abort();
  t.is(await codeOfAsync(db.aggregate({ signal }, { n: 'count' })), 'OMEN_ABORTED');
  t.is(await codeOfAsync(db.bulkLoad([[1, { value: 'x' }]] as never)), 'OMEN_REJECTED_ROWS');
  t.deepEqual(db.stats().errors, {
    OMEN_INVALID_KEY: 1,
    OMEN_CONDITION_FAILED: 4,
    OMEN_CONTENTION: 1,
    OMEN_ABORTED: 1,
    OMEN_REJECTED_ROWS: 1,
  });
});

test('writes that find no room are counted, with the time that any waited', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const writes = Array.from({ length: 80_000 }, (_, i) => codeOfAsync(db.put(i, row(i))));
  const { backlog, waits } = db.stats().writes;
  t.true(backlog > 0 && waits >= backlog);
  const codes = await Promise.all(writes);
  const refused = codes.filter((code) => code === 'OMEN_BACKPRESSURE').length;
  const { writes: after, errors, operations } = db.stats();
  t.true(refused > 0);
  t.is(errors.OMEN_BACKPRESSURE, refused);
  t.is(after.backlog, 0);
  t.true(after.waitedNs > 0);
  t.is(operations.put.calls, 80_000);
  t.true(after.inFlight.max > 4096);
});

test('a database opened for reading counts its reads', async (t) => {
  const directory = temporaryDirectory(t);
  {
    await using db = await open(directory, { ...NUMBERS, shards: 2 });
    await db.put(1, row(1));
  }
  const db = await openNew(t, { readOnly: true }, directory);
  db.get(1);
  t.is([...db.entries()].length, 1);
  t.is(await codeOfAsync(db.put(2, row(2) as never)), 'OMEN_READ_ONLY');
  const { total, errors } = db.stats();
  const stats = db.stats();
  t.deepEqual(callsOf(stats), { get: 1, iterate: 1, put: 1 });
  t.deepEqual(rowsOf(stats), { iterate: 1 });
  t.deepEqual(errors, { OMEN_READ_ONLY: 1 });
  t.is(total.recoveryRecords, 1);
  t.true(total.recoveryMs > 0);
});

async function inThread(t: ExecutionContext, db: Numbers, first: number, count: number) {
  const data: AttachedTask = { task: 'put', handle: db.handle(), first, count };
  const { worker, finished } = startWorker(t, './attached-tasks.ts', data);
  t.is(await messageOf(worker), 'attached');
  return { worker, finished };
}

test.serial('what other threads did counts, too, and stays when they are gone', async (t) => {
  const db: Numbers = await openNew(t, { ...NUMBERS, shards: 2 });
  for (let round = 1; round <= 3; round++) {
    const threads = await Promise.all([inThread(t, db, 0, 40), inThread(t, db, 1000, 50)]);
    t.deepEqual(await Promise.all(threads.map(({ finished }) => finished)), [0, 0]);
    await db.put(5000, row(1));
    t.is(db.stats().operations.put.calls, round * 91);
    await counted(db, round * 91, 0);
  }
  t.is(db.stats().writes.backlog, 0);
});

test.serial(
  'a thread that dies takes nothing back of what it counted, and leaves nothing waiting',
  async (t) => {
    const db: Numbers = await openNew(t, { ...NUMBERS, shards: 2 });
    let [puts, batches] = [0, 0];
    for (let round = 0; round < 2; round++) {
      const data: AttachedTask = { task: 'flood', handle: db.handle(), first: 1000 * round };
      const { worker, finished } = startWorker(t, './attached-tasks.ts', data);
      t.is(await messageOf(worker), 'writing');
      await worker.terminate();
      await finished;
      const { put, batch } = db.stats().operations;
      // Three rounds of 50 and 4 were sent, at least; the slot is that of the thread before.
      t.true(put.calls >= puts + 150 && batch.calls >= batches + 12);
      t.is(batch.rows, 40 * batch.calls);
      [puts, batches] = [put.calls, batch.calls];
      await until(() => db.stats().writes.backlog === 0);
    }
    await db.put(1, row(1));
    t.is(db.stats().operations.put.calls, puts + 1);
  },
);

test.serial(
  'counts of a shard go on where its thread died, and recoveries are counted',
  async (t) => {
    const db: Numbers = await openNew(t, { ...NUMBERS, shards: 2, threads: 1 });
    for (let i = 0; i < 40; i++) await db.put(i, row(i));
    await db.flush();
    await counted(db, 40, 0);
    const before = db.stats();
    const alive = setInterval(() => {}, 1000);
    await shardThreads()[0].terminate();
    clearInterval(alive);
    await db.put(100, row(1));
    await counted(db, 41, 0);
    await until(() => db.stats().total.recoveries === 2);
    const after = db.stats();
    for (const name of ['commits', 'flushes', 'acceptedBytes', 'flushRows', 'lsn'] as const) {
      t.true(after.total[name] >= before.total[name], name);
    }
    t.is(after.total.flushes, before.total.flushes);
    t.true(after.commits.records.count > before.commits.records.count);
    t.is(after.operations.put.calls, 41);
  },
);
