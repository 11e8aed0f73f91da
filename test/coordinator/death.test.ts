import { once } from 'node:events';
import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { Client } from '../../src/coordinator/client.ts';
import { ShardThread } from '../../src/coordinator/shard-thread.ts';
import { faceOf, Supervisor } from '../../src/coordinator/supervisor.ts';
import { attach, type Database, open } from '../../src/index.ts';
import { realStorage } from '../../src/storage/real.ts';
import type { AttachedTask } from './attached-tasks.ts';
import { runChild } from './child.ts';
import {
  codeOfAsync,
  contentOf,
  errorOf,
  NUMBERS,
  openNew,
  SMALL,
  shardThreads,
  startWorker,
  temporaryDirectory,
  until,
} from './support.ts';
import { apply, groupsTo, seal, sorted } from './watching.ts';

type Numbers = Database<number, { value: number }, number, { value: number }>;

/** Counts of a round of writes: keys that were acknowledged, and those whose outcome is unknown. */
interface Sent {
  readonly acknowledged: number[];
  readonly unknown: number[];
}

/** Sends many writes at once; every one must settle, with nothing but OMEN_OUTCOME_UNKNOWN. */
async function sendRows(t: ExecutionContext, db: Numbers, first: number, count: number) {
  const sent: Sent = { acknowledged: [], unknown: [] };
  const writes = Array.from({ length: count }, async (_, i) => {
    const code = await codeOfAsync(db.put(first + i, { value: first + i }));
    if (code === '') sent.acknowledged.push(first + i);
    else sent.unknown.push(first + i);
    t.true(code === '' || code === 'OMEN_OUTCOME_UNKNOWN', code);
  });
  await Promise.all(writes);
  return sent;
}

async function kill(worker: Worker): Promise<void> {
  // Its death does not keep this process alive: nothing of an idle database does.
  const alive = setInterval(() => {}, 1000);
  await worker.terminate();
  clearInterval(alive);
}

// These tests kill shard threads of their own process: one after the other, so that each knows its own.

test.serial(
  'a shard thread that is terminated comes back with all that was acknowledged',
  async (t) => {
    const directory = temporaryDirectory(t);
    const db = await open(directory, { ...NUMBERS, shards: 3, threads: 2, memtable: SMALL });
    let rows = 0;
    const expected = new Set<number>();
    for (let round = 0; round < 6; round++) {
      const sending = sendRows(t, db, rows, 3000);
      rows += 3000;
      // In the middle of the writes, at a point that moves.
      const before = expected.size;
      await until(() => db.count() > before + 200 * round || shardThreads().length < 2);
      await kill(shardThreads()[round % 2]);
      const { acknowledged } = await sending;
      for (const key of acknowledged) expected.add(key);
      await db.put(1_000_000 + round, { value: round });
      expected.add(1_000_000 + round);
      t.deepEqual(db.get(1_000_000 + round), { value: round });
      const content = contentOf(t, db);
      for (const key of expected) t.true(content.has(key), `key ${key} of round ${round}`);
      for (const key of content.keys()) expected.add(key);
    }
    const before = contentOf(t, db);
    await db.close();
    const again = await openNew(t, NUMBERS, directory);
    t.deepEqual(contentOf(t, again), before);
  },
);

test.serial(
  'what is written after a shard thread came back is seen at once, every time',
  async (t) => {
    const db = await openNew(t, { ...NUMBERS, shards: 1 });
    await db.put(0, { value: 0 });
    // More often than a thread may die that never serves.
    for (let round = 1; round <= 10; round++) {
      await kill(shardThreads()[0]);
      t.deepEqual(db.get(0), { value: round - 1 });
      await db.put(0, { value: round });
      t.deepEqual(db.get(0), { value: round });
      t.deepEqual([...db.values()], [{ value: round }]);
    }
    await db.flush();
    t.deepEqual(db.get(0), { value: 10 });
  },
);

