import test from 'ava';
import { attached, compact, flush, opened, reopen } from './faces.ts';
import { SUBJECTS } from './schemas.ts';
import { conforms, type Face } from './suite.ts';

/** Each with how many operations a run may have: some faces take long over each. */
const FACES: readonly (readonly [string, Face, number])[] = [
  ['one shard', opened(() => ({ shards: 1 })), 160],
  ['three shards on one thread', opened(() => ({ shards: 3, threads: 1 })), 160],
  ['eight shards on two threads', opened(() => ({ shards: 8, threads: 2 })), 160],
  ['four ranges', opened((splits) => ({ shards: 4, threads: 2, partition: { splits } })), 160],
  ['attached from another thread', attached({ shards: 3, threads: 2 }), 160],
  ['flushed after every write', opened(() => ({ shards: 2, threads: 1 }), flush), 60],
  ['compacted after every write', opened(() => ({ shards: 1 }), compact), 60],
  ['reopened after every write', opened(() => ({ shards: 2, threads: 1 }), reopen), 24],
];

FACES.forEach(([name, face, operationsMax], f) => {
  // Every subject meets half of the faces, every face half of the subjects.
  SUBJECTS.filter((_, s) => (s + f) % 2 === 0).forEach((subject) => {
    test.serial(`${name}: ${subject.name}`, async (t) => {
      await t.notThrowsAsync(conforms(face, subject, operationsMax));
    });
  });
});
