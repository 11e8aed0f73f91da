import test from 'ava';
import fc from 'fast-check';
import { hashKey, KeyCodec, sortableToNumber } from '../../src/schema/key.ts';
import { FIXED_KEY_TYPES, type KeyType, parseSchema } from '../../src/schema/schema.ts';
import { ceilRow, floorRow, selectRow } from '../../src/view/order.ts';
import { type Place, Run, Segment } from '../../src/view/segment.ts';
import { keysOf } from '../schema/arbitraries.ts';
import { segmentOf } from './support.ts';

type AnyKey = number | bigint;

/** Counts what it is asked. */
class AskedRun extends Run {
  asked = 0;

  override rank(hi: number, lo: number, type: KeyType): number {
    this.asked++;
    return super.rank(hi, lo, type);
  }
}

function runOf(type: KeyType, keys: readonly AnyKey[], segmentRows: number): AskedRun {
  const schema = parseSchema({ key: type, columns: { n: 'float64' } });
  const segments: Segment[] = [];
  for (let start = 0; start < keys.length; start += segmentRows) {
    const part = keys.slice(start, start + segmentRows).map((key) => [key, { n: 0 }] as const);
    segments.push(new Segment(segmentOf(schema, part), type));
  }
  return new AskedRun(segments);
}

/** Deals keys, which ascend, to runs. */
const DEALS: Record<string, (key: number, at: number, count: number, runs: number) => number> = {
  'by hash': (key, _at, _count, runs) => hashKey(key, key * 7) % runs,
  'one after the other': (_key, at, count, runs) => Math.floor((at * runs) / count),
  'in turn': (_key, at, _count, runs) => at % runs,
  'all but a few to one': (key, _at, _count, runs) => (hashKey(key, 1) % 50 === 0 ? 0 : runs - 1),
  'halves of halves': (_key, at, _count, runs) => Math.clz32(at + 1) % runs,
};

function dealt(type: KeyType, keys: readonly AnyKey[], runs: number, deal: string, rows: number) {
  const hands = Array.from({ length: runs }, (): AnyKey[] => []);
  keys.forEach((key, at) => {
    hands[DEALS[deal](at * 2654435761, at, keys.length, runs)].push(key);
  });
  return hands.map((hand) => runOf(type, hand, rows));
}

for (const type of FIXED_KEY_TYPES) {
  const drawn = fc.record({
    keys: fc.array(keysOf(type), { maxLength: 90 }),
    others: fc.array(keysOf(type), { minLength: 1, maxLength: 12 }),
    runs: fc.integer({ min: 1, max: 6 }),
    deal: fc.constantFrom(...Object.keys(DEALS)),
    segmentRows: fc.constantFrom(1, 7, 1000),
  });
  test(`runs of ${type} keys answer as one sorted list of them`, (t) => {
    const codec = new KeyCodec(type, true);
    const keyOf = (found: Place | null): AnyKey | undefined =>
      found === null ? undefined : (codec.decode(found.hi, found.lo) as AnyKey);
    const given = (key: AnyKey): AnyKey => {
      codec.encode(key);
      return codec.decode(codec.hi, codec.lo) as AnyKey;
    };
    fc.assert(
      fc.property(drawn, ({ keys, others, runs: count, deal, segmentRows }) => {
        const sorted = [...new Set(keys.map((key) => given(key as AnyKey)))].sort(
          (a, b) => Number(a > b) - Number(a < b),
        );
        const runs = dealt(type, sorted, count, deal, segmentRows);
        for (let rank = 0; rank <= sorted.length; rank++) {
          t.is(keyOf(selectRow(runs, rank, type)), sorted[rank]);
        }
        for (const key of [...sorted, ...others.map((other) => given(other as AnyKey))]) {
          codec.encode(key);
          const { hi, lo } = codec;
          t.is(
            keyOf(ceilRow(runs, hi, lo, type)),
            sorted.find((each) => each >= key),
          );
          t.is(
            keyOf(floorRow(runs, hi, lo, type)),
            sorted.findLast((each) => each <= key),
          );
        }
      }),
      { numRuns: 40 },
    );
  });
}

test('a position of a run is a row of one of its segments', (t) => {
  const run = runOf(
    'int64',
    Array.from({ length: 100 }, (_, i) => 3 * i),
    9,
  );
  for (let position = 0; position < 100; position++) {
    const { hi, lo, source, position: row } = run.rowAt(position);
    t.is(sortableToNumber('int64', hi, lo), 3 * position);
    t.deepEqual([source.hi(row), source.lo(row)], [hi, lo]);
  }
});

for (const deal of Object.keys(DEALS)) {
  test(`keys dealt ${deal}: a selection asks a few times the logarithm of their number`, (t) => {
    const keys = Array.from({ length: 30_000 }, (_, i) => i * i);
    const runs = dealt('int64', keys, 5, deal, 4000);
    let most = 0;
    for (let rank = 0; rank < keys.length; rank += 997) {
      for (const run of runs) run.asked = 0;
      const found = selectRow(runs, rank, 'int64');
      t.is(found && sortableToNumber('int64', found.hi, found.lo), keys[rank]);
      most = Math.max(most, runs[0].asked);
    }
    t.true(most <= 3 * Math.ceil(Math.log2(keys.length)), `${most} questions`);
    if (deal === 'by hash') t.true(most <= 12, `${most} questions`);
  });
}
