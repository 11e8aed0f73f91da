import test from 'ava';
import type { Key } from '../../src/schema/key.ts';
import { parseSchema, type Schema } from '../../src/schema/schema.ts';
import { planFullMerge } from '../../src/shard-worker/compaction.ts';
import { type MergeJob, mergeRuns } from '../../src/shard-worker/merge.ts';
import type { WrittenSegmentFiles } from '../../src/shard-worker/segment-files.ts';
import { type Random, seededRandom } from '../../src/storage/model-file.ts';
import { Run, Segment } from '../../src/view/segment.ts';
import { type Change, contentOf, flushed, newestOf, placeOf } from './runs.ts';
import { emptyDisk } from './shards.ts';

const TEXT = parseSchema({
  key: 'int64',
  columns: { n: 'int64', flag: 'bool?', text: 'utf8?', bytes: 'binary' },
});
const UNSIGNED = parseSchema({ key: 'uint64', columns: { text: 'utf8' } });
const BYTES = parseSchema({ key: 'binary', columns: { n: 'int64', text: 'utf8?' } });
const FLOATS = parseSchema({ key: 'float64', columns: { n: 'int64?' } });

function between(random: Random, first: number, count: number): number {
  return first + Math.floor(random() * count);
}

interface Kind {
  readonly schema: Schema;
  key(random: Random): Key;
  row(random: Random): unknown;
}

/** `wide` keys lie beyond ±2^53, so that their segments hold words; the others' hold numbers. */
const KINDS: Readonly<Record<string, Kind>> = {
  'numbers with text': {
    schema: TEXT,
    key: (random) => BigInt(between(random, -60, 200)),
    row: (random) => ({
      n: BigInt(between(random, 0, 1000)),
      flag: random() < 0.3 ? null : random() < 0.5,
      text: random() < 0.3 ? null : 'ä€'.repeat(between(random, 0, 5)),
      bytes: new Uint8Array(between(random, 0, 9)).fill(between(random, 0, 256)),
    }),
  },
  'words and numbers mixed': {
    schema: UNSIGNED,
    key: (random) =>
      random() < 0.1
        ? 2n ** 64n - 1n - BigInt(between(random, 0, 20))
        : BigInt(between(random, 0, 150)),
    row: (random) => ({ text: `${between(random, 0, 1000)}` }),
  },
  'bytes that begin alike, or one another': {
    schema: BYTES,
    key: (random) => {
      const head = 'https://www.example.com/'.slice(0, between(random, 0, 3) * 12);
      return new Uint8Array(Buffer.from(head + '\0'.repeat(between(random, 0, 30))));
    },
    row: (random) => ({ n: BigInt(between(random, 0, 9)), text: random() < 0.5 ? null : 'ä' }),
  },
  'floating point': {
    schema: FLOATS,
    key: (random) => between(random, -50, 100) / 8,
    row: (random) => ({ n: random() < 0.5 ? null : BigInt(between(random, 0, 9)) }),
  },
};

function changesOf(kind: Kind, random: Random, count: number): Change[] {
  return Array.from({ length: count }, () => [
    kind.key(random),
    random() < 0.2 ? null : kind.row(random),
  ]);
}

