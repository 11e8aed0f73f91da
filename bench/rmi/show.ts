/** The results as tables of text. */
import { count, table } from '../engine/report.ts';
import type { RmiRun } from '../rmi.ts';
import type { Languages } from './languages.ts';
import type { IndexResult, SetResult } from './measure-set.ts';
import { DESIGNS } from './names.ts';
import type { Training } from './subject.ts';
import { lmdbNs, nativeNs } from './targets.ts';

const NONE = '–';

export function show({ rows, sets, report }: RmiRun): string {
  return [
    `The index alone: random look-ups of keys that are there, up to ${count(rows)} keys a set`,
    table(
      [
        'keys',
        'form',
        'count',
        'M keys/s',
        'leaves',
        'keys a cell',
        'levels',
        'window',
        'bytes a key',
        'ns',
        'binary',
        'of binary',
        'best of the others',
      ],
      sets.map(({ name, form, index }) => indexLine(name, form, index)),
    ),
    '',
    'In other languages: nanoseconds a key, one at a time, in batches, and in batches with a value of each row',
    table(
      [
        'keys',
        'ours',
        'native',
        'of native',
        'batches: ours',
        'WebAssembly',
        'native',
        'of native',
        'values: ours',
        'WebAssembly',
        'native',
      ],
      sets.flatMap(({ name, index: { languages } }) =>
        languages === null ? [] : [languageLine(name, languages)],
      ),
    ),
    '',
    'In the engine: nanoseconds a get',
    table(
      [
        'keys',
        'OmenDB',
        'getMany',
        'columns',
        'Map',
        'sorted-btree',
        'LMDB',
        '× sorted-btree',
        '× LMDB',
      ],
      sets.map(engineLine),
    ),
    ...(report === null ? [] : ['', `The report is in ${report}`]),
  ].join('\n');
}

function indexLine(name: string, form: string, { training, rivals }: IndexResult): string[] {
  const [ours, binary, ...others] = rivals;
  const other = others.filter(({ design }) => design !== 'omendb').sort((a, b) => a.ns - b.ns)[0];
  return [
    name,
    form,
    count(training.keys),
    (training.keysPerSecond / 1e6).toFixed(0),
    String(training.leaves),
    cellsOf(training),
    `${training.levelMean.toFixed(2)} of ${training.depth}`,
    String(training.windowMax),
    training.bytesPerKey.toFixed(3),
    ours.ns.toFixed(0),
    binary.ns.toFixed(0),
    (ours.ns / binary.ns).toFixed(2),
    other === undefined
      ? NONE
      : `${other.ns.toFixed(0)} ${DESIGNS[other.design]}, ${other.size}, ${(other.bytes / training.keys).toFixed(3)}`,
  ];
}

/** Keys a cell of the root, and how many nodes have separators, if any. */
function cellsOf({ keysPerCell, separated, nodes }: Training): string {
  const marks = separated === 0 ? '' : `, ${separated} of ${nodes} nodes separated`;
  return keysPerCell.toFixed(0) + marks;
}

function languageLine(name: string, languages: Languages): string[] {
  const { ours, wasm } = languages;
  const single = nativeNs(languages, 'single');
  const batch = nativeNs(languages, 'batch');
  return [
    name,
    whole(ours.single),
    whole(single),
    times(ours.single, single),
    whole(ours.batch),
    whole(wasm?.batch),
    whole(batch),
    times(ours.batch, batch),
    whole(ours.values),
    whole(wasm?.values),
    whole(nativeNs(languages, 'values')),
  ];
}

function whole(ns: number | undefined): string {
  return ns === undefined ? NONE : ns.toFixed(0);
}

function times(one: number | undefined, other: number | undefined): string {
  return one === undefined || other === undefined ? NONE : (one / other).toFixed(2);
}

function engineLine({ name, engine }: SetResult): string[] {
  const { omendb, map, tree } = engine.ns;
  const lmdb = lmdbNs(engine);
  return [
    name,
    whole(omendb),
    whole(engine.manyNs),
    whole(engine.columnsNs),
    whole(map),
    whole(tree),
    whole(lmdb),
    times(tree, omendb),
    times(lmdb, omendb),
  ];
}
