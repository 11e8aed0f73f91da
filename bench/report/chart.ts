/** A chart: axes with ticks around what a caller draws inside. All are of one size, so that text is. */
import { at, escapeText } from './html.ts';

const WIDTH = 400;
const HEIGHT = 290;
const LEFT = 52;
const RIGHT = 14;
const TOP = 12;
const BOTTOM = 40;

/** Keeps what is drawn with `clip-path="url(#plot)"` inside the axes of its chart. */
export const CLIP = `<clipPath id="plot"><rect x="${LEFT}" y="${TOP}" width="${WIDTH - LEFT - RIGHT}" height="${HEIGHT - TOP - BOTTOM}"/></clipPath>`;

export interface Axis {
  readonly label: string;
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly { readonly value: number; readonly text: string }[];
  readonly isLog?: boolean;
}

/** Places in the drawing. */
export interface Plot {
  x(value: number): number;
  y(value: number): number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export function chart(
  title: string,
  caption: string,
  x: Axis,
  y: Axis,
  draw: (plot: Plot) => string,
): string {
  const plot: Plot = {
    left: LEFT,
    right: WIDTH - RIGHT,
    top: TOP,
    bottom: HEIGHT - BOTTOM,
    x: scale(x, LEFT, WIDTH - RIGHT),
    y: scale(y, HEIGHT - BOTTOM, TOP),
  };
  const rows = y.ticks.map(({ value, text }) => {
    const place = at(plot.y(value));
    return `<line class="grid" x1="${plot.left}" x2="${plot.right}" y1="${place}" y2="${place}"/><text x="${plot.left - 6}" y="${place}" dy=".32em" text-anchor="end">${escapeText(text)}</text>`;
  });
  const columns = x.ticks.map(({ value, text }, i) => {
    const place = at(plot.x(value));
    const isLast = i === x.ticks.length - 1 && plot.x(value) > plot.right - 20;
    const anchor = isLast ? 'end' : plot.x(value) < plot.left + 20 ? 'start' : 'middle';
    return `<line class="grid" x1="${place}" x2="${place}" y1="${plot.top}" y2="${plot.bottom}"/><text x="${place}" y="${plot.bottom + 16}" text-anchor="${anchor}">${escapeText(text)}</text>`;
  });
  return `<figure>
<figcaption><b>${escapeText(title)}</b> ${escapeText(caption)}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeText(`${title}. ${caption}`)}">
${rows.join('')}${columns.join('')}
<text class="axis" x="${(plot.left + plot.right) / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escapeText(x.label)}</text>
<text class="axis" transform="translate(9 ${(plot.top + plot.bottom) / 2}) rotate(-90)" text-anchor="middle">${escapeText(y.label)}</text>
${draw(plot)}
</svg>
</figure>`;
}

function scale({ from, to, isLog }: Axis, start: number, end: number): (value: number) => number {
  const on = isLog ? Math.log10 : (value: number) => value;
  const span = on(to) - on(from) || 1;
  return (value) => start + ((on(value) - on(from)) / span) * (end - start);
}

/** Some five round values. */
export function evenTicks(from: number, to: number, text: (value: number) => string) {
  const rough = (to - from) / 5 || 1;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((factor) => factor * unit >= rough) ?? 10) * unit;
  const ticks: { value: number; text: string }[] = [];
  for (let value = Math.ceil(from / step) * step; value <= to * (1 + 1e-9); value += step) {
    ticks.push({ value, text: text(value) });
  }
  return ticks;
}

/** The powers of ten within a range. */
export function powerTicks(from: number, to: number, text: (value: number) => string) {
  const ticks: { value: number; text: string }[] = [];
  for (let power = Math.ceil(Math.log10(from) - 1e-9); 10 ** power <= to * 1.000001; power++) {
    ticks.push({ value: 10 ** power, text: text(10 ** power) });
  }
  return ticks;
}

/** A line through points. */
export function path(points: readonly (readonly [number, number])[]): string {
  return points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${at(x)} ${at(y)}`).join('');
}
