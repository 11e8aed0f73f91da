import test from 'ava';
import { Walk } from '../../src/level/walk.ts';

/** Numbers from 1 on; fails at `failing`. Notes what is done with it, and refuses two steps at once. */
function numbers(last: number, failing = 0) {
  const steps: string[] = [];
  let at = 0;
  let isBusy = false;
  return {
    steps,
    async next(): Promise<number | undefined> {
      if (isBusy) throw new Error('It is busy.');
      isBusy = true;
      await undefined;
      isBusy = false;
      at++;
      if (at === failing) throw new Error('It fails.');
      return at <= last ? at : undefined;
    },
    async close(): Promise<void> {
      steps.push('close');
    },
  };
}

test('it gives every item, and closes the iterator once at the end', async (t) => {
  const iterator = numbers(3);
  const found: number[] = [];
  const walk = new Walk(iterator);
  for await (const one of walk) found.push(one);
  t.deepEqual(found, [1, 2, 3]);
  t.deepEqual(iterator.steps, ['close']);
  t.deepEqual(await walk.next(), { done: true, value: undefined });
  t.deepEqual(iterator.steps, ['close']);
});

test('a break, an error in the loop and one of the iterator close it, too', async (t) => {
  const left = numbers(3);
  for await (const _ of new Walk(left)) break;
  t.deepEqual(left.steps, ['close']);
  const thrown = numbers(3);
  const loop = async () => {
    for await (const _ of new Walk(thrown)) throw new Error('Enough.');
  };
  await t.throwsAsync(loop(), { message: 'Enough.' });
  t.deepEqual(thrown.steps, ['close']);
  const failing = new Walk(numbers(3, 2));
  t.deepEqual(await failing.next(), { done: false, value: 1 });
  await t.throwsAsync(failing.next(), { message: 'It fails.' });
  t.deepEqual(await failing.next(), { done: true, value: undefined });
  const told = numbers(3);
  await t.throwsAsync(new Walk(told).throw(new Error('From outside.')), {
    message: 'From outside.',
  });
  t.deepEqual(told.steps, ['close']);
});

test('steps that are not awaited follow each other', async (t) => {
  const walk = new Walk(numbers(2));
  const results = await Promise.all([walk.next(), walk.next(), walk.next(), walk.next()]);
  t.deepEqual(
    results.map(({ value }) => value),
    [1, 2, undefined, undefined],
  );
  const iterator = numbers(2);
  {
    await using disposed = new Walk(iterator);
    await disposed.next();
  }
  t.deepEqual(iterator.steps, ['close']);
});
