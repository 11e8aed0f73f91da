import assert from 'node:assert/strict';
import test from 'ava';
import { Doorbell } from '../../src/ring/doorbell.ts';
import { runJob } from '../../src/shard-worker/jobs.ts';
import { REQUEST_RING_BYTES, WRITE_STAGE } from '../../src/shard-worker/protocol.ts';
import { UNDECIDED } from '../../src/view/commit-table.ts';
import { type Operation, Served, type TestClient } from './served.ts';

function puts(first: number, count: number): Operation[] {
  return Array.from({ length: count }, (_, i) => [first + i, i]);
}

test('messages take effect in the order sent, and are answered when they are durable', async (t) => {
  const served = await Served.open(t);
  const client = served.client();
  const sent = [client.put(0, 1, 10), client.put(0, 2, 20), client.del(0, 1), client.put(1, 1, 30)];
  const batch = client.batch(0, 0, 0, [
    [2, 21],
    [3, 31],
  ]);
  t.is(served.get(0, 2), undefined);
  await served.until('all are answered', () => [...sent, batch].every(({ outcome }) => outcome));
  t.true([...sent, batch].every(({ outcome }) => outcome?.error === null));
  t.deepEqual([served.get(0, 1), served.get(0, 2), served.get(0, 3)], [undefined, 21, 31]);
  t.is(served.get(1, 1), 30);
  t.true(served.storage.log.some(({ kind }) => kind === 'datasync'));
});

test('a message for a shard that is not here is refused', async (t) => {
  const served = await Served.open(t);
  const sent = served.client().put(7, 1, 1);
  await served.until('it is answered', () => sent.outcome !== undefined);
  t.is(sent.outcome?.error?.code, 'OMEN_SHARD_FAILED');
});

test('a write to a key of an open batch waits, with all that its client sent after it', async (t) => {
  const served = await Served.open(t);
  const [client, other] = [served.client(), served.client()];
  const { table } = served.control;
  const ticket = table.take([0, 1], client.number, client.newRequest());
  client.batch(0, ticket, 1, [[1, 11]]);
  await served.settled();
  const parked = [other.put(0, 1, 12), other.put(0, 2, 22)];
  const free = client.put(0, 3, 33);
  await served.until('the other key is written', () => free.outcome !== undefined);
  await served.settled();
  t.deepEqual(
    parked.map(({ outcome }) => outcome),
    [undefined, undefined],
  );
  t.is(served.get(0, 1), undefined, 'an undecided batch is not seen');
  client.batch(1, ticket, 1, [[1, 13]]);
  await served.until('all go on', () => parked.every(({ outcome }) => outcome !== undefined));
  t.is(client.batches.get(1)?.error, null);
  t.deepEqual([served.get(0, 1), served.get(0, 2), served.get(1, 1)], [12, 22, 13]);
});

test('parts are applied in the order of their tickets, whatever the order they come in', async (t) => {
  const served = await Served.open(t);
  const [one, two] = [served.client(), served.client()];
  const { table } = served.control;
  const first = table.take([0, 1], one.number, one.newRequest());
  const second = table.take([0, 1], two.number, two.newRequest());
  two.batch(0, second, 1, [[1, 2]]);
  two.batch(1, second, 1, [[1, 2]]);
  await served.settled();
  t.is(table.state(second), UNDECIDED);
  one.batch(1, first, 1, [[1, 1]]);
  one.batch(0, first, 1, [[1, 1]]);
  await served.until('both are decided', () => two.batches.has(1) && one.batches.has(1));
  t.deepEqual([served.get(0, 1), served.get(1, 1)], [2, 2]);
  await served.until('both are settled', () => table.isSettledEverywhere(second));
  t.true(table.isSettledEverywhere(first));
});

