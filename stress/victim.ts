/** A writer process from outside: started, listened to, ended, and what it left compared with what it said. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { open } from '../src/index.ts';
import { after, emptyState, isSame, keysOf, LANES, rowOf, type State, stepOf } from './lanes.ts';
import { type Life, OPTIONS } from './writer.ts';

/** What a lane is known to hold. */
export interface Lane {
  readonly steps: number;
  readonly state: State;
}

export function emptyLanes(): Lane[] {
  return Array.from({ length: LANES }, () => ({ steps: 0, state: emptyState() }));
}

export interface Victim {
  readonly process: ChildProcess;
  /** Waits until it has said so many lines in all; throws when it ends by itself first. */
  said(lines: number): Promise<void>;
  /** Steps acknowledged by lane, once it is dead and all it said is read. */
  readonly acknowledged: Promise<number[]>;
}

export function startVictim(life: Life): Victim {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'writer.ts'), JSON.stringify(life)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const done = [...life.done];
  let lines = 0;
  let wake = (): void => {};
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => {
    const [lane, step] = line.split(' ').map(Number);
    if (step !== undefined) done[lane] = step;
    lines++;
    wake();
  });
  const ended = Promise.all([once(child, 'exit'), once(reader, 'close')]);
  return {
    process: child,
    async said(count) {
      while (lines < count) {
        const end = child.exitCode ?? child.signalCode;
        if (end !== null) throw new Error(`The writer ended with ${end}.`);
        await Promise.race([new Promise<void>((resolve) => (wake = resolve)), ended]);
      }
    },
    acknowledged: ended.then(() => done),
  };
}

/**
 * Opens what a victim left and compares: each lane holds what was acknowledged, or the step that was under
 * way besides, whole. Returns the lanes as they are now.
 * @throws where anything is lost, half there or back again
 */
export async function verify(
  directory: string,
  seed: number,
  lanes: readonly Lane[],
  acknowledged: readonly number[],
): Promise<Lane[]> {
  await using db = await open(directory, OPTIONS);
  let rows = 0;
  const found = lanes.map(({ steps, state }, lane) => {
    const range = keysOf(lane);
    const held: State = new Map();
    for (const [key, row] of db.entries(range)) {
      const { version, note } = row;
      if (note !== rowOf(key, version).note) throw new Error(`Row ${key} is of no step: ${note}`);
      held.set(key, version);
    }
    for (let key = range.gte; key < range.lt; key++) {
      if (db.get(key)?.version !== held.get(key)) {
        throw new Error(`get(${key}) is ${db.get(key)?.version}, the scan has ${held.get(key)}`);
      }
    }
    if (db.count(range) !== held.size) {
      throw new Error(`count is ${db.count(range)}, the scan has ${held.size} rows`);
    }
    rows += held.size;
    let wanted = state;
    for (let step = steps + 1; step <= acknowledged[lane]; step++) {
      wanted = after(wanted, stepOf(seed, lane, step));
    }
    if (isSame(held, wanted)) return { steps: acknowledged[lane], state: wanted };
    const next = acknowledged[lane] + 1;
    const more = after(wanted, stepOf(seed, lane, next));
    if (isSame(held, more)) return { steps: next, state: more };
    const lost = [...wanted].filter(([key, version]) => held.get(key) !== version);
    throw new Error(
      `Lane ${lane} is in no state it can be in after ${acknowledged[lane]} acknowledged steps: ` +
        `${held.size} rows, of ${wanted.size} wanted ${lost.length} differ, the first is ${lost[0]}`,
    );
  });
  if (db.count() !== rows) throw new Error(`${db.count()} rows in all, ${rows} in the lanes`);
  return found;
}
