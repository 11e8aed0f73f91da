import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { type Change, open } from '../../src/index.ts';
import { codeOf } from '../storage/support.ts';
import { startChild } from './child.ts';
import {
  codeOfAsync,
  messageOf,
  NUMBERS,
  openNew,
  SMALL,
  startWorker,
  temporaryDirectory,
} from './support.ts';
import { apply, contentOf, groupsTo, isSentinel, type Numbers, seal, sorted } from './watching.ts';

const RETAIN = { bytes: 2 ** 30 };

test('a watch hands out what is committed after it began, with keys and rows', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  await db.put(1, { value: 1 });
  const watch = db.watch();
  await db.put(2, { value: 2 });
  await db.del(1);
  await db.batch([
    { type: 'put', key: 3, value: { value: 3 } },
    { type: 'put', key: 2, value: { value: 20 } },
  ]);
  await db.clear({ gt: 2, lte: 7 });
  await db.clear();
  await seal(db, 1);
  const changes = (await groupsTo(watch, 1)).flatMap((group) => group.changes);
  t.deepEqual(changes.slice(0, 6), [
    { type: 'put', key: 2, value: { value: 2 } },
    { type: 'del', key: 1 },
    { type: 'put', key: 3, value: { value: 3 } },
    { type: 'put', key: 2, value: { value: 20 } },
    { type: 'clear', range: { gt: 2, lte: 7 } },
    { type: 'clear', range: {} },
  ]);
  t.is(changes.length, 6 + 64);
  await watch.return();
});

test('a watch that waits is woken by a write of any thread', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 3, threads: 2 });
  const watch = db.watch();
  for (let key = 0; key < 30; key++) {
    const next = watch.next();
    await db.put(key, { value: key });
    const { value } = await next;
    t.deepEqual(value?.changes, [{ type: 'put', key, value: { value: key } }]);
  }
  const { worker, finished } = startWorker(t, './attached-tasks.ts', {
    task: 'put',
    handle: db.handle(),
    first: 100,
    count: 50,
  });
  t.teardown(() => worker.terminate());
  const seen = new Set<number>();
  for await (const { changes } of watch) {
    for (const change of changes) if (change.type === 'put') seen.add(change.key);
    if (seen.size === 50) break;
  }
  t.is(Math.min(...seen), 100);
  t.is(await finished, 0);
});

test('a range is watched by its keys, and what lies outside moves the position only', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const watch = db.watch({ gte: 10, lt: 20 });
  for (let key = 0; key < 40; key++) await db.put(key, { value: key });
  await db.clear({ lt: 5 });
  await db.clear({ gte: 19 });
  await db.del(9);
  await db.put(10, { value: -1 });
  const changes: Change<number, { value: number }>[] = [];
  for await (const group of watch) {
    changes.push(...group.changes);
    if (changes.length === 12) break;
  }
  const keys = changes.flatMap((change) => (change.type === 'put' ? [change.key] : []));
  t.deepEqual(
    keys.sort((a, b) => a - b),
    [10, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
  );
  t.deepEqual(
    changes.filter(({ type }) => type !== 'put'),
    [{ type: 'clear', range: { gte: 19 } }],
  );
  const nothing = db.watch({ from: watch.position });
  await seal(db, 1);
  const left = (await groupsTo(nothing, 1)).flatMap((group) => group.changes);
  t.true(left.length <= 64 + 2, 'of what was written before, nothing comes that had its turn');
  await nothing.return();
});

test('keys of variable length and rows of every kind come as they were written', async (t) => {
  const db = await openNew(t, {
    key: 'utf8',
    columns: { n: 'int64?', text: 'utf8?', bytes: 'binary', on: 'bool' },
    shards: 1,
  });
  const watch = db.watch({ gte: 'b', lt: 'd' });
  const row = { n: -5, text: 'été', bytes: Uint8Array.of(1, 2, 3), on: true };
  const long = 'c'.repeat(3000);
  await db.put('a', row);
  await db.put('b', { ...row, text: null });
  await db.put(long, { ...row, n: null, bytes: new Uint8Array(200_000) });
  await db.put('d', row);
  await db.clear({ gt: 'c' });
  const changes: Change<string, unknown>[] = [];
  for await (const group of watch) {
    changes.push(...group.changes);
    if (changes.length === 3) break;
  }
  t.deepEqual(changes, [
    { type: 'put', key: 'b', value: { ...row, text: null } },
    { type: 'put', key: long, value: { ...row, n: null, bytes: new Uint8Array(200_000) } },
    { type: 'clear', range: { gt: 'c' } },
  ]);
});

