/** The comparison as tables on a terminal: one for each set of keys, engines side by side. */

import type { CompareRun } from '../compare.ts';
import { count, table } from '../engine/report.ts';
import type { EngineName } from './engine.ts';
import { bestOf, figureOf, type Line, linesOf, ratioOf, shown, times } from './figures.ts';
import { METRICS } from './metrics.ts';
import { ABOUT_KEYS, KEY_KINDS } from './rows.ts';

const NONE = '–';

export function show(run: CompareRun): string {
  const lines = linesOf(run.cells);
  const parts = KEY_KINDS.flatMap((kind) => {
    const own = lines.filter((line) => line.kind === kind);
    if (own.length === 0) return [];
    return [`${kind} keys: ${ABOUT_KEYS[kind]}; ${count(run.rows)} rows`, tableOf(run, own), ''];
  });
  return [...parts, ...notes(run)].join('\n');
}

function tableOf({ engines }: CompareRun, lines: readonly Line[]): string {
  const present = engines.filter(({ name }) => lines.some(({ of }) => of.has(name)));
  const inMemory = inMemoryOf(engines);
  return table(
    ['', ...present.map(titleOf)],
    lines.map((line) => {
      const best = bestOf(line, inMemory);
      return [
        METRICS[line.metric].title,
        ...present.map(({ name }) => cellOf(line, name, best === name)),
      ];
    }),
  );
}

/** Those that keep nothing are marked. */
export function titleOf({ title, inMemory }: CompareRun['engines'][number]): string {
  return inMemory ? `${title}°` : title;
}

export function inMemoryOf(engines: CompareRun['engines']): ReadonlySet<EngineName> {
  return new Set(engines.filter(({ inMemory }) => inMemory).map(({ name }) => name));
}

/** "* 158 ns ±3 % (1.0×)": whether it is the best, its median, its spread, its cost in ours. */
function cellOf({ metric, of }: Line, name: EngineName, isBest: boolean): string {
  const costs = of.get(name)?.costs;
  const figure = costs === undefined ? null : figureOf(costs);
  if (costs === undefined || figure === null) return NONE;
  const spread = figure.spread === null ? '' : ` ±${Math.round(50 * figure.spread)}%`;
  const ours = of.get('omendb')?.costs;
  const ratio = name === 'omendb' || ours === undefined ? null : ratioOf(costs, ours);
  const compared = ratio === null || ratio.cost <= 0 ? '' : ` ${times(ratio.cost)}×`;
  return `${isBest ? '* ' : ''}${shown(metric, figure.cost)}${spread}${compared}`;
}

function notes({ engines, skipped, interrupted, rounds, rows }: CompareRun): string[] {
  return [
    `Medians of up to ${rounds} rounds in which the engines take turns; ± half of what lies between the quartiles;`,
    '×: how many times what OmenDB takes (above 1: OmenDB is the better). * is the best of those that keep data;',
    '° is in memory alone.',
    `Engines: ${engines.map(({ title, version }) => `${title} ${version}`).join(', ')}.`,
    ...skipped.map(({ title, why }) => `Without ${title}: ${why}`),
    ...(interrupted
      ? [`Interrupted: what is missing was not measured (${count(rows)} rows).`]
      : []),
  ];
}
