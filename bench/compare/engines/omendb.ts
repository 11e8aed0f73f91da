/**
 * OmenDB as it is out of the box: a hash shard for each processor, `durability: 'sync'` where writes are
 * durable and `'os'` elsewhere.
 *
 * - Loads are bulk loads of Arrow record batches made from the rows; making them is a part of the time.
 * - Rows come back as objects, in batches of gets too, and ranges as entries.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { type Database, open as openDatabase } from '../../../src/index.ts';
import type { Engine, EngineKind, Place } from '../engine.ts';
import { byWriters } from '../in-flight.ts';
import { amountIn, type Key, type Value } from '../rows.ts';

export const omendb: EngineKind = {
  title: 'OmenDB',
  inMemory: false,
  setup:
    "a hash shard for each processor, all else by default; durability 'sync' where writes are durable, 'os' elsewhere; loads by bulkLoad of Arrow batches",
  async version() {
    const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
    return (JSON.parse(manifest) as { version: string }).version;
  },
  open,
};

const BATCH_ROWS = 2 ** 18;

type Row = { value: Value };
type Opened = Database<Key, Row, Key, Row>;

async function open({ directory, kind, durable }: Place): Promise<Engine> {
  const isText = kind === 'strings';
  const db = (await openDatabase(directory, {
    key: isText ? 'utf8' : 'int64',
    columns: { value: isText ? 'utf8' : 'float64' },
    shards: availableParallelism(),
    durability: durable ? 'sync' : 'os',
  })) as unknown as Opened;
  const put = (key: Key, value: Value) => db.put(key, { value });
  const added = (entries: Iterable<readonly [Key, Row]>) => {
    let [rows, sum] = [0, 0];
    for (const [, row] of entries) {
      sum += amountIn(row.value);
      rows++;
    }
    return { rows, sum };
  };
  return {
    async load(rows) {
      const { arrowBatches } = await import('../arrow-rows.ts');
      await db.bulkLoad(arrowBatches(rows, BATCH_ROWS));
    },
    get: (key) => db.get(key)?.value,
    getMany(keys) {
      let [rows, sum] = [0, 0];
      for (const row of db.getMany(keys as readonly Key[])) {
        if (row === undefined) continue;
        sum += amountIn(row.value);
        rows++;
      }
      return { rows, sum };
    },
    put,
    putInFlight: (rows) => byWriters(rows, put),
    batch: ({ keys, values }) =>
      db.batch(
        Array.from(keys as Iterable<Key>, (key, i) => {
          return { type: 'put', key, value: { value: values[i] } } as const;
        }),
      ),
    range: (from, limit) => added(db.entries({ gte: from, limit })),
    walk: () => added(db.entries()),
    async aggregate(from, to) {
      const { rows, sum } = await db.aggregate(
        { gte: from, lt: to },
        { rows: 'count', sum: ['sum', 'value'] },
      );
      return { rows: Number(rows), sum: Number(sum) };
    },
    compact: () => db.compact(),
    close: () => db.close(),
  };
}