test('a batch over shards comes in one group, and nothing of one that was aborted', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 4, threads: 2 });
  const watch = db.watch();
  const writes: Promise<unknown>[] = [];
  for (let n = 1; n <= 60; n++) {
    const keys = Array.from({ length: 12 }, (_, i) => (i * 31 + n) % 97);
    const batch = keys.map((key) => ({ type: 'put', key, value: { value: n } }) as const);
    writes.push(db.batch(batch));
    writes.push(db.put(1000 + n, { value: 1000 + n }));
    // One whose condition fails in the middle of it.
    const failing = batch.map((put, i) => ({
      ...put,
      value: { value: -n },
      ...(i === 7 && { if: 'absent' as const }),
    }));
    writes.push(db.batch(failing).catch(() => {}));
  }
  await Promise.all(writes);
  await seal(db, 1);
  const groups = await groupsTo(watch, 1);
  await watch.return();
  const counts = new Map<number, number>();
  for (const { changes } of groups) {
    const values = changes.flatMap((one) =>
      one.type === 'put' && one.key < 97 && one.key >= 0 ? [one.value.value] : [],
    );
    t.true(new Set(values).size <= 1, 'a batch over shards has a group of its own');
    if (values.length > 0) {
      t.is(values.length, 12);
      counts.set(values[0], (counts.get(values[0]) ?? 0) + 1);
    }
  }
  t.true([...counts.values()].every((count) => count === 1));
  t.deepEqual(
    Array.from({ length: 60 }, (_, i) => counts.get(i + 1)),
    Array.from({ length: 60 }, () => 1),
  );
  const copy = new Map<number, number>();
  for (const { changes } of groups) apply(copy, changes);
  t.deepEqual(sorted(copy), sorted(contentOf(db)));
});

/** From so many positions the rest is followed. */
const MARKS_MAX = 30;

interface Mark {
  readonly content: Map<number, number>;
  readonly position: string;
}

type Step =
  | { readonly op: 'put' | 'del'; readonly key: number }
  | { readonly op: 'batch'; readonly keys: readonly number[] }
  | { readonly op: 'clear'; readonly first: number; readonly length: number }
  | { readonly op: 'flush' | 'compact' | 'reopen' | 'snapshot' | 'await' };

const key = fc.nat({ max: 60 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ op: fc.constantFrom('put', 'del'), key }) },
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant('batch' as const),
      keys: fc.array(key, { minLength: 1, maxLength: 20 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('clear' as const),
      first: key,
      length: fc.nat({ max: 30 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('snapshot' as const) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('await' as const) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('flush', 'compact') }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('reopen' as const) }) },
);

/**
 * Writes at random, many at a time; then watches from the position of every snapshot that was taken
 * amid it, and from those of a watch, and compares what the changes make of each with the database.
 */
async function followAll(
  directory: string,
  shards: number,
  steps: readonly Step[],
): Promise<string> {
  const options = { memtable: SMALL, retain: RETAIN, threads: Math.min(2, shards) };
  let db: Numbers = await open(directory, { ...NUMBERS, ...options, shards });
  const beginning: Mark = { content: new Map(), position: db.position() };
  const marks: Mark[] = [beginning];
  let pending: Promise<unknown>[] = [];
  let stamp = 0;
  for (const one of steps) {
    if (one.op === 'put') pending.push(db.put(one.key, { value: ++stamp }));
    else if (one.op === 'del') pending.push(db.del(one.key));
    else if (one.op === 'batch') {
      const value = { value: ++stamp };
      pending.push(db.batch(one.keys.map((each) => ({ type: 'put', key: each, value }))));
    } else if (one.op === 'clear') {
      pending.push(db.clear({ gte: one.first, lt: one.first + one.length }));
    } else if (one.op === 'snapshot') {
      await pending[Math.floor(pending.length / 2)];
      using snapshot = db.snapshot();
      marks.push({ content: contentOf(snapshot), position: snapshot.position });
    } else {
      await Promise.all(pending);
      pending = [];
      if (one.op === 'flush') await db.flush();
      if (one.op === 'compact') await db.compact();
      if (one.op === 'reopen') {
        await db.close();
        db = await open(directory, { ...NUMBERS, ...options });
      }
    }
  }
  await Promise.all(pending);
  await seal(db, 1);
  const end = JSON.stringify(sorted(contentOf(db)));
  const stamps = new Map<number, number>();
  const watch = db.watch({ from: beginning.position });
  const copy = new Map<number, number>();
  for (const { changes, position } of await groupsTo(watch, 1)) {
    apply(copy, changes);
    const own = new Set(
      changes.flatMap((c) => (c.type === 'put' && c.key >= 0 ? [c.value.value] : [])),
    );
    for (const each of own) stamps.set(each, (stamps.get(each) ?? 0) + 1);
    if (marks.length < MARKS_MAX) marks.push({ content: new Map(copy), position });
  }
  await watch.return();
  if (stamps.size !== stamp || [...stamps.values()].some((count) => count !== 1)) {
    throw new Error(`${stamps.size} of ${stamp} writes came, ${[...stamps.values()]} times.`);
  }
  for (const [i, { content, position }] of marks.entries()) {
    const later = db.watch({ from: position });
    const isEnd = content.size > 0 && content.get(-1) === 1;
    if (!isEnd) for (const { changes } of await groupsTo(later, 1)) apply(content, changes);
    await later.return();
    if (JSON.stringify(sorted(content)) !== end) return `from mark ${i}, ${position}`;
  }
  const open_ = db.stats().snapshots;
  await db.close();
  return open_ === 0 ? '' : `${open_} snapshots are open`;
}

