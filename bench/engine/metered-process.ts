/**
 * A process that times the same sources with and without counting, in turns, and prints the medians. How V8
 * lays out code differs from process to process, and with it a `get` by more than counting could cost: who
 * asks starts several.
 */
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { median, random } from './report.ts';

type Api = typeof import('../../src/index.ts');
type Contender = Awaited<ReturnType<typeof import('./metered-loop.ts').contender>>;

export interface Turns {
  /** For its files. */
  readonly directory: string;
  readonly rows: number;
  readonly gets: number;
  readonly puts: number;
  readonly rounds: number;
  /** Whether the one that counts is loaded first. */
  readonly isFirst: boolean;
}

/** Medians of turns. */
export interface Pair {
  readonly counting: number;
  readonly without: number;
}

export interface Pairs {
  /** Nanoseconds a get. */
  readonly get: Pair;
  /** Microseconds a put, of all processors. */
  readonly put: Pair;
}

const ROOT = join(import.meta.dirname, '../..');
const PROBES = 2e6;
const WARMING = 20;

/** What counts on the way of a get or a put, and what would stand there without. */
const TAKEN_OUT: readonly (readonly [file: string, code: string, instead: string])[] = [
  ['coordinator/reader.ts', '--this.getsLeft >= 0 && typeof key', 'typeof key'],
  [
    'coordinator/writer.ts',
    'if (this.#meter.counted(STORE)) settler = this.#meter.timed(STORE, this, settler);',
    '',
  ],
  [
    'shard-worker/engine.ts',
    'if (type === PUT) this.#meter.put();\n    else this.#meter.del();',
    '',
  ],
  ['shard-worker/engine.ts', 'this.#meter.committed(groupRecords, groupBytes);', ''],
  ['shard-worker/engine.ts', 'meteredStorage(storage, this.#meter)', 'storage'],
  [
    'shard-worker/host.ts',
    'if (lane.waiters.length > 0) engine.meter.served(performance.now() - this.#groupStartMs);',
    '',
  ],
  ['shard-worker/host.ts', 'this.#groupStartMs = performance.now();', ''],
];

/** A copy of the sources, of either kind, so that nothing else tells the two apart. */
function copyOfSources(directory: string, isCounting: boolean): string {
  mkdirSync(directory);
  cpSync(join(ROOT, 'src'), join(directory, 'src'), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  cpSync(join(ROOT, 'package.json'), join(directory, 'package.json'));
  for (const [file, code, instead] of isCounting ? [] : TAKEN_OUT) {
    const path = join(directory, 'src', file);
    const text = readFileSync(path, 'utf8');
    if (text.split(code).length !== 2) throw new Error(`${file} does not have, once: ${code}`);
    writeFileSync(path, text.replace(code, instead));
  }
  return pathToFileURL(join(directory, 'src/index.ts')).href;
}

/** One after the other, each first as often as the other. */
async function inTurns(
  rounds: number,
  counting: Contender,
  without: Contender,
  run: (contender: Contender, round: number) => number | Promise<number>,
): Promise<Pair> {
  const figures: Record<keyof Pair, number[]> = { counting: [], without: [] };
  for (let round = -WARMING; round < rounds; round++) {
    const names =
      round % 2 === 0 ? (['counting', 'without'] as const) : (['without', 'counting'] as const);
    for (const name of names) {
      const figure = await run(name === 'counting' ? counting : without, round + WARMING);
      if (round >= 0) figures[name].push(figure);
    }
  }
  return { counting: median(figures.counting), without: median(figures.without) };
}

async function measure({ directory, rows, gets, puts, rounds, isFirst }: Turns): Promise<Pairs> {
  const apis: Record<keyof Pair, Api> = {
    counting: await import(copyOfSources(join(directory, 'a'), true)),
    without: await import(copyOfSources(join(directory, 'b'), false)),
  };
  const open = async (name: keyof Pair): Promise<Contender> => {
    const path = `./metered-loop.ts?for=${name}`;
    const { contender } = (await import(path)) as typeof import('./metered-loop.ts');
    return contender(apis[name], join(directory, name), rows);
  };
  const first = await open(isFirst ? 'counting' : 'without');
  const second = await open(isFirst ? 'without' : 'counting');
  const [counting, without] = isFirst ? [first, second] : [second, first];
  try {
    const next = random(7);
    const probes = Uint32Array.from({ length: PROBES }, () => Math.floor(next() * rows));
    const some = (round: number): Uint32Array => {
      const from = (round * gets) % (PROBES - gets);
      return probes.subarray(from, from + gets);
    };
    const get = await inTurns(rounds, counting, without, (one, round) => one.get(some(round)));
    const putRounds = Math.ceil(rounds / 10);
    const put = await inTurns(putRounds, counting, without, (one) => one.put(puts));
    return { get, put };
  } finally {
    await counting.close();
    await without.close();
  }
}

process.stdout.write(JSON.stringify(await measure(JSON.parse(process.argv[2]))));
