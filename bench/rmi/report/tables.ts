/** The figures in words: what each set came to, and each contender. */
import { count } from '../../engine/report.ts';
import type { IndexResult, SetResult } from '../measure-set.ts';
import { DESIGNS, ENGINES, SEARCHES } from '../names.ts';
import {
  BYTES_A_KEY_MAX,
  lmdbNs,
  nativeNs,
  OF_BINARY_MAX,
  OF_NATIVE_BATCH_MAX,
  OF_NATIVE_SINGLE_MAX,
  timesLmdbMin,
  timesTreeMin,
} from '../targets.ts';
import { escapeText, figure } from './html.ts';

type Cell = string | { readonly text: string; readonly isMissed: boolean };

/** A table; the first column to the left, the others to the right. It scrolls by itself on a phone. */
function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cellOf = (cell: Cell): string => {
    const { text, isMissed } = typeof cell === 'string' ? { text: cell, isMissed: false } : cell;
    return `<td${isMissed ? ' class="missed"' : ''}>${text}</td>`;
  };
  return `<div class="scroll"><table><thead><tr>${head.map((text) => `<th>${escapeText(text)}</th>`).join('')}</tr></thead>
<tbody>${rows.map((row) => `<tr>${row.map(cellOf).join('')}</tr>`).join('\n')}</tbody></table></div>`;
}

const NONE = '–';
const most = (value: number, max: number): Cell => ({
  text: value.toFixed(2),
  isMissed: value > max,
});

function least(value: number | undefined, ours: number, min: number | null): Cell {
  if (value === undefined) return NONE;
  const times = value / ours;
  return { text: `${times.toFixed(2)} ×`, isMissed: min !== null && times < min };
}

export function summary(sets: readonly SetResult[]): string {
  return table(
    [
      'keys',
      'count',
      'bytes a key',
      'ns a look-up',
      'of binary search',
      'of native code',
      'ns a get',
      'sorted-btree takes',
      'LMDB takes',
    ],
    sets.map((set): Cell[] => {
      const { name, count: keys, index, engine } = set;
      const refused = 'refused' in engine;
      return [
        `<a href="#${name}">${escapeText(name)}</a>`,
        count(keys),
        ...indexCells(index),
        refused ? 'refused' : engine.ns.omendb.toFixed(0),
        refused ? NONE : least(engine.ns.tree, engine.ns.omendb, timesTreeMin(set)),
        refused ? NONE : least(lmdbNs(engine), engine.ns.omendb, timesLmdbMin(set)),
      ];
    }),
  );
}

function indexCells(index: IndexResult | null): Cell[] {
  if (index === null) return [NONE, NONE, NONE, NONE];
  const [ours, binary] = index.rivals;
  return [
    most(index.training.bytesPerKey, BYTES_A_KEY_MAX),
    ours.ns.toFixed(0),
    most(ours.ns / binary.ns, OF_BINARY_MAX),
    index.native === null
      ? NONE
      : most(index.native.ours / nativeNs(index.native, 'single'), OF_NATIVE_SINGLE_MAX),
  ];
}

export function rivalTable({ training, rivals }: IndexResult): string {
  const [ours] = rivals;
  return table(
    ['index', 'size', 'search', 'bytes a key', 'ns', 'times ours'],
    rivals.map(({ design, size, search, bytes, ns }): Cell[] => [
      DESIGNS[design],
      escapeText(size),
      SEARCHES[search],
      figure(bytes / training.keys),
      ns.toFixed(1),
      (ns / ours.ns).toFixed(2),
    ]),
  );
}

export function nativeTable({ native }: IndexResult): string {
  if (native === null) return '<p>There was no C++ compiler: not measured.</p>';
  const { ours, cells, lines } = native;
  const single = nativeNs(native, 'single');
  const batch = nativeNs(native, 'batch');
  return table(
    ['', 'ns a key', 'ours takes'],
    [
      ['OmenDB, in a loop', ours.toFixed(1), ''],
      [
        'C++, the same model, one at a time',
        cells.single.toFixed(1),
        `${(ours / cells.single).toFixed(2)} ×`,
      ],
      [
        'C++, lines under a radix table',
        lines.single.toFixed(1),
        `${(ours / lines.single).toFixed(2)} ×`,
      ],
      [
        'C++, the same model, staged batches',
        cells.batch.toFixed(1),
        `${(ours / cells.batch).toFixed(2)} ×`,
      ],
      [
        'C++, lines, staged batches',
        lines.batch.toFixed(1),
        `${(ours / lines.batch).toFixed(2)} ×`,
      ],
      [
        'Against the quicker one at a time',
        single.toFixed(1),
        timesOf(ours / single, OF_NATIVE_SINGLE_MAX),
      ],
      [
        'Against the quicker in batches',
        batch.toFixed(1),
        timesOf(ours / batch, OF_NATIVE_BATCH_MAX),
      ],
    ],
  );
}

function timesOf(times: number, max: number): Cell {
  return { text: `${times.toFixed(2)} ×`, isMissed: times > max };
}

/** Bars, the quickest on top. */
export function engineBars({ engine }: SetResult): string {
  if ('refused' in engine) return `<p class="missed">${escapeText(engine.refused)}</p>`;
  const figures = Object.entries({ ...engine.ns, many: engine.manyNs }).sort((a, b) => a[1] - b[1]);
  const slowest = figures[figures.length - 1][1];
  const bars = figures.map(([name, ns]) => {
    const isOurs = name === 'omendb' || name === 'many';
    const width = ((100 * ns) / slowest).toFixed(1);
    return `<li class="${isOurs ? 'ours' : 'other'}"><span>${escapeText(ENGINES[name])}</span><i style="--share:${width}%"></i><b>${figure(ns)} ns</b><em>${(ns / engine.ns.omendb).toFixed(2)} ×</em></li>`;
  });
  return `<ol class="bars">${bars.join('\n')}</ol>`;
}