for (const [name, kind] of Object.entries(KINDS)) {
  test(`flushes and merges of random runs hold what a Map holds: ${name}`, (t) => {
    for (let seed = 1; seed <= 10; seed++) {
      const random = seededRandom(seed);
      const storage = emptyDisk(1);
      const all: Change[] = [];
      const runs: WrittenSegmentFiles[][] = [];
      for (let run = between(random, 1, 5); run > 0; run--) {
        const changes = changesOf(kind, random, between(random, 1, 120));
        const written = flushed(storage, kind.schema, changes, 100 * run);
        t.deepEqual(
          contentOf(storage, kind.schema, written),
          newestOf(changes, true),
          `flush, seed ${seed}`,
        );
        all.push(...changes);
        runs.unshift(written);
      }
      const rowsMax = random() < 0.5 ? 1000 : between(random, 1, 90);
      const limit = { rows: rowsMax, textBytes: between(random, 1, 600) };
      for (const keepTombstones of [true, false]) {
        const job: MergeJob = {
          kind: 'merge',
          span: { firstLsn: 1, lastLsn: 9 },
          place: placeOf(kind.schema),
          runs: runs.map((run) => run.map(({ handle }) => handle)),
          cleared: runs.map(() => []),
          keepTombstones,
          expiry: null,
          firstId: keepTombstones ? 1000 : 2000,
        };
        const written = mergeRuns(storage, job, limit);
        if (!keepTombstones) {
          const merged = written.map(({ handle }) => new Segment(handle, kind.schema.key));
          const plan = planFullMerge(written.length === 0 ? [] : [new Run(merged)], limit);
          t.is(plan, null, `what a merge made is not merged again, seed ${seed}`);
        }
        const wanted = newestOf(all, keepTombstones);
        const found = wanted.length === 0 ? [] : contentOf(storage, kind.schema, written);
        t.deepEqual(found, wanted, `merge, seed ${seed}, tombstones ${keepTombstones}`);
        if (wanted.length === 0) t.is(written.length, 0);
      }
    }
  });
}

test('a merge whose outcome fits into numbers gives numbers, though its sources held words', (t) => {
  const storage = emptyDisk(1);
  const row = { text: 'x' };
  const old = flushed(
    storage,
    UNSIGNED,
    [
      [1n, row],
      [2n ** 60n, row],
    ],
    1,
  );
  const young = flushed(
    storage,
    UNSIGNED,
    [
      [2n, row],
      [2n ** 60n, null],
    ],
    2,
  );
  t.deepEqual([old[0].record.form, young[0].record.form], ['words', 'words']);
  const written = mergeRuns(storage, {
    kind: 'merge',
    span: { firstLsn: 1, lastLsn: 9 },
    place: placeOf(UNSIGNED),
    runs: [young, old].map((run) => run.map(({ handle }) => handle)),
    cleared: [[], []],
    keepTombstones: false,
    expiry: null,
    firstId: 3,
  });
  t.is(written[0].record.form, 'f64');
  t.deepEqual(contentOf(storage, UNSIGNED, written), [
    [1n, row],
    [2n, row],
  ]);
});

test('a run of several segments is merged across their borders', (t) => {
  const storage = emptyDisk(1);
  const rows = (first: number, count: number): Change[] =>
    Array.from({ length: count }, (_, i) => [first + 2 * i, { n: BigInt(first + i) }]);
  const low = flushed(storage, FLOATS, rows(0, 50), 1);
  const high = flushed(storage, FLOATS, rows(200, 50), 2);
  const over = flushed(storage, FLOATS, rows(51, 100), 3);
  const written = mergeRuns(storage, {
    kind: 'merge',
    span: { firstLsn: 1, lastLsn: 9 },
    place: placeOf(FLOATS),
    runs: [over.map(({ handle }) => handle), [...low, ...high].map(({ handle }) => handle)],
    cleared: [[], []],
    keepTombstones: false,
    expiry: null,
    firstId: 10,
  });
  const all = [...rows(0, 50), ...rows(200, 50), ...rows(51, 100)];
  t.deepEqual(contentOf(storage, FLOATS, written), newestOf(all, false));
});

test('a flush leaves out what was aborted, and tombstones that hide nothing', (t) => {
  const storage = emptyDisk(1);
  const changes: Change[] = [
    [1, { n: 1n }],
    [1, { n: 2n }],
    [2, { n: 3n }],
    [3, { n: 4n }],
    [3, null],
  ];
  const aborted = [changes[1], changes[2]];
  const kept = flushed(storage, FLOATS, changes, 1, true, aborted);
  t.deepEqual(contentOf(storage, FLOATS, kept), [
    [1, { n: 1n }],
    [3, null],
  ]);
  const bare = flushed(storage, FLOATS, changes, 2, false, aborted);
  t.deepEqual(contentOf(storage, FLOATS, bare), [[1, { n: 1n }]]);
  t.deepEqual(flushed(storage, FLOATS, [[1, null]], 3, false), []);
});
