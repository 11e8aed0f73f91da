/**
 * Byte ring for one producer thread and one consumer thread, in a SharedArrayBuffer.
 *
 * Invariants
 * - `tail` and `head` count bytes since the ring was made. They only grow, in steps of 8, and wrap
 *   at 2^32; `tail − head` (modulo 2^32) is what is occupied, never more than the capacity.
 * - The producer alone writes `tail`, the consumer alone writes `head`. Each keeps a private copy of
 *   the other's word and reloads it only when that copy says full (or empty).
 * - The producer fills a frame completely, then stores `tail`; the consumer loads `tail` before it
 *   reads a frame, and is done with a frame before it stores `head`. Those two atomic pairs order
 *   all plain accesses to the data; nothing else does.
 * - A frame is a header of 8 bytes { u32 payload length, u32 kind } and a payload padded to 8 bytes.
 *   It never straddles the end: where it would, a pad frame fills the rest. Positions are multiples
 *   of 8, so a pad's header always fits, and a pad is published together with the frame after it.
 *
 * Nothing here waits: being full or empty is an answer (−1), waiting is the doorbell's part.
 * `reserve`, `publish`, `next` and `release` allocate nothing.
 */
import assert from 'node:assert';

// V8 folds a module's constant into optimized code only if it is not exported: as an export it is a
// cell, loaded and checked anew at each use. Hence these, and their exported copies.
const HEADER = 8;
// What a frame's second header word may say. 0 is not legal: zeroed memory is no frame.
const PAD = 1;
const WHOLE = 2;
const CHUNK = 3;

export const FRAME_HEADER_BYTES = HEADER;
/** A frame that is a message of its own. */
export const FRAME_WHOLE = WHOLE;
/** A frame that is a piece of a longer message; see chunks.ts. */
export const FRAME_CHUNK = CHUNK;
export type FrameKind = typeof WHOLE | typeof CHUNK;

// Control words (indices into an Int32Array over the buffer). 128 bytes apart, as x86 fetches cache
// lines in pairs; the data keeps the same distance from `head`.
const TAIL = 0;
const HEAD = 32;
const DATA_OFFSET = 256;
const CAPACITY_MIN = 4096;
const CAPACITY_MAX = 2 ** 30; // tail − head must stay positive as a signed 32-bit integer

assert((HEAD - TAIL) * 4 >= 128 && DATA_OFFSET - HEAD * 4 >= 128 && DATA_OFFSET % 8 === 0);

/** Makes an empty ring. `capacityBytes`: a power of two from 4 KiB to 1 GiB. */
export function createRing(capacityBytes: number): SharedArrayBuffer {
  assertCapacity(capacityBytes);
  return new SharedArrayBuffer(DATA_OFFSET + capacityBytes);
}

/** Bytes of ring that a frame with this payload occupies. */
export function frameBytes(payloadBytes: number): number {
  return (HEADER + payloadBytes + 7) & ~7;
}

/**
 * The largest payload of one frame: half the capacity, less the header. Before a frame that does not
 * fit at the end comes a pad shorter than the frame itself, so the two together need less than twice
 * the frame: up to half the ring, every frame fits into an empty ring wherever its position is. A
 * larger one could wait for ever.
 */
export function frameBytesMax(capacityBytes: number): number {
  return capacityBytes / 2 - HEADER;
}

/**
 * What can be promised: frames of at most `payloadBytesMax` always find room while the sum of their
 * `frameBytes`, released ones not counted, stays within this number, wherever they fall. (What is
 * occupied crosses the end at most once, so it holds at most one pad, shorter than the frame after
 * it.) Whoever asks for answers counts with it, so that who answers never finds the ring full.
 */
export function guaranteedBytes(capacityBytes: number, payloadBytesMax: number): number {
  return capacityBytes - frameBytes(payloadBytesMax) + 8;
}

/** The ring's writing end. One per ring, used by one thread. */
export class RingProducer {
  readonly capacity: number;
  /** The largest payload that `reserve` takes; see {@link frameBytesMax}. */
  readonly maxFrameBytes: number;
  /** Views over the data area; what `reserve` returns is a byte offset into them. */
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly f64: Float64Array<SharedArrayBuffer>;
  readonly #control: Int32Array<SharedArrayBuffer>;
  // Reserved up to byte offset #at of the lap that began at counter #lap; from there to #limit is
  // known to be free. One comparison per frame, and the counters only where a lap or a limit ends.
  #lap: number;
  #at: number;
  #limit: number;
  #published: number; // the tail as stored last

