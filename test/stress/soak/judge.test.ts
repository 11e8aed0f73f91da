import test from 'ava';
import { seededRandom } from '../../../src/storage/model-file.ts';
import { passes, pointsOf, trendsOf, verdictOfTrend } from '../../../stress/soak/judge.ts';
import { type Sampled, SERIES_NAMES } from '../../../stress/soak/record.ts';

const HOUR_MS = 3_600_000;
const PHASES = ['grow', 'read', 'shrink', 'quiet'];

/** Two hours, four samples a minute, of memory that differs from phase to phase and grows so much an hour. */
function samplesOf(growth: number, lives = 1): Sampled[] {
  const random = seededRandom(17);
  return Array.from({ length: 480 * 2 }, (_, i) => {
    const atMs = (2 * HOUR_MS * i) / 960;
    const cycle = Math.floor(i / 8);
    const life = Math.floor((i * lives) / 960);
    const phase = Math.floor(i / 2) % 4;
    const level = 1e9 * (1 + 0.3 * phase) * (1 + 0.1 * life) * (1 + 0.01 * (random() - 0.5));
    const value = level * (1 + (growth * atMs) / HOUR_MS);
    return {
      atMs,
      phase: PHASES[phase],
      cycle,
      life,
      disturbed: i % 50 === 7,
      values: Object.fromEntries(SERIES_NAMES.map((name) => [name, value])),
      operationsPerSecond: 1,
      p50: [],
      p999: [],
      rows: 0,
    } as unknown as Sampled;
  });
}

function verdicts(samples: readonly Sampled[]): (boolean | null)[] {
  return trendsOf(samples, 2 * HOUR_MS).map(verdictOfTrend);
}

test('memory that comes back in each cycle does not grow, whatever the phases do', (t) => {
  t.true(verdicts(samplesOf(0)).every((holds) => holds === true));
});

test('a leak of two percent an hour is a broken promise, in one process and in several', (t) => {
  t.true(verdicts(samplesOf(0.02)).every((holds) => holds === false));
  const [inLives] = trendsOf(samplesOf(0.02, 2), 2 * HOUR_MS);
  t.true((inLives.slope?.lower ?? 0) > 0);
});

test('what faults disturbed is left out, and a visit of a phase is one point', (t) => {
  const samples = samplesOf(0).map((one) =>
    one.disturbed ? { ...one, values: { ...one.values, rss: 1e15 } } : one,
  );
  const points = pointsOf(samples, 'rss');
  t.true(points.every(({ value }) => value < 1e12));
  t.true(points.length <= 480);
});

test('of a short soak, what is not shown is no failure; of a long one it is', (t) => {
  t.true(verdicts(samplesOf(0).slice(0, 300)).every((holds) => holds === null));
  const verdict = { promise: '', figure: '', bound: '' };
  t.true(
    passes(
      [
        { ...verdict, holds: null },
        { ...verdict, holds: true },
      ],
      HOUR_MS,
    ),
  );
  t.false(passes([{ ...verdict, holds: null }], 2 * HOUR_MS));
  t.false(passes([{ ...verdict, holds: false }], HOUR_MS));
});
