import test from 'ava';
import { mapped, sourceOf } from '../../src/import/source.ts';
import { ROW_ARRAYS } from '../../src/index.ts';

test('what comes from a source is given on, passed over, or told as what is wrong', async (t) => {
  const pairs = [
    [1, 'a'],
    [2, 'b'],
  ] as const;
  t.deepEqual([...mapped(pairs, undefined)].flat(), pairs as never);
  const map = (key: number, value: string) => (key === 1 ? undefined : ([value, key] as const));
  t.deepEqual([...mapped(pairs, map as never)], [[['b', 2]]]);
  let closed = 0;
  const source = sourceOf<number, string>(async () => ({
    arrays: mapped(pairs, undefined),
    close: () => {
      closed++;
    },
  }));
  t.deepEqual(await Array.fromAsync(source), pairs as never);
  t.deepEqual(await source.schema(), { key: 'int64', value: 'utf8' });
  const many = Array.from({ length: 1000 }, (_, i) => [i, 'x'] as const);
  const arrays = [...mapped(many, undefined)];
  t.true(arrays.length > 1 && arrays.every(({ length }) => length <= 256));
  t.deepEqual(arrays.flat(), many as never);
  t.deepEqual((await Array.fromAsync(source[ROW_ARRAYS]())).flat(), pairs as never);
  t.is(closed, 3);
});
