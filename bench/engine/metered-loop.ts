/** The loops of the benchmark of metrics. Loaded anew for each contender, so that V8 compiles them for that one. */
type Api = typeof import('../../src/index.ts');

const IN_FLIGHT = 1024;
const LOAD = 10_000;

export const keyOf = (i: number): number => Math.imul(i, 0x9e3779b1) >>> 0;

/** A database of its own with so many rows, in two shards, and what is timed of it. */
export async function contender({ open }: Api, directory: string, rows: number) {
  const columns = { value: 'float64' } as const;
  const db = await open(directory, { key: 'int64', columns, shards: 2 });
  const pairs = Array.from({ length: rows }, (_, i) => [keyOf(i), { value: i }] as const);
  for (let from = 0; from < rows; from += LOAD) {
    const some = pairs.slice(from, from + LOAD);
    await db.batch(some.map(([key, value]) => ({ type: 'put', key, value })));
  }
  await db.compact();
  return {
    /** Nanoseconds a get. @throws when a row is not there */
    get(probes: Uint32Array): number {
      const start = performance.now();
      let wrong = 0;
      for (let i = 0; i < probes.length; i++)
        if (db.get(keyOf(probes[i]))?.value !== probes[i]) wrong++;
      const elapsed = performance.now() - start;
      if (wrong > 0) throw new Error(`${wrong} of ${probes.length} answers are wrong.`);
      return (elapsed * 1e6) / probes.length;
    },
    /** Microseconds of the process's time a put, many in flight, of rows that are there. */
    async put(count: number): Promise<number> {
      const { user, system } = process.cpuUsage();
      let next = 0;
      const writer = async (): Promise<void> => {
        while (next < count) {
          const i = next++ % rows;
          await db.put(keyOf(i), { value: i });
        }
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, writer));
      const used = process.cpuUsage({ user, system });
      return (used.user + used.system) / count;
    },
    close: () => db.close(),
  };
}
