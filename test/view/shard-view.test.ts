import test from 'ava';
import { hashKey, type Key, KeyCodec } from '../../src/schema/key.ts';
import {
  FIXED_KEY_TYPES,
  type FixedKeyType,
  parseSchema,
  type Schema,
} from '../../src/schema/schema.ts';
import { boundsBelow } from '../../src/view/bounds.ts';
import { COMMIT_TABLE_BYTES, CommitTable } from '../../src/view/commit-table.ts';
import type { Cursor } from '../../src/view/cursor.ts';
import { explainLookup, type LookupExplanation } from '../../src/view/explain.ts';
import { selectRow } from '../../src/view/order.ts';
import type { Place, SegmentHandle } from '../../src/view/segment.ts';
import {
  compileReaders,
  rowOf,
  rowUnder,
  type ShardSnapshot,
  ShardView,
} from '../../src/view/shard-view.ts';
import { sortedRowsOf } from '../../src/view/sorted-rows.ts';
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

const NOTHING: ReadonlySet<number> = new Set();
type Model = Map<Key, unknown>;

/** What the owner of a shard has: memtables and runs, newest first, and the view of them. */
class TestShard {
  readonly schema: Schema;
  readonly table = new CommitTable(new SharedArrayBuffer(COMMIT_TABLE_BYTES), 0);
  readonly #readers: ReturnType<typeof compileReaders>;
  readonly #key: KeyCodec;
  memtables: TestMemtable[];
  runs: SegmentHandle[][] = [];
  view: ShardView;
  #version = 0;

  constructor(schema: Schema = NUMBERS, bigints = false) {
    this.schema = schema;
    this.#readers = compileReaders(schema, bigints);
    this.#key = new KeyCodec(schema.key, true);
    this.memtables = [new TestMemtable(schema, this.table, newHandle())];
    this.view = this.handOver(null);
  }

