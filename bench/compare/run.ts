/**
 * The comparison: every engine does the same work over the same rows, and they take turns.
 *
 * Each engine has a process of its own for each set of keys, so that its memory can be told and neither its
 * garbage nor the code that V8 made for it is another's. The processes live side by side, but only one works at
 * a time: in each round of a metric every engine has its turn, and each round another one is the first. So
 * what disturbs the machine for a minute meets all of them, and what differs between rounds is noise.
 *
 * Loads are into a new process and an empty directory each time; the last one stays for the reads. All files
 * are in the page cache of the kernel, as those of a database in use are.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { calibrate } from './calibrate.ts';
import type { EngineKind, EngineName } from './engine.ts';
import { metricsOf } from './metrics.ts';
import { weightOf } from './plan.ts';
import { Disqualified, Remote } from './remote.ts';
import type { KeyKind, Order } from './rows.ts';
import { TASKS } from './tasks.ts';

/** The costs of one engine, a round each; null where it had no turn. */
export interface Cell {
  readonly kind: KeyKind;
  readonly metric: string;
  /** Or what the machine took for a piece of work that is always the same. */
  readonly engine: EngineName | 'calibration';
  /** Nanoseconds an item, or bytes a row: less is better. */
  readonly costs: (number | null)[];
}

export interface Contestant extends EngineKind {
  readonly name: EngineName;
}

export interface Settings {
  readonly rows: number;
  readonly rounds: number;
  /** Of the usual number of operations. */
  readonly scale: number;
  readonly kinds: readonly KeyKind[];
  readonly only: readonly string[] | undefined;
  readonly contestants: readonly Contestant[];
  /** Everything is written below it. */
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Told before each step; `weight` is what it is expected to take, against that of the others. */
  onStep(what: string, weight: number): void;
}

/** An engine that has taken so long for a metric has no further round of it. */
const BUDGET_MS = 10_000;
/** Rows that a killed process leaves unflushed. */
const RECOVERED_ROWS_MAX = 100_000;
const SEEDS_APART = 1_000;

type Measure = (contestant: Contestant, round: number) => Promise<Measured>;
interface Measured {
  readonly cost: number;
  readonly check?: Readonly<Record<string, number>>;
}

/** Adds to `cells` as it goes. @throws Disqualified */
export async function compareAll(settings: Settings, cells: Cell[]): Promise<void> {
  for (const kind of settings.kinds) {
    const metrics = metricsOf(kind, settings.only);
    if (metrics.length > 0) await new Comparison(settings, kind, metrics, cells).run();
  }
}

/** Of one set of keys. */
class Comparison {
  readonly #settings: Settings;
  readonly #kind: KeyKind;
  readonly #metrics: readonly string[];
  readonly #cells: Cell[];
  readonly #contestants: readonly Contestant[];
  readonly #remotes = new Map<EngineName, Remote>();
  #directories = 0;
  readonly #directoryOf = new Map<EngineName, string>();

