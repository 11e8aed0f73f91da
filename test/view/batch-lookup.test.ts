import test from 'ava';
import { hashKey, KeyCodec } from '../../src/schema/key.ts';
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
  segmentOf,
  TestMemtable,
} from './support.ts';

const READERS = compileReaders(NUMBERS, false);
const TABLE = CommitTable.empty();
const SPAN = 3000;

type Below = (n: number) => number;

/** Distinct ascending keys below SPAN, some of them deleted. */
function someEntries(below: Below, count: number, stamp: number): Entry[] {
  const keys = new Set(Array.from({ length: count }, () => below(SPAN)));
  return [...keys]
    .sort((a, b) => a - b)
    .map((key) => [key, below(8) === 0 ? undefined : { n: stamp + key / SPAN }]);
}

function runOf(below: Below, entries: readonly Entry[], form: KeyForm): SegmentHandle[] {
  const size = Math.ceil(entries.length / (1 + below(4)));
  const segments: SegmentHandle[] = [];
  for (let at = 0; at < entries.length; at += size) {
    segments.push(segmentOf(NUMBERS, entries.slice(at, at + size), { form }));
  }
  return segments;
}

/** A view of some memtables and runs, each run of some segments; at rest, of one run of live rows. */
function someView(below: Below, form: KeyForm, isAtRest = false): ShardView {
  if (isAtRest) {
    const live = someEntries(below, 500, 1).filter(([, row]) => row !== undefined);
    const runs = [runOf(below, live, form)];
    const memtables = [new TestMemtable(NUMBERS, TABLE, newHandle()).writer.handle];
    return new ShardView({ shard: 0, version: 1, memtables, runs }, READERS, TABLE, null);
  }
  const memtables = Array.from({ length: 1 + below(3) }, (_, i) => {
    const memtable = new TestMemtable(NUMBERS, TABLE, newHandle());
    for (const [key, row] of someEntries(below, below(60), 100 + i)) memtable.append(key, row);
    memtable.publish();
    return memtable.writer.handle;
  });
  const runs = Array.from({ length: below(4) }, (_, i) => {
    return runOf(below, someEntries(below, 20 + below(2000), i), form);
  });
  return new ShardView({ shard: 0, version: 1, memtables, runs }, READERS, TABLE, null);
}

for (const form of ['f64', 'words'] as const) {
  test(`a batch of keys finds, over several shards, what each by itself finds: ${form}`, (t) => {
    const seed = newSeed();
    const random = randomFrom(seed);
    const below = (n: number) => Math.floor(random() * n);
    const codec = new KeyCodec('int64', false);
    const batch = new KeyBatch();
    for (let round = 0; round < 40; round++) {
      const isAtRest = round % 4 === 1;
      const views = Array.from({ length: 1 + below(3) }, () => someView(below, form, isAtRest));
      if (isAtRest) t.true(views.every((view) => view.isOfNumbers === (form === 'f64')));
      const shardOf = (key: number) => Math.floor((batch.hash[key] * views.length) / 2 ** 32);
      // A bigint among them makes the batch encode its keys another way.
      const keys: (number | bigint)[] = Array.from({ length: below(500) }, () => {
        return below(SPAN + 200) - 100;
      });
      if (round % 3 === 0 && keys.length > 0) keys[below(keys.length)] = 7n;
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
        const { hi, lo, number } = codec;
        return views[shardOf(i)].get(hashKey(hi, lo), hi, lo, number);
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

test('a key that is none leaves an error, and the batch can be used again', (t) => {
  const codec = new KeyCodec('int64', false);
  const batch = new KeyBatch();
  t.throws(() => batch.encode(codec, [1, 'two']), { code: 'OMEN_INVALID_KEY' });
  batch.encode(codec, [1, 2]);
  batch.find([someView(() => 0, 'f64')], null);
  t.is(batch.count, 2);
  t.deepEqual(batch.found, []);
  t.deepEqual(batch.rows(READERS), [undefined, undefined]);
});
