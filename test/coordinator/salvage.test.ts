import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { open } from '../../src/index.ts';
import { codeOfAsync, contentOf, errorOf, NUMBERS, temporaryDirectory } from './support.ts';

const ROWS = 30_000;
const PAGE_BYTES = 65_536;

/** A compacted database of two shards, and rows in its logs. */
async function makeDatabase(directory: string): Promise<Map<number, number>> {
  const rows = new Map<number, number>();
  await using db = await open(directory, { ...NUMBERS, shards: 2 });
  const keys = Array.from({ length: ROWS }, (_, i) => i);
  await Promise.all(keys.map((key) => db.put(key, { value: -key })));
  await db.compact();
  await Promise.all(keys.slice(0, 100).map((key) => db.put(key, { value: key })));
  for (const key of keys) rows.set(key, key < 100 ? key : -key);
  return rows;
}

function fileOf(shard: string, kind: RegExp): string {
  const name = readdirSync(shard).findLast((one) => kind.test(one));
  if (name === undefined) throw new Error(`There is no ${kind} in ${shard}.`);
  return join(shard, name);
}

function flip(file: string, at: number): void {
  const content = readFileSync(file);
  content[at] ^= 1;
  writeFileSync(file, content);
}

test('the rows of a damaged page are lost, listed and kept aside, and no others', async (t) => {
  const directory = temporaryDirectory(t);
  const rows = await makeDatabase(directory);
  const file = fileOf(join(directory, 'shard-0000'), /^segment-\d+\.arrow$/);
  const before = readFileSync(file);
  flip(file, PAGE_BYTES + 5000);
  const error = await errorOf(t, open(directory));
  t.is(error.code, 'OMEN_CORRUPT');
  t.true(error.message.startsWith(`${file} is damaged at byte ${PAGE_BYTES}`));
  t.regex(error.message, /salvage: true/);
  let kept: [number, number][];
  {
    await using db = await open(directory, { ...NUMBERS, salvage: true });
    t.is(db.salvaged.length, 1);
    const [dropped] = db.salvaged;
    t.like(dropped, { shard: 0, what: 'segment', file, offset: PAGE_BYTES, bytes: PAGE_BYTES });
    t.true(dropped.rows !== null && dropped.rows > 0 && dropped.rows <= PAGE_BYTES / 8);
    const missing = [...rows.keys()].filter((key) => !db.has(key)).length;
    t.is(db.count(), ROWS - missing);
    // Of some, a newer version was in the log.
    t.true(missing > 0 && missing <= (dropped.rows ?? 0) && missing >= (dropped.rows ?? 0) - 100);
    t.deepEqual(JSON.parse(JSON.stringify(db.salvaged)), db.salvaged);
    before[PAGE_BYTES + 5000] ^= 1;
    t.deepEqual(readFileSync(dropped.kept ?? ''), before);
    kept = [...contentOf(t, db)];
    t.true(kept.every(([key, value]) => rows.get(key) === value));
    await db.put(1, { value: 1 });
  }
  await using again = await open(directory, NUMBERS);
  t.deepEqual(again.salvaged, []);
  t.deepEqual([...contentOf(t, again)], kept);
});

test('a damaged log is salvaged around the damage; both shards open again without the option', async (t) => {
  const directory = temporaryDirectory(t);
  const rows = await makeDatabase(directory);
  const shard = join(directory, 'shard-0001');
  const log = fileOf(shard, /^wal-\d+\.log$/);
  flip(log, 4096 + 100);
  t.is(await codeOfAsync(open(directory)), 'OMEN_CORRUPT');
  {
    await using db = await open(directory, { ...NUMBERS, salvage: true });
    t.like(db.salvaged[0], { shard: 1, what: 'log', file: log, offset: 4096, rows: null });
    for (const [key, value] of contentOf(t, db)) {
      t.true(value === rows.get(key) || (key < 100 && value === -key));
    }
    t.is(db.count(), ROWS);
  }
  await using again = await open(directory, NUMBERS);
  t.is(again.count(), ROWS);
});

