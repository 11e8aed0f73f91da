/** Size against time: every contender in all its sizes. */

import { chart, evenTicks, type Plot, path, powerTicks } from '../../report/chart.ts';
import { at, escapeText, figure } from '../../report/html.ts';
import { MARKS, type Shape, signOf } from '../../report/marks.ts';
import type { Design } from '../contenders/field.ts';
import type { IndexResult, RivalFigures } from '../measure-set.ts';
import { DESIGNS, SEARCHES } from '../names.ts';

/** Never the colour alone: each design has a shape of its own. */
const SHAPES: Readonly<Record<Exclude<Design, 'binary'>, Shape>> = {
  omendb: MARKS.circle,
  'rmi-linear': MARKS.square,
  'rmi-cubic': MARKS.diamond,
  radix: MARKS.up,
  pgm: MARKS.down,
};

const DRAWN = Object.keys(SHAPES) as (keyof typeof SHAPES)[];

export function tradeOffChart({ training, rivals }: IndexResult): string {
  const sizes = rivals.flatMap(({ bytes }) => (bytes > 0 ? [bytes / training.keys] : []));
  const from = Math.min(...sizes) / 1.3;
  const to = Math.max(...sizes) * 1.3;
  const slowest = Math.max(...rivals.map(({ ns }) => ns)) * 1.08;
  return chart(
    'Size against time.',
    'Down and to the left is better.',
    {
      label: 'bytes a key',
      from,
      to,
      ticks: powerTicks(from, to, (value) => String(Number(value.toPrecision(1)))),
      isLog: true,
    },
    { label: 'ns a look-up', from: 0, to: slowest, ticks: evenTicks(0, slowest, figure) },
    (plot) => {
      const binary = rivals.find(({ design }) => design === 'binary');
      // Ours is drawn last, over the others.
      const series = DRAWN.toReversed().map((design) => {
        const points = rivals
          .filter((rival) => rival.design === design)
          .sort((a, b) => a.bytes - b.bytes);
        return seriesOf(design, points, training.keys, plot);
      });
      return `${binary === undefined ? '' : level(binary.ns, plot)}${series.join('')}`;
    },
  );
}

function level(ns: number, plot: Plot): string {
  const y = at(plot.y(ns));
  return `<line class="binary" x1="${plot.left}" x2="${plot.right}" y1="${y}" y2="${y}"/><text x="${plot.right}" y="${y}" dy="-4" text-anchor="end">binary search</text>`;
}

function seriesOf(
  design: keyof typeof SHAPES,
  points: readonly RivalFigures[],
  keys: number,
  plot: Plot,
): string {
  if (points.length === 0) return '';
  const places = points.map(({ bytes, ns }): [number, number] => [
    plot.x(bytes / keys),
    plot.y(ns),
  ]);
  const marks = points.map(({ size, bytes, ns, search }, i) => {
    const title = `${DESIGNS[design]}, ${size}: ${figure(ns)} ns, ${figure(bytes / keys)} bytes a key, searched ${SEARCHES[search]}`;
    return `<g><title>${escapeText(title)}</title>${SHAPES[design](...places[i])}</g>`;
  });
  return `<g class="design ${design}"><path d="${path(places)}"/>${marks.join('')}</g>`;
}

/** What the shapes and colours mean. */
export function legend(): string {
  const entries = DRAWN.map(
    (design) => `<span>${signOf(design, SHAPES[design])}${DESIGNS[design]}</span>`,
  );
  return `<p class="legend">${entries.join('')}</p>`;
}
