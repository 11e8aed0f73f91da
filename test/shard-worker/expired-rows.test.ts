import test from 'ava';
import { parseSchema } from '../../src/schema/schema.ts';
import { ExpiredRows } from '../../src/shard-worker/expired-rows.ts';
import { mergeRuns } from '../../src/shard-worker/merge.ts';
import type { WrittenSegmentFiles } from '../../src/shard-worker/segment-files.ts';
import { Expiry } from '../../src/view/expiry.ts';
import { Run, Segment, type SegmentHandle } from '../../src/view/segment.ts';
import { newSeed, randomFrom, Until } from '../view/support.ts';
import { Expected } from './expected.ts';
import { type Change, contentOf, flushed, placeOf } from './runs.ts';
import { emptyDisk, Shards } from './shards.ts';

/** Every way in which a column may have nothing: null, zero, no length, a bit. */
const NUMBERS = parseSchema({
  key: 'int64',
  columns: { n: 'int64', text: 'utf8', note: 'utf8?', is: 'bool?' },
  ttl: true,
});
const TEXTS = parseSchema({ key: 'utf8', value: 'binary', ttl: 100 });
const TIMES = [10, 20, 30, 40, 10 ** 9];

const handlesOf = (run: readonly WrittenSegmentFiles[]): SegmentHandle[] =>
  run.map(({ handle }) => handle);

test('what has expired is dropped, or a tombstone where something older has its key', (t) => {
  const seed = newSeed();
  const random = randomFrom(seed);
  const any = (below: number) => Math.floor(random() * below);
  for (let round = 0; round < 40; round++) {
    const [schema, keyOf, rowOf] =
      round % 2 === 0
        ? [
            NUMBERS,
            (i: number) => BigInt(i),
            (n: number) => ({ n: BigInt(n), text: `${n}`, note: n % 3 ? 'x' : null, is: n > 9 }),
          ]
        : [TEXTS, (i: number) => `${i}`, (n: number) => new Uint8Array(n % 7).fill(n)];
    const storage = emptyDisk(1);
    const runs: { written: WrittenSegmentFiles[]; changes: Map<number, Change | null> }[] = [];
    for (let r = 1; r <= 4; r++) {
      const changes: Change[] = [];
      const byKey = new Map<number, Change | null>();
      for (let i = 1 + any(40); i > 0; i--) {
        const key = any(30);
        const time = TIMES[any(TIMES.length)];
        const row = any(6) === 0 ? null : new Until(time, rowOf(any(99)));
        changes.push([keyOf(key), row]);
        byKey.set(key, [keyOf(key), row]);
      }
      runs.unshift({ written: flushed(storage, schema, changes, r), changes: byKey });
    }
    for (const [start, end] of [
      [0, 4],
      [0, 2],
      [1, 3],
      [2, 3],
      [3, 4],
    ]) {
      const nowMs = [5, 10, 25, 40][any(4)];
      const chosen = runs.slice(start, end);
      const older = runs.slice(end);
      const keepTombstones = older.length > 0;
      const written = mergeRuns(storage, {
        kind: 'merge',
        span: { firstLsn: 1, lastLsn: 9 },
        place: placeOf(schema),
        runs: chosen.map((run) => handlesOf(run.written)),
        cleared: chosen.map(() => []),
        keepTombstones,
        expiry: { nowMs, older: older.map((run) => handlesOf(run.written)) },
        firstId: 1000 * (round + 1) + 100 * start + 10 * end,
      });
      const newest = new Map(chosen.toReversed().flatMap(({ changes }) => [...changes]));
      const wanted = [...newest].flatMap(([key, change]): [number, Change][] => {
        const [name, row] = change as Change;
        if (row === null) return keepTombstones ? [[key, [name, null]]] : [];
        const { expiresMs, row: bare } = row as Until;
        if (expiresMs > nowMs) return [[key, [name, bare]]];
        return older.some((run) => run.changes.has(key)) ? [[key, [name, null]]] : [];
      });
      const sorted = wanted
        .map(([, change]) => change)
        .sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
      const where = `seed ${seed}, round ${round}, runs ${start} to ${end} at ${nowMs}`;
      const found = written.length === 0 ? [] : contentOf(storage, schema, written);
      t.deepEqual(found, sorted, where);
      // What was buried does not count as expired any more, or it would be buried again and again.
      const expiry = Expiry.of(schema) as Expiry;
      for (const { handle } of written) {
        const again = ExpiredRows.of(schema, { nowMs, older: [] });
        const segment = new Segment(handle, schema.key);
        const expired = Array.from({ length: segment.rows }, (_, row) => again?.has(segment, row));
        t.false(expired.includes(true), where);
        t.true(expiry.firstOf(new Run([segment])) > nowMs, where);
      }
    }
  }
});

test('a run of which much has expired is written anew while nothing else happens', async (t) => {
  const shards = await Shards.open(emptyDisk(1), new Expected(1, 'expiring'));
  const [engine] = shards.engines;
  const rows = () => engine.view.runs.flat().reduce((sum, { layout }) => sum + layout.rows, 0);
  const keys = Array.from({ length: 40 }, (_, i) => -1 - i);
  shards.put(0, ...keys.slice(0, 20));
  shards.putUntil(0, 10, ...keys.slice(20));
  shards.commit(0);
  await shards.rotate(0);
  shards.wait(9);
  shards.tend(0);
  await shards.idle();
  t.is(rows(), 41, 'with the mark of its group');
  shards.wait(1);
  shards.tend(0);
  await shards.idle();
  t.is(rows(), 21);
  shards.checkShown();
  await shards.close();
});

test('a flush drops what has expired where no run has the key, and keeps it elsewhere', (t) => {
  const storage = emptyDisk(1);
  const old = flushed(storage, TEXTS, [['b', new Uint8Array(1)]], 1);
  const changes: Change[] = [
    ['a', new Uint8Array(1)],
    ['a', new Until(10, new Uint8Array(2))],
    ['b', new Until(10, new Uint8Array(3))],
    ['c', new Until(11, new Uint8Array(4))],
    ['d', null],
  ];
  const expiry = { nowMs: 10, older: [handlesOf(old)] };
  const kept = flushed(storage, TEXTS, changes, 2, true, [], expiry);
  t.deepEqual(contentOf(storage, TEXTS, kept), [
    ['b', new Uint8Array(3)],
    ['c', new Uint8Array(4)],
    ['d', null],
  ]);
  const alone = flushed(storage, TEXTS, changes, 3, false, [], { nowMs: 10, older: [] });
  t.deepEqual(contentOf(storage, TEXTS, alone), [['c', new Uint8Array(4)]]);
  const never = flushed(storage, TEXTS, changes, 4, false, [], null);
  t.is(contentOf(storage, TEXTS, never).length, 3);
});
