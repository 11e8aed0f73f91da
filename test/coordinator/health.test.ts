/** What a database says of itself: to whoever asks, and to whoever listens, in every thread. */
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { open } from '../../src/index.ts';
import type { AttachedTask } from './attached-tasks.ts';
import {
  codeOfAsync,
  messageOf,
  NUMBERS,
  openNew,
  shardThreads,
  startWorker,
  temporaryDirectory,
  until,
} from './support.ts';

async function killShardThread(): Promise<void> {
  const alive = setInterval(() => {}, 1000);
  await shardThreads()[0].terminate();
  clearInterval(alive);
}

test.serial('a database that is well says so, as plain data, in every thread', async (t) => {
  const before = Date.now();
  const db = await openNew(t, { ...NUMBERS, shards: 3, threads: 2 });
  const health = db.health();
  t.deepEqual(structuredClone(health), JSON.parse(JSON.stringify(health)));
  t.is(health.status, 'ok');
  for (const [i, shard] of health.shards.entries()) {
    const { diskFreeBytes, since, ...rest } = shard;
    t.true(diskFreeBytes > 0);
    t.true(since >= before && since <= Date.now());
    t.deepEqual(rest, {
      shard: i,
      state: 'serving',
      reads: true,
      writes: 'all',
      code: null,
      message: null,
      reserveBytes: 0,
      recoveries: 0,
    });
  }
  await db.close();
  t.throws(() => db.health(), { code: 'OMEN_CLOSED' });
});

test.serial(
  'a shard thread that dies is told of, here and in attached threads, and then that it is back',
  async (t) => {
    const db = await openNew(t, { ...NUMBERS, shards: 2, threads: 1 });
    await db.put(1, { value: 1 });
    const data: AttachedTask = { task: 'listen', handle: db.handle() };
    const { worker, finished } = startWorker(t, './attached-tasks.ts', data);
    t.deepEqual(await messageOf(worker), ['listening', 'ok']);
    const there: unknown[] = [];
    worker.on('message', (message) => there.push(message));
    const here: unknown[] = [];
    db.on('error', ({ code }) => here.push(['error', code]));
    db.on('resumed', ({ shards }) => here.push(['resumed', shards]));
    const exited = once(shardThreads()[0], 'exit');
    const killed = killShardThread();
    await exited;
    const { status, shards } = db.health();
    t.is(status, 'degraded');
    for (const { state, reads, writes, code } of shards) {
      t.deepEqual([state, reads, writes, code], ['recovering', true, 'none', 'OMEN_SHARD_FAILED']);
    }
    await killed;
    await until(() => here.length === 2 && there.length === 2);
    const told = [
      ['error', 'OMEN_SHARD_FAILED'],
      ['resumed', [0, 1]],
    ];
    t.deepEqual([here, there], [told, told]);
    t.is(db.health().status, 'ok');
    t.deepEqual(
      db.health().shards.map(({ recoveries }) => recoveries),
      [1, 1],
    );
    worker.postMessage('stop');
    t.is(await finished, 0);
  },
);

test.serial(
  'a shard thread that dies again and again, though it serves in between, is given up',
  async (t) => {
    const directory = temporaryDirectory(t);
    const db = await openNew(t, { ...NUMBERS, shards: 1 }, directory);
    const told: string[] = [];
    let resumed = 0;
    db.on('error', ({ message }) => told.push(message));
    db.on('resumed', () => resumed++);
    await db.put(0, { value: 0 });
    let lives = 0;
    while (db.health().status !== 'failed' && lives < 50) {
      await killShardThread();
      lives++;
      await until(() => db.health().status === 'failed' || resumed === lives);
      const code = await codeOfAsync(db.put(1, { value: lives }));
      t.is(code, db.health().status === 'ok' ? '' : 'OMEN_SHARD_FAILED');
    }
    t.is(lives, 21);
    const [{ state, writes, code, message, recoveries }] = db.health().shards;
    t.deepEqual([state, writes, code, recoveries], ['failed', 'none', 'OMEN_SHARD_FAILED', 20]);
    t.regex(message ?? '', /again and again/);
    t.is(db.get(1)?.value, 20, 'reads go on');
    await until(() => told.length === 22);
    await db.close();
    const again = await openNew(t, {}, directory);
    t.is(again.get(1)?.value, 20);
  },
);

test.serial('what an open had to mend is told to who listens after it', async (t) => {
  const directory = temporaryDirectory(t);
  {
    await using db = await open(directory, { ...NUMBERS, shards: 1 });
    await db.put(1, { value: 1 });
    await db.flush();
  }
  const shard = join(directory, 'shard-0000');
  for (const name of readdirSync(shard)) {
    if (name.endsWith('.model.arrow')) rmSync(join(shard, name));
  }
  const db = await openNew(t, {}, directory);
  const repaired: string[] = [];
  db.on('repaired', ({ code }) => repaired.push(code));
  await until(() => repaired.length > 0);
  t.deepEqual(repaired, ['OMEN_MODEL_REBUILT']);
});
