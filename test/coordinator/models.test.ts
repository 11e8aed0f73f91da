/** A lost index is no lost data: the database opens, and says that it trained it again. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { open } from '../../src/index.ts';
import { codeOfAsync, contentOf, NUMBERS, openNew, temporaryDirectory } from './support.ts';

function modelsIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true })
    .map((name) => join(directory, String(name)))
    .filter((path) => path.endsWith('.model.arrow'))
    .sort();
}

async function filled(directory: string): Promise<void> {
  await using db = await open(directory, { ...NUMBERS, shards: 3, threads: 1 });
  for (let round = 0; round < 2; round++) {
    const keys = Array.from({ length: 300 }, (_, i) => 2 * i + round);
    await db.batch(keys.map((key) => ({ type: 'put', key, value: { value: key } })));
    await db.flush();
  }
}

test('models that are missing, cut off or exchanged are trained again, counted and written', async (t) => {
  const directory = temporaryDirectory(t);
  await filled(directory);
  const [missing, cutOff, exchanged, ...others] = modelsIn(directory);
  const sound = modelsIn(directory).map((path) => readFileSync(path));
  rmSync(missing);
  writeFileSync(cutOff, sound[1].subarray(0, 100));
  writeFileSync(exchanged, sound[3]);
  {
    await using db = await open(directory);
    t.is(db.stats().total.modelsRebuilt, 3);
    t.is(Math.max(...db.stats().shards.map(({ modelsRebuilt }) => modelsRebuilt)), 2);
    t.is(contentOf(t, db as never).size, 600);
    await db.put(-1, { value: -1 });
    await db.compact();
    t.is(db.get(1)?.value, 1);
  }
  t.is(others.length, 3);
  await using again = await open(directory);
  t.is(again.stats().total.modelsRebuilt, 0);
  t.is(again.count(), 601);
});

test('a database opened to be read only trains lost models again, and writes nothing', async (t) => {
  const directory = temporaryDirectory(t);
  await filled(directory);
  const models = modelsIn(directory);
  for (const path of models) rmSync(path);
  const db = await openNew(t, { readOnly: true }, directory);
  t.is(db.stats().total.modelsRebuilt, models.length);
  t.is(contentOf(t, db as never).size, 600);
  for (const refused of [db.put(1, { value: 0 }), db.del(1), db.flush(), db.compact()]) {
    t.is(await codeOfAsync(refused), 'OMEN_READ_ONLY');
  }
  await db.close();
  t.deepEqual(modelsIn(directory), []);
});
