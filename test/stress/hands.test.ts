import test from 'ava';
import { type Order, type Outcome, runOrders } from '../../stress/hands.ts';

function order(run: string, seed: number, cases: number): Order {
  return { run, seed, cases, replay: `replay ${seed}` };
}

/** What came of the orders, by seed. */
async function outcomesOf(jobs: number, orders: readonly Order[]): Promise<Outcome[]> {
  const left = [...orders];
  const outcomes: Outcome[] = [];
  await runOrders(
    jobs,
    () => left.shift() ?? null,
    (outcome) => outcomes.push(outcome),
  );
  return outcomes.sort((a, b) => a.seed - b.seed);
}

test('every seed is run once, whoever runs it', async (t) => {
  const orders = [1, 2, 3, 4, 5].map((seed) => order('crash A', seed, seed));
  const outcomes = await outcomesOf(2, orders);
  t.deepEqual(
    outcomes.map(({ seed, cases, failures }) => ({ seed, cases, failures })),
    orders.map(({ seed, cases }) => ({ seed, cases, failures: [] })),
  );
  t.true(outcomes.every(({ seconds }) => seconds > 0));
});

test('a process that ends by itself has failed at its seed, and another goes on', async (t) => {
  const outcomes = await outcomesOf(1, [order('no such run', 1, 1), order('crash A', 2, 1)]);
  const [failure] = outcomes[0].failures;
  t.deepEqual(failure, { replay: 'replay 1', error: 'The process ended with 1.' });
  t.deepEqual(outcomes[1].failures, []);
});
