import test from 'ava';
import { KeyCodec } from '../../src/schema/key.ts';
import { COMMIT_TABLE_BYTES, CommitTable } from '../../src/view/commit-table.ts';
import { type Cursor, MergeCursor, PieceCursor } from '../../src/view/cursor.ts';
import { Run, RunCursor, Segment } from '../../src/view/segment.ts';
import { Tail } from '../../src/view/tail.ts';
import {
  type Entry,
  keysAhead,
  NUMBERS,
  newHandle,
  newSeed,
  randomFrom,
  segmentOf,
  TestMemtable,
} from './support.ts';

const FIRST = [0, 0] as const;
const LAST = [0xffffffff, 0xffffffff] as const;
const codec = new KeyCodec('int64', false);

function seek(cursor: Cursor, how: 'seekCeil' | 'seekFloor', key: number): void {
  codec.encode(key);
  cursor[how](codec.hi, codec.lo);
}

function keyAt(cursor: Cursor): number {
  return Number(codec.decode(cursor.hi, cursor.lo));
}

/** The value of column n in the row a cursor stands on, whatever it comes from. */
function valueAt({ source, position }: Cursor): number {
  if (source instanceof PieceCursor) {
    const { memtable } = source;
    return memtable.arena.f64[memtable.rowAt(position) >>> 3];
  }
  return (source as RunCursor).segment.columns[0].f64[position];
}

function piecesOf(memtable: TestMemtable, visible = memtable.now()): PieceCursor[] {
  const pieces = new Tail(memtable.reader).pieces(memtable.reader.watermark);
  return pieces.map((piece) => new PieceCursor(memtable.reader, piece, visible));
}

function runCursor(entries: readonly Entry[]): RunCursor {
  const half = Math.ceil(entries.length / 2);
  const parts = [entries.slice(0, half), entries.slice(half)].filter(({ length }) => length > 0);
  const segments = parts.map((part) => new Segment(segmentOf(NUMBERS, part), 'int64'));
  return new RunCursor(new Run(segments), NUMBERS);
}

/** Walks a cursor at random beside a sorted array of [key, value]; says where they part. */
function walk(
  cursor: Cursor,
  model: readonly (readonly [number, number])[],
  random: () => number,
  steps: number,
): string | null {
  const trail: string[] = [];
  let at = -1;
  for (let step = 0; step < steps; step++) {
    const isDone = at < 0 || at >= model.length;
    const turn = random();
    if (isDone || turn < 0.15) {
      const how = random() < 0.5 ? 'seekCeil' : 'seekFloor';
      const key = Math.floor(random() * 220) - 110;
      trail.push(`${how} ${key}`);
      seek(cursor, how, key);
      if (how === 'seekCeil') at = model.findIndex(([each]) => each >= key);
      else at = model.findLastIndex(([each]) => each <= key);
    } else {
      const forwards = turn < 0.575;
      trail.push(forwards ? 'next' : 'prev');
      if (forwards) cursor.next();
      else cursor.prev();
      at += forwards ? 1 : -1;
    }
    const expected = model[at];
    if (cursor.done !== (expected === undefined)) return `done: ${trail.join(', ')}`;
    if (expected === undefined) continue;
    if (keyAt(cursor) !== expected[0]) return `${keyAt(cursor)}: ${trail.join(', ')}`;
    if (valueAt(cursor) !== expected[1]) return `value ${valueAt(cursor)}: ${trail.join(', ')}`;
    if (cursor.deleted) return `a tombstone: ${trail.join(', ')}`;
  }
  return null;
}

test('a merge of any parts is the sorted map they stand for, whichever way one turns', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  for (let round = 0; round < 120; round++) {
    const model = new Map<number, number>();
    const layers = 1 + Math.floor(random() * 4);
    const parts: Cursor[] = [];
    const span = [4, 30, 200][round % 3];
    let value = 0;
    for (let layer = 0; layer < layers; layer++) {
      const written = new Map<number, number | undefined>();
      const memtable = new TestMemtable();
      const isRun = random() < 0.5;
      for (let n = 1 + Math.floor(random() * 60); n > 0; n--) {
        const key = Math.floor((random() - 0.5) * span);
        const row = random() < 0.3 ? undefined : ++value;
        written.set(key, row);
        if (!isRun) memtable.append(key, row && { n: row });
        if (random() < 0.2) memtable.publish();
      }
      memtable.publish();
      for (const [key, row] of written) {
        if (row === undefined) model.delete(key);
        else model.set(key, row);
      }
      const sorted = [...written].sort(([a], [b]) => a - b);
      const entries = sorted.map(([key, row]): Entry => [key, row && { n: row }]);
      parts.unshift(...(isRun ? [runCursor(entries)] : piecesOf(memtable)));
    }
    const sorted = [...model].sort(([a], [b]) => a - b);
    const fault = walk(new MergeCursor(parts), sorted, random, 200);
    t.is(fault, null, `seed ${seed}, round ${round}`);
  }
});

