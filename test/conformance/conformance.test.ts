import test from 'ava';
import { attached, opened } from './faces.ts';
import { SUBJECTS } from './schemas.ts';
import { conforms, type Face } from './suite.ts';

const FACES: readonly (readonly [string, Face])[] = [
  ['one shard', opened(() => ({ shards: 1 }))],
  ['three shards on one thread', opened(() => ({ shards: 3, threads: 1 }))],
  ['eight shards on two threads', opened(() => ({ shards: 8, threads: 2 }))],
  ['four ranges', opened((splits) => ({ shards: 4, threads: 2, partition: { splits } }))],
  [
    'flushed after every write',
    opened(
      () => ({ shards: 2, threads: 1 }),
      (db) => db.flush(),
    ),
  ],
  [
    'compacted after every write',
    opened(
      () => ({ shards: 1 }),
      (db) => db.compact(),
    ),
  ],
  ['attached from another thread', attached({ shards: 3, threads: 2 })],
];

FACES.forEach(([name, face], f) => {
  // Every subject meets half of the faces, every face half of the subjects.
  SUBJECTS.filter((_, s) => (s + f) % 2 === 0).forEach((subject) => {
    test.serial(`${name}: ${subject.name}`, async (t) => {
      await t.notThrowsAsync(conforms(face, subject, 2));
    });
  });
});

/** Opening costs more than anything else: fewer runs. */
const reopened = opened(
  () => ({ shards: 2, threads: 1 }),
  (_, reopen) => reopen(),
);
for (const subject of SUBJECTS.slice(0, 2)) {
  test.serial(`reopened after every write: ${subject.name}`, async (t) => {
    await t.notThrowsAsync(conforms(reopened, subject, 1));
  });
}
