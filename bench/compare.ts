/**
 * OmenDB beside other engines: the same work over the same rows, in turns of one run, every answer checked
 * (`compare/run.ts` says how).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, release, tmpdir, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { ENGINE_NAMES, type EngineKind, type EngineName, engineKind } from './compare/engine.ts';
import { METRIC_GROUPS, METRIC_NAMES, METRICS } from './compare/metrics.ts';
import { stepsOf } from './compare/plan.ts';
import { Progress } from './compare/progress.ts';
import { KEY_KINDS, type KeyKind } from './compare/rows.ts';
import { type Cell, type Contestant, compareAll } from './compare/run.ts';

export { show } from './compare/show.ts';

export interface CompareOptions {
  readonly rows?: number;
  readonly rounds?: number;
  readonly engines?: readonly string[];
  readonly keys?: readonly string[];
  /** Metrics, or groups of them. */
  readonly only?: readonly string[];
  /** Of the usual number of operations; for tests. */
  readonly scale?: number;
  /** A place with room for all of it. */
  readonly directory?: string;
  readonly signal?: AbortSignal;
  /** Where progress is told. */
  readonly say?: (line: string) => void;
  readonly isTerminal?: boolean;
}

/** A run as it is kept: plain data. */
export interface CompareRun {
  readonly format: 1;
  readonly at: string;
  readonly machine: Readonly<Record<string, string>>;
  readonly rows: number;
  readonly rounds: number;
  readonly scale: number;
  readonly engines: readonly {
    readonly name: EngineName;
    readonly title: string;
    readonly version: string;
    readonly setup: string;
    readonly inMemory: boolean;
  }[];
  readonly skipped: readonly { readonly title: string; readonly why: string }[];
  readonly interrupted: boolean;
  readonly cells: readonly Cell[];
}

export const ROWS = 1e6;
const ROUNDS = 3;
/** So many rows with text keys are for who asks for them. */
const TEXT_ROWS_MAX = 5e6;

/** What was asked for is not there to be had. */
export class BadOption extends Error {
  override readonly name = 'BadOption';
}

function chosen<Name extends string>(
  option: string,
  asked: readonly string[] | undefined,
  all: readonly Name[],
): Name[] {
  const wrong = asked?.find((one) => !(all as readonly string[]).includes(one));
  if (wrong !== undefined) {
    throw new BadOption(`--${option} knows ${all.join(', ')}, but no "${wrong}".`);
  }
  return all.filter((one) => asked === undefined || asked.includes(one));
}

/** @throws BadOption, Disqualified */
export async function run(options: CompareOptions = {}): Promise<CompareRun> {
  const { rows = ROWS, rounds = ROUNDS, scale = 1, say = () => {}, isTerminal = false } = options;
  const { signal = new AbortController().signal } = options;
  for (const [name, value] of Object.entries({ rows, rounds })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new BadOption(`--${name} is a number from 1 on, not ${value}.`);
    }
  }
  const { only } = options;
  const usual = KEY_KINDS.filter((kind) => kind !== 'strings' || rows < TEXT_ROWS_MAX);
  const kinds = chosen<KeyKind>('keys', options.keys ?? usual, KEY_KINDS);
  chosen('only', only, METRIC_NAMES);
  const names = chosen('engines', options.engines, ENGINE_NAMES);
  const { contestants, versions, skipped } = await enter(names, rows);
  if (contestants.length === 0) {
    throw new BadOption('None of the engines is installed: npm ci in bench/ installs them.');
  }
  if (options.keys === undefined && !kinds.includes('strings')) {
    skipped.push({ title: 'strings keys and YCSB', why: '--keys strings runs them.' });
  }
  const fitting = kinds.filter((kind) => fits(kind, rows, contestants.length));
  for (const kind of kinds.filter((one) => !fitting.includes(one))) {
    skipped.push({ title: `${kind} keys`, why: 'so many rows do not fit into memory.' });
  }
  const settings = { rows, rounds, scale, kinds: fitting, only, contestants };
  const progress = new Progress(stepsOf(settings), say, isTerminal);
  const directory = mkdtempSync(join(options.directory ?? tmpdir(), 'omendb-bench-compare-'));
  const cells: Cell[] = [];
  const at = new Date().toISOString();
  try {
    const onStep = (what: string, weight: number) => progress.step(what, weight);
    await compareAll({ ...settings, directory, signal, onStep }, cells);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    progress.end();
    rmSync(directory, { recursive: true, force: true });
  }
  const engines = contestants.map(({ name, title, setup, inMemory }) => {
    return { name, title, setup, inMemory, version: versions.get(name) ?? '' };
  });
  const machine = machineOf();
  return {
    ...{ format: 1, at, machine, rows, rounds, scale, engines, skipped },
    ...{ interrupted: signal.aborted, cells },
  };
}

/** Bytes that a row takes in the process of one engine, or in the page cache for it, on average. */
const BYTES_A_ROW: Readonly<Record<KeyKind, number>> = {
  uniform: 35,
  sequential: 35,
  strings: 170,
};
/** Besides, the rows that one of them is about to load. */
const LOADED_BYTES_A_ROW: Readonly<Record<KeyKind, number>> = {
  uniform: 30,
  sequential: 30,
  strings: 250,
};

/** All engines have their rows at the same time. */
function fits(kind: KeyKind, rows: number, engines: number): boolean {
  return rows * (engines * BYTES_A_ROW[kind] + LOADED_BYTES_A_ROW[kind]) < 0.8 * totalmem();
}

/** Those that are installed, and can hold so many rows. */
async function enter(names: readonly EngineName[], rows: number) {
  const contestants: Contestant[] = [];
  const versions = new Map<EngineName, string>();
  const skipped: { title: string; why: string }[] = [];
  for (const name of names) {
    const kind: EngineKind = await engineKind(name);
    const { title, rowsMax = Number.POSITIVE_INFINITY } = kind;
    if (rows > rowsMax) {
      skipped.push({ title, why: `it holds no more than ${rowsMax.toLocaleString('en')} rows.` });
      continue;
    }
    try {
      versions.set(name, await kind.version());
    } catch (error) {
      if (!isMissing(error)) throw error;
      skipped.push({ title, why: 'it is not installed.' });
      continue;
    }
    contestants.push({ ...kind, name });
  }
  return { contestants, versions, skipped };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
}

function machineOf(): Record<string, string> {
  return {
    processor: `${availableParallelism()} × ${cpus()[0].model}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${type()} ${release()}`,
    'Node.js': process.versions.node,
  };
}

export const HELP = `Usage: npm run bench [-- compare] [option …]

  --rows N           rows of each engine (${ROWS.toLocaleString('en')})
  --rounds N         turns of each engine (${ROUNDS}); one that took 10 s for a figure has no more of it
  --engines A,B      some of ${ENGINE_NAMES.join(', ')}
  --keys A,B         some of ${KEY_KINDS.join(', ')} (all; from ${TEXT_ROWS_MAX.toLocaleString('en')} rows on
                     not strings, with which go the workloads of YCSB: they take as long as the others together)
  --only A,B         some of ${METRIC_GROUPS.join(', ')},
                     or single figures: ${Object.keys(METRICS).join(', ')}
  --json FILE        writes all figures of all rounds; - is stdout, instead of the tables
  --report           writes a page with charts, bench/results/compare.html
  --against FILE     compares OmenDB with an earlier run's --json; exit code 1 where it has become slower`;
