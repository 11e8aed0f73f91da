/** A shard's life drawn from a seed: the same seed, the same steps. */
import { type Random, seededRandom } from '../src/storage/model-file.ts';
import type { Batch } from '../test/shard-worker/expected.ts';
import type { Scenario } from '../test/shard-worker/scenarios.ts';
import type { Shards } from '../test/shard-worker/shards.ts';

const KINDS = ['numbers', 'texts', 'expiring'] as const;
/** Of the lives, one in so many is followed: in the others logs are given up. */
const FOLLOWED_ONE_IN = 4;
const KEYS = 40;
const STEPS_MAX = 40;
const SHARDS_MAX = 3;
/** More than any group of a step needs. */
const ROOM = 40;

/** Parts that are still to be given to each shard, in the order of their tickets. */
type Due = Batch[][];

export function randomScenario(seed: number): Scenario {
  const random = seededRandom(seed);
  const shards = 1 + Math.floor(random() * SHARDS_MAX);
  const stepsSeed = Math.floor(random() * 2 ** 31);
  const keyKind = KINDS[seed % KINDS.length];
  const run = (opened: Shards) => live(opened, shards, seededRandom(stepsSeed));
  return { shards, keyKind, isFollowed: seed % FOLLOWED_ONE_IN === 0, run };
}

async function live(opened: Shards, count: number, random: Random): Promise<Shards> {
  let shards = opened;
  let due: Due = Array.from({ length: count }, () => []);
  for (let steps = Math.floor(random() * STEPS_MAX); steps > 0; steps--) {
    const shard = Math.floor(random() * count);
    await shards.room(shard, ROOM);
    const what = random();
    if (what < 0.45) group(shards, shard, random);
    else if (what < 0.6) await shards.rotate(shard);
    else if (what < 0.8) await batch(shards, count, due, random);
    else if (what < 0.83) await shards.flush(shard);
    else if (what < 0.86) clear(shards, shard, random);
    else if (what < 0.9) await shards.compact(shard);
    else if (what < 0.95) shards.sync(shard);
    else {
      shards = await shards.reopened();
      due = due.map(() => []);
    }
  }
  return shards;
}

function freeKeys(shards: Shards, shard: number, random: Random): number[] {
  const keys = Array.from({ length: 1 + Math.floor(random() * 8) }, () => {
    return -1 - Math.floor(random() * KEYS);
  });
  return keys.filter((key) => shards.isFree(shard, key));
}

function group(shards: Shards, shard: number, random: Random): void {
  if (!shards.hasRoom(shard, ROOM)) return;
  if (random() < 0.3) shards.append(shard, Math.ceil(random() * 8));
  if (random() < 0.3) shards.wait(Math.floor(random() * 10));
  if (random() < 0.4)
    shards.putUntil(shard, Math.ceil(random() * 20), ...freeKeys(shards, shard, random));
  shards.put(shard, ...freeKeys(shards, shard, random));
  if (random() < 0.5) shards.del(shard, ...freeKeys(shards, shard, random));
  if (random() < 0.3) shards.judge(shard, ...freeKeys(shards, shard, random));
  shards.commit(shard, random() < 0.7);
}

/** Deletes a range, and writes some keys after that in the same group. */
function clear(shards: Shards, shard: number, random: Random): void {
  const from = -KEYS + Math.floor(random() * KEYS);
  shards.clear(shard, from, from + Math.floor(random() * 20));
  group(shards, shard, random);
}

/** Begins a batch, or lets some shards have the parts that are due to them. */
async function batch(shards: Shards, count: number, due: Due, random: Random): Promise<void> {
  if (count > 1 && random() < 0.6) {
    const others = Array.from({ length: count }, (_, shard) => shard).filter(() => random() < 0.8);
    if (others.length < 2) return;
    const taken = shards.take(...others);
    for (const shard of others) due[shard].push(taken);
  }
  for (let shard = 0; shard < count; shard++) {
    if (random() < 0.4) continue;
    await shards.room(shard, ROOM);
    if (!shards.hasRoom(shard, ROOM)) continue;
    for (const next of due[shard].splice(0, 2)) {
      if (random() < 0.1) shards.refuse(shard, next);
      else shards.part(shard, next, part(shards, shard, random), part(shards, shard, random));
    }
    // A batch is synced: without that, a power cut may take a part of what was shown of it.
    shards.commit(shard);
  }
}

function part(shards: Shards, shard: number, random: Random): number[] {
  return freeKeys(shards, shard, random).slice(0, 3);
}