test('a shard whose manifest is gone is put together from its segments and its log', async (t) => {
  const directory = temporaryDirectory(t);
  const rows = await makeDatabase(directory);
  rmSync(fileOf(join(directory, 'shard-0000'), /^manifest-/));
  const error = await errorOf(t, open(directory));
  t.is(error.code, 'OMEN_CORRUPT');
  await using db = await open(directory, { ...NUMBERS, salvage: true });
  t.deepEqual(contentOf(t, db), rows);
  t.is(db.salvaged[0].what, 'manifest');
});

/** The same, with a range cleared that no merge has left out yet. */
async function makeCleared(directory: string): Promise<Map<number, number>> {
  const rows = await makeDatabase(directory);
  await using db = await open(directory, NUMBERS);
  await db.clear({ gte: 1000, lt: 1200 });
  await db.flush();
  for (let key = 1000; key < 1200; key++) rows.delete(key);
  return rows;
}

test('a range stays cleared where something else is damaged', async (t) => {
  const directory = temporaryDirectory(t);
  const rows = await makeCleared(directory);
  const shard = join(directory, 'shard-0000');
  const oldest = readdirSync(shard).find((name) => /^segment-\d+\.arrow$/.test(name)) ?? '';
  flip(join(shard, oldest), 2 * PAGE_BYTES + 8);
  t.is(await codeOfAsync(open(directory)), 'OMEN_CORRUPT');
  {
    await using db = await open(directory, { ...NUMBERS, salvage: true });
    t.is(db.salvaged.length, 1);
    t.is(db.count({ gte: 1000, lt: 1200 }), 0);
    t.true([...contentOf(t, db)].every(([key, value]) => rows.get(key) === value));
  }
  await using again = await open(directory, NUMBERS);
  t.is(again.count({ gte: 1000, lt: 1200 }), 0);
});

test('what was cleared is back where only a lost manifest knew of it, and the loss is listed', async (t) => {
  const directory = temporaryDirectory(t);
  const rows = await makeCleared(directory);
  rmSync(fileOf(join(directory, 'shard-0000'), /^manifest-/));
  t.is(await codeOfAsync(open(directory)), 'OMEN_CORRUPT');
  await using db = await open(directory, { ...NUMBERS, salvage: true });
  t.like(db.salvaged[0], { shard: 0, what: 'manifest' });
  const found = contentOf(t, db);
  t.true([...rows].every(([key, value]) => found.get(key) === value));
  const back = [...found].filter(([key]) => !rows.has(key));
  t.true(back.length > 0 && back.length < 200, 'those of the one shard');
  t.true(back.every(([key, value]) => key >= 1000 && key < 1200 && value === -key));
});

test('a shard of which nothing is left is empty, and the others are there', async (t) => {
  const directory = temporaryDirectory(t);
  const rows = await makeDatabase(directory);
  const shard = join(directory, 'shard-0001');
  rmSync(shard, { recursive: true });
  t.is(await codeOfAsync(open(directory)), 'OMEN_CORRUPT');
  await using db = await open(directory, { ...NUMBERS, salvage: true });
  t.like(db.salvaged[0], { shard: 1, file: shard, rows: null });
  t.true(db.count() > ROWS / 3 && db.count() < ROWS);
  t.true([...contentOf(t, db)].every(([key, value]) => rows.get(key) === value));
});

test('a sound database is opened as ever, and nothing is told', async (t) => {
  const directory = temporaryDirectory(t);
  const rows = await makeDatabase(directory);
  await using db = await open(directory, { ...NUMBERS, salvage: true });
  t.deepEqual(db.salvaged, []);
  t.deepEqual(contentOf(t, db), rows);
});

test('what is opened to be read only is not salvaged', async (t) => {
  const options = { ...NUMBERS, readOnly: true, salvage: true };
  t.is(await codeOfAsync(open(temporaryDirectory(t), options)), 'OMEN_INVALID_OPTIONS');
});
