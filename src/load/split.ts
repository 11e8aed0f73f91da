/**
 * Cuts a stream of bytes into blocks that end with a record: at a line's end, and where values may stand in
 * quotes, at one that is in none. So blocks can be parsed apart from each other.
 */
import { OmenError } from '../errors.ts';

const NEWLINE = 10;
const RETURN = 13;
const QUOTE = 34;

/** How a format tells one record from the next. */
export interface RecordRule {
  /** The byte between values; null where lines end records, quotes or not. */
  readonly delimiter: number | null;
}

export interface Block {
  /** In shared memory. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** Where it begins among all bytes. */
  readonly offset: number;
}

/** A record may not be longer. */
const RECORD_BYTES_MAX = 64 * 2 ** 20;

/**
 * Where the last record ends of which the bytes have all; 0 for none.
 * @param from where the first one begins
 */
export function lastRecordEnd(
  bytes: Uint8Array,
  length: number,
  { delimiter }: RecordRule,
  from = 0,
): number {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, length);
  if (delimiter === null || !all.includes(QUOTE)) return all.lastIndexOf(NEWLINE) + 1;
  let end = 0;
  let isStart = true;
  for (let at = from; at < length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE && isStart) {
      // To the quote that closes it: two of them are one of the value's own.
      at++;
      for (; at < length; at++) {
        if (bytes[at] !== QUOTE) continue;
        if (bytes[at + 1] === QUOTE && at + 1 < length) at++;
        else break;
      }
      isStart = false;
    } else {
      if (byte === NEWLINE) end = at + 1;
      isStart = byte === delimiter || byte === NEWLINE || byte === RETURN;
    }
  }
  return end;
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** How many bytes of a text are a byte order mark before it. */
export function lengthOfMark(bytes: Uint8Array): number {
  return BYTE_ORDER_MARK.every((byte, i) => bytes[i] === byte) ? BYTE_ORDER_MARK.length : 0;
}

/** @throws OMEN_INVALID_SOURCE for a record that does not end, what the stream throws */
export async function* splitRecords(
  stream: AsyncIterable<Uint8Array>,
  rule: RecordRule,
  blockBytes: number,
): AsyncGenerator<Block, undefined, undefined> {
  let buffer = new Uint8Array(2 * blockBytes);
  let length = 0;
  let offset = 0;
  const take = (count: number): Block => {
    const bytes = new Uint8Array(new SharedArrayBuffer(count));
    bytes.set(buffer.subarray(0, count));
    const block = { bytes, offset };
    buffer.copyWithin(0, count, length);
    length -= count;
    offset += count;
    return block;
  };
  for await (const piece of stream) {
    for (let at = 0; at < piece.length; ) {
      if (length === buffer.length) {
        const grown = new Uint8Array(2 * buffer.length);
        grown.set(buffer);
        buffer = grown;
      }
      const part = piece.subarray(at, at + Math.max(1, buffer.length - length));
      buffer.set(part, length);
      length += part.length;
      at += part.length;
      if (length < blockBytes) continue;
      const end = lastRecordEnd(buffer, length, rule, offset === 0 ? lengthOfMark(buffer) : 0);
      if (end > 0) yield take(end);
      else if (length > RECORD_BYTES_MAX) {
        const message = `The record at byte ${offset} does not end within ${RECORD_BYTES_MAX} bytes: is a quote left open?`;
        throw new OmenError('OMEN_INVALID_SOURCE', message);
      }
    }
  }
  if (length > 0) yield take(length);
}
