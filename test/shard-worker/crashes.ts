/**
 * One crash: a scenario over a disk that fails at one operation, what the machine may look like after
 * it, recoveries of which some die too, and checks of all that every one of them finds.
 */
import { OmenError } from '../../src/errors.ts';
import {
  CrashError,
  type CrashStorage,
  type Fault,
  type Operation,
} from '../../src/storage/crash.ts';
import { type Random, seededRandom } from '../../src/storage/model-file.ts';
import { Expected, Violation } from './expected.ts';
import type { Scenario } from './scenarios.ts';
import { emptyDisk, Shards } from './shards.ts';

export const FAULTS: readonly Fault[] = [
  { kill: 'before' },
  { kill: 'torn' },
  { kill: 'after' },
  { error: 'EIO', lasting: false },
  { error: 'EIO', lasting: true },
  { error: 'ENOSPC', lasting: false },
  { error: 'ENOSPC', lasting: true },
  { lie: 'once' },
  { lie: 'lasting' },
  { error: 'EMFILE', lasting: false },
  { error: 'EMFILE', lasting: true },
];

/** How a refusal says where: file and offset, or what is missing of a directory. */
export const NAMES_PLACE = /^\/\S+( is damaged at (offset|byte) \d+| is missing|: the log )/;

const KILLS = ['before', 'torn', 'after'] as const;

/** Everything that one case is made of: the same numbers give the same case. */
export interface Case {
  readonly scenario: string;
  readonly operation: number;
  /** Index in FAULTS. */
  readonly fault: number;
  /** Decides what the power cut leaves, and where the recoveries die. */
  readonly seed: number;
}

export function show({ scenario, operation, fault, seed }: Case): string {
  return `${scenario}:${operation}:${fault}:${seed}`;
}

/** The operations of an undisturbed run, all checks passed; `first` is where the disk was ready for it. */
export async function operationsOf(
  scenario: Scenario,
): Promise<{ first: number; log: readonly Operation[] }> {
  const storage = emptyDisk(scenario.shards);
  const first = storage.operations;
  const expected = new Expected(scenario.shards, scenario.keyKind, scenario.isFollowed);
  const shards = await scenario.run(await Shards.open(storage, expected));
  shards.checkShown();
  for (const engine of shards.engines) if (engine.failure !== null) throw engine.failure;
  return { first, log: storage.log };
}

/** How a life ended: what is on the disk, and what has to be. */
export interface Death {
  readonly storage: CrashStorage;
  readonly expected: Expected;
  readonly operation: number;
}

/** @throws Violation, or whatever else nobody expects */
export async function runCase(scenario: Scenario, one: Case): Promise<void> {
  await outlive(await liveUntil(scenario, one), one.seed);
}

/**
 * Lives until the fault has struck, and the life is over.
 * @throws Violation, or whatever else nobody expects
 */
export async function liveUntil(
  scenario: Scenario,
  { operation, fault }: Pick<Case, 'operation' | 'fault'>,
): Promise<Death> {
  const storage = emptyDisk(scenario.shards);
  const expected = new Expected(scenario.shards, scenario.keyKind, scenario.isFollowed);
  storage.failAt(operation, FAULTS[fault]);
  await untilDead(async () => {
    const shards = await scenario.run(await Shards.open(storage, expected));
    shards.checkShown();
    checkFailures(storage, operation, FAULTS[fault], shards);
  });
  return { storage, expected, operation };
}

/**
 * One of the futures that a death may have, and all checks in it. The death itself stays as it is.
 * @throws Violation, or whatever else nobody expects
 */
export async function outlive(death: Death, seed: number): Promise<void> {
  const { storage, operation } = death;
  const expected = death.expected.clone();
  const random = seededRandom(seed * 7919 + operation);
  if (storage.hasLied) {
    await excavate(storage.crash(Math.floor(random() * 2 ** 31)), expected);
    return;
  }
  await survive(aftermath(storage, expected, random), expected, random);
}

