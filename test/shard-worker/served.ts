/**
 * A host that serves two shards in this very thread, over a storage that fails on request, with clients that
 * put messages into their rings by hand. The host's loop runs whenever the test waits.
 */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import type { ExecutionContext } from 'ava';
import { Link } from '../../src/coordinator/link.ts';
import type { OmenError } from '../../src/errors.ts';
import { Doorbell } from '../../src/ring/doorbell.ts';
import { createRing } from '../../src/ring/ring.ts';
import { hashKey, KeyCodec } from '../../src/schema/key.ts';
import { RowEncoder } from '../../src/schema/row.ts';
import { Engine, type EngineOptions } from '../../src/shard-worker/engine.ts';
import { type Durability, Host } from '../../src/shard-worker/host.ts';
import { runJob } from '../../src/shard-worker/jobs.ts';
import type { Notice } from '../../src/shard-worker/notice.ts';
import {
  COMPLETED,
  IF_ABSENT,
  IF_EQUALS,
  IF_PRESENT,
  MESSAGE_HEADER_BYTES,
  REQUEST_RING_BYTES,
  RESPONSE_RING_BYTES,
  WRITE_BATCH,
  WRITE_DEL,
  WRITE_PUT,
  WRITE_STAGE,
  WRITE_STAGED,
} from '../../src/shard-worker/protocol.ts';
import {
  DEL,
  LOAD_MARK,
  OPERATION_BYTES,
  PUT,
  RANGE_DELETE,
  wordsOfLoad,
} from '../../src/shard-worker/records.ts';
import { boundsOf } from '../../src/view/bounds.ts';
import { encodeRange } from '../../src/view/cleared.ts';
import { Control, createControl } from '../../src/view/control.ts';
import { compileReaders, ShardView } from '../../src/view/shard-view.ts';
import { DATABASE_ID, directoryOf, emptyDisk, SCHEMA } from './shards.ts';

const READERS = compileReaders(SCHEMA, false);
const key = new KeyCodec('int64', false);
const row = new RowEncoder(SCHEMA);
const SHARDS = 2;
const TURNS_MAX = 20_000;

/** What became of a message or a batch: undefined while nobody knows. */
export type Outcome = { readonly error: OmenError | null };

/**
 * One operation: a stamp to put, or null to delete. `if` makes it depend on a stamp that has to be
 * there, on none (null), or on any ('any').
 */
export type Operation = readonly [
  at: number,
  stamp: number | null,
  condition?: { readonly if: number | null | 'any' },
];

function pushOperation(words: number[], type: number, at: number, stamp: number | null): void {
  key.encode(at);
  const rowBytes = stamp === null ? 0 : row.encode({ stamp });
  words.push(type, rowBytes, key.lo, key.hi);
  words.push(...row.views.u32.subarray(0, 2 * Math.ceil(rowBytes / 8)));
}

function encodeOperations(operations: readonly Operation[]): Uint32Array {
  const words: number[] = [0, 0, 0, 0];
  operations.forEach(([at, , condition], i) => {
    if (condition === undefined) return;
    const { if: wanted } = condition;
    const type = wanted === null ? IF_ABSENT : wanted === 'any' ? IF_PRESENT : IF_EQUALS;
    pushOperation(words, type | (i << 8), at, wanted === 'any' ? null : wanted);
  });
  for (const [at, stamp] of operations) {
    pushOperation(words, stamp === null ? DEL : PUT, at, stamp);
  }
  assert.equal(OPERATION_BYTES, MESSAGE_HEADER_BYTES);
  return Uint32Array.from(words);
}

/** How many operations a message with these has: conditions count, too. */
function countOf(operations: readonly Operation[]): number {
  return operations.length + operations.filter(([, , condition]) => condition).length;
}

export class TestClient {
  readonly number: number;
  readonly link: Link;
  readonly batches = new Map<number, Outcome>();
  readonly #channel = new MessageChannel();
  #request = 0;