test.serial(
  'a watch goes on while shard threads die and come back, and misses nothing',
  async (t) => {
    const db: Numbers = await openNew(t, { ...NUMBERS, shards: 3, threads: 2, memtable: SMALL });
    const watch = db.watch();
    const copy = new Map<number, number>();
    for (let round = 0; round < 5; round++) {
      const batches = Array.from({ length: 60 }, (_, n) => {
        const value = { value: 1000 * round + n };
        const keys = Array.from({ length: 8 }, (_, i) => (i * 29 + n) % 100);
        return codeOfAsync(db.batch(keys.map((key) => ({ type: 'put', key, value }))));
      });
      const sending = sendRows(t, db, 1000 * (round + 1), 500);
      await batches[10 * round];
      await kill(shardThreads()[round % 2]);
      await Promise.all([...batches, sending]);
      await db.put(0, { value: round });
      await seal(db, round);
      for (const { changes } of await groupsTo(watch, round)) {
        const values = changes.flatMap((c) =>
          c.type === 'put' && c.key < 100 ? [c.value.value] : [],
        );
        t.true(new Set(values).size < 2 || changes.length < 8, 'no half of a batch');
        apply(copy, changes);
      }
      t.deepEqual(
        sorted(copy),
        [...contentOf(t, db)].map(([key, value]) => [key, value]),
      );
    }
    await watch.return();
  },
);

test.serial('an iterator goes on while its shard thread dies and comes back', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2, threads: 1, memtable: SMALL });
  await sendRows(t, db, 0, 400);
  const iterator = db.entries();
  const seen = [iterator.next().value];
  await kill(shardThreads()[0]);
  for (let i = 0; i < 100; i++) seen.push(iterator.next().value);
  await sendRows(t, db, 0, 50);
  for (let key = 0; key < 400; key += 3) await db.del(key);
  await db.compact();
  seen.push(...iterator);
  t.deepEqual(
    seen.map((entry) => entry?.[0]),
    Array.from({ length: 400 }, (_, key) => key),
  );
});

test.serial('a shard thread that throws comes back, and the reason is told', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2, threads: 1 });
  await db.put(1, { value: 1 });
  const [worker] = shardThreads();
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  // Writes until one of them finds the thread gone.
  const errors: Error[] = [];
  let isDone = false;
  const writing = (async () => {
    for (let key = 0; !isDone; key++) {
      await db.put(key % 100, { value: key }).catch((error) => errors.push(error));
    }
  })();
  // A control message that nobody can make sense of.
  const argumentList = [{ type: 'HANDLER', name: 'none' }];
  worker.postMessage({ id: 'x', type: 'APPLY', path: [], argumentList });
  await exited;
  isDone = true;
  await writing;
  for (const { message } of errors) t.true(message.includes('deserialize'), message);
  await db.put(200, { value: 200 });
  t.deepEqual(db.get(200), { value: 200 });
});

test.serial('a shard thread that runs out of memory comes back', async (t) => {
  const directory = temporaryDirectory(t);
  const { said, code } = await runChild(t, 'outOfMemory', directory);
  t.deepEqual([said, code], ['OMEN_OUTCOME_UNKNOWN', 0]);
  const db = await openNew(t, NUMBERS, directory);
  t.deepEqual(db.get(-1), { value: -1 });
  t.deepEqual(db.get(-2), { value: -2 });
});

test.serial('batches across shards stay whole or absent while shard threads die', async (t) => {
  const directory = temporaryDirectory(t);
  const db = await open(directory, { ...NUMBERS, shards: 4, threads: 2, memtable: SMALL });
  const SIZE = 24;
  let batches = 0;
  const acknowledged = new Set<number>();
  for (let round = 0; round < 4; round++) {
    const sent = Array.from({ length: 100 }, async () => {
      const n = batches++;
      const batch = Array.from({ length: SIZE }, (_, i) => {
        return { type: 'put', key: n * SIZE + i, value: { value: n } } as const;
      });
      const code = await codeOfAsync(db.batch(batch));
      if (code === '') acknowledged.add(n);
      else t.is(code, 'OMEN_OUTCOME_UNKNOWN');
    });
    const before = acknowledged.size;
    await until(() => acknowledged.size > before + 20 * round);
    await kill(shardThreads()[round % 2]);
    await Promise.all(sent);
    await decided(db);
    checkBatches(t, contentOf(t, db), acknowledged, SIZE);
  }
  const before = contentOf(t, db);
  await db.close();
  const again = await openNew(t, NUMBERS, directory);
  t.deepEqual(contentOf(t, again), before);
});

/**
 * Waits until no batch sent before is open: one whose outcome nobody could tell may still be committed
 * by the threads that live. A batch over all shards has its turn only after it.
 */
