/** The report: one page that needs nothing but itself. */
import { availableParallelism, cpus, totalmem } from 'node:os';
import { count } from '../../engine/report.ts';
import { escapeText, figure } from '../../report/html.ts';
import { factList, page } from '../../report/parts.ts';
import type { RmiRun } from '../../rmi.ts';
import { SET_NAMES } from '../key-sets.ts';
import type { IndexResult, SetResult } from '../measure-set.ts';
import { curveChart, errorChart, stretchChart } from './pictures.ts';
import { engineBars, languageCard, rivalTable, summary } from './tables.ts';
import { legend, tradeOffChart } from './trade-off.ts';

export function reportOf(run: Omit<RmiRun, 'report'>): string {
  const title = 'OmenDB: the learned index, measured';
  return page(
    title,
    `${header(run)}
${run.sets.map(sectionOf).join('\n')}`,
  );
}

function header({ rows, rounds, probes, gets, shards, sets }: Omit<RmiRun, 'report'>): string {
  const names = sets.map(({ name }) => name);
  const which = SET_NAMES.every((name) => names.includes(name)) ? '' : ` --sets ${names.join(',')}`;
  const facts = {
    machine: `${availableParallelism()} × ${cpus()[0].model}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    'Node.js': process.versions.node,
    measured: new Date().toISOString().slice(0, 16).replace('T', ' '),
    'keys a set, at most': count(rows),
    shards: String(shards),
  };
  return `<header>
<h1>How fast is a learned index, on every kind of keys?</h1>
<p class="lead">OmenDB finds a row by predicting its position in a sorted array. Here that index is put over ${sets.length} sets of keys, easy and hostile, proved to find every key, and timed in one run against plain binary search, other learned indexes, native code, and, as a whole engine, against B+trees.</p>
${factList(facts)}
<p>To reproduce it, from a clone: <code>npm run bench -- rmi --rows ${rows} --report${which}</code></p>
<p class="soft">All times are medians of ${rounds} rounds of random hits in which the contenders take turns, ${figure(probes)} look-ups or ${figure(gets)} gets each; every answer is compared with the truth, and a wrong one ends the run. Contenders are given their best: each chooses by trial among several searches, each has a copy of the timed loop compiled for it alone. A machine that is shared moves the nanoseconds: trust the ratios. <span class="missed">Red</span> is a figure that misses what we aim for at this size.</p>
${summary(sets)}
</header>`;
}

function sectionOf(set: SetResult): string {
  const { name, about, count: keys, type, index } = set;
  return `<section id="${name}">
<h2>${escapeText(name)}</h2>
<p class="soft">${escapeText(about)} · ${keys.toLocaleString('en')} keys, ${type}, held as ${HELD_AS[set.form]}</p>
${indexOf(index)}
<h3>In the engine: random gets${inEngine(set)}</h3>
${engineBars(set)}
</section>`;
}

/** What its index came to there, where it is in shards and pieces. */
function inEngine({ count: keys, engine }: SetResult): string {
  const bytes = (engine.indexBytes / keys).toFixed(3);
  return ` <span class="soft">(index ${bytes} bytes a key, windows of ${engine.windowMax} at most)</span>`;
}

const HELD_AS = { f64: 'doubles', words: 'pairs of 32-bit words', bytes: 'bytes' } as const;

function indexOf(index: IndexResult): string {
  const { training, verified, picture, languages } = index;
  const facts = factList({
    'keys a second, trained': `${figure(training.keysPerSecond / 1e6)} M`,
    'bytes a key': training.bytesPerKey.toFixed(3),
    leaves: training.leaves.toLocaleString('en'),
    'keys a cell, in the root': figure(training.keysPerCell),
    nodes: training.nodes.toLocaleString('en'),
    'of them with separators': training.separated.toLocaleString('en'),
    levels: `${training.levelMean.toFixed(2)} on average, ${training.depth} at most`,
    'widest window': String(training.windowMax),
    'keys found': verified.present.toLocaleString('en'),
    'absent keys told so': verified.absent.toLocaleString('en'),
  });
  if (picture === null) return `${facts}\n<h3>The index alone</h3>\n${rivalTable(index)}`;
  return `${facts}
<div class="charts">
${curveChart(picture)}
${errorChart(picture, training.windowMax)}
${tradeOffChart(index)}
${stretchChart('In the middle.', picture.typical)}
${stretchChart('Where it is hardest.', picture.hardest)}
${languages === null ? '' : languageCard(languages)}
</div>
${legend()}
<details><summary>All ${index.rivals.length} indexes in figures</summary>
${rivalTable(index)}</details>`;
}
