/** Pieces of the report. */
import test from 'ava';
import fc from 'fast-check';
import { chart, evenTicks, powerTicks } from '../../bench/report/chart.ts';
import { escapeText, figure, short } from '../../bench/report/html.ts';
import { makeSet } from '../../bench/rmi/key-sets.ts';
import { ERROR_SPAN, pictureOf } from '../../bench/rmi/picture.ts';
import { trainSubject } from '../../bench/rmi/subject.ts';

test('figures are short, and say what they are', (t) => {
  t.is(short(0), '0');
  t.is(short(48_000), '48 k');
  t.is(short(-1.5e6), '−1.5 M');
  t.is(short(-(2 ** 63)), '−9.2·10¹⁸');
  t.is(short(1e20), '1·10²⁰');
  t.is(figure(12345.6), '12,346');
  t.is(figure(0.01234), '0.012');
  t.is(escapeText('<a & "b">'), '&lt;a &amp; &quot;b&quot;&gt;');
});

test('ticks are a few, even, and inside the axis', (t) => {
  fc.assert(
    fc.property(fc.double({ min: 1e-9, max: 1e18, noNaN: true }), (to) => {
      const ticks = evenTicks(0, to, String);
      const values = ticks.map(({ value }) => value);
      if (values.length < 3 || values.length > 7)
        throw new Error(`${values.length} ticks to ${to}`);
      if (values[0] !== 0 || values[values.length - 1] > to * 1.001)
        throw new Error(String(values));
    }),
  );
  t.deepEqual(
    powerTicks(0.005, 2, String).map(({ value }) => value),
    [0.01, 0.1, 1],
  );
});

test('a chart draws inside its axes, upward and to the right', (t) => {
  const axis = { label: 'l', from: 0, to: 10, ticks: [] };
  const svg = chart('T', 'c', axis, { ...axis, from: 1, to: 100, isLog: true }, (plot) => {
    t.is(plot.x(0), plot.left);
    t.is(plot.x(10), plot.right);
    t.is(plot.y(1), plot.bottom);
    t.is(plot.y(10), (plot.top + plot.bottom) / 2);
    return '<circle/>';
  });
  t.regex(svg, /<svg [^>]*aria-label="T\. c"[\s\S]*<circle\/>/);
});

for (const name of ['uniform', 'clusters', 'extremes', 'powers-of-two', 'nest']) {
  test(`the picture of "${name}" is of all its keys, and its leaves lie in their stretches`, (t) => {
    const set = makeSet(name, 5000);
    if (set.form === 'bytes') return t.fail();
    const [subject, { depth }] = trainSubject(set, 0);
    const { curve, levels, errors, typical, hardest } = pictureOf(subject);
    t.is(curve[0], 0);
    t.is(curve[curve.length - 1], 1);
    t.true(curve.every((x, i) => i === 0 || x >= curve[i - 1]));
    t.true(levels.every((level) => level >= 1 && level <= depth));
    t.is(errors.length, 2 * ERROR_SPAN + 1);
    t.is(
      errors.reduce((a, b) => a + b, 0),
      set.count,
    );
    for (const { keys, leaves } of [typical, hardest]) {
      t.true(leaves.length > 0);
      const last = keys[keys.length - 1];
      for (const { x, y, level } of leaves) {
        t.true(x[0] >= 0 && x[0] < x[1] && x[1] <= last, `${x} in ${last}`);
        t.true(y.every((position) => position >= 0 && position <= set.count));
        t.true(level >= 1 && level <= depth);
      }
    }
  });
}
