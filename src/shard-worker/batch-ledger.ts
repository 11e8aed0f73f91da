/**
 * What one shard has to remember of batches across shards (`view/commit-table.ts` has the protocol).
 *
 * A part goes through: applied (in the group, entries hidden) → voted (durable here) → decided (by the
 * last vote or an abort, anywhere) → logged (the decision is in this shard's group) → written (that
 * group is committed) → settled (it is durable; the bit is set in the table) → forgotten (settled by
 * every participant). Until it is forgotten, the log must keep the part: another participant may still
 * need it to decide. A decision that is only written is no reason to forget: a power cut may take it
 * and leave the part that it was about.
 */
import { hashKey } from '../schema/key.ts';
import { hashStored, type KeyBytes, keyMemory, STORED_KEY_AT } from '../schema/key-bytes.ts';
import { type ClearedRange, isCleared } from '../view/cleared.ts';
import { ABORTED, COMMITTED, type CommitTable, UNDECIDED } from '../view/commit-table.ts';
import type { CommitLog } from '../wal/log.ts';
import type { MemtableWriter } from './memtable-writer.ts';
import {
  COMMITTED_FLAG,
  DECISION,
  DECISION_BYTES,
  EPOCH_HI,
  EPOCH_LO,
  type Epoch,
  OPERATIONS,
  PART,
  PARTICIPANTS,
  partBytes,
  SHARDS,
  TICKET,
  TYPE,
} from './records.ts';

interface Part {
  readonly ticket: number;
  readonly lsn: number;
  readonly memtable: MemtableWriter;
  readonly entries: number[];
  readonly keys: number[];
  readonly ranges: ClearedRange[];
}

/**
 * 53 bits to tell a key of fixed width by. Different keys may share them; then one waits for the other without need,
 * which does no harm as long as it is rare (a rounded 64-bit key would make it so for all neighbours).
 */
function keyNumber(hi: number, lo: number): number {
  return hashKey(hi, lo) * 2 ** 21 + (lo & (2 ** 21 - 1));
}

/** The bytes of a key whose stored form is in `words` at `at`. */
function keyBytesAt(words: Uint32Array, at: number): KeyBytes {
  const start = words.byteOffset + 4 * at + STORED_KEY_AT;
  return { memory: keyMemory(words.buffer), start, end: start + words[at] };
}

const TICKET_MASK = 2 ** 30 - 1;
/** Of the table's 1024 slots, those that one shard may hold up by decisions it has not synced. */
const UNSYNCED_MAX = 128;

export class BatchLedger {
  readonly #table: CommitTable;
  readonly #shard: number;
  readonly #epoch: Epoch;
  readonly #storesKeys: boolean;
  /** In the group under way. */
  #applied: Part[] = [];
  /** Durable here, outcome open. */
  #voted: Part[] = [];
  /** Decided; the decision is not in the log yet. */
  #decided: Part[] = [];
  /** The decision is in the group under way. */
  #logged: Part[] = [];
  /** The decision is committed, not synced. */
  #written: Part[] = [];
  #settled: Part[] = [];
  /** Keys of parts that are applied and undecided, with how many such parts each is in. */
  #busy = new Map<number, number>();
  /** And ranges of them. */
  #busyRanges: ClearedRange[] = [];
  /** Every ticket before this one is applied here, or is none of ours, or was decided without us. */
  #next: number;

  /** @param storesKeys whether keys have a stored form, which stands before the row */
  constructor(table: CommitTable, shard: number, epoch: Epoch, storesKeys: boolean) {
    this.#table = table;
    this.#shard = shard;
    this.#epoch = epoch;
    this.#storesKeys = storesKeys;
    this.#next = table.oldest;
  }

