/**
 * The loop of a shard thread: it takes messages off the rings of its clients, writes them as one group
 * a shard, commits, and answers. All writes that arrive while a group is synced make the next one.
 *
 * - The thread blocks in `Atomics.wait` when there is nothing to do. Its event loop, through which
 *   control messages and finished jobs arrive, turns only in `#turn`: whenever somebody announced a
 *   control message, while jobs or control calls are under way, and now and then.
 * - Order: messages of one client to one shard take effect in the order sent. A message that has to
 *   wait for a batch is parked, and everything of that client to that shard behind it too. Parts of
 *   batches are applied in the order of their tickets. So every wait is for an earlier ticket, and
 *   there is no cycle.
 * - A message that finds no room waits for a flush. It holds up all behind it in its client's ring, for
 *   other shards too, unless that flush waits for a batch itself, of which a part may be behind it: then
 *   it is parked.
 * - A batch whose conditions do not hold is not taken. What they were judged by may be pending itself:
 *   its client is told when the group under way is committed, or that it is lost.
 */
import { OmenError } from '../errors.ts';
import { Doorbell } from '../ring/doorbell.ts';
import { ABORTED, UNDECIDED } from '../view/commit-table.ts';
import type { Control } from '../view/control.ts';
import type { ViewMessage } from '../view/shard-view.ts';
import { type ClientIntroduction, ClientLink, type Message } from './client-link.ts';
import { isCondition } from './conditions.ts';
import type { Engine } from './engine.ts';
import { type Notice, OWNER, type WorkNotice } from './notice.ts';
import {
  MESSAGE_HEADER_BYTES,
  WRITE_BATCH,
  WRITE_DEL,
  WRITE_PUT,
  WRITE_STAGE,
  WRITE_STAGED,
} from './protocol.ts';
import { DEL, LOAD_MARK, OPERATION_BYTES, PUT, RANGE_DELETE } from './records.ts';

/** Acknowledged = on disk; = handed to the kernel, synced every so often; = handed to the kernel. */
export type Durability = 'sync' | 'os' | { readonly intervalMs: number };

/** What one turn of the loop takes up before it commits. */
const MESSAGES_PER_GROUP = 8192;
const GROUP_BYTES_MAX = 2 ** 20;
const SPIN_ROUNDS = 60;
const IDLE_MS = 250;
const BUSY_MS = 1;
const COUNT_MS = 100;
const HEAP_MS = 1000;
const OUTCOMES_MS = 1000;

interface Waiter {
  readonly link: ClientLink;
  readonly sequence: number;
  /** Whether its client was told that it is deferred. */
  readonly isDeferred: boolean;
}

interface Parked {
  readonly link: ClientLink;
  readonly sequence: number;
  readonly message: Message;
}

/** An engine with what the loop keeps for it. */
interface Lane {
  readonly engine: Engine;
  /** Whose writes are in the group under way. */
  waiters: Waiter[];
  /** Whose conditions did not hold, by what may be in that group; called with why it was lost. */
  verdicts: ((lost: OmenError | null) => void)[];
  parked: Parked[];
  isMemoryFull: boolean;
}

export class Host {
  readonly #control: Control;
  readonly #thread: number;
  readonly #doorbell: Doorbell;
  readonly #durability: Durability;
  readonly #lanes = new Map<number, Lane>();
  readonly #links = new Map<number, ClientLink>();
  #isClosing = false;
  #handledRequests = 0;
  #callsUnderWay = 0;
  #lastSyncMs = 0;
  #lastTurnMs = 0;
  #lastCountMs = 0;
  #lastHeapMs = 0;
  /** When the taking up of messages began. */
  #groupStartMs = 0;

  constructor(control: Control, thread: number, durability: Durability) {
    this.#control = control;
    this.#thread = thread;
    this.#durability = durability;
    this.#doorbell = new Doorbell(control.memory, control.threadDoorbellAt(thread));
    this.#handledRequests = control.requests(thread);
  }

  addEngine(engine: Engine): void {
    const lane = { engine, waiters: [], verdicts: [], parked: [], isMemoryFull: false };
    this.#lanes.set(engine.shard, lane);
  }