test('whoever waits for room in the middle of a message is woken when there is some', async (t) => {
  const served = await Served.open(t);
  const client = served.client();
  const { control } = served;
  const bell = new Doorbell(control.memory, control.clientDoorbellAt(client.number));
  const words = new Uint32Array(REQUEST_RING_BYTES / 2);
  words.set([WRITE_STAGE, 0, 0, client.newRequest()]);
  const message = new Uint8Array(words.buffer);
  for (let pieces = 1; ; pieces++) {
    const seen = bell.read();
    if (client.link.sendChunks(message, null)) break;
    t.true(pieces < 10, 'the message is never in');
    await served.until('the bell is rung', () => bell.read() !== seen);
  }
  await served.until('the message is completed', () => client.link.inFlight === 0);
});

test('a part staged before its ticket, and one that crosses in chunks, are taken whole', async (t) => {
  const served = await Served.open(t, { memtableShape: { entriesMax: 8192, arenaBytes: 2 ** 20 } });
  const client = served.client();
  const operations = puts(0, 1500);
  const request = client.newRequest();
  client.stage(0, request, operations);
  client.stage(1, request, operations.slice(0, 700));
  await served.settled();
  const ticket = served.control.table.take([0, 1], client.number, request);
  client.staged(0, ticket, request, 1500);
  client.staged(1, ticket, request, 700);
  await served.until('the batch is decided', () => client.batches.has(request));
  t.deepEqual(
    [served.get(0, 1499), served.get(1, 699), served.get(1, 700)],
    [1499, 699, undefined],
  );
  const whole = client.batch(0, 0, 0, puts(2000, 4000));
  await served.until('it is answered', () => whole.outcome !== undefined);
  t.is(served.get(0, 5999), 3999);
});

test('memtables are sealed and flushed as they fill, and nothing is lost on the way', async (t) => {
  const served = await Served.open(t);
  const client = served.client();
  const sent = Array.from({ length: 1000 }, (_, i) => client.put(0, i % 300, i));
  await served.until('all are answered', () => sent.every(({ outcome }) => outcome));
  t.true(sent.every(({ outcome }) => outcome?.error === null));
  for (let at = 0; at < 300; at++) t.is(served.get(0, at), at < 100 ? 900 + at : 600 + at);
  await served.engines[0].flush();
  t.true(served.engines[0].view.runs.length > 0);
});

test('while a batch is open its memtable is not flushed and writes are held; then they go on', async (t) => {
  const served = await Served.open(t);
  const [client, other] = [served.client(), served.client()];
  const ticket = served.control.table.take([0, 1], client.number, client.newRequest());
  client.batch(0, ticket, 1, [[-1, 1]]);
  await served.settled();
  const sent = Array.from({ length: 600 }, (_, i) => other.put(0, i, i));
  await served.settled();
  t.true(
    sent.some(({ outcome }) => outcome === undefined),
    'there is no room for all',
  );
  client.batch(1, ticket, 1, [[-1, 1]]);
  await served.until('all go on', () => sent.every(({ outcome }) => outcome));
  t.true(sent.every(({ outcome }) => outcome?.error === null));
  t.deepEqual([served.get(0, -1), served.get(0, 599)], [1, 599]);
});

