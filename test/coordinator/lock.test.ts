import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { LOCK_NAME, takeLock } from '../../src/coordinator/lock.ts';
import { open } from '../../src/index.ts';
import { runChild, startChild } from './child.ts';
import { codeOfAsync, NUMBERS, openNew, temporaryDirectory } from './support.ts';

test('a second open in the same process is refused, and the first goes on', async (t) => {
  const directory = temporaryDirectory(t);
  const db = await openNew(t, { ...NUMBERS, shards: 1 }, directory);
  t.is(await codeOfAsync(open(directory)), 'OMEN_LOCKED');
  t.is(await codeOfAsync(open(directory, { readOnly: true })), 'OMEN_LOCKED');
  await db.put(1, { value: 1 });
  t.is(db.count(), 1);
});

test('of two opens at the same time one succeeds', async (t) => {
  const directory = temporaryDirectory(t);
  const opens = Array.from({ length: 4 }, () => open(directory, { ...NUMBERS, shards: 1 }));
  const outcomes = await Promise.allSettled(opens);
  const opened = outcomes.filter(({ status }) => status === 'fulfilled');
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') await outcome.value.close();
    else t.is(outcome.reason.code, 'OMEN_LOCKED');
  }
  t.is(opened.length, 1);
});

test('another process is refused, also a reader, until the database is closed', async (t) => {
  const directory = temporaryDirectory(t);
  const db = await open(directory, { ...NUMBERS, shards: 1 });
  t.is((await runChild(t, 'count', directory)).said, 'OMEN_LOCKED');
  await db.put(1, { value: 1 });
  await db.close();
  t.is((await runChild(t, 'count', directory)).said, '1');
});

test('a database that another process has open is refused; killed, it leaves no lock behind', async (t) => {
  const directory = temporaryDirectory(t);
  const child = startChild(t, 'hold', directory);
  t.is(await child.line(), 'open');
  t.is(await codeOfAsync(open(directory)), 'OMEN_LOCKED');
  child.kill();
  await child.ended;
  const db = await openNew(t, {}, directory);
  t.is(db.count(), 1);
});

test('closing leaves no LOCK file', async (t) => {
  const directory = temporaryDirectory(t);
  const db = await open(directory, { ...NUMBERS, shards: 1 });
  t.true(readdirSync(directory).includes(LOCK_NAME));
  await db.close();
  t.false(readdirSync(directory).includes(LOCK_NAME));
});

test('the LOCK file of a process that is gone is taken over; that of one that lives is not', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, LOCK_NAME);
  const { pid } = process;
  const gone = [
    { pid: 2 ** 22 + 1, started: '1', token: 'a' },
    // The number was given to another process since.
    { pid: process.ppid, started: '1', token: 'b' },
    // An open of this process that ended with its thread.
    { pid, started: '1', token: 'c' },
  ];
  for (const holder of gone) {
    writeFileSync(file, JSON.stringify(holder));
    const lock = await takeLock(directory, false);
    await lock.release();
  }
  for (const text of ['', 'half a hol']) {
    writeFileSync(file, text);
    const lock = await takeLock(directory, false);
    await lock.release();
  }
  writeFileSync(file, JSON.stringify({ pid: process.ppid, started: '', token: 'd' }));
  t.is(await codeOfAsync(takeLock(directory, false)), 'OMEN_LOCKED');
  t.deepEqual(readdirSync(directory), [LOCK_NAME]);
});

test('whichever byte is flipped in a LOCK file that was left behind, it locks nobody out', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, LOCK_NAME);
  const left = Buffer.from(JSON.stringify({ pid: 2 ** 22 + 1, started: '17', token: 'a' }));
  for (let bit = 0; bit < 8 * left.length; bit++) {
    const flipped = Uint8Array.from(left);
    flipped[bit >> 3] ^= 1 << (bit & 7);
    writeFileSync(file, flipped);
    const lock = await takeLock(directory, false);
    await lock.release();
  }
  t.deepEqual(readdirSync(directory), []);
});

test('a failed open gives the lock back', async (t) => {
  const directory = temporaryDirectory(t);
  t.is(await codeOfAsync(open(directory, { key: 'int8' })), 'OMEN_INVALID_OPTIONS');
  const db = await openNew(t, { ...NUMBERS, shards: 1 }, directory);
  t.is(db.count(), 0);
});
