/**
 * The faults of a soak, drawn by the seed: each is brought about, ends, and says what was to be expected
 * and what was seen. What a fault does not explain, while it lasts, is a broken promise as ever.
 */
import { setTimeout } from 'node:timers/promises';
import type { Random } from '../../src/storage/model-file.ts';
import type { Counts, Opened } from './holder.ts';
import type { HolderProcess } from './process.ts';

export interface FaultStage {
  readonly random: Random;
  readonly lanes: number;
  process(): HolderProcess;
  /** Starts a process in place of one that was killed, and lets it work where the other was. */
  restart(): Promise<Opened | null>;
  /** Starts one that is to be killed before it has opened, and kills it. */
  restartHalf(): Promise<void>;
  onFault(what: string): void;
}

export interface Fault {
  readonly name: string;
  /** How often it is drawn, relative to others. */
  readonly weight: number;
  /** Whether it ends the process: series of its memory end there. */
  readonly kills: boolean;
  readonly expected: string;
  /** Returns what was seen. */
  run(stage: FaultStage): Promise<string>;
}

const HEAL_MS_MAX = 30_000;
const SOON_MS = 5000;
const POLL_MS = 20;

function between(random: Random, least: number, greatest: number): number {
  return least + random() * (greatest - least);
}

function textOf(opened: Opened | null): string {
  if (opened === null) return 'it did not open';
  const { rows, settled, openMs, verifyMs, faults } = opened;
  const wrong = faults.length === 0 ? 'none wrong' : `${faults.length} wrong`;
  return (
    `opened in ${Math.round(openMs)} ms, ${rows} rows compared in ${Math.round(verifyMs)} ms, ` +
    `${wrong}, ${settled} that were under way decided`
  );
}

/** Sets words of the shim for a while; all of them are 0 otherwise. */
async function meanwhile(
  { process }: FaultStage,
  faults: Readonly<Partial<Record<'syncDelayMs' | 'shortWrites' | 'full' | 'roomBytes', number>>>,
  ms: number,
): Promise<void> {
  const words = Object.entries(faults) as ['syncDelayMs', number][];
  for (const [word, value] of words) await process().ask({ do: 'fault', word, value });
  await setTimeout(ms);
  for (const [word] of words.toReversed()) await process().ask({ do: 'fault', word, value: 0 });
}

async function tolerate(stage: FaultStage, refused: boolean, unknown: boolean): Promise<void> {
  await stage.process().ask({ do: 'tolerate', refused, unknown });
}

async function counts(stage: FaultStage): Promise<Counts | null> {
  return await stage.process().ask<Counts>({ do: 'counts' });
}

/** Whether it comes to be so, within some seconds. */
async function soon(holds: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < SOON_MS / POLL_MS; tries++) {
    if (await holds()) return true;
    await setTimeout(POLL_MS);
  }
  return false;
}

/** What came of writes meanwhile, and how often system calls failed, where any did. */
function since(before: Counts | null, after: Counts | null): string {
  if (before === null || after === null) return '';
  const kinds = Object.keys(after.injected) as (keyof Counts['injected'])[];
  const told = kinds.flatMap((kind) => {
    const count = after.injected[kind] - before.injected[kind];
    return count === 0 ? [] : [`${count} × ${SYSTEM_CALLS[kind]}`];
  });
  const refused = after.refused - before.refused;
  const unknown = after.unknown - before.unknown;
  if (refused > 0) told.push(`${refused} writes refused`);
  if (unknown > 0) told.push(`${unknown} of unknown outcome`);
  return told.length === 0 ? 'nothing met it; ' : `${told.join(', ')}; `;
}

const SYSTEM_CALLS: Readonly<Record<keyof Counts['injected'], string>> = {
  sync: 'sync failed',
  delay: 'sync delayed',
  short: 'write cut short',
  read: 'read failed',
  full: 'no room',
};

/** All shards serve, and no write is unknown any more. */
async function heal(stage: FaultStage): Promise<string> {
  const ill = await stage.process().ask<string>({ do: 'heal', withinMs: HEAL_MS_MAX });
  if (ill !== '' && ill !== null) stage.onFault(`it does not heal: ${ill}`);
  return ill === '' ? 'all shards serve' : `not healed: ${ill}`;
}

async function healthy(stage: FaultStage): Promise<string> {
  const health = await stage.process().ask<string[]>({ do: 'health' });
  const isOk = health?.every((status) => status === 'ok');
  if (!isOk) stage.onFault(`a false alarm: health is ${health}`);
  return `health ${health?.join(', ')}`;
}

