import test from 'ava';
import { CHUNK_ENTRIES, CHUNKS_MERGED, type Memtable } from '../../src/view/memtable.ts';
import { type SortedPiece, sortEntries, Tail } from '../../src/view/tail.ts';
import { newHandle, newSeed, randomFrom, TestMemtable } from './support.ts';

/** What is wrong with pieces of all entries below the watermark, or null. */
function faultOf(
  memtable: Memtable,
  pieces: readonly SortedPiece[],
  watermark: number,
): string | null {
  /** One byte for each place an entry may start at. */
  const seen = new Uint8Array(memtable.arena.u8.length >>> 3);
  let newer = Number.POSITIVE_INFINITY;
  for (const { keys, offsets, start, end } of pieces) {
    if (start >= end) return 'an empty piece';
    let oldest = Number.POSITIVE_INFINITY;
    let newest = 0;
    for (let i = start; i < end; i++) {
      const entry = offsets[i];
      if (memtable.lo(entry) !== keys[2 * i]) return `the key of ${entry}`;
      if (memtable.hi(entry) !== keys[2 * i + 1]) return `the key of ${entry}`;
      if (i > start) {
        // By key, entries of one key by age.
        const hi = keys[2 * i + 1] - keys[2 * i - 1];
        const lo = keys[2 * i] - keys[2 * i - 2];
        if ((hi || lo || entry - offsets[i - 1]) <= 0) return `the order at ${i}`;
      }
      oldest = Math.min(oldest, entry);
      newest = Math.max(newest, entry);
      seen[entry >>> 3] = 1;
    }
    if (newest >= newer) return 'a piece is not older than the one before it';
    newer = oldest;
  }
  for (let at = memtable.offsetAfter(0); at < watermark; at = memtable.following(at)) {
    if (seen[at >>> 3] === 0) return `${at} is missing`;
  }
  return null;
}

test('a memtable without entries has no pieces', (t) => {
  const { reader } = new TestMemtable();
  t.deepEqual(new Tail(reader).pieces(reader.watermark), []);
});

test('pieces are all entries in order, however reads and writes alternate', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  for (let round = 0; round < 20; round++) {
    const memtable = new TestMemtable();
    const tail = new Tail(memtable.reader);
    const group = 1 + Math.floor(random() * 40);
    const keys = 1 + Math.floor(random() * 500);
    const kept: [SortedPiece[], number][] = [];
    for (let step = 0; step < 60; step++) {
      for (let n = Math.floor(random() * group); n > 0; n--) {
        memtable.append(Math.floor(random() * keys) - 100, { n });
      }
      memtable.publish();
      if (random() < 0.3) continue;
      const { watermark } = memtable.reader;
      const pieces = tail.pieces(watermark);
      t.is(faultOf(memtable.reader, pieces, watermark), null, `seed ${seed}`);
      const limit = 2 + Math.log2(2 + memtable.reader.entries);
      t.true(pieces.length <= limit, `${pieces.length} pieces, seed ${seed}`);
      kept.push([pieces, watermark]);
    }
    for (const [pieces, watermark] of kept) {
      t.is(faultOf(memtable.reader, pieces, watermark), null, `a kept piece, seed ${seed}`);
    }
  }
});

test('reading again what was read makes no new pieces, nor does an older watermark', (t) => {
  const memtable = new TestMemtable();
  const tail = new Tail(memtable.reader);
  memtable.put(1, { n: 1 });
  const { watermark } = memtable.reader;
  memtable.put(2, { n: 2 });
  const pieces = tail.pieces(memtable.reader.watermark);
  t.is(tail.pieces(memtable.reader.watermark)[0], pieces[0]);
  t.is(tail.pieces(watermark)[0], pieces[0]);
});

test('chunks take the place of the runs that they hold', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  const count = CHUNK_ENTRIES + 500;
  const memtable = new TestMemtable(
    undefined,
    undefined,
    newHandle({ entriesMax: count, arenaBytes: 64 + 48 * count }),
  );
  const tail = new Tail(memtable.reader);
  let early: SortedPiece[] = [];
  let earlyWatermark = 0;
  for (let i = 0; i < count; i++) {
    memtable.append(Math.floor(random() * 50_000), { n: i });
    if (i === 1000 || i === 60_000) {
      memtable.publish();
      earlyWatermark = memtable.reader.watermark;
      early = tail.pieces(earlyWatermark);
    }
  }
  memtable.publish();
  memtable.writer.sealChunks();
  t.is(memtable.reader.chunks, 1);
  const { watermark } = memtable.reader;
  const pieces = tail.pieces(watermark);
  t.is(pieces.length, 2, 'the tail and the chunk');
  t.is(faultOf(memtable.reader, pieces, watermark), null, `seed ${seed}`);
  t.is(faultOf(memtable.reader, tail.pieces(earlyWatermark), earlyWatermark), null);
  t.is(faultOf(memtable.reader, early, earlyWatermark), null, 'older pieces are unchanged');
  t.is(faultOf(memtable.reader, new Tail(memtable.reader).pieces(watermark), watermark), null);
});

test('merged chunks take the place of the chunks that they hold', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  const entries = CHUNKS_MERGED * CHUNK_ENTRIES;
  const count = entries + CHUNK_ENTRIES + 10;
  const memtable = new TestMemtable(
    undefined,
    undefined,
    newHandle({ entriesMax: count, arenaBytes: 64 + 48 * count }),
  );
  const { reader, writer } = memtable;
  const tail = new Tail(reader);
  const kept: [SortedPiece[], number][] = [];
  for (let i = 1; i <= count; i++) {
    memtable.append(Math.floor(random() * 100_000), { n: 0 });
    if (i !== entries - 1 && i !== entries && i !== count) continue;
    memtable.publish();
    if (i === entries - 1) writer.sealChunks();
    const { watermark } = reader;
    kept.push([tail.pieces(watermark), watermark]);
    writer.sealChunks();
    kept.push([tail.pieces(watermark), watermark]);
  }
  t.deepEqual([reader.mergedGroups, reader.chunks], [1, CHUNKS_MERGED + 1]);
  t.is(kept.at(-1)?.[0].length, 3, 'the tail, a chunk and a group of chunks');
  for (const [pieces, watermark] of kept) {
    t.is(faultOf(reader, pieces, watermark), null, `seed ${seed}`);
  }
});

test('entries are sorted by key, and those of a key by age', (t) => {
  const memtable = new TestMemtable();
  const offsets = [3, -1, 3, 0, -1, 3].map((key) => memtable.append(key, { n: 0 }));
  memtable.publish();
  const { offsets: sorted, start, end } = sortEntries(memtable.reader, offsets);
  t.deepEqual([start, end], [0, 6]);
  t.deepEqual(
    [...sorted],
    [1, 4, 3, 0, 2, 5].map((i) => offsets[i]),
  );
  t.deepEqual([...sortEntries(memtable.reader, [offsets[3]]).offsets], [offsets[3]]);
});
