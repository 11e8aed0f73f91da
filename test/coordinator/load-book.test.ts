/** The book of bulk loads, over threads that answer when a test has them do so: what shards are told, and when. */
import { setImmediate } from 'node:timers/promises';
import test from 'ava';
import { LoadBook } from '../../src/coordinator/load-book.ts';
import type { ShardThread } from '../../src/coordinator/shard-thread.ts';
import { Control, createControl } from '../../src/view/control.ts';
import { codeOfAsync } from './support.ts';

const CLIENT = 3;
const NAME = '00112233aabbccdd';

/** A shard a thread. */
class Threads {
  readonly told: string[] = [];
  readonly control = new Control(createControl());
  readonly removed: string[] = [];
  /** What the preparation of the second shard waits for. */
  ready: Promise<void> = Promise.resolve();
  readonly book: LoadBook;

  constructor() {
    const threads = [0, 1].map((thread) => ({
      settleLoads: async () => {},
      prepareLoad: async ({ name }: { name: string }) => {
        if (thread === 1) await this.ready;
        this.told.push(`${thread} prepares ${name}`);
      },
      settleLoad: async (name: string, isPublished: boolean) => {
        this.told.push(`${thread} ${isPublished ? 'keeps' : 'drops'} ${name}`);
      },
    }));
    this.book = new LoadBook(
      this.control,
      [0, 1],
      async (thread) => threads[thread] as unknown as ShardThread,
      (name) => this.removed.push(name),
      () => false,
    );
  }
}

/** As long as anything of it goes on that waits for nothing. */
async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await setImmediate();
}

for (const how of ['its client is gone', 'it is aborted', 'a recovery asks what became of it']) {
  test(`while shards get ready for a load, ${how}: they are told when they are, each once`, async (t) => {
    const threads = new Threads();
    const { book, told, control } = threads;
    const calls = book.callsOf(CLIENT);
    await calls.beginLoad(NAME, false);
    const gate = Promise.withResolvers<void>();
    threads.ready = gate.promise;
    const published = codeOfAsync(calls.publishLoad(NAME, [[1], [1]]));
    await turns();
    let aborted = Promise.resolve();
    if (how === 'it is aborted') aborted = calls.abortLoad(NAME);
    else if (how === 'its client is gone') book.clientGone(CLIENT);
    else t.false(book.decide(`load ${NAME}`));
    await turns();
    t.deepEqual(told, [`0 prepares ${NAME}`]);
    gate.resolve();
    t.is(await published, 'OMEN_SHARD_FAILED');
    await aborted;
    t.deepEqual(told.slice(1).sort(), [`0 drops ${NAME}`, `1 drops ${NAME}`, `1 prepares ${NAME}`]);
    t.is(told[1], `1 prepares ${NAME}`);
    t.deepEqual([threads.removed, control.published], [[NAME], 0]);
    // Nothing of it stands in the way of the next one, which would even wait for it.
    const others = book.callsOf(CLIENT + 1);
    await others.beginLoad('01', true);
    await others.publishLoad('01', [[2], [2]]);
    t.deepEqual(told.slice(-2).sort(), ['0 keeps 01', '1 keeps 01']);
  });
}

test('a client that goes once its load is shown takes nothing back', async (t) => {
  const { book, told, control } = new Threads();
  const calls = book.callsOf(CLIENT);
  await calls.beginLoad(NAME, false);
  await calls.publishLoad(NAME, [[1], [1]]);
  const before = told.length;
  book.clientGone(CLIENT);
  await calls.abortLoad(NAME);
  t.is(told.length, before);
  t.is(control.published, 1);
  t.true(book.decide(`load ${NAME}`));
});

test('a load of a client that is gone does not begin, and keeps no other waiting', async (t) => {
  const { book } = new Threads();
  const late = book.callsOf(CLIENT);
  book.clientGone(CLIENT);
  t.is(await codeOfAsync(late.beginLoad(NAME, true)), 'OMEN_SHARD_FAILED');
  // The next one may have its number.
  const calls = book.callsOf(CLIENT);
  t.is(await codeOfAsync(late.beginLoad('02', true)), 'OMEN_SHARD_FAILED');
  await calls.beginLoad('01', true);
  await calls.publishLoad('01', [[1], [1]]);
  t.is(await codeOfAsync(calls.abortLoad(NAME)), '');
});

test('a load that was ended is not published', async (t) => {
  const { book, told } = new Threads();
  const calls = book.callsOf(CLIENT);
  await calls.beginLoad(NAME, false);
  await calls.abortLoad(NAME);
  t.is(await codeOfAsync(calls.publishLoad(NAME, [[1], [1]])), 'OMEN_SHARD_FAILED');
  t.deepEqual(told.sort(), [`0 drops ${NAME}`, `1 drops ${NAME}`]);
});