  get engines(): Engine[] {
    return [...this.#lanes.values()].map(({ engine }) => engine);
  }

  clients(): Iterable<number> {
    return this.#links.keys();
  }

  addClient(introduction: ClientIntroduction): void {
    const link = new ClientLink(introduction, this.#control);
    this.#links.set(link.client, link);
    link.views.on('close', () => this.removeClient(link));
    for (const { engine } of this.#lanes.values()) {
      for (const view of engine.views) link.views.postMessage(view);
    }
  }

  /** Forgets a client that is gone; what it had not been answered stays undecided or written. */
  removeClient(link: ClientLink): void {
    if (this.#links.get(link.client) === link) this.#links.delete(link.client);
    for (const lane of this.#lanes.values()) {
      lane.parked = lane.parked.filter((parked) => parked.link !== link);
    }
  }

  /** Forgets a client whose open batches are aborted by now. */
  dropClient(client: number): void {
    const link = this.#links.get(client);
    if (link !== undefined) {
      this.removeClient(link);
      link.views.close();
    }
    for (const { engine } of this.#lanes.values()) engine.settleAborted();
  }

  postNotice(notice: Notice): void {
    for (const { views } of this.#links.values()) views.postMessage(notice);
  }

  postWork(work: WorkNotice): void {
    this.#links.get(OWNER)?.views.postMessage(work);
  }

  postView(view: ViewMessage): void {
    for (const { views } of this.#links.values()) views.postMessage(view);
  }

  /** Runs a control call, during which the event loop keeps turning. */
  async call<T>(work: () => T | Promise<T>): Promise<T> {
    this.#handledRequests++;
    this.#callsUnderWay++;
    try {
      return await work();
    } finally {
      this.#callsUnderWay--;
    }
  }

  stop(): void {
    this.#isClosing = true;
  }

  /** Serves until `stop`; then everything taken up is committed and answered. */
  async run(): Promise<void> {
    while (!this.#isClosing) {
      const seen = this.#doorbell.read();
      this.#groupStartMs = performance.now();
      const taken = this.#takeAll();
      this.#commitAll();
      this.#settle(taken === 0);
      this.#tend();
      if (this.#wantsTurn()) await this.#turn();
      this.#announce();
      for (const { engine } of this.#lanes.values()) engine.sealChunks();
      this.#count(taken === 0);
      if (taken > 0) continue;
      if (this.#doorbell.spin(seen, SPIN_ROUNDS)) continue;
      this.#doorbell.sleepSync(seen, this.#sleepMs());
    }
    while (this.#takeAll() > 0) this.#commitAll();
    this.#commitAll();
  }

  /** Brings the statistics up to date: whenever there is time, and every so often while there is none. */
  #count(isIdle: boolean): void {
    const now = performance.now();
    if (!isIdle && now - this.#lastCountMs < COUNT_MS) return;
    this.#lastCountMs = now;
    for (const { engine } of this.#lanes.values()) engine.count();
    if (now - this.#lastHeapMs < HEAP_MS) return;
    this.#lastHeapMs = now;
    const [first] = this.#lanes.keys();
    if (first === undefined) return;
    this.#control.setCounter(first, 'heapBytes', process.memoryUsage().heapUsed);
  }

  #tend(): void {
    const now = performance.now();
    for (const { engine } of this.#lanes.values()) engine.tend(now);
  }

  #isBusy(): boolean {
    if (this.#callsUnderWay > 0) return true;
    for (const { engine, parked } of this.#lanes.values()) {
      if (engine.isBusy || (engine.canCommit && engine.ledger.isWaiting)) return true;
      if (parked.length > 0) return true;
    }
    for (const link of this.#links.values()) if (link.held !== null) return true;
    return false;
  }

  #sleepMs(): number {
    if (this.#isBusy()) return BUSY_MS;
    return typeof this.#durability === 'object'
      ? Math.min(IDLE_MS, this.#durability.intervalMs)
      : IDLE_MS;
  }

  #wantsTurn(): boolean {
    if (this.#control.requests(this.#thread) !== this.#handledRequests) return true;
    const elapsed = performance.now() - this.#lastTurnMs;
    return elapsed > IDLE_MS || (elapsed > BUSY_MS && this.#isBusy());
  }

  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#lastTurnMs = performance.now();
  }

  /** Takes up what waits in all rings, as far as it fits into one group. Returns how many. */
  #takeAll(): number {
    for (const lane of this.#lanes.values()) {
      lane.isMemoryFull = lane.engine.isMemoryFull;
      if (lane.parked.length > 0) this.#retryParked(lane);
    }
    let taken = 0;
    for (const link of this.#links.values()) taken += this.#takeFrom(link);
    return taken;
  }

  #takeFrom(link: ClientLink): number {
    let count = 0;
    if (link.held !== null) {
      const message = link.held;
      if (!this.#take(link, message)) return 0;
      link.held = null;
      count++;
    }
    while (count < MESSAGES_PER_GROUP) {
      const message = link.next();
      if (message === null) break;
      count++;
      const whole = this.#unwrap(link, message);
      if (whole !== null && !this.#take(link, whole)) {
        link.hold(whole, messageWords(whole));
        break;
      }
    }
    return link.release() && count === 0 ? 1 : count;
  }

  /** Puts the halves of a staged part together: null while there is only the first. */
  #unwrap(link: ClientLink, message: Message): Message | null {
    const op = message.words[message.at] & 0xff;
    if (op === WRITE_STAGED) return link.unstage(message);
    if (op !== WRITE_STAGE) return message;
    link.stage(message, messageWords(message));
    link.taken++;
    return null;
  }

  /** False when the shard has no room now; then the message was not taken up. */
  #take(link: ClientLink, message: Message): boolean {
    const head = message.words[message.at];
    const lane = this.#lanes.get(head >>> 8);
    const sequence = link.taken;
    if (lane === undefined) {
      link.taken++;
      link.fail(sequence, new OmenError('OMEN_SHARD_FAILED', `Shard ${head >>> 8} is not here.`));
      return true;
    }
    if (this.#isBatch(message) && this.#isAborted(message)) {
      this.#passOver(lane, message);
      link.taken++;
      return true;
    }
    const hasRoom = this.#makeRoom(lane, message);
    if (!hasRoom && !lane.engine.awaitsOutcome) return false;
    link.taken++;
    const isBehind = lane.parked.some((parked) => parked.link === link);
    if (!hasRoom || isBehind || this.#mustWait(lane, message)) {
      const words = message.words.slice(message.at, message.at + messageWords(message));
      lane.parked.push({ link, sequence, message: { words, at: 0 } });
      link.defer(sequence);
      return true;
    }
    this.#apply(lane, { link, sequence, isDeferred: false }, message);
    return true;
  }

  #isAborted(message: Message): boolean {
    const ticket = message.words[message.at + 2];
    if (ticket === 0) return false;
    return this.#control.table.state(ticket) !== UNDECIDED;
  }

  /** This shard has nothing of an aborted batch, nor ever will: as good as a durable outcome. */
  #passOver(lane: Lane, message: Message): void {
    const ticket = message.words[message.at + 2];
    const { table } = this.#control;
    if (ticket === 0 || table.state(ticket) !== ABORTED) return;
    table.settleIfDecided(ticket, lane.engine.shard);
  }

  /** Whether the shard has room for the message, after sealing its memtable if need be. */
  #makeRoom(lane: Lane, message: Message): boolean {
    const { engine } = lane;
    if (this.#isRefused(engine, message)) return true;
    const isFull = !fitsInto(engine, message);
    if (!isFull && engine.pendingBytes < GROUP_BYTES_MAX) return true;
    this.#commit(lane);
    if (!isFull || engine.failure !== null) return true;
    if (!engine.canSeal) return false;
    try {
      engine.rotate();
    } catch {
      // The engine has noted why: the write is refused with it, or there is room at the next try.
    }
    return fitsInto(engine, message) || this.#isRefused(engine, message);
  }

  #isRefused(engine: Engine, message: Message): boolean {
    return engine.failure !== null || this.#shortageOf(engine, message) !== null;
  }

  /** Why a shard that is short refuses the message, or null. */
  #shortageOf(engine: Engine, message: Message): OmenError | null {
    return engine.isShort ? engine.refusalOf(!hasPut(message)) : null;
  }

  #mustWait(lane: Lane, message: Message): boolean {
    const { ledger } = lane.engine;
    const { words, at } = message;
    if ((words[at] & 0xff) !== WRITE_BATCH) {
      return ledger.isBusy(words[at + 3], words[at + 2], words, at + 4);
    }
    const ticket = words[at + 2];
    if (ticket !== 0 && !ledger.isTurnOf(ticket)) return true;
    let operation = at + MESSAGE_HEADER_BYTES / 4;
    for (let i = words[at + 1]; i > 0; i--) {
      const hi = words[operation + 3];
      if (isBoundary(words[operation]) && ledger.hasBusy) return true;
      if (ledger.isBusy(hi, words[operation + 2], words, operation + 4)) return true;
      operation += operationWords(words[operation + 1]);
    }
    return false;
  }

  #retryParked(lane: Lane): void {
    const waiting: Parked[] = [];
    const links = new Set<ClientLink>();
    for (const parked of lane.parked) {
      const { link, sequence, message } = parked;
      const isBehind = links.has(link);
      // First of all: an aborted batch has no turn any more to wait for.
      if (this.#isBatch(message) && this.#isAborted(message)) {
        this.#passOver(lane, message);
        link.done(sequence);
      } else if (isBehind || this.#mustWait(lane, message) || !this.#makeRoom(lane, message)) {
        waiting.push(parked);
        links.add(link);
      } else {
        this.#apply(lane, { link, sequence, isDeferred: true }, message);
      }
    }
    lane.parked = waiting;
  }

  #isBatch(message: Message): boolean {
    return (message.words[message.at] & 0xff) === WRITE_BATCH;
  }

  #apply(lane: Lane, waiter: Waiter, message: Message): void {
    const { engine } = lane;
    const refusal =
      engine.failure ??
      this.#shortageOf(engine, message) ??
      (lane.isMemoryFull ? memoryFull(engine.shard, message) : null);
    if (refusal !== null) {
      this.#refuse(lane, waiter, message, refusal);
      return;
    }
    const { words, at } = message;
    const op = words[at] & 0xff;
    if (op !== WRITE_BATCH) {
      const type = op === WRITE_DEL ? DEL : PUT;
      engine.write(type, words[at + 3], words[at + 2], 0, words, at + 4, words[at + 1]);
    } else if (!this.#applyBatch(lane, waiter, message)) {
      return;
    }
    lane.waiters.push(waiter);
  }

  /** False, with nothing applied, where a condition does not hold. */
  #applyBatch(lane: Lane, waiter: Waiter, message: Message): boolean {
    const { engine } = lane;
    const { words, at } = message;
    const ticket = words[at + 2];
    let left = words[at + 1];
    let from = at + MESSAGE_HEADER_BYTES / 4;
    for (; left > 0 && isCondition(words[from] & 0xff); left--) {
      if (!engine.holds(words, from)) {
        this.#fail(lane, waiter, message, conditionFailed(words[from]));
        return false;
      }
      from += operationWords(words[from + 1]);
    }
    engine.meter.batch();
    if (ticket !== 0) engine.beginPart(ticket, this.#control.table.participants(ticket), left);
    for (; left > 0; left--) {
      const type = words[from] as typeof PUT | typeof DEL | typeof RANGE_DELETE | typeof LOAD_MARK;
      const rowBytes = words[from + 1];
      if (type === LOAD_MARK) engine.mark(words[from + 3], words[from + 2], ticket);
      else engine.write(type, words[from + 3], words[from + 2], ticket, words, from + 4, rowBytes);
      from += operationWords(rowBytes);
    }
    return true;
  }

  #refuse(lane: Lane, waiter: Waiter, message: Message, error: OmenError): void {
    lane.engine.meter.refused++;
    this.#abort(lane, waiter, message)?.(error);
  }

  /** A condition did not hold: told when what it was judged by is certain. */
  #fail(lane: Lane, waiter: Waiter, message: Message, error: OmenError): void {
    lane.engine.meter.refused++;
    const tell = this.#abort(lane, waiter, message);
    if (tell === null) return;
    if (lane.engine.hasPending) lane.verdicts.push((lost) => tell(lost ?? error));
    else tell(error);
  }

  /** Aborts what the message is part of. Returns how to tell its client, null where that is told. */
  #abort(lane: Lane, waiter: Waiter, message: Message): ((error: OmenError) => void) | null {
    const { link, sequence, isDeferred } = waiter;
    const ticket = this.#isBatch(message) ? message.words[message.at + 2] : 0;
    if (ticket === 0) return (error) => link.fail(sequence, error);
    const { table } = this.#control;
    // Asked now: once the batch is settled, its slot may be another's.
    const { client, request } = table.owner(ticket);
    const isOurs = table.abort(ticket);
    this.#passOver(lane, message);
    if (isDeferred) link.done(sequence);
    return isOurs ? (error) => this.#links.get(client)?.batchFailed(request, error) : null;
  }

  /** Tells the client of a batch how it ended: the one thread that decided it does. */
  #tellOwner(ticket: number, error: OmenError | null): void {
    const { client, request } = this.#control.table.owner(ticket);
    const link = this.#links.get(client);
    if (error === null) link?.batchDone(request);
    else link?.batchFailed(request, error);
  }

