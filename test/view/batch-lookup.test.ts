import test from 'ava';
import { hashKey, type Key, KeyCodec } from '../../src/schema/key.ts';
import { parseSchema, type Schema } from '../../src/schema/schema.ts';
import { KeyBatch } from '../../src/view/batch-lookup.ts';
import { CommitTable } from '../../src/view/commit-table.ts';
import { type KeyForm, Segment, type SegmentHandle } from '../../src/view/segment.ts';
import { compileReaders, rowOf, ShardView } from '../../src/view/shard-view.ts';
import {
  type Entry,
  NUMBERS,
  newHandle,
  newSeed,
  randomFrom,
  SMALL,
  segmentOf,
  TestMemtable,
} from './support.ts';

const TEXTS = parseSchema({ key: 'utf8', columns: { n: 'float64' } });
const BINARIES = parseSchema({ key: 'binary', columns: { n: 'float64' } });
const READERS = compileReaders(NUMBERS, false);
const TABLE = CommitTable.empty();
const SPAN = 3000;

type Below = (n: number) => number;

/** Keys in the order of numbers above −1000. */
interface Kind {
  readonly schema: Schema;
  readonly form: KeyForm;
  keyOf(n: number): Key;
}

/** Of different lengths, some of which others begin with. */
function textOf(n: number): string {
  const start = String(Math.floor((n + 1000) / 3)).padStart(5, '0');
  return start + 'é-longer'.slice(0, 3 * ((n + 1000) % 3));
}

const KINDS: readonly Kind[] = [
  { schema: NUMBERS, form: 'f64', keyOf: (n) => n },
  { schema: NUMBERS, form: 'words', keyOf: (n) => n },
  { schema: TEXTS, form: 'bytes', keyOf: textOf },
  { schema: BINARIES, form: 'bytes', keyOf: (n) => Buffer.from(textOf(n)) },
];

/** Distinct ascending keys below SPAN, some of them deleted. */
function someEntries({ keyOf }: Kind, below: Below, count: number, stamp: number): Entry[] {
  const keys = new Set(Array.from({ length: count }, () => below(SPAN)));
  return [...keys]
    .sort((a, b) => a - b)
    .map((key) => [keyOf(key), below(8) === 0 ? undefined : { n: stamp + key / SPAN }]);
}

function runOf({ schema, form }: Kind, below: Below, entries: readonly Entry[]): SegmentHandle[] {
  const size = Math.ceil(entries.length / (1 + below(4)));
  const segments: SegmentHandle[] = [];
  for (let at = 0; at < entries.length; at += size) {
    segments.push(segmentOf(schema, entries.slice(at, at + size), { form }));
  }
  return segments;
}

/** A view of some memtables and runs, each run of some segments; at rest, of one run of live rows. */
function someView(kind: Kind, below: Below, isAtRest = false): ShardView {
  const { schema, form } = kind;
  const readers = compileReaders(schema, false);
  const newMemtable = () => {
    return new TestMemtable(schema, TABLE, newHandle(SMALL, form === 'bytes'));
  };
  if (isAtRest) {
    const live = someEntries(kind, below, 500, 1).filter(([, row]) => row !== undefined);
    const runs = [runOf(kind, below, live)];
    const memtables = [newMemtable().writer.handle];
    return new ShardView(
      { shard: 0, version: 1, memtables, runs, cleared: runs.map(() => []) },
      readers,
      TABLE,
      null,
    );
  }
  const memtables = Array.from({ length: 1 + below(3) }, (_, i) => {
    const memtable = newMemtable();
    for (const [key, row] of someEntries(kind, below, below(60), 100 + i))
      memtable.append(key, row);
    memtable.publish();
    return memtable.writer.handle;
  });
  const runs = Array.from({ length: below(4) }, (_, i) => {
    return runOf(kind, below, someEntries(kind, below, 20 + below(2000), i));
  });
  return new ShardView(
    { shard: 0, version: 1, memtables, runs, cleared: runs.map(() => []) },
    readers,
    TABLE,
    null,
  );
}

