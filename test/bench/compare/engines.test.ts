/**
 * Every engine of the comparison, in this process and tiny: all it can do, over all kinds of keys, with right
 * answers. Peers that only the benchmark installs are passed over where they are not there.
 */
import { join } from 'node:path';
import test from 'ava';
import { ENGINE_NAMES, type Engine, engineKind } from '../../../bench/compare/engine.ts';
import { Session } from '../../../bench/compare/session.ts';
import { TASKS } from '../../../bench/compare/tasks.ts';
import { temporaryDirectory } from '../../storage/support.ts';

const ROWS = 600;
/** Sequential keys are integers as uniform ones are. */
const KINDS = ['uniform', 'strings'] as const;

/** As loads are: what is open need not be opened again. */
const DURABLE_FIRST = Object.entries(TASKS).sort(
  ([, a], [, b]) => Number(b.durable) - Number(a.durable),
);

async function isInstalled(name: (typeof ENGINE_NAMES)[number]): Promise<boolean> {
  try {
    await (await engineKind(name)).version();
    return true;
  } catch {
    return false;
  }
}

for (const name of ENGINE_NAMES) {
  test.serial(`${name} does all it can, and every answer is right`, async (t) => {
    if (!(await isInstalled(name))) {
      t.log(`${name} is not installed: npm ci in bench/ does that.`);
      return t.pass();
    }
    const kind = await engineKind(name);
    const directory = temporaryDirectory(t);
    for (const keys of KINDS) {
      const session = new Session(kind, keys, ROWS, join(directory, keys));
      t.true((await session.load('shuffled')) > 0);
      await session.verifySample();
      await (await session.current()).compact?.();
      for (const [task, { needs, durable, run }] of DURABLE_FIRST) {
        if (durable && kind.inMemory) continue;
        if (task.startsWith('ycsb') !== (keys === 'strings') && task !== 'get-many') continue;
        const engine: Engine = await session.engine(durable);
        if (!needs.every((part) => engine[part] !== undefined)) continue;
        const { isRight, cost } = await run({ session, engine, seed: 5, scale: 0.002 });
        t.true(isRight, `${task} of ${keys}`);
        t.true(cost > 0);
      }
      if (!kind.inMemory) await session.close();
      await session.verifyContents();
      await session.close();
    }
  });
}

test('a session notices a row that is missing, and one that is another', async (t) => {
  const kind = await engineKind('map');
  const session = new Session(kind, 'uniform', ROWS, temporaryDirectory(t));
  await session.load('sorted');
  const engine = await session.current();
  await engine.put?.(session.keyOf(7), 5);
  await t.throwsAsync(session.verifySample(), { message: /The row of \d+ is 5\./ });
  await t.throwsAsync(session.verifyContents(), { message: /there must be 600/ });
  const { isRight } = await TASKS['get-hit'].run({ session, engine, seed: 1, scale: 0.1 });
  t.false(isRight);
});
