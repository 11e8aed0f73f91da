/** The figures in words: what each set came to, and each contender. */
import { count } from '../../engine/report.ts';
import { escapeText, figure } from '../../report/html.ts';
import { type Bar, bars, type Cell, card, table } from '../../report/parts.ts';
import type { Figures, Languages } from '../languages.ts';
import type { IndexResult, SetResult } from '../measure-set.ts';
import { DESIGNS, ENGINES, SEARCHES } from '../names.ts';
import {
  BYTES_A_KEY_MAX,
  lmdbNs,
  nativeNs,
  OF_BINARY_MAX,
  OF_NATIVE_BATCH_MAX,
  OF_NATIVE_SINGLE_MAX,
  TRAINED_KEYS_PER_SECOND_MIN,
  timesLmdbMin,
  timesTreeMin,
} from '../targets.ts';

const NONE = '–';
/** What fills a cell. */
const TIMES_SHOWN = 12;
const most = (value: number, max: number): Cell => ({
  text: value.toFixed(2),
  isMissed: value > max,
});

function least(value: number | undefined, ours: number, min: number | null): Cell {
  if (value === undefined) return NONE;
  const times = value / ours;
  const share = Math.min(100, (100 * times) / TIMES_SHOWN);
  return { text: `${times.toFixed(2)} ×`, isMissed: min !== null && times < min, share };
}

export function summary(sets: readonly SetResult[]): string {
  return table(
    [
      'keys',
      'count',
      'M keys/s trained',
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
      return [
        `<a href="#${name}">${escapeText(name)}</a>`,
        count(keys),
        ...indexCells(index),
        engine.ns.omendb.toFixed(0),
        least(engine.ns.tree, engine.ns.omendb, timesTreeMin(set)),
        least(lmdbNs(engine), engine.ns.omendb, timesLmdbMin(set)),
      ];
    }),
  );
}

function indexCells({ rivals: [ours, binary], training, languages }: IndexResult): Cell[] {
  const { keysPerSecond, bytesPerKey } = training;
  const native = languages === null ? undefined : nativeNs(languages, 'single');
  return [
    { text: figure(keysPerSecond / 1e6), isMissed: keysPerSecond < TRAINED_KEYS_PER_SECOND_MIN },
    most(bytesPerKey, BYTES_A_KEY_MAX),
    ours.ns.toFixed(0),
    most(ours.ns / binary.ns, OF_BINARY_MAX),
    languages === null || native === undefined
      ? NONE
      : most(languages.ours.single / native, OF_NATIVE_SINGLE_MAX),
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

/** Ours, WebAssembly and native code. */
export function languageCard(languages: Languages): string {
  const { ours, wasm, native } = languages;
  const barsOf = (name: string, isOurs: boolean, ns: Partial<Figures>): Bar[] =>
    Object.entries(ns).map(([way, one]) => barOf(`${name}${WAYS[way]}`, one, ours.single, isOurs));
  const figures = [
    ...barsOf('OmenDB', true, ours),
    ...(wasm === null ? [] : barsOf('WebAssembly', false, wasm)),
    ...(native === null ? [] : barsOf('C++, the same model', false, native.cells)),
    ...(native === null ? [] : barsOf('C++, lines under a table', false, native.lines)),
  ];
  return card('Against other languages.', saidOf(languages), bars(figures));
}

/** As in the bars of a language. */
const WAYS: Readonly<Record<string, string>> = {
  single: '',
  batch: ', in batches',
  values: ', and values',
};

function saidOf(languages: Languages): string {
  const { ours, wasm } = languages;
  const single = nativeNs(languages, 'single');
  const batch = nativeNs(languages, 'batch');
  const ofNative =
    single === undefined || batch === undefined
      ? 'There was no C++ compiler.'
      : `Ours takes ${timesOf(ours.single / single, OF_NATIVE_SINGLE_MAX)} what the quicker C++ takes one at a time, ` +
        `${timesOf(ours.batch / batch, OF_NATIVE_BATCH_MAX)} what it takes in staged batches.`;
  if (wasm === null) return ofNative;
  return `${ofNative} A kernel in WebAssembly takes ${(wasm.batch / ours.batch).toFixed(2)} of our time in batches.`;
}

function timesOf(times: number, max: number): string {
  const text = `${times.toFixed(2)} times`;
  return times > max ? `<span class="missed">${text}</span>` : text;
}

function barOf(name: string, ns: number, oursNs: number, isOurs: boolean): Bar {
  const note = `${(ns / oursNs).toFixed(2)} ×`;
  return { name, value: ns, text: `${figure(ns)} ns`, note, kind: isOurs ? 'ours' : 'other' };
}

const OURS = ['omendb', 'many', 'columns'];

/** Engines, the quickest on top. */
export function engineBars({ engine }: SetResult): string {
  const figures = Object.entries({ ...engine.ns, many: engine.manyNs, columns: engine.columnsNs })
    .map(([name, ns]): Bar => {
      return barOf(ENGINES[name], ns, engine.ns.omendb, OURS.includes(name));
    })
    .sort((a, b) => a.value - b.value);
  return bars(figures);
}