for (const kind of KINDS) {
  const { schema, form, keyOf } = kind;
  test(`a batch of keys finds, over several shards, what each by itself finds: ${schema.key}, ${form}`, (t) => {
    const seed = newSeed();
    const random = randomFrom(seed);
    const below = (n: number) => Math.floor(random() * n);
    const codec = new KeyCodec(schema.key, false);
    const batch = new KeyBatch();
    for (let round = 0; round < 40; round++) {
      const isAtRest = round % 4 === 1;
      const views = Array.from({ length: 1 + below(3) }, () => someView(kind, below, isAtRest));
      if (isAtRest) t.true(views.every((view) => view.isOfNumbers === (form === 'f64')));
      const shardOf = (key: number) => Math.floor((batch.hash[key] * views.length) / 2 ** 32);
      // A bigint among them makes the batch encode its keys another way.
      const keys = Array.from({ length: below(500) }, () => keyOf(below(SPAN + 200) - 100));
      if (form !== 'bytes' && round % 3 === 0 && keys.length > 0) keys[below(keys.length)] = 7n;
      batch.encode(codec, keys);
      batch.find(views, round % 2 === 0 ? null : shardOf);
      t.is(batch.count, keys.length);
      const found = new Array<unknown>(keys.length).fill(undefined);
      const seen = new Set<number>();
      for (const { source, from, to } of batch.found) {
        for (let slot = from; slot < to; slot++) {
          found[batch.order[slot]] = rowOf(READERS, source, batch.position[slot]);
          seen.add(batch.order[slot]);
        }
      }
      const slots = batch.found.reduce((sum, { from, to }) => sum + to - from, 0);
      t.is(seen.size, slots, 'no key is found twice');
      t.deepEqual(batch.rows(READERS), found);
      const expected = keys.map((key, i) => {
        codec.encode(key);
        const { hi, lo, number, bytes } = codec;
        const view = views[shardOf(i)];
        if (bytes !== null) return view.getStored(codec.hash(), bytes);
        return view.get(hashKey(hi, lo), hi, lo, number);
      });
      t.deepEqual(found, expected, `seed ${seed}, round ${round}`);
    }
  });
}

test('a look-up in stages is that of a segment, for keys that are there and keys that are not', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  const entries: Entry[] = [];
  for (let key = -5000; key < 5000; key += 1 + Math.floor(10 * random())) {
    entries.push([key, { n: key }]);
  }
  const codec = new KeyCodec('int64', false);
  const batch = new KeyBatch();
  const keys = Array.from({ length: 10_400 }, (_, i) => i - 5200);
  // With a bigint among them, the batch has the words of all.
  batch.encode(codec, [-5200n, ...keys.slice(1)]);
  for (const form of ['f64', 'words'] as const) {
    const segment = new Segment(segmentOf(NUMBERS, entries, { form }), 'int64');
    segment.findMany(batch, 0, keys.length);
    const alone = keys.map((key) => {
      codec.encode(key);
      return segment.find(codec.hi, codec.lo, codec.number);
    });
    t.deepEqual(Array.from(batch.position.subarray(0, keys.length)), alone, `seed ${seed}`);
  }
});

test('a look-up in stages of keys of variable length is that of a segment, however they lie', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  const codec = new KeyCodec('utf8', false);
  const batch = new KeyBatch();
  const sets = [
    Array.from({ length: 5000 }, () => `user-${Math.floor(1e6 * random())}@example.com`),
    Array.from({ length: 600 }, (_, i) => 'a'.repeat(i)),
    ['', 'a', 'b'],
    [''],
  ];
  for (const set of sets) {
    const sorted = [...new Set(set)].sort();
    const entries = sorted.map((key, n): Entry => [key, { n }]);
    const segment = new Segment(segmentOf(TEXTS, entries), 'utf8');
    const keys = [...sorted, ...sorted.map((key) => `${key}!`), ...sorted.map((key) => `!${key}`)];
    batch.encode(codec, keys.toReversed());
    segment.findMany(batch, 0, keys.length);
    const alone = keys.map((key) => {
      codec.encode(key);
      return codec.bytes === null ? NaN : segment.findBytes(codec.bytes, codec.hash());
    });
    t.deepEqual(
      alone,
      keys.map((key) => sorted.indexOf(key)),
      `seed ${seed}`,
    );
    const staged = Array.from(batch.position.subarray(0, keys.length)).toReversed();
    t.deepEqual(staged, alone, `seed ${seed}`);
  }
});

test('a key that is none leaves an error, and the batch can be used again', (t) => {
  const codec = new KeyCodec('int64', false);
  const batch = new KeyBatch();
  t.throws(() => batch.encode(codec, [1, 'two']), { code: 'OMEN_INVALID_KEY' });
  batch.encode(codec, [1, 2]);
  batch.find([someView(KINDS[0], () => 0)], null);
  t.is(batch.count, 2);
  t.deepEqual(batch.found, []);
  t.deepEqual(batch.rows(READERS), [undefined, undefined]);
});
