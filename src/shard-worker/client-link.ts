/**
 * The shard thread's end of its link to one client: requests come in, completions and responses go
 * out. Owned by the shard thread.
 */
import assert from 'node:assert';
import type { MessagePort } from 'node:worker_threads';
import { codeNumber, type OmenError } from '../errors.ts';
import { ChunkReceiver } from '../ring/chunks.ts';
import { Doorbell } from '../ring/doorbell.ts';
import { FRAME_WHOLE, RingConsumer, RingProducer } from '../ring/ring.ts';
import { SHARDS_MAX } from '../view/commit-table.ts';
import type { Control } from '../view/control.ts';
import {
  BATCH_DONE,
  BATCH_FAILED,
  COMPLETED,
  DEFERRED,
  DONE,
  encodeText,
  FAILED,
  type LinkMemory,
  MESSAGE_BYTES_MAX,
  RESPONSE_HEADER_BYTES,
  WRITE_BATCH,
} from './protocol.ts';

/** A client as the coordinator introduces it to a shard thread. */
export interface ClientIntroduction {
  readonly client: number;
  readonly memory: LinkMemory;
  /** Views go out through it; its closing is the client's death. */
  readonly views: MessagePort;
}

/** A message as words at an index: in the ring, or in a buffer of its own. */
export interface Message {
  words: Uint32Array;
  at: number;
}

/** A batch may have a part staged at each shard of this thread. */
function stagedUnder(head: number, request: number): number {
  return request * SHARDS_MAX + (head >>> 8);
}

export class ClientLink {
  readonly client: number;
  readonly views: MessagePort;
  /** The sequence number of the next message to be taken up; it counts without end. */
  taken: number;
  /** A message that has to wait until its shard has room; nothing behind it is taken up. */
  held: Message | null = null;
  readonly #ring: RingConsumer;
  readonly #chunks: ChunkReceiver;
  readonly #responses: RingProducer;
  readonly #completed: Int32Array;
  readonly #doorbell: Doorbell;
  readonly #control: Control;
  readonly #watchers: Doorbell;
  readonly #message: Message;
  readonly #staged = new Map<number, Uint32Array>();
  #hasConsumed = false;
  #hasNews = false;

  constructor({ client, memory, views }: ClientIntroduction, control: Control) {
    this.client = client;
    this.views = views;
    this.#ring = new RingConsumer(memory.requests);
    this.#chunks = new ChunkReceiver(this.#ring, MESSAGE_BYTES_MAX);
    this.#responses = new RingProducer(memory.responses);
    this.#completed = new Int32Array(memory.completed);
    this.taken = this.#completed[COMPLETED] >>> 0;
    this.#doorbell = new Doorbell(control.memory, control.clientDoorbellAt(client));
    this.#control = control;
    this.#watchers = new Doorbell(control.memory, control.logs.doorbellAt(client));
    this.#message = { words: this.#ring.u32, at: 0 };
  }

  /** The next message, valid until `release`, or null when there is none now. */
  next(): Message | null {
    for (;;) {
      const length = this.#ring.next();
      if (length < 0) return null;
      this.#hasConsumed = true;
      if (this.#ring.kind === FRAME_WHOLE) {
        this.#message.at = this.#ring.offset >>> 2;
        return this.#message;
      }
      const whole = this.#chunks.accept(length);
      if (whole !== undefined) return { words: new Uint32Array(whole.buffer), at: 0 };
    }
  }

  /** Keeps a message, copied out of the ring, until its shard has room for it. */
  hold(message: Message, words: number): void {
    const copy = message.words.slice(message.at, message.at + words);
    this.held = { words: copy, at: 0 };
  }

  /** Keeps the operations of a batch's part until the message with its ticket comes. */
  stage(message: Message, words: number): void {
    const copy = message.words.slice(message.at, message.at + words);
    this.#staged.set(stagedUnder(copy[0], copy[3]), copy);
  }

  /** The part that `message` refers to, with the ticket that it brings, as a WRITE_BATCH. */
  unstage(message: Message): Message {
    const [head, operations, ticket, request] = message.words.subarray(message.at, message.at + 4);
    const number = stagedUnder(head, request);
    const words = this.#staged.get(number);
    assert.ok(words !== undefined, 'a part is staged before its ticket comes');
    this.#staged.delete(number);
    words.set([(head & ~0xff) | WRITE_BATCH, operations, ticket, request]);
    return { words, at: 0 };
  }

  /**
   * Gives back the room of what was taken from the ring. Returns whether there was any: then the ring
   * has to be looked at once more before sleeping, as the client may have put more in without ringing.
   */
  release(): boolean {
    const hasConsumed = this.#hasConsumed;
    this.#hasConsumed = false;
    this.#ring.release();
    // A chunk completes no message, yet whoever sends the others may be waiting for its room.
    if (hasConsumed) this.#hasNews = true;
    return hasConsumed;
  }

  #respond(kind: number, number: number, error: OmenError | null): void {
    const text = error === null ? null : encodeText(error.message);
    const at = this.#responses.reserve(RESPONSE_HEADER_BYTES + (text?.length ?? 0));
    assert.ok(at >= 0, 'a response always finds room');
    const word = at >>> 2;
    this.#responses.u32[word] = kind;
    this.#responses.u32[word + 1] = number;
    this.#responses.u32[word + 2] = error === null ? 0 : codeNumber(error.code);
    this.#responses.u32[word + 3] = text?.length ?? 0;
    if (text !== null) this.#responses.u8.set(text, at + RESPONSE_HEADER_BYTES);
    this.#responses.publish();
    this.#hasNews = true;
  }

  fail(sequence: number, error: OmenError): void {
    this.#respond(FAILED, sequence, error);
  }

  defer(sequence: number): void {
    this.#respond(DEFERRED, sequence, null);
  }

  done(sequence: number): void {
    this.#respond(DONE, sequence, null);
  }

  batchDone(request: number): void {
    this.#respond(BATCH_DONE, request, null);
  }

  batchFailed(request: number, error: OmenError): void {
    this.#respond(BATCH_FAILED, request, error);
  }

  /** Completes every message taken up so far, and wakes the client if that is news. */
  complete(): void {
    if (Atomics.load(this.#completed, COMPLETED) !== (this.taken | 0)) {
      Atomics.store(this.#completed, COMPLETED, this.taken);
      this.#hasNews = true;
    }
    if (!this.#hasNews) return;
    this.#hasNews = false;
    this.#doorbell.ring();
  }

  /** Rings for those of the client who follow the logs. */
  wakeWatchers(): void {
    if (this.#control.logs.isWatching(this.client)) this.#watchers.ring();
  }
}
