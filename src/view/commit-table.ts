/**
 * The commit table: one slot for every batch across shards whose outcome is not yet durable at all
 * its participants. It lies in shared memory, so that no thread need ask another how a batch ended.
 *
 * A batch takes a *ticket*, a number that only grows (modulo 2^30). Tickets give batches one global
 * order: every shard applies its parts in the order of their tickets, so that two batches can never
 * wait for each other. Ticket t uses slot t mod SLOTS, and may be taken only when the batch that had
 * the slot before is decided, and that decision durable, everywhere.
 *
 * The first word of a slot holds ticket and state together, so that one load reads both: a reader
 * can never pair the ticket of one batch with the state of another.
 *
 * Who writes what
 * - The client that took the ticket fills the slot, the first word last (state UNDECIDED). Which ticket it
 *   is about to take it says before: where its thread ends between the two, the supervisor knows whose the
 *   ticket is that nobody will fill, and fills it as aborted. Everybody would wait for it.
 * - A participant, once its part is durable, sets its bit in `votes`. Whoever sees all bits set flips
 *   UNDECIDED to COMMITTED by compare-and-exchange; a participant that cannot take its part flips it
 *   to ABORTED. Only one of them succeeds, and that one tells the client.
 * - A participant, once it has logged and synced the decision, sets its bit in `settled`. So it does of an
 *   aborted batch of which it has no part; where that comes later, it is passed over, whatever the slot
 *   holds by then. Nobody else sets that bit, but the supervisor while it replaces the shard's thread: so
 *   to whoever finds it not set the slot stays the ticket's until it sets it.
 * - Before it sets that bit of an aborted batch it has flagged its entries as aborted: a reader that
 *   finds another ticket in the slot may therefore take an entry without the flag as committed.
 */
import assert from 'node:assert';

export const SHARDS_MAX = 128;
export const CLIENTS_MAX = 64;

export const UNDECIDED = 1;
export const COMMITTED = 2;
export const ABORTED = 3;
export type BatchState = typeof UNDECIDED | typeof COMMITTED | typeof ABORTED;

const SLOTS = 1024;
const TICKET_MASK = 2 ** 30 - 1;
const MASK_WORDS = SHARDS_MAX / 32;

const STATE = 0;
const CLIENT = 1;
const REQUEST = 2;
const PARTICIPANTS = 4;
const VOTES = PARTICIPANTS + MASK_WORDS;
const SETTLED = VOTES + MASK_WORDS;
const SLOT_WORDS = 16;
assert.ok(SETTLED + MASK_WORDS <= SLOT_WORDS && TICKET_MASK % SLOTS === SLOTS - 1);

/** The next ticket, and a lower bound of the oldest ticket whose slot is in use. */
const NEXT = 0;
const OLDEST = 1;
/** Of each client the ticket that it is about to take, or took last. */
const CLAIMS = 32;
const HEADER_WORDS = CLAIMS + CLIENTS_MAX;

export const COMMIT_TABLE_BYTES = 4 * (HEADER_WORDS + SLOTS * SLOT_WORDS);

/** `a` before `b` in the circular order of tickets. */
export function ticketBefore(a: number, b: number): boolean {
  return ((a - b) << 2) >> 2 < 0;
}

export class CommitTable {
  readonly #words: Int32Array;

  /** @param memory zeros in shared memory at creation: every slot is free, the first ticket is 1 */
  constructor(memory: SharedArrayBuffer, byteOffset: number) {
    this.#words = new Int32Array(memory, byteOffset, COMMIT_TABLE_BYTES / 4);
  }

  /** A table that knows no batch: everything not flagged as aborted is committed. */
  static empty(): CommitTable {
    return new CommitTable(new SharedArrayBuffer(COMMIT_TABLE_BYTES), 0);
  }

