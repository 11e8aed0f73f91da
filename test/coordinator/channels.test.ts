/** What subscribers of the channels are told, and that nobody else costs anything. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import test, { type ExecutionContext } from 'ava';
import { publish } from '../../src/coordinator/channels.ts';
import type { ChannelMessages } from '../../src/index.ts';
import {
  codeOfAsync,
  NUMBERS,
  openNew,
  SMALL,
  shardThreads,
  temporaryDirectory,
  until,
} from './support.ts';

const row = (value: number) => ({ value });

/** What comes over a channel from now on of one database: others are open in this process, too. */
function heard<Name extends keyof ChannelMessages>(t: ExecutionContext, name: Name, path: string) {
  const messages: ChannelMessages[Name][] = [];
  const listener = (message: unknown) => {
    const known = message as ChannelMessages[Name];
    if (known.path === path) messages.push(known);
  };
  subscribe(name, listener);
  t.teardown(() => unsubscribe(name, listener));
  return messages;
}

test('a message is made only where somebody subscribes, and comes from the event loop', async (t) => {
  const message = { path: 'somewhere', rows: 1, bytes: 2, ms: 3 };
  publish('omendb:load', () => t.fail());
  const messages = heard(t, 'omendb:load', 'somewhere');
  publish('omendb:load', () => message);
  t.deepEqual(messages, []);
  await new Promise((resolve) => setImmediate(resolve));
  t.deepEqual(messages, [message]);
});

test('flushes and compactions are told, with what they wrote', async (t) => {
  const directory = temporaryDirectory(t);
  const flushes = heard(t, 'omendb:flush', directory);
  const compactions = heard(t, 'omendb:compaction', directory);
  const db = await openNew(t, { ...NUMBERS, shards: 2, memtable: SMALL }, directory);
  await Promise.all(Array.from({ length: 1000 }, (_, i) => db.put(i, row(i))));
  await db.compact();
  await until(() => flushes.length === db.stats().total.flushes);
  await until(() => compactions.length === db.stats().total.compactions);
  const { total, shards } = db.stats();
  t.true(flushes.length >= 8 && compactions.length >= 2);
  const sum = (list: readonly { rows: number }[]) => list.reduce((all, { rows }) => all + rows, 0);
  t.deepEqual([sum(flushes), sum(compactions)], [total.flushRows, total.compactionRows]);
  t.is(sum(flushes), 1000);
  for (const { shard, rows, bytes, ms } of [...flushes, ...compactions]) {
    t.true(shard < shards.length && ms > 0);
    // Runs that were joined are not written anew.
    t.is(bytes > 0, rows > 0);
  }
});

test.serial('an open and the recovery of a thread that died are told', async (t) => {
  const directory = temporaryDirectory(t);
  const recoveries = heard(t, 'omendb:recovery', directory);
  const db = await openNew(t, { ...NUMBERS, shards: 3, threads: 1 }, directory);
  for (let i = 0; i < 10; i++) await db.put(i, row(i));
  const alive = setInterval(() => {}, 1000);
  await shardThreads()[0].terminate();
  clearInterval(alive);
  await db.put(10, row(10));
  await until(() => recoveries.length === 2);
  const [opened, recovered] = recoveries;
  t.like(opened, { shards: [0, 1, 2], reason: null, records: 0 });
  t.like(recovered, { shards: [0, 1, 2], records: 10 });
  t.regex(recovered.reason ?? '', /\w+/);
  t.true(opened.ms > 0 && recovered.ms > 0);
});

test('a bulk load is told when it is there, and not where it failed', async (t) => {
  const directory = temporaryDirectory(t);
  const db = await openNew(t, { ...NUMBERS, shards: 2 }, directory);
  const loads = heard(t, 'omendb:load', directory);
  t.is(await codeOfAsync(db.bulkLoad([['x', row(1)]] as never)), 'OMEN_REJECTED_ROWS');
  const { rows, bytes } = await db.bulkLoad([1, 2, 3].map((key) => [key, row(key)] as const));
  await until(() => loads.length > 0);
  t.is(loads.length, 1);
  t.like(loads[0], { rows, bytes });
});

test('what takes slowMs or longer is told, with what it failed with; without the option nothing is', async (t) => {
  const [directory, other] = [temporaryDirectory(t), temporaryDirectory(t)];
  const slow = heard(t, 'omendb:slow', directory);
  const db = await openNew(t, { ...NUMBERS, shards: 2, slowMs: 0 }, directory);
  await db.put(1, row(1));
  db.getMany([1, 2]);
  t.is(await codeOfAsync(db.put(1, row(2), { if: 'absent' })), 'OMEN_CONDITION_FAILED');
  db.snapshot().close();
  await until(() => slow.length === 4);
  t.deepEqual(
    slow.map(({ operation, code }) => [operation, code]),
    [
      ['put', null],
      ['getMany', null],
      ['put', 'OMEN_CONDITION_FAILED'],
      ['snapshot', null],
    ],
  );
  const quick = heard(t, 'omendb:slow', other);
  const unhurried = await openNew(t, { ...NUMBERS, shards: 1 }, other);
  for (let i = 0; i < 40; i++) await unhurried.put(i, row(i));
  await unhurried.flush();
  t.deepEqual(quick, []);
});