for (const shards of [1, 3]) {
  test(`from any position on, the changes of ${shards} shards make the rest of the database`, async (t) => {
    const { OMEN_SEED, OMEN_PATH } = process.env;
    const held = fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 40, maxLength: 120, size: 'max' }),
        async (steps) => {
          const what = await followAll(join(temporaryDirectory(t), 'data'), shards, steps);
          if (what !== '') throw new Error(what);
        },
      ),
      {
        numRuns: Number(process.env.OMEN_RUNS ?? 1),
        endOnFailure: true,
        includeErrorInReport: true,
        ...(OMEN_SEED === undefined ? {} : { seed: Number(OMEN_SEED) }),
        ...(OMEN_PATH === undefined ? {} : { path: OMEN_PATH }),
      },
    );
    await t.notThrowsAsync(held);
  });
}

test('a snapshot and a watch from its position have no gap between them', async (t) => {
  const db: Numbers = await openNew(t, { ...NUMBERS, shards: 3, threads: 2, memtable: SMALL });
  let isOver = false;
  const writers = [0, 1, 2].map(async (lane) => {
    for (let n = 1; !isOver; n++) {
      const keys = Array.from({ length: 10 }, (_, i) => (i * 13 + n * 7 + lane) % 50);
      const value = { value: 3 * n + lane };
      await db.batch(keys.map((each) => ({ type: 'put', key: each, value })));
      if (n % 5 === 0) await db.put((n * 3) % 50, value);
      if (n % 50 === 0) await db.del((n * 11) % 50);
    }
  });
  for (let round = 1; round <= 25; round++) {
    using snapshot = db.snapshot();
    const watch = db.watch({ from: snapshot.position });
    const copy = contentOf(snapshot);
    if (round === 25) {
      isOver = true;
      await Promise.all(writers);
    }
    await seal(db, round);
    for (const { changes } of await groupsTo(watch, round)) apply(copy, changes);
    await watch.return();
    if (round < 25) continue;
    t.deepEqual(sorted(copy), sorted(contentOf(db)));
  }
  t.is(db.stats().snapshots, 0);
});

test('a live watch keeps the log that it has not read, and lets go of it', async (t) => {
  const directory = temporaryDirectory(t);
  const db: Numbers = await openNew(t, { ...NUMBERS, shards: 1, memtable: SMALL }, directory);
  const logs = () =>
    readdirSync(join(directory, 'shard-0000')).filter((name) => /^wal-\d/.test(name));
  await db.put(0, { value: 0 });
  const position = db.position();
  const watch = db.watch();
  const slow = db.watch();
  for (let round = 0; round < 5; round++) {
    for (let each = 0; each < 300; each++) void db.put(each, { value: round });
    await db.flush();
  }
  await seal(db, 1);
  t.true(logs().length > 5);
  const copy = new Map<number, number>();
  for (const { changes } of await groupsTo(watch, 1)) apply(copy, changes);
  t.is(copy.size, 300 + 64);
  t.is(db.stats().watches, 2);
  // What one has read, the other has not.
  await db.flush();
  t.true(db.stats().total.walKeptBytes >= 5 * 2 ** 20);
  t.true(logs().length > 5);
  t.is((await groupsTo(slow, 1)).flatMap(({ changes }) => changes).length, 1500 + 64);
  await watch.return();
  await slow.return();
  await db.put(0, { value: 1 });
  await db.flush();
  t.is(logs().length, 1);
  t.is(
    codeOf(() => db.watch({ from: position })),
    'OMEN_LSN_GONE',
  );
});