  /** Whether it is the turn of a part: every earlier batch of this shard was applied or decided. */
  isTurnOf(ticket: number): boolean {
    const table = this.#table;
    while (this.#next !== ticket) {
      const next = this.#next;
      if (next !== 0) {
        if (!table.isFilled(next)) return false;
        if (table.state(next) === UNDECIDED && table.involves(next, this.#shard)) return false;
      }
      this.#next = (next + 1) & TICKET_MASK;
    }
    return true;
  }

  /**
   * Whether the key is in a part whose outcome is open: another write to it has to wait.
   * @param words where its stored form is, at `at`, if it has one
   */
  isBusy(hi: number, lo: number, words: Uint32Array, at: number): boolean {
    if (this.#busy.size > 0 && this.#busy.has(this.#keyNumber(hi, lo, words, at))) return true;
    if (this.#busyRanges.length === 0) return false;
    return isCleared(this.#busyRanges, hi, lo, this.#storesKeys ? keyBytesAt(words, at) : null);
  }

  /** Whether any part's outcome is open: a range, which may have its keys, has to wait. */
  get hasBusy(): boolean {
    return this.#busy.size > 0 || this.#busyRanges.length > 0;
  }

  #keyNumber(hi: number, lo: number, words: Uint32Array, at: number): number {
    return this.#storesKeys ? hashStored(words, at) : keyNumber(hi, lo);
  }

  /** Writes the head of a part into the group; its operations follow. */
  logPart(
    log: CommitLog,
    memtable: MemtableWriter,
    ticket: number,
    participants: readonly number[],
    operations: number,
  ): void {
    const lsn = log.nextLsn;
    const at = log.reserve(partBytes(participants.length)) >>> 2;
    const words = log.u32;
    words[at + TYPE] = PART;
    words[at + TICKET] = ticket;
    words[at + EPOCH_LO] = this.#epoch.lo;
    words[at + EPOCH_HI] = this.#epoch.hi;
    words[at + OPERATIONS] = operations;
    words[at + PARTICIPANTS] = participants.length;
    for (let i = 0; i < participants.length; i++) words[at + SHARDS + i] = participants[i];
    this.#applied.push({ ticket, lsn, memtable, entries: [], keys: [], ranges: [] });
    this.#next = (ticket + 1) & TICKET_MASK;
  }

  /** Adds an entry to the part whose head was logged last. The key is given as in `isBusy`. */
  addEntry(entry: number, hi: number, lo: number, words: Uint32Array, at: number): void {
    const part = this.#applied[this.#applied.length - 1];
    const key = this.#keyNumber(hi, lo, words, at);
    part.entries.push(entry);
    part.keys.push(key);
    this.#busy.set(key, (this.#busy.get(key) ?? 0) + 1);
  }

  /** Adds a range to that part; without an entry, one that only keeps its keys from other writes. */
  addRange(entry: number | null, range: ClearedRange): void {
    const part = this.#applied[this.#applied.length - 1];
    if (entry !== null) part.entries.push(entry);
    part.ranges.push(range);
    this.#busyRanges.push(range);
  }

  /** Writes a decision into the group. */
  logDecision(log: CommitLog, batch: { ticket: number; epoch: Epoch }, committed: boolean): void {
    const at = log.reserve(DECISION_BYTES) >>> 2;
    const words = log.u32;
    words[at + TYPE] = DECISION | (committed ? COMMITTED_FLAG : 0);
    words[at + TICKET] = batch.ticket;
    words[at + EPOCH_LO] = batch.epoch.lo;
    words[at + EPOCH_HI] = batch.epoch.hi;
  }

  /**
   * The group is committed and shown. Returns the batches that this shard's vote decided.
   * @param isDurable whether it, and with it all before, is synced
   */
  groupCommitted(isDurable: boolean): number[] {
    if (this.#logged.length > 0) {
      this.#written.push(...this.#logged);
      this.#logged = [];
    }
    if (isDurable) this.synced();
    const decided = this.#applied
      .filter(({ ticket }) => this.#table.vote(ticket, this.#shard))
      .map(({ ticket }) => ticket);
    this.#voted.push(...this.#applied);
    this.#applied = [];
    return decided;
  }

  /** Everything committed is durable. */
  synced(): void {
    if (this.#written.length === 0) return;
    for (const part of this.#written) this.#table.settle(part.ticket, this.#shard);
    this.#settled.push(...this.#written);
    this.#written = [];
  }

  /** Whether there are decisions that a power cut could take. */
  get hasUnsynced(): boolean {
    return this.#written.length > 0;
  }

  /** Whether the next commit is to sync: slots of the table that wait for it are nobody else's. */
  get wantsSync(): boolean {
    return this.#written.length + this.#logged.length >= UNSYNCED_MAX;
  }

  /**
   * The group found no room, and is not in the log for certain. Returns the batches that were aborted by
   * that. As this shard never has anything of them, they are settled here; decisions wait to be logged.
   */
  groupRefused(): number[] {
    const parts = this.#applied;
    const aborted = this.groupFailed();
    for (const { ticket } of parts) this.#table.settle(ticket, this.#shard);
    this.#decided.unshift(...this.#logged);
    this.#logged = [];
    return aborted;
  }

  /** The group is lost. Returns the batches that were aborted by that. */
  groupFailed(): number[] {
    const aborted = this.#applied
      .filter(({ ticket }) => this.#table.abort(ticket))
      .map(({ ticket }) => ticket);
    for (const part of this.#applied) this.#release(part);
    this.#applied = [];
    return aborted;
  }

  #release(part: Part): void {
    for (const key of part.keys) {
      const count = (this.#busy.get(key) ?? 1) - 1;
      if (count === 0) this.#busy.delete(key);
      else this.#busy.set(key, count);
    }
    if (part.ranges.length === 0) return;
    this.#busyRanges = this.#busyRanges.filter((range) => !part.ranges.includes(range));
  }

  /**
   * Settles the aborted batches of which there is no part here. Parts that are on their way yet are passed
   * over; many never come: their client is gone, or has sent them to a thread that was.
   */
  settleAborted(): void {
    for (const ticket of this.#table.aborted(this.#shard)) {
      if (!this.#has(ticket)) this.#table.settleIfDecided(ticket, this.#shard);
    }
  }

  #has(ticket: number): boolean {
    return this.#lists().some((parts) => parts.some((part) => part.ticket === ticket));
  }

  #lists(): Part[][] {
    return [...this.#open(), this.#settled];
  }

  /** Parts whose outcome is not durable here. */
  #open(): Part[][] {
    return [this.#applied, this.#voted, this.#decided, this.#logged, this.#written];
  }

  /** Looks for outcomes. True when there was one: writes that waited may go on. */
  poll(): boolean {
    if (this.#voted.length === 0 && this.#settled.length === 0) return false;
    const open = this.#voted.filter(({ ticket }) => this.#table.state(ticket) === UNDECIDED);
    const hasNews = open.length < this.#voted.length;
    for (const part of this.#voted) {
      if (open.includes(part)) continue;
      if (this.#table.state(part.ticket) === ABORTED) {
        for (const entry of part.entries) part.memtable.flagAborted(entry);
      }
      this.#release(part);
      this.#decided.push(part);
    }
    this.#voted = open;
    if (this.#settled.length > 0) {
      this.#settled = this.#settled.filter(
        ({ ticket }) => !this.#table.isSettledEverywhere(ticket),
      );
    }
    return hasNews;
  }

  /** Whether decisions wait to be logged. */
  get hasDecisions(): boolean {
    return this.#decided.length > 0;
  }

  /** Writes all decisions that are not logged yet into the group. */
  logDecisions(log: CommitLog): void {
    for (const part of this.#decided) {
      const committed = this.#table.state(part.ticket) === COMMITTED;
      this.logDecision(log, { ticket: part.ticket, epoch: this.#epoch }, committed);
    }
    this.#logged.push(...this.#decided);
    this.#decided = [];
  }

  /** Whether outcomes are awaited: the owner has to look again soon. */
  get isWaiting(): boolean {
    return this.#voted.length + this.#decided.length + this.#logged.length > 0;
  }

  /**
   * Whether a memtable holds entries of a batch whose outcome is not durable here: it must not be
   * flushed, or a crash could decide otherwise about the parts of other shards.
   */
  isOpenIn(memtable: MemtableWriter): boolean {
    const isIn = (part: Part) => part.memtable === memtable;
    return this.#open().some((parts) => parts.some(isIn));
  }

  /** No part whose outcome was open when this ledger last looked lies before this LSN; infinite: there is none. */
  get oldestOpenLsn(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { lsn } of this.#voted) oldest = Math.min(oldest, lsn);
    for (const { lsn } of this.#applied) oldest = Math.min(oldest, lsn);
    return oldest;
  }

  /** The log is needed from here on by participants that have not settled. */
  get oldestNeededLsn(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const parts of this.#lists()) {
      for (const { lsn } of parts) oldest = Math.min(oldest, lsn);
    }
    return oldest;
  }
}