async function reopened(stage: FaultStage, failRead: number): Promise<string> {
  const opened = await stage
    .process()
    .ask<Opened & { refused: string }>({ do: 'reopen', failRead });
  for (const one of opened?.faults ?? []) stage.onFault(`after a reopen: ${one}`);
  const refusal = failRead === 0 ? '' : `first ${opened?.refused || 'not refused'}, then `;
  return refusal + textOf(opened);
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'kill',
    weight: 3,
    kills: true,
    expected: 'everything acknowledged is there, batches whole or absent',
    async run(stage) {
      await stage.process().kill();
      return textOf(await stage.restart());
    },
  },
  {
    name: 'kill while it opens',
    weight: 1,
    kills: true,
    expected: 'everything acknowledged is there, batches whole or absent',
    async run(stage) {
      await stage.process().kill();
      await stage.restartHalf();
      return textOf(await stage.restart());
    },
  },
  {
    name: 'stopped process',
    weight: 2,
    kills: false,
    expected: 'nothing is refused, no alarm',
    async run(stage) {
      const ms = Math.round(between(stage.random, 200, 2000));
      stage.process().signal('SIGSTOP');
      await setTimeout(ms);
      stage.process().signal('SIGCONT');
      return `${ms} ms, then ${await healthy(stage)}`;
    },
  },
  {
    name: 'dead shard thread',
    weight: 3,
    kills: false,
    expected: 'writes under way are unknown, the thread is replaced',
    async run(stage) {
      await tolerate(stage, false, true);
      const before = await counts(stage);
      const which = Math.floor(stage.random() * 16);
      const name = await stage.process().ask<string>({ do: 'kill-shard', which });
      const healed = await heal(stage);
      const told = since(before, await counts(stage));
      await tolerate(stage, false, false);
      return `${name} ended; ${told}${healed}`;
    },
  },
  {
    name: 'dead client thread',
    weight: 3,
    kills: false,
    expected: 'its batches are whole or absent, the others do not notice',
    async run(stage) {
      const lane = Math.floor(stage.random() * stage.lanes);
      const settled = await stage.process().ask<number>({ do: 'kill-client', lane });
      return `lane ${lane} ended, of its writes ${settled} were under way; ${await healthy(stage)}`;
    },
  },
  {
    name: 'failed sync',
    weight: 2,
    kills: false,
    expected: 'its shard refuses writes, and recovers when opened anew',
    async run(stage) {
      await tolerate(stage, false, true);
      const before = await counts(stage);
      await stage.process().ask({ do: 'fault', word: 'syncFailures', value: 1 });
      const isFailed = async () => {
        const health = await stage.process().ask<string[]>({ do: 'health' });
        return health?.includes('failed') ?? true;
      };
      const isMet = async () => {
        const now = await counts(stage);
        return now === null || now.injected.sync > (before?.injected.sync ?? 0);
      };
      // Where nothing is written, nothing is synced.
      const met = await soon(isMet);
      await stage.process().ask({ do: 'fault', word: 'syncFailures', value: 0 });
      const failed = met && (await soon(isFailed));
      if (met && !failed) stage.onFault('a sync failed, and its shard went on');
      const told = since(before, await counts(stage));
      const seen = await reopened(stage, 0);
      await tolerate(stage, false, false);
      return `${told}a shard ${failed ? 'failed' : 'went on'}, then ${seen}`;
    },
  },
  {
    name: 'slow sync',
    weight: 2,
    kills: false,
    expected: 'nothing is refused, no alarm',
    async run(stage) {
      const syncDelayMs = Math.round(between(stage.random, 5, 120));
      const before = await counts(stage);
      await meanwhile(stage, { syncDelayMs }, between(stage.random, 500, 2000));
      const told = since(before, await counts(stage));
      return `${syncDelayMs} ms a sync: ${told}${await healthy(stage)}`;
    },
  },
  {
    name: 'full disk',
    weight: 2,
    kills: false,
    expected: 'puts are refused, and taken again once there is room',
    async run(stage) {
      await tolerate(stage, true, false);
      const before = await counts(stage);
      const roomBytes = Math.round(between(stage.random, 1, 2 ** 20));
      await meanwhile(stage, { roomBytes, full: 1 }, between(stage.random, 500, 2500));
      const healed = await heal(stage);
      const told = since(before, await counts(stage));
      await tolerate(stage, false, false);
      return `${roomBytes} bytes of room: ${told}${healed}`;
    },
  },
  {
    name: 'short writes',
    weight: 1,
    kills: false,
    expected: 'nothing is refused, no alarm',
    async run(stage) {
      const before = await counts(stage);
      await meanwhile(stage, { shortWrites: 1 }, between(stage.random, 500, 2000));
      return since(before, await counts(stage)) + (await healthy(stage));
    },
  },
  {
    name: 'read error',
    weight: 1,
    kills: false,
    expected: 'the open is refused, the next one finds everything',
    run: (stage) => reopened(stage, 1 + Math.floor(stage.random() * 12)),
  },
  {
    name: 'clean reopen',
    weight: 1,
    kills: false,
    expected: 'everything acknowledged is there',
    run: (stage) => reopened(stage, 0),
  },
  {
    name: 'clock set',
    weight: 2,
    kills: false,
    expected: 'sessions expire by it, the table does not notice',
    async run(stage) {
      const hours = stage.random() < 0.5 ? 1 : -1;
      const offsetMs = Math.round(hours * between(stage.random, 1000, 3_600_000));
      await stage.process().ask({ do: 'clock', offsetMs });
      await setTimeout(between(stage.random, 300, 1500));
      await stage.process().ask({ do: 'clock', offsetMs: 0 });
      return `${offsetMs} ms and back, ${await healthy(stage)}`;
    },
  },
];

/** The next fault, by the seed. */
export function drawFault(random: Random, mayKill: boolean): Fault {
  const drawn = FAULTS.filter(({ kills }) => mayKill || !kills);
  let left = random() * drawn.reduce((sum, { weight }) => sum + weight, 0);
  for (const fault of drawn) {
    left -= fault.weight;
    if (left < 0) return fault;
  }
  return drawn[0];
}