test('a thread that watches and ends lets go of the log', async (t) => {
  const directory = temporaryDirectory(t);
  const db: Numbers = await openNew(t, { ...NUMBERS, shards: 1, memtable: SMALL }, directory);
  const { worker, finished } = startWorker(t, './attached-tasks.ts', {
    task: 'follow',
    handle: db.handle(),
    first: 7,
  });
  t.is(await messageOf(worker), 'watching');
  const heard = messageOf(worker);
  for (let each = 0; each < 400; each++) await db.put(100 + each, { value: each });
  await db.flush();
  const logs = () =>
    readdirSync(join(directory, 'shard-0000')).filter((name) => /^wal-\d/.test(name));
  t.true(logs().length > 1);
  await db.put(7, { value: 7 });
  t.deepEqual(await heard, [...Array.from({ length: 400 }, (_, each) => 100 + each), 7]);
  worker.postMessage('end');
  t.is(await finished, 0);
  // The opener hears of it by a message.
  let tries = 0;
  for (; tries < 1000 && logs().length > 1; tries++) {
    await db.put(8, { value: tries });
    await db.flush();
  }
  t.true(tries < 1000);
});

test('without retention a position is of use as long as the log is needed, with it longer', async (t) => {
  const directory = temporaryDirectory(t);
  let db: Numbers = await open(directory, { ...NUMBERS, shards: 2, retain: { ms: 3_600_000 } });
  const first = db.position();
  for (let each = 0; each < 300; each++) void db.put(each, { value: each });
  await db.flush();
  const second = db.position();
  await db.put(5, { value: -5 });
  await db.close();
  db = await open(directory, { ...NUMBERS, retain: { bytes: 2 ** 24, ms: 3_600_000 } });
  await db.flush();
  await seal(db, 1);
  for (const [position, count] of [
    [first, 301],
    [second, 1],
  ] as const) {
    const watch = db.watch({ from: position });
    const changes = (await groupsTo(watch, 1)).flatMap((group) => group.changes);
    t.is(changes.length, count + 64);
    await watch.return();
  }
  await db.close();
  db = await openNew(t, NUMBERS, directory);
  await db.put(6, { value: 6 });
  await db.flush();
  t.is(
    codeOf(() => db.watch({ from: first })),
    'OMEN_LSN_GONE',
  );
  t.notThrows(() => db.position());
});

test('bad input is refused with a code, and nothing is left of it', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const other = await openNew(t, { ...NUMBERS, shards: 2 });
  const code = (options: unknown) => codeOf(() => db.watch(options as object));
  t.is(code({ gt: 1, gte: 1 }), 'OMEN_INVALID_RANGE');
  t.is(code({ reverse: true }), 'OMEN_INVALID_RANGE');
  t.is(code({ limit: 1 }), 'OMEN_INVALID_RANGE');
  t.is(code({ gte: 'a' }), 'OMEN_INVALID_KEY');
  t.is(code({ from: 7 }), 'OMEN_INVALID_POSITION');
  t.is(code({ from: '' }), 'OMEN_INVALID_POSITION');
  t.is(code({ from: other.position() }), 'OMEN_INVALID_POSITION');
  const position = db.position();
  for (let i = 0; i < position.length; i++) {
    const changed = `${position.slice(0, i)}${position[i] === '1' ? '2' : '1'}${position.slice(i + 1)}`;
    t.is(code({ from: changed }), 'OMEN_INVALID_POSITION', changed);
    t.is(code({ from: position.slice(0, i) }), 'OMEN_INVALID_POSITION');
  }
  t.is(code({ signal: AbortSignal.abort() }), 'OMEN_ABORTED');
  t.is(await codeOfAsync(open(temporaryDirectory(t), { retain: {} })), 'OMEN_INVALID_OPTIONS');
  t.is(
    await codeOfAsync(open(temporaryDirectory(t), { retain: { bytes: -1 } })),
    'OMEN_INVALID_OPTIONS',
  );
  await db.put(1, { value: 1 });
  const ahead = db.position();
  t.is(db.stats().watches, 0, 'what was refused leaves nothing');
  t.is(code({ from: ahead }), '');
  t.is(db.stats().watches, 1);
});

test('a position ahead of an older copy of the database is refused', async (t) => {
  const directory = join(temporaryDirectory(t), 'data');
  const copy = join(temporaryDirectory(t), 'copy');
  let db = await open(directory, { ...NUMBERS, shards: 1 });
  await db.put(1, { value: 1 });
  const early = db.position();
  await db.close();
  cpSync(directory, copy, { recursive: true });
  db = await openNew(t, NUMBERS, directory);
  await db.put(2, { value: 2 });
  const late = db.position();
  const older = await openNew(t, NUMBERS, copy);
  t.is(
    codeOf(() => older.watch({ from: late })),
    'OMEN_INVALID_POSITION',
  );
  t.notThrows(() => older.watch({ from: early }));
});

