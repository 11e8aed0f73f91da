import test from 'ava';
import fc from 'fast-check';
import { hashKey } from '../../src/schema/key.ts';
import { MemtableWriter } from '../../src/shard-worker/memtable-writer.ts';
import { COMMIT_TABLE_BYTES, CommitTable } from '../../src/view/commit-table.ts';
import {
  ARENA_START,
  CHUNK_ENTRIES,
  ENTRY_HEADER_BYTES,
  layoutMemtable,
  Memtable,
  PREV,
  SKIP,
  TOMBSTONE,
} from '../../src/view/memtable.ts';
import { newHandle, newSeed, randomFrom, SMALL, TestMemtable } from './support.ts';

function newTable(): CommitTable {
  return new CommitTable(new SharedArrayBuffer(COMMIT_TABLE_BYTES), 0);
}

test('the parts of a memtable lie behind each other, aligned and large enough', (t) => {
  const shapes = fc.record({
    entriesMax: fc.nat(300_000),
    pages: fc.integer({ min: 1, max: 1000 }),
  });
  fc.assert(
    fc.property(shapes, ({ entriesMax, pages }) => {
      const layout = layoutMemtable({ entriesMax, arenaBytes: 8 * pages });
      const { buckets, bucketsAt, chunksAt, orderKeysAt, orderOffsetsAt, arenaAt, bytes } = layout;
      return (
        Math.log2(buckets) % 1 === 0 &&
        buckets >= entriesMax &&
        chunksAt === bucketsAt + 4 * buckets &&
        orderKeysAt >= chunksAt + 8 * Math.ceil(entriesMax / CHUNK_ENTRIES) &&
        orderOffsetsAt >= orderKeysAt + 8 * entriesMax &&
        arenaAt >= orderOffsetsAt + 4 * entriesMax &&
        bytes === arenaAt + 8 * pages &&
        [orderKeysAt, orderOffsetsAt, arenaAt].every((at) => at % 128 === 0)
      );
    }),
  );
  t.pass();
});

test('a memtable too large for its offsets and ordinals is refused', (t) => {
  const assertion = { name: 'AssertionError' };
  t.throws(() => layoutMemtable({ entriesMax: 2 ** 24, arenaBytes: 4096 }), assertion);
  t.throws(() => layoutMemtable({ entriesMax: 64, arenaBytes: 2 ** 31 }), assertion);
  t.throws(() => layoutMemtable({ entriesMax: 64, arenaBytes: 4100 }), assertion);
  const memory = new SharedArrayBuffer(1024);
  const handle = { id: 1, memory, shape: SMALL, storesKeys: false };
  t.throws(() => new Memtable(handle, newTable()), assertion);
});

test('an entry is found once it is published, not before', (t) => {
  const memtable = new TestMemtable();
  t.true(memtable.writer.isEmpty);
  const entry = memtable.append(5, { n: 1 });
  t.is(memtable.find(5), 0);
  t.is(memtable.reader.entries, 0);
  t.true(memtable.writer.hasPending);
  memtable.publish();
  t.is(memtable.find(5), entry);
  t.is(memtable.find(6), 0);
  t.deepEqual([memtable.reader.entries, memtable.writer.entries], [1, 1]);
  t.false(memtable.writer.hasPending);
  t.false(memtable.writer.isEmpty);
  t.is(memtable.reader.rowAt(entry), entry + ENTRY_HEADER_BYTES);
  const { watermark } = memtable.reader;
  memtable.publish();
  t.is(memtable.reader.watermark, watermark, 'publishing nothing changes nothing');
});

test('a tombstone is found, and is one', (t) => {
  const memtable = new TestMemtable();
  const row = memtable.put(5, { n: 1 });
  const tombstone = memtable.put(5, undefined);
  t.is(memtable.find(5), tombstone);
  t.deepEqual(
    [row, tombstone].map((entry) => memtable.reader.isTombstone(entry)),
    [false, true],
  );
  t.is(tombstone - row, ENTRY_HEADER_BYTES + 8);
});

test('what is discarded was never there', (t) => {
  const memtable = new TestMemtable();
  const first = memtable.put(1, { n: 1 });
  memtable.append(1, { n: 2 });
  memtable.append(2, { n: 2 });
  memtable.writer.discard();
  t.false(memtable.writer.hasPending);
  memtable.publish();
  t.deepEqual([memtable.find(1), memtable.find(2)], [first, 0]);
  const again = memtable.put(2, { n: 3 });
  t.is(again, first + ENTRY_HEADER_BYTES + 8, 'its place is used again');
  t.is(memtable.find(2), again);
  t.is(memtable.reader.entries, 2);
});

test('entries follow each other in the arena, whatever their rows take', (t) => {
  const memtable = new TestMemtable();
  const { writer, reader } = memtable;
  const sizes = [0, 1, 7, 8, 9, 63, 64, 1000];
  const offsets = sizes.map((bytes, i) => writer.entryOfRow(writer.append(0, i, 0, 0, bytes)));
  writer.publish();
  t.is(offsets[0], ARENA_START);
  for (let i = 0; i < sizes.length; i++) {
    t.is(reader.following(offsets[i]), offsets[i + 1] ?? reader.watermark);
    t.is(offsets[i] % 8, 0);
    t.deepEqual([reader.hi(offsets[i]), reader.lo(offsets[i])], [0, i]);
  }
  t.is(writer.usedBytes, reader.watermark);
});