test('what waits for room keeps no batch waiting that the room waits for', async (t) => {
  const gate = Promise.withResolvers<void>();
  const served = await Served.open(t, {
    async runJob(job) {
      await gate.promise;
      return runJob(served.storage, job);
    },
  });
  const [later, filling, held] = [served.client(), served.client(), served.client()];
  const { table } = served.control;
  const sent = Array.from({ length: 2000 }, (_, i) => filling.put(0, i, i));
  await served.settled();
  t.true(
    sent.some(({ outcome }) => outcome === undefined),
    'shard 0 is full',
  );
  // Its part of the first batch, for shard 1, is behind a write to shard 0.
  const first = table.take([1], held.number, held.newRequest());
  const writes = [held.put(0, 5000, 1)];
  held.batch(1, first, 1, [[1, 11]]);
  writes.push(held.put(0, 5000, 2), held.put(1, 5000, 3), held.del(0, 5000), held.put(0, 5000, 4));
  // A later one has a part in a memtable of shard 0, and waits in shard 1 for its turn.
  const second = table.take([0, 1], later.number, later.newRequest());
  later.batch(0, second, 1, [[6000, 2]]);
  later.batch(1, second, 1, [[2, 2]]);
  await served.settled();
  t.true(writes.every(({ outcome }) => outcome === undefined));
  gate.resolve();
  const all = [...sent, ...writes];
  await served.until('all go on', () => all.every(({ outcome }) => outcome));
  await served.until('both are decided', () => held.batches.has(1) && later.batches.has(1));
  t.true(all.every(({ outcome }) => outcome?.error === null));
  t.deepEqual([held.batches.get(1), later.batches.get(1)], [{ error: null }, { error: null }]);
  t.deepEqual([served.get(0, 5000), served.get(1, 5000), served.get(0, 6000)], [4, 3, 2]);
  t.deepEqual([served.get(1, 1), served.get(1, 2), served.get(0, 1999)], [11, 2, 1999]);
});

/** A shard 0 whose next flush waits for a batch, and what waits there for room. */
async function full(served: Served) {
  const [client, other] = [served.client(), served.client()];
  const { table } = served.control;
  const ticket = table.take([0, 1], client.number, client.newRequest());
  client.batch(0, ticket, 1, [[-1, 1]]);
  await served.settled();
  const sent = Array.from({ length: 600 }, (_, i) => other.put(0, i, i));
  await served.settled();
  const open = () => sent.filter(({ outcome }) => outcome === undefined).length;
  assert(open() > 300);
  return { client, other, table, ticket, sent, open };
}

test('what waits for room is told when its shard fails or its batch is aborted', async (t) => {
  const served = await Served.open(t);
  const { client, other, table, sent, open } = await full(served);
  const [gone, lost] = [2, 3].map((request) => {
    const ticket = table.take([0, 1], other.number, request);
    other.batch(0, ticket, request, [[-request, 1]]);
    return ticket;
  });
  const elsewhere = other.put(1, 1, 1);
  await served.until('other shards go on', () => elsewhere.outcome !== undefined);
  const before = open();
  table.abort(gone);
  await served.settled();
  t.is(open(), before, 'writes of its client wait as before');
  served.engines[0].fail(new Error('for a test'));
  other.batch(1, lost, 3, [[-3, 1]]);
  await served.until('all are told', () => open() === 0 && other.batches.has(3));
  const refused = sent.filter(({ outcome }) => outcome?.error);
  t.is(refused.length, before);
  t.true(refused.every(({ outcome }) => outcome?.error?.code === 'OMEN_SHARD_FAILED'));
  t.is(other.batches.get(3)?.error?.code, 'OMEN_SHARD_FAILED');
  t.is(other.link.inFlight, 0);
  t.is(client.link.inFlight, 0);
});

test('a shard without room logs what became of batches while others of its thread are never idle', async (t) => {
  const served = await Served.open(t);
  const { client, ticket, open } = await full(served);
  const busy = served.client();
  let writes = 0;
  const write = () => void busy.put(1, writes++ % 50, 1);
  write();
  client.batch(1, ticket, 1, [[-1, 1]]);
  await served.until('all go on', () => {
    write();
    return open() === 0;
  });
  t.deepEqual([served.get(0, -1), served.get(0, 599)], [1, 599]);
});

test('a batch that one shard refuses is aborted, and its ticket is free again', async (t) => {
  const served = await Served.open(t, { memoryBytes: 3000 });
  const client = served.client();
  const filled = Array.from({ length: 60 }, (_, i) => client.put(1, i, i));
  await served.until('shard 1 is full', () => filled.every(({ outcome }) => outcome));
  const { table } = served.control;
  const ticket = table.take([0, 1], client.number, client.newRequest());
  client.batch(0, ticket, 1, [[1, 1]]);
  client.batch(1, ticket, 1, [[1, 1000]]);
  await served.until('it is refused', () => client.batches.has(1));
  t.is(client.batches.get(1)?.error?.code, 'OMEN_MEMORY_FULL');
  t.is(served.get(0, 1), undefined);
  await served.until('it is settled', () => table.isSettledEverywhere(ticket));
  const { ledger } = served.engines[0];
  await served.until(
    'its part is forgotten',
    () => ledger.oldestNeededLsn === Number.POSITIVE_INFINITY,
  );
});

