/**
 * The thread that called `open`: it starts the shard threads, decides the batches that recovery found,
 * introduces clients, and reopens by recovery the shards of a thread that died. It is not in the way
 * of any read or write.
 */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { MessageChannel, threadId } from 'node:worker_threads';
import { isShortage, OmenError } from '../errors.ts';
import { createRing } from '../ring/ring.ts';
import type { OpenShards } from '../shard-worker/control-plane.ts';
import { decideBatches } from '../shard-worker/decide-batches.ts';
import type { Notice } from '../shard-worker/notice.ts';
import {
  type LinkMemory,
  REQUEST_RING_BYTES,
  RESPONSE_RING_BYTES,
} from '../shard-worker/protocol.ts';
import type { Epoch } from '../shard-worker/records.ts';
import type { RecoveredShard } from '../shard-worker/replay.ts';
import { realStorage } from '../storage/real.ts';
import { CLIENTS_MAX, COMMITTED, UNDECIDED } from '../view/commit-table.ts';
import { Control, createControl } from '../view/control.ts';
import type { Partitioning } from '../view/partition.ts';
import { publish } from './channels.ts';
import { Client, type Connection } from './client.ts';
import {
  type Identity,
  makePath,
  openIdentity,
  shardDirectory,
  writeIdentity,
} from './identity.ts';
import { LoadBook } from './load-book.ts';
import { type Lock, takeLock } from './lock.ts';
import { type Membership, type MembershipData, membershipOf } from './membership.ts';
import { type OpenOptions, parseSettings, type Settings } from './options.ts';
import { ShardThread } from './shard-thread.ts';
import { removeSpilled } from './spill-files.ts';

/** What the supervisor tells a client, in this thread or another. */
export interface ClientFace {
  connect(connection: Connection): void;
  abandon(thread: number, reason: string): void;
  refuse(thread: number, error: OmenError): void;
  notify(notice: Notice): void;
  close(reason: string): void;
}

const DECISION_WAIT_MS = 5000;
/** A thread that dies so often without serving in between is not started again. */
const DEATHS_MAX = 5;
/** Nor is one that dies more often in this time, although it serves for a moment each time. */
const DEATHS_PER_WINDOW_MAX = 20;
const DEATH_WINDOW_MS = 60_000;

/** Databases opened by this thread, by database id: `attach` looks here. */
export const openHere = new Map<string, Supervisor>();

function newLinkMemory(): LinkMemory {
  return {
    requests: createRing(REQUEST_RING_BYTES),
    responses: createRing(RESPONSE_RING_BYTES),
    completed: new SharedArrayBuffer(128),
  };
}

export class Supervisor {
  readonly path: string;
  /** Changes once, where splits are told from the first load. */
  identity: Identity;
  readonly settings: Settings;
  readonly control: Control;
  /** What recovery found, for reports. */
  recovered: readonly RecoveredShard[] = [];
  readonly #lock: Lock;
  readonly #epoch: Epoch;
  readonly #threads: ShardThread[] = [];
  readonly #threadOf: number[];
  readonly #clients = new Map<number, ClientFace>();
  /** Clients that are gone, and may have left a ticket: their numbers are not given to others yet. */
  readonly #leaving = new Set<number>();
  /** Recoveries under way, threads given up, and how often each died since it last served. */
  readonly #reopening = new Map<number, Promise<void>>();
  readonly #refusals = new Map<number, OmenError>();
  readonly #deaths = new Map<number, number>();
  /** When each died lately, by performance.now(). */
  readonly #deathTimes = new Map<number, readonly number[]>();
  #isClosing = false;
  /** Whether there may be writes that the first client knows nothing of: of others, or of a thread that died. */
  #hasUnknownWrites = false;
  readonly #startMs = performance.now();
  readonly loads: LoadBook;

  private constructor(path: string, identity: Identity, settings: Settings, lock: Lock) {
    this.path = path;
    this.identity = identity;
    this.settings = settings;
    this.control = new Control(createControl());
    this.#lock = lock;
    const epoch = randomBytes(8);
    this.#epoch = { lo: epoch.readUInt32LE(0), hi: epoch.readUInt32LE(4) };
    const threads = Math.min(settings.threads, identity.shards);
    this.#threadOf = Array.from({ length: identity.shards }, (_, shard) => shard % threads);
    this.loads = new LoadBook(
      this.control,
      this.#threadOf,
      (thread) => this.#serving(thread),
      (name) => removeSpilled(realStorage, path, name),
      (partitioning) => this.#repartition(partitioning),
    );
  }

