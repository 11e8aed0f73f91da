import test from 'ava';
import fc from 'fast-check';
import { countToGiveUp, FOLLOWED_BYTES_MAX, type ObsoleteFile } from '../../src/wal/retention.ts';

const NONE = Number.POSITIVE_INFINITY;

/** Files of 10 records and 100 bytes each, closed a second after each other, the last one at 1000·count. */
function files(count: number, bytes = 100): ObsoleteFile[] {
  return Array.from({ length: count }, (_, i) => {
    return { bytes, endLsn: 10 * i + 11, closedMs: 1000 * (i + 1) };
  });
}

test('what nobody retains nor follows goes', (t) => {
  t.is(countToGiveUp(files(5), null, NONE, 9000), 5);
  t.is(countToGiveUp([], null, NONE, 9000), 0);
});

test('the last so many bytes stay, rounded up to files', (t) => {
  const given = [0, 1, 100, 101, 400, 401, 1e9].map((bytes) =>
    countToGiveUp(files(5), { bytes, ms: NONE }, NONE, 9000),
  );
  t.deepEqual(given, [5, 4, 4, 3, 1, 0, 0]);
});

test('what was closed so many milliseconds ago goes', (t) => {
  const given = [0, 1000, 1001, 3001, 1e9].map((ms) =>
    countToGiveUp(files(5), { bytes: NONE, ms }, NONE, 6000),
  );
  t.deepEqual(given, [5, 5, 4, 2, 0]);
  t.is(countToGiveUp(files(5), { bytes: 150, ms: 3001 }, NONE, 6000), 3, 'both bounds hold');
});

test('files with a record that a follower has not read stay, and all that are newer', (t) => {
  const given = [1, 10, 11, 41, 50, 51, NONE].map((lsn) =>
    countToGiveUp(files(5), null, lsn, 9000),
  );
  t.deepEqual(given, [0, 0, 1, 4, 4, 5, 5]);
});

test('a follower keeps no more than its bound, and a file', (t) => {
  const large = files(5, FOLLOWED_BYTES_MAX / 2);
  t.is(countToGiveUp(large, null, 1, 9000), 3);
  t.is(countToGiveUp(files(5, FOLLOWED_BYTES_MAX), null, 1, 9000), 4);
});

test('what stays is without a gap, and keeps what either of both wants', (t) => {
  const file = fc.record({
    bytes: fc.nat({ max: 1000 }),
    records: fc.nat({ max: 9 }),
    ms: fc.nat({ max: 99 }),
  });
  const bounds = fc.record({ bytes: fc.nat({ max: 5000 }), ms: fc.nat({ max: 500 }) });
  fc.assert(
    fc.property(
      fc.array(file, { maxLength: 9 }),
      bounds,
      fc.nat({ max: 60 }),
      (made, retain, lsn) => {
        let endLsn = 1;
        let closedMs = 0;
        const all = made.map(({ bytes, records, ms }): ObsoleteFile => {
          endLsn += records;
          closedMs += ms;
          return { bytes, endLsn, closedMs };
        });
        const now = closedMs + 10;
        const both = countToGiveUp(all, retain, lsn, now);
        const followed = countToGiveUp(all, null, lsn, now);
        const retained = countToGiveUp(all, retain, NONE, now);
        t.true(both <= Math.min(followed, retained));
        t.true(all.slice(0, followed).every((given) => given.endLsn <= lsn));
      },
    ),
  );
});
