import test from 'ava';
import { type Key, KeyCodec } from '../../src/schema/key.ts';
import { parseSchema } from '../../src/schema/schema.ts';
import { boundsOf, greatestBound, leastBound } from '../../src/view/bounds.ts';
import { CommitTable } from '../../src/view/commit-table.ts';
import { Expiry } from '../../src/view/expiry.ts';
import { filteredBlocks, inForceIn } from '../../src/view/filtered-blocks.ts';
import type { Block, Source } from '../../src/view/row-blocks.ts';
import { Run, RunCursor, Segment, type SegmentHandle } from '../../src/view/segment.ts';
import { compileReaders, type ShardSnapshot, ShardView } from '../../src/view/shard-view.ts';
import { sortedRowsOf } from '../../src/view/sorted-rows.ts';
import {
  type Entry,
  keysAhead,
  newSeed,
  randomFrom,
  segmentOf,
  TestMemtable,
  Until,
} from './support.ts';

const SCHEMA = parseSchema({ key: 'int64', columns: { n: 'int32' }, ttl: true });
const NEVER = Number.POSITIVE_INFINITY;
const ALL = boundsOf(leastBound('int64'), greatestBound('int64'), false, false);
const PAGE = 4096;
const expiry = Expiry.of(SCHEMA) as Expiry;

/** The lower bound of a range that begins with a key. */
function boundOf(key: bigint) {
  const codec = new KeyCodec('int64', true);
  codec.encode(key);
  return { firstHi: codec.hi, firstLo: codec.lo };
}

const until = (time: number, n = 0) => (time === NEVER ? { n } : new Until(time, { n }));

function segmentUntil(times: readonly number[], first = 0): Segment {
  const entries = times.map((time, i): Entry => [first + i, until(time)]);
  return new Segment(segmentOf(SCHEMA, entries), 'int64');
}

/** Layers newest first: the first is a memtable, the others are runs. */
function snapshotOf(
  memtable: TestMemtable,
  runs: readonly (readonly SegmentHandle[])[],
  nowMs: number,
): ShardSnapshot {
  const { handle } = memtable.writer;
  const cleared = runs.map(() => []);
  const message = { shard: 0, version: 1, memtables: [handle], runs, cleared };
  const view = new ShardView(message, compileReaders(SCHEMA, true), CommitTable.empty(), null);
  return view.capture(new Set(), nowMs);
}

test('when a row expires is read from memtables and segments alike', (t) => {
  const times = [5, NEVER, 0, -7, 2 ** 40, 8.64e15];
  const segment = segmentUntil(times);
  const memtable = new TestMemtable(SCHEMA);
  const entries = times.map((time, key) => memtable.put(key, until(time)));
  for (const [i, time] of times.entries()) {
    t.is(expiry.at(segment, i), time);
    t.is(expiry.at(memtable.reader, memtable.reader.rowAt(entries[i])), time);
  }
  t.is(Expiry.of(parseSchema({ key: 'int64', value: 'json' })), null);
});

test('statistics tell when the first row of a run expires, and what is so of a whole page', (t) => {
  const fill = (time: number) => Array.from({ length: PAGE }, () => time);
  const mixed = fill(NEVER).fill(30, 7, 9);
  const segment = segmentUntil([...fill(10), ...fill(NEVER), ...mixed, 20]);
  const verdicts = (nowMs: number) => [0, 1, 2, 3].map((p) => expiry.judgePage(segment, p, nowMs));
  t.deepEqual(verdicts(9), ['all', 'all', 'all', 'all']);
  t.deepEqual(verdicts(10), ['none', 'all', 'all', 'all']);
  t.deepEqual(verdicts(30), ['none', 'all', 'some', 'none']);
  t.is(expiry.firstOf(new Run([segment])), 10);
  t.is(expiry.firstOf(new Run([segmentUntil(fill(NEVER)), segmentUntil([50, 40], PAGE)])), 40);
  t.is(expiry.firstOf(new Run([])), NEVER);
});

