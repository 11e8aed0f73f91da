/** What rounds come to. */
import test from 'ava';
import {
  bestOf,
  duration,
  figureOf,
  linesOf,
  ratioOf,
  shown,
  times,
} from '../../../bench/compare/figures.ts';
import { METRIC_NAMES, METRICS, metricsOf } from '../../../bench/compare/metrics.ts';
import { type Cell, throwUnlessEqual } from '../../../bench/compare/run.ts';
import { TASKS } from '../../../bench/compare/tasks.ts';

test('a figure is the median, its spread what lies between the quartiles', (t) => {
  t.deepEqual(figureOf([30, null, 10, 20, 40, 50]), { cost: 30, spread: 20 / 30, rounds: 5 });
  t.deepEqual(figureOf([7, null]), { cost: 7, spread: null, rounds: 1 });
  t.is(figureOf([null]), null);
});

test('a ratio is taken round by round: what slowed both down is not in it', (t) => {
  t.deepEqual(ratioOf([2, 20, 200], [1, 10, 100]), { cost: 2, spread: 0, rounds: 3 });
  t.deepEqual(ratioOf([2, 20], [null, 5]), { cost: 4, spread: null, rounds: 1 });
  t.is(ratioOf([2], [0]), null);
});

test('lines are in the order of tables, and the best keeps its data', (t) => {
  const cell = (metric: string, engine: Cell['engine'], cost: number): Cell => {
    return { kind: 'uniform', metric, engine, costs: [cost] };
  };
  const lines = linesOf([
    cell('get-hit', 'map', 1),
    cell('get-hit', 'lmdb', 3),
    cell('get-hit', 'omendb', 2),
    cell('load-sorted', 'omendb', 5),
    cell('put', 'calibration', 5),
  ]);
  t.deepEqual(
    lines.map(({ metric }) => metric),
    ['load-sorted', 'get-hit'],
  );
  t.is(bestOf(lines[1], new Set(['map'])), 'omendb');
  t.is(bestOf(lines[1], new Set(['map', 'omendb', 'lmdb'])), null);
});

test('figures have units that people read', (t) => {
  t.is(shown('load-sorted', 100), '10 M/s');
  t.is(shown('put', 250_000), '4 k/s');
  t.is(shown('get-hit', 158.4), '158 ns');
  t.is(shown('disk', 24.04), '24 B/row');
  t.is(duration(1_234_000), '1.23 ms');
  t.is(duration(12_340), '12.3 µs');
  t.is(duration(2.5e9), '2.5 s');
  t.deepEqual([0.0412, 1.534, 31.2, 1234].map(times), ['0.041', '1.53', '31', '1,234']);
});

test('every task is a metric, groups name several, and what a kind of keys cannot do is left out', (t) => {
  t.deepEqual(
    Object.keys(TASKS).filter((task) => !(task in METRICS)),
    [],
  );
  t.deepEqual(metricsOf('sequential', ['get', 'ycsb']), ['get-hit', 'get-miss', 'get-many']);
  t.deepEqual(metricsOf('strings', ['aggregate', 'put-durable']), ['put-durable']);
  t.true(metricsOf('strings', undefined).includes('ycsb-f'));
  t.false(metricsOf('uniform', undefined).includes('ycsb-f'));
  t.is(new Set(METRIC_NAMES).size, METRIC_NAMES.length);
});

test('who answers otherwise than most is named', (t) => {
  t.notThrows(() =>
    throwUnlessEqual(
      'get',
      new Map([
        ['A', '1'],
        ['B', '1'],
      ]),
    ),
  );
  t.throws(
    () =>
      throwUnlessEqual(
        'get',
        new Map([
          ['A', '1'],
          ['B', '2'],
          ['C', '1'],
        ]),
      ),
    { name: 'Disqualified', message: 'get: most engines answered 1, B answered 2.' },
  );
});
