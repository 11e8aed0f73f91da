/**
 * The course of a soak: cycles of phases, each at the end of a cycle compared as a whole, with faults in
 * between, as the seed says, until time is up or a promise is broken. The process under soak is another
 * one; this one starts it, tells it what to do, and keeps what was seen (`record.ts`).
 */
import { mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type Random, seededRandom } from '../../src/storage/model-file.ts';
import { collectGarbage } from '../../src/view/collect-garbage.ts';
import { CLASSES } from './board.ts';
import { drawFault, type Fault, type FaultStage } from './faults.ts';
import { percentileUs } from './histogram.ts';
import type { Opened, Sample } from './holder.ts';
import { layoutOf } from './layout.ts';
import { PHASES, QUIET } from './phases.ts';
import { HolderProcess } from './process.ts';
import { QUARTERS, type Sampled, type Soaked } from './record.ts';
import type { Found } from './verify.ts';

/** Of what it can do as fast as it can, it does so much afterwards. */
const SHARE_OF_FREE = 0.6;
const CYCLE_MS_MIN = 5000;
const CYCLE_MS_MAX = 60_000;
const CYCLES_LEAST = 12;
const FAULTS_WANTED = 30;
const FAULTS_LEAST = 3;
const FAULT_MS_MIN = 2500;
const FAULT_MS_MAX = 14_000;
/** Samples so long after a fault count as disturbed; a new process is slower at first. */
const GRACE_MS = 2000;
const NEW_PROCESS_MS = 5000;
/** So many seconds behind what is due count as behind. */
const BEHIND_MAX_S = 0.1;
const QUIET_SAMPLES = 5;
const FILL_MS_MAX = 3_600_000;
/** So long a soak has a middle in which the process is not killed, so that it can be seen to grow. */
const CALM_MS_LEAST = 3 * 60_000;
const CALM_FROM = 0.12;
const CALM_TO = 0.85;
/** Beyond so many keys, to merge everything in every cycle takes longer than a cycle. */
const COMPACT_KEYS_MAX = 2_000_000;

export interface SoakEars {
  /** After every sample. */
  onSample(sample: Sampled): void;
  onFault(text: string): void;
}

export class Soak {
  readonly soaked: Soaked;
  readonly #ears: SoakEars;
  readonly #random: Random;
  readonly #begunMs = performance.now();
  readonly #elapsedBefore: number;
  #process: HolderProcess | null = null;
  /** One of PHASES; behind them, the comparison at the end of a cycle, and the quiet after it. */
  #phase: number = PHASES.length;
  #fault: Fault | null = null;
  #disturbedUntil = 0;
  #nextFaultMs: number;
  #isEnding = false;
  #last: { readonly sample: Sample; readonly life: number; readonly atMs: number } | null = null;
  #openMs = 500;
  /** Operations a second; null: as many as it can. */
  #rate: number | null = null;
  #samples = 0;

  constructor(soaked: Soaked, ears: SoakEars) {
    this.soaked = soaked;
    this.#ears = ears;
    const { state } = soaked;
    this.#elapsedBefore = state.elapsedMs;
    this.#random = seededRandom(state.options.seed + state.life * 7919);
    this.#nextFaultMs = this.#elapsedBefore + this.#faultApartMs;
  }

  get atMs(): number {
    return this.#elapsedBefore + performance.now() - this.#begunMs;
  }