function decided(db: Numbers): Promise<void> {
  return db.batch(Array.from({ length: 64 }, (_, i) => ({ type: 'del', key: -1 - i }) as const));
}

function checkBatches(
  t: ExecutionContext,
  content: ReadonlyMap<number, number>,
  acknowledged: ReadonlySet<number>,
  size: number,
): void {
  const sizes = new Map<number, number>();
  for (const n of content.values()) sizes.set(n, (sizes.get(n) ?? 0) + 1);
  for (const n of acknowledged) t.is(sizes.get(n), size, `batch ${n} was acknowledged`);
  for (const [n, found] of sizes) t.is(found, size, `batch ${n}`);
}

test.serial(
  'batches of megabytes, on their way in pieces when a shard thread dies, settle',
  async (t) => {
    const options = { key: 'int64', value: 'binary', shards: 2, threads: 2 } as const;
    const db = await openNew(t, options);
    const row = new Uint8Array(100_000);
    for (let round = 0; round < 4; round++) {
      const batches = Array.from({ length: 3 }, (_, b) => {
        const first = 1000 * round + 100 * b;
        return Array.from({ length: 40 }, (_, i) => {
          return { type: 'put', key: first + i, value: row } as const;
        });
      });
      const sent = batches.map((batch) => codeOfAsync(db.batch(batch)));
      for (let turn = 0; turn < 3 * round; turn++) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      await kill(shardThreads()[round % 2]);
      for (const [b, code] of (await Promise.all(sent)).entries()) {
        t.true(['', 'OMEN_OUTCOME_UNKNOWN', 'OMEN_SHARD_FAILED'].includes(code), code);
        const first = 1000 * round + 100 * b;
        const found = db.count({ gte: first, lt: first + 100 });
        t.true(code === '' ? found === 40 : found === 0 || found === 40, `${found} of 40, ${code}`);
      }
      await db.batch(batches[0]);
      t.is(db.count({ gte: 1000 * round, lt: 1000 * round + 100 }), 40);
      t.is(shardThreads().length, 2);
    }
  },
);

test.serial('attached threads go on writing after a shard thread came back', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2, threads: 2, memtable: SMALL });
  const data: AttachedTask = { task: 'put', handle: db.handle(), first: 0, count: 1500 };
  const { worker, finished } = startWorker(t, './attached-tasks.ts', data);
  await once(worker, 'message');
  const outcome = once(worker, 'message');
  await until(() => db.count() > 100);
  await kill(shardThreads()[0]);
  const [{ acknowledged, codes }] = (await outcome) as [
    { acknowledged: number[]; codes: string[] },
  ];
  t.true(codes.every((code) => code === 'OMEN_OUTCOME_UNKNOWN'));
  // One that was under way, and perhaps one that was sent before the thread heard of the death.
  t.true(codes.length <= 2, `${codes.length} writes of unknown outcome`);
  for (const key of acknowledged) t.deepEqual(db.get(key), { value: key });
  t.is(await finished, 0);
});

test.serial('a thread that dies again while it comes back, comes back', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2, threads: 1 });
  await db.put(1, { value: 1 });
  for (let round = 0; round < 4; round++) {
    const [first] = shardThreads();
    await kill(first);
    await until(() => shardThreads().length === 1 && shardThreads()[0] !== first);
    for (let turn = 0; turn < 40 * round; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await kill(shardThreads()[0]);
    // The first may be told that its outcome is unknown; the second finds the thread in place.
    await codeOfAsync(db.put(2, { value: round }));
    await db.put(2, { value: round });
    t.deepEqual([...db.values()], [{ value: 1 }, { value: round }]);
  }
});

test.serial(
  'a client that takes the number of another while a shard thread comes back can write and read',
  async (t) => {
    const db = await openNew(t, { ...NUMBERS, shards: 2, threads: 2 });
    const one = await attach<typeof NUMBERS>(db.handle());
    const { serve } = ShardThread.prototype;
    t.teardown(() => {
      ShardThread.prototype.serve = serve;
    });
    // The thread knows the first of them by now, and is not in use yet.
    const attached = new Promise<Numbers>((resolve, reject) => {
      ShardThread.prototype.serve = async function () {
        ShardThread.prototype.serve = serve;
        await one.close();
        attach<typeof NUMBERS>(db.handle()).then(resolve, reject);
        return this.serve();
      };
    });
    await kill(shardThreads()[0]);
    const other = await attached;
    const keys = Array.from({ length: 20 }, (_, key) => key);
    await Promise.all(keys.map((key) => other.put(key, { value: key })));
    for (const key of keys) t.deepEqual(other.get(key), { value: key });
    await other.close();
  },
);

