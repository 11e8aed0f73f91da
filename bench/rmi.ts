/**
 * The learned index by itself: training, size, and random look-ups of present keys against binary
 * search over the same array, on every data set and in both forms. No rows, no database.
 *
 *     node bench/rmi.ts [count = 1000000] [data set …]
 */
import { F64Index, modelBytes, trainF64, trainWords, WordIndex } from '../src/rmi/index.ts';
import { DATA_SETS, type DataSetName, numberKeys, wordKeys } from './datasets.ts';
import { inTurns, randomPositions } from './rmi-measure.ts';

export interface RmiOptions {
  count?: number;
  dataSets?: readonly DataSetName[];
  forms?: readonly ('f64' | 'words')[];
  probes?: number;
  rounds?: number;
  /** Called with each result as it comes. */
  onResult?: (result: RmiResult) => void;
}

export interface RmiResult {
  dataSet: DataSetName;
  form: 'f64' | 'words';
  keys: number;
  leaves: number;
  depth: number;
  windowMax: number;
  bytesPerKey: number;
  trainKeysPerSecond: number;
  /** Nanoseconds a look-up, medians. */
  learned: number;
  binary: number;
  /** The median of learned over that of binary search. */
  ratio: number;
}

export async function run(options: RmiOptions = {}): Promise<RmiResult[]> {
  const { count = 1e6, dataSets = DATA_SETS, forms = ['f64', 'words'], onResult } = options;
  const probes = options.probes ?? 1e6;
  const rounds = options.rounds ?? 7;
  const results: RmiResult[] = [];
  for (const dataSet of dataSets) {
    for (const form of forms) {
      const measure = form === 'f64' ? measureNumbers : measureWords;
      const result = measure(dataSet, count, probes, rounds);
      results.push(result);
      onResult?.(result);
    }
  }
  return results;
}

function measureNumbers(
  dataSet: DataSetName,
  count: number,
  probes: number,
  rounds: number,
): RmiResult {
  const keys = numberKeys(dataSet, count);
  const [model, trainKeysPerSecond] = bestOf(() => trainF64(keys, keys.length), keys.length);
  const index = new F64Index(keys, keys.length, model);
  const wanted = Float64Array.from(
    randomPositions(keys.length, probes, 7),
    (position) => keys[position],
  );
  const timings = inTurns(
    {
      learned: (from, to) => sumOfFinds(index, wanted, from, to),
      binary: (from, to) => sumOfBinary(keys, wanted, from, to),
    },
    probes,
    rounds,
  );
  return resultOf(dataSet, model, trainKeysPerSecond, timings);
}

function measureWords(
  dataSet: DataSetName,
  count: number,
  probes: number,
  rounds: number,
): RmiResult {
  const keys = wordKeys(dataSet, count);
  const length = keys.length / 2;
  const [model, trainKeysPerSecond] = bestOf(() => trainWords(keys, length), length);
  const index = new WordIndex(keys, length, model);
  const wanted = new Uint32Array(2 * probes);
  randomPositions(length, probes, 7).forEach((position, i) => {
    wanted[2 * i] = keys[2 * position];
    wanted[2 * i + 1] = keys[2 * position + 1];
  });
  const timings = inTurns(
    {
      learned: (from, to) => sumOfWordFinds(index, wanted, from, to),
      binary: (from, to) => sumOfWordBinary(keys, wanted, from, to),
    },
    probes,
    rounds,
  );
  return resultOf(dataSet, model, trainKeysPerSecond, timings);
}

function resultOf(
  dataSet: DataSetName,
  model: ReturnType<typeof trainF64>,
  trainKeysPerSecond: number,
  { learned, binary }: Record<'learned' | 'binary', number>,
): RmiResult {
  return {
    dataSet,
    form: model.form,
    keys: model.keyCount,
    leaves: model.leafCount,
    depth: model.depth,
    windowMax: model.windowMax,
    bytesPerKey: modelBytes(model) / model.keyCount,
    trainKeysPerSecond,
    learned,
    binary,
    ratio: learned / binary,
  };
}

/** The quickest of three trainings, in keys a second. */
function bestOf<T>(train: () => T, keys: number): [T, number] {
  let quickest = Infinity;
  let model = train();
  for (let i = 0; i < 3; i++) {
    const begin = performance.now();
    model = train();
    quickest = Math.min(quickest, performance.now() - begin);
  }
  return [model, (1000 * keys) / quickest];
}

function sumOfFinds(index: F64Index, wanted: Float64Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += index.find(wanted[i]);
  return sum;
}

function sumOfBinary(keys: Float64Array, wanted: Float64Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) {
    const key = wanted[i];
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (keys[middle] < key) low = middle + 1;
      else high = middle;
    }
    sum += low < keys.length && keys[low] === key ? low : -1;
  }
  return sum;
}

function sumOfWordFinds(index: WordIndex, wanted: Uint32Array, from: number, to: number): number {
  let sum = 0;
  for (let i = 2 * from; i < 2 * to; i += 2) sum += index.find(wanted[i], wanted[i + 1]);
  return sum;
}

function sumOfWordBinary(keys: Uint32Array, wanted: Uint32Array, from: number, to: number): number {
  const count = keys.length >>> 1;
  let sum = 0;
  for (let i = 2 * from; i < 2 * to; i += 2) {
    const lo = wanted[i];
    const hi = wanted[i + 1];
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = keys[2 * middle + 1];
      if (found < hi || (found === hi && keys[2 * middle] < lo)) low = middle + 1;
      else high = middle;
    }
    const isFound = low < count && keys[2 * low] === lo && keys[2 * low + 1] === hi;
    sum += isFound ? low : -1;
  }
  return sum;
}

function lineOf(result: RmiResult): string {
  const { dataSet, form, keys, leaves, depth, windowMax, bytesPerKey } = result;
  return [
    dataSet.padEnd(14),
    form.padEnd(5),
    String(keys).padStart(9),
    String(leaves).padStart(8),
    String(depth).padStart(5),
    String(windowMax).padStart(6),
    bytesPerKey.toFixed(3).padStart(7),
    (result.trainKeysPerSecond / 1e6).toFixed(0).padStart(8),
    result.learned.toFixed(1).padStart(8),
    result.binary.toFixed(1).padStart(8),
    result.ratio.toFixed(2).padStart(6),
  ].join(' ');
}

const HEADER =
  'data set       form       keys   leaves depth window   B/key   Mkeys/s  ns find   binary  ratio';

if (import.meta.main) {
  const [count, ...names] = process.argv.slice(2);
  const dataSets = DATA_SETS.filter((name) => names.length === 0 || names.includes(name));
  console.log(HEADER);
  await run({
    count: count === undefined ? undefined : Number(count),
    dataSets,
    onResult: (result) => console.log(lineOf(result)),
  });
}
