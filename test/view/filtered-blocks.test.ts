import test from 'ava';
import { parseSchema } from '../../src/schema/schema.ts';
import { boundsOf, greatestBound, leastBound } from '../../src/view/bounds.ts';
import { CommitTable } from '../../src/view/commit-table.ts';
import type { Filter } from '../../src/view/filter.ts';
import { FilteredBlocks, judged } from '../../src/view/filtered-blocks.ts';
import { rowBlocks } from '../../src/view/row-blocks.ts';
import { Segment } from '../../src/view/segment.ts';
import { compileReaders, ShardView } from '../../src/view/shard-view.ts';
import { type Entry, newHandle, segmentOf } from './support.ts';

const SCHEMA = parseSchema({ key: 'int64', columns: { n: 'int32' } });
const ROWS = 5 * 4096;
const entries = Array.from({ length: ROWS }, (_, key): Entry => [key, { n: key >>> 12 }]);
const handle = segmentOf(SCHEMA, entries);

const pages = (low: number, high: number): Filter => ({ kind: 'number', column: 0, low, high });

test('a stretch is cut where verdicts of pages change, and what cannot match is left out', (t) => {
  const segment = new Segment(handle, 'int64');
  const stretch = { segment, start: 100, count: ROWS - 200 };
  const parts = (filter: Filter) =>
    judged(filter, stretch).map((part) => [part.verdict, part.stretch.start, part.stretch.count]);
  t.deepEqual(parts(pages(1, 2)), [['all', 4096, 8192]]);
  t.deepEqual(parts({ kind: 'not', part: pages(1, 2) }), [
    ['all', 100, 3996],
    ['all', 12_288, 8092],
  ]);
  t.deepEqual(parts({ kind: 'and', parts: [pages(0, 1), pages(1, 4)] }), [['all', 4096, 4096]]);
  t.deepEqual(parts({ kind: 'or', parts: [pages(4, 9), pages(0, 0)] }), [
    ['all', 100, 3996],
    ['all', 16_384, 3996],
  ]);
  t.deepEqual(parts({ kind: 'among', column: 0, values: new Set([1]) }), [
    ['some', 100, ROWS - 200],
  ]);
  const [lowNumber, highNumber] = [4000, 9000];
  const words = { hi: 2 ** 31, lo: 0 };
  const key = {
    kind: 'words',
    column: -1,
    low: words,
    high: words,
    lowNumber,
    highNumber,
  } as const;
  t.deepEqual(parts(key), [
    ['some', 100, 3996],
    ['all', 4096, 4096],
    ['some', 8192, 4096],
  ]);
});

test('rows that match far apart come in few blocks, and those of whole pages as stretches', (t) => {
  const message = {
    shard: 0,
    version: 1,
    memtables: [newHandle()],
    runs: [[handle]],
    cleared: [[]],
  };
  const view = new ShardView(message, compileReaders(SCHEMA, true), CommitTable.empty(), null);
  const bounds = boundsOf(leastBound('int64'), greatestBound('int64'), false, false);
  const blocksOf = (filter: Filter) => {
    const all = rowBlocks(SCHEMA, [view.capture(new Set())], bounds, false, true);
    const blocks = new FilteredBlocks(SCHEMA, all, filter);
    const found: string[] = [];
    for (let block = blocks.next(100); block !== null; block = blocks.next(100)) {
      found.push(`${block.segment === null ? 'picked' : 'stretch'} ${block.count}`);
    }
    return found;
  };
  t.deepEqual(blocksOf(pages(2, 2)), ['stretch 4096']);
  const among: Filter = { kind: 'among', column: 0, values: new Set([0, 4]) };
  t.deepEqual(blocksOf(among), ['picked 4096', 'picked 4096']);
  t.deepEqual(blocksOf({ kind: 'among', column: 0, values: new Set([9]) }), []);
  t.deepEqual(blocksOf({ kind: 'or', parts: [] }), []);
});