  /** @throws every code of an open: see `open` */
  static async open(directory: string, options: OpenOptions): Promise<Supervisor> {
    const settings = parseSettings(options);
    const path = resolve(directory);
    if (!realStorage.exists(path)) {
      if (!settings.createIfMissing || settings.readOnly) {
        throw new OmenError('OMEN_NOT_FOUND', `There is no directory ${path}.`);
      }
      makePath(realStorage, path);
    }
    const lock = await takeLock(path, settings.readOnly);
    try {
      const identity = openIdentity(realStorage, path, options, settings);
      const supervisor = new Supervisor(path, identity, settings, lock);
      if (!settings.readOnly) removeSpilled(realStorage, path);
      if (settings.salvage) await supervisor.#salvage();
      await supervisor.#startAll();
      openHere.set(identity.databaseId, supervisor);
      return supervisor;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Brings what can be read of damaged shards into a form that opens; see `ShardSalvage`. */
  async #salvage(): Promise<void> {
    const threads = this.#newThreads();
    this.#isClosing = true; // none of them is to be started again
    try {
      const found = await Promise.all(
        threads.map((shards) => shards.salvage(this.#openShards(shards.thread))),
      );
      if (found.flat().every(({ salvaged }) => salvaged.length === 0)) return;
      const committed = [...decideBatches(found.flat())];
      await Promise.all(threads.map((shards) => shards.keep(committed)));
      await Promise.all(threads.map((shards) => shards.conclude()));
    } finally {
      await Promise.all(threads.map((shards) => shards.terminate()));
      this.#isClosing = false;
    }
  }

  #newThreads(): ShardThread[] {
    const count = Math.max(...this.#threadOf) + 1;
    return Array.from({ length: count }, (_, thread) => this.#newThread(thread));
  }

  async #startAll(): Promise<void> {
    this.#threads.push(...this.#newThreads());
    try {
      const found = await Promise.all(
        this.#threads.map((shards) => shards.open(this.#openShards(shards.thread))),
      );
      this.recovered = found.flat();
      const committed = [...decideBatches(this.recovered)];
      await Promise.all(this.#threads.map((shards) => shards.secure()));
      await Promise.all(this.#threads.map((shards) => shards.start(committed)));
    } catch (error) {
      this.#isClosing = true;
      await Promise.all(this.#threads.map((shards) => shards.terminate()));
      throw error;
    }
  }

  #newThread(thread: number): ShardThread {
    return new ShardThread(thread, this.control, (reason) => {
      if (!this.#isClosing) this.#recover(thread, reason);
    });
  }

  #shardsOf(thread: number): number[] {
    return this.#threadOf.flatMap((owner, shard) => (owner === thread ? [shard] : []));
  }

  #openShards(thread: number): OpenShards {
    const { identity, settings } = this;
    const shards = this.#shardsOf(thread).map((shard) => {
      return { shard, directory: shardDirectory(this.path, shard) };
    });
    return {
      thread,
      shards,
      control: this.control.memory,
      schema: identity.schema,
      databaseId: identity.databaseId,
      epoch: this.#epoch,
      durability: settings.durability,
      memtableShape: settings.memtableShape,
      memoryBytes: settings.memoryBytes / identity.shards,
      readOnly: settings.readOnly,
      retain: settings.retain && {
        bytes: settings.retain.bytes / identity.shards,
        ms: settings.retain.ms,
      },
    };
  }

  /** Connects the thread that opened the database, then lets the shards serve. */
  async firstClient(): Promise<Client> {
    const client = new Client(this.membership(this.#takeNumber()), realStorage);
    await this.addClient(client.membership.client, faceOf(client));
    await Promise.all(this.#threads.map((shards) => shards.serve()));
    while (!client.reader.isComplete) await new Promise((next) => setImmediate(next));
    this.#notifyRepairs(this.recovered);
    this.#publishRecovery([...this.#threadOf.keys()], null, this.#startMs);
    return client;
  }

  #takeNumber(): number {
    for (let client = 0; client < CLIENTS_MAX; client++)
      if (!this.#clients.has(client) && !this.#leaving.has(client)) return client;
    throw new OmenError('OMEN_ATTACH_FAILED', `At most ${CLIENTS_MAX} threads can be attached.`);
  }

  membership(client: number): Membership {
    return membershipOf(this.membershipData(client), this.control);
  }

  membershipData(client: number): MembershipData {
    const { identity, settings, path } = this;
    const { entriesMax, arenaBytes } = settings.memtableShape;
    return {
      client,
      path,
      databaseId: identity.databaseId,
      epoch: this.#epoch,
      schema: identity.schema,
      bigints: settings.bigints,
      readOnly: settings.readOnly,
      shards: identity.shards,
      partitioning: identity.partitioning,
      salvaged: this.recovered.flatMap(({ salvaged }) => salvaged),
      threadOf: this.#threadOf,
      memoryBytes: settings.memoryBytes,
      slowMs: settings.slowMs,
      operationsMax: Math.floor(entriesMax / 2),
      batchBytesMax: Math.floor(arenaBytes / 4),
    };
  }

  /** Takes a number for a client that attaches, before it is told anything. */
  reserveClient(face: ClientFace): number {
    this.#hasUnknownWrites = true;
    const client = this.#takeNumber();
    this.#clients.set(client, face);
    return client;
  }

  async addClient(client: number, face: ClientFace): Promise<void> {
    this.#clients.set(client, face);
    for (const thread of this.#threads.keys()) await this.#introduceTo(thread, client, face);
  }

  /** A thread that comes back is introduced to every client there is by whoever reopens it. */
  async #introduceTo(thread: number, client: number, face: ClientFace): Promise<void> {
    const refusal = this.#refusals.get(thread);
    if (refusal !== undefined) throw refusal;
    try {
      if (!this.#reopening.has(thread)) await this.#introduce(client, face, this.#threads[thread]);
    } catch (error) {
      if (!this.#reopening.has(thread)) throw error;
    }
    await this.#serving(thread);
  }

  async #introduce(client: number, face: ClientFace, shards: ShardThread): Promise<void> {
    const memory = newLinkMemory();
    const { port1, port2 } = new MessageChannel();
    await shards.addClient({ client, memory, views: port1 });
    face.connect({ thread: shards.thread, memory, views: port2 });
  }

  /** The client is gone, by request or because its thread ended. Batches it left open are aborted. */
  removeClient(client: number): void {
    if (!this.#clients.delete(client) || this.#isClosing) return;
    void this.#dismiss(client);
  }

  async #dismiss(client: number): Promise<void> {
    const { table } = this.control;
    this.#leaving.add(client);
    while (!table.forsake(client, this.#clients.keys())) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#leaving.delete(client);
    this.control.setSnapshots(client, 0);
    this.control.logs.clearClient(client);
    this.control.meters.clearClient(client);
    for (const ticket of table.undecided()) {
      if (table.isFilled(ticket) && table.owner(ticket).client === client) table.abort(ticket);
    }
    for (const shards of this.#threads) shards.removeClient(client).catch(() => {});
    this.loads.clientGone(client);
  }

  /** Sees to a thread that died. Whoever needs the thread waits in `#serving`. */
  #recover(thread: number, reason: string): void {
    this.#hasUnknownWrites = true;
    // Of shards that are not to be written any more: another thread would know nothing of that.
    if (this.#refusals.has(thread)) {
      for (const face of this.#clients.values()) face.abandon(thread, reason);
      return;
    }
    const attempt = this.#reopen(thread, reason).finally(() => {
      if (this.#reopening.get(thread) === attempt) this.#reopening.delete(thread);
    });
    this.#reopening.set(thread, attempt);
  }

  /** A thread that serves, once it has come back if it died. Throws when it did not. */
  async #serving(thread: number): Promise<ShardThread> {
    for (let attempt = this.#reopening.get(thread); attempt !== undefined; ) {
      await attempt;
      attempt = this.#reopening.get(thread);
    }
    const refusal = this.#refusals.get(thread);
    if (refusal !== undefined) throw refusal;
    return this.#threads[thread];
  }

  /** Recovers the shards of a thread that died, in a new thread, and connects every client to it. */
  async #reopen(thread: number, reason: string): Promise<void> {
    const shards = this.#shardsOf(thread);
    const startMs = performance.now();
    const deaths = this.#threads[thread].hasServed ? 1 : (this.#deaths.get(thread) ?? 0) + 1;
    this.#deaths.set(thread, deaths);
    const message = `The thread of the shards ${shards.join(', ')} ended: ${reason} They are recovered.`;
    const death = new OmenError('OMEN_SHARD_FAILED', message);
    for (const shard of shards) this.control.statuses.set(shard, 'recovering', death);
    this.#abortBatchesOf(shards);
    for (const face of this.#clients.values()) face.abandon(thread, reason);
    this.#notify({ notice: 'error', shards, code: death.code, message });
    if (deaths > DEATHS_MAX || this.#diesTooOften(thread)) {
      this.#refuse(thread, new Error(`Its thread ended again and again, last because: ${reason}`));
      return;
    }
    const next = this.#newThread(thread);
    this.#threads[thread] = next;
    try {
      const found = await next.open(this.#openShards(thread));
      const committed = await this.#committedOf(found);
      await next.secure();
      await next.start(committed);
      for (const shard of shards) this.control.table.settleDecided(shard);
      const introduced = new Set<ClientFace>();
      await this.#introduceAll(next, introduced);
      await next.serve();
      await this.#introduceAll(next, introduced);
      if (this.#threads[thread] !== next) return;
      // At once: whoever attaches from now on is not among those introduced.
      this.#reopening.delete(thread);
      this.#deaths.delete(thread);
      for (const shard of shards) {
        const recoveries = this.control.counter(shard, 'recoveries') + 1;
        this.control.setCounter(shard, 'recoveries', recoveries);
      }
      this.#notifyRepairs(found);
      this.#publishRecovery(shards, reason, startMs);
      const message = `The shards ${shards.join(', ')} serve again, in a new thread.`;
      this.#notify({ notice: 'resumed', shards, message });
    } catch (error) {
      // If it died, the next attempt is under way.
      if (this.#threads[thread] === next) this.#refuse(thread, error);
    }
  }

  #publishRecovery(shards: readonly number[], reason: string | null, startMs: number): void {
    publish('omendb:recovery', () => {
      const records = shards.map((shard) => this.control.counter(shard, 'recoveryRecords'));
      return {
        path: this.path,
        shards,
        reason,
        ms: performance.now() - startMs,
        records: records.reduce((sum, count) => sum + count, 0),
      };
    });
  }

  /** Also those that attach meanwhile, perhaps with the number of one that left meanwhile. */
  async #introduceAll(shards: ShardThread, introduced: Set<ClientFace>): Promise<void> {
    for (const [client, face] of this.#clients) {
      if (introduced.has(face)) continue;
      introduced.add(face);
      await this.#introduce(client, face, shards);
    }
  }

  /**
   * Writes down where shards begin: while the database is empty, and its one client writes nothing. False,
   * with nothing changed, where it is not certain that nobody else has written.
   * @throws what the storage throws; then nothing can be written any more unless it is a shortage
   */
  #repartition(partitioning: Partitioning): boolean {
    if (this.#hasUnknownWrites) return false;
    const identity = { ...this.identity, partitioning };
    try {
      writeIdentity(realStorage, this.path, identity);
    } catch (error) {
      // Which of the two is in force the next open will see: until then no row may go where it may not belong.
      if (!isShortage(error)) {
        const what = 'may begin at other keys than before: open the database again.';
        for (const thread of this.#threads.keys()) this.#refuse(thread, error, what);
      }
      throw error;
    }
    this.identity = identity;
    return true;
  }

  #refuse(thread: number, cause: unknown, what = 'could not be recovered:'): void {
    const text = cause instanceof Error ? cause.message : String(cause);
    const refusal = new OmenError(
      'OMEN_SHARD_FAILED',
      `The shards ${this.#shardsOf(thread).join(', ')} ${what} ${text} Reads go on.`,
      { cause },
    );
    this.#refusals.set(thread, refusal);
    const shards = this.#shardsOf(thread);
    for (const shard of shards) this.control.statuses.set(shard, 'failed', refusal);
    for (const face of this.#clients.values()) face.refuse(thread, refusal);
    const { code, message } = refusal;
    this.#notify({ notice: 'error', shards, code, message });
  }

  #notify(notice: Notice): void {
    for (const face of this.#clients.values()) face.notify(notice);
  }

  /** Tells what recovery mended. */
  #notifyRepairs(found: readonly RecoveredShard[]): void {
    for (const { shard, tail } of found) {
      const shards = [shard];
      const modelsRebuilt = this.control.counter(shard, 'modelsRebuilt');
      if (tail !== null) {
        const message =
          `The last group of the log of shard ${shard} was torn by a crash, and cut off: ${tail.path}, ` +
          `offset ${tail.offset}. Nothing of it was acknowledged.`;
        this.#notify({ notice: 'repaired', shards, code: 'OMEN_TAIL_CUT', message });
      }
      if (modelsRebuilt > 0) {
        const message =
          `${modelsRebuilt} learned indexes of shard ${shard} were missing or damaged, and were trained ` +
          'again. No row is lost; the disk may be failing.';
        this.#notify({ notice: 'repaired', shards, code: 'OMEN_MODEL_REBUILT', message });
      }
    }
  }

  /** Whether the thread died so often lately that whatever ends it will end the next one, too. */
  #diesTooOften(thread: number): boolean {
    const now = performance.now();
    const recent = (this.#deathTimes.get(thread) ?? []).filter((ms) => now - ms < DEATH_WINDOW_MS);
    this.#deathTimes.set(thread, [...recent, now]);
    return recent.length >= DEATHS_PER_WINDOW_MAX;
  }

  /** What the dead thread had not voted for, it cannot vouch for. */
  #abortBatchesOf(shards: readonly number[]): void {
    const { table } = this.control;
    for (const ticket of table.undecided()) {
      const isOpen = shards.some(
        (shard) => table.involves(ticket, shard) && !table.hasVoted(ticket, shard),
      );
      if (isOpen) table.abort(ticket);
    }
  }

  /** Outcomes of the parts that recovery found while other threads live: the table knows them. */
  async #committedOf(found: readonly RecoveredShard[]): Promise<string[]> {
    const { table } = this.control;
    const committed: string[] = [];
    const deadline = performance.now() + DECISION_WAIT_MS;
    for (const { batch, ticket } of found.flatMap(({ undecided }) => undecided)) {
      if (ticket === 0) {
        if (this.loads.decide(batch)) committed.push(batch);
        continue;
      }
      while (table.state(ticket) === UNDECIDED && performance.now() < deadline) {
        await new Promise((next) => setImmediate(next));
      }
      table.abort(ticket);
      if (table.state(ticket) === COMMITTED) committed.push(batch);
    }
    return committed;
  }

  async #onAll(call: (shards: ShardThread) => Promise<void>): Promise<void> {
    const threads = [...this.#threads.keys()];
    await Promise.all(threads.map(async (thread) => call(await this.#serving(thread))));
  }

  async flush(): Promise<void> {
    await this.#onAll((shards) => shards.flush());
  }

  async compact(): Promise<void> {
    await this.#onAll((shards) => shards.compact());
  }

  /** Names the database for `attach` in another thread of this process. */
  get handle(): { readonly databaseId: string; readonly threadId: number } {
    return { databaseId: this.identity.databaseId, threadId };
  }

  async close(): Promise<void> {
    for (const attempt of [...this.#reopening.values()]) await attempt;
    await this.loads.close();
    if (this.#isClosing) return;
    this.#isClosing = true;
    openHere.delete(this.identity.databaseId);
    for (const face of this.#clients.values()) face.close('The database was closed.');
    const outcomes = await Promise.allSettled(
      this.#threads.map((shards) =>
        this.#refusals.has(shards.thread) ? shards.terminate() : shards.close(),
      ),
    );
    // A client may have written after the threads had ended, before it heard of the closing.
    for (const face of this.#clients.values()) {
      for (const { thread } of this.#threads) face.abandon(thread, 'The database was closed.');
    }
    // Of loads that have not heard of the closing yet.
    if (!this.settings.readOnly) removeSpilled(realStorage, this.path);
    await this.#lock.release();
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}

/** A client of this same thread. */
export function faceOf(client: Client): ClientFace {
  return {
    connect: (connection) => client.connect(connection),
    abandon: (thread, reason) => client.writer.abandon(thread, reason),
    refuse: (thread, error) => client.writer.refuse(thread, error),
    notify: (notice) => client.events.notify(notice),
    close: (reason) => client.close(reason),
  };
}
