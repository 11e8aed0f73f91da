import { once } from 'node:events';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { type OpenOptions, open, type Watch } from '../../src/index.ts';
import { temporaryDirectory } from '../storage/support.ts';
import { type History, KEYS, PAIRS, runHistory, type Stamps } from './history.ts';
import type { HistoryData } from './history-worker.ts';
import { type Done, isLinearizable, type State, type Timed } from './linearizability.ts';

const get = (found: State): Done => ({ op: 'get', found });
const write = (stamp: State): Done => ({ op: 'write', stamp });
const writeIf = (wanted: State | 'any', stamp: State, isDone: boolean): Done => {
  return { op: 'writeIf', wanted, stamp, isDone };
};
const at = (begun: number, answered: number, done: Done): Timed => ({ begun, answered, done });

test('histories that some order explains are linearizable', (t) => {
  t.true(isLinearizable([]));
  t.true(isLinearizable([at(0, 1, get(null))]));
  t.true(
    isLinearizable([
      at(0, 1, write(1)),
      at(2, 3, get(1)),
      at(4, 5, write(null)),
      at(6, 7, get(null)),
    ]),
  );
  t.true(
    isLinearizable([at(0, 5, write(1)), at(1, 2, get(null)), at(3, 4, get(1))]),
    'while it is written',
  );
  t.true(
    isLinearizable([at(0, 9, write(1)), at(1, 8, write(2)), at(2, 3, get(2)), at(4, 5, get(1))]),
  );
  t.true(
    isLinearizable([
      at(0, 1, writeIf(null, 1, true)),
      at(2, 3, writeIf(null, 2, false)),
      at(4, 5, get(1)),
    ]),
  );
  t.true(
    isLinearizable([at(0, 3, writeIf('any', 7, false)), at(1, 2, write(1)), at(4, 5, get(1))]),
  );
  const unknown = at(0, Number.POSITIVE_INFINITY, write(1));
  t.true(
    isLinearizable([unknown, at(1, 2, get(null)), at(3, 4, get(null))]),
    'it may never happen',
  );
  t.true(isLinearizable([unknown, at(1, 2, get(null)), at(3, 4, get(1))]), 'or late');
});

test('histories that no order explains are not', (t) => {
  t.false(isLinearizable([at(0, 1, get(1))]), 'what nobody wrote');
  t.false(isLinearizable([at(0, 1, write(1)), at(2, 3, get(null))]), 'a lost write');
  t.false(
    isLinearizable([at(0, 1, write(1)), at(2, 3, write(2)), at(4, 5, get(1))]),
    'a stale read',
  );
  t.false(
    isLinearizable([at(0, 9, write(1)), at(1, 2, get(1)), at(3, 4, get(null))]),
    'seen, and then not any more',
  );
  t.false(
    isLinearizable([
      at(0, 9, write(1)),
      at(1, 8, write(2)),
      at(2, 3, get(1)),
      at(4, 5, get(2)),
      at(6, 7, get(1)),
    ]),
    'seen in one order and the other',
  );
  t.false(
    isLinearizable([at(0, 1, writeIf(null, 1, true)), at(2, 3, writeIf(null, 2, true))]),
    'two that were both the first',
  );
  t.false(
    isLinearizable([at(0, 1, write(1)), at(2, 3, writeIf(1, 2, false))]),
    'a condition that held',
  );
  t.false(
    isLinearizable([
      at(0, 1, write(1)),
      at(2, 6, { op: 'update', found: 1, stamp: 2 }),
      at(3, 7, { op: 'update', found: 1, stamp: 3 }),
    ]),
    'a lost update',
  );
  const unknown = at(2, Number.POSITIVE_INFINITY, write(2));
  t.false(
    isLinearizable([at(0, 1, write(1)), unknown, at(3, 4, get(2)), at(5, 6, get(1))]),
    'done and undone',
  );
});