  /** The ticket that the next batch will get. Ticket 0 is never used: it means "no batch". */
  get next(): number {
    const ticket = (Atomics.load(this.#words, NEXT) + 1) & TICKET_MASK;
    return ticket === 0 ? 1 : ticket;
  }

  /** Every batch before this ticket is decided. */
  get oldest(): number {
    return Atomics.load(this.#words, OLDEST);
  }

  #base(ticket: number): number {
    return HEADER_WORDS + (ticket % SLOTS) * SLOT_WORDS;
  }

  /**
   * Whether the slot of `ticket` may be taken. It goes by the ticket that had the slot before and not
   * by what stands in the slot: that ticket may be taken and not filled yet.
   */
  #isFree(ticket: number): boolean {
    const base = this.#base(ticket);
    if (ticket <= SLOTS && Atomics.load(this.#words, base + STATE) === 0) return true;
    const before = (ticket - SLOTS) & TICKET_MASK;
    // Ticket 0 is passed over, so its slot was last had by the one before it.
    return this.#isSettled(before === 0 ? TICKET_MASK + 1 - SLOTS : before);
  }

  #isSettled(ticket: number): boolean {
    const base = this.#base(ticket);
    if (Atomics.load(this.#words, base + STATE) >>> 2 !== ticket) return false;
    for (let i = 0; i < MASK_WORDS; i++) {
      const wanted = this.#words[base + PARTICIPANTS + i];
      if (Atomics.load(this.#words, base + SETTLED + i) !== wanted) return false;
    }
    return true;
  }

  /**
   * Takes a ticket for a batch over `shards`, or returns 0 when the table is full (back-pressure).
   * The caller must pass its parts on at once: shards wait for them in the order of tickets.
   */
  take(shards: readonly number[], client: number, request: number): number {
    const words = this.#words;
    for (;;) {
      const taken = Atomics.load(words, NEXT);
      const ticket = (taken + 1) & TICKET_MASK;
      if (ticket !== 0 && !this.#isFree(ticket)) {
        Atomics.store(words, CLAIMS + client, 0);
        return 0;
      }
      Atomics.store(words, CLAIMS + client, ticket);
      if (Atomics.compareExchange(words, NEXT, taken, ticket) !== taken) continue;
      if (ticket === 0) continue;
      const base = this.#base(ticket);
      this.#clear(base);
      for (const shard of shards) words[base + PARTICIPANTS + (shard >>> 5)] |= 1 << (shard & 31);
      words[base + CLIENT] = client;
      words[base + REQUEST] = request;
      Atomics.store(words, base + STATE, (ticket << 2) | UNDECIDED);
      return ticket;
    }
  }

  #clear(base: number): void {
    for (let i = 0; i < MASK_WORDS; i++) {
      this.#words[base + PARTICIPANTS + i] = 0;
      this.#words[base + VOTES + i] = 0;
      this.#words[base + SETTLED + i] = 0;
    }
  }

  /**
   * A client's thread has ended: the ticket that it took and did not fill, if there is one, is that of an
   * aborted batch from now on.
   * @param others the clients that go on
   * @returns false while one of those may turn out to have taken it: to be asked again
   */
  forsake(client: number, others: Iterable<number>): boolean {
    const words = this.#words;
    const ticket = Atomics.load(words, CLAIMS + client);
    const isTaken = !ticketBefore(Atomics.load(words, NEXT), ticket);
    if (ticket === 0 || !isTaken) return true;
    for (const other of others) {
      if (other === client || Atomics.load(words, CLAIMS + other) !== ticket) continue;
      return this.isFilled(ticket);
    }
    // Asked last: who took it may have filled it, and gone on, since.
    if (this.isFilled(ticket)) return true;
    const base = this.#base(ticket);
    this.#clear(base);
    Atomics.store(words, base + STATE, (ticket << 2) | ABORTED);
    return true;
  }

  /** The state of a batch that is still in the table, or undefined: decided and settled long ago. */
  state(ticket: number): BatchState | undefined {
    const word = Atomics.load(this.#words, this.#base(ticket) + STATE);
    return word >>> 2 === ticket ? ((word & 3) as BatchState) : undefined;
  }

  /**
   * Whether a reader has to pass over an entry of this batch. `undefined` states are told apart by
   * the entry's own aborted flag, see above.
   */
  hides(ticket: number): boolean {
    const word = Atomics.load(this.#words, this.#base(ticket) + STATE);
    return word >>> 2 === ticket && (word & 3) !== COMMITTED;
  }

  /** Whether the slot of `ticket` is filled, or was and has been reused since. */
  isFilled(ticket: number): boolean {
    const found = Atomics.load(this.#words, this.#base(ticket) + STATE) >>> 2;
    return found === ticket || (found !== 0 && ticketBefore(ticket, found));
  }

  /** Whether `shard` takes part in a ticket that is filled and in the table. */
  involves(ticket: number, shard: number): boolean {
    const base = this.#base(ticket);
    if (Atomics.load(this.#words, base + STATE) >>> 2 !== ticket) return false;
    return (this.#words[base + PARTICIPANTS + (shard >>> 5)] & (1 << (shard & 31))) !== 0;
  }

  participants(ticket: number): number[] {
    const base = this.#base(ticket) + PARTICIPANTS;
    const shards: number[] = [];
    for (let shard = 0; shard < SHARDS_MAX; shard++) {
      if ((this.#words[base + (shard >>> 5)] & (1 << (shard & 31))) !== 0) shards.push(shard);
    }
    return shards;
  }

  /** Whom to answer: the client's number and its own number for the batch. */
  owner(ticket: number): { client: number; request: number } {
    const base = this.#base(ticket);
    return { client: this.#words[base + CLIENT], request: this.#words[base + REQUEST] };
  }

  /** The part of `shard` is durable. True for the one caller whose vote decided the batch. */
  vote(ticket: number, shard: number): boolean {
    const words = this.#words;
    const base = this.#base(ticket);
    Atomics.or(words, base + VOTES + (shard >>> 5), 1 << (shard & 31));
    for (let i = 0; i < MASK_WORDS; i++) {
      if (Atomics.load(words, base + VOTES + i) !== words[base + PARTICIPANTS + i]) return false;
    }
    return this.#decide(ticket, COMMITTED);
  }

  hasVoted(ticket: number, shard: number): boolean {
    const word = Atomics.load(this.#words, this.#base(ticket) + VOTES + (shard >>> 5));
    return (word & (1 << (shard & 31))) !== 0;
  }

  /** True for the one caller that aborted the batch; false when it was decided before. */
  abort(ticket: number): boolean {
    return this.#decide(ticket, ABORTED);
  }

  #decide(ticket: number, state: BatchState): boolean {
    const undecided = (ticket << 2) | UNDECIDED;
    const at = this.#base(ticket) + STATE;
    return Atomics.compareExchange(this.#words, at, undecided, (ticket << 2) | state) === undecided;
  }

  /** The decision is durable with `shard`, of which that was not said before. */
  settle(ticket: number, shard: number): void {
    const at = this.#base(ticket) + SETTLED + (shard >>> 5);
    Atomics.or(this.#words, at, 1 << (shard & 31));
  }

  /** The same, if the batch is decided and that was not said before. */
  settleIfDecided(ticket: number, shard: number): void {
    const at = this.#base(ticket) + SETTLED + (shard >>> 5);
    // First: a slot that was not taken again after that had the bit of this ticket.
    if ((Atomics.load(this.#words, at) & (1 << (shard & 31))) !== 0) return;
    const state = this.state(ticket);
    const isDecided = state === COMMITTED || state === ABORTED;
    if (isDecided && !this.#isTakenAgain(ticket)) this.settle(ticket, shard);
  }

  /** Whether the slot is another ticket's by now, be it that its first word does not say so yet. */
  #isTakenAgain(ticket: number): boolean {
    const next = (ticket + SLOTS) & TICKET_MASK;
    return !ticketBefore(Atomics.load(this.#words, NEXT), next === 0 ? SLOTS : next);
  }

  /** Every decision there is so far is durable with `shard`: its thread was recovered. */
  settleDecided(shard: number): void {
    for (const ticket of this.#decided(shard, COMMITTED)) this.settleIfDecided(ticket, shard);
    for (const ticket of this.aborted(shard)) this.settleIfDecided(ticket, shard);
  }

  /** Batches of a shard that are aborted and still in the table. */
  aborted(shard: number): number[] {
    return this.#decided(shard, ABORTED);
  }

  #decided(shard: number, state: BatchState): number[] {
    const found: number[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      const word = Atomics.load(this.#words, HEADER_WORDS + slot * SLOT_WORDS + STATE);
      if ((word & 3) === state && this.involves(word >>> 2, shard)) found.push(word >>> 2);
    }
    return found;
  }

  /** Whether the decision is durable with every participant. */
  isSettledEverywhere(ticket: number): boolean {
    const found = Atomics.load(this.#words, this.#base(ticket) + STATE) >>> 2;
    return found !== ticket || this.#isSettled(ticket);
  }

  /** Tickets that are taken and not decided, oldest first. Costs as much as there are open slots. */
  undecided(): number[] {
    const words = this.#words;
    let oldest = Atomics.load(words, OLDEST);
    // After that: others move both words on meanwhile, and the oldest may be beyond what was the last before.
    const last = Atomics.load(words, NEXT);
    const open: number[] = [];
    let isPrefix = true;
    for (let t = oldest; t !== ((last + 1) & TICKET_MASK); t = (t + 1) & TICKET_MASK) {
      if (t === 0) continue;
      const word = Atomics.load(words, this.#base(t) + STATE);
      const isDecided = word >>> 2 === t ? (word & 3) !== UNDECIDED : this.isFilled(t);
      if (!isDecided) {
        open.push(t);
        isPrefix = false;
      } else if (isPrefix) {
        oldest = t;
      }
    }
    Atomics.store(words, OLDEST, oldest);
    return open;
  }
}
