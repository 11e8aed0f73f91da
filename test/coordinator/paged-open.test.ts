/** A database of large segments serves before it has read them; what is damaged is found on the way. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type Database, open } from '../../src/index.ts';
import { codeOfAsync, NUMBERS, temporaryDirectory, until } from './support.ts';

/** So many that their only segment is paged in. */
const ROWS = 1_200_000;

function* rows(): Generator<[number, { value: number }]> {
  for (let i = 0; i < ROWS; i++) yield [2 * i, { value: i }];
}

/** A directory with a database of one segment, closed. */
async function closedDatabase(t: ExecutionContext): Promise<string> {
  const directory = join(temporaryDirectory(t), 'data');
  const db = await open(directory, { ...NUMBERS, shards: 1 });
  await db.bulkLoad(rows());
  await db.close();
  return directory;
}

function segmentOf(directory: string): string {
  const names = readdirSync(directory, { recursive: true }) as string[];
  const [name] = names.filter((each) => /segment-\d+\.arrow$/.test(each));
  return join(directory, name);
}

type Numbers = Database<number, { value: number }>;

const row = (value: number) => ({ value });

/** What may be asked, and the answer; the last ones change what is there, for those behind them. */
const QUESTIONS: readonly (readonly [string, (db: Numbers) => unknown, unknown])[] = [
  [
    'get',
    (db) => [2468, 2469, -1, 2 * ROWS, 0].map((key) => db.get(key)),
    [row(1234), undefined, undefined, undefined, row(0)],
  ],
  ['has', (db) => [db.has(2468), db.has(2469)], [true, false]],
  [
    'getMany',
    (db) => db.getMany(Array.from({ length: 40 }, (_, i) => 777 * i)),
    Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? row((777 * i) / 2) : undefined)),
  ],
  ['count', (db) => db.count(), ROWS],
  ['count of a range', (db) => db.count({ gte: 1000, lt: 2001 }), 501],
  ['floor', (db) => db.floor(2469)?.[0], 2468],
  ['rank', (db) => [db.rank(2468), db.at(1234)?.[0]], [1234, 2468]],
  ['keys', (db) => [...db.keys({ gte: 100_001, limit: 3 })], [100_002, 100_004, 100_006]],
  ['explain', (db) => db.explain(2468).runs[0].found, 'row'],
  [
    'snapshot',
    (db) => {
      using snapshot = db.snapshot();
      return [snapshot.get(2468), snapshot.count()];
    },
    [row(1234), ROWS],
  ],
  [
    'aggregate',
    (db) => db.aggregate({ gte: 10, lt: 3000 }, { sum: ['sum', 'value'] }),
    { sum: (1495 * (5 + 1499)) / 2 },
  ],
  [
    'conditional put',
    async (db) => [
      await codeOfAsync(db.put(2468, row(1), { if: 'absent' })),
      await codeOfAsync(db.put(2469, row(1), { if: 'absent' })),
      db.get(2469),
    ],
    ['OMEN_CONDITION_FAILED', '', row(1)],
  ],
  [
    'clear',
    async (db) => {
      await db.clear({ gte: 10, lt: 20 });
      await db.flush();
      return [db.count(), db.get(12), db.get(20)];
    },
    [ROWS + 1 - 5, undefined, row(10)],
  ],
  [
    'compact',
    async (db) => {
      await db.del(30);
      await db.compact();
      return [db.count(), db.get(30), db.get(32)];
    },
    [ROWS + 1 - 6, undefined, row(16)],
  ],
];

test('whatever is asked of it first, it answers', async (t) => {
  const directory = await closedDatabase(t);
  for (const [what, ask, wanted] of QUESTIONS) {
    await using db = (await open(directory)) as Numbers;
    t.deepEqual(await ask(db), wanted, what);
  }
});

test('a page that is damaged is found, and named, and all else can be read', async (t) => {
  const directory = await closedDatabase(t);
  const path = segmentOf(directory);
  const bytes = readFileSync(path);
  const page = 45;
  bytes[page * 65_536 + 1000] ^= 4;
  writeFileSync(path, bytes);
  const damaged = (page * 65_536) / 4;
  await using db = (await open(directory)) as Numbers;
  t.deepEqual(db.get(10), { value: 5 });
  const refusal = {
    code: 'OMEN_CORRUPT',
    message: new RegExp(`^${path} is damaged at byte ${page * 65_536}:`),
  };
  t.throws(() => db.get(damaged), refusal);
  t.throws(() => db.count(), refusal);
  await until(() => db.health().status !== 'ok');
  t.is(await codeOfAsync(db.put(1, { value: 1 })), 'OMEN_SHARD_FAILED');
  t.deepEqual(db.get(2 * ROWS - 2), { value: ROWS - 1 });
});
