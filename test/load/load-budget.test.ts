import test from 'ava';
import fc from 'fast-check';
import { budgetOf } from '../../src/load/load-budget.ts';

const MIB = 2 ** 20;
const SEGMENT = 256 * MIB;

test('what is held while rows are read, and while slices are merged, stays within the memory', (t) => {
  const memory = fc.integer({ min: MIB, max: 2 ** 40 });
  const few = fc.integer({ min: 1, max: 128 });
  fc.assert(
    fc.property(memory, few, few, few, (bytes, shards, threads, moreWriters) => {
      const writers = Math.min(shards, moreWriters);
      const budget = budgetOf(bytes, shards, threads, writers, SEGMENT);
      const { chunkBytes, runBytes, keptBytes, sliceBytes, blockBytes, joinRuns } = budget;
      const filling = shards * (runBytes + chunkBytes);
      const sorting = (threads + 1) * runBytes + 2.5 * threads * runBytes;
      t.true(keptBytes + filling + sorting <= bytes);
      t.true(keptBytes + writers * sliceBytes <= bytes);
      t.true(sliceBytes <= SEGMENT && blockBytes >= 4096 && joinRuns >= 4);
    }),
    { numRuns: 300 },
  );
});

test('most of a large memory is for runs that are kept', (t) => {
  t.true(budgetOf(8 * 2 ** 30, 2, 2, 2, SEGMENT).keptBytes > 4 * 2 ** 30);
});