test('a part that comes after its batch was aborted is passed over, and the ticket is free', async (t) => {
  const served = await Served.open(t, { memoryBytes: 3000 });
  const client = served.client();
  const filled = Array.from({ length: 60 }, (_, i) => client.put(1, i, i));
  await served.until('shard 1 is full', () => filled.every(({ outcome }) => outcome));
  const { table } = served.control;
  const ticket = table.take([1, 0], client.number, client.newRequest());
  client.batch(1, ticket, 1, [[1, 1000]]);
  await served.until('it is refused', () => client.batches.has(1));
  const late = client.batch(0, ticket, 1, [[1, 1]]);
  await served.until('it is taken', () => late.outcome !== undefined);
  await served.until('it is settled', () => table.isSettledEverywhere(ticket));
  t.is(served.get(0, 1), undefined);
});

test('a part that comes when its aborted batch is settled, and its slot another batch’s, is passed over', async (t) => {
  const served = await Served.open(t);
  const [client, other] = [served.client(), served.client()];
  const { table } = served.control;
  const ticket = table.take([0, 1], client.number, client.newRequest());
  client.batch(1, ticket, 1, [[1, 1]]);
  await served.settled();
  table.abort(ticket);
  const tend = () => {
    for (const engine of served.engines) engine.tend(Number.POSITIVE_INFINITY);
  };
  await served.until('it is settled without a part of shard 0', () => {
    tend();
    return table.isSettledEverywhere(ticket);
  });
  let next = 0;
  while (next !== ticket + 1024) {
    next = table.take([0, 1], other.number, other.newRequest());
    if (next === ticket + 1024) break;
    if (next === 0) tend();
    else table.abort(next);
  }
  const late = client.batch(0, ticket, 1, [[1, 1]]);
  await served.until('it is taken', () => late.outcome !== undefined);
  tend();
  t.is(served.get(0, 1), undefined);
  t.is(table.state(next), UNDECIDED);
  other.batch(0, next, 2000, [[2, 2]]);
  other.batch(1, next, 2000, [[2, 2]]);
  await served.until('the other is decided', () => table.isSettledEverywhere(next));
  t.deepEqual([served.get(0, 1), served.get(1, 1)], [undefined, undefined]);
  t.deepEqual([served.get(0, 2), served.get(1, 2)], [2, 2]);
});

test('a client that dies with a batch half sent leaves no trace of it', async (t) => {
  const served = await Served.open(t);
  const [dead, other] = [served.client(), served.client()];
  const { table } = served.control;
  const ticket = table.take([0, 1], dead.number, dead.newRequest());
  dead.batch(0, ticket, 1, [[1, 1]]);
  dead.put(0, 1, 2);
  await served.settled();
  const parked = other.put(0, 1, 3);
  await served.settled();
  t.is(parked.outcome, undefined);
  table.abort(ticket);
  served.host.dropClient(dead.number);
  await served.until('the other goes on', () => parked.outcome !== undefined);
  await served.until('the ticket is free', () => table.isSettledEverywhere(ticket));
  t.deepEqual([served.get(0, 1), served.get(1, 1)], [3, undefined]);
  t.deepEqual([...served.host.clients()], [other.number]);
});

test('a client whose port closes is forgotten', async (t) => {
  const served = await Served.open(t);
  const client = served.client();
  client.closePort();
  await served.until('it is forgotten', () => [...served.host.clients()].length === 0);
  t.pass();
});