test.serial(
  'a batch sent to a thread that had died keeps no ticket, though shard and client live',
  async (t) => {
    const supervisor = await Supervisor.open(temporaryDirectory(t), {
      ...NUMBERS,
      shards: 2,
      threads: 2,
      partition: { splits: [100] },
    });
    t.teardown(() => supervisor.close());
    const first = await supervisor.firstClient();
    const number = supervisor.reserveClient(faceOf(first)); // until it has one of its own
    const stale = new Client(supervisor.membership(number), realStorage);
    const face = faceOf(stale);
    await supervisor.addClient(number, face);
    // As in a thread that computes, what it is told waits.
    const told: (() => void)[] = [];
    face.abandon = (...args) => void told.push(() => stale.writer.abandon(...args));
    face.connect = (...args) => void told.push(() => stale.connect(...args));
    await kill(shardThreads()[0]);
    await until(() => told.length === 2);
    const { table } = supervisor.control;
    const ticket = table.next;
    const batch = stale.writer.batch([
      { type: 'put', key: 1, value: { value: 1 } },
      { type: 'put', key: 101, value: { value: 1 }, if: 'present' },
    ]);
    t.is(await codeOfAsync(batch), 'OMEN_CONDITION_FAILED');
    for (const tell of told) tell();
    t.is(table.owner(ticket).client, number);
    await until(() => table.isSettledEverywhere(ticket));
    await stale.writer.batch([1, 101].map((key) => ({ type: 'put', key, value: { value: 2 } })));
    t.deepEqual([first.reader.get(1), first.reader.get(101)], [{ value: 2 }, { value: 2 }]);
  },
);

test.serial(
  'attach, flush, compact and close wait for a shard thread that comes back',
  async (t) => {
    const directory = temporaryDirectory(t);
    const db = await open(directory, { ...NUMBERS, shards: 2, threads: 2 });
    await db.put(1, { value: 1 });
    await kill(shardThreads()[0]);
    const other = await attach<typeof NUMBERS>(db.handle());
    await other.put(2, { value: 2 });
    t.is(other.count(), 2);
    await kill(shardThreads()[1]);
    await db.flush();
    await kill(shardThreads()[0]);
    await db.compact();
    t.is(db.count(), 2);
    await kill(shardThreads()[1]);
    await db.close();
    const again = await openNew(t, NUMBERS, directory);
    t.is(again.count(), 2);
  },
);

test.serial(
  'a shard that cannot be recovered refuses writes, reads go on, and others serve',
  async (t) => {
    const directory = temporaryDirectory(t);
    const db = await openNew(
      t,
      { ...NUMBERS, shards: 2, threads: 2, partition: { splits: [100] } },
      directory,
    );
    await db.put(1, { value: 1 });
    await db.put(101, { value: 101 });
    const shard = join(directory, 'shard-0000');
    const [log] = readdirSync(shard).filter((name) => name.startsWith('wal-'));
    renameSync(join(shard, log), join(directory, 'away'));
    await kill(shardThreads()[0]);
    const { code, message } = await errorOf(t, db.put(2, { value: 2 }));
    t.is(code, 'OMEN_SHARD_FAILED');
    t.true(message.includes('wal-'), message);
    t.is(await codeOfAsync(db.flush()), 'OMEN_SHARD_FAILED');
    t.is(await codeOfAsync(attach(db.handle())), 'OMEN_SHARD_FAILED');
    const batch = [1, 101].map((key) => ({ type: 'del', key }) as const);
    t.is(await codeOfAsync(db.batch(batch)), 'OMEN_SHARD_FAILED');
    t.is(db.stats().shards[0].state, 'failed');
    t.deepEqual(db.get(1), { value: 1 });
    await db.put(102, { value: 102 });
    t.deepEqual([...db.keys()], [1, 101, 102]);
    await codeOfAsync(db.close());
    renameSync(join(directory, 'away'), join(shard, log));
    const again = await openNew(t, NUMBERS, directory);
    t.deepEqual([...again.keys()], [1, 101, 102]);
  },
);
