/** A run against an earlier one: what is told as a change, and what as noise. */
import test from 'ava';
import {
  changesSince,
  mismatch,
  parseRun,
  showChanges,
  verdictOf,
} from '../../../bench/compare/against.ts';
import type { Cell } from '../../../bench/compare/run.ts';
import type { CompareRun } from '../../../bench/compare.ts';
import { random } from '../../../bench/engine/report.ts';

function runOf(cells: readonly Cell[]): CompareRun {
  return {
    ...{ format: 1, at: '2026-01-02T03:04:05Z', machine: {}, rows: 1000, rounds: 3, scale: 1 },
    ...{ engines: [], skipped: [], interrupted: false, cells },
  };
}

type Costs = Readonly<Record<string, readonly (number | null)[]>>;

function cellsOf(metric: string, costs: Costs): Cell[] {
  return Object.entries(costs).map(([engine, values]) => {
    return { kind: 'uniform', metric, engine: engine as Cell['engine'], costs: [...values] };
  });
}

function changeOf(metric: string, before: Costs, now: Costs) {
  const [change] = changesSince(runOf(cellsOf(metric, before)), runOf(cellsOf(metric, now)));
  return { ...change, verdict: verdictOf(change) };
}

test('a machine that is half as fast changes nothing, whoever is there to tell', (t) => {
  const before = { omendb: [100, 101, 99], lmdb: [500, 505, 495], calibration: [9, 9, 9] };
  const slow = { omendb: [200, 202, 198], lmdb: [1000, 1010, 990], calibration: [18, 18, 18] };
  const change = changeOf('get-hit', before, slow);
  t.is(change.verdict, 'same');
  t.is(change.by, 'peers');
  t.true(Math.abs(change.ratio - 1) < 1e-9);
  const { lmdb: _, ...alone } = before;
  const { lmdb: __, ...slowAlone } = slow;
  t.like(changeOf('get-hit', alone, slowAlone), { verdict: 'same', by: 'calibration' });
});

test('what is beyond noise is worse, or better, and what noise explains is neither', (t) => {
  const lmdb = [500, 505, 495];
  const quiet = { omendb: [100, 101, 99], lmdb };
  t.is(changeOf('get-hit', quiet, { omendb: [130, 131, 129], lmdb }).verdict, 'worse');
  t.is(changeOf('get-hit', { omendb: [130, 131, 129], lmdb }, quiet).verdict, 'better');
  t.is(changeOf('get-hit', quiet, { omendb: [106, 107, 105], lmdb }).verdict, 'same', 'too little');
  t.is(changeOf('get-hit', quiet, { omendb: [90, 130, 200], lmdb }).verdict, 'same', 'too noisy');
});

test('an engine that did not have every round is no measure', (t) => {
  const before = { omendb: [10, 10], leveldb: [50, null], lmdb: [20, 20] };
  const now = { omendb: [10, 10], leveldb: [500, null], lmdb: [20, 20] };
  t.is(changeOf('load-sorted', before, now).ratio, 1);
});

test('sizes are compared as they are, on disk to two percent', (t) => {
  const before = { omendb: [24], lmdb: [40] };
  t.like(changeOf('disk', before, { omendb: [25], lmdb: [42] }), {
    verdict: 'worse',
    by: 'itself',
  });
  t.is(changeOf('disk', before, { omendb: [24.3], lmdb: [40] }).verdict, 'same');
  t.is(changeOf('memory', before, { omendb: [25], lmdb: [40] }).verdict, 'same');
});

test('rounds that agree by chance do not make noise small', (t) => {
  const noisy = Array.from({ length: 5 }, (_, i) => 1 + 0.1 * i);
  const others = ['get-miss', 'get-many', 'range'].flatMap((metric) =>
    cellsOf(metric, { omendb: noisy, lmdb: [1, 1, 1, 1, 1] }),
  );
  const own = (cost: number) => cellsOf('get-hit', { omendb: [cost, cost], lmdb: [1, 1] });
  const changes = changesSince(runOf([...others, ...own(1)]), runOf([...others, ...own(1.3)]));
  t.deepEqual(changes.map(verdictOf), ['same', 'same', 'same', 'same']);
});

test('runs of one engine with the noise of a shared machine are hardly ever told apart', (t) => {
  const next = random(9);
  const noise = () => Math.exp(0.05 * (next() + next() + next() + next() - 2));
  const metrics = ['get-hit', 'get-miss', 'get-many', 'range', 'put', 'batch-100'];
  const make = () =>
    runOf(
      metrics.flatMap((metric) => {
        const machine = [0, 1, 2].map(() => 1 + next());
        return cellsOf(metric, {
          omendb: machine.map((factor) => 100 * factor * noise()),
          lmdb: machine.map((factor) => 500 * factor * noise()),
        });
      }),
    );
  const verdicts = Array.from({ length: 200 }, () => changesSince(make(), make()))
    .flat()
    .map(verdictOf);
  const wrong = verdicts.filter((verdict) => verdict !== 'same').length;
  t.true(wrong <= 0.005 * verdicts.length, `${wrong} of ${verdicts.length}`);
});

test('changes are shown with what was then, what is now, and the noise', (t) => {
  const base = runOf(cellsOf('get-hit', { omendb: [100, 100], lmdb: [500, 500] }));
  const run = runOf(cellsOf('get-hit', { omendb: [200, 200], lmdb: [500, 500] }));
  const text = showChanges(changesSince(base, run), base);
  t.regex(text, /2026-01-02 03:04: 1 worse, 0 better, 0 the same/);
  t.regex(text, /uniform keys, get, a hit +100 ns +200 ns +\+100 % +\+10 % +the other engines/);
});

test('a base is read from what --json wrote, and refused where it is something else', (t) => {
  const run = runOf([]);
  t.deepEqual(parseRun(JSON.stringify(run)), run);
  t.deepEqual(parseRun(JSON.stringify({ machine: 'm', compare: run })), run);
  for (const text of ['{}', 'null', '[]', '{"compare":{"format":2,"cells":[]}}']) {
    t.throws(() => parseRun(text), { message: /no comparison/ });
  }
  t.throws(() => parseRun('no json'));
  t.is(mismatch(run, run), null);
  t.regex(mismatch(run, { ...run, rows: 5 }) ?? '', /1,000 rows/);
  t.regex(mismatch(run, { ...run, scale: 0.5 }) ?? '', /another number/);
});
