import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import fc from 'fast-check';
import {
  ABORTED,
  COMMIT_TABLE_BYTES,
  COMMITTED,
  CommitTable,
  SHARDS_MAX,
  ticketBefore,
  UNDECIDED,
} from '../../src/view/commit-table.ts';

/** As `commit-table.ts` lays them out. */
const SLOTS = 1024;
const TICKETS = 2 ** 30;
const NEXT_WORD = 0;
const OLDEST_WORD = 1;
const CLAIMS = 32;
const HEADER_WORDS = 96;
const SLOT_WORDS = 16;

function newTable(): { table: CommitTable; words: Int32Array } {
  const memory = new SharedArrayBuffer(COMMIT_TABLE_BYTES);
  return { table: new CommitTable(memory, 0), words: new Int32Array(memory) };
}

/** A table in which every ticket up to `last`, the last one taken, is committed and settled. */
function tableAfter(last: number): ReturnType<typeof newTable> {
  const made = newTable();
  for (let i = 0; i < SLOTS; i++) {
    const ticket = last - i;
    // A batch of no participants is settled by all of them.
    made.words[HEADER_WORDS + (ticket % SLOTS) * SLOT_WORDS] = (ticket << 2) | COMMITTED;
  }
  made.words[NEXT_WORD] = last;
  made.words[OLDEST_WORD] = last;
  return made;
}

function commit(table: CommitTable, ticket: number): void {
  for (const shard of table.participants(ticket)) table.vote(ticket, shard);
  for (const shard of table.participants(ticket)) table.settle(ticket, shard);
}

test('tickets count up from one, and tell whose batch it is over which shards', (t) => {
  const { table } = newTable();
  t.is(table.next, 1);
  const shards = [0, 31, 32, 63, 64, SHARDS_MAX - 1];
  t.is(table.take(shards, 7, -5), 1);
  t.is(table.take([3], 8, 6), 2);
  t.is(table.next, 3);
  t.deepEqual(table.participants(1), shards);
  t.deepEqual(table.owner(1), { client: 7, request: -5 });
  t.deepEqual(table.owner(2), { client: 8, request: 6 });
  for (const shard of [0, 3, 31, 33, 127]) {
    t.is(table.involves(1, shard), shards.includes(shard));
    t.is(table.involves(2, shard), shard === 3);
    t.false(table.involves(3, shard));
  }
});

test('a batch commits with the last vote, and one voter alone is told so', (t) => {
  const { table } = newTable();
  const ticket = table.take([1, 40, 127], 0, 0);
  t.is(table.state(ticket), UNDECIDED);
  t.false(table.hasVoted(ticket, 40));
  t.deepEqual([table.vote(ticket, 40), table.vote(ticket, 127)], [false, false]);
  t.true(table.hasVoted(ticket, 40));
  t.false(table.hasVoted(ticket, 1));
  t.true(table.hides(ticket));
  t.false(table.vote(ticket, 40), 'a vote counts once');
  t.true(table.vote(ticket, 1));
  t.is(table.state(ticket), COMMITTED);
  t.false(table.hides(ticket));
  t.false(table.vote(ticket, 1), 'it was decided already');
  t.false(table.abort(ticket), 'what is committed stays so');
  t.is(table.state(ticket), COMMITTED);
});

test('an aborted batch stays aborted, however many votes follow', (t) => {
  const { table } = newTable();
  const ticket = table.take([0, 1], 0, 0);
  t.false(table.vote(ticket, 0));
  t.true(table.abort(ticket));
  t.false(table.abort(ticket));
  t.false(table.vote(ticket, 1));
  t.is(table.state(ticket), ABORTED);
  t.true(table.hides(ticket));
});

test('a batch is settled once every participant says so', (t) => {
  const { table } = newTable();
  const ticket = table.take([0, 90], 0, 0);
  commit(table, table.take([1], 0, 0));
  table.vote(ticket, 0);
  table.vote(ticket, 90);
  t.false(table.isSettledEverywhere(ticket));
  table.settle(ticket, 90);
  t.false(table.isSettledEverywhere(ticket));
  table.settle(ticket, 0);
  t.true(table.isSettledEverywhere(ticket));
});

