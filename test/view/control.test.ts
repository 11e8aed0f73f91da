import test from 'ava';
import { SHARDS_MAX } from '../../src/view/commit-table.ts';
import {
  CLIENTS_MAX,
  Control,
  createControl,
  SHARD_COUNTERS,
  SHARD_STATES,
  THREADS_MAX,
} from '../../src/view/control.ts';

const DOORBELL_BYTES = 32;

test('a new control block says that nothing has happened yet', (t) => {
  const control = new Control(createControl());
  t.is(control.requests(0), 0);
  t.is(control.version(0), 0);
  t.is(control.state(0), 'opening');
  t.is(control.counter(0, 'rows'), 0);
  t.is(control.oldestSeen(0, [0, 1]), 0);
  t.is(control.oldestSeen(0, []), Number.POSITIVE_INFINITY);
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
    const word = () => control.words[control.versionIndex(shard)];
    values.push([`version word ${shard}`, word, version]);
    const state = SHARD_STATES[n % SHARD_STATES.length];
    control.setState(shard, state);
    values.push([`state ${shard}`, () => control.state(shard), state]);
    for (const counter of SHARD_COUNTERS) {
      const value = ++n + 2 ** 40 + 0.5;
      control.setCounter(shard, counter, value);
      values.push([`${counter} ${shard}`, () => control.counter(shard, counter), value]);
    }
    for (const client of clients) {
      const seen = ++n;
      control.setSeen(client, shard, seen);
      values.push([`seen ${client} ${shard}`, () => control.oldestSeen(shard, [client]), seen]);
    }
  }
  const ticket = control.table.take([0, SHARDS_MAX - 1], 1, 2);
  values.push(['ticket', () => control.table.participants(ticket), [0, SHARDS_MAX - 1]]);
  for (const [name, read, expected] of values) t.deepEqual(read(), expected, name);
  for (const at of bells) {
    t.true(bytes.subarray(at, at + DOORBELL_BYTES).every((byte) => byte === 0xff));
  }
});

test('a shard goes by the oldest view that any of its clients may read', (t) => {
  const control = new Control(createControl());
  control.setSeen(0, 5, 12);
  control.setSeen(1, 5, 10);
  control.setSeen(2, 5, 11);
  t.is(control.oldestSeen(5, [0, 1, 2]), 10);
  t.is(control.oldestSeen(5, new Set([0, 2])), 11);
  control.setSeen(1, 5, 20);
  t.is(control.oldestSeen(5, [0, 1, 2]), 11);
});

test('two faces of one memory are one control block', (t) => {
  const [a, b] = [createControl()].flatMap((memory) => [new Control(memory), new Control(memory)]);
  for (const state of SHARD_STATES) {
    a.setState(3, state);
    t.is(b.state(3), state);
  }
  a.setCounter(3, 'walBytes', 77);
  t.is(b.counter(3, 'walBytes'), 77);
  t.is(b.counter(3, 'lsn'), 0);
});
