import test from 'ava';
import { CLIENTS_MAX, SHARDS_MAX } from '../../src/view/commit-table.ts';
import {
  Control,
  createControl,
  SETTLED_INDEX,
  SETTLED_STRIDE,
  SHARD_COUNTERS,
  THREADS_MAX,
} from '../../src/view/control.ts';
import { SHARD_STATES } from '../../src/view/status.ts';

const DOORBELL_BYTES = 32;

test('a new control block says that nothing has happened yet', (t) => {
  const control = new Control(createControl());
  t.is(control.requests(0), 0);
  t.is(control.version(0), 0);
  t.is(control.statuses.state(0), 'opening');
  t.is(control.counter(0, 'rows'), 0);
  t.true(control.isRead(0, [0, 1], 1, 1), 'a client that has no view yet may get any');
  t.false(control.isRead(0, [], 1, 1));
  t.is(control.snapshots, 0);
  t.is(control.table.next, 1);
});

test('memory of another size is no control block', (t) => {
  t.throws(() => new Control(new SharedArrayBuffer(1024)), { name: 'AssertionError' });
});

test('every part has words of its own, to the last thread, client and shard', (t) => {
  const control = new Control(createControl());
  const threads = [0, 1, THREADS_MAX - 1];
  const clients = [0, 1, CLIENTS_MAX - 1];
  const shards = [0, 1, SHARDS_MAX - 1];
  const bytes = new Uint8Array(control.memory);
  const bells = [
    ...threads.map((thread) => control.threadDoorbellAt(thread)),
    ...clients.map((client) => control.clientDoorbellAt(client)),
    ...clients.map((client) => control.logs.doorbellAt(client)),
  ];
  for (const at of bells) bytes.fill(0xff, at, at + DOORBELL_BYTES);

  const values: [string, () => unknown, unknown][] = [];
  let n = 0;
  for (const thread of threads) {
    const requests = ++n;
    for (let i = 0; i < requests; i++) control.addRequest(thread);
    values.push([`requests ${thread}`, () => control.requests(thread), requests]);
  }
  for (const shard of shards) {
    const version = 1000 + ++n;
    control.setVersion(shard, version);
    values.push([`version ${shard}`, () => control.version(shard), version]);
    const word = () => control.signed[control.versionIndex(shard)];
    values.push([`version word ${shard}`, word, version]);
    const settled = 2000 + n;
    control.setSettled(shard, settled);
    values.push([`settled ${shard}`, () => control.settled(shard), settled]);
    const settledWord = () => control.signed[SETTLED_INDEX + shard * SETTLED_STRIDE];
    values.push([`settled word ${shard}`, settledWord, settled]);
    const state = SHARD_STATES[n % SHARD_STATES.length];
    control.statuses.set(shard, state);
    values.push([`state ${shard}`, () => control.statuses.state(shard), state]);
    for (const counter of SHARD_COUNTERS) {
      const value = ++n + 2 ** 40 + 0.5;
      control.setCounter(shard, counter, value);
      values.push([`${counter} ${shard}`, () => control.counter(shard, counter), value]);
    }
    const durable = ++n + 2 ** 40;
    control.logs.setDurableLsn(shard, durable);
    values.push([`durable ${shard}`, () => control.logs.durableLsn(shard), durable]);
    const mark = { lsn: ++n, openLsn: n, durableLsn: n - 1 };
    control.logs.mark(shard, 1, n, mark);
    values.push([`mark ${shard}`, () => control.logs.markOf(shard, 1, mark.lsn), mark]);
    for (const client of clients) {
      const followed = ++n;
      control.logs.setFollowed(client, shard, followed);
      values.push([
        `followed ${client} ${shard}`,
        () => control.logs.followedLsn(shard, [client]),
        followed,
      ]);
      const seen = ++n;
      control.setSeen(client, shard, seen);
      control.setPins(client, shard, n, n);
      const reads = () =>
        [seen, seen + 1].map((end) => control.isRead(shard, [client], 2 ** 31, end));
      values.push([`seen ${client} ${shard}`, reads, [false, true]]);
    }
  }
  const ticket = control.table.take([0, SHARDS_MAX - 1], 1, 2);
  values.push(['ticket', () => control.table.participants(ticket), [0, SHARDS_MAX - 1]]);
  for (const [name, read, expected] of values) t.deepEqual(read(), expected, name);
  for (const at of bells) {
    t.true(bytes.subarray(at, at + DOORBELL_BYTES).every((byte) => byte === 0xff));
  }
});

test('a shard goes by the views that its clients go by, and by those that they pin', (t) => {
  const control = new Control(createControl());
  control.setSeen(0, 5, 12);
  control.setSeen(1, 5, 10);
  control.setSeen(2, 5, 11);
  const isRead = (first: number, end: number, clients: Iterable<number> = [0, 1, 2]) =>
    control.isRead(5, clients, first, end);
  t.deepEqual([isRead(1, 10), isRead(1, 11)], [false, true]);
  t.deepEqual([isRead(1, 11, new Set([0, 2])), isRead(1, 12, new Set([0, 2]))], [false, true]);
  control.setSeen(1, 5, 20);
  t.false(isRead(1, 11));
  control.setPins(0, 5, 4, 7);
  const pinned = [
    [1, 4],
    [1, 5],
    [4, 5],
    [5, 6],
    [7, 9],
    [8, 9],
  ] as const;
  t.deepEqual(
    pinned.map(([first, end]) => isRead(first, end)),
    [false, true, true, true, true, false],
  );
  control.setPins(0, 5, 0, 0);
  t.false(isRead(1, 11));
});

test('snapshots are counted by client', (t) => {
  const control = new Control(createControl());
  control.setSnapshots(0, 2);
  control.setSnapshots(CLIENTS_MAX - 1, 3);
  t.is(control.snapshots, 5);
  control.setSnapshots(0, 0);
  t.is(control.snapshots, 3);
});

test('two faces of one memory are one control block', (t) => {
  const [a, b] = [createControl()].flatMap((memory) => [new Control(memory), new Control(memory)]);
  for (const state of SHARD_STATES) {
    a.statuses.set(3, state);
    t.is(b.statuses.state(3), state);
  }
  a.setCounter(3, 'walBytes', 77);
  t.is(b.counter(3, 'walBytes'), 77);
  t.is(b.counter(3, 'lsn'), 0);
});
