/** Marks of series: never the colour alone tells one from another. */
import { at } from './html.ts';

export type Shape = (x: number, y: number) => string;

export const MARKS = {
  circle: (x, y) => `<circle cx="${at(x)}" cy="${at(y)}" r="4.5"/>`,
  square: (x, y) => `<rect x="${at(x - 3.5)}" y="${at(y - 3.5)}" width="7" height="7"/>`,
  diamond: (x, y) =>
    polygon([
      [x, y - 5],
      [x + 5, y],
      [x, y + 5],
      [x - 5, y],
    ]),
  up: (x, y) =>
    polygon([
      [x, y - 4.5],
      [x + 4.5, y + 3.5],
      [x - 4.5, y + 3.5],
    ]),
  down: (x, y) =>
    polygon([
      [x - 4.5, y - 3.5],
      [x + 4.5, y - 3.5],
      [x, y + 4.5],
    ]),
  hexagon: (x, y) =>
    polygon([
      [x - 5, y],
      [x - 2.5, y - 4.3],
      [x + 2.5, y - 4.3],
      [x + 5, y],
      [x + 2.5, y + 4.3],
      [x - 2.5, y + 4.3],
    ]),
  bar: (x, y) => `<rect x="${at(x - 1.75)}" y="${at(y - 5)}" width="3.5" height="10"/>`,
} satisfies Readonly<Record<string, Shape>>;

function polygon(points: readonly (readonly [number, number])[]): string {
  return `<polygon points="${points.map(([x, y]) => `${at(x)},${at(y)}`).join(' ')}"/>`;
}

/** A mark by itself, for a legend. */
export function signOf(name: string, shape: Shape): string {
  return `<svg class="mark" viewBox="-7 -7 14 14" aria-hidden="true"><g class="design ${name}">${shape(0, 0)}</g></svg>`;
}