test('a full table gives no ticket until the oldest batch is settled', (t) => {
  const { table } = newTable();
  for (let ticket = 1; ticket <= SLOTS; ticket++) t.is(table.take([0, 1], 0, ticket), ticket);
  t.is(table.take([0], 0, 0), 0);
  for (let ticket = 2; ticket <= SLOTS; ticket++) commit(table, ticket);
  t.is(table.take([0], 0, 0), 0, 'slots are given in the order of tickets');
  t.is(table.next, SLOTS + 1, 'nothing was taken meanwhile');
  table.vote(1, 0);
  table.vote(1, 1);
  table.settle(1, 0);
  t.is(table.take([0], 0, 0), 0, 'shard 1 may still ask');
  table.settle(1, 1);
  t.is(table.take([5], 0, 0), SLOTS + 1);
  t.is(table.take([5], 0, 0), SLOTS + 2);
});

test('a slot taken again tells nothing of the batch before', (t) => {
  const { table } = newTable();
  const old = table.take([0, 1], 3, 4);
  table.abort(old);
  for (const shard of [0, 1]) table.settle(old, shard);
  for (let i = 1; i < SLOTS; i++) commit(table, table.take([0], 0, 0));
  t.is(table.state(old), ABORTED);
  const ticket = table.take([2], 5, 6);
  t.is(ticket, old + SLOTS);
  t.is(table.state(old), undefined);
  t.false(table.hides(old), 'its entries are flagged before it is let go');
  t.true(table.isSettledEverywhere(old));
  t.true(table.isFilled(old));
  t.false(table.involves(old, 0));
  t.false(table.vote(old, 2), 'a late vote decides nothing');
  t.false(table.abort(old));
  t.is(table.state(ticket), UNDECIDED);
  t.deepEqual(table.participants(ticket), [2]);
  t.false(table.isSettledEverywhere(ticket));
});

test('no two batches have a slot: a ticket taken and not filled yet keeps its own', (t) => {
  const { table, words } = newTable();
  // Another client took ticket 1 and stopped before it filled the slot.
  words[NEXT_WORD] = 1;
  for (let ticket = 2; ticket <= SLOTS; ticket++) t.is(table.take([0], 0, 0), ticket);
  t.is(table.take([0], 0, 0), 0);
  for (let ticket = 2; ticket <= SLOTS; ticket++) commit(table, ticket);
  t.is(table.take([0], 0, 0), 0);
  t.false(table.isFilled(1));
  t.deepEqual(table.undecided(), [1]);
});

test('tickets go round, past zero', (t) => {
  const { table } = tableAfter(TICKETS - 3);
  const tickets = [1, 2, 3, 4].map((request) => table.take([1], 2, request));
  t.deepEqual(tickets, [TICKETS - 2, TICKETS - 1, 1, 2]);
  for (const ticket of tickets) t.is(table.state(ticket), UNDECIDED);
  t.deepEqual(table.undecided(), tickets);
  t.true(table.isFilled(TICKETS - 1));
  t.true(table.vote(TICKETS - 1, 1));
  t.true(table.abort(1));
  t.deepEqual(
    [TICKETS - 1, 1].map((ticket) => table.state(ticket)),
    [COMMITTED, ABORTED],
  );
  t.deepEqual(table.undecided(), [TICKETS - 2, 2]);
  t.is(table.oldest, TICKETS - 3);
  table.vote(TICKETS - 2, 1);
  t.deepEqual(table.undecided(), [2]);
  t.is(table.oldest, 1);
});

test('batches that begin and end while another thread looks, between any two of its loads, confuse nobody', (t) => {
  const { load } = Atomics;
  t.teardown(() => {
    Atomics.load = load;
  });
  for (let at = 0; ; at++) {
    const { table } = newTable();
    const open = table.take([0], 0, 0);
    let loads = 0;
    let isOver = false;
    const meanwhile = (): void => {
      for (let i = 0; i < 3; i++) table.vote(table.take([0], 0, 0), 0);
      table.vote(open, 0);
      table.undecided();
    };
    // Whatever the loop loads next, another thread may have been at work before.
    Atomics.load = ((words: Int32Array, index: number) => {
      if (loads++ === at) {
        Atomics.load = load;
        meanwhile();
        isOver = true;
        Atomics.load = counted;
      }
      return load(words, index);
    }) as typeof load;
    const counted = ((words: Int32Array, index: number) => {
      // It would go through all tickets there can be.
      if (loads++ > 1000) throw new Error('it does not end');
      return load(words, index);
    }) as typeof load;
    const found = table.undecided();
    Atomics.load = load;
    if (!isOver) break;
    t.true(
      found.every((ticket) => ticket === open),
      `before load ${at}: ${found}`,
    );
    t.deepEqual(table.undecided(), []);
    t.true(at < 20);
  }
});