  /** A new view, as it comes to another thread by a message. */
  handOver(previous: ShardView | null = this.view): ShardView {
    const message = {
      shard: 0,
      version: ++this.#version,
      memtables: this.memtables.map(({ writer }) => writer.handle),
      runs: this.runs,
      cleared: this.runs.map(() => []),
    };
    this.view = new ShardView(message, this.#readers, this.table, previous);
    return this.view;
  }

  rotate(): void {
    this.memtables.unshift(new TestMemtable(this.schema, this.table, newHandle()));
    this.handOver();
  }

  /** Takes a run, newest of all runs, in the place of the oldest memtable. */
  flush(entries: readonly Entry[], segments: number): void {
    this.memtables.pop();
    if (this.memtables.length === 0) {
      this.memtables.push(new TestMemtable(this.schema, this.table, newHandle()));
    }
    if (entries.length > 0) this.runs.unshift(this.#runOf(entries, segments));
    this.handOver();
  }

  /** Takes one run of live rows in the place of all runs. */
  compact(entries: readonly Entry[], segments: number): void {
    this.runs = entries.length > 0 ? [this.#runOf(entries, segments)] : [];
    this.handOver();
  }

  #runOf(entries: readonly Entry[], segments: number): SegmentHandle[] {
    const size = Math.ceil(entries.length / segments);
    const parts: SegmentHandle[] = [];
    for (let start = 0; start < entries.length; start += size) {
      parts.push(segmentOf(this.schema, entries.slice(start, start + size)));
    }
    return parts;
  }

  get(key: Key): unknown {
    this.#key.encode(key);
    const { hi, lo, number } = this.#key;
    return this.view.get(hashKey(hi, lo), hi, lo, number);
  }

  has(key: Key): boolean {
    this.#key.encode(key);
    const { hi, lo, number } = this.#key;
    return this.view.has(hashKey(hi, lo), hi, lo, number);
  }

  explain(key: Key): LookupExplanation {
    this.#key.encode(key);
    const { hi, lo, number } = this.#key;
    return explainLookup(this.view, hashKey(hi, lo), hi, lo, number);
  }

  seek(cursor: Cursor, how: 'seekCeil' | 'seekFloor', key: Key): Cursor {
    this.#key.encode(key);
    cursor[how](this.#key.hi, this.#key.lo);
    return cursor;
  }

  count({ view, visible }: ShardSnapshot, first: Key, last: Key): number {
    this.#key.encode(first);
    const { hi: firstHi, lo: firstLo } = this.#key;
    this.#key.encode(last);
    const { hi: lastHi, lo: lastLo } = this.#key;
    return view.count(visible, {
      firstHi,
      firstLo,
      firstBytes: null,
      isAfterFirst: false,
      lastHi,
      lastLo,
      lastBytes: null,
      isBeforeLast: false,
    });
  }

  rank({ view, visible }: ShardSnapshot, key: Key): number {
    this.#key.encode(key);
    const { type } = this.#key;
    return view.count(visible, boundsBelow(type, this.#key));
  }

  entryAt(place: Place | null): [Key, unknown] | null {
    if (place === null) return null;
    const { hi, lo, source, position } = place;
    return [this.#key.decode(hi, lo), rowOf(this.#readers, source, position)];
  }

  /** All entries of a snapshot, in order. */
  entries({ view, visible }: ShardSnapshot): [Key, unknown][] {
    const cursor = view.cursor(visible);
    const found: [Key, unknown][] = [];
    for (cursor.seekCeil(0, 0); !cursor.done; cursor.next()) {
      found.push([this.#key.decode(cursor.hi, cursor.lo), rowUnder(view.readers, cursor)]);
    }
    return found;
  }
}

function sorted(model: ReadonlyMap<Key, unknown>): [Key, unknown][] {
  return [...model].sort(([a], [b]) => Number(a > b) - Number(a < b));
}

function live(model: Model): [Key, unknown][] {
  return sorted(model).filter(([, row]) => row !== undefined);
}

test('a view reads as the map of all writes, through rotations, flushes and compactions', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  const below = (n: number) => Math.floor(random() * n);
  for (let round = 0; round < 8; round++) {
    const shard = new TestShard();
    const span = [10, 60, 300][round % 3];
    const model: Model = new Map();
    /** What each memtable holds, and what all runs hold; newest first. */
    let pending: Model[] = [new Map()];
    let flushed: Model = new Map();
    const snapshots: { snapshot: ShardSnapshot; entries: [Key, unknown][] }[] = [];
    for (let step = 0; step < 60; step++) {
      for (let n = below(20); n > 0; n--) {
        const key = BigInt(below(span) - Math.floor(span / 2));
        const row = random() < 0.25 ? undefined : { n: random() };
        shard.memtables[0].append(key, row);
        pending[0].set(key, row);
        model.set(key, row);
      }
      shard.memtables[0].publish();
      const turn = random();
      if (turn < 0.2) {
        shard.rotate();
        pending.unshift(new Map());
      } else if (turn < 0.4) {
        const oldest = pending.at(-1) as Model;
        shard.flush(sorted(oldest), 1 + below(3));
        flushed = new Map([...flushed, ...oldest]);
        pending = pending.length > 1 ? pending.slice(0, -1) : [new Map()];
      } else if (turn < 0.5) {
        shard.compact(live(flushed), 1 + below(3));
        flushed = new Map(live(flushed));
      }
      const where = `seed ${seed}, round ${round}, step ${step}`;
      const entries = live(model);
      const snapshot = shard.view.capture(NOTHING);
      t.deepEqual(shard.entries(snapshot), entries, where);
      for (let key = -span / 2 - 1; key <= span / 2 + 1; key += 1 + below(span / 10)) {
        const row = model.get(BigInt(key));
        t.deepEqual(shard.get(key), row, `${where}, key ${key}`);
        t.is(shard.has(key), row !== undefined, `${where}, key ${key}`);
        if (shard.view.isOfNumbers) {
          t.deepEqual(shard.view.getNumber(key), row, `${where}, key ${key}`);
        }
        const { found, memtables, runs } = shard.explain(key);
        t.is(found === 'row', row !== undefined, `${where}, key ${key}`);
        const answers = [...memtables, ...runs].map((probe) => probe.found);
        t.is(answers.pop() ?? 'nothing', found, `${where}, key ${key}`);
        t.true(
          answers.every((answer) => answer === 'nothing'),
          `${where}, key ${key}`,
        );
      }
      const [first, last] = [below(span), below(span)]
        .sort((a, b) => a - b)
        .map((k) => k - span / 2);
      const within = entries.filter(([key]) => Number(key) >= first && Number(key) <= last);
      t.is(shard.count(snapshot, first, last), within.length, where);
      const before = entries.filter(([key]) => Number(key) < first);
      t.is(shard.rank(snapshot, first), before.length, where);
      if (step % 6 === 0) snapshots.push({ snapshot, entries });
    }
    for (const { snapshot, entries } of snapshots) {
      t.deepEqual(shard.entries(snapshot), entries, `a snapshot, seed ${seed}, round ${round}`);
      t.is(shard.count(snapshot, -(2 ** 50), 2 ** 50), entries.length);
      t.is(shard.rank(snapshot, 2 ** 50), entries.length);
    }
  }
});

test('a view without any entry is empty', (t) => {
  const shard = new TestShard();
  const snapshot = shard.view.capture(NOTHING);
  t.is(shard.get(1), undefined);
  t.false(shard.has(1));
  t.deepEqual(shard.entries(snapshot), []);
  t.is(shard.count(snapshot, -5, 5), 0);
  t.is(shard.view.pendingEntries, 0);
});

test('a run alone is counted by its index; with tombstones, row by row', (t) => {
  const shard = new TestShard();
  const rows = Array.from({ length: 100 }, (_, i): Entry => [i, { n: i }]);
  shard.compact(rows, 3);
  t.is(shard.count(shard.view.capture(NOTHING), 10, 50), 41);
  shard.compact(
    rows.map(([key, row]): Entry => [key, Number(key) % 2 === 0 ? row : undefined]),
    3,
  );
  t.is(shard.count(shard.view.capture(NOTHING), 10, 50), 21);
  shard.memtables[0].put(10, undefined);
  t.is(shard.view.pendingEntries, 1);
  t.is(shard.count(shard.view.capture(NOTHING), 10, 50), 20);
});

test('what little is newer than a large run is counted by itself', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  const shard = new TestShard();
  const model: Model = new Map();
  for (let i = 0; i < 3000; i++) model.set(BigInt(3 * i), { n: i });
  shard.compact(sorted(model), 4);
  for (let step = 0; step < 40; step++) {
    const changes: Model = new Map();
    for (let n = 0; n < 6; n++) {
      const key = BigInt(Math.floor(random() * 9200) - 100);
      changes.set(key, random() < 0.5 ? undefined : { n: -1 - step });
    }
    for (const [key, row] of changes) {
      shard.memtables[0].append(key, row);
      model.set(key, row);
    }
    shard.memtables[0].publish();
    t.is(shard.view.base, shard.view.runs.at(-1) ?? null);
    const entries = live(model);
    const snapshot = shard.view.capture(NOTHING);
    for (let n = 0; n < 5; n++) {
      const first = Math.floor(random() * 9400) - 200;
      const last = first + Math.floor(random() ** 3 * 9400);
      const within = entries.filter(([key]) => Number(key) >= first && Number(key) <= last);
      const before = entries.filter(([key]) => Number(key) < first);
      t.is(shard.count(snapshot, first, last), within.length, `seed ${seed}, step ${step}`);
      t.is(shard.rank(snapshot, first), before.length, `seed ${seed}, step ${step}`);
    }
    const lists = sortedRowsOf(snapshot);
    t.is(lists?.length, 2);
    t.is(
      lists?.reduce((sum, { rows }) => sum + rows, 0),
      entries.length,
    );
    const ranks = Array.from({ length: 30 }, () => Math.floor(random() * entries.length));
    for (const rank of [0, entries.length - 1, ...ranks]) {
      const entry = shard.entryAt(selectRow(lists ?? [], rank, 'int64'));
      t.deepEqual(entry, entries[rank], `seed ${seed}, step ${step}, rank ${rank}`);
    }
    t.is(selectRow(lists ?? [], entries.length, 'int64'), null);
    if (step % 9 === 8)
      shard.flush(
        sorted(
          new Map(
            [...model].filter(([, row]) => row === undefined || (row as { n: number }).n < 0),
          ),
        ),
        2,
      );
  }
});

test('a shard is settled while it is one run of live rows and its memtables are empty', (t) => {
  const shard = new TestShard();
  t.is(shard.view.settled?.rows, 0);
  t.false(shard.view.isOfNumbers, 'no rows');
  shard.compact([[1, { n: 1 }]], 1);
  t.is(shard.view.settled, shard.view.runs[0]);
  t.true(shard.view.isOfNumbers);
  t.deepEqual(shard.view.getNumber(1), { n: 1 });
  t.is(shard.view.getNumber(2), undefined);
  shard.memtables[0].put(1, { n: 2 });
  t.is(shard.view.settled, null);
  t.false(shard.view.isOfNumbers);
  shard.flush([[1, { n: 2 }]], 1);
  t.is(shard.view.settled, null, 'two runs');
  t.false(shard.view.isOfNumbers, 'two runs');
  shard.compact(
    [
      [1, { n: 2 }],
      [2, undefined],
    ],
    1,
  );
  t.is(shard.view.settled, null, 'a tombstone');
  t.false(shard.view.isOfNumbers, 'a tombstone');
  shard.compact([[2n ** 60n, { n: 1 }]], 1);
  t.is(shard.view.settled?.rows, 1);
  t.false(shard.view.isOfNumbers, 'a key that no number holds');
});

test('a deleted key is absent, wherever its row and its tombstone lie', (t) => {
  const shard = new TestShard();
  shard.compact(
    [
      [1, { n: 1 }],
      [2, { n: 2 }],
    ],
    1,
  );
  shard.memtables[0].put(1, undefined);
  t.is(shard.get(1), undefined);
  t.false(shard.has(1));
  shard.flush([[1, undefined]], 1);
  t.is(shard.get(1), undefined);
  t.false(shard.has(1));
  t.true(shard.has(2));
  t.deepEqual(shard.entries(shard.view.capture(NOTHING)), [[2n, { n: 2 }]]);
});

test('a new view goes on with what the thread knew of the parts that stay', (t) => {
  const shard = new TestShard();
  shard.compact(
    Array.from({ length: 20 }, (_, i): Entry => [i, { n: i }]),
    2,
  );
  const before = shard.view;
  shard.rotate();
  t.not(shard.view, before);
  t.is(shard.view.version, before.version + 1);
  t.is(shard.view.memtables[1], before.memtables[0]);
  t.deepEqual(
    shard.view.runs[0].segments.map((segment, i) => segment === before.runs[0].segments[i]),
    [true, true],
  );
  const alone = shard.handOver(null);
  t.not(alone.memtables[1], before.memtables[0]);
});

test('memory used again under another number is another memtable', (t) => {
  const shard = new TestShard();
  shard.memtables[0].put(1, { n: 1 });
  const { handle } = shard.memtables[0].writer;
  const before = shard.view;
  t.deepEqual(shard.entries(before.capture(NOTHING)), [[1n, { n: 1 }]]);
  shard.memtables = [new TestMemtable(NUMBERS, shard.table, { ...handle, id: handle.id + 1000 })];
  shard.handOver();
  t.not(shard.view.memtables[0], before.memtables[0]);
  shard.memtables[0].put(2, { n: 2 });
  t.is(shard.get(1), undefined);
  t.deepEqual(shard.entries(shard.view.capture(NOTHING)), [[2n, { n: 2 }]]);
});

test('a snapshot keeps to its watermarks and leaves out batches it saw undecided', (t) => {
  const shard = new TestShard();
  const { table } = shard;
  const [memtable] = shard.memtables;
  memtable.put(1, { n: 1 });
  const ticket = table.take([0], 0, 0);
  memtable.append(1, undefined, ticket);
  memtable.append(2, { n: 2 }, ticket);
  memtable.publish();
  const snapshot = shard.view.capture(new Set(table.undecided()));
  t.is(snapshot.view, shard.view);
  table.vote(ticket, 0);
  memtable.put(3, { n: 3 });
  t.deepEqual(shard.entries(snapshot), [[1n, { n: 1 }]]);
  t.is(shard.count(snapshot, 0, 9), 1);
  t.deepEqual(shard.entries(shard.view.capture(NOTHING)), [
    [2n, { n: 2 }],
    [3n, { n: 3 }],
  ]);
  t.is(shard.get(1), undefined);
});

test('a cursor gives the neighbours of any key, from memtables and runs alike', (t) => {
  const shard = new TestShard();
  shard.compact(
    [10, 20, 30].map((key): Entry => [key, { n: key }]),
    2,
  );
  shard.memtables[0].put(25, { n: 25 });
  shard.memtables[0].put(20, undefined);
  const { view } = shard;
  const cursor = view.cursor(view.capture(NOTHING).visible);
  const at = (how: 'seekCeil' | 'seekFloor', key: number) =>
    shard.seek(cursor, how, key).done ? undefined : rowUnder(view.readers, cursor);
  t.deepEqual(
    [5, 10, 11, 26, 31].map((key) => at('seekCeil', key)),
    [{ n: 10 }, { n: 10 }, { n: 25 }, { n: 30 }, undefined],
  );
  t.deepEqual(
    [9, 10, 24, 25, 99].map((key) => at('seekFloor', key)),
    [undefined, { n: 10 }, { n: 10 }, { n: 25 }, { n: 30 }],
  );
  shard.seek(cursor, 'seekFloor', 100);
  t.deepEqual(keysAhead(cursor, 'int64', false), [30n, 25n, 10n]);
});

test('every type of key and bare value is read from memtables and from runs', (t) => {
  const keys: Record<FixedKeyType, Key[]> = {
    int64: [-(2n ** 63n), -1n, 2n ** 63n - 1n],
    uint64: [0n, 2n ** 63n, 2n ** 64n - 1n],
    float64: [-Infinity, -0.5, Infinity],
    timestamp: [-8.64e15, 0, 8.64e15],
  };
  const values = { json: [null, { a: [1] }, 'x'], utf8: ['', 'ß', '€'], binary: null };
  const bytes = [new Uint8Array(0), Uint8Array.of(1), new Uint8Array(100)];
  for (const key of FIXED_KEY_TYPES) {
    for (const value of ['json', 'utf8', 'binary'] as const) {
      const rows: readonly unknown[] = values[value] ?? bytes;
      const entries = keys[key].map((each, i): [Key, unknown] => [each, rows[i]]);
      const shard = new TestShard(parseSchema({ key, value }), true);
      const [memtable] = shard.memtables;
      for (const [each, row] of entries) memtable.append(each, row);
      memtable.publish();
      const check = (where: string) => {
        t.deepEqual(shard.entries(shard.view.capture(NOTHING)), entries, where);
        for (const [each, row] of entries) t.deepEqual(shard.get(each), row, where);
      };
      check(`${key} ${value} in a memtable`);
      shard.flush(entries, 2);
      check(`${key} ${value} in a run`);
    }
  }
});
