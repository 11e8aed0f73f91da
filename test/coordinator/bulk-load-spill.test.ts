/** Bulk loads of more than their memory: sorted runs go to files, which are gone when the load is. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { type Database, type LoadOptions, open } from '../../src/index.ts';
import { startChild } from './child.ts';
import {
  codeOfAsync,
  errorOf,
  messageOf,
  NUMBERS,
  openNew,
  startWorker,
  temporaryDirectory,
  until,
} from './support.ts';

type Row = [number, { value: number }];

const COUNT = 60_000;
const MEMORY = 2 ** 20;

/** All keys below `count`, in a strange order. */
function* shuffled(count: number, value = (key: number) => key): Generator<Row> {
  for (let i = 0; i < count; i++) {
    const key = (i * 7919) % count;
    yield [key, { value: value(key) }];
  }
}

function spilled(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.startsWith('load-'));
}

/** That keys are 0, 1, …, and which value each has. */
function checkAll(
  db: Database<number, { value: number }>,
  count: number,
  value: (key: number) => number,
): boolean {
  let next = 0;
  for (const [key, row] of db.entries())
    if (key !== next++ || row.value !== value(key)) return false;
  return next === count && db.count() === count && db.get(count - 1)?.value === value(count - 1);
}

test('more rows than fit into memory are loaded, and their files are gone', async (t) => {
  for (const shards of [1, 3]) {
    const directory = join(temporaryDirectory(t), 'data');
    const db = await open(directory, { ...NUMBERS, shards, threads: 2 });
    let most = 0;
    const onProgress = () => {
      most = Math.max(most, spilled(directory).length);
    };
    const report = await db.bulkLoad(shuffled(COUNT), { memory: MEMORY, onProgress });
    t.is(report.rows, COUNT);
    t.true(most > 3, `${most} files`);
    t.deepEqual(spilled(directory), []);
    t.true(checkAll(db, COUNT, (key) => key));
    // What is there is replaced, and what is written meanwhile is newer.
    async function* source() {
      yield* shuffled(COUNT, (key) => -key);
      await db.put(7, { value: 0.5 });
      await db.del(8);
    }
    await db.bulkLoad(source(), { memory: MEMORY });
    t.is(db.get(7)?.value, 0.5);
    t.is(db.get(8), undefined);
    await db.put(7, { value: -7 });
    await db.put(8, { value: -8 });
    await db.close();
    const again = await open(directory);
    t.true(checkAll(again as never, COUNT, (key) => -key));
    await again.close();
  }
});

test('of equal keys far apart the last or the first is loaded, or neither', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  function* twice(): Generator<Row> {
    yield* shuffled(40_000, (key) => key);
    yield* shuffled(40_000, (key) => key + 0.5);
  }
  const load = (onDuplicate: LoadOptions['onDuplicate']) =>
    db.bulkLoad(twice(), { memory: MEMORY, ...(onDuplicate && { onDuplicate }) });
  t.is((await load('first')).duplicates, 40_000);
  t.true(checkAll(db, 40_000, (key) => key));
  t.is((await load('last')).duplicates, 40_000);
  t.true(checkAll(db, 40_000, (key) => key + 0.5));
  await db.clear();
  const refused = await errorOf(t, load('error'));
  t.is(refused.code, 'OMEN_DUPLICATE_KEY');
  t.regex(refused.message, /^The key \d+ comes more than once/);
  t.is(db.count(), 0);
  t.deepEqual(spilled(db.path), []);
});

test('whatever ends a load, no file of it is left', async (t) => {
  const directory = join(temporaryDirectory(t), 'data');
  const db = await open(directory, { ...NUMBERS, shards: 2 });
  let seen = 0;
  async function* endless() {
    for (let round = 0; ; round++) {
      yield* shuffled(COUNT, () => round);
      if (seen === 0) seen = spilled(directory).length;
      if (round === 1) throw new RangeError('of the source');
    }
  }
  await t.throwsAsync(db.bulkLoad(endless(), { memory: MEMORY }), { instanceOf: RangeError });
  t.true(seen > 3);
  t.deepEqual(spilled(directory), []);
  for (const phase of ['read', 'write'] as const) {
    const controller = new AbortController();
    const load = db.bulkLoad(shuffled(COUNT), {
      memory: MEMORY,
      signal: controller.signal,
      onProgress: (progress) => {
        if (progress.phase === phase && spilled(directory).length > 3) controller.abort();
      },
    });
    t.is(await codeOfAsync(load), 'OMEN_ABORTED');
    t.deepEqual(spilled(directory), []);
  }
  t.is(db.count(), 0);
  async function* hanging() {
    yield* shuffled(COUNT);
    await new Promise(() => {});
  }
  const load = codeOfAsync(db.bulkLoad(hanging(), { memory: MEMORY }));
  await until(() => spilled(directory).length > 3);
  await db.close();
  t.is(await load, 'OMEN_CLOSED');
  t.deepEqual(spilled(directory), []);
});

test('what a killed process left is removed at the next open, and nothing else', async (t) => {
  const directory = join(temporaryDirectory(t), 'data');
  const child = startChild(t, 'spill', directory);
  t.is(await child.line(), 'spilled');
  child.kill();
  await child.ended;
  t.true(spilled(directory).length > 0);
  const db = await open(directory);
  t.deepEqual(spilled(directory), []);
  t.deepEqual([...db.keys()], [1]);
  await db.close();
  const names = ['load-0123456789abcdef-0-0.tmp', 'load-0123456789abcdef-12-345.tmp'];
  const others = ['load-mine.tmp', 'load-0123456789abcdef-0-0.tmp.csv'];
  for (const name of [...names, ...others]) writeFileSync(join(directory, name), 'x');
  const readOnly = await open(directory, { readOnly: true });
  t.is(spilled(directory).length, 4);
  await readOnly.close();
  const again = await open(directory);
  t.deepEqual(spilled(directory).sort(), others.sort());
  t.deepEqual([...again.keys()], [1]);
  await again.close();
});

test('an attached thread spills, too, and what it leaves when it ends is removed', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const { worker } = startWorker(t, './spill-worker.ts', {
    handle: db.handle(),
    rows: COUNT,
    memory: MEMORY,
  });
  t.deepEqual(await messageOf(worker), [COUNT, 0]);
  t.true(checkAll(db, COUNT, (key) => key));
  await messageOf(worker);
  t.true(spilled(db.path).length > 0);
  await worker.terminate();
  await until(() => spilled(db.path).length === 0);
  t.is(db.count(), COUNT);
});