test('a memtable says when it is full, by entries and by bytes', (t) => {
  const handle = newHandle({ entriesMax: 10, arenaBytes: 4096 });
  const writer = new MemtableWriter(handle, newTable());
  t.true(writer.fits(10, 0));
  t.false(writer.fits(11, 0));
  for (let i = 0; i < 9; i++) writer.append(0, i, 0, 0, 8);
  t.true(writer.fits(1, 0));
  t.false(writer.fits(2, 0), 'pending entries count');
  writer.publish();
  t.false(writer.fits(2, 0));
  const room = 4096 - writer.usedBytes - ENTRY_HEADER_BYTES - 8;
  t.true(writer.fits(1, room));
  t.false(writer.fits(1, room + 1));
  writer.append(0, 9, TOMBSTONE, 0, room);
  writer.publish();
  t.true(writer.usedBytes <= 4096);
  t.true(writer.fits(0, 0));
});

test('memory taken over again holds nothing of what was in it', (t) => {
  const handle = newHandle();
  const before = new TestMemtable(undefined, undefined, handle);
  for (let key = 0; key < 100; key++) before.put(key, { n: key });
  const after = new TestMemtable(undefined, undefined, { ...handle, id: handle.id + 1 });
  t.deepEqual([after.reader.entries, after.reader.chunks], [0, 0]);
  t.is(after.reader.watermark, ARENA_START);
  for (let key = 0; key < 100; key++) t.is(after.find(key), 0);
  const entry = after.put(7, { n: 1 });
  t.is(after.find(7), entry);
  t.is(after.find(8), 0);
});

/** Keys that collide in the smallest hash index there is. */
function collidingWords(count: number, buckets: number): number[] {
  const found: number[] = [];
  for (let lo = 0; found.length < count; lo++) if (hashKey(0, lo) % buckets === 3) found.push(lo);
  return found;
}

test('keys in one bucket are told apart, through any order of new versions', (t) => {
  const shape = { entriesMax: 40, arenaBytes: 64 * 1024 };
  const { buckets } = layoutMemtable(shape);
  const keys = collidingWords(6, buckets);
  const order = fc.array(fc.nat(keys.length - 1), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(order, (puts) => {
      const writer = new MemtableWriter(newHandle(shape), newTable());
      const newest = new Map<number, number>();
      for (const i of puts) {
        newest.set(keys[i], writer.entryOfRow(writer.append(0, keys[i], 0, 0, 0)));
        writer.publish();
        const visible = { watermark: writer.reader.watermark, undecided: new Set<number>() };
        for (const lo of keys) {
          const found = writer.reader.find(hashKey(0, lo), 0, lo, visible);
          if (found !== (newest.get(lo) ?? 0)) return false;
        }
      }
      return true;
    }),
  );
  t.pass();
});

test('a reader sees the memtable as it was at its watermark, for ever', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  const memtable = new TestMemtable();
  const past: { watermark: number; newest: Map<number, number> }[] = [];
  const newest = new Map<number, number>();
  for (let group = 0; group < 200; group++) {
    past.push({ watermark: memtable.reader.watermark, newest: new Map(newest) });
    for (let n = 1 + Math.floor(random() * 10); n > 0; n--) {
      const key = Math.floor(random() * 30);
      const row = random() < 0.2 ? undefined : { n: group };
      newest.set(key, memtable.append(key, row));
    }
    memtable.publish();
  }
  const wrong: string[] = [];
  for (const { watermark, newest: then } of past) {
    for (let key = 0; key < 30; key++) {
      const found = memtable.find(key, { watermark, undecided: new Set() });
      if (found !== (then.get(key) ?? 0)) wrong.push(`${key} at ${watermark}`);
    }
  }
  t.deepEqual(wrong, [], `seed ${seed}`);
});

test('any of 10^5 versions of a key is a few dozen steps away', (t) => {
  const versions = 100_000;
  const shape = { entriesMax: versions, arenaBytes: ARENA_START + versions * ENTRY_HEADER_BYTES };
  const writer = new MemtableWriter(newHandle(shape), newTable());
  for (let i = 0; i < versions; i++) {
    writer.append(1, 2, 0, 0, 0);
    if (i % 3 === 0) writer.publish();
  }
  writer.publish();
  const { reader } = writer;
  const words = reader.arena.u32;
  const entryOf = (version: number) => ARENA_START + version * ENTRY_HEADER_BYTES;
  const newest = entryOf(versions - 1);
  const wrong: number[] = [];
  let stepsMax = 0;
  for (let version = 0; version < versions; version += 7) {
    const watermark = entryOf(version + 1);
    const found = reader.visibleVersion(newest, { watermark, undecided: new Set() });
    if (found !== entryOf(version)) wrong.push(version);
    // The same walk, counted.
    let steps = 0;
    for (let entry = newest; entry >= watermark; steps++) {
      const skip = words[(entry >>> 2) + SKIP];
      entry = skip >= watermark ? skip : words[(entry >>> 2) + PREV];
    }
    stepsMax = Math.max(stepsMax, steps);
  }
  t.deepEqual(wrong, []);
  t.true(stepsMax <= 3 * Math.log2(versions), `${stepsMax} steps`);
  t.is(reader.visibleVersion(newest, { watermark: ARENA_START, undecided: new Set() }), 0);
});