test('a watch ends by its signal, by return, and with the database, also while it waits', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const controller = new AbortController();
  const aborted = db.watch({ signal: controller.signal });
  const returned = db.watch();
  const closed = db.watch();
  const idle = db.watch();
  const waiting = [aborted.next(), returned.next(), closed.next()];
  const codes = Promise.all([codeOfAsync(waiting[0]), waiting[1], codeOfAsync(waiting[2])]);
  await db.put(1, { value: 1 });
  await Promise.all(waiting);
  const again = [codeOfAsync(aborted.next()), returned.next(), codeOfAsync(closed.next())] as const;
  controller.abort();
  await returned.return();
  t.is(await again[0], 'OMEN_ABORTED');
  t.deepEqual(await again[1], { done: true, value: undefined });
  t.is(await codeOfAsync(aborted.next()), 'OMEN_ABORTED');
  t.deepEqual(await returned.next(), { done: true, value: undefined });
  await db.close();
  t.is(await again[2], 'OMEN_CLOSED');
  t.is(await codeOfAsync(idle.next()), 'OMEN_CLOSED');
  t.is(
    codeOf(() => db.watch()),
    'OMEN_CLOSED',
  );
  t.is(
    codeOf(() => db.position()),
    'OMEN_CLOSED',
  );
  await codes;
});

test('a database that is only read has no changes', async (t) => {
  const directory = temporaryDirectory(t);
  await (await open(directory, { ...NUMBERS, shards: 1 })).close();
  const db = await openNew(t, { ...NUMBERS, readOnly: true }, directory);
  t.is(
    codeOf(() => db.watch()),
    'OMEN_READ_ONLY',
  );
  t.is(
    codeOf(() => db.position()),
    'OMEN_READ_ONLY',
  );
  using snapshot = db.snapshot();
  t.is(
    codeOf(() => snapshot.position),
    'OMEN_READ_ONLY',
  );
});

test('what is not durable is told when it is', async (t) => {
  const directory = temporaryDirectory(t);
  for (const durability of ['os', { intervalMs: 5 }] as const) {
    const db: Numbers = await open(directory, { ...NUMBERS, shards: 2, durability });
    const watch = db.watch();
    await db.put(1, { value: 1 });
    const position = db.position();
    await seal(db, 1);
    t.is((await groupsTo(watch, 1)).flatMap(({ changes }) => changes).length, 65);
    const durable = watch.position;
    await watch.return();
    await db.close();
    const again = await open(directory, NUMBERS);
    t.notThrows(() => again.watch({ from: durable }));
    const code = codeOf(() => again.watch({ from: position }));
    t.true(code === '' || code === 'OMEN_LSN_GONE');
    await again.close();
  }
});

test('watches of a process that is killed are gone on with in the next, nothing lost nor doubled', async (t) => {
  const directory = temporaryDirectory(t);
  const options = { retain: RETAIN, memtable: SMALL };
  let position = '';
  const stamps = new Map<number, number>();
  const copy = new Map<number, number>();
  for (let round = 0; round < 3; round++) {
    if (round > 0) {
      const child = startChild(t, 'watched', directory, position);
      // Changes, and the position behind them, as the process had them.
      const lines = Math.floor(40 * round);
      for (let i = 0; i < lines; i++) {
        const [at, changes] = JSON.parse(await child.line());
        apply(copy, changes);
        for (const { key: each, value } of changes) {
          if (!isSentinel(each)) stamps.set(value.value, (stamps.get(value.value) ?? 0) + 1);
        }
        position = at;
      }
      child.kill();
      await child.ended;
    } else {
      const db: Numbers = await open(directory, { ...NUMBERS, ...options, shards: 3, threads: 2 });
      position = db.position();
      await db.close();
    }
  }
  const db: Numbers = await open(directory, { ...NUMBERS, ...options });
  await seal(db, 1);
  const watch = db.watch({ from: position });
  for (const { changes } of await groupsTo(watch, 1)) {
    apply(copy, changes);
    for (const change of changes) {
      if (change.type !== 'put' || isSentinel(change.key)) continue;
      stamps.set(change.value.value, (stamps.get(change.value.value) ?? 0) + 1);
    }
  }
  t.deepEqual(sorted(copy), sorted(contentOf(db)));
  t.true(stamps.size > 50);
  t.deepEqual(
    [...stamps].filter(([, count]) => count !== 10),
    [],
  );
  await db.close();
});
