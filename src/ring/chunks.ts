/**
 * Messages larger than a frame: cut into chunk frames by the sender, put together by the receiver.
 *
 * Invariants
 * - A chunk's payload is { u32 message length, u32 offset of this piece } and the piece. Pieces come
 *   in order and without gaps; the one at offset 0 begins a message.
 * - At most one message of a ring is under way. Whole frames may come between its chunks.
 * - A beginning discards whatever was unfinished, so what a sender left behind that died, or gave a
 *   message up, never becomes part of the next one. A ring nobody will send on any more is cleared by
 *   `discard`.
 *
 * The sender copies straight into the ring and makes one small view per chunk; the receiver allocates
 * once per message, because the message outlives the ring's frames.
 */
import assert from 'node:assert';
import { FRAME_CHUNK, type RingConsumer, type RingProducer } from './ring.ts';

const CHUNK_HEADER_BYTES = 8;

/** Cuts messages for one ring. Used by the producer's thread only. */
export class ChunkSender {
  readonly #ring: RingProducer;
  readonly #messageBytesMax: number;
  readonly #pieceBytes: number;
  #message: Uint8Array | undefined;
  #sent = 0;

  /** `messageBytesMax`: the receiver's limit, at most 2^32 − 1. */
  constructor(ring: RingProducer, messageBytesMax: number) {
    assertLimit(messageBytesMax);
    this.#ring = ring;
    this.#messageBytesMax = messageBytesMax;
    // The largest frame there is: two fill the ring, so one is copied in while another is copied out.
    // What costs is the waking, not the copying, so smaller pieces were slower in most runs: over four,
    // halves, quarters and eighths of a ring of 256 KiB had medians of 2.5, 1.9 and 1.8 GB/s.
    this.#pieceBytes = ring.maxFrameBytes - CHUNK_HEADER_BYTES;
  }

  /**
   * Puts as much of `message` into the ring as fits now and publishes it (along with every frame
   * reserved before, which must be filled). Returns true when all of it is in. False means: the ring
   * is full, wait until the consumer has released and call again with the same, unchanged array; or
   * with another: then the one that was begun is given up.
   */
  send(message: Uint8Array): boolean {
    if (this.#message !== message) {
      assert(
        message.length <= this.#messageBytesMax,
        `a message has at most ${this.#messageBytesMax} bytes, not ${message.length}`,
      );
      this.#message = message;
      this.#sent = 0;
    }
    const ring = this.#ring;
    do {
      const bytes = Math.min(message.length - this.#sent, this.#pieceBytes);
      const at = ring.reserve(CHUNK_HEADER_BYTES + bytes, FRAME_CHUNK);
      if (at < 0) {
        ring.publish();
        return false;
      }
      ring.u32[at >>> 2] = message.length;
      ring.u32[(at >>> 2) + 1] = this.#sent;
      ring.u8.set(message.subarray(this.#sent, this.#sent + bytes), at + CHUNK_HEADER_BYTES);
      this.#sent += bytes;
      ring.publish();
    } while (this.#sent < message.length);
    this.#message = undefined;
    return true;
  }
}

/** Puts the chunks of one ring together. Used by the consumer's thread only. */
export class ChunkReceiver {
  readonly #ring: RingConsumer;
  readonly #messageBytesMax: number;
  #message: Uint8Array<ArrayBuffer> | undefined;
  #received = 0;

  /** `messageBytesMax` bounds what one message may make this thread allocate. */
  constructor(ring: RingConsumer, messageBytesMax: number) {
    assertLimit(messageBytesMax);
    this.#ring = ring;
    this.#messageBytesMax = messageBytesMax;
  }

  /** Bytes held for the message under way. */
  get heldBytes(): number {
    return this.#message === undefined ? 0 : this.#message.length;
  }

  /**
   * Takes the chunk that the ring's `next` has just returned, with the `length` it returned. Returns
   * the message once complete, else undefined. The message begins at offset 0 of a buffer of its own,
   * whose length is a multiple of 8. A chunk that does not continue the message under way, or a
   * message beyond the limit, is an AssertionError.
   */
  accept(length: number): Uint8Array<ArrayBuffer> | undefined {
    const { u8, u32, offset, kind } = this.#ring;
    assert(kind === FRAME_CHUNK && length >= CHUNK_HEADER_BYTES, 'the frame is not a chunk');
    const total = u32[offset >>> 2];
    const at = u32[(offset >>> 2) + 1];
    const bytes = length - CHUNK_HEADER_BYTES;
    if (at === 0) {
      assert(
        total <= this.#messageBytesMax,
        `a message has at most ${this.#messageBytesMax} bytes, not ${total}`,
      );
      this.#message = new Uint8Array(new ArrayBuffer(Math.ceil(total / 8) * 8), 0, total);
      this.#received = 0;
    }
    const message = this.#message;
    if (
      message === undefined ||
      message.length !== total ||
      this.#received !== at ||
      at + bytes > total ||
      (bytes === 0 && total > 0)
    ) {
      assert.fail(`chunk of ${bytes} bytes at ${at} of ${total} does not continue the message`);
    }
    const from = offset + CHUNK_HEADER_BYTES;
    message.set(u8.subarray(from, from + bytes), at);
    this.#received += bytes;
    if (this.#received < total) return undefined;
    this.#message = undefined;
    return message;
  }

  /** Drops the message under way: its sender is dead. */
  discard(): void {
    this.#message = undefined;
    this.#received = 0;
  }
}

function assertLimit(bytes: number): void {
  assert(Number.isSafeInteger(bytes) && bytes > 0 && bytes < 2 ** 32, `impossible limit: ${bytes}`);
}
