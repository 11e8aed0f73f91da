/**
 * What a soak has seen so far: samples, faults, latencies by quarter, broken promises. It is kept in the
 * soak's directory as it grows, a line each, so that a soak that was broken off goes on with it.
 */
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLASSES } from './board.ts';
import { addTo, BUCKETS } from './histogram.ts';
import type { SoakOptions } from './options.ts';

/** Series that are sampled, with what an hour may add where one percent is less than can be told. */
export const SERIES = {
  rss: { title: 'resident memory', unit: 'bytes', least: 2 ** 20 },
  heap: { title: 'heap in use', unit: 'bytes', least: 2 ** 19 },
  external: { title: 'external memory', unit: 'bytes', least: 2 ** 20 },
  shared: { title: 'shared memory of tables', unit: 'bytes', least: 2 ** 20 },
  descriptors: { title: 'descriptors of files and sockets', unit: 'count', least: 0.5 },
  handles: { title: 'handles of the event loop', unit: 'count', least: 0.5 },
  disk: { title: 'disk', unit: 'bytes', least: 2 ** 22 },
  loop: { title: 'delay of event loops', unit: 'ms', least: 0.5 },
  judgeRss: { title: 'resident memory of the supervisor', unit: 'bytes', least: 2 ** 20 },
  judgeHeap: { title: 'heap of the supervisor', unit: 'bytes', least: 2 ** 20 },
} as const;
export type SeriesName = keyof typeof SERIES;
export const SERIES_NAMES = Object.keys(SERIES) as SeriesName[];

export interface Sampled {
  /** Since the soak began. */
  readonly atMs: number;
  readonly phase: string;
  readonly cycle: number;
  /** Which process. */
  readonly life: number;
  /** Whether a fault was under way, or had just ended. */
  readonly disturbed: boolean;
  readonly values: Readonly<Record<SeriesName, number>>;
  /** Bytes of the heaps of the threads that use the database: shown, not judged, as new ones have less. */
  readonly clientHeap: number;
  /** Since the sample before. */
  readonly operationsPerSecond: number;
  /** By class, of latencies since the sample before, in ms. */
  readonly p50: readonly number[];
  readonly p999: readonly number[];
  readonly rows: number;
}

export interface FaultSeen {
  readonly atMs: number;
  readonly ms: number;
  readonly name: string;
  readonly expected: string;
  readonly seen: string;
}

export interface Broken {
  readonly atMs: number;
  /** Cycle, phase and fault under way. */
  readonly step: string;
  readonly what: string;
}

/** What goes on from one start of a soak to the next. */
export interface State {
  readonly options: SoakOptions;
  elapsedMs: number;
  cycle: number;
  life: number;
  /** Of the process under soak. */
  pid: number;
  /** Cycles at the beginning that go as fast as they can. */
  readonly freeCycles: number;
  /** Operations a second by phase as fast as it can; empty before the calibration. */
  free: number[];
  /** By quarter and class: latencies outside of faults. */
  quarters: number[][][];
  totals: {
    operations: number;
    refused: number;
    unknown: number;
    checked: number;
    restarts: number;
  };
}

export const QUARTERS = 4;
/** A soak so long has a cycle in which it gets warm, before the one by which its rate is set. */
const WARM_UP_MS_LEAST = 20 * 60_000;
const RECENT_MAX = 600;

export class Soaked {
  readonly state: State;
  /** The newest, for who shows them; all of them are on disk. */
  readonly recent: Sampled[] = [];
  readonly faults: FaultSeen[] = [];
  readonly broken: Broken[] = [];
  readonly #directory: string;

  constructor(directory: string, state: State) {
    this.#directory = directory;
    this.state = state;
  }

  static begin(options: SoakOptions): Soaked {
    const quarters = Array.from({ length: QUARTERS }, () =>
      CLASSES.map(() => new Array<number>(BUCKETS).fill(0)),
    );
    const totals = { operations: 0, refused: 0, unknown: 0, checked: 0, restarts: 0 };
    const freeCycles = options.durationMs >= WARM_UP_MS_LEAST ? 2 : 1;
    const begun = { elapsedMs: 0, cycle: 0, life: 0, pid: 0, free: [] };
    const state = { options, ...begun, freeCycles, quarters, totals };
    return new Soaked(options.directory, state);
  }

  /**
   * One that was broken off, as it was begun but for where things go.
   * @throws TypeError where there is no soak in the directory
   */
  static resume({ directory, livePort, report, json }: SoakOptions): Soaked {
    const path = join(directory, 'soak.json');
    if (!existsSync(path)) throw new TypeError(`There is no soak in ${directory}`);
    const state = JSON.parse(readFileSync(path, 'utf8')) as State;
    const options = { ...state.options, directory, livePort, report, json };
    const soaked = new Soaked(directory, { ...state, options });
    soaked.faults.push(...linesOf<FaultSeen>(directory, 'faults'));
    soaked.broken.push(...linesOf<Broken>(directory, 'broken'));
    return soaked;
  }

  /** All of them, read from disk: a day of them is more than a process should hold that is to judge memory. */
  samples(): Sampled[] {
    return linesOf<Sampled>(this.#directory, 'samples');
  }

  addSample(sample: Sampled): void {
    this.recent.push(sample);
    if (this.recent.length > RECENT_MAX) this.recent.shift();
    this.#append('samples', sample);
  }

  addFault(fault: FaultSeen): void {
    this.faults.push(fault);
    this.#append('faults', fault);
  }

  addBroken(broken: Broken): void {
    this.broken.push(broken);
    this.#append('broken', broken);
  }

  addLatencies(quarter: number, latencies: readonly Float64Array[]): void {
    for (const [i, counts] of latencies.entries()) {
      const sum = Float64Array.from(this.state.quarters[quarter][i]);
      addTo(sum, counts);
      this.state.quarters[quarter][i] = [...sum];
    }
  }

  #append(name: string, line: unknown): void {
    appendFileSync(join(this.#directory, `${name}.jsonl`), `${JSON.stringify(line)}\n`);
  }

  save(): void {
    const path = join(this.#directory, 'soak.json');
    writeFileSync(`${path}.tmp`, JSON.stringify(this.state));
    renameSync(`${path}.tmp`, path);
  }
}

/** The last line may be cut. */
function linesOf<T>(directory: string, name: string): T[] {
  const path = join(directory, `${name}.jsonl`);
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as T);
}