test('a sync that fails is told to all whose writes it was for, and no write is taken after it', async (t) => {
  const served = await Served.open(t);
  const client = served.client();
  const before = client.put(0, 1, 1);
  await served.until('it is durable', () => before.outcome !== undefined);
  const { table } = served.control;
  const ticket = table.take([1, 0], client.number, client.newRequest());
  const logged = served.storage.operations;
  served.storage.failAt(logged + 1, { error: 'EIO', lasting: false });
  const lost = client.put(0, 1, 2);
  client.batch(0, ticket, 1, [[2, 2]]);
  await served.until('it is told', () => lost.outcome !== undefined && client.batches.has(1));
  t.is(served.storage.log[logged + 1].kind, 'datasync');
  t.is(lost.outcome?.error?.code, 'OMEN_OUTCOME_UNKNOWN');
  t.is(client.batches.get(1)?.error?.code, 'OMEN_OUTCOME_UNKNOWN');
  t.is(served.control.statuses.state(0), 'failed');
  const [refused, fine] = [client.put(0, 5, 5), client.put(1, 5, 5)];
  const next = table.take([0, 1], client.number, client.newRequest());
  client.batch(1, next, 2, [[6, 6]]);
  client.batch(0, next, 2, [[6, 6]]);
  await served.until('all are answered', () => fine.outcome !== undefined && client.batches.has(2));
  t.is(refused.outcome?.error?.code, 'OMEN_SHARD_FAILED');
  t.is(client.batches.get(2)?.error?.code, 'OMEN_SHARD_FAILED');
  t.is(fine.outcome?.error, null);
  t.deepEqual([served.get(0, 1), served.get(0, 2), served.get(1, 6)], [1, undefined, undefined]);
});

test('what was not synced is synced on time; where not even zeros find room, the outcome is unknown', async (t) => {
  const served = await Served.open(t, { durability: { intervalMs: 1 } });
  const client = served.client();
  const sent = client.put(0, 1, 1);
  await served.until('it is synced', () =>
    served.storage.log.some(({ kind, path }) => kind === 'datasync' && path.includes('wal-')),
  );
  t.is(sent.outcome?.error, null);
  served.storage.failAt(served.storage.operations, { error: 'ENOSPC', lasting: true });
  const full = client.put(0, 2, 2);
  await served.until('it is refused', () => full.outcome !== undefined);
  t.is(full.outcome?.error?.code, 'OMEN_OUTCOME_UNKNOWN');
  t.is(served.control.statuses.state(0), 'failed');
});

/** Writes until the shard refuses; returns the keys that were taken. */
async function fill(served: Served, client: TestClient): Promise<number[]> {
  const taken: number[] = [];
  for (let at = 0; ; at++) {
    const sent = client.put(0, at, at);
    await served.until('it is answered', () => sent.outcome !== undefined);
    const error = sent.outcome?.error;
    if (error) {
      assert.equal(error.code, 'OMEN_DISK_FULL');
      return taken;
    }
    taken.push(at);
  }
}

