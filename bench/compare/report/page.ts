/** The comparison as a page: what was run where, then each set of keys, at a glance, in a table and in bars. */

import type { CompareRun } from '../../compare.ts';
import { count } from '../../engine/report.ts';
import { escapeText } from '../../report/html.ts';
import { type Bar, bars, card, factList, page } from '../../report/parts.ts';
import { bestOf, figureOf, type Line, linesOf, ratioOf, shown, times } from '../figures.ts';
import { METRICS } from '../metrics.ts';
import { ABOUT_KEYS, KEY_KINDS, type KeyKind } from '../rows.ts';
import { inMemoryOf, titleOf } from '../show.ts';
import { ratioChart } from './ratio-chart.ts';

const TITLE = 'OmenDB beside other engines';

export function reportOf(run: CompareRun): string {
  const lines = linesOf(run.cells);
  const sections = KEY_KINDS.flatMap((kind) => {
    const own = lines.filter((line) => line.kind === kind);
    return own.length === 0 ? [] : [sectionOf(run, kind, own)];
  });
  return page(TITLE, [header(run), ...sections, setups(run)].join('\n'));
}

function header({ at, machine, rows, rounds, engines, skipped, interrupted }: CompareRun): string {
  const facts = {
    ...machine,
    'rows of each engine': count(rows),
    'rounds, at most': String(rounds),
    measured: at.slice(0, 16).replace('T', ' '),
  };
  const missing = skipped.map(({ title, why }) => `Without ${title}: ${why}`);
  if (interrupted) missing.push('The run was interrupted: what is missing was not measured.');
  return `<header>
<h1>${TITLE}</h1>
<p class="lead">The same rows and the same requests for ${engines.length} engines, in turns of one run, each set up as its friends would. Every answer was checked, and compared with the others'.</p>
${factList(facts)}
<p>To reproduce it, from a clone: <code>${unbroken(`npm run bench -- --rows ${rows} --rounds ${rounds} --report`)}</code></p>
<p class="soft">Figures are medians of rounds in which the engines take turns, another one first each time; each has a process of its own. ± is half of what lies between the quartiles, and × how many times what OmenDB takes, a median of what it was in each round. Reads are of compacted databases whose files are in the page cache. Engines with a ° are in memory alone, there to compare with: they keep nothing. A machine that is shared moves all figures: trust the ratios.</p>
${missing.map((text) => `<p>${escapeText(text)}</p>`).join('')}
</header>`;
}

/** A line breaks between words of a command, not behind the first dash of an option. */
function unbroken(command: string): string {
  return command
    .split(' ')
    .map((word) => `<span class="word">${escapeText(word)}</span>`)
    .join(' ');
}

function sectionOf(run: CompareRun, kind: KeyKind, lines: readonly Line[]): string {
  return `<section id="${kind}">
<h2>${kind} keys</h2>
<p class="soft">${escapeText(ABOUT_KEYS[kind])} · ${count(run.rows)} rows</p>
${ratioChart(run, lines)}
<details open><summary>All figures</summary>
${tableOf(run, lines)}</details>
<details><summary>One by one</summary>
<div class="charts">
${lines.map((line) => barsOf(run, line)).join('\n')}
</div></details>
</section>`;
}

function tableOf({ engines }: CompareRun, lines: readonly Line[]): string {
  const present = engines.filter(({ name }) => lines.some(({ of }) => of.has(name)));
  const inMemory = inMemoryOf(engines);
  const head = ['', ...present.map(titleOf)].map((text) => `<th>${escapeText(text)}</th>`);
  const rows = lines.map((line) => {
    const best = bestOf(line, inMemory);
    const cells = present.map(({ name }) => {
      const figure = figureOf(line.of.get(name)?.costs ?? []);
      if (figure === null) return '<td>–</td>';
      const notes = [ratioText(line, name), spreadText(figure.spread)].filter((one) => one !== '');
      return `<td${best === name ? ' class="best"' : ''}>${escapeText(shown(line.metric, figure.cost))}<small>${escapeText(notes.join(' '))}</small></td>`;
    });
    return `<tr><td>${escapeText(METRICS[line.metric].title)}</td>${cells.join('')}</tr>`;
  });
  return `<div class="scroll"><table><thead><tr>${head.join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>`;
}

function spreadText(spread: number | null): string {
  return spread === null ? '' : `±${Math.round(50 * spread)} %`;
}

function ratioText(
  { of }: Line,
  name: Line['of'] extends ReadonlyMap<infer E, unknown> ? E : never,
) {
  const [costs, ours] = [of.get(name)?.costs, of.get('omendb')?.costs];
  if (name === 'omendb' || costs === undefined || ours === undefined) return '';
  const ratio = ratioOf(costs, ours);
  return ratio === null || ratio.cost <= 0 ? '' : `${times(ratio.cost)} ×`;
}

/** The best on top. Of rates a longer bar is better, of times and sizes a shorter one. */
function barsOf({ engines }: CompareRun, line: Line): string {
  const { title, shown: how } = METRICS[line.metric];
  const figures = engines
    .flatMap((engine) => {
      const figure = figureOf(line.of.get(engine.name)?.costs ?? []);
      return figure === null || figure.cost <= 0 ? [] : [{ engine, ...figure }];
    })
    .sort((a, b) => a.cost - b.cost)
    .map(({ engine, cost, spread, rounds }): Bar => {
      const { name, inMemory } = engine;
      const value = how === 'rate' ? 1 / cost : cost;
      const kind = name === 'omendb' ? 'ours' : inMemory ? 'faint' : 'other';
      const hint = `${rounds} ${rounds === 1 ? 'round' : 'rounds'} ${spreadText(spread)}`.trim();
      const text = shown(line.metric, cost);
      return { name: titleOf(engine), value, text, note: ratioText(line, name), kind, title: hint };
    });
  return figures.length === 0 ? '' : card(`${title}.`, BETTER[how], bars(figures));
}

const BETTER = {
  rate: 'Longer is better.',
  time: 'Shorter is better.',
  bytes: 'Shorter is better.',
} as const;

function setups({ engines }: CompareRun): string {
  const entries = engines.map(
    ({ title, version, setup }) =>
      `<dt>${escapeText(`${title}, ${version}`)}</dt><dd>${escapeText(setup)}</dd>`,
  );
  return `<section id="setup">
<h2>How each is set up</h2>
<dl class="setup">${entries.join('\n')}</dl>
</section>`;
}
