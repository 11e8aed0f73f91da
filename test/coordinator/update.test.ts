import test from 'ava';
import type { AttachedTask } from './attached-tasks.ts';
import { codeOfAsync, errorOf, NUMBERS, openNew, startWorker } from './support.ts';

test('an update makes, changes and deletes a row, and resolves to what it wrote', async (t) => {
  const db = await openNew(t, { key: 'utf8', value: 'json', shards: 2 });
  const seen: unknown[] = [];
  const note = (row: unknown, next: unknown) => {
    seen.push(structuredClone(row));
    return next;
  };
  t.deepEqual(await db.update('a', (row) => note(row, { n: 1 })), { n: 1 });
  const inPlace = await db.update('a', (row) => Object.assign(row as object, { n: 2 }));
  t.deepEqual([inPlace, db.get('a')], [{ n: 2 }, { n: 2 }]);
  t.is(await db.update('a', (row) => note(row, undefined)), undefined);
  t.is(await db.update('a', (row) => note(row, undefined)), undefined);
  t.deepEqual(seen, [undefined, { n: 2 }, undefined]);
  t.false(db.has('a'));
});

test('no update is lost among many of one client, and each changes the row once', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  let calls = 0;
  const increment = (row: { value: number } | undefined) => {
    calls++;
    return { value: (row?.value ?? 0) + 1 };
  };
  await Promise.all(Array.from({ length: 400 }, () => db.update(1, increment)));
  t.deepEqual([db.get(1), calls], [{ value: 400 }, 400]);
});

test('no update is lost among several threads', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2, threads: 1 });
  const data: AttachedTask = { task: 'increment', handle: db.handle(), first: 5, count: 300 };
  const threads = [0, 1, 2].map(() => startWorker(t, './attached-tasks.ts', data));
  for (let i = 0; i < 300; i++) await db.update(5, (row) => ({ value: (row?.value ?? 0) + 1 }));
  for (const { finished } of threads) t.is(await finished, 0);
  t.deepEqual(db.get(5), { value: 1200 });
});

test('an update whose row others change each time gives up after its tries', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const others: Promise<void>[] = [];
  const update = db.update(
    1,
    () => {
      // Sent before the update's own write, and so written before it.
      others.push(db.put(1, { value: others.length }));
      return { value: -1 };
    },
    { tries: 3 },
  );
  const { code, cause } = await errorOf(t, update);
  t.is(code, 'OMEN_CONTENTION');
  t.like(cause, { code: 'OMEN_CONDITION_FAILED' });
  await Promise.all(others);
  t.deepEqual([db.get(1), others.length], [{ value: 2 }, 3]);
});

test('an update that cannot be made rejects, writes nothing and is in nobody’s way', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 1 });
  const thrown = new Error('no');
  const failing = db.update(1, () => {
    throw thrown;
  });
  const next = db.update(1, () => ({ value: 1 }));
  t.is(await t.throwsAsync(failing), thrown);
  t.deepEqual(await next, { value: 1 });
  // @ts-expect-error: a promise is no row
  t.is(await codeOfAsync(db.update(1, async () => ({ value: 2 }))), 'OMEN_INVALID_ROW');
  for (const tries of [0, 1.5, Number.NaN]) {
    t.is(await codeOfAsync(db.update(1, () => undefined, { tries })), 'OMEN_INVALID_OPTIONS');
  }
  t.is(await codeOfAsync(db.update(Number.NaN, () => undefined)), 'OMEN_INVALID_KEY');
  t.deepEqual(db.get(1), { value: 1 });
});

test('the key of an update is the one given, whatever becomes of its bytes', async (t) => {
  const db = await openNew(t, { key: 'binary', value: 'utf8', shards: 2 });
  const key = Uint8Array.of(1, 2, 3);
  const first = db.update(key, () => 'a');
  const second = db.update(key, (row) => `${row}b`);
  key.fill(9);
  await Promise.all([first, second]);
  t.deepEqual([...db.entries()], [[Uint8Array.of(1, 2, 3), 'ab']]);
});
