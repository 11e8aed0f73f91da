/**
 * Layer A: crashes of the engine in this process, over a model of a disk. Random lives of shards and those
 * that the tests enumerate, failed at every operation or a random one, recovered, killed while recovering,
 * checked.
 */
import { seededRandom } from '../src/storage/model-file.ts';
import {
  type Case,
  type Death,
  FAULTS,
  liveUntil,
  operationsOf,
  outlive,
  runCase,
  show,
} from '../test/shard-worker/crashes.ts';
import { SCENARIOS, type Scenario } from '../test/shard-worker/scenarios.ts';
import { randomScenario } from './random-scenario.ts';

const RANDOM_NAME = /^random (\d+)$/;
const DEATHS_PER_SCENARIO = 10;
const FUTURES_PER_DEATH = 4;

function scenarioOf(name: string): Scenario {
  const seed = RANDOM_NAME.exec(name)?.[1];
  const scenario = seed === undefined ? SCENARIOS[name] : randomScenario(Number(seed));
  if (scenario === undefined) throw new Error(`There is no scenario "${name}".`);
  return scenario;
}

/** The case that a failure named. */
export function parseCase(text: string): Case {
  const [scenario, ...numbers] = text.split(':');
  const [operation, fault, seed] = numbers.map(Number);
  if (numbers.length !== 3 || !numbers.every((number) => /^\d+$/.test(number)) || !FAULTS[fault]) {
    throw new Error(`A case is scenario:operation:fault:seed, not "${text}".`);
  }
  return { scenario, operation, fault, seed };
}

export async function replay(one: Case): Promise<void> {
  await runCase(scenarioOf(one.scenario), one);
}

/** Hears of each failure, with the name that replays it. */
export type OnFailure = (name: string, error: unknown) => void;

/** Lives once, and sees what may come of it with each seed. */
async function attempt(
  scenario: Scenario,
  one: Omit<Case, 'seed'>,
  seeds: readonly number[],
  onFailure: OnFailure,
): Promise<void> {
  let death: Death;
  try {
    death = await liveUntil(scenario, one);
  } catch (error) {
    onFailure(show({ ...one, seed: seeds[0] }), error);
    return;
  }
  for (const seed of seeds) {
    try {
      await outlive(death, seed);
    } catch (error) {
      onFailure(show({ ...one, seed }), error);
    }
  }
}

/** Runs so many cases drawn from the seed. */
export async function crashAnywhere(
  seed: number,
  cases: number,
  onFailure: OnFailure,
): Promise<void> {
  const random = seededRandom(seed);
  const draw = (count: number) => Math.floor(random() * count);
  const names = Object.keys(SCENARIOS);
  for (let done = 0; done < cases; ) {
    const name = random() < 0.25 ? names[draw(names.length)] : `random ${draw(2 ** 31)}`;
    const scenario = scenarioOf(name);
    const extent = await extentOf(name, scenario, onFailure);
    if (extent === null) {
      done++;
      continue;
    }
    const { first, end } = extent;
    for (let i = 0; i < DEATHS_PER_SCENARIO && done < cases; i++) {
      const operation = first + draw(end - first + 1);
      const length = Math.min(FUTURES_PER_DEATH, cases - done);
      const one = { scenario: name, operation, fault: draw(FAULTS.length) };
      const seeds = Array.from({ length }, () => draw(2 ** 31));
      await attempt(scenario, one, seeds, onFailure);
      done += length;
    }
  }
}

/**
 * Runs every operation of every scenario of the tests with every fault; the seed decides what is left
 * after each, and where the recoveries die. Returns how many cases that were.
 */
export async function crashEverywhere(seed: number, onFailure: OnFailure): Promise<number> {
  let cases = 0;
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    const extent = await extentOf(name, scenario, onFailure);
    if (extent === null) continue;
    for (let operation = extent.first; operation <= extent.end; operation++) {
      for (let fault = 0; fault < FAULTS.length; fault++, cases++) {
        await attempt(scenario, { scenario: name, operation, fault }, [seed], onFailure);
      }
    }
  }
  return cases;
}

/** Where a fault may strike. A scenario that fails without any has failed at an operation beyond all. */
async function extentOf(
  name: string,
  scenario: Scenario,
  onFailure: OnFailure,
): Promise<{ first: number; end: number } | null> {
  try {
    const { first, log } = await operationsOf(scenario);
    return { first, end: log.length };
  } catch (error) {
    onFailure(show({ scenario: name, operation: 2 ** 31, fault: 0, seed: 1 }), error);
    return null;
  }
}