test('versions that may not be seen are passed over in every part, whichever way one turns', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  for (let round = 0; round < 80; round++) {
    const table = new CommitTable(new SharedArrayBuffer(COMMIT_TABLE_BYTES), 0);
    const tickets = [0, 1, 2].map(() => table.take([0], 0, 0));
    const [committed, aborted, undecided] = tickets;
    const model = new Map<number, number>();
    const parts: Cursor[] = [];
    const span = [4, 30, 200][round % 3];
    let value = 0;
    for (let layer = 0; layer < 3; layer++) {
      const memtable = new TestMemtable(NUMBERS, table);
      const tail = new Tail(memtable.reader);
      const ends = 1 + Math.floor(random() * 80);
      let visible = memtable.now();
      for (let n = 0; n < 80; n++) {
        if (n === ends) visible = memtable.now(new Set([undecided]));
        const key = Math.floor((random() - 0.5) * span);
        const row = random() < 0.3 ? undefined : ++value;
        const ticket = random() < 0.5 ? 0 : tickets[n % 3];
        memtable.append(key, row && { n: row }, ticket);
        memtable.publish();
        if (random() < 0.1) tail.pieces(memtable.reader.watermark);
        if (n >= ends || ticket === aborted || ticket === undecided) continue;
        if (row === undefined) model.delete(key);
        else model.set(key, row);
      }
      if (ends >= 80) visible = memtable.now(new Set([undecided]));
      const pieces = tail.pieces(memtable.reader.watermark);
      parts.unshift(...pieces.map((piece) => new PieceCursor(memtable.reader, piece, visible)));
    }
    table.vote(committed, 0);
    table.abort(aborted);
    table.vote(undecided, 0);
    const sorted = [...model].sort(([a], [b]) => a - b);
    const whole = walk(new MergeCursor(parts), sorted, random, 150);
    t.is(whole, null, `seed ${seed}, round ${round}`);
  }
});

test('a merge may be part of a merge', (t) => {
  const [newer, older] = [
    [2, 3, undefined],
    [1, 1, 1],
  ].map((rows) => runCursor(rows.map((n, i): Entry => [i, n && { n }])));
  const cursor = new MergeCursor([new MergeCursor([newer, older])]);
  const seen: [number, number][] = [];
  for (cursor.seekCeil(...FIRST); !cursor.done; cursor.next()) {
    t.true(cursor.resolve());
    seen.push([keyAt(cursor), valueAt(cursor)]);
  }
  t.false(cursor.resolve());
  t.deepEqual(seen, [
    [0, 2],
    [1, 3],
  ]);
});

test('a merge of no parts, or of tombstones alone, has no keys', (t) => {
  const memtable = new TestMemtable();
  for (const key of [1, 2, 3]) memtable.append(key, undefined);
  memtable.publish();
  const deleted = [1, 2, 3].map((key): Entry => [key, undefined]);
  for (const parts of [[], piecesOf(memtable), [runCursor(deleted)]]) {
    const cursor = new MergeCursor(parts);
    t.true(cursor.done);
    cursor.seekCeil(...FIRST);
    t.true(cursor.done);
    cursor.seekFloor(...LAST);
    t.true(cursor.done);
    cursor.next();
    t.true(cursor.done);
    t.is(cursor.source, cursor);
    t.is(cursor.position, 0);
  }
});

test('of one key in many parts the first part has the row, and a tombstone there hides all', (t) => {
  const newest = runCursor([
    [1, { n: 100 }],
    [2, undefined],
  ]);
  const older = runCursor([
    [1, { n: 10 }],
    [2, { n: 20 }],
    [3, { n: 30 }],
  ]);
  const oldest = runCursor([
    [2, { n: 2 }],
    [3, { n: 3 }],
  ]);
  const cursor = new MergeCursor([newest, older, oldest]);
  const seen: [number, number][] = [];
  for (cursor.seekCeil(...FIRST); !cursor.done; cursor.next()) {
    seen.push([keyAt(cursor), valueAt(cursor)]);
  }
  t.deepEqual(seen, [
    [1, 100],
    [3, 30],
  ]);
});

