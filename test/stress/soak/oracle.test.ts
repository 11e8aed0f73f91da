import test from 'ava';
import fc from 'fast-check';
import { layoutOf, REGION_NAMES } from '../../../stress/soak/layout.ts';
import {
  ABSENT,
  EXPIRING,
  type Kind,
  LIVE,
  NOTHING,
  Oracle,
  oracleMemory,
  versionOf,
} from '../../../stress/soak/oracle.ts';

const layout = layoutOf(20_000, 2, 1);
const NO_TIME = { begun: 0, latest: 0 };

function newOracle(): Oracle {
  return new Oracle(layout, oracleMemory(layout));
}

test('what was acknowledged may be read, and nothing else', (t) => {
  const oracle = newOracle();
  t.is(oracle.fault(5, oracle.acked[5], NOTHING, NO_TIME), null);
  t.regex(oracle.fault(5, 0, 1, NO_TIME) ?? '', /no later one than 0/);
  const first = oracle.issue(5, LIVE);
  t.is(oracle.fault(5, 0, NOTHING, NO_TIME), null);
  t.is(oracle.fault(5, 0, 1, NO_TIME), null);
  oracle.acknowledge(5, first);
  t.is(oracle.fault(5, first, 1, NO_TIME), null);
  t.regex(oracle.fault(5, first, NOTHING, NO_TIME) ?? '', /no row/);
  // A read that began before the acknowledgement may have missed it.
  t.is(oracle.fault(5, 0, NOTHING, NO_TIME), null);
  const second = oracle.issue(5, LIVE);
  oracle.acknowledge(5, second);
  t.regex(oracle.fault(5, second, 1, NO_TIME) ?? '', /stale/);
  const third = oracle.issue(5, ABSENT);
  t.is(oracle.fault(5, second, NOTHING, NO_TIME), null);
  t.is(oracle.fault(5, second, 2, NO_TIME), null);
  oracle.acknowledge(5, third);
  t.is(oracle.fault(5, third, NOTHING, NO_TIME), null);
  t.regex(oracle.fault(5, third, 2, NO_TIME) ?? '', /stale/);
  t.regex(oracle.fault(5, third, 3, NO_TIME) ?? '', /which deleted it/);
});

test('what was refused must not be there', (t) => {
  const oracle = newOracle();
  oracle.acknowledge(9, oracle.issue(9, LIVE));
  oracle.issue(9, LIVE);
  t.is(oracle.fault(9, oracle.acked[9], 2, NO_TIME), null);
  oracle.refuse(9);
  t.regex(oracle.fault(9, oracle.acked[9], 2, NO_TIME) ?? '', /no later one than 1/);
  t.false(oracle.isUnderWay(9));
});

test('a session is there until its time, and not after it', (t) => {
  const oracle = newOracle();
  const index = layout.regions.sessions.first + 3;
  const word = oracle.issue(index, EXPIRING);
  oracle.setUntil(index, 5000);
  oracle.acknowledge(index, word);
  const at = (ms: number) => ({ begun: ms, latest: ms });
  t.is(oracle.fault(index, word, 1, at(4900)), null);
  t.regex(oracle.fault(index, word, NOTHING, at(4900)) ?? '', /no row/);
  t.is(oracle.fault(index, word, NOTHING, at(5100)), null);
  t.regex(oracle.fault(index, word, 1, at(5100)) ?? '', /expired/);
  // The clock was set back: it may be there, or have been dropped while it was later.
  t.is(oracle.fault(index, word, 1, { begun: 100, latest: 9000 }), null);
  t.is(oracle.fault(index, word, NOTHING, { begun: 100, latest: 9000 }), null);
});

test('what was under way when everything ended is decided by what is there', (t) => {
  const cases: [Kind, Kind, number, number][] = [
    [LIVE, LIVE, 1, 1],
    [LIVE, LIVE, 2, 2],
    [LIVE, ABSENT, NOTHING, 2],
    [LIVE, ABSENT, 1, 1],
    [ABSENT, LIVE, NOTHING, 1],
    [ABSENT, LIVE, 2, 2],
  ];
  for (const [first, second, found, version] of cases) {
    const oracle = newOracle();
    oracle.acknowledge(7, oracle.issue(7, first));
    oracle.issue(7, second);
    t.is(versionOf(oracle.settle(7, found)), version);
    t.false(oracle.isUnderWay(7));
    t.is(oracle.fault(7, oracle.acked[7], found, NO_TIME), null);
  }
});

/** What a database would do, told of each write one after the other. */
test('whatever a register does that keeps what it acknowledged is right', (t) => {
  const step = fc.record({
    kind: fc.constantFrom<Kind>(ABSENT, LIVE),
    outcome: fc.constantFrom('done', 'refused', 'unknown, done', 'unknown, not done'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const oracle = newOracle();
      let held = NOTHING;
      for (const { kind, outcome } of steps) {
        const before = oracle.acked[11];
        const earlier = held;
        const word = oracle.issue(11, kind);
        if (oracle.fault(11, before, held, NO_TIME) !== null) return false;
        if (outcome.endsWith(' done') || outcome === 'done') {
          if (!outcome.endsWith('not done')) held = kind === ABSENT ? NOTHING : versionOf(word);
        }
        if (outcome === 'done') oracle.acknowledge(11, word);
        else if (outcome === 'refused') oracle.refuse(11);
        else oracle.settle(11, held);
        if (oracle.fault(11, before, earlier, NO_TIME) !== null && outcome === 'refused')
          return false;
        if (oracle.fault(11, oracle.acked[11], held, NO_TIME) !== null) return false;
      }
      return oracle.liveRows(0, layout.total) === Number(held !== NOTHING);
    }),
  );
  t.pass();
});

test('regions are whole cohorts for every lane, one behind the other', (t) => {
  for (const lanes of [1, 2, 3, 4]) {
    const { regions, total } = layoutOf(100_000, lanes, 1);
    let first = 0;
    for (const name of REGION_NAMES) {
      t.is(regions[name].first, first);
      t.is((regions[name].end - first) % (lanes * regions[name].cohort), 0);
      first = regions[name].end;
    }
    t.is(first, total);
    t.true(Math.abs(total - 100_000) < 20_000);
  }
});