test('whatever a client has done of taking a ticket when its thread ends, nobody waits for it', (t) => {
  const real = { load: Atomics.load, store: Atomics.store, exchange: Atomics.compareExchange };
  const restore = (): void => {
    Atomics.load = real.load;
    Atomics.store = real.store;
    Atomics.compareExchange = real.exchange;
  };
  t.teardown(restore);
  for (let at = 0; ; at++) {
    const { table } = newTable();
    const before = table.take([0, 1], 2, 0);
    let operations = 0;
    const dying = <F extends (...given: never[]) => unknown>(operation: F): F =>
      ((...given: Parameters<F>) => {
        if (operations++ === at) throw new Error('the thread ends');
        return operation(...given);
      }) as unknown as F;
    Atomics.load = dying(real.load);
    Atomics.store = dying(real.store);
    Atomics.compareExchange = dying(real.exchange);
    let taken = 0;
    try {
      taken = table.take([0, 1], 1, 7);
    } catch {
      // As is meant.
    }
    restore();
    t.true(table.forsake(1, [2, 3]));
    t.is(table.state(before), UNDECIDED);
    const behind = table.take([1], 3, 0);
    for (let ticket = 1; ticket < behind; ticket++) t.true(table.isFilled(ticket), `${at}`);
    const isWhole = taken !== 0;
    t.deepEqual(table.undecided(), isWhole ? [before, taken, behind] : [before, behind]);
    if (isWhole) break;
    // Its slot is free again once those before it are.
    for (const ticket of [before, behind]) commit(table, ticket);
    for (let i = 0; i < 2 * SLOTS; i++) commit(table, table.take([0], 2, 0));
    t.true(at < 30);
  }
});

test('a ticket that another client may have taken is not taken for one of nobody', (t) => {
  const { table, words } = newTable();
  // Clients 1 and 2 are about to take the first ticket; one of them has, and client 1 is gone.
  words[CLAIMS + 1] = 1;
  words[CLAIMS + 2] = 1;
  t.true(table.forsake(1, [2]), 'neither has');
  words[NEXT_WORD] = 1;
  t.false(table.forsake(1, [2]));
  t.false(table.isFilled(1));
  words[CLAIMS + 2] = 2;
  t.true(table.forsake(1, [2]));
  t.deepEqual([table.state(1), table.isSettledEverywhere(1)], [ABORTED, true]);
  const other = newTable();
  t.is(other.table.take([0], 2, 0), 1);
  other.words[CLAIMS + 1] = 1;
  t.true(other.table.forsake(1, [2]));
  t.is(other.table.state(1), UNDECIDED, 'client 2 has');
});

test('the next ticket is foretold, also at the turn', (t) => {
  for (const last of [5000, TICKETS - 2, TICKETS - 1]) {
    const { table } = tableAfter(last);
    const foretold = table.next;
    t.is(table.take([0], 0, 0), foretold);
  }
});

test('after the turn no slot is taken from a batch that still needs it', (t) => {
  for (const held of [TICKETS - SLOTS, TICKETS - SLOTS + 1, TICKETS - 1]) {
    const { table } = tableAfter(held - 1);
    t.is(table.take([0], 0, 0), held);
    let ticket = held;
    for (;;) {
      const taken = table.take([0], 0, 0);
      if (taken === 0) break;
      ticket = taken;
      commit(table, ticket);
      t.is(table.state(held), UNDECIDED);
    }
    const behind = (held + SLOTS) % TICKETS;
    t.is(table.next, behind === 0 ? SLOTS : behind, `${held}`);
    commit(table, held);
    t.not(table.take([0], 0, 0), 0);
  }
});

test('tickets are compared in a circle', (t) => {
  const half = TICKETS / 2;
  fc.assert(
    fc.property(fc.nat(TICKETS - 1), fc.integer({ min: 1, max: half - 1 }), (a, step) => {
      const b = (a + step) % TICKETS;
      return ticketBefore(a, b) && !ticketBefore(b, a) && !ticketBefore(a, a);
    }),
  );
  t.true(ticketBefore(TICKETS - 1, 1));
});