  /** Continues where the control words stand: at zero in a new ring. */
  constructor(ring: SharedArrayBuffer) {
    this.capacity = ring.byteLength - DATA_OFFSET;
    assertCapacity(this.capacity);
    this.maxFrameBytes = frameBytesMax(this.capacity);
    this.u8 = new Uint8Array(ring, DATA_OFFSET);
    this.u32 = new Uint32Array(ring, DATA_OFFSET);
    this.f64 = new Float64Array(ring, DATA_OFFSET);
    this.#control = new Int32Array(ring, 0, DATA_OFFSET / 4);
    this.#published = Atomics.load(this.#control, TAIL);
    assertIndices(this.#published, Atomics.load(this.#control, HEAD), this.capacity);
    this.#at = this.#published & (this.capacity - 1);
    this.#lap = (this.#published - this.#at) | 0;
    this.#limit = this.#at;
  }

  /**
   * Takes room for a frame of `bytes` payload bytes (0 to `maxFrameBytes`). Returns the payload's
   * byte offset, a multiple of 8, or −1 when there is no room now. The consumer sees nothing of it
   * until `publish`, before which the payload must be filled; several frames may be reserved first.
   */
  reserve(bytes: number, kind: FrameKind = WHOLE): number {
    if (!(bytes >= 0 && bytes <= this.maxFrameBytes)) failReserve(bytes, this.maxFrameBytes);
    const size = (bytes + HEADER + 7) & ~7;
    if (size > this.#limit - this.#at && !this.#makeRoom(size)) return -1;
    const at = this.#at;
    const u32 = this.u32;
    u32[at >>> 2] = bytes;
    u32[(at >>> 2) + 1] = kind;
    this.#at = at + size;
    return at + HEADER;
  }

  /**
   * Makes every reserved frame visible to the consumer, with one store. Returns whether the consumer
   * had released everything before them, and so may have found nothing and gone to sleep: only then
   * need it be woken, if it always looks once more after it released.
   */
  publish(): boolean {
    const tail = (this.#lap + this.#at) | 0;
    const before = this.#published;
    if (tail === before) return false;
    this.#published = tail;
    Atomics.store(this.#control, TAIL, tail);
    return Atomics.load(this.#control, HEAD) === before;
  }

  /** Bytes not occupied now; headers and pads occupy too. The consumer can only make it more. */
  freeBytes(): number {
    const occupied = (this.#lap + this.#at - Atomics.load(this.#control, HEAD)) | 0;
    return this.capacity - occupied;
  }

  // Asks for the consumer's head anew; goes to the next lap, over a pad, where the rest of this one
  // is too short. Leaves everything as it is when there is no room for all of that.
  #makeRoom(size: number): boolean {
    const free = this.freeBytes();
    const toEnd = this.capacity - this.#at;
    if (size <= toEnd) {
      if (size > free) return false;
      this.#limit = this.#at + (free < toEnd ? free : toEnd);
      return true;
    }
    if (toEnd + size > free) return false;
    if (toEnd > 0) {
      this.u32[this.#at >>> 2] = toEnd - HEADER;
      this.u32[(this.#at >>> 2) + 1] = PAD;
    }
    this.#lap = (this.#lap + this.capacity) | 0;
    this.#at = 0;
    this.#limit = free - toEnd;
    return true;
  }
}

/** The ring's reading end. One per ring, used by one thread. */
export class RingConsumer {
  /** Views over the data area; `offset` is a byte offset into them. */
  readonly u8: Uint8Array<SharedArrayBuffer>;
  readonly u32: Uint32Array<SharedArrayBuffer>;
  readonly f64: Float64Array<SharedArrayBuffer>;
  /** Where the payload of the frame that `next` returned begins; a multiple of 8. */
  offset = 0;
  /** Whether that frame is a whole message or a chunk of one. */
  kind: FrameKind = WHOLE;
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #capacity: number;
  // Consumed up to byte offset #at of the lap that began at counter #lap; from there to #end is
  // known to be published.
  #lap: number;
  #at: number;
  #end: number;
  #released: number; // the head as stored last

  /** Continues where the control words stand. Frames consumed but never released come again. */
  constructor(ring: SharedArrayBuffer) {
    this.#capacity = ring.byteLength - DATA_OFFSET;
    assertCapacity(this.#capacity);
    this.u8 = new Uint8Array(ring, DATA_OFFSET);
    this.u32 = new Uint32Array(ring, DATA_OFFSET);
    this.f64 = new Float64Array(ring, DATA_OFFSET);
    this.#control = new Int32Array(ring, 0, DATA_OFFSET / 4);
    this.#released = Atomics.load(this.#control, HEAD);
    assertIndices(Atomics.load(this.#control, TAIL), this.#released, this.#capacity);
    this.#at = this.#released & (this.#capacity - 1);
    this.#lap = (this.#released - this.#at) | 0;
    this.#end = this.#at;
  }

  /**
   * Steps to the next frame: returns its payload's length in bytes and sets `offset` and `kind`, or
   * returns −1 when there is none now. The payload stays as it is until `release`. A header that
   * cannot be (a length beyond what was published or beyond the end, an unknown kind) is an
   * AssertionError: the memory was overwritten, and nothing after it can be trusted.
   */
  next(): number {
    if (this.#at === this.#end && !this.#lookFurther()) return -1;
    const u32 = this.u32;
    let at = this.#at;
    let kind = u32[(at >>> 2) + 1];
    if (kind === PAD) {
      at = this.#skipPad();
      kind = u32[(at >>> 2) + 1];
    }
    const length = u32[at >>> 2];
    if (length > this.#end - at - HEADER || (kind !== WHOLE && kind !== CHUNK)) {
      failFrame(at, length, kind);
    }
    this.offset = at + HEADER;
    this.kind = kind;
    this.#at = at + ((length + HEADER + 7) & ~7);
    return length;
  }

  /** Gives every consumed frame's room back to the producer, with one store. */
  release(): void {
    const head = (this.#lap + this.#at) | 0;
    if (head === this.#released) return;
    this.#released = head;
    Atomics.store(this.#control, HEAD, head);
  }

  // Asks for the producer's tail anew, and goes to the next lap at the end of this one.
  #lookFurther(): boolean {
    const head = (this.#lap + this.#at) | 0;
    const tail = Atomics.load(this.#control, TAIL);
    if (tail === head) return false;
    assertIndices(tail, head, this.#capacity);
    if (this.#at === this.#capacity) {
      this.#lap = head;
      this.#at = 0;
    }
    const end = this.#at + ((tail - head) | 0);
    this.#end = end < this.#capacity ? end : this.#capacity;
    return true;
  }

  // Goes to the next lap, and returns where it begins.
  #skipPad(): number {
    const at = this.#at;
    const length = this.u32[at >>> 2];
    const atEnd = length === this.#capacity - at - HEADER && this.#end === this.#capacity;
    this.#at = this.#capacity;
    if (!atEnd || !this.#lookFurther()) failFrame(at, length, PAD);
    return this.#at;
  }
}

function assertCapacity(bytes: number): void {
  assert(
    bytes >= CAPACITY_MIN && bytes <= CAPACITY_MAX && Number.isInteger(Math.log2(bytes)),
    `a ring's capacity is a power of two from 4 KiB to 1 GiB, not ${bytes} bytes`,
  );
}

// Only called when the other side's word was reloaded, and its cold half is out of line.
function assertIndices(tail: number, head: number, capacity: number): void {
  const occupied = (tail - head) | 0;
  if (occupied < 0 || occupied > capacity || ((tail | head) & 7) !== 0) {
    assert.fail(`ring of ${capacity} bytes has impossible indices: tail ${tail}, head ${head}`);
  }
}

function failReserve(bytes: number, max: number): never {
  assert.fail(`a frame of this ring holds 0 to ${max} bytes, not ${bytes}: send it in chunks`);
}

function failFrame(at: number, length: number, kind: number): never {
  assert.fail(`ring holds an impossible frame at ${at}: length ${length}, kind ${kind}`);
}
