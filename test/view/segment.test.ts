import test from 'ava';
import fc from 'fast-check';
import { type Key, KeyCodec } from '../../src/schema/key.ts';
import {
  FIXED_KEY_TYPES,
  type FixedKeyType,
  type KeyType,
  parseSchema,
  type Schema,
} from '../../src/schema/schema.ts';
import type { KeyBounds } from '../../src/view/bounds.ts';
import {
  fileKeysToResident,
  type KeyForm,
  keyForm,
  numberToSortable,
  Run,
  RunCursor,
  residentKeysToFile,
  Segment,
  sortable,
} from '../../src/view/segment.ts';
import { keysOf } from '../schema/arbitraries.ts';
import { type Entry, keysAhead, segmentOf } from './support.ts';

type AnyKey = number | bigint;

const MAX = 0xffffffff;

function schemaOf(key: KeyType): Schema {
  return parseSchema({ key, columns: { n: 'float64' } });
}

function wordsOf(type: KeyType, key: Key): { hi: number; lo: number; number: number } {
  const codec = new KeyCodec(type, true);
  codec.encode(key);
  return { hi: codec.hi, lo: codec.lo, number: codec.number };
}

function isBefore(a: AnyKey, b: AnyKey): number {
  return Number(a > b) - Number(a < b);
}

/** Distinct keys of a type, ascending; `safe`: such as a number can hold. */
function sortedKeys(type: FixedKeyType, safe: boolean, minLength = 1): fc.Arbitrary<AnyKey[]> {
  const isExact = (key: AnyKey) => type === 'float64' || Number.isSafeInteger(Number(key));
  const near = fc.integer({ min: type === 'uint64' ? 0 : -50, max: 50 });
  const key = fc.oneof(
    keysOf(type),
    near.map((n) => (type === 'int64' || type === 'uint64' ? BigInt(n) : n)),
  );
  return fc
    .array(safe ? key.filter(isExact) : key, { minLength, maxLength: 120 })
    .map((keys) => [...new Set(keys.map((each) => (each === 0 ? 0 : each)))].sort(isBefore));
}

function entriesOf(keys: readonly AnyKey[]): Entry[] {
  return keys.map((key, i) => [key, i % 5 === 4 ? undefined : { n: i }]);
}

const FORMS: [FixedKeyType, KeyForm][] = FIXED_KEY_TYPES.flatMap(
  (type): [FixedKeyType, KeyForm][] => [
    [type, 'f64'],
    [type, 'words'],
  ],
);

for (const [type, form] of FORMS) {
  test(`a segment of ${type} keys as ${form} finds what a sorted array finds`, (t) => {
    const schema = schemaOf(type);
    const drawn = fc.tuple(
      sortedKeys(type, form === 'f64'),
      fc.array(keysOf(type), { maxLength: 20 }),
    );
    fc.assert(
      fc.property(drawn, ([keys, others]) => {
        const entries = entriesOf(keys);
        const segment = new Segment(segmentOf(schema, entries, { form }), type);
        if (segment.rows !== keys.length || segment.form !== form) return false;
        const codec = new KeyCodec(type, true);
        for (const key of [...keys, ...others]) {
          const { hi, lo, number } = wordsOf(type, key);
          const at = keys.findIndex((each) => each >= key);
          const bound = at < 0 ? keys.length : at;
          const found = at >= 0 && keys[at] === key ? at : -1;
          if (segment.find(hi, lo, number) !== found) return false;
          if (segment.lowerBound(hi, lo, number) !== bound) return false;
        }
        return keys.every((key, row) => {
          const { hi, lo, number } = wordsOf(type, key);
          return (
            segment.hi(row) === hi &&
            segment.lo(row) === lo &&
            segment.number(row) === number &&
            segment.isDeleted(row) === (entries[row][1] === undefined) &&
            codec.decode(hi, lo) === codec.decode(segment.hi(row), segment.lo(row))
          );
        });
      }),
      { numRuns: 60 },
    );
    t.pass();
  });
}

