import { Worker } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { hashKey, KeyCodec } from '../../src/schema/key.ts';
import { CommitTable } from '../../src/view/commit-table.ts';
import { MergeCursor, PieceCursor } from '../../src/view/cursor.ts';
import { ARENA_START, Memtable, type MemtableShape } from '../../src/view/memtable.ts';
import { Tail } from '../../src/view/tail.ts';
import type { PublisherOrder } from './publisher.ts';
import { newHandle, newSeed } from './support.ts';

/** As publisher.ts has them; importing it would run it. */
const [STATE_WORD, READS_WORD] = [0, 1];
const [RUNNING, DONE] = [0, 2];
const KEYS = [0, 1, 2, 3, 4, 5].map((key) => {
  const codec = new KeyCodec('int64', false);
  codec.encode(key);
  return { hi: codec.hi, lo: codec.lo, hash: hashKey(codec.hi, codec.lo) };
});
const NOTHING: ReadonlySet<number> = new Set();

class Publisher {
  readonly words = new Int32Array(new SharedArrayBuffer(64));
  readonly memtable: Memtable;
  readonly tail: Tail;

  constructor(
    t: ExecutionContext,
    shape: MemtableShape,
    order: Pick<PublisherOrder, 'mode' | 'groups' | 'seed'>,
  ) {
    const handle = newHandle(shape);
    this.memtable = new Memtable(handle, CommitTable.empty());
    this.tail = new Tail(this.memtable);
    const gate = this.words.buffer as SharedArrayBuffer;
    const workerData: PublisherOrder = { ...order, handle, gate };
    const worker = new Worker(new URL('./publisher.ts', import.meta.url), { workerData });
    t.teardown(() => worker.terminate());
  }

  get state(): number {
    return Atomics.load(this.words, STATE_WORD);
  }

  /** What a reader finds at a watermark: the group every key says; 0 for an absent one. */
  found(watermark: number): number[] {
    const visible = { watermark, undecided: NOTHING };
    const { memtable } = this;
    return KEYS.map(({ hi, lo, hash }) => {
      const entry = memtable.find(hash, hi, lo, visible);
      return entry === 0 ? 0 : memtable.arena.f64[memtable.rowAt(entry) >>> 3];
    });
  }

  /** The same by an ordered read. */
  ordered(watermark: number): number[] {
    const visible = { watermark, undecided: NOTHING };
    const { memtable } = this;
    const parts = this.tail
      .pieces(watermark)
      .map((piece) => new PieceCursor(memtable, piece, visible));
    const cursor = new MergeCursor(parts);
    cursor.seekCeil(KEYS[0].hi, KEYS[0].lo);
    return KEYS.map(({ hi, lo }) => {
      if (cursor.done || cursor.hi !== hi || cursor.lo !== lo) return 0;
      const group = memtable.arena.f64[memtable.rowAt(cursor.position) >>> 3];
      cursor.next();
      return group;
    });
  }
}

function isWhole(groups: readonly number[]): boolean {
  return groups.every((group) => group === groups[0]);
}

test.serial('between any two stores of a publication a reader sees whole groups', (t) => {
  const seed = newSeed();
  const shape = { entriesMax: 500, arenaBytes: 64 * 1024 };
  const publisher = new Publisher(t, shape, { mode: 'stepped', groups: 20, seed });
  const { words, memtable } = publisher;
  const past: { watermark: number; groups: number[] }[] = [];
  const torn: string[] = [];
  let steps = 0;
  for (;;) {
    Atomics.wait(words, STATE_WORD, RUNNING);
    if (publisher.state === DONE) break;
    steps++;
    const { watermark } = memtable;
    if (watermark >= ARENA_START) {
      const groups = publisher.found(watermark);
      if (!isWhole(groups)) torn.push(`step ${steps}: ${groups}`);
      if (`${publisher.ordered(watermark)}` !== `${groups}`) torn.push(`step ${steps}: ordered`);
      if (past.at(-1)?.watermark !== watermark) past.push({ watermark, groups });
    }
    for (const { watermark: then, groups } of past) {
      if (`${publisher.found(then)}` !== `${groups}`) torn.push(`step ${steps}: at ${then}`);
    }
    Atomics.store(words, STATE_WORD, RUNNING);
    Atomics.notify(words, STATE_WORD);
  }
  t.deepEqual(torn, [], `seed ${seed}`);
  t.deepEqual(
    past.map(({ groups }) => groups[0]),
    Array.from({ length: 20 }, (_, i) => i),
  );
  t.deepEqual(
    publisher.found(memtable.watermark),
    KEYS.map(() => 20),
  );
  t.true(steps >= 20 * (KEYS.length + 2), `${steps} steps`);
});

test.serial('a reader in another thread sees whole groups, ever newer ones', (t) => {
  const seed = newSeed();
  const groups = 12_000;
  const shape = { entriesMax: 10 * groups, arenaBytes: 4096 + 400 * groups };
  const publisher = new Publisher(t, shape, { mode: 'free', groups, seed });
  const { words, memtable } = publisher;
  const torn: string[] = [];
  let newest = 0;
  let ended = false;
  for (let read = 0; !ended && torn.length < 5; read++) {
    ended = publisher.state === DONE;
    const { watermark } = memtable;
    if (watermark >= ARENA_START) {
      const found = publisher.found(watermark);
      if (!isWhole(found) || found[0] < newest) torn.push(`${found} after ${newest}`);
      newest = found[0];
      if (read % 16 === 0) {
        const ordered = publisher.ordered(watermark);
        if (`${ordered}` !== `${found}`) torn.push(`ordered ${ordered}, found ${found}`);
      }
    }
    Atomics.add(words, READS_WORD, 1);
    Atomics.notify(words, READS_WORD);
  }
  t.deepEqual(torn, [], `seed ${seed}`);
  t.is(newest, groups);
  t.is(memtable.chunks, Math.floor(memtable.entries / 65_536));
});
