/**
 * The write side of a client: encodes operations, sends them to the shards that own the keys, in the
 * order they were made, and settles each one's promise.
 *
 * - One thread. What finds no room in a ring waits in `#backlog`; while anything waits there, later
 *   writes queue behind it, so that one client's writes keep their order.
 * - A batch across shards takes its ticket only when every part fits into its ring at once: other
 *   batches wait for the parts of a ticket once it is taken.
 * - While something is in flight, a ref'd timer keeps the process alive: waiting in shared memory
 *   does not.
 */
import { OmenError } from '../errors.ts';
import { Doorbell } from '../ring/doorbell.ts';
import { ExpiringRowEncoder, rowEncoderOf } from '../schema/expiring-row.ts';
import { KeyCodec, shardOfHash } from '../schema/key.ts';
import { storedBytes } from '../schema/key-bytes.ts';
import type { RowEncoder } from '../schema/row.ts';
import {
  IF_EQUALS,
  IF_EQUALS_UNTIL,
  INDEX_MAX,
  MESSAGE_BYTES_MAX,
  MESSAGE_HEADER_BYTES,
  REQUEST_RING_BYTES,
  WRITE_BATCH,
  WRITE_DEL,
  WRITE_PUT,
  WRITE_STAGE,
  WRITE_STAGED,
} from '../shard-worker/protocol.ts';
import {
  DEL,
  LOAD_MARK,
  OPERATION_BYTES,
  PUT,
  RANGE_DELETE,
  wordsOfLoad,
} from '../shard-worker/records.ts';
import type { Bound, KeyBounds } from '../view/bounds.ts';
import { encodeRange } from '../view/cleared.ts';
import { shardOf } from '../view/partition.ts';
import { BATCH, CLEAR, type ClientMeter, DEL as DELETE, PUT as STORE } from './client-meter.ts';
import { conditionType } from './condition.ts';
import {
  type ExpiryOptions,
  expiryOf,
  refuseExpiry,
  refuseWithoutTtl,
  saysExpiry,
} from './expiry.ts';
import { Link, type Settler } from './link.ts';
import type { Membership } from './membership.ts';

/** Writes that wait for room, beyond which they are rejected. */
const BACKLOG_MAX = 65_536;
const BACKLOG_BYTES_MAX = 64 * 2 ** 20;
const POLL_IN_FLIGHT = 4;
const POLL_MS = 0.5;
const TICKET_POLL_MS = 1;
const KEEP_ALIVE_MS = 2 ** 30;

interface Task {
  readonly bytes: number;
  /** True when wholly sent; false: there is no room yet. */
  attempt(): boolean;
  reject(error: OmenError): void;
}

/** The operations of a batch for one shard, encoded. */
interface Part {
  readonly shard: number;
  words: Uint32Array;
  bytes: number;
  operations: number;
}

/** A message on its way to a shard, and the link it was last begun on. */
interface Outgoing {
  readonly shard: number;
  readonly message: Uint8Array;
  at: Link | null;
}

/** A part of a batch that is sent ahead of its ticket. */
interface Staged extends Outgoing {
  isWhole: boolean;
}

/** A batch across shards that is under way. */
interface Batch extends Settler {
  readonly shards: readonly number[];
  ticket: number;
}

export class Writer {
  readonly #membership: Membership;
  readonly #meter: ClientMeter;
  readonly #key: KeyCodec;
  readonly #row: RowEncoder;
  /** The same, where rows may expire. */
  readonly #expiring: ExpiringRowEncoder | null;
  readonly #splits: readonly Bound[];
  readonly #doorbell: Doorbell;
  readonly #links: Link[] = [];
  readonly #batches = new Map<number, Batch>();
  #backlog: Task[] = [];
  #backlogBytes = 0;
  #waiters: (() => void)[] = [];
  #nextRequest = 1;
  #isListening = false;
  /** Whether what waits first is a batch that found the commit table full. */
  #awaitsTicket = false;
  /** Whether the process is kept alive. */
  #isHeld = false;
  /** When the writes in flight began, and how long the ones before took to be answered, all of them. */
  #listeningSince = 0;
  #latencyMs = 0;
  #keepAlive: NodeJS.Timeout | null = null;
  #closed: OmenError | null = null;

