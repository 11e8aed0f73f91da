/**
 * Processes that run the seeds of a campaign, several at once: the parent gives out seeds and hears what
 * came of each. A process that dies is a failure of its seed, and another one takes its place.
 *
 * They are no part of the terminal's foreground: an interrupt reaches the parent alone, which stops giving
 * out seeds. One that loses its parent ends.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { campaignOf } from './campaigns.ts';

export interface Order {
  readonly run: string;
  readonly seed: number;
  readonly cases: number;
  /** The arguments that run it again. */
  readonly replay: string;
}

export interface Failure {
  /** The arguments that replay it. */
  readonly replay: string;
  readonly error: string;
}

/** What one seed came to. */
interface Result {
  readonly cases: number;
  readonly failures: readonly Failure[];
}

export interface Outcome extends Result {
  readonly seed: number;
  /** By the wall's clock. */
  readonly seconds: number;
}

/** Compiled code, kept: most of the life of a process that is killed again and again is its start. */
const COMPILE_CACHE = join(tmpdir(), 'omendb-stress-compile-cache');

/**
 * Runs what `next` gives, in so many processes, until it gives null.
 * @param onOutcome hears of seeds as they end, in any order
 */
export async function runOrders(
  jobs: number,
  next: () => Order | null,
  onOutcome: (outcome: Outcome) => void,
): Promise<void> {
  await Promise.all(Array.from({ length: jobs }, () => employ(next, onOutcome)));
}

async function employ(
  next: () => Order | null,
  onOutcome: (outcome: Outcome) => void,
): Promise<void> {
  let hand: ChildProcess | null = null;
  for (let order = next(); order !== null; order = next()) {
    if (hand === null || !hand.connected) hand = start();
    const begun = performance.now();
    const result = await perform(hand, order);
    onOutcome({ ...result, seed: order.seed, seconds: (performance.now() - begun) / 1000 });
  }
  if (hand?.connected) hand.disconnect();
}

function start(): ChildProcess {
  return fork(import.meta.filename, {
    detached: true,
    serialization: 'advanced',
    env: { NODE_COMPILE_CACHE: COMPILE_CACHE, ...process.env },
  });
}

async function perform(hand: ChildProcess, order: Order): Promise<Result> {
  const heard = new AbortController();
  const { signal } = heard;
  const told = once(hand, 'message', { signal }).then(([result]): Result => result);
  const ended = once(hand, 'exit', { signal }).then(([code, killedBy]): Result => {
    const error = `The process ended with ${killedBy ?? code}.`;
    return { cases: order.cases, failures: [{ replay: order.replay, error }] };
  });
  hand.send(order);
  const result = await Promise.race([told, ended]);
  heard.abort();
  await Promise.allSettled([told, ended]);
  return result;
}

async function obey({ run, seed, cases }: Order): Promise<Result> {
  const failures: Failure[] = [];
  const done = await campaignOf(run).runSeed(seed, cases, (replay, error) => {
    failures.push({ replay, error: String(error) });
  });
  return { cases: done, failures };
}

if (process.argv[1] === import.meta.filename) {
  process.on('message', async (order: Order) => process.send?.(await obey(order)));
  process.once('disconnect', () => process.exit());
}
