/** All figures of a set of keys at a glance: how many times what OmenDB takes each engine takes. */
import type { CompareRun } from '../../compare.ts';
import { at, escapeText } from '../../report/html.ts';
import { MARKS, type Shape, signOf } from '../../report/marks.ts';
import type { EngineName } from '../engine.ts';
import { type Figure, type Line, ratioOf, times } from '../figures.ts';
import { METRICS } from '../metrics.ts';
import { titleOf } from '../show.ts';

const SHAPES: Readonly<Record<EngineName, Shape>> = {
  omendb: MARKS.circle,
  lmdb: MARKS.square,
  leveldb: MARKS.diamond,
  sqlite: MARKS.up,
  duckdb: MARKS.down,
  btree: MARKS.hexagon,
  map: MARKS.bar,
};

const WIDTH = 860;
const LEFT = 230;
const RIGHT = 20;
const TOP = 26;
const ROW = 21;
const BOTTOM = 34;

interface Mark {
  readonly name: EngineName;
  readonly title: string;
  readonly ratio: Figure;
}

export function ratioChart({ engines }: CompareRun, lines: readonly Line[]): string {
  const rows = lines.map((line) => ({ line, marks: marksOf(engines, line) }));
  const ratios = rows.flatMap(({ marks }) => marks.map(({ ratio }) => ratio.cost));
  if (ratios.length === 0) return '';
  const from = 10 ** Math.floor(Math.log10(Math.min(0.5, ...ratios)));
  const to = 10 ** Math.ceil(Math.log10(Math.max(2, ...ratios)));
  const height = TOP + ROW * rows.length + BOTTOM;
  const x = (ratio: number): number =>
    LEFT +
    ((WIDTH - LEFT - RIGHT) * (Math.log10(ratio) - Math.log10(from))) / Math.log10(to / from);
  const bottom = height - BOTTOM;
  const caption =
    'How many times what OmenDB takes: to the right of the line OmenDB is the better. A logarithmic scale.';
  return `<figure>
<figcaption><b>At a glance.</b> ${escapeText(caption)}</figcaption>
<div class="scroll"><svg class="wide" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeText(caption)}">
${rows.map(({ line }, i) => rowOf(line, i)).join('')}
${ticks(from, to).map(tick).join('')}
<line class="even" x1="${at(x(1))}" x2="${at(x(1))}" y1="${TOP - 6}" y2="${bottom}"/>
<text x="${at(x(1))}" y="${TOP - 12}" text-anchor="middle">OmenDB</text>
${rows.map(({ line, marks }, i) => marks.map((mark) => markOf(line, mark, i)).join('')).join('\n')}
</svg></div>
${legend(engines, rows)}
</figure>`;

  function rowOf({ metric }: Line, i: number): string {
    const y = TOP + ROW * i;
    const stripe =
      i % 2 === 0
        ? `<rect class="stripe" x="0" y="${y}" width="${WIDTH - RIGHT}" height="${ROW}" rx="3"/>`
        : '';
    return `${stripe}<text class="name" x="8" y="${y + ROW / 2}" dy=".35em">${escapeText(METRICS[metric].title)}</text>`;
  }

  function tick(value: number): string {
    const place = at(x(value));
    return `<line class="grid" x1="${place}" x2="${place}" y1="${TOP}" y2="${bottom}"/><text x="${place}" y="${bottom + 16}" text-anchor="middle">${times(value)}×</text>`;
  }

  function markOf({ metric }: Line, { name, title, ratio }: Mark, i: number): string {
    const y = TOP + ROW * (i + 0.5);
    const half = (ratio.spread ?? 0) / 2;
    const ends = [ratio.cost / (1 + half), ratio.cost * (1 + half)].map((end) =>
      at(x(Math.min(to, Math.max(from, end)))),
    );
    const said = `${title}, ${METRICS[metric].title}: ${times(ratio.cost)} times`;
    return `<g class="design ${name}"><title>${escapeText(said)}</title><line class="unsure" x1="${ends[0]}" x2="${ends[1]}" y1="${at(y)}" y2="${at(y)}"/>${SHAPES[name](x(ratio.cost), y)}</g>`;
  }
}

function marksOf(engines: CompareRun['engines'], { of }: Line): Mark[] {
  const ours = of.get('omendb')?.costs;
  if (ours === undefined) return [];
  return engines.flatMap((engine) => {
    const { name } = engine;
    const costs = name === 'omendb' ? undefined : of.get(name)?.costs;
    const ratio = costs === undefined ? null : ratioOf(costs, ours);
    return ratio === null || ratio.cost <= 0 ? [] : [{ name, title: titleOf(engine), ratio }];
  });
}

function ticks(from: number, to: number): number[] {
  const count = Math.round(Math.log10(to / from));
  return Array.from({ length: count + 1 }, (_, i) => from * 10 ** i);
}

function legend(
  engines: CompareRun['engines'],
  rows: readonly { readonly marks: readonly Mark[] }[],
): string {
  const shown = engines.filter(({ name }) =>
    rows.some(({ marks }) => marks.some((mark) => mark.name === name)),
  );
  const entries = shown.map(
    (engine) =>
      `<span>${signOf(engine.name, SHAPES[engine.name])}${escapeText(titleOf(engine))}</span>`,
  );
  return `<p class="legend">${entries.join('')}</p>`;
}
