/**
 * What counting and timing costs: a `get`, and a `put` with many in flight, against the same sources with
 * the counting taken out, in many short turns of one process: of so many, few are interrupted, and the median is
 * of those that are not.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { count, median, quantile, random, table } from './report.ts';

export interface MetricsOptions {
  /** Rows of each database, and how many gets and puts a turn. */
  readonly rows?: number | undefined;
  readonly gets?: number;
  readonly puts?: number;
  /** Turns of gets; of puts there are a tenth as many. */
  readonly rounds?: number;
}

type Api = typeof import('../../src/index.ts');
type Contender = Awaited<ReturnType<typeof import('./metered-loop.ts').contender>>;

const ROOT = join(import.meta.dirname, '../..');

/** What counts on the way of a get or a put, and what would stand there without. */
const TAKEN_OUT: readonly (readonly [file: string, code: string, instead: string])[] = [
  ['coordinator/reader.ts', '--this.getsLeft >= 0 && typeof key', 'typeof key'],
  [
    'coordinator/writer.ts',
    'this.#meter.settler(STORE, this, { resolve, reject });',
    '{ resolve, reject };',
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

/** A copy of the sources that counts nothing there. */
function sourcesWithout(directory: string): string {
  cpSync(join(ROOT, 'src'), join(directory, 'src'), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  cpSync(join(ROOT, 'package.json'), join(directory, 'package.json'));
  for (const [file, code, instead] of TAKEN_OUT) {
    const path = join(directory, 'src', file);
    const text = readFileSync(path, 'utf8');
    if (text.split(code).length !== 2) throw new Error(`${file} does not have, once: ${code}`);
    writeFileSync(path, text.replace(code, instead));
  }
  return pathToFileURL(join(directory, 'src/index.ts')).href;
}

/** The figures of both, and in how much more time the one that counts did the same, at the median of turns. */
interface Compared {
  readonly counting: number;
  readonly without: number;
  readonly share: number;
  /** Half of the turns lie between these. */
  readonly quartiles: readonly [number, number];
}

function compared(turns: readonly (readonly [counting: number, without: number])[]): Compared {
  const shares = turns.map(([counting, without]) => counting / without - 1);
  return {
    counting: median(turns.map(([counting]) => counting)),
    without: median(turns.map(([, without]) => without)),
    share: median(shares),
    quartiles: [quantile(shares, 0.25), quantile(shares, 0.75)],
  };
}

/** One after the other, each first as often as the other; the first turn warms up. */
async function inTurns(
  rounds: number,
  [counting, without]: readonly Contender[],
  run: (contender: Contender) => number | Promise<number>,
): Promise<Compared> {
  const turns: [number, number][] = [];
  for (let round = 0; round <= rounds; round++) {
    const isFirst = round % 2 === 0;
    const first = await run(isFirst ? counting : without);
    const second = await run(isFirst ? without : counting);
    if (round > 0) turns.push(isFirst ? [first, second] : [second, first]);
  }
  return compared(turns);
}

export async function run(options: MetricsOptions = {}) {
  const { rows = 1e6, gets = 5000, puts = 20_000, rounds = 1000 } = options;
  const directory = mkdtempSync(join(tmpdir(), 'omendb-bench-metrics-'));
  const contenders: Contender[] = [];
  try {
    const apis: readonly (readonly [string, Api])[] = [
      ['counting', await import('../../src/index.ts')],
      ['without', (await import(sourcesWithout(directory))) as Api],
    ];
    for (const [name, api] of apis) {
      const path = `./metered-loop.ts?for=${name}`;
      const { contender } = (await import(path)) as typeof import('./metered-loop.ts');
      contenders.push(await contender(api, join(directory, name), rows));
    }
    const next = random(7);
    const probes = Uint32Array.from({ length: gets }, () => Math.floor(next() * rows));
    const get = await inTurns(rounds, contenders, (one) => one.get(probes));
    const put = await inTurns(Math.ceil(rounds / 10), contenders, (one) => one.put(puts));
    return { rows, gets, puts, rounds, get, put };
  } finally {
    for (const { close } of contenders) await close();
    rmSync(directory, { recursive: true });
  }
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export function show({ rows, rounds, get, put }: Awaited<ReturnType<typeof run>>): string {
  const line = (name: string, { counting, without, share, quartiles }: Compared) => {
    const spread = quartiles.map(percent).join(' … ');
    return [name, counting.toFixed(2), without.toFixed(2), percent(share), spread];
  };
  return [
    `What counting costs, ${count(rows)} rows in two shards, medians of ${rounds} turns`,
    table(
      ['', 'counting', 'without', 'more', 'half of the turns'],
      [line('get, ns', get), line('put, µs of all processors', put)],
    ),
  ].join('\n');
}
