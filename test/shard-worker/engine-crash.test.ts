/**
 * Every scenario of a shard's life is killed or failed at its operations, the power is cut, it recovers, is
 * killed again while it recovers or later, and what is there is checked after each.
 *
 * Here a part of the cases is run; all of them with OMENDB_CRASH_CASES=all (some minutes), and others
 * with stress/main.ts, which also replays a case by the name that a failure prints.
 */
import test from 'ava';
import type { OperationKind } from '../../src/storage/crash.ts';
import { type Case, FAULTS, operationsOf, runCase, show } from './crashes.ts';
import { SCENARIOS } from './scenarios.ts';

/** Of the other cases, one in this many: coprime to the number of faults, so that all have their turn. */
const STRIDE = process.env.OMENDB_CRASH_CASES === 'all' ? 1 : 40;
const KILL_AFTER = FAULTS.findIndex((fault) => 'kill' in fault && fault.kill === 'after');
const EIO_ONCE = FAULTS.findIndex((fault) => 'error' in fault && fault.error === 'EIO');

/** What a power cut leaves where names are at stake differs more than elsewhere: so many are looked at. */
const FUTURES = 3;

/** The bugs that random kills miss: names that were never durable, or may not be. */
function isDelicate(kind: OperationKind | undefined, fault: number): boolean {
  if (kind === 'rename' || kind === 'remove') return fault === KILL_AFTER;
  return kind === 'syncDirectory' && fault === EIO_ONCE;
}

for (const [scenario, what] of Object.entries(SCENARIOS)) {
  test.serial(`killed or failed anywhere, nothing acknowledged is lost: ${scenario}`, async (t) => {
    const { first, log } = await operationsOf(what);
    let cases = 0;
    for (let operation = first; operation <= log.length; operation++) {
      for (let fault = 0; fault < FAULTS.length; fault++) {
        const isChosen = (operation * FAULTS.length + fault) % STRIDE === 0;
        const futures = isDelicate(log[operation]?.kind, fault) ? FUTURES : Number(isChosen);
        for (let seed = 1; seed <= futures; seed++) {
          const one = { scenario, operation, fault, seed };
          cases++;
          try {
            await runCase(what, one);
          } catch (error) {
            t.log(error);
            t.fail(`npx node stress/main.ts crash --case '${show(one)}'`);
          }
        }
      }
    }
    t.true(cases >= log.length / 8, `${cases} cases`);
  });
}

/** Cases that once failed, each for a reason of its own. */
const ONCE_FAILED: Readonly<Record<string, Case>> = {
  // One shard's recovery logged that the batch is committed, then the power was cut, and with it went
  // the other shard's part, which had been found in the page cache only.
  'an outcome outlives no part it was concluded from': {
    scenario: 'batches found by recovery',
    operation: 51,
    fault: FAULTS.findIndex((fault) => 'kill' in fault && fault.kill === 'after'),
    seed: 321758925,
  },
};

for (const [what, one] of Object.entries(ONCE_FAILED)) {
  test(what, async (t) => {
    await t.notThrowsAsync(runCase(SCENARIOS[one.scenario], one));
  });
}
