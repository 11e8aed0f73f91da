/** What a process of the tests does, by the name in its arguments: a task, then a directory. */
import { once } from 'node:events';
import { readdirSync, writeSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { type Durability, OmenError, open } from '../../src/index.ts';
import { codeOfAsync, NUMBERS } from './support.ts';

/** Written at once, whole: a process may be killed right after. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

const tasks = {
  /** Opens, counts, ends. */
  async count(directory: string) {
    const db = await open(directory);
    say(String(db.count()));
    await db.close();
  },
  /** Opens and stays until it is killed. */
  async hold(directory: string) {
    const db = await open(directory, { ...NUMBERS, shards: 1 });
    await db.put(1, { value: 1 });
    say('open');
    setInterval(() => {}, 1000);
  },
  /** Leaves the database open and has nothing more to do. */
  async idle(directory: string) {
    const db = await open(directory, { ...NUMBERS, shards: 2 });
    await db.put(1, { value: 1 });
    await db.flush();
    process.on('exit', () => say('ended'));
  },
  /** Has nothing more to do than to wait for writes, which nobody awaits. */
  async pending(directory: string) {
    const db = await open(directory, { ...NUMBERS, shards: 2 });
    let settled = 0;
    for (let key = 0; key < 20_000; key++) db.put(key, { value: key }).then(() => settled++);
    process.on('exit', () => say(String(settled)));
  },
  /** Has nothing more to do than to hold a watch that nobody asks for changes. */
  async watching(directory: string) {
    const db = await open(directory, { ...NUMBERS, shards: 2 });
    db.watch();
    const asked = db.watch();
    const next = asked.next();
    await db.put(1, { value: 1 });
    await next;
    process.on('exit', () => say('ended'));
  },
  /** Waits for a change, which comes with a signal from outside. */
  async awaiting(directory: string) {
    const db = await open(directory, { ...NUMBERS, shards: 2 });
    const watch = db.watch();
    process.on('beforeExit', () => say('nothing holds it'));
    process.on('SIGUSR2', () => void db.put(1, { value: 1 }));
    void watch.next().then(({ value }) => {
      say(JSON.stringify(value?.changes));
      process.removeAllListeners('beforeExit');
    });
    setImmediate(() => say('waiting'));
  },
  /** As `pending`, for a compaction. */
  async compacting(directory: string) {
    const db = await open(directory, { ...NUMBERS, shards: 2 });
    await db.put(1, { value: 1 });
    void db.compact().then(() => say('compacted'));
  },
  /** Computes an aggregate in other threads, and leaves the database open. */
  async aggregated(directory: string) {
    const db = await open(directory, { ...NUMBERS, shards: 2 });
    for (let start = 0; start < 140_000; start += 10_000) {
      await db.batch(
        Array.from({ length: 10_000 }, (_, i) => {
          return { type: 'put', key: start + i, value: { value: i } } as const;
        }),
      );
    }
    const { n } = await db.aggregate({ where: { value: { gte: 0 } } }, { n: 'count' });
    say(String(n));
  },
  /** Makes its shard thread run out of memory, and says what the write under way then was told. */
  async outOfMemory(directory: string) {
    const threads: Worker[] = [];
    process.on('worker', (worker) => threads.push(worker));
    setFlagsFromString('--max-old-space-size=48');
    const db = await open(directory, { ...NUMBERS, shards: 1 });
    setFlagsFromString('--max-old-space-size=4096');
    await db.put(-1, { value: -1 });
    threads[0].postMessage(Array.from({ length: 1_500_000 }, (_, i) => ({ a: i, b: `x${i}` })));
    for (let key = 0; ; key++) {
      const code = await codeOfAsync(db.put(key % 100, { value: key }));
      if (code === '') continue;
      say(code);
      break;
    }
    await db.put(-2, { value: -2 });
    await db.close();
  },
  /** An attached thread that is idle, and an opener that is. */
  async attachedIdle(directory: string) {
    const db = await open(directory, { ...NUMBERS, shards: 2 });
    const worker = new Worker(new URL('./attached-tasks.ts', import.meta.url), {
      workerData: { task: 'idle', handle: db.handle() },
    });
    const [code] = await once(worker, 'exit');
    say(`thread ${code}`);
  },
  /** Loads rows that do not fit into the load's memory, and stays there until it is killed. */
  async spill(directory: string) {
    const db = await open(directory, { ...NUMBERS, shards: 2 });
    await db.put(1, { value: 1 });
    async function* source() {
      for (let i = 0; i < 60_000; i++) yield [(i * 7919) % 60_013, { value: i }] as const;
      while (!readdirSync(directory).some((name) => name.startsWith('load-'))) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      say('spilled');
      setInterval(() => {}, 1000);
      await new Promise(() => {});
    }
    await db.bulkLoad(source(), { memory: 2 ** 20 });
  },
  /** Writes one row after the other and names each that is acknowledged, until it is killed. */
  async write(directory: string, durability: string) {
    const db = await open(directory, {
      ...NUMBERS,
      shards: 2,
      durability: JSON.parse(durability) as Durability,
    });
    for (let key = 0; ; key++) {
      await db.put(key, { value: key });
      say(String(key));
    }
  },
  /** Writes batches over shards and says what it is told of them, each position with the changes before it. */
  async watched(directory: string, from: string) {
    const db = await open(directory, { retain: { bytes: 2 ** 30 }, memtable: BATCH_MEMTABLE });
    const watch = db.watch({ from });
    const newest = Math.max(0, ...[...db.values()].map((row) => Number(row.value)));
    const base = 4 * Math.ceil(newest / 4);
    const write = async (lane: number): Promise<void> => {
      for (let n = 1; ; n++) {
        const stamp = base + 4 * n + lane;
        const batch = Array.from({ length: 10 }, (_, i) => {
          return { type: 'put', key: i * 8 + lane, value: { value: stamp } } as const;
        });
        await db.batch(batch);
      }
    };
    for (const lane of [0, 1, 2, 3]) void write(lane);
    for await (const { changes, position } of watch) say(JSON.stringify([position, changes]));
  },
  /**
   * Batches over all shards, several under way: batch n puts n under each key of
   * its group. Names each that is acknowledged, until it is killed.
   */
  async batches(directory: string) {
    const db = await open(directory, {
      ...NUMBERS,
      shards: 3,
      threads: 2,
      memtable: BATCH_MEMTABLE,
    });
    const one = async (group: number): Promise<void> => {
      for (let n = (db.get(group * GROUP)?.value ?? 0) + 1; ; n++) {
        const batch = Array.from({ length: GROUP }, (_, i) => {
          return { type: 'put', key: group * GROUP + i, value: { value: n } } as const;
        });
        await db.batch(batch);
        say(`${group} ${n}`);
      }
    };
    await Promise.all(Array.from({ length: GROUPS }, (_, group) => one(group)));
  },
};

/** Keys of a group, and groups, of `batches`. */
export const GROUP = 60;
export const GROUPS = 4;
export const BATCH_MEMTABLE = { entriesMax: 512, arenaBytes: 2 ** 18 };

export type TaskName = keyof typeof tasks;

if (process.argv[1] === import.meta.filename) {
  const [task, ...args] = process.argv.slice(2);
  try {
    await tasks[task as TaskName](args[0], args[1]);
  } catch (error) {
    if (!(error instanceof OmenError)) throw error;
    say(error.code);
  }
}