/** What the dead process leaves to the next: the machine lives, or its power was cut. */
function aftermath(storage: CrashStorage, expected: Expected, random: Random): CrashStorage {
  expected.hadErrors ||= storage.errors > 0;
  const seed = Math.floor(random() * 2 ** 31);
  if (random() < 0.25) {
    expected.processEnded();
    return storage.restart(seed);
  }
  expected.powerCut();
  return storage.crash(seed);
}

/** Runs until the end, or until the process is killed, or an open reports that it cannot be done. */
async function untilDead(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const isReported = error instanceof OmenError && error.code !== 'OMEN_CORRUPT';
    if (!isReported && !(error instanceof CrashError)) throw error;
  }
}

/** A write or sync that failed is noticed, and nobody syncs again what the kernel may have dropped. */
function checkFailures(
  storage: CrashStorage,
  operation: number,
  fault: Fault,
  shards: Shards,
): void {
  if (!('error' in fault) || storage.log.length <= operation) return;
  const failed = storage.log[operation];
  if (failed.kind !== 'datasync' || fault.error !== 'EIO') return;
  const again = storage.log.slice(operation + 1).find(({ kind, path }) => {
    return path === failed.path && (kind === 'datasync' || kind === 'sync' || kind === 'write');
  });
  const wasReopened = shards.expected.opens > 1;
  if (again !== undefined && !wasReopened) {
    throw new Violation(`${again.kind} of ${again.path} after a sync of it failed`);
  }
  const hasFailed = shards.engines.some((engine) => engine.failure !== null);
  if (!hasFailed && !wasReopened) throw new Violation('a failed sync went unnoticed');
}

/**
 * What a disk that lied has left after a power cut: refused with file and place, or rows that were there
 * at one time. A whole shard may be gone, which nothing on the disk could tell.
 */
async function excavate(disk: CrashStorage, expected: Expected): Promise<void> {
  expected.ruined();
  try {
    await Shards.open(disk, expected);
  } catch (error) {
    const isRefused = error instanceof OmenError && error.code === 'OMEN_CORRUPT';
    if (!isRefused || !NAMES_PLACE.test(error.message)) throw error;
  }
}

/** Recovers, dying up to twice on the way; then once more, and what is written then survives too. */
async function survive(disk: CrashStorage, expected: Expected, random: Random): Promise<void> {
  let storage = disk;
  for (let depth = Math.floor(random() * 3); depth > 0; depth--) {
    const kill = KILLS[Math.floor(random() * KILLS.length)];
    storage.failAt(storage.operations + Math.floor(random() ** 2 * 120), { kill });
    await untilDead(async () => {
      await writeMore(await Shards.open(storage, expected));
    });
    storage = aftermath(storage, expected, random);
  }
  const first = await Shards.open(storage, expected);
  first.checkShown();
  // Recovery made all it found durable, so that a power cut right now takes nothing away.
  storage = storage.crash(Math.floor(random() * 2 ** 31));
  expected.powerCut();
  const second = await Shards.open(storage, expected);
  await writeMore(second);
  storage = aftermath(storage, expected, random);
  const third = await Shards.open(storage, expected);
  await third.close();
  expected.processEnded();
  const last = await Shards.open(storage.restart(), expected);
  last.checkShown();
}

/** A little of everything, in the shards that recovery brought back. */
async function writeMore(shards: Shards): Promise<void> {
  const count = shards.engines.length;
  for (let shard = 0; shard < count; shard++) {
    await shards.room(shard, 20);
    shards.put(shard, -1, -2, -70);
    shards.del(shard, -3);
    shards.commit(shard);
  }
  if (count > 1) {
    const batch = shards.take(...Array.from({ length: count }, (_, shard) => shard));
    for (let shard = 0; shard < count; shard++) {
      shards.part(shard, batch, [-70], [-1]);
      shards.commit(shard);
    }
    for (let shard = 1; shard < count; shard++) shards.commit(shard);
  }
  await shards.rotate(0);
  await shards.room(0, 5);
  shards.put(0, -71);
  shards.commit(0);
  shards.checkShown();
}