test('the ends of the key space can be sought from either side', (t) => {
  const ends = [-(2n ** 63n), -1n, 0n, 2n ** 63n - 1n];
  const memtable = new TestMemtable();
  for (const key of ends) memtable.append(key, { n: 1 });
  memtable.publish();
  const run = new Run([
    new Segment(
      segmentOf(
        NUMBERS,
        ends.map((key): Entry => [key, { n: 2 }]),
      ),
      'int64',
    ),
  ]);
  for (const parts of [piecesOf(memtable), [new RunCursor(run, NUMBERS)]]) {
    const cursor = new MergeCursor(parts);
    cursor.seekCeil(...FIRST);
    t.deepEqual(keysAhead(cursor), ends);
    cursor.seekFloor(...LAST);
    t.deepEqual(keysAhead(cursor, 'int64', false), ends.toReversed());
  }
});

test('a cursor over a memtable sees its watermark and no later version', (t) => {
  const memtable = new TestMemtable();
  for (const key of [1, 2, 3]) memtable.put(key, { n: key });
  const visible = memtable.now();
  for (const key of [2, 2, 2, 0, 4]) memtable.put(key, { n: -1 });
  memtable.put(3, undefined);
  const cursor = new MergeCursor(piecesOf(memtable, visible));
  const seen: [number, number][] = [];
  for (cursor.seekCeil(...FIRST); !cursor.done; cursor.next()) {
    seen.push([keyAt(cursor), valueAt(cursor)]);
  }
  t.deepEqual(seen, [
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
  cursor.seekFloor(...LAST);
  t.is(keyAt(cursor), 3);
  seek(cursor, 'seekFloor', 0);
  t.true(cursor.done);
  seek(cursor, 'seekCeil', 4);
  t.true(cursor.done);
});

test('a cursor passes over a batch that is hidden from it, in both directions', (t) => {
  const table = new CommitTable(new SharedArrayBuffer(COMMIT_TABLE_BYTES), 0);
  const memtable = new TestMemtable(NUMBERS, table);
  for (const key of [1, 3, 5]) memtable.put(key, { n: key });
  const ticket = table.take([0], 0, 0);
  for (const key of [0, 2, 3, 4, 6]) memtable.append(key, key === 3 ? undefined : { n: 0 }, ticket);
  memtable.publish();
  const undecided = memtable.now(new Set(table.undecided()));
  const keys = () => {
    const cursor = new MergeCursor(piecesOf(memtable));
    cursor.seekCeil(...FIRST);
    return keysAhead(cursor).map(Number);
  };
  t.deepEqual(keys(), [1, 3, 5]);
  table.vote(ticket, 0);
  t.deepEqual(keys(), [0, 1, 2, 4, 5, 6]);
  const merge = new MergeCursor(piecesOf(memtable, undecided));
  const [ceil, floor] = (['seekCeil', 'seekFloor'] as const).map((how) =>
    [0, 2, 3, 4, 6].map((key) => {
      seek(merge, how, key);
      return merge.done ? null : keyAt(merge);
    }),
  );
  t.deepEqual(ceil, [1, 3, 3, 5, null]);
  t.deepEqual(floor, [null, 1, 3, 3, 5]);
});

/** Words that count how often one is read. */
function counted(words: Uint32Array): { words: Uint32Array; reads: () => number } {
  let reads = 0;
  const proxy = new Proxy(words, {
    get(target, name) {
      if (typeof name === 'string' && /^\d+$/.test(name)) reads++;
      return Reflect.get(target, name, target);
    },
  });
  return { words: proxy, reads: () => reads };
}

test('a cursor passes over any number of versions of a key in a few dozen steps', (t) => {
  const versions = 50_000;
  const shape = { entriesMax: versions + 10, arenaBytes: 64 * (versions + 10) };
  const memtable = new TestMemtable(NUMBERS, CommitTable.empty(), newHandle(shape));
  memtable.put(1, { n: 1 });
  const old = memtable.put(2, { n: 0 });
  const snapshot = memtable.now();
  for (let n = 1; n < versions; n++) memtable.put(2, { n });
  memtable.put(3, { n: 3 });
  const [whole] = new Tail(memtable.reader).pieces(memtable.reader.watermark);
  for (const [visible, found] of [
    [snapshot, [old]],
    [memtable.now(), [memtable.find(2), memtable.find(3)]],
  ] as const) {
    const { words, reads } = counted(whole.keys);
    const cursor = new PieceCursor(memtable.reader, { ...whole, keys: words }, visible);
    const seen: number[] = [];
    cursor.seekCeil(0, 0);
    for (cursor.next(); !cursor.done; cursor.next())
      if (cursor.resolve()) seen.push(cursor.position);
    t.deepEqual(seen, found);
    cursor.seekFloor(0xffffffff, 0xffffffff);
    const back: number[] = [];
    for (; !cursor.done; cursor.prev()) if (cursor.resolve()) back.push(cursor.position);
    t.deepEqual(back, [memtable.find(1), ...found].toReversed());
    t.true(reads() < 1000, `${reads()} words read`);
  }
});
