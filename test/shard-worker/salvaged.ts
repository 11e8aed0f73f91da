/**
 * Salvage of damaged shards, checked against every write there ever was: what lies outside all that was
 * listed as dropped is there exactly, and what lies inside is an older write of its key, or absent.
 */
import assert from 'node:assert/strict';
import { dirname } from 'node:path';
import type { Salvaged } from '../../src/shard-worker/salvaged.ts';
import { CrashError, type CrashStorage } from '../../src/storage/crash.ts';
import type { Random } from '../../src/storage/model-file.ts';
import { type AtRest, imageOf } from './at-rest.ts';
import { Expected, type Rows, Violation, type Write } from './expected.ts';
import { Shards } from './shards.ts';

/** Takes what salvage left of a database for what has to be there, once it fits what was dropped. */
class ExpectedRest extends Expected {
  /** What was told since the damage. */
  readonly dropped: Salvaged[] = [];

  override settle(found: readonly Rows[]): void {
    this.dropped.push(...this.told);
    found.forEach((rows, shard) => {
      for (const key of new Set([...this.keys(shard), ...rows.keys()])) {
        this.#check(shard, key, rows.get(key) ?? null);
      }
    });
  }

  #check(shard: number, key: number, stamp: number | null): void {
    const writes = this.groups[shard].flat().filter((write) => {
      const isOfKey = write.key <= key && key <= (write.to ?? write.key);
      return isOfKey && (write.batch === null || write.batch.outcome === 'committed');
    });
    const newest = writes.at(-1);
    const what = `shard ${shard}, key ${key}`;
    if (newest === undefined) {
      if (stamp !== null) throw new Violation(`${what} was never written, but is ${stamp}`);
    } else if (this.#stampOf(newest) !== stamp) {
      const isKnown = stamp === null || writes.some((write) => this.#stampOf(write) === stamp);
      if (!isKnown) throw new Violation(`${what} was never ${stamp}, or has expired`);
      if (!this.#isDropped(shard, newest)) {
        throw new Violation(
          `${what} is ${stamp}, not ${newest.stamp} of LSN ${newest.lsn}, and nothing says why: ` +
            JSON.stringify(this.dropped),
        );
      }
    }
  }

  /** What is seen of a write: nothing once its row has expired. */
  #stampOf({ stamp, expiresMs = Number.POSITIVE_INFINITY }: Write): number | null {
    return expiresMs > this.nowMs ? stamp : null;
  }

  #isDropped(shard: number, { lsn }: Write): boolean {
    return this.dropped.some((one) => {
      if (one.shard !== shard || one.rows === 0) return false;
      return (one.firstLsn ?? 0) <= lsn && lsn <= (one.lastLsn ?? Number.POSITIVE_INFINITY);
    });
  }
}

/**
 * Salvages a damaged database and checks all that is promised of it. Returns what was dropped.
 * @throws Violation, and whatever else nobody expects
 */
export async function salvageDamaged(
  database: AtRest,
  disk: CrashStorage,
): Promise<readonly Salvaged[]> {
  const before = imageOf(disk);
  const dropped = Shards.salvage(disk, database.expected);
  const told = await openSalvaged(database, disk);
  assert.deepEqual(told, JSON.parse(JSON.stringify(dropped)));
  checkKept(before, disk, dropped);
  return dropped;
}

/**
 * Opens a database that was salvaged, in the ordinary way, and checks that its rows are what they have to
 * be, that it says once what was dropped, which is returned, and that it can be written to.
 */
async function openSalvaged(
  { expected }: AtRest,
  disk: CrashStorage,
): Promise<readonly Salvaged[]> {
  const rest = Object.assign(new ExpectedRest(expected.shards, expected.keyKind), expected.clone());
  const shards = await Shards.open(disk, rest);
  const { told } = rest;
  for (const [shard] of shards.engines.entries()) {
    await shards.room(shard, 4);
    shards.put(shard, -95);
    shards.commit(shard);
  }
  await shards.close();
  const again = await Shards.open(disk, rest);
  if (rest.told.length > 0) throw new Violation('what was dropped is told twice');
  await again.close();
  return told;
}

/** Lets a power cut take nothing of what is on the disk now. */
function settle(disk: CrashStorage): void {
  for (const path of imageOf(disk).keys()) {
    const file = disk.open(path, 'read-write');
    file.sync();
    file.close();
    disk.syncDirectory(dirname(path));
  }
}

/**
 * Kills the salvage of a damaged database at its operations, every `stride`th, and salvages again, after a
 * restart or a power cut. Returns how often it was killed.
 * @throws as `salvageDamaged`
 */
export async function killSalvage(
  database: AtRest,
  damaged: CrashStorage,
  stride: number,
  random: Random,
): Promise<number> {
  settle(damaged);
  const before = imageOf(damaged);
  const whole = damaged.restart();
  const wanted = Shards.salvage(whole, database.expected);
  let kills = 0;
  for (let operation = 0; operation < whole.operations; operation += stride) {
    const kill = KILLS[Math.floor(random() * KILLS.length)];
    const disk = damaged.restart();
    disk.failAt(operation, { kill });
    try {
      Shards.salvage(disk, database.expected);
    } catch (error) {
      if (!(error instanceof CrashError)) throw error;
      kills++;
    }
    const seed = Math.floor(random() * 2 ** 31);
    const left = random() < 0.5 ? disk.restart(seed) : disk.crash(seed);
    try {
      Shards.salvage(left, database.expected);
      const told = await openSalvaged(database, left);
      for (const { file, offset } of wanted) {
        if (told.some((one) => one.file === file && one.offset === offset)) continue;
        throw new Violation(`${file} at ${offset} is not told of`);
      }
      checkKept(before, left, wanted);
    } catch (cause) {
      const what = `killed ${kill} operation ${operation}, seed ${seed}`;
      throw new Violation(`${what}: ${String(cause)}`, { cause });
    }
  }
  return kills;
}

const KILLS = ['before', 'torn', 'after'] as const;

/** No byte of a damaged file is lost. */
function checkKept(
  before: ReadonlyMap<string, Uint8Array>,
  disk: CrashStorage,
  dropped: readonly Salvaged[],
): void {
  const after = imageOf(disk);
  for (const { file, kept } of dropped) {
    const content = before.get(file);
    if ((content === undefined) !== (kept === null)) throw new Violation(`${file}: kept ${kept}`);
    if (kept === null || content === undefined) continue;
    const found = after.get(kept);
    if (found === undefined || !Buffer.from(found).equals(content)) {
      throw new Violation(`${kept} is not what ${file} was`);
    }
  }
}
