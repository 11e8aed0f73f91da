/** What a worker thread of the tests does after it attached, by the name in its data. */
import { parentPort, workerData } from 'node:worker_threads';
import { attach, type Database, type Handle, OmenError } from '../../src/index.ts';

type Numbers = Database<number, { value: number }, number, { value: number }>;

export interface AttachedTask {
  readonly task: keyof typeof tasks;
  readonly handle: Handle;
  /** Keys from `first` on, so that threads do not write the same ones; or how many of something. */
  readonly first?: number;
  readonly count?: number;
}

function say(message: unknown): void {
  parentPort?.postMessage(message);
}

const tasks = {
  async idle() {},
  /** Says what an export of it is. */
  async export(db: Numbers) {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const text = new Response(readable).text();
    const { rows } = await db.export(writable, { format: 'csv' });
    say([rows, await text]);
    await db.close();
  },
  /** Says what Prometheus would be told here. */
  async scrape(db: Numbers) {
    say(await (await db.metrics()).metrics());
    await db.close();
  },
  /** Says every event, with its code where it has one, until it is told to stop. */
  async listen(db: Numbers) {
    db.on('error', ({ code }) => say(['error', code]));
    db.on('resumed', ({ shards }) => say(['resumed', shards]));
    say(['listening', db.health().status]);
    await new Promise((resolve) => parentPort?.once('message', resolve));
    await db.close();
  },
  /** Puts `count` rows and names the keys that were acknowledged and the codes of the others. */
  async put(db: Numbers, { first = 0, count = 0 }: AttachedTask) {
    const acknowledged: number[] = [];
    const codes: string[] = [];
    say('attached');
    for (let key = first; key < first + count; key++) {
      try {
        await db.put(key, { value: key });
        acknowledged.push(key);
      } catch (error) {
        codes.push(error instanceof OmenError ? error.code : String(error));
      }
    }
    say({ acknowledged, codes });
    await db.close();
  },
  /** Writes until it is stopped, in the middle of whatever: single rows, batches, long rows. */
  async flood(db: Numbers, { first = 0 }: AttachedTask) {
    let sent = 0;
    for (let i = 0; ; i++) {
      const writes: Promise<void>[] = [];
      for (let k = 0; k < 50; k++) writes.push(db.put(first + k, { value: i }));
      const batch = Array.from({ length: 40 }, (_, k) => {
        return { type: 'put', key: first + 100 + k, value: { value: i } } as const;
      });
      for (let k = 0; k < 4; k++) writes.push(db.batch(batch));
      for (const write of writes) write.catch(() => {});
      if (++sent === 3) say('writing');
      await writes[0];
    }
  },
  /** As `flood`, and then ends the thread with writes under way. */
  async exit(db: Numbers, { first = 0 }: AttachedTask) {
    for (let k = 0; k < 500; k++) db.put(first + k, { value: k }).catch(() => {});
    const batch = Array.from({ length: 400 }, (_, k) => {
      return { type: 'put', key: first + 1000 + k, value: { value: k } } as const;
    });
    for (let k = 0; k < 20; k++) db.batch(batch).catch(() => {});
    process.exit(0);
  },
  /**
   * Transfers between the accounts `first` to `first + count`: reads two, writes both in one batch.
   * Other threads do so at the same time; whoever comes last wins.
   */
  async rewrite(db: Numbers, { first = 0, count = 0 }: AttachedTask) {
    for (let round = 0; round < count; round++) {
      // All threads write all keys, in different orders, in one batch.
      const keys = Array.from({ length: 24 }, (_, i) => (i * 7 + first * 5 + round) % 24);
      const value = { value: first * 1_000_000 + round };
      await db.batch(keys.map((key) => ({ type: 'put', key, value })));
    }
    say('done');
    await db.close();
  },
  /** Adds 1 to the value of the key `first`, `count` times, all at once and then one by one. */
  async increment(db: Numbers, { first = 0, count = 0 }: AttachedTask) {
    const increment = () => db.update(first, (row) => ({ value: (row?.value ?? 0) + 1 }));
    const half = Math.floor(count / 2);
    await Promise.all(Array.from({ length: half }, increment));
    for (let i = half; i < count; i++) await increment();
    await db.close();
  },
  /** Holds two snapshots, and ends the thread with them when told to. */
  async hold(db: Numbers) {
    const held = [db.snapshot(), db.snapshot()];
    say(held[0].count());
    parentPort?.once('message', () => process.exit(0));
  },
  /** Watches until the key `first` is put, says what was, and ends the thread with another watch open. */
  async follow(db: Numbers, { first = 0 }: AttachedTask) {
    const watch = db.watch();
    db.watch();
    say('watching');
    const keys: number[] = [];
    for await (const { changes } of watch) {
      for (const change of changes) if (change.type === 'put') keys.push(change.key);
      if (keys.includes(first)) break;
    }
    say(keys);
    parentPort?.once('message', () => process.exit(0));
  },
  /** Reads the key `first` and nothing else until it is there, and never gives up control meanwhile. */
  async spin(db: Numbers, { first = 0, count = 0 }: AttachedTask) {
    const spin = (tries: number): number => {
      let tried = 0;
      while (tried < tries && db.get(first) === undefined) tried++;
      return tried;
    };
    // So often that V8 has compiled it as well as it can.
    say(spin(count));
    spin(Number.POSITIVE_INFINITY);
    say(db.get(first));
    await db.close();
  },
  /** Reads all keys over and over, until told to stop, and reports the first reading that was mixed. */
  async watch(db: Numbers) {
    let isStopped = false;
    parentPort?.once('message', () => {
      isStopped = true;
    });
    say('watching');
    let readings = 0;
    let mixed: number[] | null = null;
    while (!isStopped && mixed === null) {
      for (let i = 0; i < 20; i++) {
        const values = [...db.values()].map(({ value }) => value);
        if (new Set(values).size > 1) mixed = values;
        readings++;
      }
      for await (const batch of db.scan()) {
        const values: number[] = batch.getChild('value')?.toArray() ?? [];
        if (new Set(values).size > 1) mixed = [...values];
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    say({ readings, mixed });
    await db.close();
  },
};

const data = workerData as AttachedTask;
await tasks[data.task](
  await attach<{ key: 'int64'; columns: { value: 'float64' } }>(data.handle),
  data,
);