test('a recovered shard settles what is decided, and nothing else', (t) => {
  const { table } = newTable();
  const [open, committed, aborted, foreign] = [[0], [0, 1], [0, 1], [1]].map((shards) =>
    table.take(shards, 0, 0),
  );
  for (const shard of [0, 1]) table.vote(committed, shard);
  table.abort(aborted);
  table.vote(foreign, 1);
  table.settleDecided(0);
  const settled = () =>
    [open, committed, aborted, foreign].map((ticket) => table.isSettledEverywhere(ticket));
  t.deepEqual(settled(), [false, false, false, false]);
  table.settleDecided(1);
  t.deepEqual(settled(), [false, true, true, true]);
});

test('a decision is settled as often as one likes, and an open batch is not', (t) => {
  const { table } = newTable();
  const ticket = table.take([0, 40], 0, 0);
  table.settleIfDecided(ticket, 0);
  table.abort(ticket);
  t.deepEqual(
    [0, 1, 40].map((shard) => table.aborted(shard)),
    [[ticket], [], [ticket]],
  );
  table.settleIfDecided(ticket, 40);
  t.false(table.isSettledEverywhere(ticket), 'not by the one that did so before the decision');
  for (let i = 0; i < 2; i++) table.settleIfDecided(ticket, 0);
  t.true(table.isSettledEverywhere(ticket));
});

test('whoever settles a batch again while its slot is taken leaves the next one alone', (t) => {
  const { table, words } = newTable();
  const first = table.take([0, 1], 0, 0);
  table.abort(first);
  for (const shard of [0, 1]) table.settle(first, shard);
  for (let i = 1; i < SLOTS; i++) commit(table, table.take([1], 0, 0));
  // Amid the taking: the words are those of the next batch, the first one is not.
  const base = HEADER_WORDS + (first % SLOTS) * SLOT_WORDS;
  const word = words[base];
  const next = table.take([0, 1], 0, 0);
  t.is(next, first + SLOTS);
  words[base] = word;
  table.settleIfDecided(first, 0);
  table.settleDecided(1);
  words[base] = (next << 2) | COMMITTED;
  for (const shard of [0, 1]) {
    t.false(table.isSettledEverywhere(next));
    table.settle(next, shard);
  }
  t.true(table.isSettledEverywhere(next));
  table.settleIfDecided(first, 0);
});

test('a batch whose slot ticket 0 would have next is settled after that was passed over, too', (t) => {
  const { table } = tableAfter(TICKETS - SLOTS - 1);
  const ticket = table.take([0], 0, 0);
  t.is(ticket, TICKETS - SLOTS);
  table.abort(ticket);
  for (let i = 0; i < SLOTS; i++) commit(table, table.take([0], 0, 0));
  t.is(table.next, 2);
  table.settleIfDecided(ticket, 0);
  t.true(table.isSettledEverywhere(ticket));
});

test('an empty table hides no batch', (t) => {
  const table = CommitTable.empty();
  for (const ticket of [1, 1024, 1025, TICKETS - 1]) {
    t.false(table.hides(ticket));
    t.is(table.state(ticket), undefined);
    t.false(table.isFilled(ticket));
  }
  t.deepEqual(table.undecided(), []);
});

test('two tables over one memory are one table', (t) => {
  const memory = new SharedArrayBuffer(64 + COMMIT_TABLE_BYTES);
  const [a, b] = [new CommitTable(memory, 64), new CommitTable(memory, 64)];
  const ticket = a.take([0, 1], 1, 2);
  t.false(a.vote(ticket, 0));
  t.true(b.vote(ticket, 1));
  t.is(a.state(ticket), COMMITTED);
  t.is(
    new Int32Array(memory, 0, 16).some((word) => word !== 0),
    false,
  );
});

/** Waits until a word has another value: awake at first, so that both threads go on at once. */
function leave(words: Int32Array, at: number, value: number): void {
  for (let n = 0; Atomics.load(words, at) === value; n++) {
    if (n > 1000) Atomics.wait(words, at, value);
  }
}

