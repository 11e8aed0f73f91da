/**
 * Layer B: a real process with threads, on the file system as it is, killed by SIGKILL again and again at
 * the same database: while it opens it, while it writes, flushes and compacts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Durability } from '../src/index.ts';
import { type Random, seededRandom } from '../src/storage/model-file.ts';
import { emptyLanes, type Lane, startVictim, type Victim, verify } from './victim.ts';

/** All of them promise that what was acknowledged survives the end of the process. */
const DURABILITIES: readonly Durability[] = ['sync', 'os', { intervalMs: 3 }];
const LINES_MAX = 1200;
const OPENING_MS_MAX = 250;

/** Waits for the moment to kill: some are amid the recovery of what the last kill left. */
async function moment(victim: Victim, random: Random): Promise<void> {
  if (random() < 0.2) await setTimeout(random() * OPENING_MS_MAX);
  else await victim.said(1 + Math.floor(random() ** 2 * LINES_MAX));
}

/** One database, killed so many times. Throws what is wrong with it. */
export async function killLife(seed: number, kills: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'omendb-kill-'));
  const random = seededRandom(seed);
  try {
    let lanes: Lane[] = emptyLanes();
    for (let kill = 0; kill < kills; kill++) {
      const durability = DURABILITIES[Math.floor(random() * DURABILITIES.length)];
      const done = lanes.map(({ steps }) => steps);
      const victim = startVictim({ directory, seed, durability, done });
      try {
        await moment(victim, random);
      } finally {
        victim.process.kill('SIGKILL');
      }
      lanes = await verify(directory, seed, lanes, await victim.acknowledged);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}
