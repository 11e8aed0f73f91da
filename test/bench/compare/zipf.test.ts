/** Requests by Zipf's law, against the law itself. */
import test from 'ava';
import { latest, scrambled, THETA, Zipf } from '../../../bench/compare/zipf.ts';
import { random } from '../../../bench/engine/report.ts';

const ITEMS = 1000;
const DRAWS = 400_000;

function countsOf(zipf: Zipf, draws: number): Float64Array {
  const next = random(3);
  const counts = new Float64Array(zipf.items);
  for (let i = 0; i < draws; i++) counts[zipf.rank(next())]++;
  return counts;
}

/** How often a rank comes by the law. */
function shares(items: number): number[] {
  const weights = Array.from({ length: items }, (_, i) => 1 / (i + 1) ** THETA);
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

test('the first two ranks come as often as the law says, and so do tenfold stretches', (t) => {
  const counts = countsOf(new Zipf(ITEMS, THETA), DRAWS);
  const law = shares(ITEMS);
  // The paper's formula is exact for the first two, and an approximation of the others.
  for (const rank of [0, 1]) {
    const share = counts[rank] / DRAWS;
    t.true(Math.abs(share / law[rank] - 1) < 0.02, `rank ${rank}: ${share} for ${law[rank]}`);
  }
  for (const [from, to] of [
    [0, 10],
    [10, 100],
    [100, 1000],
  ]) {
    const drawn = counts.slice(from, to).reduce((a, b) => a + b, 0) / DRAWS;
    const wanted = law.slice(from, to).reduce((a, b) => a + b, 0);
    t.true(Math.abs(drawn / wanted - 1) < 0.15, `ranks ${from} to ${to}: ${drawn} for ${wanted}`);
  }
});

test('every draw is a rank, at both ends of the dice and with few items', (t) => {
  for (const items of [1, 2, 3, 1000]) {
    const zipf = new Zipf(items);
    for (const dice of [0, 0.5, 1 - 2 ** -53]) {
      const rank = zipf.rank(dice);
      t.true(Number.isInteger(rank) && rank >= 0 && rank < items, `${rank} of ${items}`);
    }
  }
});

test('what grew is what was made at once', (t) => {
  const grown = new Zipf(10);
  grown.grow(500);
  grown.grow(20);
  t.is(grown.items, 500);
  t.deepEqual(countsOf(grown, 5000), countsOf(new Zipf(500), 5000));
});

test('popular rows are scattered, or are the latest', (t) => {
  const places = [0, 1, 2, 3].map((rank) => scrambled(rank, 1_000_000));
  t.is(new Set(places).size, 4);
  t.true(Math.max(...places) - Math.min(...places) > 1000);
  t.is(latest(0, 50), 49);
  t.is(latest(49, 50), 0);
});