  constructor(membership: Membership, meter: ClientMeter) {
    this.#membership = membership;
    this.#meter = meter;
    const { control, client, schema, bigints } = membership;
    this.#key = new KeyCodec(schema.key, bigints);
    this.#row = rowEncoderOf(schema, () => control.nowMs);
    this.#expiring = this.#row instanceof ExpiringRowEncoder ? this.#row : null;
    this.#splits = membership.splits;
    this.#doorbell = new Doorbell(control.memory, control.clientDoorbellAt(client));
  }

  setLink(link: Link): void {
    this.#links[link.thread] = link;
    this.#pump();
  }

  /** A link for this writer. */
  newLink(thread: number, memory: ConstructorParameters<typeof Link>[1]): Link {
    return new Link(thread, memory, this.#membership.control, {
      batchDone: (request) => this.#settleBatch(request, null),
      batchFailed: (request, error) => this.#settleBatch(request, error),
      failed: (error, writes) => this.#meter.failed(error, writes),
    });
  }

  #settleBatch(request: number, error: OmenError | null): void {
    const batch = this.#batches.get(request);
    this.#batches.delete(request);
    if (batch === undefined) return;
    if (error === null) batch.resolve();
    else this.#reject(batch, error);
  }

  #reject(settler: Pick<Settler, 'reject'>, error: OmenError): void {
    this.#meter.failed(error);
    settler.reject(error);
  }

  get inFlight(): number {
    let sum = this.#batches.size + this.#backlog.length;
    for (const link of this.#links) sum += link.inFlight;
    return sum;
  }

  /** Resolves when writes find room again. */
  ready(): Promise<void> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    if (this.#backlog.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  put(key: unknown, row: unknown): Promise<void> {
    // As `#writing`, without a closure more.
    return new Promise((resolve, reject) => {
      this.#throwIfClosed();
      let settler: Settler = { resolve, reject };
      if (this.#meter.counted(STORE)) settler = this.#meter.timed(STORE, this, settler);
      try {
        this.#key.encode(key);
        const rowBytes = this.#keyBytes + this.#row.encode(row);
        this.#throwIfTooLarge(rowBytes);
        this.#write(WRITE_PUT, rowBytes, settler);
      } catch (error) {
        this.#meter.failed(error);
        throw error;
      }
    });
  }

  /** Counts a write, and what it is refused with at once. */
  #writing(kind: number, send: (settler: Settler) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#throwIfClosed();
      try {
        const settler = { resolve, reject };
        send(this.#meter.counted(kind) ? this.#meter.timed(kind, this, settler) : settler);
      } catch (error) {
        this.#meter.failed(error);
        throw error;
      }
    });
  }

  /** As `put`, of a row that expires when the options say, or else as the database does. */
  putUntil(key: unknown, row: unknown, options: ExpiryOptions): Promise<void> {
    return this.#writing(STORE, (settler) => {
      this.#key.encode(key);
      const rowBytes = this.#keyBytes + this.#encodeUntil(row, options);
      this.#throwIfTooLarge(rowBytes);
      this.#write(WRITE_PUT, rowBytes, settler);
    });
  }

  /** @throws OMEN_INVALID_EXPIRY, and as the row's encoder */
  #encodeUntil(row: unknown, options: ExpiryOptions): number {
    if (!saysExpiry(options)) return this.#row.encode(row);
    if (this.#expiring === null) refuseWithoutTtl();
    return this.#expiring.encodeUntil(row, expiryOf(options, this.#membership.control.nowMs));
  }

  del(key: unknown): Promise<void> {
    return this.#writing(DELETE, (settler) => {
      this.#key.encode(key);
      const keyBytes = this.#keyBytes;
      this.#throwIfTooLarge(keyBytes);
      this.#write(WRITE_DEL, keyBytes, settler);
    });
  }

  /** What the encoded key takes before its row. */
  get #keyBytes(): number {
    const { bytes } = this.#key;
    return bytes === null ? 0 : storedBytes(bytes.end - bytes.start);
  }

  #throwIfClosed(): void {
    if (this.#closed !== null) throw this.#closed;
  }

  /** A memtable has to hold the row, be it never so small. */
  #throwIfTooLarge(rowBytes: number): void {
    const { batchBytesMax } = this.#membership;
    if (rowBytes <= batchBytesMax) return;
    throw new OmenError(
      'OMEN_ROW_TOO_LARGE',
      `The row takes ${rowBytes} bytes; with this "memtable" the most is ${batchBytesMax}.`,
    );
  }

  #shardOfKey(): number {
    const { partitioning, shards } = this.#membership;
    if (partitioning.kind === 'hash') return shardOfHash(this.#key.hash(), shards);
    return shardOf(this.#splits, this.#key);
  }

  #linkOf(shard: number): Link {
    return this.#links[this.#membership.threadOf[shard]];
  }

  /** Sends the operation that stands in the codecs. */
  #write(op: number, rowBytes: number, settler: Settler): void {
    const shard = this.#shardOfKey();
    const link = this.#linkOf(shard);
    const bytes = MESSAGE_HEADER_BYTES + rowBytes;
    if (this.#backlog.length === 0 && link.hasPlace && bytes <= link.ring.maxFrameBytes) {
      const at = link.ring.reserve(bytes);
      if (at >= 0) {
        this.#fill(link.ring.u32, at >>> 2, op, shard, rowBytes);
        link.sent(settler);
        this.#listen();
        return;
      }
    }
    const message = new Uint8Array(Math.ceil(bytes / 8) * 8);
    this.#fill(new Uint32Array(message.buffer), 0, op, shard, rowBytes);
    this.#enqueue(this.#messageTask(shard, message, settler));
  }

  #fill(words: Uint32Array, at: number, op: number, shard: number, rowBytes: number): void {
    words[at] = op | (shard << 8);
    words[at + 1] = rowBytes;
    words[at + 2] = this.#key.lo;
    words[at + 3] = this.#key.hi;
    const { bytes } = this.#key;
    if (bytes === null) {
      copyWords(this.#row.views.u32, rowBytes, words, at + 4);
      return;
    }
    const keyBytes = this.#keyBytes;
    copyWords(bytes.stored, keyBytes, words, at + 4);
    copyWords(this.#row.views.u32, rowBytes - keyBytes, words, at + 4 + (keyBytes >>> 2));
  }

  /** A task that sends one message to a shard, in a frame or in chunks. */
  #messageTask(shard: number, message: Uint8Array, settler: Settler): Task {
    const outgoing: Outgoing = { shard, message, at: null };
    return {
      bytes: message.length,
      reject: (error) => settler.reject(error),
      attempt: () => {
        const { refusal } = this.#linkOf(shard);
        if (refusal === null) return this.#send(outgoing, settler);
        this.#reject(settler, refusal);
        return true;
      },
    };
  }

  /** Sends a message; false: there is no room yet, call again. One that was begun goes before others. */
  #send(outgoing: Outgoing, settler: Settler | null): boolean {
    const { shard, message } = outgoing;
    const link = this.#linkOf(shard);
    // Where its thread died it begins again, with the thread's successor.
    if (link.isGone || (outgoing.at !== link && !link.hasPlace)) return false;
    if (message.length > link.ring.maxFrameBytes) {
      outgoing.at = link;
      return link.sendChunks(message, settler);
    }
    const at = link.ring.reserve(message.length);
    if (at < 0) return false;
    outgoing.at = link;
    link.ring.u8.set(message, at);
    link.sent(settler);
    return true;
  }

  #enqueue(task: Task): void {
    const isOver =
      this.#backlog.length >= BACKLOG_MAX || this.#backlogBytes + task.bytes > BACKLOG_BYTES_MAX;
    // One that is too large alone still goes through an empty backlog.
    if (isOver && this.#backlog.length > 0) {
      const message = `${this.#backlog.length} writes wait for room. Await db.ready() before writing more.`;
      this.#reject(task, new OmenError('OMEN_BACKPRESSURE', message));
      return;
    }
    this.#backlog.push(task);
    this.#backlogBytes += task.bytes;
    this.#meter.waits(this.#backlog.length);
    this.#pump();
    this.#listen();
  }

  /** Sends what waits, in order, as far as there is room. */
  #pump(): void {
    this.#awaitsTicket = false;
    let sent = 0;
    while (sent < this.#backlog.length && this.#backlog[sent].attempt()) {
      this.#backlogBytes -= this.#backlog[sent].bytes;
      sent++;
    }
    if (sent === 0) return;
    this.#backlog = this.#backlog.slice(sent);
    this.#meter.moved(this.#backlog.length);
    if (this.#backlog.length > 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }

  /**
   * All operations or none, across shards.
   * @throws OMEN_INVALID_BATCH, OMEN_INVALID_CONDITION, OMEN_INVALID_EXPIRY, OMEN_ROW_TOO_LARGE, and what
   *   `put` throws: nothing is sent then
   * @param kind what it counts as
   */
  batch(operations: unknown, kind = BATCH): Promise<void> {
    return this.#writing(kind, (settler) => {
      const parts = this.#encodeParts(operations);
      if (kind === BATCH) this.#meter.batch((operations as unknown[]).length);
      if (parts.length === 0) settler.resolve();
      else if (parts.length === 1) this.#sendSingle(parts[0], settler);
      else this.#sendParts(parts, settler);
    });
  }

  #encodeParts(operations: unknown): Part[] {
    if (!Array.isArray(operations)) {
      throw new OmenError('OMEN_INVALID_BATCH', 'A batch is an array of operations.');
    }
    const parts = new Map<number, Part>();
    // In a message they come first: all are judged by what there is before the batch.
    for (const [i, operation] of operations.entries()) this.#addCondition(parts, i, operation);
    for (const [i, operation] of operations.entries()) {
      const type = operation?.type;
      if (type !== 'put' && type !== 'del') {
        throw new OmenError(
          'OMEN_INVALID_BATCH',
          `Operation ${i} has type ${JSON.stringify(type)}; use { type: 'put', key, value } or { type: 'del', key }.`,
        );
      }
      this.#key.encode(operation.key);
      let rowBytes = this.#keyBytes;
      if (type === 'put') rowBytes += this.#encodeUntil(operation.value, operation);
      else if (saysExpiry(operation)) refuseExpiry('A del');
      this.#addOperation(parts, type === 'put' ? PUT : DEL, rowBytes);
    }
    return [...parts.values()].sort((a, b) => a.shard - b.shard);
  }

  #addCondition(parts: Map<number, Part>, index: number, operation: unknown): void {
    if (typeof operation !== 'object' || operation === null || !('if' in operation)) return;
    const condition = operation.if;
    const type = conditionType(condition);
    if (type === null) return;
    this.#key.encode('key' in operation ? operation.key : undefined);
    let rowBytes = this.#keyBytes;
    if (type === IF_EQUALS || type === IF_EQUALS_UNTIL) {
      const { equals, expiresAt } = condition as { equals: unknown; expiresAt?: Date | null };
      rowBytes += this.#encodeUntil(equals, { expiresAt });
    }
    this.#addOperation(parts, type | (Math.min(index, INDEX_MAX) << 8), rowBytes);
  }

  /**
   * Deletes every key within the bounds, in all shards at one instant.
   * @param shards those that may have such keys
   */
  clear(bounds: KeyBounds, shards: readonly number[]): Promise<void> {
    const [lo, hi, ...rest] = encodeRange(bounds, this.#membership.schema.key);
    return this.#writing(CLEAR, (settler) =>
      this.#sendBoundary([RANGE_DELETE, 4 * rest.length, lo, hi, ...rest], shards, settler),
    );
  }

  /** Marks in all shards, at one instant, which writes are older than the load and which are newer. */
  markLoad(name: string): Promise<void> {
    const { hi, lo } = wordsOfLoad(name);
    const shards = Array.from({ length: this.#membership.shards }, (_, shard) => shard);
    return new Promise((resolve, reject) => {
      this.#throwIfClosed();
      this.#sendBoundary([LOAD_MARK, 0, lo, hi], shards, { resolve, reject });
    });
  }

  /** Sends one operation that is older or newer than any other as a whole to several shards. */
  #sendBoundary(operation: readonly number[], shards: readonly number[], settler: Settler): void {
    const payload = operation[1];
    this.#throwIfTooLarge(payload);
    const header = MESSAGE_HEADER_BYTES / 4;
    const parts = shards.map((shard): Part => {
      const words = Uint32Array.of(0, 0, 0, 0, ...operation, 0);
      return { shard, words, bytes: 4 * (header + 4) + ((payload + 7) & ~7), operations: 1 };
    });
    // With a ticket, also where it is one shard's: in the order of tickets, it waits for batches in turn.
    if (this.#membership.shards === 1) this.#sendSingle(parts[0], settler);
    else this.#sendParts(parts, settler);
  }

  #addOperation(parts: Map<number, Part>, type: number, rowBytes: number): void {
    const shard = this.#shardOfKey();
    let part = parts.get(shard);
    if (part === undefined) {
      part = { shard, words: new Uint32Array(1024), bytes: MESSAGE_HEADER_BYTES, operations: 0 };
      parts.set(shard, part);
    }
    const bytes = OPERATION_BYTES + ((rowBytes + 7) & ~7);
    const { operationsMax, batchBytesMax } = this.#membership;
    if (
      part.bytes + bytes > Math.min(MESSAGE_BYTES_MAX, batchBytesMax) ||
      part.operations >= operationsMax
    ) {
      throw new OmenError(
        'OMEN_ROW_TOO_LARGE',
        `The batch is too large for shard ${shard}: at most ${operationsMax} operations and ` +
          `${Math.min(MESSAGE_BYTES_MAX, batchBytesMax)} bytes. Split it.`,
      );
    }
    if (part.bytes + bytes > 4 * part.words.length) {
      const grown = new Uint32Array(2 ** Math.ceil(Math.log2((part.bytes + bytes) / 4)));
      grown.set(part.words.subarray(0, part.bytes >>> 2));
      part.words = grown;
    }
    this.#fill(part.words, part.bytes >>> 2, type, 0, rowBytes);
    part.bytes += bytes;
    part.operations++;
  }

  #sendSingle(part: Part, settler: Settler): void {
    const { words, bytes, shard, operations } = part;
    words[0] = WRITE_BATCH | (shard << 8);
    words[1] = operations;
    words[2] = 0;
    words[3] = 0;
    const message = new Uint8Array(words.buffer, 0, bytes);
    const task = this.#messageTask(shard, message, settler);
    if (this.#backlog.length > 0 || !task.attempt()) this.#enqueue(task);
    else this.#listen();
  }

  /**
   * A batch across shards. Parts that may not all fit into a ring at once are staged at their shards
   * first, so that the messages that carry the ticket are small.
   */
  #sendParts(parts: readonly Part[], settler: Settler): void {
    const request = this.#nextRequest++ >>> 0;
    const frameMax = REQUEST_RING_BYTES / (8 * parts.length);
    const staged = new Map<Part, Staged>();
    for (const part of parts) {
      const { words, bytes, shard, operations } = part;
      if (bytes <= frameMax) continue;
      words[0] = WRITE_STAGE | (shard << 8);
      words[1] = operations;
      words[2] = 0;
      words[3] = request;
      const message = new Uint8Array(words.buffer, 0, bytes);
      staged.set(part, { shard, message, at: null, isWhole: false });
    }
    const batch = { ...settler, shards: parts.map(({ shard }) => shard), ticket: 0 };
    const task: Task = {
      bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
      reject: settler.reject,
      attempt: () => this.#attemptParts(parts, staged, request, batch),
    };
    if (this.#backlog.length > 0 || !task.attempt()) this.#enqueue(task);
    else this.#listen();
  }

  /** Sends the large parts ahead; false: there is no room yet. */
  #stage(staged: Iterable<Staged>): boolean {
    for (const part of staged) {
      // A shard thread that died has taken with it what was staged there.
      if (part.isWhole && part.at === this.#linkOf(part.shard)) continue;
      part.isWhole = false;
      if (!this.#send(part, null)) return false;
      part.isWhole = true;
    }
    return true;
  }

  #attemptParts(
    parts: readonly Part[],
    staged: ReadonlyMap<Part, Staged>,
    request: number,
    batch: Batch,
  ): boolean {
    const { control, client } = this.#membership;
    const links = parts.map(({ shard }) => this.#linkOf(shard));
    const refusal = links.find((link) => link.refusal !== null)?.refusal;
    if (refusal) {
      this.#reject(batch, refusal);
      return true;
    }
    if (!this.#stage(staged.values())) return false;
    const needed = new Map<Link, number>();
    parts.forEach((part, i) => {
      // Twice, and a header: a frame may be preceded by a pad of nearly its own length.
      const bytes = 2 * (staged.has(part) ? MESSAGE_HEADER_BYTES : part.bytes) + 64;
      needed.set(links[i], (needed.get(links[i]) ?? 0) + bytes);
    });
    for (const [link, bytes] of needed) {
      if (!link.hasPlaces(parts.length) || link.ring.freeBytes() < bytes) return false;
    }
    const ticket = control.table.take(batch.shards, client, request);
    if (ticket === 0) {
      const failure = this.#failedShard();
      if (failure === null) this.#awaitsTicket = true;
      else this.#reject(batch, failure);
      return failure !== null;
    }
    batch.ticket = ticket;
    this.#batches.set(request, batch);
    parts.forEach((part, i) => {
      const { words, shard, operations } = part;
      const isStaged = staged.has(part);
      words[0] = (isStaged ? WRITE_STAGED : WRITE_BATCH) | (shard << 8);
      words[1] = operations;
      words[2] = ticket;
      words[3] = request;
      const wordCount = (isStaged ? MESSAGE_HEADER_BYTES : part.bytes) >>> 2;
      const at = links[i].ring.reserve(4 * wordCount) >>> 2;
      links[i].ring.u32.set(words.subarray(0, wordCount), at);
      links[i].sent(null);
    });
    return true;
  }

  /**
   * A shard that has failed says of no batch any more that its outcome is durable there: once slots are used
   * up, none becomes free.
   */
  #failedShard(): OmenError | null {
    const { control, shards } = this.#membership;
    for (let shard = 0; shard < shards; shard++) {
      if (control.statuses.state(shard) !== 'failed') continue;
      const why = control.statuses.get(shard).error?.message ?? `Shard ${shard} failed.`;
      const message = `${why} No batch over several shards is taken until then.`;
      return new OmenError('OMEN_SHARD_FAILED', message);
    }
    return null;
  }

  /** Waits, without blocking the thread, for whatever is in flight. */
  #listen(): void {
    // Also where it listens already: what was in flight may have been abandoned meanwhile.
    if (!this.#isHeld) {
      this.#isHeld = true;
      this.#keepAlive ??= setInterval(() => {}, KEEP_ALIVE_MS);
      this.#keepAlive.ref();
    }
    if (this.#isListening) return;
    this.#isListening = true;
    this.#listeningSince = performance.now();
    this.#wait();
  }

  #wait(): void {
    const seen = this.#doorbell.read();
    this.receive();
    if (this.inFlight === 0) {
      this.#latencyMs = performance.now() - this.#listeningSince;
      this.#isListening = false;
      this.#letGo();
      return;
    }
    if (this.#mayPoll()) {
      setImmediate(() => this.#wait());
      return;
    }
    if (this.#awaitsTicket) {
      // A slot becomes free when its decision is durable with the last shard, of which nobody is told.
      setTimeout(() => this.#wait(), TICKET_POLL_MS);
      return;
    }
    const rung = this.#doorbell.sleepAsync(seen);
    if (rung === undefined) setImmediate(() => this.#wait());
    else rung.then(() => this.#wait());
  }

  /**
   * Being woken takes half as long as a sync does. So while a few writes are in flight, and the last
   * ones were answered within POLL_MS, the event loop turns for that long instead of sleeping.
   */
  #mayPoll(): boolean {
    return (
      this.inFlight <= POLL_IN_FLIGHT &&
      this.#latencyMs < POLL_MS &&
      performance.now() - this.#listeningSince < POLL_MS
    );
  }

  /** Nothing is in flight: the thread may end. */
  #letGo(): void {
    this.#isHeld = false;
    if (this.#keepAlive === null) return;
    if (this.#closed === null) this.#keepAlive.unref();
    else clearInterval(this.#keepAlive);
  }

  /** Settles what has been answered, then sends what waited for room. */
  receive(): void {
    for (const link of this.#links) link?.receive();
    if (this.#backlog.length > 0) this.#pump();
  }

  /** The thread is gone: what it had not answered has an unknown outcome. */
  abandon(thread: number, reason: string): void {
    this.#links[thread]?.abandon(reason);
    for (const [request, batch] of this.#batches) {
      if (!this.#abandonBatch(batch, thread)) continue;
      this.#batches.delete(request);
      const message = `A shard thread of the batch ended: ${reason}`;
      this.#reject(batch, new OmenError('OMEN_OUTCOME_UNKNOWN', message));
    }
    if (this.inFlight === 0) this.#letGo();
  }

  /**
   * Whether the thread has a part of the batch. That part may have been sent after the thread's death,
   * when the supervisor had looked through the open batches: nobody else would ever abort it.
   */
  #abandonBatch({ shards, ticket }: Batch, thread: number): boolean {
    const { threadOf, control } = this.#membership;
    const theirs = shards.filter((shard) => threadOf[shard] === thread);
    if (theirs.length === 0) return false;
    const isSent = theirs.every((shard) => control.table.hasVoted(ticket, shard));
    if (!isSent) control.table.abort(ticket);
    return true;
  }

  /** Every shard thread is gone, and none comes back. */
  abandonAll(reason: string): void {
    for (const link of this.#links) if (link !== undefined) this.abandon(link.thread, reason);
  }

  /** The thread did not come back: writes to its shards are refused. */
  refuse(thread: number, error: OmenError): void {
    const link = this.#links[thread];
    if (link === undefined) return;
    link.refuse(error);
    this.#pump();
  }

  /** Refuses everything from now on; what waits is rejected, what was sent is still answered. */
  close(error: OmenError): void {
    this.#closed = error;
    for (const task of this.#backlog) this.#reject(task, error);
    if (this.#backlog.length > 0) this.#meter.moved(0);
    this.#backlog = [];
    for (const resolve of this.#waiters) resolve();
    this.#waiters = [];
    if (this.inFlight === 0) this.#letGo();
  }

  /** Resolves when nothing is in flight. */
  async drained(): Promise<void> {
    while (this.inFlight > 0) {
      this.#listen();
      await new Promise((resolve) => setImmediate(resolve));
      this.receive();
    }
  }
}

function copyWords(from: Uint32Array, bytes: number, to: Uint32Array, at: number): void {
  const words = (bytes + 3) >>> 2;
  if (words > 64) {
    to.set(from.subarray(0, words), at);
    return;
  }
  for (let i = 0; i < words; i++) to[at + i] = from[i];
}
