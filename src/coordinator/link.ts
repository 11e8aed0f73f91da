/**
 * A client's end of its link to one shard thread: messages go out, completions and responses come in.
 * Owned by the client's thread.
 *
 * A message is counted from the moment it is wholly in the ring. What it settles waits in `#waiting`,
 * a circular array over sequence numbers; messages are completed in order, all at once, and only what
 * failed or was deferred has a response of its own, read before the completion that covers it.
 */
import { codeOf, OmenError } from '../errors.ts';
import { ChunkSender } from '../ring/chunks.ts';
import { Doorbell } from '../ring/doorbell.ts';
import { RingConsumer, RingProducer } from '../ring/ring.ts';
import {
  BATCH_DONE,
  BATCH_FAILED,
  COMPLETED,
  DEFERRED,
  DONE,
  FAILED,
  IN_FLIGHT_MAX,
  type LinkMemory,
  MESSAGE_BYTES_MAX,
  RESPONSE_HEADER_BYTES,
} from '../shard-worker/protocol.ts';
import type { Control } from '../view/control.ts';

/** Told once how a write ended. */
export interface Settler {
  resolve(): void;
  reject(error: OmenError): void;
}

/** What a link tells its writer, besides what it settles. */
export interface LinkOutcomes {
  batchDone(request: number): void;
  batchFailed(request: number, error: OmenError): void;
  /** So many writes are rejected with this. */
  failed(error: OmenError, writes: number): void;
}

const decoder = new TextDecoder();

export class Link {
  readonly thread: number;
  readonly ring: RingProducer;
  readonly #chunks: ChunkSender;
  readonly #responses: RingConsumer;
  readonly #completed: Int32Array;
  readonly #doorbell: Doorbell;
  readonly #outcomes: LinkOutcomes;
  readonly #waiting = new Array<Settler | null>(IN_FLIGHT_MAX).fill(null);
  /** By sequence numbers as responses have them: 32 bits. */
  readonly #failures = new Map<number, OmenError>();
  readonly #deferred = new Map<number, Settler | null>();
  /** The sequence numbers of the next message to be sent, and to be completed; both count without end. */
  #sent: number;
  #done: number;
  /** The thread ended; until another link takes this one's place, nothing can be sent. */
  #isGone = false;
  /** Why writes are refused: the thread did not come back. */
  refusal: OmenError | null = null;

  constructor(thread: number, memory: LinkMemory, control: Control, outcomes: LinkOutcomes) {
    this.thread = thread;
    this.ring = new RingProducer(memory.requests);
    this.#chunks = new ChunkSender(this.ring, MESSAGE_BYTES_MAX);
    this.#responses = new RingConsumer(memory.responses);
    this.#completed = new Int32Array(memory.completed);
    this.#sent = this.#completed[COMPLETED] >>> 0;
    this.#done = this.#sent;
    this.#doorbell = new Doorbell(control.memory, control.threadDoorbellAt(thread));
    this.#outcomes = outcomes;
  }

  /** Messages that are not settled. */
  get inFlight(): number {
    return this.#sent - this.#done + this.#deferred.size;
  }

  /** Whether the thread ended. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Whether another message may be under way. */
  get hasPlace(): boolean {
    return !this.#isGone && this.inFlight < IN_FLIGHT_MAX;
  }

  /** Whether `count` more messages may be under way. */
  hasPlaces(count: number): boolean {
    return !this.#isGone && this.inFlight + count <= IN_FLIGHT_MAX;
  }

  /** Nothing more is sent, also where the thread lives. */
  refuse(error: OmenError): void {
    this.refusal = error;
    this.#isGone = true;
  }

  /** Counts the message just put into the ring, publishes it and wakes the thread. */
  sent(settler: Settler | null): void {
    this.#waiting[this.#sent % IN_FLIGHT_MAX] = settler;
    this.#sent++;
    if (this.ring.publish()) this.#doorbell.ring();
  }

  /**
   * Sends a message larger than a frame, as far as there is room; false: call again with the same, or give
   * it up.
   */
  sendChunks(message: Uint8Array, settler: Settler | null): boolean {
    const isSent = this.#chunks.send(message);
    if (isSent) this.sent(settler);
    this.#doorbell.ring();
    return isSent;
  }

  /** Settles what has been completed since. Returns how many messages. */
  receive(): number {
    // Before the responses: those of a completed message were put there before it was completed.
    const completed = Atomics.load(this.#completed, COMPLETED);
    this.#receiveResponses();
    const count = (completed - this.#done) | 0;
    for (let i = 0; i < count; i++) this.#complete(this.#done++);
    return count;
  }

  #complete(sequence: number): void {
    const at = sequence % IN_FLIGHT_MAX;
    const settler = this.#waiting[at];
    const failure = this.#failures.size === 0 ? undefined : this.#failures.get(sequence >>> 0);
    // Also of a message that settles nothing: its number comes again.
    if (failure !== undefined) this.#failures.delete(sequence >>> 0);
    if (settler === null) return;
    this.#waiting[at] = null;
    if (failure === undefined) {
      settler.resolve();
      return;
    }
    this.#outcomes.failed(failure, 1);
    settler.reject(failure);
  }

  #receiveResponses(): void {
    const ring = this.#responses;
    while (ring.next() >= 0) {
      const at = ring.offset >>> 2;
      const kind = ring.u32[at];
      const number = ring.u32[at + 1];
      if (kind === DEFERRED) this.#defer(number);
      else if (kind === DONE) this.#settleDeferred(number, null);
      else if (kind === FAILED) this.#fail(number, this.#errorAt(ring.offset));
      else if (kind === BATCH_DONE) this.#outcomes.batchDone(number);
      else if (kind === BATCH_FAILED)
        this.#outcomes.batchFailed(number, this.#errorAt(ring.offset));
    }
    ring.release();
  }

  #errorAt(offset: number): OmenError {
    const { u32, u8 } = this.#responses;
    const at = offset >>> 2;
    const start = offset + RESPONSE_HEADER_BYTES;
    const text = decoder.decode(u8.slice(start, start + u32[at + 3]));
    return new OmenError(codeOf(u32[at + 2]), text);
  }

  #defer(sequence: number): void {
    const at = sequence % IN_FLIGHT_MAX;
    this.#deferred.set(sequence, this.#waiting[at]);
    this.#waiting[at] = null;
  }

  #settleDeferred(sequence: number, error: OmenError | null): void {
    const settler = this.#deferred.get(sequence);
    this.#deferred.delete(sequence);
    if (!settler) return;
    if (error === null) {
      settler.resolve();
      return;
    }
    this.#outcomes.failed(error, 1);
    settler.reject(error);
  }

  #fail(sequence: number, error: OmenError): void {
    if (this.#deferred.has(sequence)) this.#settleDeferred(sequence, error);
    else this.#failures.set(sequence, error);
  }

  /** The thread is gone: everything that was completed counts, of the rest nobody knows. */
  abandon(reason: string): void {
    this.receive();
    this.#isGone = true;
    const error = new OmenError(
      'OMEN_OUTCOME_UNKNOWN',
      `The shard thread ended before it answered: ${reason} The write may or may not be durable.`,
    );
    const open = [...this.#deferred.values()];
    for (let i = this.#done; i < this.#sent; i++) open.push(this.#waiting[i % IN_FLIGHT_MAX]);
    this.#done = this.#sent;
    this.#deferred.clear();
    this.#waiting.fill(null);
    const settlers = open.filter((settler) => settler !== null);
    this.#outcomes.failed(error, settlers.length);
    for (const settler of settlers) settler.reject(error);
  }
}
