/** A part of layers B and C of the crash protocol; more of them with `npm run stress -- crash --layer B`. */
import test from 'ava';
import { open } from '../../src/index.ts';
import { killLife } from '../../stress/kill.ts';
import { after, emptyState, isSame, keysOf, LANES, stepOf } from '../../stress/lanes.ts';
import { emptyLanes, verify } from '../../stress/victim.ts';
import { OPTIONS } from '../../stress/writer.ts';
import { temporaryDirectory } from '../storage/support.ts';

test('a process with threads that is killed again and again loses nothing acknowledged', async (t) => {
  await t.notThrowsAsync(
    killLife(20260101, 5),
    'npx node stress/main.ts crash --layer B --seed 20260101 --cases 5',
  );
});

/** A database that has so many steps of lane 0, changed by hand. */
async function withSteps(
  directory: string,
  steps: number,
  change: (db: Awaited<ReturnType<typeof open<typeof OPTIONS>>>) => Promise<void>,
): Promise<void> {
  await using db = await open(directory, OPTIONS);
  for (let step = 1; step <= steps; step++) await db.batch(stepOf(1, 0, step));
  await change(db);
}

test('the check after a kill takes what was acknowledged, or one step more, and nothing else', async (t) => {
  const directory = temporaryDirectory(t);
  const acknowledged = (steps: number) =>
    Array.from({ length: LANES }, (_, i) => (i === 0 ? steps : 0));
  await withSteps(directory, 20, async () => {});
  const lanes = await verify(directory, 1, emptyLanes(), acknowledged(20));
  t.is(lanes[0].steps, 20);
  t.is((await verify(directory, 1, emptyLanes(), acknowledged(19)))[0].steps, 20);
  await t.throwsAsync(verify(directory, 1, emptyLanes(), acknowledged(25)), { message: /Lane 0/ });
  const [key] = [...lanes[0].state.keys()];
  await withSteps(directory, 0, (db) => db.del(key));
  await t.throwsAsync(verify(directory, 1, emptyLanes(), acknowledged(20)), { message: /Lane 0/ });
  await withSteps(directory, 0, (db) => db.put(key, { version: 1, note: 'another' }));
  await t.throwsAsync(verify(directory, 1, emptyLanes(), acknowledged(20)), { message: /no step/ });
  await withSteps(directory, 20, (db) => db.put(-1, { version: 1, note: null }));
  await t.throwsAsync(verify(directory, 1, emptyLanes(), acknowledged(20)));
});

test('steps are the same for the same seed, of keys of their lane, each once', (t) => {
  let state = emptyState();
  for (let step = 1; step < 200; step++) {
    const operations = stepOf(3, 2, step);
    t.deepEqual(operations, stepOf(3, 2, step));
    const keys = operations.map(({ key }) => key);
    t.is(new Set(keys).size, keys.length);
    const { gte, lt } = keysOf(2);
    t.true(keys.every((key) => key >= gte && key < lt));
    state = after(state, operations);
  }
  t.true(state.size > 10 && isSame(state, new Map(state)));
  t.false(isSame(state, after(state, [{ type: 'del', key: [...state.keys()][0] }])));
});