  get #options() {
    return this.soaked.state.options;
  }

  get #cycleMs(): number {
    const share = this.#options.durationMs / CYCLES_LEAST;
    return Math.max(CYCLE_MS_MIN, Math.min(CYCLE_MS_MAX, share));
  }

  get #faultApartMs(): number {
    const share = this.#options.durationMs / FAULTS_WANTED;
    return Math.max(FAULT_MS_MIN, Math.min(FAULT_MS_MAX, share)) * (0.5 + this.#random());
  }

  get #isBroken(): boolean {
    return this.soaked.broken.length > 0;
  }

  get #isOver(): boolean {
    if (this.#isEnding || this.#isBroken) return true;
    // On a machine that has no time for it, a short one takes longer.
    return this.atMs >= this.#options.durationMs && this.soaked.faults.length >= FAULTS_LEAST;
  }

  get #phaseName(): string {
    return [...PHASES.map(({ name }) => name), 'comparing', QUIET][this.#phase];
  }

  /** What is done at the moment, in words. */
  get step(): string {
    const { cycle } = this.soaked.state;
    const fault = this.#fault === null ? '' : `, ${this.#fault.name}`;
    return `cycle ${cycle}, ${this.#phaseName}${fault}`;
  }

  /** Ends it at the next chance; it can be resumed. */
  end(): void {
    this.#isEnding = true;
  }

  async run(): Promise<void> {
    const { state } = this.soaked;
    mkdirSync(this.#options.directory, { recursive: true });
    endLeftover(state.pid, this.#options.directory);
    this.soaked.save();
    await this.#start();
    if (state.cycle === 0) await this.#holder.ask({ do: 'fill' }, FILL_MS_MAX);
    while (!this.#isOver) {
      if (state.cycle < state.freeCycles) await this.#calibrate();
      else await this.#cycle();
      await this.#quiet();
      state.cycle++;
      state.elapsedMs = this.atMs;
      this.soaked.save();
    }
    await this.#finish();
    state.elapsedMs = this.atMs;
    this.soaked.save();
  }

  /** Closed as it should be, and opened by another process, which finds everything. */
  async #finish(): Promise<void> {
    this.#phase = PHASES.length;
    if (this.#isBroken) {
      await this.#process?.kill();
      return;
    }
    await this.#process?.end();
    await this.#start();
    if (this.#isBroken) await this.#process?.kill();
    else await this.#process?.end();
  }

  async #start(): Promise<Opened | null> {
    const opened = await this.#launch().opened;
    if (opened !== null) this.#openMs = opened.openMs;
    this.#take(opened);
    return opened;
  }

  #launch(): HolderProcess {
    const { directory, keys, lanes, seed, durationMs } = this.#options;
    const { state } = this.soaked;
    state.life++;
    state.totals.restarts++;
    const sampleMs = durationMs < 10 * 60_000 ? 250 : 1000;
    const life = state.life;
    const options = { directory, keys, lanes, seed, life, sampleMs };
    this.#process = new HolderProcess(options, {
      onSample: (sample) => this.#onSample(sample, life),
      onFault: (what) => this.#broken(what),
    });
    state.pid = this.#process.pid;
    this.soaked.save();
    return this.#process;
  }

  #take(found: Found | null): void {
    if (found === null) return;
    this.soaked.state.totals.checked += found.checked;
    for (const fault of found.faults) this.#broken(fault);
  }

  #broken(what: string): void {
    if (this.soaked.broken.length >= 20) return;
    this.soaked.addBroken({ atMs: this.atMs, step: this.step, what });
    this.#ears.onFault(what);
  }

  get #holder(): HolderProcess {
    if (this.#process === null) throw new Error('There is no process under soak.');
    return this.#process;
  }

  async #work(phase: number): Promise<void> {
    this.#phase = phase;
    const { rate } = this.#options;
    const free = this.soaked.state.free[phase];
    const isFree = this.soaked.state.cycle < this.soaked.state.freeCycles;
    const share = rate ?? (isFree ? null : SHARE_OF_FREE * free);
    this.#rate = share;
    await this.#holder.ask({ do: 'run', phase, rate: share, heldMs: this.#cycleMs / 3 });
  }

  get #phaseMs(): number {
    return this.#cycleMs / PHASES.length;
  }

  /** Every phase as fast as it can, without faults: what it does then is what it can do. */
  async #calibrate(): Promise<void> {
    const { state } = this.soaked;
    for (const phase of PHASES.keys()) {
      if (this.#isOver) return;
      await this.#work(phase);
      const [begun, operations] = [this.atMs, state.totals.operations];
      await setTimeout(this.#phaseMs);
      const done = state.totals.operations - operations;
      state.free[phase] = Math.max(100, (1000 * done) / (this.atMs - begun));
    }
    this.#nextFaultMs = this.atMs;
  }

  async #cycle(): Promise<void> {
    for (const phase of PHASES.keys()) {
      if (this.#isOver) return;
      const endMs = this.atMs + this.#phaseMs;
      await this.#work(phase);
      while (!this.#isOver && this.atMs < endMs) {
        if (this.atMs >= this.#nextFaultMs) await this.#disturb();
        const leftMs = Math.min(endMs, this.#nextFaultMs) - this.atMs;
        await setTimeout(Math.max(1, Math.min(250, leftMs)));
      }
    }
  }

  async #quiet(): Promise<void> {
    if (this.#isBroken) return;
    const compact = layoutOf(this.#options.keys, 1, 0).total <= COMPACT_KEYS_MAX;
    this.#phase = PHASES.length;
    this.#take(await this.#holder.ask<Found>({ do: 'quiet', compact }, 600_000));
    // So that what this process is seen to have is what it holds: its heap is small, and seldom collected.
    collectGarbage();
    this.#phase = PHASES.length + 1;
    const wanted = this.#samples + QUIET_SAMPLES;
    const lateMs = this.atMs + 10_000;
    while (this.#samples < wanted && this.atMs < lateMs && !this.#isBroken) {
      await setTimeout(20);
    }
  }

  async #disturb(): Promise<void> {
    const part = this.atMs / this.#options.durationMs;
    const isLong = this.#options.durationMs >= CALM_MS_LEAST;
    const mayKill = !isLong || part < CALM_FROM || part > CALM_TO;
    const fault = drawFault(this.#random, mayKill);
    const atMs = this.atMs;
    this.#fault = fault;
    this.#disturbedUntil = Number.POSITIVE_INFINITY;
    const seen = await fault.run(this.#stage());
    this.#disturbedUntil = this.atMs + (fault.kills ? NEW_PROCESS_MS : GRACE_MS);
    this.#fault = null;
    const ms = this.atMs - atMs;
    const { name, expected } = fault;
    this.soaked.addFault({ atMs, ms, name, expected, seen });
    this.#nextFaultMs = Math.max(
      this.atMs + FAULT_MS_MIN / 5,
      this.#nextFaultMs + this.#faultApartMs,
    );
  }

  #stage(): FaultStage {
    return {
      random: this.#random,
      lanes: this.#options.lanes,
      process: () => this.#holder,
      restart: async () => {
        const opened = await this.#start();
        if (opened !== null) await this.#work(this.#phase % PHASES.length);
        return opened;
      },
      restartHalf: async () => {
        const process = this.#launch();
        await setTimeout(100 + this.#random() * (400 + 2 * this.#openMs));
        await process.kill();
      },
      onFault: (what) => this.#broken(what),
    };
  }

  #onSample(sample: Sample, life: number): void {
    const atMs = this.atMs;
    const last = this.#last?.life === life ? this.#last : null;
    this.#last = { sample, life, atMs };
    if (last === null) return;
    const { board } = sample;
    const { board: before } = last.sample;
    const minus = (a: ArrayLike<number>, b: ArrayLike<number>) =>
      Float64Array.from({ length: a.length }, (_, i) => a[i] - b[i]);
    const operations = minus(board.counts, before.counts).reduce((a, b) => a + b, 0);
    const latencies = board.latencies.map((counts, i) => minus(counts, before.latencies[i]));
    const disturbed = last.atMs < this.#disturbedUntil;
    // What was due during a fault is made up for: until then the fault is felt.
    if (disturbed && this.#rate !== null && board.behind > BEHIND_MAX_S * this.#rate) {
      this.#disturbedUntil = Math.max(this.#disturbedUntil, atMs + 1);
    }
    const { state } = this.soaked;
    state.totals.operations += operations;
    state.totals.refused += board.outcomes[1] - before.outcomes[1];
    state.totals.unknown += board.outcomes[2] - before.outcomes[2];
    const quarter = Math.min(
      QUARTERS - 1,
      Math.floor((QUARTERS * atMs) / this.#options.durationMs),
    );
    // As fast as it can, everything waits for everything.
    if (!disturbed && state.cycle >= state.freeCycles) this.soaked.addLatencies(quarter, latencies);
    const percentile = (share: number) =>
      CLASSES.map((_, i) => round(percentileUs(latencies[i], share) / 1000));
    const sampled: Sampled = {
      atMs: Math.round(atMs),
      phase: this.#phaseName,
      cycle: state.cycle,
      life,
      disturbed,
      values: this.#valuesOf(sample),
      clientHeap: board.heapBytes,
      operationsPerSecond: Math.round((1000 * operations) / Math.max(1, atMs - last.atMs)),
      p50: percentile(0.5),
      p999: percentile(0.999),
      rows: sample.rows,
    };
    this.#samples++;
    this.soaked.addSample(sampled);
    this.#ears.onSample(sampled);
  }

  #valuesOf({ memory, handles, sharedBytes, loopMs, board }: Sample): Sampled['values'] {
    const own = process.memoryUsage();
    return {
      rss: memory.rss,
      heap: memory.heapUsed,
      external: memory.external,
      shared: sharedBytes,
      descriptors: descriptorsOf(this.#holder.pid),
      handles,
      disk: bytesBelow(join(this.#options.directory, 'data')),
      loop: round(Math.max(loopMs, board.loopMs)),
      judgeRss: own.rss,
      judgeHeap: own.heapUsed,
    };
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** The process under a supervisor that was killed ends by itself, unless it was stopped just then. */
function endLeftover(pid: number, directory: string): void {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    if (pid > 0 && command.includes('holder.ts') && command.includes(directory)) {
      process.kill(pid, 'SIGKILL');
    }
  } catch {
    // It has ended.
  }
}

/**
 * Descriptors of files and sockets, −1 where the system does not say. Those that every thread has for its
 * event loop come and go with the threads of pools.
 */
function descriptorsOf(pid: number): number {
  const directory = `/proc/${pid}/fd`;
  try {
    return readdirSync(directory).filter((name) => isFile(join(directory, name))).length;
  } catch {
    return -1;
  }
}

function isFile(link: string): boolean {
  try {
    return !/^(anon_inode|pipe):/.test(readlinkSync(link));
  } catch {
    return false;
  }
}

/**
 * Of a directory and those in it, without the log that each shard is writing, and the one that it will use
 * again: how long they are says only how long ago they were begun. Files come and go meanwhile.
 */
function bytesBelow(directory: string): number {
  let bytes = 0;
  let newestLog = '';
  let newestBytes = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) bytes += bytesBelow(path);
    if (!entry.isFile() || entry.name === 'wal-recycled') continue;
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    bytes += size;
    if (!/^wal-\d+\.log$/.test(entry.name) || entry.name < newestLog) continue;
    newestLog = entry.name;
    newestBytes = size;
  }
  return bytes - newestBytes;
}
