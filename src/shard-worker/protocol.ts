/**
 * What crosses the rings between a client and a shard thread. Words are 32-bit; a message that is
 * larger than a frame of the ring crosses in chunks and has the same content.
 *
 * Requests, client to thread:
 *   WRITE_PUT, WRITE_DEL   op | shard << 8, row bytes, key lo, key hi, row
 *   WRITE_BATCH            op | shard << 8, operations, ticket or 0, request, then for each operation
 *                          PUT, DEL or RANGE_DELETE, row bytes, key lo, key hi, row padded to 8 bytes
 *                          (of a range first lo, first hi, the rest of it, see `view/cleared.ts`),
 *                          or LOAD_MARK, 0, name lo, name hi, which is the only operation then
 *                          and, before all of them, of each condition
 *                          IF_… | index << 8, row bytes, key lo, key hi, row padded to 8 bytes
 *                          which counts as an operation; `index` tells the caller which one failed
 *   WRITE_STAGE            as WRITE_BATCH, kept under its request number until
 *   WRITE_STAGED           op | shard << 8, operations, ticket, request: the part staged before
 * Where keys differ in length, `key lo, key hi` is the prefix, and the key in its stored form stands
 * before the row, counted in the row bytes; in a WRITE_DEL, DEL, IF_ABSENT or IF_PRESENT it stands
 * there without a row. A batch is applied only where all of its conditions hold beforehand.
 *
 * Every message has a sequence number, counted by both sides from what stands in `COMPLETED` at first.
 * The thread completes messages in order and says so with that one word, the number of the next one.
 * Both count without end; the word, and responses, have the lower 32 bits. Whatever does not simply
 * succeed in order has a response beforehand:
 *   FAILED    sequence, error code, text          the write was refused, or its outcome is unknown
 *   DEFERRED  sequence                            it waits for a batch; DONE or FAILED follows
 *   DONE      sequence
 *   BATCH_DONE, BATCH_FAILED   request, …         the outcome of a batch across shards, which comes
 *                                                 from whichever participant decided it
 * A client has at most IN_FLIGHT_MAX messages that are not completed, each of which has at most two
 * responses: so a response always finds room, and a thread never waits for a client.
 */
import assert from 'node:assert';
import { frameBytes, guaranteedBytes } from '../ring/ring.ts';

export const WRITE_PUT = 1;
export const WRITE_DEL = 2;
export const WRITE_BATCH = 3;
export const WRITE_STAGE = 4;
export const WRITE_STAGED = 5;
export const MESSAGE_HEADER_BYTES = 16;

/** Conditions among the operations of a batch: no numbers of records. */
export const IF_ABSENT = 16;
export const IF_PRESENT = 17;
export const IF_EQUALS = 18;
/** The row has to expire when the one behind the key does, too. */
export const IF_EQUALS_UNTIL = 19;
/** Larger numbers of operations are told as this one. */
export const INDEX_MAX = 2 ** 24 - 1;

export const FAILED = 1;
export const DEFERRED = 2;
export const DONE = 3;
export const BATCH_DONE = 4;
export const BATCH_FAILED = 5;

/** Words of a response: kind, number (sequence or request), error code, length of the text. */
export const RESPONSE_HEADER_BYTES = 16;
const TEXT_BYTES_MAX = 240;

/** Divides 2^32: a message has the same place by its sequence number and by the lower 32 bits of it. */
export const IN_FLIGHT_MAX = 4096;
export const REQUEST_RING_BYTES = 512 * 1024;
export const RESPONSE_RING_BYTES = 2 ** 21;
/** The largest message: a batch may hold more than one of the largest rows. */
export const MESSAGE_BYTES_MAX = 24 * 2 ** 20;

assert.equal(2 ** 32 % IN_FLIGHT_MAX, 0);
const responseBytesMax = frameBytes(RESPONSE_HEADER_BYTES + TEXT_BYTES_MAX);
assert.ok(
  IN_FLIGHT_MAX * (responseBytesMax + frameBytes(RESPONSE_HEADER_BYTES)) <=
    guaranteedBytes(RESPONSE_RING_BYTES, RESPONSE_HEADER_BYTES + TEXT_BYTES_MAX),
  'a response always finds room',
);

/** The word of `LinkMemory.completed` that holds how many messages are completed, modulo 2^32. */
export const COMPLETED = 0;

/** The shared memory of one client and one shard thread. */
export interface LinkMemory {
  readonly requests: SharedArrayBuffer;
  readonly responses: SharedArrayBuffer;
  readonly completed: SharedArrayBuffer;
}

const encoder = new TextEncoder();

/** The text of an error, cut to what a response can carry. */
export function encodeText(text: string): Uint8Array {
  const buffer = new Uint8Array(TEXT_BYTES_MAX);
  return buffer.subarray(0, encoder.encodeInto(text, buffer).written);
}