test('of the rows that have expired, statistics never count one too many, and miss not all', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  const base = 1.7e12;
  for (let round = 0; round < 30; round++) {
    const spread = 10 ** (round % 8);
    const shape = [(x: number) => x, (x: number) => x ** 4, (x: number) => 1 - x ** 4][round % 3];
    const times = Array.from({ length: PAGE + 1000 }, () =>
      random() < 0.1 ? NEVER : base + Math.floor(spread * shape(random())),
    );
    const run = new Run([segmentUntil(times)]);
    for (const share of [-0.1, 0, 0.2, 0.5, 0.7, 0.9, 1]) {
      const nowMs = base + Math.floor(spread * share);
      const expired = times.filter((time) => time <= nowMs).length;
      const counted = expiry.expiredOf(run, nowMs);
      const where = `seed ${seed}, round ${round}, ${share} of ${spread}: ${counted} of ${expired}`;
      t.true(counted <= expired && (counted > 0 || expired === 0), where);
      if (share === 1) t.is(counted, expired, where);
      // Of what expires evenly, a quarter is noticed well before all of it is due.
      if (share === 0.7 && round % 3 === 0 && spread > 1000) t.true(4 * counted >= PAGE, where);
    }
  }
});

test('of the oldest run, pages that have expired are passed over without being read', (t) => {
  const times = Array.from({ length: 6 * PAGE }, (_, i) => (Math.floor(i / PAGE) === 3 ? 9 : 1));
  times[10] = 9;
  const run = new Run([segmentUntil(times)]);
  const inner = new RunCursor(run, SCHEMA);
  let steps = 0;
  const counting = (name: 'next' | 'prev') => {
    const original = inner[name].bind(inner);
    inner[name] = () => {
      steps++;
      original();
    };
  };
  counting('next');
  counting('prev');
  const cursor = expiry.cursor(inner, 5, true);
  const found: number[] = [];
  const first = leastBound('int64');
  for (cursor.seekCeil(first.hi, first.lo); !cursor.done; cursor.next()) {
    if (!cursor.deleted) found.push(cursor.position);
  }
  t.deepEqual(found, [10, ...Array.from({ length: PAGE }, (_, i) => 3 * PAGE + i)]);
  t.true(steps <= 2 * PAGE + 10, `${steps} steps`);
  steps = 0;
  const last = greatestBound('int64');
  const back: number[] = [];
  for (cursor.seekFloor(last.hi, last.lo); !cursor.done; cursor.prev()) {
    if (!cursor.deleted) back.push(cursor.position);
  }
  t.deepEqual(back, found.toReversed());
  t.true(steps <= 2 * PAGE + 10, `${steps} steps`);
});

test('of positions of a run, those in force are counted page by page', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  const times = Array.from({ length: 3 * PAGE + 500 }, (_, i) => {
    const page = Math.floor(i / PAGE);
    return page === 0 ? 1 : page === 1 ? NEVER : [1, 9, NEVER][Math.floor(random() * 3)];
  });
  const segments = [
    segmentUntil(times.slice(0, 2 * PAGE + 77)),
    segmentUntil(times.slice(2 * PAGE + 77), 2 * PAGE + 77),
  ];
  const run = new Run(segments);
  for (let round = 0; round < 50; round++) {
    const [a, b] = [random(), random()].map((x) => Math.floor(x * (times.length + 1)));
    const [start, end] = [Math.min(a, b), Math.max(a, b)];
    const wanted = times.slice(start, end).filter((time) => time > 5).length;
    t.is(expiry.countIn(run, start, end, 5), wanted, `seed ${seed}: ${start} to ${end}`);
  }
});

interface Version {
  readonly n: number;
  readonly time: number;
}