test('a full disk refuses puts and takes deletes, and when there is room again the shard goes on', async (t) => {
  const served = await Served.open(t);
  const client = served.client();
  for (let at = 0; at < 20; at++) {
    const sent = client.put(0, -at, at);
    await served.until('it is durable', () => sent.outcome !== undefined);
  }
  const [engine] = served.engines;
  t.false(served.storage.exists('/shard-0/reserve-0'), 'of little data it would be most');
  engine.tend(Number.POSITIVE_INFINITY);
  t.true(served.storage.exists('/shard-0/reserve-0'));
  served.storage.setRoom({ bytes: 0, files: 0 });
  const taken = await fill(served, client);
  t.is(served.control.statuses.state(0), 'full');
  t.is(engine.failure, null);
  t.false(served.storage.exists('/shard-0/reserve-0'));
  const refused = [
    client.put(0, 5, 5),
    client.batch(0, 0, 0, [
      [1, 1],
      [2, null],
    ]),
  ];
  const allowed = [client.del(0, -1), client.batch(0, 0, 0, [[-2, null]]), client.put(1, 5, 5)];
  const { table } = served.control;
  const ticket = table.take([0, 1], client.number, client.newRequest());
  client.batch(0, ticket, 1, [[6, 6]]);
  client.batch(1, ticket, 1, [[6, 6]]);
  const all = [...refused, ...allowed];
  await served.until('all are answered', () => all.every(({ outcome }) => outcome));
  await served.until('the batch is decided', () => client.batches.has(1));
  await served.until('and settled', () => table.isSettledEverywhere(ticket));
  t.true(refused.every(({ outcome }) => outcome?.error?.code === 'OMEN_DISK_FULL'));
  t.deepEqual(
    allowed.map(({ outcome }) => outcome?.error),
    [null, null, null],
  );
  t.is(client.batches.get(1)?.error?.code, 'OMEN_DISK_FULL');
  t.deepEqual([served.get(0, -1), served.get(0, -2), served.get(1, 6)], Array(3).fill(undefined));
  for (const at of taken) t.is(served.get(0, at), at);
  served.storage.setRoom(undefined);
  await served.until('it serves again', () => {
    engine.tend(Number.POSITIVE_INFINITY);
    return served.control.statuses.state(0) === 'serving';
  });
  t.true(served.storage.exists('/shard-0/reserve-0'));
  const again = client.put(0, 5, 55);
  await served.until('it is durable', () => again.outcome !== undefined);
  t.deepEqual([again.outcome?.error, served.get(0, 5)], [null, 55]);
});

test('a group that found no room takes its batches with it, and no decision is lost', async (t) => {
  const served = await Served.open(t);
  const client = served.client();
  const { table } = served.control;
  const first = table.take([0, 1], client.number, client.newRequest());
  client.batch(1, first, 1, [[1, 1]]);
  client.batch(0, first, 1, [[1, 1]]);
  await served.until('the first is decided', () => client.batches.has(1));
  served.storage.setRoom({ bytes: 0, files: 0 });
  const second = table.take([0, 1], client.number, client.newRequest());
  client.batch(0, second, 2, puts(10, 60));
  const big = client.batch(0, 0, 0, puts(100, 50));
  client.batch(1, second, 2, [[1, 2]]);
  for (let at = 0; client.batches.get(2) === undefined || big.outcome === undefined; at++) {
    const sent = client.put(0, at, at);
    await served.until('it is answered', () => sent.outcome !== undefined);
  }
  await fill(served, client);
  served.storage.setRoom(undefined);
  await served.until('all is settled', () => {
    for (const engine of served.engines) engine.tend(Number.POSITIVE_INFINITY);
    return table.isSettledEverywhere(first) && table.isSettledEverywhere(second);
  });
  const { ledger } = served.engines[0];
  await served.until('forgotten', () => ledger.oldestNeededLsn === Number.POSITIVE_INFINITY);
  t.is(client.batches.get(1)?.error, null);
});

test('deletes are taken when memory is full', async (t) => {
  const served = await Served.open(t, { memoryBytes: 3000 });
  const client = served.client();
  const filled = Array.from({ length: 60 }, (_, i) => client.put(0, i, i));
  await served.until('it is full', () => filled.every(({ outcome }) => outcome));
  const [put, del] = [client.put(0, 100, 1), client.del(0, 3)];
  await served.until('both are answered', () => [put, del].every(({ outcome }) => outcome));
  t.is(put.outcome?.error?.code, 'OMEN_MEMORY_FULL');
  t.is(del.outcome?.error, null);
  t.is(served.get(0, 3), undefined);
});