test('of two threads that end a batch, one alone decides', async (t) => {
  const rounds = 4000;
  const memory = new SharedArrayBuffer(COMMIT_TABLE_BYTES);
  const gate = new Int32Array(new SharedArrayBuffer(4 * (rounds + 2)));
  const url = new URL('../../src/view/commit-table.ts', import.meta.url).href;
  // Word 0: the ticket to vote on. Word 1: the ticket it has voted on. Then, whether it decided.
  const script = `
    const { workerData: { memory, gate, rounds } } = require('node:worker_threads');
    const leave = ${leave};
    import(${JSON.stringify(url)}).then(({ CommitTable }) => {
      const table = new CommitTable(memory, 0);
      for (let ticket = 1; ticket <= rounds; ticket++) {
        leave(gate, 0, ticket - 1);
        Atomics.store(gate, 1 + ticket, table.vote(ticket, 1) ? 1 : 0);
        Atomics.store(gate, 1, ticket);
        Atomics.notify(gate, 1);
      }
    });`;
  const worker = new Worker(script, { eval: true, workerData: { memory, gate, rounds } });
  const ended = once(worker, 'exit');
  t.teardown(() => worker.terminate());
  const table = new CommitTable(memory, 0);
  const wrong: string[] = [];
  for (let round = 1; round <= rounds; round++) {
    const ticket = table.take([0, 1], 0, 0);
    const aborts = round % 3 === 0;
    if (aborts) table.vote(ticket, 0);
    Atomics.store(gate, 0, ticket);
    Atomics.notify(gate, 0);
    const here = aborts ? table.abort(ticket) : table.vote(ticket, 0);
    leave(gate, 1, ticket - 1);
    const there = gate[1 + ticket] === 1;
    const expected = aborts && here ? ABORTED : COMMITTED;
    if (here === there || table.state(ticket) !== expected) wrong.push(`${ticket}: ${here}`);
    for (const shard of [0, 1]) table.settle(ticket, shard);
  }
  await ended;
  t.deepEqual(wrong, []);
});

interface ModelBatch {
  readonly ticket: number;
  readonly shards: readonly number[];
  readonly votes: Set<number>;
  readonly settled: Set<number>;
  state: number;
}

/** Random takes, votes, aborts and settles, against the same in plain objects. */
const steps = fc.array(
  fc.record({
    what: fc.constantFrom('take', 'vote', 'vote', 'vote', 'abort', 'settle', 'settle', 'look'),
    batch: fc.nat(),
    shard: fc.nat(2),
  }),
  { minLength: 100, maxLength: 400 },
);

test('whatever order its steps come in, a batch has one outcome', (t) => {
  fc.assert(
    fc.property(steps, fc.constantFrom(1025, TICKETS - 20), (drawn, last) => {
      const { table } = tableAfter(last);
      const batches: ModelBatch[] = [];
      for (const { what, batch, shard } of drawn) {
        if (what === 'take' || batches.length === 0) {
          const shards = [0, 1, 2].filter((s) => ((batch + 1) & (1 << s)) !== 0);
          const ticket = table.take(shards, 0, 0);
          if (shards.length > 0) {
            batches.push({
              ticket,
              shards,
              votes: new Set(),
              settled: new Set(),
              state: UNDECIDED,
            });
          } else {
            table.abort(ticket);
          }
          continue;
        }
        const model = batches[batches.length - 1 - (batch % Math.min(8, batches.length))];
        const { ticket, shards } = model;
        const by = shards[shard % shards.length];
        if (what === 'vote') {
          model.votes.add(by);
          const decides = model.state === UNDECIDED && model.votes.size === shards.length;
          if (table.vote(ticket, by) !== decides) return false;
          if (decides) model.state = COMMITTED;
        } else if (what === 'abort') {
          const decides = model.state === UNDECIDED;
          if (table.abort(ticket) !== decides) return false;
          if (decides) model.state = ABORTED;
        } else if (what === 'settle' && model.state !== UNDECIDED) {
          model.settled.add(by);
          table.settle(ticket, by);
        }
        const open = batches.filter(({ state }) => state === UNDECIDED);
        if (table.undecided().join() !== open.map((each) => each.ticket).join()) return false;
        for (const each of batches) {
          if (table.state(each.ticket) !== each.state) return false;
          if (table.hides(each.ticket) !== (each.state !== COMMITTED)) return false;
          const isSettled = each.settled.size === each.shards.length;
          if (table.isSettledEverywhere(each.ticket) !== isSettled) return false;
        }
      }
      return true;
    }),
    { numRuns: 60 },
  );
  t.pass();
});
