/** The results as tables of text. */
import { count, table } from '../engine/report.ts';
import type { RmiRun } from '../rmi.ts';
import type { IndexResult, SetResult } from './measure-set.ts';
import { DESIGNS } from './names.ts';
import { lmdbNs, nativeNs } from './targets.ts';

const NONE = '–';

export function show({ rows, sets, report }: RmiRun): string {
  const indexed = sets.flatMap(({ name, form, index }) =>
    index === null ? [] : [{ name, form, index }],
  );
  return [
    `The index alone: random look-ups of keys that are there, up to ${count(rows)} keys a set`,
    table(
      [
        'keys',
        'form',
        'count',
        'M keys/s',
        'leaves',
        'levels',
        'window',
        'bytes a key',
        'ns',
        'binary',
        'of binary',
        'best of the others',
      ],
      indexed.map(({ name, form, index }) => indexLine(name, form, index)),
    ),
    '',
    'Against native code: nanoseconds a key, one at a time and in batches',
    table(
      ['keys', 'ours', 'native', 'of native', 'ours, batches', 'native, batches', 'of batches'],
      indexed.map(({ name, index }) => nativeLine(name, index)),
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
    String(training.depth),
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

function nativeLine(name: string, { native }: IndexResult): string[] {
  if (native === null) return [name, NONE, NONE, NONE, NONE, NONE, NONE];
  const single = nativeNs(native, 'single');
  const batch = nativeNs(native, 'batch');
  return [
    name,
    native.ours.single.toFixed(0),
    single.toFixed(0),
    (native.ours.single / single).toFixed(2),
    native.ours.batch.toFixed(0),
    batch.toFixed(0),
    (native.ours.batch / batch).toFixed(2),
  ];
}

function engineLine({ name, engine }: SetResult): string[] {
  if ('refused' in engine) return [name, 'refused', NONE, NONE, NONE, NONE, NONE, NONE, NONE];
  const { omendb, map, tree } = engine.ns;
  const lmdb = lmdbNs(engine);
  const ns = (one: number | undefined) => (one === undefined ? NONE : one.toFixed(0));
  const times = (one: number | undefined) => (one === undefined ? NONE : (one / omendb).toFixed(2));
  return [
    name,
    ns(omendb),
    ns(engine.manyNs),
    ns(engine.columnsNs),
    ns(map),
    ns(tree),
    ns(lmdb),
    times(tree),
    times(lmdb),
  ];
}

/** What is loud about a result: to be told at once. */
export function warningOf({ name, engine }: SetResult): string | null {
  if (!('refused' in engine)) return null;
  return `THE ENGINE REFUSES THE KEYS OF "${name}": ${engine.refused}`;
}