test('keys take the form of numbers where every key between the ends is exact', (t) => {
  const form = (type: KeyType, first: Key, last: Key) =>
    keyForm(type, wordsOf(type, first), wordsOf(type, last));
  const safe = BigInt(Number.MAX_SAFE_INTEGER);
  t.is(form('int64', -safe, safe), 'f64');
  t.is(form('int64', -safe - 1n, 0n), 'words');
  t.is(form('int64', 0n, safe + 1n), 'words');
  t.is(form('uint64', 0n, safe), 'f64');
  t.is(form('uint64', 0n, safe + 1n), 'words');
  t.is(form('uint64', 2n ** 64n - 2n, 2n ** 64n - 1n), 'words');
  t.is(form('timestamp', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER), 'f64');
  t.is(form('float64', -Infinity, Infinity), 'f64');
});

/** Keys as an Arrow file holds them. */
function fileKeys(type: KeyType, keys: readonly AnyKey[]): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(8 + 8 * keys.length);
  if (type === 'float64') new Float64Array(memory, 8).set(keys.map(Number));
  else new BigInt64Array(memory, 8).set(keys.map((key) => BigInt.asIntN(64, BigInt(key))));
  return memory;
}

for (const [type, form] of FORMS.filter(([type, form]) => type !== 'float64' || form === 'f64')) {
  test(`${type} keys become ${form} and go back to the file bit by bit`, (t) => {
    fc.assert(
      fc.property(sortedKeys(type, form === 'f64'), (keys) => {
        const rows = keys.length;
        const memory = fileKeys(type, keys);
        const before = Buffer.from(memory.slice(0));
        fileKeysToResident(type, form, memory, 8, rows);
        for (let row = 0; row < rows; row++) {
          const { hi, lo, number } = wordsOf(type, keys[row]);
          const words = new Uint32Array(memory, 8 + 8 * row, 2);
          const isRight =
            form === 'f64'
              ? new Float64Array(memory, 8 + 8 * row, 1)[0] === number
              : words[0] === lo && words[1] === hi;
          if (!isRight) return false;
        }
        residentKeysToFile(type, form, memory, 8, rows);
        return before.equals(Buffer.from(memory));
      }),
    );
    t.pass();
  });
}

for (const type of FIXED_KEY_TYPES) {
  test(`the sortable key of an exact ${type} number is the one it was encoded to`, (t) => {
    fc.assert(
      fc.property(sortedKeys(type, true), (keys) =>
        keys.every((key) => {
          const { hi, lo, number } = wordsOf(type, key);
          numberToSortable(type, number);
          return sortable.hi === hi && sortable.lo === lo;
        }),
      ),
    );
    t.pass();
  });
}

test('a segment without tombstones has no flags', (t) => {
  const segment = new Segment(segmentOf(schemaOf('int64'), [[1, { n: 1 }]]), 'int64');
  t.is(segment.flags, null);
  t.false(segment.isDeleted(0));
});

/** Keys cut into one to four segments. */
function runOf(type: KeyType, keys: readonly AnyKey[], cuts: readonly number[]): Run {
  const entries = entriesOf(keys);
  const ends = [...new Set(cuts.map((cut) => 1 + (cut % keys.length))), keys.length];
  const sorted = [...new Set(ends)].sort((a, b) => a - b);
  const parts = sorted.map((end, i) => entries.slice(sorted[i - 1] ?? 0, end));
  const schema = schemaOf(type);
  return new Run(parts.map((part) => new Segment(segmentOf(schema, part), type)));
}

