import test from 'ava';
import { seededRandom } from '../../../src/storage/model-file.ts';
import { medianOf, normalQuantile, type Point, theilSen } from '../../../stress/soak/slope.ts';

/** Two hours of a series around 100 that grows so much an hour, with so much noise (standard deviation). */
function series(seed: number, growth: number, noise: number, count = 120): Point[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const at = (2 * i) / count;
    // Box and Muller.
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return { at, value: 100 + growth * at + noise * normal, stratum: 'one' };
  });
}

const LEVEL = 0.999;

test('a leak of two percent an hour is found in noise', (t) => {
  for (let seed = 1; seed <= 40; seed++) {
    const slope = theilSen(series(seed, 2, 1.5), LEVEL);
    t.true(slope !== null && slope.upper > 1 && slope.lower > 0, `seed ${seed}`);
    t.true(Math.abs((slope?.median ?? 0) - 2) < 1, `seed ${seed}`);
  }
});

test('noise alone is no leak, and stays under one percent an hour', (t) => {
  let grows = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const slope = theilSen(series(seed, 0, 0.6), LEVEL);
    t.true(slope !== null && slope.upper < 1, `seed ${seed}`);
    if ((slope?.lower ?? 0) > 0) grows++;
  }
  t.true(grows <= 2, `${grows} of 200 were said to grow`);
});

test('outliers do not move it', (t) => {
  const points = series(7, 0, 1).map((point, i) =>
    i % 5 === 0 ? { ...point, value: 10_000 * i } : point,
  );
  t.true(Math.abs(theilSen(points, LEVEL)?.median ?? 99) < 2);
});

test('what lies between strata is not growth, what lies within them is', (t) => {
  const steps = series(3, 0, 0.5).map((point) => {
    const step = Math.floor(point.at * 4);
    return { ...point, value: point.value + 50 * step, stratum: `life ${step}` };
  });
  t.true(Math.abs(theilSen(steps, LEVEL)?.median ?? 99) < 2);
  const saw = steps.map((point) => ({ ...point, value: 30 * (point.at % 0.25) }));
  t.true((theilSen(saw, LEVEL)?.lower ?? 0) > 25);
});

test('of too few points nothing is said', (t) => {
  t.is(theilSen([], LEVEL), null);
  t.is(theilSen(series(1, 0, 1, 2), LEVEL), null);
  const few = theilSen(series(1, 0, 1, 4), LEVEL);
  t.is(few?.upper, Number.POSITIVE_INFINITY);
});

test('medians and quantiles are those of the tables', (t) => {
  t.is(medianOf([3, 1, 2]), 2);
  t.is(medianOf([4, 1, 2, 3]), 2.5);
  t.true(Number.isNaN(medianOf([])));
  for (const [p, z] of [
    [0.5, 0],
    [0.95, 1.6448536],
    [0.99, 2.3263479],
    [0.999, 3.0902323],
    [0.01, -2.3263479],
  ])
    t.true(Math.abs(normalQuantile(p) - z) < 1e-6, `${p}`);
});