test('a condition sees what is pending, and is answered after the sync of the write it saw', async (t) => {
  const served = await Served.open(t);
  const client = served.client();
  const written = client.put(0, 1, 10);
  const failed = client.batch(0, 0, 0, [[1, 11, { if: null }]]);
  const swapped = client.batch(0, 0, 0, [[1, 12, { if: 10 }]]);
  const again = client.batch(0, 0, 0, [[1, 13, { if: 10 }]]);
  const syncs = () => served.storage.log.filter(({ kind }) => kind === 'datasync').length;
  const before = syncs();
  await served.until('all are answered', () => again.outcome !== undefined);
  t.true(syncs() > before);
  const codes = [written, failed, swapped, again].map(({ outcome }) => outcome?.error?.code);
  t.deepEqual(codes, [undefined, 'OMEN_CONDITION_FAILED', undefined, 'OMEN_CONDITION_FAILED']);
  t.is(served.get(0, 1), 12);
});

test('failures are told of the right messages after 2^32 of them, deferred ones too', async (t) => {
  const served = await Served.open(t);
  const [client, other] = [served.client(2 ** 32 - 6), served.client()];
  const { table } = served.control;
  const ticket = table.take([0, 1], other.number, other.newRequest());
  other.batch(0, ticket, 1, [[1, 1]]);
  await served.settled();
  for (let round = 0; round < 3; round++) {
    const inOrder = [0, 1, 2, 3].map((at) => {
      return client.batch(1, 0, 0, [[at, at, { if: at % 2 === 0 ? null : 'any' }]]);
    });
    await served.until('all are answered', () => inOrder.every(({ outcome }) => outcome));
    const isFirst = round === 0 ? undefined : 'OMEN_CONDITION_FAILED';
    t.deepEqual(
      inOrder.map(({ outcome }) => outcome?.error?.code),
      [isFirst, 'OMEN_CONDITION_FAILED', isFirst, 'OMEN_CONDITION_FAILED'],
    );
  }
  const deferred = [3, 1, 'any' as const].map((wanted) => {
    return client.batch(0, 0, 0, [[1, 2, { if: wanted }]]);
  });
  await served.settled();
  t.true(deferred.every(({ outcome }) => outcome === undefined));
  other.batch(1, ticket, 1, [[9, 9]]);
  await served.until('they go on', () => deferred.every(({ outcome }) => outcome));
  t.deepEqual(
    deferred.map(({ outcome }) => outcome?.error?.code),
    ['OMEN_CONDITION_FAILED', undefined, undefined],
  );
  t.is(client.link.inFlight, 0);
});

test('a condition that failed by a write that was lost is told of the loss', async (t) => {
  const served = await Served.open(t);
  const client = served.client();
  const { table } = served.control;
  const ticket = table.take([0, 1], client.number, client.newRequest());
  const logged = served.storage.operations;
  served.storage.failAt(logged + 1, { error: 'EIO', lasting: false });
  const lost = client.put(0, 1, 1);
  const failed = client.batch(0, 0, 0, [[1, 2, { if: null }]]);
  client.batch(0, ticket, 1, [[1, 3, { if: null }]]);
  client.batch(1, ticket, 1, [[1, 3]]);
  await served.until('all are told', () => failed.outcome !== undefined && client.batches.has(1));
  t.is(served.storage.log[logged + 1].kind, 'datasync');
  t.is(lost.outcome?.error?.code, 'OMEN_OUTCOME_UNKNOWN');
  t.is(failed.outcome?.error?.code, 'OMEN_OUTCOME_UNKNOWN');
  t.is(client.batches.get(1)?.error?.code, 'OMEN_OUTCOME_UNKNOWN');
  await served.settled();
  t.deepEqual([served.get(0, 1), served.get(1, 1)], [undefined, undefined]);
});

test('a condition on a key of an open batch waits for its outcome', async (t) => {
  const served = await Served.open(t);
  const [client, other] = [served.client(), served.client()];
  const { table } = served.control;
  for (const commits of [true, false]) {
    const ticket = table.take([0, 1], client.number, client.newRequest());
    client.batch(0, ticket, 1, [[1, 1]]);
    await served.settled();
    const waiting = other.batch(0, 0, 0, [[1, 2, { if: commits ? 1 : 2 }]]);
    await served.settled();
    t.is(waiting.outcome, undefined);
    if (commits) client.batch(1, ticket, 1, [[1, 1]]);
    else table.abort(ticket);
    await served.until('it goes on', () => waiting.outcome !== undefined);
    t.is(waiting.outcome?.error, null);
    t.is(served.get(0, 1), 2);
  }
});

