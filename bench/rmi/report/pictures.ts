/** Charts of a set and of the model over it. */

import { chart, evenTicks, type Plot, path } from '../../report/chart.ts';
import { at, escapeText, short } from '../../report/html.ts';
import type { Picture, Stretch } from '../picture.ts';
import { ERROR_SPAN } from '../picture.ts';

const percent = (share: number): string => `${Math.round(100 * share)} %`;
const SHARES = [0, 0.25, 0.5, 0.75, 1];
const LEVELS_WIDTH = 10;

export function curveChart({ curve, levels, first, last }: Picture): string {
  const steps = curve.length - 1;
  const deepest = Math.max(...levels);
  return chart(
    'Where the keys are.',
    `The bar tells in how many levels the model reaches them, on average: ${spanOf(levels)}.`,
    {
      label: 'key, as a share of the range',
      from: 0,
      to: 1,
      ticks: [
        { value: 0, text: first },
        { value: 0.5, text: '50 %' },
        { value: 1, text: last },
      ],
    },
    {
      label: 'keys below',
      from: 0,
      to: 1,
      ticks: SHARES.map((value) => ({ value, text: percent(value) })),
    },
    (plot) => {
      const points = curve.map((x, i): [number, number] => [plot.x(x), plot.y(i / steps)]);
      const area = `${path(points)}L${plot.right} ${plot.bottom}L${plot.left} ${plot.bottom}Z`;
      return `${levelBar(levels, deepest, plot)}<path class="area" d="${area}"/><path class="line" d="${path(points)}"/>`;
    },
  );
}

function spanOf(levels: readonly number[]): string {
  const low = Math.floor(Math.min(...levels));
  const high = Math.ceil(Math.max(...levels));
  return low === high ? `${low}` : `${low} to ${high}`;
}

/** Along the right side, by rank: the darker, the deeper. */
function levelBar(levels: readonly number[], deepest: number, plot: Plot): string {
  const yOf = (step: number): number =>
    plot.bottom - (step / levels.length) * (plot.bottom - plot.top);
  const strengths = levels.map((level) =>
    deepest <= 1 ? 0.25 : Number((0.15 + (0.85 * (level - 1)) / (deepest - 1)).toFixed(2)),
  );
  let bar = '';
  for (let step = 0; step < levels.length; ) {
    let end = step + 1;
    while (end < levels.length && strengths[end] === strengths[step]) end++;
    const height = yOf(step) - yOf(end);
    bar += `<rect class="level" x="${plot.right + 2}" width="${LEVELS_WIDTH}" y="${at(yOf(end))}" height="${at(height)}" opacity="${strengths[step]}"/>`;
    step = end;
  }
  return bar;
}

export function errorChart({ errors, errorMean }: Picture, windowMax: number): string {
  const total = errors.reduce((sum, count) => sum + count, 0);
  const largest = Math.max(...errors) / total;
  const ticks = [-ERROR_SPAN, -16, 0, 16, ERROR_SPAN].map((value) => {
    const bound = value === -ERROR_SPAN ? '≤ ' : value === ERROR_SPAN ? '≥ ' : '';
    return { value, text: `${bound}${short(value)}` };
  });
  return chart(
    'How far off predictions are.',
    `${Number(errorMean.toPrecision(2))} positions on average; no window is wider than ${windowMax}.`,
    { label: 'prediction − position', from: -ERROR_SPAN - 0.5, to: ERROR_SPAN + 0.5, ticks },
    {
      label: 'share of keys',
      from: 0,
      to: largest,
      ticks: evenTicks(0, largest, (share) => `${Number((100 * share).toPrecision(2))} %`),
    },
    (plot) =>
      errors
        .map((count, i) => {
          if (count === 0) return '';
          const error = i - ERROR_SPAN;
          const x = plot.x(error - 0.5);
          const y = Math.min(plot.y(count / total), plot.bottom - 0.6);
          const title = `${error}: ${count.toLocaleString('en')} keys`;
          return `<rect class="bar" x="${at(x + 0.4)}" width="${at(plot.x(error + 0.5) - x - 0.8)}" y="${at(y)}" height="${at(plot.bottom - y)}"><title>${escapeText(title)}</title></rect>`;
        })
        .join(''),
  );
}

export function stretchChart(title: string, { from, keys, leaves }: Stretch): string {
  const last = keys[keys.length - 1] || 1;
  return chart(
    title,
    `${keys.length} keys from the ${(from + 1).toLocaleString('en')}th on: dots are keys, lines are leaves of the model.`,
    {
      label: 'distance of the key',
      from: 0,
      to: last,
      ticks: evenTicks(0, last, short),
    },
    {
      label: 'position',
      from: -1,
      to: keys.length,
      ticks: evenTicks(0, keys.length, (value) => `+${value}`),
    },
    (plot) => {
      const bands = leaves.map(({ x }, i) => {
        const [start, end] = x.map(plot.x);
        return i % 2 === 0
          ? ''
          : `<rect class="band" x="${at(start)}" width="${at(end - start)}" y="${plot.top}" height="${plot.bottom - plot.top}"/>`;
      });
      const lines = leaves.map(({ x, y, level }) => {
        const [x1, x2] = x.map(plot.x);
        const [y1, y2] = y.map((position) => plot.y(position - from));
        return `<line class="leaf" x1="${at(x1)}" x2="${at(x2)}" y1="${at(y1)}" y2="${at(y2)}"><title>leaf at level ${level}</title></line>`;
      });
      const dots = keys.map(
        (x, i) => `<circle class="key" r="1.5" cx="${at(plot.x(x))}" cy="${at(plot.y(i))}"/>`,
      );
      return `<g>${bands.join('')}</g><g clip-path="url(#plot)">${lines.join('')}</g>${dots.join('')}`;
    },
  );
}