  constructor(settings: Settings, kind: KeyKind, metrics: readonly string[], cells: Cell[]) {
    this.#settings = settings;
    this.#kind = kind;
    this.#metrics = metrics;
    this.#cells = cells;
    this.#contestants = settings.contestants.filter(
      ({ rowsMax = Number.POSITIVE_INFINITY }) => rowsMax >= settings.rows,
    );
  }

  async run(): Promise<void> {
    try {
      await this.#load('sorted');
      await this.#load('shuffled');
      if (this.#remotes.size === 0) return;
      await this.#settle();
      await this.#tasks((task) => !TASKS[task].writes);
      await this.#memory();
      await this.#open();
      await this.#recover();
      await this.#tasks((task) => TASKS[task].writes);
      await this.#verify();
      for (const remote of this.#remotes.values()) await remote.end();
    } finally {
      for (const remote of this.#remotes.values()) await remote.kill();
      for (const directory of this.#directoryOf.values()) {
        rmSync(directory, { recursive: true, force: true });
      }
    }
  }

  #isWanted(metric: string): boolean {
    return this.#metrics.includes(metric);
  }

  /** What is measured after the loads needs rows, from the last of them, whether or not that counts itself. */
  async #load(order: Order): Promise<void> {
    const isKept = order === (this.#isWanted('load-shuffled') ? 'shuffled' : 'sorted');
    const isMeasured = this.#isWanted(`load-${order}`);
    const isNeeded = isKept && this.#metrics.some((metric) => !metric.startsWith('load'));
    if (!isMeasured && !isNeeded) return;
    const rounds = isMeasured ? this.#settings.rounds : 1;
    const measure: Measure = async (contestant) => {
      await this.#drop(contestant.name);
      const directory = this.#newDirectory();
      this.#directoryOf.set(contestant.name, directory);
      const remote = await this.#start(contestant, directory, this.#settings.rows);
      this.#remotes.set(contestant.name, remote);
      return { cost: await remote.ask('load', { order }) };
    };
    await this.#rounds(`load-${order}`, this.#contestants, rounds, measure, isMeasured);
    if (!isKept || !isNeeded) for (const { name } of this.#contestants) await this.#drop(name);
  }

  async #start(contestant: Contestant, directory: string, rows: number): Promise<Remote> {
    const { name, title } = contestant;
    const asks = { engine: name, kind: this.#kind, rows, directory };
    return Remote.start(title, asks, this.#settings.signal);
  }

  #newDirectory(): string {
    const directory = join(this.#settings.directory, `${this.#kind}-${this.#directories++}`);
    mkdirSync(directory);
    return directory;
  }

  async #drop(name: EngineName): Promise<void> {
    await this.#remotes.get(name)?.end();
    this.#remotes.delete(name);
    const directory = this.#directoryOf.get(name);
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
    this.#directoryOf.delete(name);
  }

  #remoteOf({ name, title }: Contestant): Remote {
    const remote = this.#remotes.get(name);
    if (remote === undefined) throw new Error(`${title} has not been loaded.`);
    return remote;
  }

  /** Engines that keep something compact it; reads are of what is compacted. */
  async #settle(): Promise<void> {
    for (const contestant of this.#contestants.filter(({ inMemory }) => !inMemory)) {
      this.#step('compact', contestant);
      const { loaded, compacted } = await this.#remoteOf(contestant).ask('settle', null);
      this.#note('disk', contestant.name, 0, loaded / this.#settings.rows);
      this.#note('disk-compacted', contestant.name, 0, compacted / this.#settings.rows);
    }
  }

  async #memory(): Promise<void> {
    if (!this.#isWanted('memory') && !this.#isWanted('memory-own')) return;
    for (const contestant of this.#contestants) {
      this.#step('memory', contestant);
      const { resident, mapped } = await this.#remoteOf(contestant).ask('memory', null);
      this.#note('memory', contestant.name, 0, resident / this.#settings.rows);
      this.#note('memory-own', contestant.name, 0, (resident - mapped) / this.#settings.rows);
    }
  }

  async #tasks(isMeant: (task: string) => boolean): Promise<void> {
    const { rounds, scale } = this.#settings;
    for (const task of Object.keys(TASKS).filter(isMeant)) {
      if (!this.#isWanted(task)) continue;
      const able = this.#contestants.filter((one) => this.#remoteOf(one).able.includes(task));
      const runAt =
        (part: number): Measure =>
        async (contestant, round) => {
          const seed = SEEDS_APART + round;
          const asks = { task, seed, scale: scale * part };
          const { cost, check, isRight } = await this.#remoteOf(contestant).ask('run', asks);
          if (!isRight) {
            throw new Disqualified(
              `${contestant.title} answered wrongly: ${task}, ${this.#kind} keys, ${JSON.stringify(check)}.`,
            );
          }
          return { cost, check };
        };
      // What V8 has not compiled yet is no part of any figure. Reading everything compiles itself.
      if (task !== 'entries') await this.#rounds(task, able, 1, runAt(0.25), false);
      await this.#rounds(task, able, rounds, runAt(1), true);
    }
  }

  /** In a process that has never seen the database, which is closed meanwhile. */
  async #open(): Promise<void> {
    if (!this.#isWanted('open')) return;
    const keeping = this.#contestants.filter(({ inMemory }) => !inMemory);
    for (const contestant of keeping) await this.#remoteOf(contestant).ask('close', null);
    await this.#rounds('open', keeping, this.#settings.rounds, (contestant) =>
      this.#opened(contestant, this.#directory(contestant), this.#settings.rows, 'sample'),
    );
  }

  #directory({ name }: Contestant): string {
    return this.#directoryOf.get(name) as string;
  }

  async #opened(
    contestant: Contestant,
    directory: string,
    rows: number,
    verify: 'all' | 'sample',
  ): Promise<Measured> {
    const remote = await this.#start(contestant, directory, rows);
    try {
      return { cost: await remote.ask('open', { verify }) };
    } finally {
      await remote.kill();
    }
  }

  /** What a process that was killed had acknowledged, without syncing it, is in the kernel, and must be there. */
  async #recover(): Promise<void> {
    if (!this.#isWanted('recovery')) return;
    const rows = Math.max(1, Math.min(RECOVERED_ROWS_MAX, Math.floor(this.#settings.rows / 10)));
    const writing = this.#contestants.filter(
      (one) => !one.inMemory && this.#remoteOf(one).able.includes('put-durable-many'),
    );
    await this.#rounds('recovery', writing, this.#settings.rounds, async (contestant) => {
      const directory = this.#newDirectory();
      const writer = await this.#start(contestant, directory, rows);
      try {
        await writer.ask('write', null);
      } finally {
        await writer.kill();
      }
      try {
        return await this.#opened(contestant, directory, rows, 'all');
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    });
  }

  async #verify(): Promise<void> {
    for (const contestant of this.#contestants) {
      this.#step('verify', contestant);
      await this.#remoteOf(contestant).ask('verify', null);
    }
  }

  /** Every engine once a round, each round another one first. */
  async #rounds(
    metric: string,
    contestants: readonly Contestant[],
    rounds: number,
    measure: Measure,
    isNoted = true,
  ): Promise<void> {
    const spentMs = new Map<EngineName, number>();
    const mayDropOut = !(TASKS[metric]?.writes ?? false);
    for (let round = 0; round < rounds; round++) {
      if (isNoted) this.#note(metric, 'calibration', round, calibrate());
      const checks = new Map<string, string>();
      const first = contestants.length === 0 ? 0 : round % contestants.length;
      for (const one of [...contestants.slice(first), ...contestants.slice(0, first)]) {
        this.#step(metric, one);
        const spent = spentMs.get(one.name) ?? 0;
        if (mayDropOut && spent > BUDGET_MS) continue;
        const start = performance.now();
        const { cost, check } = await measure(one, isNoted ? round : -1);
        spentMs.set(one.name, spent + performance.now() - start);
        if (check !== undefined) checks.set(one.title, JSON.stringify(check));
        if (isNoted) this.#note(metric, one.name, round, cost);
      }
      throwUnlessEqual(`${metric}, ${this.#kind} keys`, checks);
    }
  }

  #note(metric: string, engine: Cell['engine'], round: number, cost: number): void {
    if (!this.#isWanted(metric)) return;
    let cell = this.#cells.find(
      (one) => one.kind === this.#kind && one.metric === metric && one.engine === engine,
    );
    if (cell === undefined) {
      cell = { kind: this.#kind, metric, engine, costs: [] };
      this.#cells.push(cell);
    }
    while (cell.costs.length <= round) cell.costs.push(null);
    cell.costs[round] = cost;
  }

  #step(metric: string, { name, title }: Contestant): void {
    const weight = weightOf(metric, name, this.#settings.rows);
    this.#settings.onStep(`${this.#kind} keys, ${metric}, ${title}`, weight);
  }
}

/** @throws Disqualified, naming those that differ from most */
export function throwUnlessEqual(what: string, checks: ReadonlyMap<string, string>): void {
  const votes = new Map<string, number>();
  for (const check of checks.values()) votes.set(check, (votes.get(check) ?? 0) + 1);
  if (votes.size <= 1) return;
  const [[usual]] = [...votes].sort(([, a], [, b]) => b - a);
  const others = [...checks].filter(([, check]) => check !== usual);
  const said = others.map(([title, check]) => `${title} answered ${check}`).join(', ');
  throw new Disqualified(`${what}: most engines answered ${usual}, ${said}.`);
}
