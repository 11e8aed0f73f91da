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

/** A view of some memtables and runs, each run of some segments. */
function someView(below: Below, form: KeyForm): ShardView {
  const memtables = Array.from({ length: 1 + below(3) }, (_, i) => {
    const memtable = new TestMemtable(NUMBERS, TABLE, newHandle());
    for (const [key, row] of someEntries(below, below(60), 100 + i)) memtable.append(key, row);
    memtable.publish();
    return memtable.writer.handle;
  });
  const runs = Array.from({ length: below(4) }, (_, i) => {
    const entries = someEntries(below, 20 + below(2000), i);
    const size = Math.ceil(entries.length / (1 + below(3)));
    const segments: SegmentHandle[] = [];
    for (let at = 0; at < entries.length; at += size) {
      segments.push(segmentOf(NUMBERS, entries.slice(at, at + size), { form }));
    }
    return segments;
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
      const views = Array.from({ length: 1 + below(3) }, () => someView(below, form));
      const shardOf = (key: number) => Math.floor((batch.hash[key] * views.length) / 2 ** 32);
      const keys = Array.from({ length: below(500) }, () => below(SPAN + 200) - 100);
      batch.encode(codec, keys);
      batch.find(views, shardOf);
      t.is(batch.count, keys.length);
      const found = keys.map((_, i) => {
        const source = batch.source[i];
        return source < 0 ? undefined : rowOf(READERS, batch.sources[source], batch.position[i]);
      });
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
  batch.encode(codec, keys);
  const order = Uint32Array.from(keys, (_, i) => keys.length - 1 - i);
  for (const form of ['f64', 'words'] as const) {
    const segment = new Segment(segmentOf(NUMBERS, entries, { form }), 'int64');
    segment.findMany(batch, order, 0, keys.length);
    const alone = keys.map((_, i) => segment.find(batch.hi[i], batch.lo[i], batch.number[i]));
    t.deepEqual(Array.from(batch.position.subarray(0, keys.length)), alone, `seed ${seed}`);
  }
});

test('a key that is none leaves an error, and the batch can be used again', (t) => {
  const codec = new KeyCodec('int64', false);
  const batch = new KeyBatch();
  t.throws(() => batch.encode(codec, [1, 'two']), { code: 'OMEN_INVALID_KEY' });
  batch.encode(codec, [1, 2]);
  batch.find([someView(() => 0, 'f64')], () => 0);
  t.deepEqual([batch.count, ...batch.source.subarray(0, 2)].slice(0, 1), [2]);
  t.true(batch.source.subarray(0, 2).every((source) => source < 0));
});