test('entries of a batch are hidden until it is committed', (t) => {
  const table = newTable();
  const memtable = new TestMemtable(undefined, table);
  const old = memtable.put(1, { n: 0 });
  const ticket = table.take([0, 1], 0, 0);
  const part = memtable.append(1, { n: 1 }, ticket);
  const other = memtable.append(2, { n: 1 }, ticket);
  memtable.publish();
  t.deepEqual([memtable.find(1), memtable.find(2)], [old, 0]);
  table.vote(ticket, 0);
  t.deepEqual([memtable.find(1), memtable.find(2)], [old, 0]);
  table.vote(ticket, 1);
  t.deepEqual([memtable.find(1), memtable.find(2)], [part, other]);
});

test('a snapshot that saw a batch undecided never sees it', (t) => {
  const table = newTable();
  const memtable = new TestMemtable(undefined, table);
  const old = memtable.put(1, { n: 0 });
  const ticket = table.take([0], 0, 0);
  const part = memtable.append(1, { n: 1 }, ticket);
  memtable.publish();
  const snapshot = memtable.now(new Set(table.undecided()));
  table.vote(ticket, 0);
  t.is(memtable.find(1), part);
  t.is(memtable.find(1, snapshot), old);
  memtable.put(1, { n: 2 });
  t.is(memtable.find(1, snapshot), old);
});

test('an aborted batch stays hidden after its slot has gone to another', (t) => {
  const table = newTable();
  const memtable = new TestMemtable(undefined, table);
  const old = memtable.put(1, { n: 0 });
  const ticket = table.take([0], 0, 0);
  const part = memtable.append(1, undefined, ticket);
  memtable.publish();
  table.abort(ticket);
  t.is(memtable.find(1), old);
  memtable.writer.flagAborted(part);
  table.settle(ticket, 0);
  for (let i = 0; i < 1024; i++) {
    const next = table.take([0], 0, 0);
    table.vote(next, 0);
    table.settle(next, 0);
  }
  t.is(table.state(ticket), undefined);
  t.is(memtable.find(1), old);
  t.true(memtable.reader.isTombstone(part), 'the flags beside it are kept');
  const newer = memtable.put(1, { n: 3 });
  t.is(memtable.find(1), newer);
});

test('chunks are sealed at every 65,536 entries, sorted and in the order of their age', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  const count = 2 * CHUNK_ENTRIES + 1000;
  const shape = { entriesMax: count, arenaBytes: ARENA_START + count * ENTRY_HEADER_BYTES };
  const writer = new MemtableWriter(newHandle(shape), newTable());
  const { reader } = writer;
  for (let i = 0; i < count; i++) {
    writer.append(Math.floor(random() * 4), Math.floor(random() * 2 ** 14), 0, 0, 0);
    if (i === CHUNK_ENTRIES - 2 || i === CHUNK_ENTRIES + 5) {
      writer.sealChunks();
      writer.publish();
      t.is(reader.chunks, 0, 'none is sealed before it is asked for');
      writer.sealChunks();
      t.is(reader.chunks, i < CHUNK_ENTRIES ? 0 : 1);
    }
  }
  writer.publish();
  writer.sealChunks();
  t.is(reader.chunks, 2);
  t.deepEqual(
    [0, 1, 2].map((chunks) => reader.entriesIn(chunks)),
    [0, CHUNK_ENTRIES, 2 * CHUNK_ENTRIES],
  );
  const wrong: string[] = [];
  for (let chunk = 0; chunk < 2; chunk++) {
    const start = reader.offsetAfter(chunk);
    const end = reader.offsetAfter(chunk + 1);
    t.is(end - start, CHUNK_ENTRIES * ENTRY_HEADER_BYTES);
    const seen = new Set<number>();
    let before = -1n;
    for (let i = reader.entriesIn(chunk); i < reader.entriesIn(chunk + 1); i++) {
      const entry = reader.orderOffsets[i];
      const [lo, hi] = reader.orderKeys.subarray(2 * i, 2 * i + 2);
      // Keys by order; equal ones by age.
      const rank = (BigInt(hi) << 96n) | (BigInt(lo) << 64n) | BigInt(entry);
      if (rank <= before || entry < start || entry >= end) wrong.push(`${i}: order`);
      if (reader.hi(entry) !== hi || reader.lo(entry) !== lo) wrong.push(`${i}: key`);
      before = rank;
      seen.add(entry);
    }
    t.is(seen.size, CHUNK_ENTRIES);
  }
  t.deepEqual(wrong.slice(0, 3), [], `seed ${seed}`);
});
