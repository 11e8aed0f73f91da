import test from 'ava';
import { ASYNC, explore, type Protocol, type Size, SPARING, SPARING_ASYNC, SYNC } from './model.ts';

const sizes: Record<string, Size> = {
  'one ringer, four rings': { ringers: 1, rings: 4 },
  'two ringers, two rings each': { ringers: 2, rings: 2 },
  'three ringers, one ring each': { ringers: 3, rings: 1 },
  'two ringers, one of which dies, and a time-out': {
    ringers: 2,
    rings: 2,
    deaths: 1,
    timeouts: 1,
  },
};

/** While an asynchronous wait is pending, the sleeper may turn to something else, even to sleep. */
const busySizes: Record<string, Size> = {
  'one busy ringer': { ringers: 1, rings: 3, timeouts: 1, polls: 2 },
  'two busy ringers, one of which dies': { ringers: 2, rings: 1, deaths: 1, timeouts: 1, polls: 2 },
};

const protocols: Record<string, [Protocol, Record<string, Size>]> = {
  'blocking, with a ring per publish': [SYNC, sizes],
  'blocking, with sparing rings': [SPARING, sizes],
  'asynchronous, with a ring per publish': [ASYNC, busySizes],
  'asynchronous, with sparing rings': [SPARING_ASYNC, busySizes],
};

for (const [kind, [protocol, sizesOfKind]] of Object.entries(protocols)) {
  for (const [name, size] of Object.entries(sizesOfKind)) {
    test(`no interleaving loses a wake-up: ${kind}, ${name}`, (t) => {
      const { states, ends, lost } = explore(protocol, size);
      t.deepEqual(lost, []);
      t.true(ends > 0);
      t.log(`${states} states, ${ends} ends`);
    });
  }
}

const wrong: Record<string, [Protocol, Size]> = {
  'looks for work before it reads the count': [
    { ...SYNC, sleeper: ['look', 'release', 'read', 'arm', 'wait', 'disarm'] },
    { ringers: 1, rings: 1 },
  ],
  'sets the flag only before it looks again in vain': [
    { ...SYNC, sleeper: ['read', 'look', 'release', 'wait', 'arm', 'disarm'] },
    { ringers: 1, rings: 1 },
  ],
  'waits without comparing the count': [
    { ...SYNC, sleeper: ['read', 'look', 'release', 'arm', 'wait-unchecked', 'disarm'] },
    { ringers: 1, rings: 1 },
  ],
  'rings before it publishes': [
    { ...SYNC, ringer: ['bump', 'load-asleep', 'notify', 'publish'] },
    { ringers: 1, rings: 1 },
  ],
  'looks at the flag before it bumps the count': [
    { ...SYNC, ringer: ['publish', 'load-asleep', 'bump', 'notify'] },
    { ringers: 1, rings: 1 },
  ],
  // A slow ringer clears the flag of the sleep after the one it rang into.
  'clears the flag for the sleeper': [
    { ...SYNC, ringer: ['publish', 'bump', 'swap-asleep', 'notify'] },
    { ringers: 2, rings: 2 },
  ],
  'rings for the first frame only and sleeps after a release without another look': [
    { ...SPARING, sleeper: ['read', 'look', 'release-and-go-on', 'arm', 'wait', 'disarm'] },
    { ringers: 1, rings: 2 },
  ],
  'clears the flag under a pending asynchronous wait': [
    { ...ASYNC, meanwhile: ['read', 'look', 'release', 'arm', 'wait', 'disarm'] },
    { ringers: 1, rings: 2, timeouts: 1, polls: 1 },
  ],
};

for (const [name, [protocol, size]] of Object.entries(wrong)) {
  test(`the walk finds the lost wake-up of a protocol that ${name}`, (t) => {
    const { lost } = explore(protocol, size);
    t.not(lost.length, 0);
    t.log(lost.join('\n'));
  });
}