  #commitAll(): void {
    for (const lane of this.#lanes.values()) this.#commit(lane);
    this.#announce();
    for (const link of this.#links.values()) link.complete();
  }

  /** Tells who follows the logs that there is more to read. */
  #announce(): void {
    let isNews = false;
    for (const { engine } of this.#lanes.values()) isNews = engine.announce() || isNews;
    if (!isNews) return;
    for (const link of this.#links.values()) link.wakeWatchers();
  }

  get #isWatched(): boolean {
    for (const client of this.#links.keys()) if (this.#control.logs.isWatching(client)) return true;
    return false;
  }

  #commit(lane: Lane): void {
    const { engine } = lane;
    if (engine.failure !== null || !engine.hasPending) return;
    try {
      engine.commit(this.#durability === 'sync');
    } catch (error) {
      this.#groupFailed(lane, error);
      return;
    }
    if (lane.waiters.length > 0) engine.meter.served(performance.now() - this.#groupStartMs);
    for (const ticket of engine.ledger.groupCommitted(engine.isDurable))
      this.#tellOwner(ticket, null);
    // The outcomes in this group may be what a flush has waited for.
    engine.maintain();
    for (const { link, sequence, isDeferred } of lane.waiters) if (isDeferred) link.done(sequence);
    lane.waiters = [];
    this.#tellVerdicts(lane, null);
  }

  #tellVerdicts(lane: Lane, lost: OmenError | null): void {
    for (const tell of lane.verdicts) tell(lost);
    if (lane.verdicts.length > 0) lane.verdicts = [];
  }

  /** Of a group that found no room nothing is left; of any other that failed, nobody knows. */
  #groupFailed(lane: Lane, cause: unknown): void {
    const { engine } = lane;
    const text = cause instanceof Error ? cause.message : String(cause);
    const unknown = `Shard ${engine.shard} failed while committing: ${text}`;
    const error =
      (engine.failure === null && engine.refusalOf(false)) ||
      new OmenError('OMEN_OUTCOME_UNKNOWN', unknown);
    const { ledger } = engine;
    const aborted = engine.failure === null ? ledger.groupRefused() : ledger.groupFailed();
    for (const ticket of aborted) this.#tellOwner(ticket, error);
    for (const { link, sequence } of lane.waiters) link.fail(sequence, error);
    lane.waiters = [];
    this.#tellVerdicts(lane, error);
  }

  /** What follows a commit: outcomes of batches, syncs on time, flushes. */
  #settle(isIdle: boolean): void {
    for (const lane of this.#lanes.values()) {
      const { engine } = lane;
      if (!engine.canCommit) continue;
      if (engine.ledger.poll()) engine.maintain();
      // While writes come in, decisions go with the next group and cost no sync of their own; but none come
      // in here while a flush, which may wait for one of them, has to make room first.
      if ((isIdle || !engine.canSeal) && engine.ledger.hasDecisions) {
        engine.logDecisions();
        this.#commit(lane);
      }
    }
    if (this.#durability !== 'sync') this.#syncOnTime(this.#durability);
  }

  /**
   * With 'os', outcomes of batches are synced, since logs and slots of other shards wait for that, and all
   * there is while somebody watches, who is told of nothing that is not durable.
   */
  #syncOnTime(durability: { intervalMs: number } | 'os'): void {
    const now = performance.now();
    const intervalMs = durability === 'os' ? OUTCOMES_MS : durability.intervalMs;
    if (now - this.#lastSyncMs < intervalMs) return;
    this.#lastSyncMs = now;
    const isWatched = durability === 'os' && this.#isWatched;
    for (const { engine } of this.#lanes.values()) {
      if (durability === 'os' && !engine.ledger.hasUnsynced && !isWatched) continue;
      try {
        engine.sync();
      } catch {
        // The engine has noted its failure: later writes are refused with it.
      }
    }
  }
}

function operationWords(rowBytes: number): number {
  return (OPERATION_BYTES + ((rowBytes + 7) & ~7)) >>> 2;
}

/** Length of a message in words. */
function messageWords(message: Message): number {
  const { words, at } = message;
  const op = words[at] & 0xff;
  if (op === WRITE_PUT || op === WRITE_DEL) {
    return (MESSAGE_HEADER_BYTES + ((words[at + 1] + 7) & ~7)) >>> 2;
  }
  let end = at + MESSAGE_HEADER_BYTES / 4;
  for (let i = words[at + 1]; i > 0; i--) end += operationWords(words[end + 1]);
  return end - at;
}

function sizeOf(message: Message): { entries: number; rowBytes: number } {
  const { words, at } = message;
  if ((words[at] & 0xff) !== WRITE_BATCH) return { entries: 1, rowBytes: words[at + 1] };
  return { entries: words[at + 1], rowBytes: 4 * messageWords(message) };
}

/** Whether the active memtable takes the message as it is. */
function fitsInto(engine: Engine, message: Message): boolean {
  const { entries, rowBytes } = sizeOf(message);
  if (!engine.fits(entries, rowBytes)) return false;
  if (!engine.canClear && hasOperation(message, (type) => type === RANGE_DELETE)) return false;
  return engine.canMark || !hasOperation(message, (type) => type === LOAD_MARK);
}

/** What is older or newer than every other operation as a whole, whatever its key. */
function isBoundary(type: number): boolean {
  return type === RANGE_DELETE || type === LOAD_MARK;
}

function hasPut(message: Message): boolean {
  const isPut = (message.words[message.at] & 0xff) === WRITE_PUT;
  return isPut || hasOperation(message, (type) => type === PUT);
}

/** Whether a batch has an operation of such a type. */
function hasOperation({ words, at }: Message, isMeant: (type: number) => boolean): boolean {
  if ((words[at] & 0xff) !== WRITE_BATCH) return false;
  let from = at + MESSAGE_HEADER_BYTES / 4;
  for (let i = words[at + 1]; i > 0; i--) {
    if (isMeant(words[from])) return true;
    from += operationWords(words[from + 1]);
  }
  return false;
}

/** @param head the first word of the condition */
function conditionFailed(head: number): OmenError {
  return new OmenError(
    'OMEN_CONDITION_FAILED',
    `The condition of operation ${head >>> 8} did not hold: nothing was written.`,
  );
}

function memoryFull(shard: number, message: Message): OmenError | null {
  if (!hasPut(message)) return null;
  return new OmenError(
    'OMEN_MEMORY_FULL',
    `Shard ${shard} has used up its share of the memory budget. Open with a larger "memory", ` +
      'or delete rows and compact.',
  );
}
