import test from 'ava';
import { OmenError, ROW_ARRAYS } from '../../src/index.ts';
import { codeOfAsync, contentOf, NUMBERS, openNew } from './support.ts';

/** A source that has its rows in arrays, and refuses to give them one by one. */
function inArrays(arrays: readonly (readonly unknown[])[]) {
  let isClosed = false;
  const source = {
    [Symbol.asyncIterator](): AsyncIterator<readonly [number, { value: number }]> {
      throw new Error('It was asked for rows one by one.');
    },
    async *[ROW_ARRAYS]() {
      try {
        yield* arrays;
      } finally {
        isClosed = true;
      }
    },
  };
  return { source, isClosed: () => isClosed };
}

test('rows that come in arrays are loaded in their order, bad ones counted as others', async (t) => {
  const db = await openNew(t, { ...NUMBERS, shards: 2 });
  const many = Array.from({ length: 3000 }, (_, key) => [key, { value: key }]);
  const { source, isClosed } = inArrays([many, [], [[5, { value: -5 }]]]);
  const report = await db.bulkLoad(source);
  t.like(report, { rows: 3000, duplicates: 1, rejected: 0 });
  t.is(contentOf(t, db).get(5), -5);
  t.true(isClosed());

  const bad = new OmenError('OMEN_INVALID_ROW', 'the value is not JSON');
  const rows = [[1, { value: 10 }], bad, ['x', { value: 1 }], [2, { value: 20 }]];
  const refused = inArrays([rows]);
  t.is(await codeOfAsync(db.bulkLoad(refused.source)), 'OMEN_REJECTED_ROWS');
  t.like(await db.bulkLoad(inArrays([rows]).source, { maxErrors: 2 }), { rows: 2, rejected: 2 });
  t.is(contentOf(t, db).get(2), 20);
});