test('a batch whose condition fails in one shard is absent in the others, and its ticket is free', async (t) => {
  const served = await Served.open(t);
  const client = served.client();
  const { table } = served.control;
  const there = client.put(1, 1, 1);
  await served.until('it is there', () => there.outcome !== undefined);
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const request = client.newRequest();
    const ticket = table.take([0, 1], client.number, request);
    for (const shard of order) {
      client.batch(shard, ticket, request, [
        [2, 2],
        [1, 2, { if: null }],
      ]);
      await served.settled();
    }
    await served.until('it is decided', () => client.batches.has(request));
    t.is(client.batches.get(request)?.error?.code, 'OMEN_CONDITION_FAILED');
    await served.until('it is settled', () => table.isSettledEverywhere(ticket));
    t.deepEqual(
      [0, 1].map((shard) => served.get(shard, 2)),
      [undefined, undefined],
    );
    t.deepEqual(
      [0, 1].map((shard) => served.get(shard, 1)),
      [undefined, 1],
    );
  }
  const request = client.newRequest();
  const ticket = table.take([0, 1], client.number, request);
  client.batch(0, ticket, request, [[1, 3, { if: null }]]);
  client.batch(1, ticket, request, [[1, 3, { if: 'any' }]]);
  await served.until('it is decided', () => client.batches.has(request));
  t.deepEqual([served.get(0, 1), served.get(1, 1)], [3, 3]);
});

test('a write into a range that an open batch clears waits, and so does a range for an open part', async (t) => {
  const served = await Served.open(t);
  const [client, other] = [served.client(), served.client()];
  const { table } = served.control;
  const first = other.put(0, 5, 5);
  await served.until('it is there', () => first.outcome !== undefined);
  for (const commits of [false, true]) {
    const request = client.newRequest();
    const ticket = table.take([0, 1], client.number, request);
    client.clear(0, ticket, request, 4, 6);
    await served.settled();
    t.is(served.get(0, 5), 5, 'an undecided batch clears nothing');
    const within = other.batch(0, 0, 0, [[5, 6, { if: commits ? null : 5 }]]);
    await served.settled();
    t.is(within.outcome, undefined);
    if (commits) client.clear(1, ticket, request, 4, 6);
    else table.abort(ticket);
    await served.until('it goes on', () => within.outcome !== undefined);
    t.is(within.outcome?.error, null);
    t.is(served.get(0, 5), 6);
    const put = other.put(0, 5, 5);
    await served.until('it is there', () => put.outcome !== undefined);
  }
  const part = table.take([0, 1], client.number, client.newRequest());
  client.batch(0, part, 3, [[5, 7]]);
  await served.settled();
  const range = other.clear(0, 0, 0, 0, 9);
  await served.settled();
  t.is(range.outcome, undefined);
  client.batch(1, part, 3, [[5, 7]]);
  await served.until('it goes on', () => range.outcome !== undefined);
  t.deepEqual([served.get(0, 5), served.get(1, 5)], [undefined, 7]);
});

test('the mark of a load that is over by then keeps no runs apart', async (t) => {
  const served = await Served.open(t);
  const client = served.client();
  const [engine] = served.engines;
  for (const isOver of [false, true]) {
    const name = isOver ? '00112233aabbccdd' : '8899aabbccddeeff';
    if (isOver) await engine.settleLoad(name, false);
    const sent = [client.put(0, 1, 1), client.mark(0, name), client.put(0, 2, 2)];
    await served.until('all are there', () => sent.every(({ outcome }) => outcome?.error === null));
    await engine.compact();
    t.is(engine.view.runs.length, isOver ? 1 : 2);
    if (!isOver) await engine.settleLoad(name, false);
  }
});
