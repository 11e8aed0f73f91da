import test from 'ava';
import { Control, createControl } from '../../src/view/control.ts';

const NONE = Number.POSITIVE_INFINITY;

function board() {
  return new Control(createControl()).logs;
}

test('a new board knows of no record and no follower', (t) => {
  const logs = board();
  t.deepEqual([logs.durableLsn(0), logs.shownLsn(0), logs.markOf(0, 1, 64)], [0, 0, null]);
  t.is(logs.followedLsn(0, [0, 1, 63]), NONE);
  t.is(logs.watches, 0);
});

test('a mark is found by its watermark until the next but one', (t) => {
  const logs = board();
  logs.mark(5, 7, 64, { lsn: 10, openLsn: NONE, durableLsn: 1 });
  t.deepEqual(logs.markOf(5, 7, 64), { lsn: 10, openLsn: NONE, durableLsn: 1 });
  logs.mark(5, 7, 128, { lsn: 12, openLsn: 11, durableLsn: 1 });
  t.deepEqual(logs.markOf(5, 7, 64), { lsn: 10, openLsn: NONE, durableLsn: 1 });
  t.deepEqual(logs.markOf(5, 7, 128), { lsn: 12, openLsn: 11, durableLsn: 1 });
  logs.mark(5, 8, 64, { lsn: 12, openLsn: NONE, durableLsn: 1 });
  t.is(logs.markOf(5, 7, 64), null);
  t.is(logs.markOf(5, 8, 64)?.lsn, 12);
  t.is(logs.markOf(5, 7, 128)?.lsn, 12);
  t.is(logs.markOf(4, 8, 64), null);
  t.is(logs.shownLsn(5), 12);
});

test('to mark the same again takes nothing away', (t) => {
  const logs = board();
  logs.mark(0, 1, 64, { lsn: 1, openLsn: NONE, durableLsn: 1 });
  logs.mark(0, 1, 96, { lsn: 2, openLsn: NONE, durableLsn: 1 });
  for (let i = 0; i < 3; i++) logs.mark(0, 1, 96, { lsn: 2, openLsn: NONE, durableLsn: 1 });
  t.is(logs.markOf(0, 1, 64)?.lsn, 1);
  t.is(logs.markOf(0, 1, 96)?.lsn, 2);
});

test('records that change no row move the mark of the same watermark', (t) => {
  const logs = board();
  for (let lsn = 3; lsn < 9; lsn++) {
    logs.mark(0, 1, 64, { lsn, openLsn: NONE, durableLsn: 1 });
    t.is(logs.markOf(0, 1, 64)?.lsn, lsn);
  }
});

test('an owner goes on where another one left the board', (t) => {
  const control = new Control(createControl());
  control.logs.mark(3, 1, 64, { lsn: 1, openLsn: NONE, durableLsn: 1 });
  control.logs.mark(3, 1, 96, { lsn: 2, openLsn: NONE, durableLsn: 1 });
  const next = new Control(control.memory).logs;
  next.mark(3, 65537, 64, { lsn: 2, openLsn: NONE, durableLsn: 1 });
  t.is(next.markOf(3, 1, 96)?.lsn, 2, 'whoever still has the old view finds its mark');
  t.is(next.markOf(3, 65537, 64)?.lsn, 2);
});

test('the log is kept from the first record on that a client follows', (t) => {
  const logs = board();
  logs.setFollowed(0, 2, 50);
  logs.setFollowed(1, 2, 40);
  logs.setFollowed(1, 3, 7);
  logs.setFollowed(63, 2, 60);
  t.is(logs.followedLsn(2, [0, 1, 63]), 40);
  t.is(logs.followedLsn(2, [0, 63]), 50);
  t.is(logs.followedLsn(3, [0, 63]), NONE);
  logs.setWatches(1, 2);
  logs.setWatches(63, 1);
  t.is(logs.watches, 3);
  t.true(logs.isWatching(1));
  logs.clearClient(1);
  t.false(logs.isWatching(1));
  t.is(logs.followedLsn(2, [0, 1, 63]), 50);
  t.is(logs.followedLsn(3, [1]), NONE);
});