test('reads of many rows leave out what has expired, and show nothing that it hid', async (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  const any = (below: number) => Math.floor(random() * below);
  const TIMES = [NEVER, NEVER, 10, 20, 30, 40];
  for (let round = 0; round < 60; round++) {
    const model = new Map<number, Version | null>();
    // Far apart, and in words where a key is beyond 2^53: every way of merging has its turn.
    const keyOf = (i: number): Key => (round % 3 === 2 && i === 0 ? 2n ** 60n : BigInt(100 * i));
    const version = (key: number): unknown => {
      const stored = any(8) === 0 ? null : { n: any(1000), time: TIMES[any(TIMES.length)] };
      model.set(key, stored);
      return stored === null ? undefined : until(stored.time, stored.n);
    };
    const some = (count: number) =>
      [...new Set(Array.from({ length: count }, () => 1 + any(60)))].sort((a, b) => a - b);
    const runs: SegmentHandle[][] = [];
    for (let i = any(4); i > 0; i--) {
      const entries = some(1 + any(any(3) === 0 ? 3 : 60)).map(
        (key): Entry => [keyOf(key), version(key)],
      );
      runs.unshift([segmentOf(SCHEMA, entries)]);
    }
    const memtable = new TestMemtable(SCHEMA);
    for (const key of any(2) === 0 ? [] : some(20)) memtable.put(keyOf(key), version(key));
    for (const nowMs of [5, 10, 25, 40]) {
      const where = `seed ${seed}, round ${round}, at ${nowMs}`;
      const shard = snapshotOf(memtable, runs, nowMs);
      const rows = [...model]
        .filter(([, stored]) => stored !== null && stored.time > nowMs)
        .sort(([a], [b]) => a - b);
      const keys = rows.map(([key]) => keyOf(key));
      const { view, visible } = shard;
      const cursor = view.cursor(visible, nowMs);
      const [least, greatest] = [leastBound('int64'), greatestBound('int64')];
      cursor.seekCeil(least.hi, least.lo);
      t.deepEqual(keysAhead(cursor), keys, where);
      cursor.seekFloor(greatest.hi, greatest.lo);
      t.deepEqual(keysAhead(cursor, 'int64', false), keys.toReversed(), where);
      t.is(view.count(visible, ALL, nowMs), rows.length, where);
      for (const reverse of [false, true]) {
        const found = valuesIn(shard, reverse);
        const values = rows.map(([, stored]) => stored?.n);
        t.deepEqual(found, reverse ? values.toReversed() : values, where);
      }
      const lists = sortedRowsOf(shard);
      if (lists !== null) {
        t.is(
          lists.reduce((sum, list) => sum + list.rows, 0),
          rows.length,
          where,
        );
      }
    }
  }
});

/** Of every row in force its one value. */
function valuesIn(shard: ShardSnapshot, reverse: boolean): unknown[] {
  const blocks = filteredBlocks(SCHEMA, [shard], ALL, reverse, true, null);
  const readers = compileReaders(SCHEMA, true);
  const read = (source: Source, row: number): unknown =>
    source instanceof Segment
      ? readers.segment(source.columns, row)
      : readers.memtable(source.arena, source.bytes, source.rowAt(row));
  const placeOf = (block: Block, i: number): [Source, number] =>
    block.segment !== null
      ? [block.segment, block.start + i]
      : [block.sources[block.source[i]], block.row[i]];
  const values: unknown[] = [];
  for (let block = blocks.next(7); block !== null; block = blocks.next(7)) {
    for (let i = 0; i < block.count; i++) {
      values.push((read(...placeOf(block, i)) as { n: number }).n);
    }
  }
  return values;
}

test('of few rows that are wanted, not many are looked at, unless none was left', (t) => {
  const times = Array.from({ length: 3 * PAGE }, (_, i) => (i % 2 === 0 || i > 2 * PAGE ? 1 : 9));
  const written = new TestMemtable(SCHEMA);
  written.put(-1, until(NEVER));
  const handle = segmentUntil(times).handle;
  const blocks = (first: bigint) => {
    const bounds = { ...ALL, ...boundOf(first) };
    return filteredBlocks(SCHEMA, [snapshotOf(written, [[handle]], 5)], bounds, false, true, null);
  };
  const few = blocks(0n).next(8);
  t.true(few !== null && few.count >= 8 && few.count < 64, `${few?.count}`);
  const behind = blocks(BigInt(2 * PAGE));
  let looks = 0;
  for (let block = behind.next(8); block !== null; block = behind.next(8)) looks++;
  t.true(looks <= 2, `${looks} blocks`);
});

test('what is known to be in force is not asked about', (t) => {
  const run = [segmentOf(SCHEMA, [[1, until(10)] as const, [2, until(NEVER)] as const])];
  const empty = new TestMemtable(SCHEMA);
  t.is(inForceIn([snapshotOf(empty, [run], 9)]), null);
  t.like(inForceIn([snapshotOf(empty, [run], 10)]), { kind: 'in force', nowMs: 10 });
  const view = snapshotOf(empty, [run], 9);
  t.not(view.view.settledAt(view.visible, 9), null);
  t.is(view.view.settledAt(view.visible, 10), null);
  const written = new TestMemtable(SCHEMA);
  written.put(3, until(NEVER));
  t.not(inForceIn([snapshotOf(written, [run], 9)]), null);
});
