import test from 'ava';
import { ASYNC, explore, type Protocol, type Size, SYNC } from './model.ts';

const sizes: Record<string, Size> = {
  'one ringer, four rings': { ringers: 1, rings: 4 },
  'two ringers, two rings each': { ringers: 2, rings: 2 },
  'three ringers, one ring each': { ringers: 3, rings: 1 },
  'two ringers, one of which dies somewhere': { ringers: 2, rings: 2, deaths: 1 },
  'waits that time out': { ringers: 2, rings: 2, timeouts: 2 },
  'a sleeper that turns to something else meanwhile': { ringers: 2, rings: 2, polls: 2 },
  'everything at once': { ringers: 2, rings: 2, deaths: 1, timeouts: 1, polls: 1 },
};

for (const [name, size] of Object.entries(sizes)) {
  for (const [kind, protocol] of Object.entries({ SYNC, ASYNC })) {
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
    { ...SYNC, sleeper: ['look', 'read', 'arm', 'wait', 'disarm'] },
    { ringers: 1, rings: 1 },
  ],
  'sets the flag only before it looks again in vain': [
    { ...SYNC, sleeper: ['read', 'look', 'wait', 'arm', 'disarm'] },
    { ringers: 1, rings: 1 },
  ],
  'waits without comparing the count': [
    { ...SYNC, sleeper: ['read', 'look', 'arm', 'wait-unchecked', 'disarm'] },
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
  'clears the flag under a pending asynchronous wait': [
    { ...ASYNC, meanwhile: ['read', 'look', 'arm', 'wait', 'disarm'] },
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