/** A history that one thread after the other makes of a real register, its operations stretched in time. */
const sound = fc
  .array(
    fc.record({
      kind: fc.nat({ max: 4 }),
      before: fc.nat({ max: 30 }),
      behind: fc.nat({ max: 30 }),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((made) => {
    let state: State = null;
    const history = made.map(({ kind, before, behind }, i): Timed => {
      const moment = 100 * i;
      const stamp = i + 1;
      let done: Done;
      if (kind === 0) done = get(state);
      else if (kind === 1) done = write(stamp);
      else if (kind === 2) done = write(null);
      else if (kind === 3) done = writeIf(null, stamp, state === null);
      else done = { op: 'update', found: state, stamp };
      if (kind === 1 || kind === 4 || (kind === 3 && state === null)) state = stamp;
      if (kind === 2) state = null;
      return at(moment - 10 * before, moment + 10 * behind + 1, done);
    });
    // No two moments are the same.
    const moments = history.flatMap(({ begun, answered }, i) => [
      { at: begun, i, isBegun: true },
      { at: answered, i, isBegun: false },
    ]);
    moments.sort((a, b) => a.at - b.at || Number(a.isBegun) - Number(b.isBegun));
    const order = new Map(moments.map(({ i, isBegun }, place) => [`${i} ${isBegun}`, place]));
    return history.map(({ done }, i) =>
      at(order.get(`${i} true`) ?? 0, order.get(`${i} false`) ?? 0, done),
    );
  });

test('whatever a register did is linearizable, and a read of what was never there is not', (t) => {
  fc.assert(
    fc.property(sound, fc.nat(), (history, place) => {
      t.true(isLinearizable(history));
      const reads = history.flatMap(({ done }, i) => (done.op === 'get' ? [i] : []));
      if (reads.length === 0) return;
      const changed = reads[place % reads.length];
      t.false(
        isLinearizable(history.map((one, i) => (i === changed ? { ...one, done: get(-1) } : one))),
      );
    }),
  );
});

/** Of each key the stamps that were put, in the order in which a watch tells them. */
type Told = ReadonlyMap<number, readonly number[]>;

/** Changes up to those of the keys below 0, which are put last of all, in every shard. */
async function toldBy(watch: Watch<number, { stamp: number }>): Promise<Told> {
  const told = new Map<number, number[]>();
  for await (const { changes } of watch) {
    for (const change of changes) {
      if (change.type !== 'put') continue;
      const stamps = told.get(change.key) ?? [];
      told.set(change.key, stamps);
      stamps.push(change.value.stamp);
    }
    if (told.has(-1)) break;
  }
  return told;
}

/**
 * What is wrong with the order in which a watch told the writes of a key, or '': each that was done came
 * once, and none before one that had been answered before it began.
 */
function faultOf(history: readonly Timed[], told: readonly number[]): string {
  const writes = new Map<number, Timed>();
  for (const timed of history) {
    const { done } = timed;
    if (done.op === 'get' || done.stamp === null || (done.op === 'writeIf' && !done.isDone))
      continue;
    writes.set(done.stamp, timed);
  }
  if (new Set(told).size !== told.length) return 'a write came twice';
  for (const [stamp, { answered }] of writes) {
    if (answered < Number.POSITIVE_INFINITY && !told.includes(stamp))
      return `${stamp} did not come`;
  }
  let latest = -1;
  for (const stamp of told) {
    const timed = writes.get(stamp);
    if (timed === undefined) return `${stamp} was not written`;
    if (timed.answered < latest) return `${stamp} had ended before what came first began`;
    latest = Math.max(latest, timed.begun);
  }
  return '';
}

test('the order of a watch is held to what each write knew of the others', (t) => {
  const history = [at(0, 1, write(1)), at(2, 5, write(2)), at(3, 4, write(3)), at(6, 7, get(2))];
  t.is(faultOf(history, [1, 2, 3]), '');
  t.is(faultOf(history, [1, 3, 2]), '');
  t.regex(faultOf(history, [2, 1, 3]), /had ended/);
  t.regex(faultOf(history, [1, 2]), /3 did not come/);
  t.regex(faultOf(history, [1, 2, 3, 2]), /twice/);
  t.regex(faultOf(history, [1, 2, 3, 4]), /was not written/);
});

interface Setting {
  readonly options: OpenOptions;
  readonly threads: number;
  readonly lanes: number;
  readonly operations: number;
}

/** Several threads at once on one database, which is flushed and compacted meanwhile. */
async function historyOf(
  t: ExecutionContext,
  seed: number,
  setting: Setting,
): Promise<History & { readonly told: Told }> {
  const { options, threads, lanes, operations } = setting;
  const columns = { stamp: 'float64' } as const;
  const db = (await open(temporaryDirectory(t), { key: 'int64', columns, ...options })) as Stamps;
  try {
    const telling = toldBy(db.watch());
    const latch = new SharedArrayBuffer(4);
    const clock = new SharedArrayBuffer(4);
    const taskOf = (thread: number) => ({ seed, thread, threads, operations, lanes, clock });
    let running = threads - 1;
    const others = Array.from({ length: threads - 1 }, async (_, i): Promise<History> => {
      const workerData: HistoryData = { handle: db.handle(), task: taskOf(i + 1), latch };
      const worker = new Worker(new URL('./history-worker.ts', import.meta.url), { workerData });
      const exited = once(worker, 'exit');
      const [history] = await once(worker, 'message');
      await exited;
      running--;
      return history;
    });
    const ready = new Int32Array(latch);
    Atomics.add(ready, 0, 1);
    Atomics.notify(ready, 0);
    const own = runHistory(db, taskOf(0));
    const disturb = async (): Promise<void> => {
      for (let round = 0; running > 0; round++) {
        if (round % 3 === 2) await db.compact();
        else await db.flush();
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const all = Promise.all([own, ...others]);
    await disturb();
    const histories = await all;
    t.is(db.stats().snapshots, 0);
    const last = Array.from({ length: 64 }, (_, i) => -1 - i);
    await db.batch(last.map((key) => ({ type: 'put', key, value: { stamp: 0 } })));
    return {
      told: await telling,
      noted: histories.flatMap(({ noted }) => noted),
      faults: histories.flatMap(({ faults }) => faults),
    };
  } finally {
    await db.close();
  }
}

const MEMTABLE = { entriesMax: 256, arenaBytes: 2 ** 17 };
const SETTINGS: readonly (readonly [string, Setting])[] = [
  [
    'three threads over three shards',
    {
      options: { shards: 3, threads: 2, memtable: MEMTABLE },
      threads: 3,
      lanes: 3,
      operations: 120,
    },
  ],
  [
    'two threads over one shard, not synced',
    {
      options: { shards: 1, durability: 'os', memtable: MEMTABLE },
      threads: 2,
      lanes: 4,
      operations: 150,
    },
  ],
];

for (const [name, setting] of SETTINGS) {
  test.serial(`histories are linearizable, and snapshots serializable: ${name}`, async (t) => {
    const { OMEN_SEED, OMEN_RUNS } = process.env;
    for (let run = 0; run < Number(OMEN_RUNS ?? 2); run++) {
      const seed = Number(OMEN_SEED ?? 20260101) + run;
      const { noted, faults, told } = await historyOf(t, seed, setting);
      t.deepEqual(faults, [], `OMEN_SEED=${seed}`);
      for (const key of [...KEYS, ...PAIRS.flat()]) {
        const history = noted.filter((one) => one.key === key).map(({ timed }) => timed);
        t.true(history.length > 5);
        t.is(faultOf(history, told.get(key) ?? []), '', `OMEN_SEED=${seed}, key ${key}`);
        const isSound = isLinearizable(history);
        t.true(
          isSound,
          `OMEN_SEED=${seed}, key ${key}: ${isSound ? '' : inspect(history, { depth: 3, maxArrayLength: null })}`,
        );
      }
    }
  });
}