for (const type of FIXED_KEY_TYPES) {
  const drawn = fc.record({
    keys: sortedKeys(type, false),
    cuts: fc.array(fc.nat(), { maxLength: 9 }),
    others: fc.array(keysOf(type), { minLength: 2, maxLength: 12 }),
  });

  test(`a run of ${type} keys counts and finds across its segments`, (t) => {
    fc.assert(
      fc.property(drawn, ({ keys, cuts, others }) => {
        const run = runOf(type, keys, cuts);
        if (run.rows !== keys.length) return false;
        const hasTombstones = entriesOf(keys).some(([, row]) => row === undefined);
        if (run.hasTombstones !== hasTombstones) return false;
        const probes = [...keys, ...others];
        for (const key of probes) {
          const { hi, lo, number } = wordsOf(type, key);
          const rank = keys.filter((each) => each < key).length;
          if (run.rank(hi, lo, type) !== rank) return false;
          const segment = run.segmentFor(hi, lo);
          if ((segment === null) !== (rank === keys.length)) return false;
          const chosen = segment ?? run.segments[run.segments.length - 1];
          if (run.isF64 && run.segmentForNumber(number) !== chosen) return false;
          if (segment === null) continue;
          if (run.segments[run.indexFor(hi, lo)] !== segment) return false;
          const row = rank - run.before[run.segments.indexOf(segment)];
          if (segment.lowerBound(hi, lo, number) !== row) return false;
        }
        return probes.every((a, i) => {
          const b = probes[(i * 7 + 3) % probes.length];
          const [first, last] = a <= b ? [a, b] : [b, a];
          const [low, high] = [wordsOf(type, first), wordsOf(type, last)];
          const bounds: KeyBounds = {
            firstHi: low.hi,
            firstLo: low.lo,
            firstBytes: null,
            isAfterFirst: i % 2 === 0,
            lastHi: high.hi,
            lastLo: high.lo,
            lastBytes: null,
            isBeforeLast: i % 3 === 0,
          };
          const { isAfterFirst, isBeforeLast } = bounds;
          if (first === last && isAfterFirst && isBeforeLast) return true;
          const within = keys.filter(
            (key) =>
              (isAfterFirst ? key > first : key >= first) &&
              (isBeforeLast ? key < last : key <= last),
          );
          return run.countWithin(bounds, type) === within.length;
        });
      }),
      { numRuns: 40 },
    );
    t.pass();
  });

  test(`a cursor over a run of ${type} keys passes every segment, both ways`, (t) => {
    fc.assert(
      fc.property(drawn, ({ keys, cuts, others }) => {
        const run = runOf(type, keys, cuts);
        const cursor = new RunCursor(run, schemaOf(type));
        const same = (found: readonly Key[], expected: readonly AnyKey[]) =>
          found.length === expected.length && found.every((key, i) => key === expected[i]);
        for (const key of [...keys.slice(0, 5), ...others]) {
          const { hi, lo } = wordsOf(type, key);
          cursor.seekCeil(hi, lo);
          const above = keys.filter((each) => each >= key);
          if (!same(keysAhead(cursor, type), above)) return false;
          cursor.seekFloor(hi, lo);
          const below = keys.filter((each) => each <= key).toReversed();
          if (!same(keysAhead(cursor, type, false), below)) return false;
        }
        return true;
      }),
      { numRuns: 40 },
    );
    t.pass();
  });
}

/** Evenly spaced keys before others so uneven that the root tells keys apart by separators. */
const UNEVEN = Array.from({ length: 2050 }, (_, i) => (i < 100 ? i : 100 * 1.43 ** (i - 99)));

test('a run of float64 keys has nothing before the least bound and nothing behind the greatest', (t) => {
  for (const more of [[], [Infinity], [-Infinity], [-Infinity, Infinity]]) {
    const keys = [...UNEVEN, ...more].sort((a, b) => a - b);
    const run = new Run([new Segment(segmentOf(schemaOf('float64'), entriesOf(keys)), 'float64')]);
    t.is(run.rank(0, 0, 'float64'), 0);
    t.is(run.rankAfter(0, 0, 'float64'), 0);
    t.is(run.rank(MAX, MAX, 'float64'), keys.length);
    t.is(run.rankAfter(MAX, MAX, 'float64'), keys.length);
    for (const key of [-Infinity, 0, 1, Infinity]) {
      const { hi, lo } = wordsOf('float64', key);
      const below = lo === 0 ? ([hi - 1, MAX] as const) : ([hi, lo - 1] as const);
      t.is(run.rankAfter(...below, 'float64'), keys.filter((each) => each < key).length);
      t.is(run.rankAfter(hi, lo, 'float64'), keys.filter((each) => each <= key).length);
    }
  }
});

test('a cursor over a run tells tombstones from rows', (t) => {
  const run = runOf('int64', [1n, 2n, 3n, 4n, 5n, 6n], [2]);
  const cursor = new RunCursor(run, schemaOf('int64'));
  t.is(cursor.source, cursor);
  t.true(cursor.done);
  const deleted: boolean[] = [];
  for (cursor.seekCeil(0, 0); !cursor.done; cursor.next()) deleted.push(cursor.deleted);
  t.deepEqual(deleted, [false, false, false, false, true, false]);
});