  constructor(served: Served, number: number, completed: number) {
    this.number = number;
    const memory = {
      requests: createRing(REQUEST_RING_BYTES),
      responses: createRing(RESPONSE_RING_BYTES),
      completed: new SharedArrayBuffer(128),
    };
    new Int32Array(memory.completed)[COMPLETED] = completed;
    this.link = new Link(0, memory, served.control, {
      batchDone: (request) => this.batches.set(request, { error: null }),
      batchFailed: (request, error) => this.batches.set(request, { error }),
      failed() {},
    });
    served.host.addClient({ client: number, memory, views: this.#channel.port1 });
  }

  /** The number under which the client hears of its next batch. */
  newRequest(): number {
    return ++this.#request;
  }

  put(shard: number, at: number, stamp: number): { outcome?: Outcome } {
    const words = encodeOperations([[at, stamp]]).subarray(MESSAGE_HEADER_BYTES / 4);
    words[0] = WRITE_PUT | (shard << 8);
    return this.#send(words);
  }

  del(shard: number, at: number): { outcome?: Outcome } {
    key.encode(at);
    return this.#send(Uint32Array.of(WRITE_DEL | (shard << 8), 0, key.lo, key.hi));
  }

  /** A part of a batch across shards, or with ticket 0 a batch within one. */
  batch(
    shard: number,
    ticket: number,
    request: number,
    operations: readonly Operation[],
  ): { outcome?: Outcome } {
    const words = encodeOperations(operations);
    words.set([WRITE_BATCH | (shard << 8), countOf(operations), ticket, request]);
    return this.#send(words);
  }

  /** A part of a batch, or with ticket 0 a batch within one shard, that clears a range of keys. */
  clear(
    shard: number,
    ticket: number,
    request: number,
    from: number,
    to: number,
  ): { outcome?: Outcome } {
    const [first, last] = [from, to].map((at) => {
      key.encode(at);
      return { hi: key.hi, lo: key.lo, bytes: null };
    });
    const [lo, hi, ...rest] = encodeRange(boundsOf(first, last, false, false), 'int64');
    const operation = [RANGE_DELETE, 4 * rest.length, lo, hi, ...rest];
    return this.#send(Uint32Array.of(WRITE_BATCH | (shard << 8), 1, ticket, request, ...operation));
  }

  /** The mark of a load, in a batch within one shard. */
  mark(shard: number, name: string): { outcome?: Outcome } {
    const { hi, lo } = wordsOfLoad(name);
    return this.#send(Uint32Array.of(WRITE_BATCH | (shard << 8), 1, 0, 0, LOAD_MARK, 0, lo, hi));
  }

  stage(shard: number, request: number, operations: readonly Operation[]): { outcome?: Outcome } {
    const words = encodeOperations(operations);
    words.set([WRITE_STAGE | (shard << 8), countOf(operations), 0, request]);
    return this.#send(words);
  }

  staged(shard: number, ticket: number, request: number, count: number): { outcome?: Outcome } {
    return this.#send(Uint32Array.of(WRITE_STAGED | (shard << 8), count, ticket, request));
  }

  #send(words: Uint32Array): { outcome?: Outcome } {
    const sent: { outcome?: Outcome } = {};
    const settler = {
      resolve: () => {
        sent.outcome = { error: null };
      },
      reject: (error: OmenError) => {
        sent.outcome = { error };
      },
    };
    const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    if (bytes.length > this.link.ring.maxFrameBytes) {
      assert(this.link.sendChunks(bytes, settler), 'the message fits into the ring');
      return sent;
    }
    const at = this.link.ring.reserve(bytes.length);
    assert(at >= 0, 'the message fits into the ring');
    this.link.ring.u8.set(bytes, at);
    this.link.sent(settler);
    return sent;
  }

  closePort(): void {
    this.#channel.port2.close();
  }
}

export class Served {
  readonly control = new Control(createControl());
  readonly storage = emptyDisk(SHARDS);
  readonly engines: Engine[] = [];
  readonly host: Host;
  readonly clients: TestClient[] = [];
  /** What the engines told of the background. */
  readonly notices: Notice[] = [];
  #running: Promise<void> | null = null;

  private constructor(durability: Durability) {
    this.host = new Host(this.control, 0, durability);
    // A request that is never answered: the loop lets this thread's event loop turn each time.
    this.control.addRequest(0);
  }

  static async open(
    t: ExecutionContext,
    options: Partial<EngineOptions> & { readonly durability?: Durability } = {},
  ): Promise<Served> {
    const served = new Served(options.durability ?? 'sync');
    const { storage, control, host } = served;
    for (let shard = 0; shard < SHARDS; shard++) {
      const { engine } = await Engine.open({
        storage,
        directory: directoryOf(shard),
        shard,
        schema: SCHEMA,
        databaseId: DATABASE_ID,
        epoch: { lo: 1, hi: 1 },
        control,
        memtableShape: { entriesMax: 64, arenaBytes: 64 * 1024 },
        memoryBytes: 2 ** 30,
        readOnly: false,
        walPieceBytes: 16 * 1024,
        runJob: async (job) => runJob(storage, job),
        onView: (view) => host.postView(view),
        onNotice: (notice) => served.notices.push(notice),
        clients: () => host.clients(),
        ...options,
      });
      host.addEngine(engine);
      engine.secure();
      engine.start(new Set());
      served.engines.push(engine);
    }
    for (const engine of served.engines) engine.serve();
    t.teardown(() => served.stop());
    return served;
  }

  /** @param completed how many messages it is to have sent before */
  client(completed = 0): TestClient {
    const client = new TestClient(this, this.clients.length, completed);
    this.clients.push(client);
    return client;
  }

  /** Lets the host work until `isDone`; fails after many turns without. */
  async until(what: string, isDone: () => boolean): Promise<void> {
    for (let turns = 0; turns < TURNS_MAX; turns++) {
      if (isDone()) return;
      await this.#step();
    }
    throw new Error(`The host goes round and round, but never: ${what}`);
  }

  /** Lets the host go round so often that whatever can happen has happened. */
  async settled(): Promise<void> {
    for (let turns = 0; turns < 30; turns++) await this.#step();
  }

  async #step(): Promise<void> {
    this.#running ??= this.host.run();
    new Doorbell(this.control.memory, this.control.threadDoorbellAt(0)).ring();
    await turn();
    for (const client of this.clients) client.link.receive();
  }

  get(shard: number, at: number): number | undefined {
    key.encode(at);
    const view = new ShardView(this.engines[shard].view, READERS, this.control.table, null);
    const found = view.get(hashKey(key.hi, key.lo), key.hi, key.lo, key.number);
    return (found as { stamp: number } | undefined)?.stamp;
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.closePort();
    this.host.stop();
    new Doorbell(this.control.memory, this.control.threadDoorbellAt(0)).ring();
    await this.#running;
  }
}
