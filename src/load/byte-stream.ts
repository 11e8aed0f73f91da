/**
 * Bytes of a source, one piece after the other, whatever they came in: a file, a stream of bytes or texts,
 * and around them gzip or zstd, told by their first bytes.
 */
import { pipeline, Readable, type Transform } from 'node:stream';
import {
  constants,
  createGunzip,
  createZstdDecompress,
  gunzipSync,
  zstdDecompressSync,
} from 'node:zlib';
import { OmenError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { readUnchanged } from './source-file.ts';

const PIECE_BYTES = 2 ** 20;
const GZIP = [0x1f, 0x8b];
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd];

/**
 * @param extent is kept up to date
 * @throws OMEN_INVALID_SOURCE where the file is changed meanwhile; what the storage throws
 */
export function fileBytes(
  storage: Storage,
  path: string,
  extent: { total: number; read: number },
): AsyncGenerator<Uint8Array> {
  return readUnchanged(storage, path, async function* (file) {
    extent.total = file.size();
    for (let position = 0; ; ) {
      const piece = new Uint8Array(PIECE_BYTES);
      const count = file.read(piece, position);
      position += count;
      extent.read = position;
      if (count === 0) break;
      yield piece.subarray(0, count);
    }
  });
}

/** @throws OMEN_INVALID_SOURCE for a piece that is neither bytes nor text */
export async function* bytesOf(stream: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const piece of stream) {
    if (piece instanceof Uint8Array) yield piece;
    else if (typeof piece === 'string') yield Buffer.from(piece);
    else {
      const message = `A stream of text gives bytes or strings, not ${typeof piece}.`;
      throw new OmenError('OMEN_INVALID_SOURCE', message);
    }
  }
}

/** The first bytes of a stream, and all of it, to be read or returned. */
export async function peeked(
  stream: AsyncGenerator<Uint8Array>,
): Promise<{ head: Uint8Array; whole: AsyncGenerator<Uint8Array> }> {
  const first = await stream.next();
  const head = first.done === true ? new Uint8Array(0) : first.value;
  const whole = (async function* () {
    try {
      yield head;
      yield* stream;
    } finally {
      await stream.return(undefined);
    }
  })();
  return { head, whole };
}

/**
 * The same bytes, out of what they are compressed by.
 * @param name of the source, for messages
 * @throws OMEN_INVALID_SOURCE for what cannot be decompressed, be it that its end is missing
 */
export async function* decompressed(
  stream: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<Uint8Array> {
  const iterator = stream[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  let isOver = false;
  try {
    while (head.length < ZSTD.length && !isOver) {
      const step = await iterator.next();
      isOver = step.done === true;
      if (!step.done) head = Buffer.concat([head, step.value]);
    }
    const rest = (async function* () {
      if (head.length > 0) yield head;
      while (!isOver) {
        const step = await iterator.next();
        isOver = step.done === true;
        if (!step.done) yield step.value;
      }
    })();
    const transform = transformFor(head);
    if (transform === null) yield* rest;
    else yield* through(rest, transform, name);
  } finally {
    if (!isOver) await iterator.return?.();
  }
}

const beginsWith = (head: Uint8Array, magic: readonly number[]) =>
  magic.every((byte, i) => head[i] === byte);

function transformFor(head: Uint8Array): Transform | null {
  if (beginsWith(head, GZIP)) return createGunzip();
  return beginsWith(head, ZSTD) ? createZstdDecompress() : null;
}

/** What the first bytes of a file begin with, out of what they are compressed by; of damaged ones, nothing. */
export function decompressedHead(head: Uint8Array): Uint8Array {
  try {
    // They end before what they are the beginning of does.
    if (beginsWith(head, GZIP)) return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH });
    if (!beginsWith(head, ZSTD)) return head;
    return zstdDecompressSync(head, { finishFlush: constants.ZSTD_e_continue });
  } catch {
    return new Uint8Array(0);
  }
}

async function* through(
  stream: AsyncIterable<Uint8Array>,
  transform: Transform,
  name: string,
): AsyncGenerator<Uint8Array> {
  pipeline(Readable.from(stream, { objectMode: false }), transform, () => {});
  try {
    yield* transform as AsyncIterable<Uint8Array>;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!/^Z(STD)?_/.test(code)) throw error;
    const text = error instanceof Error ? error.message : code;
    const message = `${name} cannot be decompressed: ${text}. Is its end missing?`;
    throw new OmenError('OMEN_INVALID_SOURCE', message, { cause: error });
  }
}
